"""The rules of suggestions and their actions (C-14 to C-23)."""

import re
from typing import Any

from cds_service.conformance.call import Call
from cds_service.conformance.faults import Faults, at
from cds_service.conformance.orders import judge_order


def judge_suggestion(
    out: Faults, suggestion: dict[str, Any], path: str, call: Call, uuids: set[str], detail: str
) -> None:
    """Judge one suggestion of a card with this detail."""
    optional = ("isRecommended", "actionSelectionBehavior")
    out.members(suggestion, path, {"label": "C-14"}, optional, recommended={"uuid": "C-15", "actions": "C-17"})
    out.text(suggestion, "label", path, "C-14")
    out.uuid(suggestion, "uuid", path, "C-15", uuids)
    if not isinstance(suggestion.get("isRecommended", True), bool | None):
        out.add("C-16", at(path, "isRecommended"), "must be true or false")
    if "actionSelectionBehavior" in suggestion:
        out.add("C-18", at(path, "actionSelectionBehavior"), "is only for clients known to support it")
        out.one_of(suggestion, "actionSelectionBehavior", path, "cds-resp-7", {"all", "any", "at-most-one"})
    actions = out.objects(suggestion, "actions", path, "C-17")
    if len(actions) > 1:
        out.advise("C-17", at(path, "actions"), f"{len(actions)} actions; some clients take one only")
    for where, action in actions:
        _action(out, action, where, call, detail)


def _action(out: Faults, action: dict[str, Any], path: str, call: Call, detail: str) -> None:
    out.members(action, path, {"type": "C-19", "description": "cds-resp-5"}, ("resource", "resourceId"))
    out.one_of(action, "type", path, "C-19", {"create", "update", "delete"})
    description = out.text(action, "description", path, "C-20") or ""
    kind = action.get("type")
    if kind == "delete":
        _deletion(out, action, path, call)
    elif kind in ("create", "update"):
        rule = "C-21" if kind == "create" else "C-22"
        if "resourceId" in action:
            out.add(rule, at(path, "resourceId"), f"a {kind} carries the resource itself")
        if "resource" not in action:
            out.add(rule, path, "`resource` is missing")
        resource = out.object(action, "resource", path, rule)
        if resource and kind == "create":
            judge_order(out, resource, at(path, "resource"), call, description, detail)
        elif resource and f"{resource.get('resourceType')}/{resource.get('id')}" not in call.draft_ids:
            out.add(rule, at(path, "resource"), "is none of the draft orders of this call")


def _deletion(out: Faults, action: dict[str, Any], path: str, call: Call) -> None:
    if "resource" in action or "resourceId" not in action:
        out.add("cds-resp-2", path, "a delete carries `resourceId` and no `resource`")
    target = out.text(action, "resourceId", path, "C-23")
    if target and not re.fullmatch(r"[A-Z][A-Za-z]+/[^/\s]+", target):
        out.add("C-23", at(path, "resourceId"), f"{target!r} is not `Type/id`")
    elif target and target not in call.draft_ids:
        out.add("C-23", at(path, "resourceId"), "is none of the draft orders of this call")

"""The rules of the discovery document (D-), but those of its templates."""

import re
from typing import Any

from cds_service.conformance.faults import Faults, at, is_empty
from cds_service.conformance.templates import HOOK_TOKENS, PERSON, judge_template


def judge_discovery(out: Faults, body: Any) -> None:
    """Judge the body of discovery."""
    if not isinstance(body, dict) or not isinstance(body.get("services"), list):
        out.add("D-2", "", "must be an object with the array `services`")
        return
    out.members(body, "", {"services": "D-2"})
    out.json(body, may_be_empty={"services": []})
    ids: set[str] = set()
    for path, service in out.objects(body, "services", "", "D-2"):
        _service(out, service, path, ids)


def _hook(out: Faults, service: dict[str, Any], path: str) -> None:
    """A hook of nobody's library is allowed; those of the library are what this service knows."""
    hook = service.get("hook")
    if is_empty(hook) or (isinstance(hook, str) and hook in HOOK_TOKENS):
        return
    say = out.advise if isinstance(hook, str) else out.add
    say("D-4", at(path, "hook"), f"is {hook!r}; allowed: {', '.join(sorted(HOOK_TOKENS))}")


def _service(out: Faults, service: dict[str, Any], path: str, ids: set[str]) -> None:
    required = {"hook": "D-4", "description": "D-5", "id": "D-6"}
    optional = ("prefetch", "usageRequirements", "version", "hookVersion")
    out.members(service, path, required, optional, recommended={"title": "D-7"})
    _hook(out, service, path)
    out.text(service, "description", path, "D-5", lines="\n")
    out.text(service, "title", path, "D-7")
    out.text(service, "usageRequirements", path, "D-9")
    for name, rule in (("version", "D-10"), ("hookVersion", "D-11")):
        value = out.text(service, name, path, rule)
        if value and not re.fullmatch(r"STU[123]|\d+\.\d+(\.\d+)?", value):
            out.add(rule, at(path, name), f"{value!r} is not a version")
    service_id = out.text(service, "id", path, "D-6")
    if service_id and not re.fullmatch(r"[A-Za-z0-9._~-]+", service_id):
        out.add("D-6", at(path, "id"), f"{service_id!r} is not safe in a URL")
    if service_id in ids:
        out.add("D-12", at(path, "id"), "is used twice; clients that key services by URL lose one")
    ids.add(service_id or "")
    hook = service.get("hook")
    tokens = HOOK_TOKENS.get(hook, PERSON) if isinstance(hook, str) else PERSON
    for key, template in (out.object(service, "prefetch", path, "D-8") or {}).items():
        where = at(at(path, "prefetch"), key)
        if not isinstance(template, str) and not is_empty(template):
            out.add("D-8", where, "a template is a string")
        elif isinstance(template, str) and template:
            judge_template(out, template, where, tokens)

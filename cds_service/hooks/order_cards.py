"""Cards of the order hooks: one for each order against which something speaks, none for an order that is right."""

import re
from collections.abc import Mapping, Sequence
from copy import deepcopy
from typing import Any

from cds_service.crs.assessment import Status
from cds_service.crs.review.remarks import Review, Severity
from cds_service.crs.sentences import Line
from cds_service.crs.timeline import Unused
from cds_service.crs.treatment import Draft
from cds_service.fhir import orders
from cds_service.fhir.elements import Json
from cds_service.hooks.cards import Card, Desk, card, selectable, set_aside, suggestion, uuid_for
from cds_service.hooks.summaries import offer

INDICATORS = {Severity.INFO: "info", Severity.WARNING: "warning", Severity.CRITICAL: "critical"}
_NO_TOPIC = re.compile(r"[^A-Za-z0-9]")


def order_cards(
    desk: Desk, reviews: Sequence[Review], unreviewed: Sequence[Unused], drafts: Mapping[str, Json]
) -> list[Card]:
    """The cards, the most severe first. `drafts` are the orders of the session by their reference.

    Orders that were not reviewed are said where orders of the patient are: no card means an order that is right.
    """
    found = sorted(reviews, key=lambda item: -item.severity)
    made = [_card(desk, review, drafts.get(review.order.reference, {})) for review in found]
    said = unreviewed and desk.assessment.status is not Status.NOT_ELIGIBLE
    return [*made, _unreviewed(desk, unreviewed)] if said else made


def _unreviewed(desk: Desk, orders: Sequence[Unused]) -> Card:
    """That orders of the session were not looked at, and why."""
    number = "1 order was" if len(orders) == 1 else f"{len(orders)} orders were"
    detail = desk.knowledge.wording.detail("unreviewed.md.j2", orders=set_aside(orders), **desk.footer)
    return card(desk, "unreviewed", f"{number} not reviewed: {orders[0].reason}", detail, "warning")


def _card(desk: Desk, review: Review, draft: Json) -> Card:
    wording, order = desk.knowledge.wording, review.order
    words = wording.phrases([_with(item.line, full=True) for item in review.remarks], desk.clock)
    (worst,) = wording.phrases([_with(review.remarks[0].line, full=False)], desk.clock)
    name = order.name if order.kind == "therapy" else order.agent
    remarks = [
        {"words": said, "strong": item.severity is not Severity.INFO}
        for said, item in zip(words, review.remarks, strict=True)
    ]
    grade = desk.assessment.grade
    offered = offer(review.correction) if review.correction is not None else ""
    detail = wording.detail(
        "order.md.j2", order=order.name, remarks=remarks, offered=offered, grade=grade, **desk.footer
    )
    topic = f"order{_NO_TOPIC.sub('', order.agent)}"
    summary = f"Order of {name}: {worst}"
    made = card(desk, topic, summary, detail, INDICATORS[review.severity], about=order.reference)
    suggestions = [suggestion(desk, f"{topic}:{order.reference}", item) for item in review.additions]
    if review.correction is not None:
        suggestions.insert(0, _correction(desk, topic, review.correction, review, draft))
    if suggestions:
        made["suggestions"] = suggestions
    return selectable(desk, made)


def _with(line: Line, *, full: bool) -> Line:
    return Line(line.say, {**line.values, "full": full})


def _correction(desk: Desk, topic: str, correction: Draft, review: Review, draft: Json) -> dict[str, Any]:
    """The order as it should be: the draft changed where the client can take that, else a new one in its place."""
    made = suggestion(desk, f"{topic}:{review.order.reference}", correction)
    made["uuid"] = uuid_for(desk, topic, review.order.reference, "correction")
    (action,) = made["actions"]
    updated = _updated(draft, action["resource"], review) if desk.knowledge.profile.update else None
    if updated is not None:
        made["label"] = f"Change the order to {offer(correction)}"
        made["actions"] = [{"type": "update", "description": made["label"], "resource": updated}]
        return made
    made["label"] = f"Draft {offer(correction)} in place of this order"
    action["description"] = f"{made['label']}: remove this one"
    action["resource"]["note"] = [{"text": "In place of the order that was under review: remove that one."}]
    return made


def _updated(draft: Json, corrected: Json, review: Review) -> Json | None:
    """The draft with the dose, route and timing of the protocol. None when it is another drug, or no sound draft."""
    if draft.get("status") != "draft" or not draft.get("id") or review.correction is None:
        return None
    if review.order.agent != review.correction.order.agent:
        return None
    changed = deepcopy(draft) | {"dosageInstruction": corrected["dosageInstruction"]}
    return changed if orders.is_sound(changed) else None

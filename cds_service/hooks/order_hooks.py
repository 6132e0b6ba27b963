"""order-select and order-sign: an order is chosen or signed, and cards say what speaks against it."""

from collections.abc import Collection
from dataclasses import replace
from datetime import datetime
from typing import Any

from cds_service.crs.review.orders import review
from cds_service.crs.session import Session
from cds_service.crs.timeline import Timeline
from cds_service.fhir.readers.chart import reference_to
from cds_service.fhir.readers.session import read_session
from cds_service.hooks.answer import Answer
from cds_service.hooks.call import OrderCall, OrderSelectCall, read_call
from cds_service.hooks.cards import Desk
from cds_service.hooks.evaluate import Access, Reading, evaluated
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.order_cards import order_cards


def answer_order_select(body: Any, service_id: str, knowledge: Knowledge, access: Access, now: datetime) -> Answer:
    """The answer when orders are chosen: about the selections, the rest of the session is background."""
    call = read_call(body, "order-select", OrderSelectCall)
    return _answer(call, call.context.selections, service_id, knowledge, access, now)


def answer_order_sign(body: Any, service_id: str, knowledge: Knowledge, access: Access, now: datetime) -> Answer:
    """The answer when orders are about to be signed: about each of them."""
    call = read_call(body, "order-sign", OrderCall)
    return _answer(call, None, service_id, knowledge, access, now)


def _answer(
    call: OrderCall,
    selections: Collection[str] | None,
    service_id: str,
    knowledge: Knowledge,
    access: Access,
    now: datetime,
) -> Answer:
    content = knowledge.content
    with (
        evaluated(call.question, knowledge, access, now, call.context.orders) as reading,
        access.watch.stage("cards"),
    ):
        session = _session(call, selections, reading)
        reading = reading.without(session.unused)
        desk = Desk.of(call, service_id, knowledge, reading.assessment, now)
        timeline = _without_session(reading.timeline, session)
        reviews = review(timeline, reading.assessment, content.scale, content.protocol, session)
        drafts = {reference_to(resource): resource for resource in call.context.orders}
        lines = tuple(item.line for found in reviews for item in found.remarks)
        return Answer(desk=desk, reading=reading, lines=lines, cards=order_cards(desk, reviews, session.unused, drafts))


def _session(call: OrderCall, selections: Collection[str] | None, reading: Reading) -> Session:
    """The orders of the session, with the names of medications that they only refer to."""
    orders = call.context.orders
    chart = replace(reading.chart, medications=reading.medications.for_resources(orders))
    return read_session(orders, selections, call.question.patient.owns, chart)


def _without_session(timeline: Timeline, session: Session) -> Timeline:
    """The record without the orders of the session: some servers show unsigned orders too."""
    mine = {order.reference for order in session.orders}
    return replace(timeline, orders=tuple(order for order in timeline.orders if order.reference not in mine))

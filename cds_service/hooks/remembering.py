"""What the service remembers of an answer, and what it holds back because it was answered before (clinical 7.2).

No state of a patient is kept: an answer is graded anew each time, the store only says what was shown and what a
clinician did with it. When the store is away hooks answer all the same, records wait in the spool, and nothing is held
back.
"""

import time
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from cds_service.crs.assessment import Status
from cds_service.errors import MissingData, StoreUnavailable, SwitchedOff
from cds_service.hooks.answer import Answer, Suppressed
from cds_service.hooks.call import HookCall, read_call
from cds_service.hooks.cards import Card, topic_of
from cds_service.hooks.evaluate import Access
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import Service
from cds_service.store.memory import Memory
from cds_service.store.records import AnswerRecord, CardRecord, Outcome, Reaction

LOUD_FROM = 2
"""From this grade on the grade is always said, though in one quiet card (clinical 7.2: never silent on grade 2)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Caller:
    """Who calls, with what the answer is made and remembered, and which services are off for this client."""

    client: str
    knowledge: Knowledge
    access: Access
    memory: Memory
    services_off: frozenset[str] = frozenset()


def answer_and_remember(service: Service, body: Any, caller: Caller, now: datetime) -> Answer:
    """The answer of a service at `now`, without what was answered before, and on record.

    Raises what the service does, and StoreUnavailable when a record is required and cannot be kept anywhere.
    """
    begun = time.monotonic()
    try:
        _switched_on(service, body, caller)
        answer = service.answer(body, service.id, caller.knowledge, caller.access, now)
    except (MissingData, SwitchedOff) as error:
        caller.memory.remember(_unavailable(service, body, caller, now, error, begun))
        raise
    if service.hook == "patient-view":
        answer = _without_answered(answer, caller, now)
    with caller.access.watch.stage("store"):
        caller.memory.remember(_record(service, answer, caller, begun))
    return answer


def _switched_on(service: Service, body: Any, caller: Caller) -> None:
    """Raises SwitchedOff when the service is off for its caller: nothing of a call is looked at but its envelope."""
    if service.id in caller.services_off:
        read_call(body, service.hook, HookCall)
        raise SwitchedOff(f"{service.id} is switched off by its operator: nothing was graded")


def _without_answered(answer: Answer, caller: Caller, now: datetime) -> Answer:
    """The answer without cards that were accepted or overridden in the window, at this grade and with this advice.

    Nothing is held back while something is not known that could raise the grade.
    """
    assessment = answer.desk.assessment
    if not assessment.grade or assessment.status is not Status.GRADED or not answer.cards:
        return answer
    window = caller.knowledge.content.protocol.silence
    try:
        with caller.access.watch.stage("store"):
            reactions = caller.memory.store.reactions(_patient(caller, answer.desk.call), now - window)
    except StoreUnavailable:
        return answer
    known = {topic_of(card): _reaction(answer, card, reactions) for card in answer.cards}
    held = {topic: reaction for topic, reaction in known.items() if reaction is not None}
    return answer.without(held_back(held, window), loud=assessment.grade >= LOUD_FROM) if held else answer


def held_back(reactions: Mapping[str, Reaction], window: timedelta) -> list[Suppressed]:
    """Why each topic is held back."""
    hours = int(window.total_seconds() // 3600)
    return [
        Suppressed(topic=topic, outcome=found.outcome.value, at=found.at, hours=hours)
        for topic, found in reactions.items()
    ]


def _reaction(answer: Answer, card: Card, reactions: list[Reaction]) -> Reaction | None:
    """The reaction to the same card: of that topic and grade, with the same advice."""
    topic = topic_of(card)
    same = (topic, answer.desk.assessment.grade, answer.offers.get(topic, ""))
    found = [item for item in reactions if (item.topic, item.grade, item.advice) == same]
    return max(found, key=lambda item: item.at, default=None)


def _record(service: Service, answer: Answer, caller: Caller, begun: float) -> AnswerRecord:
    assessment, call = answer.desk.assessment, answer.desk.call
    outcome, reason = Outcome.GRADED, ""
    if not answer.cards:
        held = bool(answer.suppressed)
        outcome = Outcome.SUPPRESSED if held else Outcome.SILENT
        reason = "answered before" if held else assessment.status.value
    shown = [_card(answer, card, shown=True) for card in answer.cards]
    seen = {card.uuid for card in shown}
    hidden = [_card(answer, card, shown=False) for card in answer.held if card["uuid"] not in seen]
    return AnswerRecord(
        **_common(service, caller, begun),
        at=assessment.as_of,
        hook_instance=call.hookInstance,
        patient=_patient(caller, call),
        encounter=_encounter(caller, call.fhirServer, call.context.encounterId),
        outcome=outcome,
        reason=reason,
        status=assessment.status.value,
        grade=assessment.grade,
        assessment=answer.assessment,
        cards=(*shown, *hidden),
    )


def _card(answer: Answer, card: Card, *, shown: bool) -> CardRecord:
    return CardRecord(
        uuid=card["uuid"],
        topic=topic_of(card),
        grade=answer.desk.assessment.grade,
        advice=answer.offers.get(topic_of(card), ""),
        indicator=card["indicator"],
        suggestions=tuple((item["uuid"], _order(item)) for item in card.get("suggestions", [])),
        shown=shown,
    )


def _order(suggestion: Mapping[str, Any]) -> str:
    """What a suggestion drafts, in this service's own words: a changed draft holds those of the client."""
    (action,) = suggestion["actions"]
    if action["type"] == "update":
        return "correction"
    resource = action["resource"]
    name: str = resource.get("medicationCodeableConcept", resource.get("code"))["text"]
    return name


def _unavailable(
    service: Service, body: Any, caller: Caller, now: datetime, error: MissingData | SwitchedOff, begun: float
) -> AnswerRecord:
    """A call that could be read and not graded: it passed the checks of its envelope."""
    context = body["context"]
    return AnswerRecord(
        **_common(service, caller, begun),
        at=now,
        hook_instance=body["hookInstance"],
        patient=caller.memory.pseudonyms.patient(_record_of(caller, body.get("fhirServer")), context["patientId"]),
        encounter=_encounter(caller, body.get("fhirServer"), context.get("encounterId")),
        outcome=Outcome.UNAVAILABLE,
        reason=type(error).__name__,
    )


def _common(service: Service, caller: Caller, begun: float) -> dict[str, Any]:
    content = caller.knowledge.content
    return {
        "service": service.id,
        "hook": service.hook,
        "client": caller.client,
        "protocol_id": content.protocol.id,
        "protocol_version": content.protocol.version,
        "protocol_hash": content.hash,
        "milliseconds": round((time.monotonic() - begun) * 1000),
    }


def _record_of(caller: Caller, fhir_server: str | None) -> str:
    """Whose ids they are: without checked callers several EHRs share one client, and one id may be two patients."""
    return f"{caller.client} {(fhir_server or '').rstrip('/')}".strip()


def _patient(caller: Caller, call: HookCall) -> str:
    return caller.memory.pseudonyms.patient(_record_of(caller, call.fhirServer), call.context.patientId)


def _encounter(caller: Caller, fhir_server: str | None, encounter_id: str | None) -> str | None:
    if encounter_id is None:
        return None
    return caller.memory.pseudonyms.encounter(_record_of(caller, fhir_server), encounter_id)

"""patient-view: the chart opens, and the whole way of the data is walked once.

parse, gather the gate, and for a patient with a T-cell engaging therapy: gather the rest, read, assess, advise, render.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import Executor
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

import structlog

from cds_service.crs.advice import Advice, advise
from cds_service.crs.assessment import Assessment
from cds_service.crs.eligibility import may_be_exposed
from cds_service.crs.grading import assess
from cds_service.crs.timeline import Gap, Timeline
from cds_service.errors import MissingData, PatientMismatch
from cds_service.fhir.client import Deadline, FhirClient, allowed
from cds_service.fhir.elements import Json, objects
from cds_service.fhir.gather import Source, State, Supply, fetch_medications, gather, unread_medications
from cds_service.fhir.ownership import Patient, own
from cds_service.fhir.readers.chart import Chart
from cds_service.fhir.reading import newest_versions, read_timeline
from cds_service.hooks.assessment_json import EXTENSION, assessment_json
from cds_service.hooks.call import HookCall, read_call
from cds_service.hooks.cards import Desk, cards
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.wording import Clock

VITALS = ("temperature", "bloodPressure", "oxygen")
SUPERSETS = {"therapies": "administrations", "crsMedications": "administrations"}
"""A need whose answer is part of another's: it is not missed when the other is complete."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How this installation reaches FHIR servers: the allow-list, pooled connections, threads, and the time it has."""

    session: Any = field(repr=False)
    executor: Executor
    allow_list: Sequence[str]
    deadline_seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one call came to: the facts, the assessment, the advice, and where the data came from."""

    timeline: Timeline
    assessment: Assessment
    advice: Advice
    supplies: Mapping[str, Supply]


def answer_patient_view(
    body: Any, service_id: str, knowledge: Knowledge, access: Access, now: datetime
) -> dict[str, Any]:
    """The response to a patient-view call at `now`. Raises the errors of the contract, never hides one as no cards."""
    call = read_call(body, "patient-view")
    reading = evaluate(call, knowledge, access, now)
    desk = Desk(
        call=call,
        service_id=service_id,
        knowledge=knowledge,
        assessment=reading.assessment,
        clock=Clock(now, knowledge.zone),
    )
    found = cards(desk, reading.advice)
    log.info(
        "answered",
        service=service_id,
        hook_instance=call.hookInstance,
        status=reading.assessment.status.value,
        cards=len(found),
        needs={key: supply.state.value for key, supply in reading.supplies.items()},
    )
    return {
        "cards": found,
        "extension": {EXTENSION: assessment_json(reading.assessment, knowledge.content.knowledge)},
    }


def evaluate(call: HookCall, knowledge: Knowledge, access: Access, now: datetime) -> Reading:
    """Gather, read, assess and advise: the steps between a parsed call and its cards."""
    _same_patient(call)
    source = _source(call, knowledge, access, now)
    gate = [need for need in knowledge.needs if need.gate]
    supplies = gather(gate, source)
    timeline = _timeline(call, supplies, source, knowledge)
    scale, protocol = knowledge.content.scale, knowledge.content.protocol
    if may_be_exposed(timeline, scale, now):
        supplies |= gather((need for need in knowledge.needs if not need.gate), source)
        timeline = _timeline(call, supplies, source, knowledge)
        _gradable(supplies)
    elif "therapies" in timeline.gaps:
        unread = [supply for supply in supplies.values() if supply.gap and "therapies" in supply.need.kinds]
        raise MissingData(_cannot_be_had(unread))
    assessment = assess(timeline, scale, now)
    return Reading(
        timeline=timeline,
        assessment=assessment,
        advice=advise(timeline, assessment, scale, protocol),
        supplies=supplies,
    )


def _same_patient(call: HookCall) -> None:
    """The Patient in the prefetch must be the context's (T40)."""
    patient = call.prefetch.get("patient")
    if not isinstance(patient, dict) or patient.get("resourceType") != "Patient":
        return
    if patient.get("id") != call.context.patientId:
        raise PatientMismatch(
            "the Patient in the prefetch is not the patient of the context: nothing was graded",
            expression="prefetch.patient",
        )


def _source(call: HookCall, knowledge: Knowledge, access: Access, now: datetime) -> Source:
    client, reason = None, "no fhirServer was given"
    if call.fhirServer is not None:
        reason = "the fhirServer is not on the allow-list of this service"
        if allowed(call.fhirServer, access.allow_list):
            token = call.fhirAuthorization.access_token if call.fhirAuthorization is not None else None
            deadline = Deadline.after(access.deadline_seconds)
            client = FhirClient(call.fhirServer, token, access.session, deadline)
    return Source(
        patient_id=call.context.patientId,
        prefetch=call.prefetch,
        client=client,
        no_server=reason,
        executor=access.executor,
        now=now,
        zone=knowledge.zone,
    )


def _timeline(call: HookCall, supplies: Mapping[str, Supply], source: Source, knowledge: Knowledge) -> Timeline:
    """All that was gathered, and what the prefetch holds under keys of the client's own (P-19)."""
    resources = [resource for supply in supplies.values() for resource in supply.resources]
    asked = {need.key for need in knowledge.needs}
    resources += _entries(value for key, value in call.prefetch.items() if key not in asked)
    mine, unused = own(newest_versions(resources), Patient(call.context.patientId, call.fhirServer))
    medications = {f"Medication/{item.get('id')}": item for item in mine if item.get("resourceType") == "Medication"}
    for item in fetch_medications(unread_medications(mine, medications), source):
        medications[f"Medication/{item.get('id')}"] = item
    chart = Chart(
        codebook=knowledge.codebook,
        scale=knowledge.content.scale,
        now=source.now,
        zone=knowledge.zone,
        medications=medications,
    )
    patient = next((item for item in mine if _is_patient(item, call)), None)
    return read_timeline(mine, patient, chart, gaps(supplies), unused)


def _is_patient(resource: Json, call: HookCall) -> bool:
    return resource.get("resourceType") == "Patient" and resource.get("id") == call.context.patientId


def _entries(values: Iterable[Any]) -> list[Json]:
    found = []
    for value in values:
        if isinstance(value, dict) and value.get("resourceType") == "Bundle":
            found += [
                entry["resource"] for entry in objects(value.get("entry")) if isinstance(entry.get("resource"), dict)
            ]
        elif isinstance(value, dict) and "resourceType" in value:
            found.append(value)
    return found


def gaps(supplies: Mapping[str, Supply]) -> dict[str, Gap]:
    """What is not known, by kind of fact: of several reasons for a kind the one that leaves the least known."""
    found: dict[str, Gap] = {}
    for key, supply in supplies.items():
        gap = supply.gap
        whole = supplies.get(SUPERSETS.get(key, ""))
        if gap is None or (whole is not None and whole.gap is None):
            continue
        for kind in supply.need.kinds:
            known = found.get(kind)
            if known is None or _less_known(gap, known):
                found[kind] = Gap(f"{supply.need.title}: {gap.reason}", gap.known_since)
    return found


def _less_known(gap: Gap, other: Gap) -> bool:
    if gap.known_since is None or other.known_since is None:
        return gap.known_since is None
    return gap.known_since > other.known_since


def _gradable(supplies: Mapping[str, Supply]) -> None:
    """412 only when none of the three criteria can be looked at (H-2)."""
    unavailable = [supplies[key] for key in VITALS if supplies[key].state is State.UNAVAILABLE]
    if len(unavailable) == len(VITALS):
        raise MissingData(_cannot_be_had(unavailable))


def _cannot_be_had(supplies: Iterable[Supply]) -> str:
    named = "; ".join(f"{supply.need.key} ({supply.reason})" for supply in supplies)
    return f"CRS cannot be graded: {named}. Send these prefetch keys, or a fhirServer that may be read."

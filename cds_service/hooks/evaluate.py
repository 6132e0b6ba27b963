"""The way of the data that every hook walks once: gather, read, assess.

First the gate; the rest is gathered only for a patient with a T-cell engaging therapy, or used only for one where all
is asked for at once.
"""

from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from concurrent.futures import Executor
from contextlib import contextmanager
from dataclasses import dataclass, field, replace
from datetime import datetime
from threading import Lock
from typing import Any, NamedTuple

import structlog

from cds_service.crs.assessment import Assessment
from cds_service.crs.eligibility import may_be_exposed
from cds_service.crs.grading import assess
from cds_service.crs.timeline import Cause, Gap, Timeline, Unused
from cds_service.errors import MissingData, PatientMismatch
from cds_service.fhir.addresses import FhirServer, allowed, base_url
from cds_service.fhir.breaker import Breakers
from cds_service.fhir.client import Connections, FhirClient
from cds_service.fhir.deadline import Deadline
from cds_service.fhir.elements import MODIFIED, Json, is_modified
from cds_service.fhir.gaps import add_gap, gaps
from cds_service.fhir.gather import Source, State, Supply, entries, gather, is_answer
from cds_service.fhir.lanes import Lanes
from cds_service.fhir.medications import Medications
from cds_service.fhir.needs import SEASON
from cds_service.fhir.ownership import own
from cds_service.fhir.readers.chart import Chart, reference_to
from cds_service.fhir.reading import newest_versions, read_timeline
from cds_service.fhir.watch import Watch
from cds_service.hooks.call import Question
from cds_service.hooks.knowledge import Knowledge

VITALS = ("temperature", "bloodPressure", "oxygen")
LANE_WIDTH = 16
"""Hook calls that may wait for one FHIR server at once; a worker has a few threads more."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Access:
    """How this installation reaches FHIR servers: the allow-list, pooled connections, threads, and the time it has.

    `one_phase`: all needs are asked for at once, which is faster, and costs the server them all for every patient.
    `turn`: held while an answer is worked out. Python works out one at a time anyway: taking turns, the first of many
    is given when the last begins, and not all of them at the end.
    """

    connections: Connections = field(repr=False)
    executor: Executor
    allow_list: Sequence[FhirServer]
    deadline_seconds: float
    one_phase: bool = False
    lanes: Lanes = field(default_factory=lambda: Lanes(LANE_WIDTH))
    breakers: Breakers = field(default_factory=Breakers)
    watch: Watch = field(default_factory=Watch, repr=False)
    turn: Lock = field(default_factory=Lock, repr=False)

    def close(self) -> None:
        """Let go of threads and connections."""
        self.executor.shutdown(wait=True, cancel_futures=True)
        self.connections.close()


@dataclass(frozen=True, slots=True, kw_only=True)
class Reading:
    """What one call came to: the facts, the assessment, where the data came from, and what it was read with."""

    timeline: Timeline
    assessment: Assessment
    supplies: Mapping[str, Supply]
    chart: Chart
    medications: Medications

    def without(self, unused: tuple[Unused, ...]) -> "Reading":
        """The reading with what else was seen and not used, e.g. orders of the session."""
        timeline = replace(self.timeline, unused=(*self.timeline.unused, *unused))
        assessment = replace(self.assessment, unused=(*self.assessment.unused, *unused))
        return replace(self, timeline=timeline, assessment=assessment)

    @property
    def unrecognised(self) -> Counter[tuple[str, str]]:
        """How often each `(system, code)` stood in the record that no table knows and that may matter (T69).

        It holds no patient data: what is no plain code is counted as `("", "")`.
        """
        found = (item.about for item in self.timeline.unused if item.cause is Cause.UNRECOGNISED)
        return Counter((system, code) for system, _, code in (token.partition("|") for token in found))

    @property
    def of_others(self) -> int:
        """How many resources of another patient were among the data: the alarm of DQ-42 and T41."""
        return sum(item.cause is Cause.OTHER_PATIENT for item in self.timeline.unused)


@contextmanager
def evaluated(
    question: Question, knowledge: Knowledge, access: Access, now: datetime, orders: Sequence[Json] = ()
) -> Iterator[Reading]:
    """Gather, read and assess: the steps between what is asked and what is to be said about it.

    What is done within it is done in turn: nothing may be waited for. The names of `orders` are gathered too.
    """
    _same_patient(_resources(question.prefetch.get("patient")), "in the prefetch", question)
    source = _source(question, knowledge, access, now)
    medications = Medications(source)
    first = [need for need in knowledge.needs if need.gate or access.one_phase]
    gathered = gather(first, source)
    supplies = {need.key: gathered[need.key] for need in first if need.gate}
    scale = knowledge.content.scale
    mine = _own(question, supplies, medications, knowledge, orders)
    with access.watch.stage("read"):
        timeline, chart = _timeline(question, supplies, mine, medications, knowledge)
    exposed = may_be_exposed(timeline, scale, now)
    if exposed:
        supplies = gathered | gather((need for need in knowledge.needs if need not in first), source)
        _same_patient(supplies["patient"].resources, "that was read", question)
        mine = _own(question, supplies, medications, knowledge, orders)
    elif not timeline.known("therapies", now - SEASON):
        unread = [supply for supply in supplies.values() if supply.gap and "therapies" in supply.need.kinds]
        raise MissingData(_cannot_be_had(unread, medications.failure))
    with access.turn:
        if exposed:
            with access.watch.stage("read"):
                timeline, chart = _timeline(question, supplies, mine, medications, knowledge)
            _gradable(supplies, timeline)
        with access.watch.stage("assess"):
            assessment = assess(timeline, scale, now)
        yield Reading(timeline=timeline, assessment=assessment, supplies=supplies, chart=chart, medications=medications)


def _same_patient(resources: Iterable[Json], where: str, question: Question) -> None:
    """The Patient must be the context's, in the prefetch as on the FHIR server (T40)."""
    patients = [item for item in resources if item.get("resourceType") == "Patient"]
    if patients and not any(_is_patient(item, question) for item in patients):
        raise PatientMismatch(
            f"the Patient {where} is not the patient of the context: nothing was graded", expression="prefetch.patient"
        )


def _source(question: Question, knowledge: Knowledge, access: Access, now: datetime) -> Source:
    client = _client(question, access)
    if isinstance(client, str) and question.patient.fhir_server is not None:
        log.warning("fhir server not asked", hook_instance=question.hook_instance, reason=client)
    return Source(
        patient=question.patient,
        prefetch=question.prefetch,
        client=client if isinstance(client, FhirClient) else None,
        no_server=client if isinstance(client, str) else "",
        executor=access.executor,
        lanes=access.lanes,
        now=now,
        zone=knowledge.zone,
        watch=access.watch,
    )


def _client(question: Question, access: Access) -> FhirClient | str:
    """What reads from the FHIR server of the call, or why nothing may be read there (T01, T12)."""
    base = question.patient.fhir_server
    if base is None:
        return "no fhirServer was given"
    server = allowed(base, access.allow_list)
    if server is None:
        return "the fhirServer is not on the allow-list of this service"
    authorization = question.authorization
    if authorization is not None and authorization.fault:
        return authorization.fault
    return FhirClient(
        base,
        authorization.access_token if authorization is not None else None,
        access.connections,
        Deadline.after(access.deadline_seconds),
        access.breakers.of(base_url(base)),
        server.networks,
        access.watch,
    )


class _Mine(NamedTuple):
    """The patient's own resources, the others with the reason why they are not used, and medications by their keys."""

    resources: list[Json]
    unused: list[Unused]
    medications: dict[str, Json]


def _own(
    question: Question,
    supplies: Mapping[str, Supply],
    medications: Medications,
    knowledge: Knowledge,
    orders: Sequence[Json] = (),
) -> _Mine:
    """All that was gathered, and what the prefetch holds that answers no need: under other keys, or of other types.

    Names of medications that they or the orders only refer to are gathered now.
    """
    asked = {need.key: need for need in knowledge.needs}
    others = [value for key, value in question.prefetch.items() if key not in asked or not is_answer(asked[key], value)]
    resources = [resource for supply in supplies.values() for resource in supply.resources]
    resources += [resource for value in others for resource in _resources(value)]
    mine, unused = own(newest_versions(resources), medications.source.patient)
    return _Mine(mine, unused, medications.for_resources([*mine, *orders]))


def _timeline(
    question: Question, supplies: Mapping[str, Supply], mine: _Mine, medications: Medications, knowledge: Knowledge
) -> tuple[Timeline, Chart]:
    """What is known of the patient, and what it was read with."""
    source, unused = medications.source, list(mine.unused)
    chart = Chart(
        codebook=knowledge.codebook,
        scale=knowledge.content.scale,
        now=source.now,
        zone=knowledge.zone,
        medications=mine.medications,
    )
    patient = next((item for item in mine.resources if _is_patient(item, question)), None)
    if patient is not None and is_modified(patient):
        unused.append(Unused(reference_to(patient), f"the patient: {MODIFIED}"))
        patient = None
    unknown = gaps(supplies, source.now)
    for kind, gap in medications.gaps(mine.resources, mine.medications).items():
        add_gap(unknown, kind, gap)
    timeline = read_timeline(mine.resources, patient, chart, unknown, unused)
    if "patient" in supplies and timeline.birth_date is None and "birth_date" not in unknown:
        timeline = replace(timeline, gaps={**unknown, "birth_date": Gap("no date of birth is on record")})
    return timeline, chart


def _is_patient(resource: Json, question: Question) -> bool:
    return resource.get("resourceType") == "Patient" and resource.get("id") == question.patient.id


def _resources(value: Any) -> list[Json]:
    """The resources of a prefetch value: of a Bundle, or the one that it is."""
    if not isinstance(value, dict) or "resourceType" not in value:
        return []
    return list(entries(value)) if value["resourceType"] == "Bundle" else [value]


def _gradable(supplies: Mapping[str, Supply], timeline: Timeline) -> None:
    """412 only when none of the three criteria can be looked at (H-2)."""
    unavailable = [supplies[key] for key in VITALS if supplies[key].state is State.UNAVAILABLE]
    charted = (timeline.temperatures, timeline.pressures, timeline.oxygen, timeline.saturations)
    if len(unavailable) == len(VITALS) and not any(charted):
        raise MissingData(_cannot_be_had(unavailable))


def _cannot_be_had(supplies: Iterable[Supply], no_names: str = "") -> str:
    """What stands in the way, need by need, by the keys of the prefetch, and what would help."""
    reasons = [f"{supply.need.key} ({supply.reason})" for supply in supplies]
    reasons += [f"names of medications ({no_names})"] if no_names else []
    return f"CRS cannot be graded: {'; '.join(reasons)}. Send these prefetch keys, or a fhirServer that may be read."

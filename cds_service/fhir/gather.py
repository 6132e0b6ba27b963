"""Gathering: the one place with I/O. Needs, prefetch and FHIR server in; resources per need out, or why there are none.

Prefetch has four cases for each key: a value, null (known to be empty), an OperationOutcome (could not be had), and
absent (ask the FHIR server). A value that is no answer to the need is as good as absent. A Bundle with a next link is
read on where the server may be called.
"""

from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, wait
from dataclasses import dataclass, field, replace
from datetime import datetime, tzinfo
from enum import StrEnum
from functools import partial
from itertools import pairwise
from typing import Any, TypeVar

from cds_service.crs.timeline import Gap
from cds_service.fhir.client import FhirClient, Page, next_link
from cds_service.fhir.deadline import FhirFailure, late
from cds_service.fhir.elements import Json, interval, is_modified, member, moment, objects
from cds_service.fhir.lanes import Lanes
from cds_service.fhir.needs import Need
from cds_service.fhir.ownership import Patient, is_own
from cds_service.fhir.watch import Watch

GRACE_SECONDS = 0.25
"""A query that ends at the deadline still hands over the pages it has."""
OTHERS = "all of the answer belongs to other patients or to nobody"
"""Then the patient's own were not told: the answer is no answer (T41)."""
FAULTY = "error-reported"
"""The kind of failure of an answer that is an error, or holds one, or answers another question."""
_Result = TypeVar("_Result")


class State(StrEnum):
    """What is known of one need."""

    COMPLETE = "complete"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """The resources of one need. `known_since`: all from then on are here and older ones were left out or not found.

    `reason` says in words why it is not all of them, `kind` in one word of a small number.
    """

    need: Need
    state: State
    resources: tuple[Json, ...] = ()
    reason: str = ""
    kind: str = ""
    known_since: datetime | None = None

    @property
    def gap(self) -> Gap | None:
        """What is not known because of it."""
        if self.state in (State.COMPLETE, State.EMPTY):
            return None
        return Gap(self.reason, self.known_since)


@dataclass(frozen=True, slots=True, kw_only=True)
class Source:
    """Where data can come from in one hook call: its prefetch, and the FHIR server if that may be called.

    `no_server` says why there is no client.
    """

    patient: Patient
    prefetch: Mapping[str, Any] = field(repr=False)
    client: FhirClient | None
    no_server: str
    executor: Executor
    lanes: Lanes
    now: datetime
    zone: tzinfo
    watch: Watch = field(default_factory=Watch, repr=False)


def gather(needs: Iterable[Need], source: Source) -> dict[str, Supply]:
    """Supply every need: from the prefetch where its key is there, the others from the FHIR server in parallel."""
    with source.watch.stage("gather"):
        supplies = {need: _from_prefetch(need, source) for need in needs}
        wanted = [need for need, supply in supplies.items() if supply is None]
        fetched = in_time([partial(_fetch, need, source) for need in wanted], source)
    for need, read in zip(wanted, fetched, strict=True):
        known = _prefetched(need, source)
        supplies[need] = _cut(need, known, read, source) if isinstance(read, FhirFailure) else read
    found = {need.key: supply for need, supply in supplies.items() if supply is not None}
    for key, supply in found.items():
        source.watch.need(key, supply.kind or ("fetched" if supply.need in wanted else "prefetch"))
    return found


def in_time(queries: Sequence[Callable[[FhirClient], _Result]], source: Source) -> list[_Result | FhirFailure]:
    """What the queries return, asked in parallel; for one that is late or may not be asked, the failure."""
    client = source.client
    if client is None or not queries:
        return [FhirFailure(source.no_server, kind="no-server") for _ in queries]
    with source.lanes.enter(client.base) as free:
        if not free:
            busy = FhirFailure("this service is busy with other calls to that FHIR server", kind="busy")
            return [busy for _ in queries]
        running = [source.executor.submit(query, client) for query in queries]
        try:
            wait(running, timeout=client.deadline.left() + GRACE_SECONDS, return_when=FIRST_EXCEPTION)
            return [one.result() if one.done() else late() for one in running]
        finally:
            for one in running:
                one.cancel()


def is_answer(need: Need, value: Any) -> bool:
    """False for what answers another question: no FHIR resource, or one or a Bundle of other types (P-19)."""
    if not isinstance(value, dict):
        return False
    if value.get("resourceType") != "Bundle":
        return value.get("resourceType") in (need.resource_type, "OperationOutcome")
    if any(resource.get("resourceType") == need.resource_type for resource in entries(value)):
        return True
    return all(resource.get("resourceType") == "OperationOutcome" for resource in entries(value))


def entries(bundle: Json) -> Iterator[Json]:
    """The resources in the entries of a Bundle. A modifier of the entry may change what its resource says (T44)."""
    for entry in objects(bundle.get("entry")):
        resource = entry.get("resource")
        if isinstance(resource, dict):
            modifier = entry.get("modifierExtension") or member(entry, "search", "modifierExtension")
            yield {**resource, "modifierExtension": modifier} if modifier else resource


def _prefetched(need: Need, source: Source) -> list[Page]:
    """The prefetched page of the need, in a list; an empty list where there is none."""
    value: Any = source.prefetch.get(need.key)
    return [Page(value, next_link(value))] if is_answer(need, value) else []


def _from_prefetch(need: Need, source: Source) -> Supply | None:
    """The need from its prefetch key, None when the FHIR server is to be asked for it or for its further pages."""
    if need.key in source.prefetch and source.prefetch[need.key] is None:
        return Supply(need=need, state=State.EMPTY)
    pages = _prefetched(need, source)
    if pages and (pages[0].more is None or _far_enough(need, pages, source)):
        return _supply(need, pages, source)
    if source.client is not None:
        return None
    lacking = "only one page was prefetched"
    if not pages:
        lacking = "the prefetch holds something else" if need.key in source.prefetch else "not in the prefetch"
    return _cut(need, pages, FhirFailure(f"{lacking}, and {source.no_server}", kind="no-server"), source)


def _fetch(need: Need, source: Source, client: FhirClient) -> Supply:
    """The need from the FHIR server, or the rest of its prefetched Bundle."""
    pages = _prefetched(need, source)
    link = pages[0].more if pages else None
    try:
        with source.watch.stage("need", need.key):
            for page in client.pages(need.path(source.patient.id)) if link is None else client.following(link):
                pages.append(page)
                if _far_enough(need, pages, source):
                    break
    except FhirFailure as failure:
        return _cut(need, pages, failure, source)
    return _supply(need, pages, source)


def _cut(need: Need, pages: Sequence[Page], failure: FhirFailure, source: Source) -> Supply:
    """What there is of a need whose reading ended early."""
    if not pages:
        return Supply(need=need, state=State.UNAVAILABLE, reason=str(failure), kind=failure.kind)
    return _supply(need, pages, source, truncated=failure)


def _far_enough(need: Need, pages: Sequence[Page], source: Source) -> bool:
    """True when the pages reach back beyond the need's horizon: older data would change nothing."""
    if need.horizon is None or pages[-1].more is None:
        return False
    since = _known_since(need, pages, source.zone)
    return since is not None and since <= source.now - need.horizon


def _supply(need: Need, pages: Sequence[Page], source: Source, truncated: FhirFailure | None = None) -> Supply:
    read = [_resources(need, page.body) for page in pages]
    found = tuple(resource for resources, _ in read for resource in resources)
    if found and not any(is_own(resource, source.patient) for resource in found):
        return Supply(need=need, state=State.UNAVAILABLE, resources=found, reason=OTHERS)
    faulty = next((n for n, (_, fault) in enumerate(read) if fault), None)
    if faulty == 0:
        return Supply(need=need, state=State.UNAVAILABLE, resources=found, reason=read[0][1], kind=FAULTY)
    state = State.COMPLETE if found else State.EMPTY
    if faulty is None and truncated is None and pages[-1].more is None:
        return Supply(need=need, state=state, resources=found)
    since = _known_since(need, pages[:faulty], source.zone)
    failure = truncated if faulty is None else FhirFailure(read[faulty][1], kind=FAULTY)
    if failure is not None:
        cut = Supply(need=need, state=State.TRUNCATED, resources=found, known_since=since)
        return replace(cut, reason=str(failure), kind=failure.kind)
    return Supply(need=need, state=state, resources=found, known_since=since)


def _resources(need: Need, body: Json) -> tuple[list[Json], str]:
    """The resources of an answer, and why it is not all of them. An outcome that only warns is no fault (P-9)."""
    if body.get("resourceType") == "OperationOutcome":
        return [], "the EHR reported an error for it"
    if not is_answer(need, body):
        return [], "the answer is not the kind of resource that was asked for"
    if body.get("resourceType") == "Bundle" and is_modified(body):
        return [], "the answer follows rules that this service does not know"
    if body.get("resourceType") != "Bundle":
        return [body], ""
    found, fault = [], ""
    for resource in entries(body):
        if resource.get("resourceType") == "Bundle":
            fault = "the answer holds a Bundle within a Bundle, which is not read"
        elif resource.get("resourceType") != "OperationOutcome":
            found.append(resource)
        elif not _only_warns(resource):
            fault = "the EHR reported an error within the answer"
    return found, fault


def _only_warns(outcome: Json) -> bool:
    severities = [issue.get("severity") for issue in objects(outcome.get("issue"))]
    return bool(severities) and all(severity in ("warning", "information", "success") for severity in severities)


def _matches(need: Need, body: Json) -> list[Json]:
    """What was found, without what a server sent along with it: that is in no order of time (T43)."""
    if body.get("resourceType") != "Bundle":
        return [body]
    matching = [entry for entry in objects(body.get("entry")) if member(entry, "search", "mode") in (None, "match")]
    return [resource for resource in entries({"entry": matching}) if resource.get("resourceType") == need.resource_type]


def _known_since(need: Need, pages: Sequence[Page], zone: tzinfo) -> datetime | None:
    """The time of the last match when they are in descending order; None when the order says nothing."""
    times = [charted_time(resource, zone) for page in pages for resource in _matches(need, page.body)]
    known = [time for time in times if time is not None]
    if not known or known[0] == known[-1] or any(later > earlier for earlier, later in pairwise(known)):
        return None
    return known[-1]


def charted_time(resource: Json, zone: tzinfo) -> datetime | None:
    """The time by which a server sorts a resource."""
    for name in ("effectiveDateTime", "effectiveInstant", "performedDateTime", "authoredOn", "occurrenceDateTime"):
        found = moment(resource.get(name), zone)
        if found is not None:
            return found.time
    for name in ("effectivePeriod", "performedPeriod"):
        start = interval(resource.get(name), zone).start
        if start is not None:
            return start.time
    return None

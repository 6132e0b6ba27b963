"""Gathering: the one place with I/O. Needs, prefetch and FHIR server in; resources per need out, or why there are none.

Prefetch has four cases for each key: a value, null (known to be empty), an OperationOutcome (could not be had), and
absent (ask the FHIR server). A Bundle with a next link is read on where the server may be called.
"""

from collections.abc import Iterable, Mapping, Sequence
from concurrent.futures import FIRST_EXCEPTION, Executor, Future, wait
from dataclasses import dataclass, field
from datetime import datetime, tzinfo
from enum import StrEnum
from itertools import pairwise
from typing import Any

from cds_service.crs.timeline import Gap
from cds_service.fhir.client import FhirClient, FhirFailure, Page, next_link
from cds_service.fhir.codebook import medication_key
from cds_service.fhir.elements import Json, interval, member, moment, objects
from cds_service.fhir.needs import Need


class State(StrEnum):
    """What is known of one need."""

    COMPLETE = "complete"
    EMPTY = "empty"
    TRUNCATED = "truncated"
    UNAVAILABLE = "unavailable"


@dataclass(frozen=True, slots=True, kw_only=True)
class Supply:
    """The resources of one need. `known_since`: complete from then on, for a truncated one in time order."""

    need: Need
    state: State
    resources: tuple[Json, ...] = ()
    reason: str = ""
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

    patient_id: str
    prefetch: Mapping[str, Any] = field(repr=False)
    client: FhirClient | None
    no_server: str
    executor: Executor
    now: datetime
    zone: tzinfo


def gather(needs: Iterable[Need], source: Source) -> dict[str, Supply]:
    """Supply every need: from the prefetch where its key is there, the others from the FHIR server in parallel."""
    supplies: dict[str, Supply] = {}
    running: dict[Future[Supply], Need] = {}
    for need in needs:
        if need.key in source.prefetch and not _to_be_continued(source.prefetch[need.key], source):
            supplies[need.key] = _from_prefetch(need, source.prefetch[need.key], source)
        elif source.client is None and need.key not in source.prefetch:
            reason = f"not in the prefetch, and {source.no_server}"
            supplies[need.key] = Supply(need=need, state=State.UNAVAILABLE, reason=reason)
        else:
            running[source.executor.submit(_fetch, need, source)] = need
    if running and source.client is not None:
        _collect(running, supplies, source.client)
    return supplies


def _collect(running: dict[Future[Supply], Need], supplies: dict[str, Supply], client: FhirClient) -> None:
    """Wait for the queries, but not past the deadline: what is late is not known."""
    try:
        left = client.deadline.remaining()
    except FhirFailure:
        left = 0.0
    wait(running, timeout=left, return_when=FIRST_EXCEPTION)
    for future, need in running.items():
        if future.done():
            supplies[need.key] = future.result()
        else:
            future.cancel()
            supplies[need.key] = Supply(
                need=need, state=State.UNAVAILABLE, reason="the FHIR server did not answer in time"
            )


def _to_be_continued(value: Any, source: Source) -> bool:
    """True for a prefetched Bundle with further pages that can be fetched."""
    return source.client is not None and isinstance(value, dict) and next_link(value) is not None


def _fetch(need: Need, source: Source) -> Supply:
    """The need from the FHIR server, or the rest of its prefetched Bundle."""
    client = source.client
    if client is None:
        raise ValueError("there is no FHIR server to fetch from")
    prefetched = source.prefetch.get(need.key)
    pages: list[Page] = []
    try:
        if isinstance(prefetched, dict):
            link = next_link(prefetched)
            pages.append(Page(prefetched, link))
            reading = client.following(link) if link is not None and not _far_enough(need, pages, source) else ()
        else:
            reading = client.pages(need.path(source.patient_id))
        for page in reading:
            pages.append(page)
            if _far_enough(need, pages, source):
                break
    except FhirFailure as failure:
        if not pages:
            return Supply(need=need, state=State.UNAVAILABLE, reason=str(failure))
        return _supply(need, pages, source, truncated=str(failure))
    return _supply(need, pages, source)


def _far_enough(need: Need, pages: Sequence[Page], source: Source) -> bool:
    """True when the pages reach back beyond the need's horizon: older data would change nothing."""
    if need.horizon is None or pages[-1].more is None:
        return False
    since = _known_since([_resources(need, page.body)[0] for page in pages], source.zone)
    return since is not None and since <= source.now - need.horizon


def _from_prefetch(need: Need, value: Any, source: Source) -> Supply:
    if value is None:
        return Supply(need=need, state=State.EMPTY)
    if not isinstance(value, dict):
        return Supply(need=need, state=State.UNAVAILABLE, reason="the prefetch holds no FHIR resource for it")
    link = next_link(value)
    page = Page(value, link)
    if link is not None and not _far_enough(need, [page], source):
        return _supply(need, [page], source, truncated=f"only one page was prefetched, and {source.no_server}")
    return _supply(need, [page], source)


def _supply(need: Need, pages: Sequence[Page], source: Source, truncated: str = "") -> Supply:
    by_page = []
    for page in pages:
        resources, fault = _resources(need, page.body)
        by_page.append(resources)
        if fault and page is pages[0]:
            return Supply(need=need, state=State.UNAVAILABLE, resources=tuple(resources), reason=fault)
        truncated = truncated or fault
    found = tuple(resource for resources in by_page for resource in resources)
    if truncated:
        since = _known_since(by_page, source.zone)
        return Supply(need=need, state=State.TRUNCATED, resources=found, reason=truncated, known_since=since)
    return Supply(need=need, state=State.COMPLETE if found else State.EMPTY, resources=found)


def _resources(need: Need, body: Json) -> tuple[list[Json], str]:
    """The resources of an answer, and why it is not all of them. An outcome that only warns is no fault (P-9)."""
    kind = body.get("resourceType")
    if kind == "OperationOutcome":
        return [], "the EHR reported an error for it"
    if kind == need.resource_type:
        return [body], ""
    if kind != "Bundle" or need.resource_type == "Patient":
        return [], "the answer is not the kind of resource that was asked for"
    found, fault = [], ""
    for entry in objects(body.get("entry")):
        resource = entry.get("resource")
        if not isinstance(resource, dict) or resource.get("resourceType") == "Bundle":
            continue
        if resource.get("resourceType") == "OperationOutcome":
            if _is_error(resource):
                fault = "the EHR reported an error within the answer"
            continue
        found.append(resource)
    return found, fault


def _is_error(outcome: Json) -> bool:
    return any(issue.get("severity") in ("error", "fatal") for issue in objects(outcome.get("issue")))


def _known_since(pages: Sequence[Sequence[Json]], zone: tzinfo) -> datetime | None:
    """The time of the last resource when all are in descending order; None when the order says nothing."""
    times = [charted_time(resource, zone) for page in pages for resource in page]
    known = [time for time in times if time is not None]
    if not known or any(later > earlier for earlier, later in pairwise(known)):
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


def unread_medications(resources: Iterable[Json], medications: Mapping[str, Json]) -> list[str]:
    """Ids of Medication resources that are referred to, not named by a display, and not at hand."""
    wanted = []
    for resource in resources:
        reference = resource.get("medicationReference")
        target = member(reference, "reference")
        if not isinstance(target, str) or target.startswith("#") or member(reference, "display"):
            continue
        key = medication_key(target)
        if key not in medications and key.startswith("Medication/"):
            wanted.append(key.removeprefix("Medication/"))
    return list(dict.fromkeys(wanted))


def fetch_medications(ids: Sequence[str], source: Source) -> list[Json]:
    """The Medication resources of some ids in one query; those that cannot be had are simply not there."""
    client = source.client
    if client is None or not ids:
        return []
    plain = [item for item in ids if item.replace("-", "").replace(".", "").isalnum()]
    found: list[Json] = []
    try:
        for page in client.pages(f"Medication?_id={','.join(plain[:MOST_MEDICATIONS])}&_count={MOST_MEDICATIONS}"):
            found += [
                entry["resource"]
                for entry in objects(page.body.get("entry"))
                if isinstance(entry.get("resource"), dict)
            ]
    except FhirFailure:
        return found
    return found


MOST_MEDICATIONS = 100

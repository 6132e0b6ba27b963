"""A story as its record stood at an instant: what came later is not there, what ended later still runs. Pure."""

from collections.abc import Iterator
from datetime import UTC, datetime
from typing import Any

from cds_service.fhir.elements import Interval, Json, interval, moment, objects

_BEGUN = ("issued", "effectiveDateTime", "performedDateTime", "authoredOn", "recordedDate", "onsetDateTime")
"""When a resource came into the record, the latest first: a report is there when it is issued."""
_PERIODS = ("effectivePeriod", "performedPeriod", "period")
_ENDED = frozenset({"completed", "stopped"})
_ALWAYS = datetime.min.replace(tzinfo=UTC)


def as_of(bundle: Json, instant: datetime) -> dict[str, Any]:
    """A copy of the story Bundle whose `timestamp` is the instant, without what its record did not hold then.

    A resource without a time of its own (a patient, a drug) is always there. When something was entered in error no
    record says, so it is wrong from its beginning.
    """
    standing = [
        {**entry, "resource": _then(entry["resource"], instant)}
        for entry in objects(bundle.get("entry"))
        if _begun(entry["resource"]) <= instant
    ]
    return {**bundle, "timestamp": instant.isoformat(), "entry": standing}


def charted(bundle: Json) -> list[datetime]:
    """The instants at which something came into the record of a story, in their order."""
    return sorted({_begun(entry["resource"]) for entry in objects(bundle.get("entry"))} - {_ALWAYS})


def _begun(resource: Json) -> datetime:
    written = (moment(resource.get(name), UTC) for name in _BEGUN)
    starts = (period.start for _, period in _spans(resource))
    found = next((begin for begin in (*written, *starts) if begin is not None), None)
    return found.time.astimezone(UTC) if found is not None else _ALWAYS


def _then(resource: Json, instant: datetime) -> Json:
    """The resource as it was: running, where it ended later."""
    for name, period in _spans(resource):
        if period.end is not None and period.end.time > instant:
            open_period = {key: value for key, value in resource[name].items() if key != "end"}
            running = {"status": "in-progress"} if resource.get("status") in _ENDED else {}
            return {**resource, **running, name: open_period}
    return resource


def _spans(resource: Json) -> Iterator[tuple[str, Interval]]:
    return ((name, interval(resource[name], UTC)) for name in _PERIODS if name in resource)

"""FHIR data types, read leniently: what is malformed is not there, or makes its resource unusable with a reason."""

import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta, tzinfo
from typing import Any

from cds_service.crs.timeline import FOREVER

Json = dict[str, Any]

_DATE_TIME = re.compile(r"\d{4}-\d{2}-\d{2}T\d{2}:\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?")
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}")
_CONTROL = re.compile(r"[\x00-\x1f\x7f-\x9f\u200b-\u200f\u2028-\u202f\u2060-\u206f\ufeff]+")
MAXIMUM_TEXT = 120


class Unusable(Exception):
    """A resource that cannot be used; the message is the reason, in words a clinician understands."""


@dataclass(frozen=True, slots=True)
class Moment:
    """A point in time: `whole_day` for a date without a time (then the start of that day)."""

    time: datetime
    whole_day: bool = False
    assumed_zone: bool = False

    @property
    def end(self) -> datetime:
        """The latest instant this can mean."""
        if not self.whole_day:
            return self.time
        local = datetime.combine(self.time.date(), time.max, tzinfo=self.time.tzinfo)
        return local.astimezone(UTC)


@dataclass(frozen=True, slots=True)
class Interval:
    """From `start` to `end`; `end` is FOREVER for a period that is open."""

    start: Moment | None
    end: datetime


def text(value: Any) -> str:
    """A string of the record, safe to show: one line, no control or direction characters, at most 120 characters."""
    if not isinstance(value, str):
        return ""
    plain = " ".join(_CONTROL.sub(" ", value).split())
    return plain if len(plain) <= MAXIMUM_TEXT else plain[: MAXIMUM_TEXT - 1] + "…"


def objects(value: Any) -> Iterator[Json]:
    """The objects of a list, or the one object that stands where a list should be."""
    if isinstance(value, dict):
        yield value
    elif isinstance(value, list):
        yield from (item for item in value if isinstance(item, dict))


def member(value: Any, *path: str) -> Any:
    """The member at a path of objects, None where it ends early."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def codings(concept: Any) -> list[tuple[str, str]]:
    """The `(system, code)` pairs of a CodeableConcept."""
    pairs = []
    for coding in objects(member(concept, "coding")):
        system, code = coding.get("system"), coding.get("code")
        if isinstance(code, str):
            pairs.append((system if isinstance(system, str) else "", code))
    return pairs


def texts(concept: Any) -> list[str]:
    """The text and the displays of a CodeableConcept, the text first."""
    found = [text(member(concept, "text"))]
    found += [text(coding.get("display")) for coding in objects(member(concept, "coding"))]
    return [words for words in found if words]


def moment(value: Any, zone: tzinfo) -> Moment | None:
    """A FHIR dateTime or instant; None for a year, a month, or what is no date. `zone` is for times without one."""
    if not isinstance(value, str):
        return None
    if _DAY.fullmatch(value):
        return _parsed(value + "T00:00:00", zone, whole_day=True)
    if not _DATE_TIME.fullmatch(value):
        return None
    leap = value[16:19] == ":60"
    return _parsed(value[:16] + ":59" + value[19:] if leap else value, zone)


def _parsed(value: str, zone: tzinfo, *, whole_day: bool = False) -> Moment | None:
    try:
        read = datetime.fromisoformat(value)
        if whole_day:
            return Moment(read.replace(tzinfo=zone), whole_day=True)
        if read.tzinfo is None:
            return Moment(read.replace(tzinfo=zone).astimezone(UTC), assumed_zone=True)
        return Moment(read.astimezone(UTC))
    except (ValueError, OverflowError):
        return None


def interval(period: Any, zone: tzinfo) -> Interval:
    """A FHIR Period. An end that cannot be read leaves the period open."""
    start = moment(member(period, "start"), zone)
    end = moment(member(period, "end"), zone)
    return Interval(start, end.end if end else FOREVER)


def first_event(timing: Any, zone: tzinfo) -> Moment | None:
    """The first event of a FHIR Timing."""
    events = member(timing, "event")
    return moment(events[0], zone) if isinstance(events, list) and events else None


def not_after(instant: datetime, now: datetime, skew: timedelta) -> datetime:
    """The instant, at most `now`. Raises Unusable when it lies further ahead than clocks differ (DQ-41, T58)."""
    if instant > now + skew:
        raise Unusable("dated in the future")
    return min(instant, now)

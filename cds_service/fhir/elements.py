"""FHIR data types, read leniently: what is malformed is not there, or makes its resource unusable with a reason."""

import re
from collections.abc import Sequence
from datetime import UTC, datetime, time, tzinfo
from typing import Any, NamedTuple

from cds_service.crs.timeline import FOREVER, Cause, Flag

Json = dict[str, Any]

_DATE_TIME = re.compile(
    r"\d{4}-\d{2}-\d{2}T([01]\d|2[0-3]):\d{2}(:\d{2}(\.\d+)?)?(Z|[+-]\d{2}:\d{2})?",
    re.ASCII,
)
_DAY = re.compile(r"\d{4}-\d{2}-\d{2}", re.ASCII)
_NO_END = "9999"
"""The year by which many records say that something has no end."""
MAY_BE_MODIFIED = frozenset({"component", "referenceRange", "dosage", "dosageInstruction", "timing", "reaction"})
"""Inner elements that are read and may carry a modifier of their own."""
MODIFIED = "it carries a modifier that this service does not know"
MALFORMED = (TypeError, ValueError, LookupError, AttributeError, ArithmeticError)
"""What reading a resource of another shape than FHIR's can raise."""
SHOWN_TEXT = 120
SEARCHED_TEXT = 1000


class Unusable(Exception):
    """A resource that cannot be used; the message is the reason, in words a clinician understands.

    `cause` and `about` are those of the `Unused` that it becomes.
    """

    def __init__(self, reason: str, cause: Cause = Cause.UNUSABLE, about: str = "") -> None:
        super().__init__(reason)
        self.cause = cause
        self.about = about


class Moment(NamedTuple):
    """A point in time: `whole_day` for a date without a time (then the start of that day, in the site's zone)."""

    time: datetime
    whole_day: bool = False
    assumed_zone: bool = False

    @property
    def end(self) -> datetime:
        """The latest instant this can mean."""
        if not self.whole_day:
            return self.time
        try:
            return datetime.combine(self.time.date(), time.max, tzinfo=self.time.tzinfo).astimezone(UTC)
        except OverflowError:
            return FOREVER

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What is to be known of it (DQ-39)."""
        return (Flag.ASSUMED_ZONE,) if self.assumed_zone else ()


class Interval(NamedTuple):
    """From `start` to `end`; no `end` for a period that is open."""

    start: Moment | None
    end: Moment | None


def text(value: Any, limit: int = SHOWN_TEXT) -> str:
    """A string of the record, safe to show: one line of printable characters, at most `limit` long."""
    if not isinstance(value, str):
        return ""
    if value.isalnum() and len(value) <= limit:
        return value
    plain = value[: 4 * limit]
    if not plain.isprintable():
        plain = "".join(letter if letter.isprintable() else " " for letter in plain)
    if "  " in plain or plain[:1] == " " or plain[-1:] == " ":
        plain = " ".join(plain.split())
    return plain if len(plain) <= limit else plain[: limit - 1] + "…"


def objects(value: Any) -> Sequence[Json]:
    """The objects of a list, or the one object that stands where a list should be."""
    if isinstance(value, list):
        return [item for item in value if isinstance(item, dict)]
    return (value,) if isinstance(value, dict) else ()


def member(value: Any, *path: str) -> Any:
    """The member at a path of objects, None where it ends early."""
    for name in path:
        if not isinstance(value, dict):
            return None
        value = value.get(name)
    return value


def is_modified(element: Json) -> bool:
    """True with a modifier or rules of its own: none is known here, and it must not be read as if it had none (T44)."""
    if element.get("modifierExtension") or element.get("implicitRules"):
        return True
    if MAY_BE_MODIFIED.isdisjoint(element):
        return False
    return any(is_modified(item) for name in MAY_BE_MODIFIED & element.keys() for item in objects(element[name]))


def codings(concept: Any) -> list[tuple[str, str]]:
    """The `(system, code)` pairs of a CodeableConcept."""
    pairs = []
    for coding in objects(concept.get("coding") if isinstance(concept, dict) else None):
        system, code = coding.get("system"), coding.get("code")
        if isinstance(code, str):
            pairs.append((system.strip() if isinstance(system, str) else "", code.strip()))
    return pairs


def texts(concept: Any) -> list[str]:
    """The text and the displays of a CodeableConcept, the text first; long enough to be searched, not shown."""
    if not isinstance(concept, dict):
        return []
    found = [concept.get("text"), *[coding.get("display") for coding in objects(concept.get("coding"))]]
    return [words for words in [text(item, SEARCHED_TEXT) for item in found] if words]


def name_of(concept: Any, otherwise: str = "") -> str:
    """What the record calls a concept, fit to be shown."""
    return text(next(iter(texts(concept)), otherwise))


def moment(value: Any, zone: tzinfo) -> Moment | None:
    """A FHIR dateTime or instant; None for a year, a month, or what is no date. `zone` is for times without one."""
    if not isinstance(value, str):
        return None
    if _DATE_TIME.fullmatch(value):
        leap = value[16:19] == ":60"
        return _parsed(value[:16] + ":59" + value[19:] if leap else value, zone)
    return _parsed(value + "T00:00:00", zone, whole_day=True) if _DAY.fullmatch(value) else None


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
    """A FHIR Period; what cannot be read of it is not there."""
    return Interval(moment(member(period, "start"), zone), moment(member(period, "end"), zone))


def sound_interval(period: Any, zone: tzinfo) -> Interval:
    """A FHIR Period with a start or an end. Raises Unusable when it is not clear when it began or ended."""
    read = interval(period, zone)
    end = member(period, "end")
    if end is None or (isinstance(end, str) and end.startswith(_NO_END)):
        if read.start is None:
            raise Unusable("its time cannot be read")
        return Interval(read.start, None)
    if read.end is None or (read.start is None and member(period, "start") is not None):
        raise Unusable("its time cannot be read")
    if read.start is not None and read.end.end < read.start.time:
        raise Unusable("it ends before it begins")
    return read


def first_event(timing: Any, zone: tzinfo) -> Moment | None:
    """The first event of a FHIR Timing."""
    events = member(timing, "event")
    return moment(events[0], zone) if isinstance(events, list) and events else None

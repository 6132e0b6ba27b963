"""When it was: the time of an Observation or report, and the stretch of time of an infusion or procedure."""

from datetime import datetime
from typing import Any, NamedTuple

from cds_service.crs.timeline import Flag
from cds_service.fhir.elements import Interval, Json, Moment, Unusable, first_event, interval, moment, sound_interval
from cds_service.fhir.readers.chart import Chart

UNREADABLE = "its time cannot be read"


class When(NamedTuple):
    """The time of a reading, at most now; `whole_day` where only the date is charted."""

    time: datetime
    whole_day: bool
    flags: tuple[Flag, ...]


class Stretch(NamedTuple):
    """From `start` to `end`. No `end`: it is open (`is_period`), or only one time is charted."""

    start: Moment
    end: Moment | None
    is_period: bool

    @property
    def flags(self) -> tuple[Flag, ...]:
        """What is to be known of its times."""
        return tuple(dict.fromkeys((*self.start.flags, *(self.end.flags if self.end else ()))))


def observed(resource: Json, chart: Chart) -> When:
    """When it was true (DQ-37): a period counts at its end, an open one now; the time of issue is a last resort.

    Raises Unusable when the time that is charted cannot be read or lies in the future.
    """
    flags: tuple[Flag, ...] = ()
    charted = _effective(resource, chart)
    if charted is None:
        charted, flags = moment(resource.get("issued"), chart.zone), (Flag.ISSUED_TIME,)
    if charted is None:
        raise Unusable(UNREADABLE)
    return When(chart.happened(charted), charted.whole_day, (*flags, *charted.flags))


def _effective(resource: Json, chart: Chart) -> Moment | None:
    """The charted time, None when none is. Raises Unusable when it is there and cannot be read."""
    if resource.get("effectivePeriod") is not None:
        period = sound_interval(resource["effectivePeriod"], chart.zone)
        if period.end is None and period.start is not None:
            chart.happened(period.start)
        return period.end or Moment(chart.now)
    for name in ("effectiveDateTime", "effectiveInstant", "effectiveTiming"):
        value = resource.get(name)
        if value is not None:
            read = first_event(value, chart.zone) if name == "effectiveTiming" else moment(value, chart.zone)
            if read is None:
                raise Unusable(UNREADABLE)
            return read
    return None


def stretch(resource: Json, stem: str, chart: Chart, *, needs_end: bool) -> Stretch:
    """The time in `<stem>Period` or `<stem>DateTime`. Raises Unusable when there is no start that can be read.

    `needs_end`: also when an end is charted that cannot be read; else it is left out, and what was begun counts.
    """
    period = resource.get(f"{stem}Period")
    if period is not None:
        read = sound_interval(period, chart.zone) if needs_end else _begun(period, chart)
    else:
        read = Interval(moment(resource.get(f"{stem}DateTime"), chart.zone), None)
    if read.start is None:
        raise Unusable(UNREADABLE)
    return Stretch(read.start, read.end, is_period=period is not None)


def _begun(period: Any, chart: Chart) -> Interval:
    try:
        return sound_interval(period, chart.zone)
    except Unusable:
        return Interval(interval(period, chart.zone).start, None)

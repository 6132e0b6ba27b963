"""Who is looked at: patients within the window of a T-cell engaging therapy (C29, clinical 7.1)."""

from collections.abc import Iterable
from datetime import datetime, time, timedelta

from cds_service.crs.assessment import Exposure
from cds_service.crs.scale import Scale, TherapyWindow
from cds_service.crs.timeline import Therapy, Timeline


def exposure(timeline: Timeline, scale: Scale, now: datetime) -> Exposure | None:
    """The most recent therapy whose window is open at `now`, or None: then the service is silent."""
    late_allowed = any(fact.kind == "crs" and fact.time <= now for fact in timeline.diagnoses) or any(
        score.instrument == "crs-grade" and score.value >= 1 and score.time <= now for score in timeline.scores
    )
    started = [therapy for therapy in timeline.therapies if therapy.time <= now]
    open_now = []
    for therapy in started:
        window = scale.therapy_windows[therapy.window]
        earlier = _earlier_doses(started, therapy)
        if _is_open(window, therapy, earlier, now):
            open_now.append(Exposure(therapy=therapy, since=therapy.time, day=_day(therapy, now)))
        elif late_allowed and window.late_days is not None and _day(therapy, now) <= window.late_days:
            open_now.append(Exposure(therapy=therapy, since=therapy.time, day=_day(therapy, now), late=True))
    if not open_now:
        return None
    latest = max(open_now, key=lambda item: (not item.late, item.since))
    return Exposure(
        therapy=latest.therapy, since=min(item.since for item in open_now), day=latest.day, late=latest.late
    )


def may_be_exposed(timeline: Timeline, scale: Scale, now: datetime) -> bool:
    """True when a therapy is in its window, or would be if a CRS were charted: then the rest is worth asking for."""
    if exposure(timeline, scale, now) is not None:
        return True
    late = ((therapy, scale.therapy_windows[therapy.window].late_days) for therapy in timeline.therapies)
    return any(days is not None and 0 <= _day(therapy, now) <= days for therapy, days in late)


def _day(therapy: Therapy, now: datetime) -> int:
    return (now.date() - therapy.time.date()).days


def _earlier_doses(started: Iterable[Therapy], therapy: Therapy) -> int:
    """Days before this dose on which the product was given; one infusion charted twice on a day is one dose."""
    day = therapy.time.date()
    return len({other.time.date() for other in started if other.product == therapy.product and other.time.date() < day})


def _is_open(window: TherapyWindow, therapy: Therapy, earlier_doses: int, now: datetime) -> bool:
    if window.days is not None:
        return _day(therapy, now) <= window.days
    if therapy.until is not None and therapy.until > now:
        return True
    hours = window.hours or timedelta()
    if window.early_doses is not None and window.later_hours is not None and earlier_doses >= window.early_doses:
        hours = window.later_hours
    return now <= _latest_start(therapy) + hours


def _latest_start(therapy: Therapy) -> datetime:
    """A date without a time is read as the end of that day: the widest window (DQ-38)."""
    if therapy.whole_day:
        return datetime.combine(therapy.time.date(), time.max, tzinfo=therapy.time.tzinfo)
    return therapy.time

"""Who is looked at: patients within the window of a T-cell engaging therapy (C29, clinical 7.1)."""

from collections.abc import Iterable, Sequence
from datetime import UTC, datetime, time, timedelta

from cds_service.crs.assessment import Exposure
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Therapy, Timeline


def exposure(timeline: Timeline, scale: Scale, now: datetime) -> Exposure | None:
    """The most recent therapy whose window is open at `now`, or None: then the service is silent."""
    started = [therapy for therapy in timeline.therapies if therapy.time <= now]
    charted = _crs_is_charted(timeline, now)
    found = []
    for therapy in started:
        in_window = _end_of_window(therapy, started, scale) >= now
        if in_window or (charted and _late_window_is_open(therapy, scale, now)):
            found.append(
                Exposure(therapy=therapy, since=therapy.time, day=_day(therapy, now), late=not in_window),
            )
    if not found:
        return None
    latest = max(found, key=lambda item: (not item.late, item.since))
    since = _start_of_chain(min(item.since for item in found), started, scale)
    return Exposure(therapy=latest.therapy, since=since, day=latest.day, late=latest.late)


def may_be_exposed(timeline: Timeline, scale: Scale, now: datetime) -> bool:
    """True when a therapy is in its window, or would be if a CRS were charted: then the rest is worth asking for."""
    if exposure(timeline, scale, now) is not None:
        return True
    return any(_late_window_is_open(therapy, scale, now) for therapy in timeline.therapies if therapy.time <= now)


def _crs_is_charted(timeline: Timeline, now: datetime) -> bool:
    diagnosed = any(fact.kind == "crs" and fact.time <= now for fact in timeline.diagnoses)
    graded = (score for score in timeline.scores if score.instrument == "crs-grade" and score.time <= now)
    return diagnosed or any(score.value >= 1 for score in graded)


def _late_window_is_open(therapy: Therapy, scale: Scale, now: datetime) -> bool:
    late_days = scale.therapy_windows[therapy.window].late_days
    return late_days is not None and _day(therapy, now) <= late_days


def _day(therapy: Therapy, now: datetime) -> int:
    """Calendar days since the therapy, in the zone it is charted in (a date without a time has the site's)."""
    return (now.astimezone(therapy.time.tzinfo).date() - therapy.time.date()).days


def _end_of_window(therapy: Therapy, started: Iterable[Therapy], scale: Scale) -> datetime:
    """The last instant at which CRS of this dose is looked for, as long as the infusion runs and some time after."""
    window = scale.therapy_windows[therapy.window]
    if window.days is not None:
        return _end_of_day(therapy, window.days)
    hours = window.hours or timedelta()
    early, later = window.early_doses, window.later_hours
    if early is not None and later is not None and _earlier_doses(therapy, started) >= early:
        hours = later
    given = _end_of_day(therapy, 0) if therapy.whole_day else therapy.time
    return max(given + hours, therapy.until or given)


def _end_of_day(therapy: Therapy, days: int) -> datetime:
    """The end of the day that many days after; a date without a time is read as all of its day (DQ-38)."""
    day = therapy.time.date() + timedelta(days=days)
    return datetime.combine(day, time.max, tzinfo=therapy.time.tzinfo).astimezone(UTC)


def _earlier_doses(therapy: Therapy, started: Iterable[Therapy]) -> int:
    """Days before this dose on which the product was given; one infusion charted twice on a day is one dose."""
    days = {other.time.date() for other in started if other.product == therapy.product}
    return sum(day < therapy.time.date() for day in days)


def _start_of_chain(since: datetime, started: Sequence[Therapy], scale: Scale) -> datetime:
    """The first of the doses between whose windows no CRS could have resolved: CRS of one dose may outlast its own."""
    for therapy in sorted(started, key=lambda item: item.time, reverse=True):
        if since - _end_of_window(therapy, started, scale) <= scale.resolution:
            since = min(since, therapy.time)
    return since

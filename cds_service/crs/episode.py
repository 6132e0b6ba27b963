"""The episode of CRS, rebuilt from the record at each call: the service remembers nothing (clinical 4.5)."""

from datetime import datetime, timedelta
from itertools import pairwise

from cds_service.crs.assessment import Episode, EpisodeState, State
from cds_service.crs.fever import fevers, latest_temperature, masking_drugs
from cds_service.crs.hypotension import hypotension, is_pressor, low_pressures
from cds_service.crs.hypoxia import hypoxia_grade
from cds_service.crs.oxygen import support_at
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Timeline, between

WATCHED = ("temperatures", "pressures", "oxygen", "saturations", "vasoactives", "drugs")
"""What must be known of a stretch of time before it can be called free of CRS."""


def episode_at(timeline: Timeline, scale: Scale, since: datetime, now: datetime, *, peak: bool) -> Episode:
    """The last episode since the therapy: closed, open, waived, masked-onset or resolved. Its peak, if asked for."""
    signs = _signs(timeline, scale, since, now)
    if not signs:
        known = timeline.known("temperatures", since)
        masked = masking_drugs(timeline, scale, None, now)
        return Episode(state=EpisodeState.MASKED_ONSET if masked else EpisodeState.CLOSED, fevers_known=known)
    onset = signs[0]
    for earlier, sign in pairwise(signs):
        if _resolved(timeline, scale, earlier, sign):
            onset = sign
    state = _state(timeline, scale, onset, signs[-1], now)
    if state is EpisodeState.MASKED_ONSET:
        return Episode(state=state, reopened=True)
    hot = fevers(timeline, scale, onset, now)
    return Episode(
        state=state,
        onset=onset,
        reopened=onset != signs[0],
        last_fever=hot[-1].time if hot else None,
        peak_grade=_peak(timeline, scale, onset, now) if peak else None,
    )


def _signs(timeline: Timeline, scale: Scale, since: datetime, now: datetime) -> list[datetime]:
    """When CRS showed: fevers, and for a fever outside the record a charted CRS or CRS grade (4.5, point 7)."""
    times = {reading.time for reading in fevers(timeline, scale, since, now)}
    times |= {fact.time for fact in between(timeline.diagnoses, since, now) if fact.kind == "crs"}
    times |= {
        score.time
        for score in between(timeline.scores, since, now)
        if score.instrument == "crs-grade" and score.value >= 1
    }
    return sorted(times)


def _state(timeline: Timeline, scale: Scale, onset: datetime, last_sign: datetime, now: datetime) -> EpisodeState:
    if _resolved(timeline, scale, last_sign, now):
        hidden = masking_drugs(timeline, scale, None, now) and _hypotensive_or_hypoxic(timeline, scale, now)
        return EpisodeState.MASKED_ONSET if hidden else EpisodeState.RESOLVED
    last = latest_temperature(timeline, scale, now)
    febrile = last is not None and scale.is_fever(last.celsius)
    if not febrile and masking_drugs(timeline, scale, onset, now):
        return EpisodeState.WAIVED
    return EpisodeState.OPEN


def _hypotensive_or_hypoxic(timeline: Timeline, scale: Scale, now: datetime) -> bool:
    return hypotension(timeline, scale, now).state is State.MET or hypoxia_grade(timeline, scale, now) > 0


def _resolved(timeline: Timeline, scale: Scale, after: datetime, until: datetime) -> bool:
    """True when, after one sign of CRS and before the next, a stretch long enough is documented as free of it.

    A stretch ends with a temperature and is never shorter than the scale says: a temperature alone, or one that came
    down within hours of tocilizumab, resolves nothing (4.5, point 4; N-24).
    """
    ends = [reading.time for reading in between(timeline.temperatures, after + scale.resolution, until)]
    stretches = [(end - _required(timeline, scale, end), end) for end in ends]
    watched = [
        (start, end)
        for start, end in stretches
        if start >= after and _watched(timeline, scale, start, end) and not _drugged(timeline, scale, start, end)
    ]
    troubles = _troubles(timeline, scale, after, until) if watched else []
    return any(
        not any(start <= at <= end for at in troubles) and not support_at(timeline, scale, start).given
        for start, end in watched
    )


def _required(timeline: Timeline, scale: Scale, instant: datetime) -> timedelta:
    """After an IL-6 blocker a normal temperature says less: the longer time."""
    given = between(timeline.drugs, instant - scale.masking["il6-blocker"], instant)
    blocked = any(drug.group == "il6-blocker" for drug in given)
    return scale.resolution_after_il6_blocker if blocked else scale.resolution


def _watched(timeline: Timeline, scale: Scale, start: datetime, end: datetime) -> bool:
    """True when all of the stretch is known: temperatures without a long gap, pressure and oxygen charted at all."""
    times = [start, *(reading.time for reading in between(timeline.temperatures, start, end)), end]
    if any(later - earlier > scale.fever_current for earlier, later in pairwise(times)):
        return False
    if not between(timeline.pressures, start, end) or not between(timeline.oxygen, start, end):
        return False
    return all(timeline.known(kind, start) for kind in WATCHED)


def _drugged(timeline: Timeline, scale: Scale, start: datetime, end: datetime) -> bool:
    """A vasopressor in the stretch, or an antipyretic whose effect reaches its end."""
    pressors = filter(is_pressor, timeline.vasoactives)
    if any(drug.time <= end and drug.until >= start for drug in pressors):
        return True
    antipyretics = (drug for drug in timeline.drugs if drug.group == "antipyretic" and drug.time <= end)
    return any(drug.last_true(end) + scale.masking["antipyretic"] >= end for drug in antipyretics)


def _troubles(timeline: Timeline, scale: Scale, start: datetime, end: datetime) -> list[datetime]:
    """When fever, a low pressure, a low saturation or oxygen was charted."""
    times = [reading.time for reading in fevers(timeline, scale, start, end)]
    times += [reading.time for reading in low_pressures(timeline, scale, start, end)]
    saturations = between(timeline.saturations, start, end)
    times += [reading.time for reading in saturations if scale.is_low_saturation(reading.percent)]
    charted = {item.time for item in between(timeline.oxygen, start, end)}
    return times + [at for at in charted if support_at(timeline, scale, at).given]


def _peak(timeline: Timeline, scale: Scale, onset: datetime, now: datetime) -> int:
    """The highest grade since the onset: each criterion at each instant that could have raised it."""
    begun = _begun(timeline, scale, onset)
    adult = scale.systolic_threshold(None, None)
    low = {reading.time for reading in timeline.pressures if reading.systolic < adult}
    low |= {drug.time for drug in timeline.vasoactives}
    oxygen = {item.time for item in timeline.oxygen}
    oxygen |= {reading.time for reading in timeline.saturations if scale.is_low_saturation(reading.percent)}
    found = [hypotension(timeline, scale, at) for at in {*low, onset, now} if begun <= at <= now]
    grades = [finding.grade for finding in found if finding.state is State.MET and finding.grade]
    grades += [hypoxia_grade(timeline, scale, at) for at in {*oxygen, onset, now} if begun <= at <= now]
    return max(1, *grades)


def _begun(timeline: Timeline, scale: Scale, onset: datetime) -> datetime:
    """When the fever may have begun: after the last temperature without it, at most a round of observations before.

    A vasopressor that ran between two rounds belongs to the fever that the second one found.
    """
    round_before = onset - scale.pressure_window
    normal = [reading.time for reading in timeline.temperatures if round_before <= reading.time < onset]
    return max(normal, default=round_before)

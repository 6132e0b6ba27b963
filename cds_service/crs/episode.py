"""The episode of CRS, rebuilt from the record at each call: the service remembers nothing (clinical 4.5)."""

from datetime import datetime, timedelta
from itertools import pairwise

from cds_service.crs.assessment import Episode, EpisodeState, State
from cds_service.crs.fever import fevers, masking_drugs
from cds_service.crs.hypotension import PRESSORS, hypotension, low_pressures
from cds_service.crs.hypoxia import hypoxia
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Timeline, between


def episode_at(timeline: Timeline, scale: Scale, since: datetime, now: datetime) -> Episode:
    """The last episode since the therapy: closed, open, waived, masked-onset or resolved."""
    signs = _signs(timeline, scale, since, now)
    if not signs:
        masked = masking_drugs(timeline, scale, None, now)
        return Episode(state=EpisodeState.MASKED_ONSET if masked else EpisodeState.CLOSED)
    onset = last_sign = signs[0]
    for sign in signs[1:]:
        if sign - last_sign >= scale.resolution and _resolved(timeline, scale, last_sign, sign):
            onset = sign
        last_sign = sign
    hot = fevers(timeline, scale, onset, now)
    return Episode(
        state=_state(timeline, scale, onset, last_sign, now),
        onset=onset,
        reopened=onset != signs[0],
        last_fever=hot[-1].time if hot else None,
        peak_grade=_peak(timeline, scale, onset, now),
    )


def _signs(timeline: Timeline, scale: Scale, since: datetime, now: datetime) -> list[datetime]:
    """When CRS showed: fevers, and for a fever outside the record a charted CRS or CRS grade (4.5, point 7)."""
    times = [reading.time for reading in fevers(timeline, scale, since, now)]
    times += [fact.time for fact in timeline.diagnoses if fact.kind == "crs" and since <= fact.time <= now]
    times += [
        score.time
        for score in timeline.scores
        if score.instrument == "crs-grade" and score.value >= 1 and since <= score.time <= now
    ]
    return sorted(times)


def _state(timeline: Timeline, scale: Scale, onset: datetime, last_sign: datetime, now: datetime) -> EpisodeState:
    if _resolved(timeline, scale, last_sign, now):
        return EpisodeState.RESOLVED
    recent = between(timeline.temperatures, now - scale.fever_current, now)
    febrile_now = bool(recent) and recent[-1].celsius >= scale.fever
    if not febrile_now and masking_drugs(timeline, scale, onset, now):
        return EpisodeState.WAIVED
    return EpisodeState.OPEN


def _resolved(timeline: Timeline, scale: Scale, after: datetime, until: datetime) -> bool:
    """True when, after one sign of CRS and before the next, a stretch long enough is documented as free of it."""
    ends = [
        (reading.time - _required(timeline, scale, reading.time), reading.time)
        for reading in between(timeline.temperatures, after, until)
    ]
    ends = [(start, end) for start, end in ends if start >= after]
    if not ends:
        return False
    troubles = _troubles(timeline, scale, after, until)
    return any(
        _watched(timeline, scale, start, end)
        and not any(start <= time <= end for time in troubles)
        and _undrugged(timeline, scale, start, end)
        for start, end in ends
    )


def _required(timeline: Timeline, scale: Scale, instant: datetime) -> timedelta:
    """After an IL-6 blocker a normal temperature says less: the longer time (4.5, point 4; N-24)."""
    given = [
        drug
        for drug in timeline.drugs
        if drug.group == "il6-blocker" and drug.time <= instant <= drug.time + scale.masking[drug.group]
    ]
    return scale.resolution_after_il6_blocker if given else scale.resolution


def _troubles(timeline: Timeline, scale: Scale, start: datetime, end: datetime) -> list[datetime]:
    """When fever, low pressure or the need of oxygen was charted."""
    times = [reading.time for reading in fevers(timeline, scale, start, end)]
    times += [reading.time for reading in low_pressures(timeline, scale, start, end)]
    charted = {item.time for item in (*timeline.oxygen, *timeline.saturations) if start <= item.time <= end}
    return times + [time for time in charted if hypoxia(timeline, scale, time).state is State.MET]


def _undrugged(timeline: Timeline, scale: Scale, start: datetime, end: datetime) -> bool:
    """No vasopressor in the stretch and no antipyretic whose effect reaches its end."""
    if any(drug.role in PRESSORS and drug.time <= end and drug.until > start for drug in timeline.vasoactives):
        return False
    antipyretics = [drug for drug in timeline.drugs if drug.group == "antipyretic" and drug.time <= end]
    return not any(drug.last_true(end) >= end - scale.masking["antipyretic"] for drug in antipyretics)


def _watched(timeline: Timeline, scale: Scale, start: datetime, end: datetime) -> bool:
    """True when temperatures leave no gap longer than the current window, and pressure and oxygen were charted too."""
    times = [start, *(reading.time for reading in between(timeline.temperatures, start, end)), end]
    if any(later - earlier > scale.fever_current for earlier, later in pairwise(times)):
        return False
    return bool(between(timeline.pressures, start, end) and between(timeline.oxygen, start, end))


def _peak(timeline: Timeline, scale: Scale, onset: datetime, now: datetime) -> int:
    """The highest grade since the onset, from the same criteria at each instant that could have raised it."""
    instants = {drug.time for drug in timeline.vasoactives}
    instants |= {item.time for item in timeline.oxygen}
    instants |= {reading.time for reading in timeline.saturations if reading.percent < scale.hypoxia_saturation}
    adult = scale.systolic_threshold(None, None)
    instants |= {reading.time for reading in timeline.pressures if reading.systolic < adult}
    grades = [1]
    for instant in {at for at in instants if onset <= at <= now} | {now}:
        for finding in (hypotension(timeline, scale, instant), hypoxia(timeline, scale, instant)):
            if finding.state is State.MET and finding.grade is not None:
                grades.append(finding.grade)
    return max(grades)

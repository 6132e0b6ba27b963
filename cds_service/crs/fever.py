"""Fever: the gate of CRS grading (S-GRADE-GATE), and when it is no longer required (S-GRADE-WAIVE, C22)."""

from collections.abc import Sequence
from datetime import datetime

from cds_service.crs.assessment import (
    Criterion,
    Episode,
    EpisodeState,
    Evidence,
    Finding,
    State,
    contradicting,
    doubtful,
    evidence,
    too_old,
    unknown,
)
from cds_service.crs.figures import shown, span
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Drug, Temperature, Timeline, Unused, between

TEMPERATURES_CONFLICT = "temperatures charted at one time conflict: the higher was used"


def fevers(timeline: Timeline, scale: Scale, start: datetime, end: datetime) -> list[Temperature]:
    """The temperatures from `start` to `end` that are a fever."""
    return [reading for reading in between(timeline.temperatures, start, end) if scale.is_fever(reading.celsius)]


def latest_temperature(timeline: Timeline, scale: Scale, now: datetime) -> Temperature | None:
    """The last temperature that is still current; of several at one instant the highest (DQ-34)."""
    recent = between(timeline.temperatures, now - scale.fever_current, now)
    return max(recent, key=lambda reading: (reading.time, reading.celsius), default=None)


def masking_drugs(timeline: Timeline, scale: Scale, onset: datetime | None, now: datetime) -> list[Drug]:
    """Antipyretic and anticytokine drugs that may hide fever at `now`.

    Those given since the onset, and those whose effect (`masking` of the scale, by group) reaches `now`.
    """
    masking = []
    for drug in timeline.drugs:
        effect = scale.masking.get(drug.group)
        if effect is None or drug.time > now:
            continue
        last = drug.last_true(now)
        if (onset is not None and last >= onset) or last + effect >= now:
            masking.append(drug)
    return masking


def fever(timeline: Timeline, scale: Scale, episode: Episode, now: datetime) -> Finding:
    """The fever criterion at `now`, in the light of the episode."""
    match episode.state:
        case EpisodeState.OPEN:
            return _open(timeline, scale, episode, now)
        case EpisodeState.WAIVED:
            return _waived(timeline, scale, episode, now)
        case EpisodeState.MASKED_ONSET:
            return _masked(timeline, scale, episode, now)
        case _:
            return _gate(timeline, scale, episode, now)


def _open(timeline: Timeline, scale: Scale, episode: Episode, now: datetime) -> Finding:
    """Met by a fever that is current or establishes CRS; else CRS goes on, and nothing explains the temperature."""
    start = now - scale.fever_establishing
    hot = fevers(timeline, scale, max(start, episode.onset or start), now)
    if hot:
        return _met(hot, timeline, scale, now)
    if episode.last_fever is None:
        doubt = "CRS is charted, no fever is in the record at hand"
    else:
        ago = span(now - episode.last_fever)
        doubt = (
            f"the last fever was {ago} ago, nothing charted masks it, and it is not documented that CRS has resolved"
        )
    return _not_felt(timeline, scale, episode, now, doubt)


def _met(hot: Sequence[Temperature], timeline: Timeline, scale: Scale, now: datetime) -> Finding:
    last = latest_temperature(timeline, scale, now)
    current = [reading for reading in hot if reading.time >= now - scale.fever_current]
    highest = max(current or hot, key=lambda reading: (reading.celsius, reading.time))
    deciding = last if last is not None and scale.is_fever(last.celsius) else highest
    others = [reading for reading in (highest, last) if reading is not None and reading is not deciding]
    lower = contradicting(deciding, timeline.temperatures, lambda reading: scale.is_fever(reading.celsius))
    ago = span(now - hot[-1].time)
    return Finding(
        criterion=Criterion.FEVER,
        state=State.MET,
        headline=f"T {shown(deciding.celsius)} °C",
        rule=f"{shown(scale.fever)} °C or more",
        rules=("S-GRADE-1",),
        evidence=tuple(_reading(reading) for reading in (deciding, *lower, *others)),
        doubts=doubtful(current or hot, "the temperature"),
        notes=(
            *((TEMPERATURES_CONFLICT,) if lower else ()),
            *(() if current else (f"the last fever was {ago} ago: CRS is not resolved before the time it takes",)),
        ),
    )


def _waived(timeline: Timeline, scale: Scale, episode: Episode, now: datetime) -> Finding:
    drug = masking_drugs(timeline, scale, episode.onset, now)[-1]
    last = latest_temperature(timeline, scale, now)
    onset = [reading for reading in timeline.temperatures if reading.time == episode.onset]
    return Finding(
        criterion=Criterion.FEVER,
        state=State.WAIVED,
        headline="fever waived after " + drug.agent,
        rule=f"not required after {drug.agent} once CRS is established",
        rules=("S-GRADE-WAIVE",),
        evidence=(*(_reading(reading) for reading in (last, *onset) if reading is not None), _given(drug)),
        missing=_missing(timeline, scale, episode, now),
        unused=_stale(timeline, scale, now),
    )


def _masked(timeline: Timeline, scale: Scale, episode: Episode, now: datetime) -> Finding:
    """No fever is in the record, and a drug may have hidden it from the start (clinical 4.5, point 6)."""
    drug = masking_drugs(timeline, scale, None, now)[-1]
    doubt = f"fever may be masked by {drug.agent} given {span(now - drug.last_true(now))} ago"
    return _not_felt(timeline, scale, episode, now, doubt, _given(drug))


def _not_felt(
    timeline: Timeline, scale: Scale, episode: Episode, now: datetime, doubt: str, *more: Evidence
) -> Finding:
    """Without a fever now, and without the right to say that there is none (N-13)."""
    last = latest_temperature(timeline, scale, now)
    return Finding(
        criterion=Criterion.FEVER,
        state=State.UNKNOWN,
        headline=_now(last),
        rules=("S-GRADE-GATE", "N-13"),
        evidence=(*((_reading(last),) if last else ()), *more),
        missing=_missing(timeline, scale, episode, now),
        doubts=(doubt,),
        unused=_stale(timeline, scale, now),
    )


def _gate(timeline: Timeline, scale: Scale, episode: Episode, now: datetime) -> Finding:
    """No fever: said only when all is known that could show or hide one (S-GRADE-GATE, N-14)."""
    recent = between(timeline.temperatures, now - scale.fever_current, now)
    highest = max(recent, key=lambda reading: (reading.celsius, reading.time), default=None)
    missing = [*_missing(timeline, scale, episode, now)]
    if not timeline.known("drugs", now - max(scale.masking.values())):
        missing.append(unknown(timeline, "drugs", "drugs that can hide fever"))
    return Finding(
        criterion=Criterion.FEVER,
        state=State.UNKNOWN if missing else State.NOT_MET,
        headline=_now(latest_temperature(timeline, scale, now)),
        rule="" if missing else f"below {shown(scale.fever)} °C",
        rules=("S-GRADE-GATE",),
        evidence=(_reading(highest),) if highest else (),
        missing=tuple(missing),
        unused=_stale(timeline, scale, now),
    )


def _missing(timeline: Timeline, scale: Scale, episode: Episode, now: datetime) -> tuple[str, ...]:
    """The temperatures that are not known: the current one, else those among which a fever may have been."""
    start = now - scale.fever_current
    if not between(timeline.temperatures, start, now) or not timeline.known("temperatures", start):
        return (unknown(timeline, "temperatures", f"temperature in the last {span(scale.fever_current)}"),)
    return () if episode.fevers_known else (unknown(timeline, "temperatures", "temperatures since the therapy"),)


def _stale(timeline: Timeline, scale: Scale, now: datetime) -> tuple[Unused, ...]:
    """The last temperature, where it is too old to be current."""
    limit = scale.fever_current
    charted = [reading for reading in timeline.temperatures if reading.time <= now]
    last = max(charted, key=lambda reading: (reading.time, reading.celsius), default=None)
    if last is None or last.time >= now - limit:
        return ()
    return (too_old(last, f"T {shown(last.celsius)} °C", now - last.time, limit),)


def _now(last: Temperature | None) -> str:
    return f"T {shown(last.celsius)} °C" if last else "temperature not charted"


def _reading(reading: Temperature) -> Evidence:
    site = f" {reading.site}" if reading.site else ""
    return evidence(reading, f"{shown(reading.celsius)} °C{site}")


def _given(drug: Drug) -> Evidence:
    return Evidence(drug.reference, f"{drug.name} given", drug.time)

"""Fever: the gate of CRS grading (S-GRADE-GATE), and when it is no longer required (S-GRADE-WAIVE, C22)."""

from collections.abc import Sequence
from datetime import datetime

from cds_service.crs.assessment import Criterion, Episode, EpisodeState, Evidence, Finding, State
from cds_service.crs.figures import shown, span
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Drug, Temperature, Timeline, between


def fevers(timeline: Timeline, scale: Scale, start: datetime, end: datetime) -> list[Temperature]:
    """Temperatures at or above the fever threshold, exact decimals, never rounded (S-GRADE-1, C23)."""
    return [reading for reading in between(timeline.temperatures, start, end) if reading.celsius >= scale.fever]


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
    recent = between(timeline.temperatures, now - scale.fever_current, now)
    last = recent[-1] if recent else None
    missing = _missing(timeline, scale, last, now)
    established = episode.state in (EpisodeState.OPEN, EpisodeState.WAIVED)
    hot = fevers(timeline, scale, now - scale.fever_establishing, now)
    if hot and episode.state is EpisodeState.OPEN:
        return _met(hot, last, scale, now)
    if episode.state is EpisodeState.WAIVED:
        return _waived(timeline, scale, episode, last, missing, now)
    if established:
        return Finding(
            criterion=Criterion.FEVER,
            state=State.UNKNOWN,
            headline=_now(last) or "temperature not charted",
            evidence=_evidence(last),
            missing=missing,
            doubts=(_unresolved(episode, now),),
        )
    return _without_episode(timeline, scale, episode, last, missing, now)


def _met(hot: Sequence[Temperature], last: Temperature | None, scale: Scale, now: datetime) -> Finding:
    current = [reading for reading in hot if reading.time >= now - scale.fever_current]
    highest = max(current or hot, key=lambda reading: (reading.celsius, reading.time))
    deciding = last if last is not None and last.celsius >= scale.fever else highest
    doubts = []
    if all(any(flag.uncertain for flag in reading.flags) for reading in (current or hot)):
        doubts.append(f"the temperature rests on a reading that is doubtful ({', '.join(highest.flags)})")
    notes = []
    if not current:
        notes.append(f"the last fever was {span(now - hot[-1].time)} ago: CRS is not resolved before the time it takes")
    others = [reading for reading in (highest, last) if reading is not None and reading is not deciding]
    return Finding(
        criterion=Criterion.FEVER,
        state=State.MET,
        headline=f"T {shown(deciding.celsius)} °C",
        rule=f"{shown(scale.fever)} °C or more",
        rules=("S-GRADE-1",),
        evidence=(*_evidence(deciding), *(item for reading in others for item in _evidence(reading))),
        doubts=tuple(doubts),
        notes=tuple(notes),
    )


def _waived(
    timeline: Timeline,
    scale: Scale,
    episode: Episode,
    last: Temperature | None,
    missing: tuple[str, ...],
    now: datetime,
) -> Finding:
    drug = masking_drugs(timeline, scale, episode.onset, now)[-1]
    onset = [reading for reading in timeline.temperatures if reading.time == episode.onset]
    return Finding(
        criterion=Criterion.FEVER,
        state=State.WAIVED,
        headline="fever waived after " + drug.agent,
        rule=f"not required after {drug.agent} once CRS is established",
        rules=("S-GRADE-WAIVE",),
        evidence=(
            *_evidence(last),
            *(item for reading in onset for item in _evidence(reading)),
            Evidence(drug.reference, f"{drug.name} given", drug.time),
        ),
        missing=missing,
    )


def _without_episode(
    timeline: Timeline,
    scale: Scale,
    episode: Episode,
    last: Temperature | None,
    missing: tuple[str, ...],
    now: datetime,
) -> Finding:
    if episode.state is EpisodeState.MASKED_ONSET:
        drugs = masking_drugs(timeline, scale, None, now)
        return Finding(
            criterion=Criterion.FEVER,
            state=State.UNKNOWN,
            headline=_now(last) or "temperature not charted",
            rules=("S-GRADE-GATE", "N-13"),
            evidence=(*_evidence(last), *(Evidence(d.reference, f"{d.name} given", d.time) for d in drugs[-1:])),
            missing=missing,
            doubts=(f"fever may be masked by {drugs[-1].agent} given {span(now - drugs[-1].last_true(now))} ago",),
        )
    highest = max(between(timeline.temperatures, now - scale.fever_current, now), key=lambda r: r.celsius, default=None)
    return Finding(
        criterion=Criterion.FEVER,
        state=State.UNKNOWN if missing else State.NOT_MET,
        headline=_now(last) or "temperature not charted",
        rule="" if missing else f"below {shown(scale.fever)} °C",
        rules=("S-GRADE-GATE",),
        evidence=_evidence(highest),
        missing=missing,
    )


def _missing(timeline: Timeline, scale: Scale, last: Temperature | None, now: datetime) -> tuple[str, ...]:
    words = f"temperature in the last {span(scale.fever_current)}"
    gap = timeline.gaps.get("temperatures")
    if last is not None and timeline.known("temperatures", now - scale.fever_current):
        return ()
    return (f"{words} ({gap.reason})" if gap else words,)


def _unresolved(episode: Episode, now: datetime) -> str:
    if episode.last_fever is None:
        return "CRS is charted, no fever is in the record at hand"
    return (
        f"the last fever was {span(now - episode.last_fever)} ago, nothing charted masks it, and the record does not"
        " show that CRS has resolved"
    )


def _now(last: Temperature | None) -> str:
    return f"T {shown(last.celsius)} °C" if last else ""


def _evidence(reading: Temperature | None) -> tuple[Evidence, ...]:
    if reading is None:
        return ()
    site = f" {reading.site}" if reading.site else ""
    flags = f" ({', '.join(reading.flags)})" if reading.flags else ""
    return (Evidence(reading.reference, f"{shown(reading.celsius)} °C{site}{flags}", reading.time),)

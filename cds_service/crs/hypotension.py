"""Hypotension: low systolic pressure for the age, or the need of vasopressors (S-GRADE-2a, 3a, 4a; C14, C17, C25)."""

from collections.abc import Sequence
from datetime import datetime, timedelta

from cds_service.crs.assessment import Criterion, Evidence, Finding, State
from cds_service.crs.figures import shown, span
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import BloodPressure, Timeline, Unused, Vasoactive, between

PRESSORS = ("vasopressor", "vasopressin")


def hypotension(timeline: Timeline, scale: Scale, now: datetime) -> Finding:
    """The hypotension criterion at `now`: running vasopressors outrank the number (C17)."""
    pressures = between(timeline.pressures, now - scale.pressure_window, now)
    running = [drug for drug in timeline.vasoactives if drug.role in PRESSORS and drug.runs_at(now)]
    if running:
        return _on_vasopressors(running, pressures, timeline, scale, now)
    return _without_vasopressors(pressures, timeline, scale, now)


def low_pressures(timeline: Timeline, scale: Scale, start: datetime, end: datetime) -> list[BloodPressure]:
    """The pressures from `start` to `end` with a systolic below the threshold for the age (C25)."""
    threshold = scale.systolic_threshold(timeline.age_in_days(end), timeline.age_in_years(end))
    return [reading for reading in between(timeline.pressures, start, end) if reading.systolic < threshold]


def _on_vasopressors(
    running: Sequence[Vasoactive],
    pressures: Sequence[BloodPressure],
    timeline: Timeline,
    scale: Scale,
    now: datetime,
) -> Finding:
    counted = {drug.agent for drug in running if drug.role == "vasopressor"}
    agents = list(dict.fromkeys(drug.agent for drug in running))
    grade, rule = (4, "several vasopressors, vasopressin not counted: grade 4") if len(counted) >= 2 else (3, _ONE)
    unknown_more = () if grade == 4 else _missing_vasoactives(timeline, scale, now)
    notes = list(_notes(timeline, scale, now))
    if not counted:
        notes.append("vasopressin alone is counted as one vasopressor")
    if len(counted) == 1 and len(agents) == 2:
        notes.append("vasopressin is not counted as a second vasopressor")
    return Finding(
        criterion=Criterion.HYPOTENSION,
        state=State.MET,
        grade=grade,
        headline=f"{' + '.join(agents)} running",
        rule=rule,
        rules=("S-GRADE-4a",) if grade == 4 else ("S-GRADE-3a",),
        evidence=(*(_infusion(drug) for drug in running), *_latest(pressures)),
        missing=unknown_more,
        floor=bool(unknown_more),
        notes=tuple(notes),
        unused=_stopped(timeline, scale, now),
    )


_ONE = "a vasopressor, with or without vasopressin: grade 3"


def _without_vasopressors(
    pressures: Sequence[BloodPressure], timeline: Timeline, scale: Scale, now: datetime
) -> Finding:
    missing = list(_missing_vasoactives(timeline, scale, now))
    unused = list(_stopped(timeline, scale, now))
    notes = _notes(timeline, scale, now)
    threshold = scale.systolic_threshold(timeline.age_in_days(now), timeline.age_in_years(now))
    low = low_pressures(timeline, scale, now - scale.pressure_window, now)
    pushed = _push_doses(timeline, scale, now)
    if low or pushed:
        doubts = () if pushed else _doubts(low, pressures, timeline, scale, now)
        worst = min(low, key=lambda reading: reading.systolic) if low else None
        return Finding(
            criterion=Criterion.HYPOTENSION,
            state=State.MET,
            grade=2,
            headline=f"SBP {shown(worst.systolic)}" if worst else f"{pushed[0].agent} bolus",
            rule=f"systolic below {shown(threshold)} mmHg, no vasopressor: grade 2"
            if worst
            else "a vasopressor bolus, none running: grade 2",
            rules=("S-GRADE-2a",),
            evidence=(*((_pressure(worst),) if worst else ()), *_later(pressures, worst), *map(_infusion, pushed)),
            missing=tuple(missing),
            floor=bool(missing),
            doubts=doubts,
            notes=notes,
            unused=tuple(unused),
        )
    if not pressures or not timeline.known("pressures", now - scale.pressure_window):
        missing.insert(0, _no_pressure(timeline, scale))
        stale = _stale(timeline.pressures, scale, now)
        unused.extend(stale)
    known = not missing
    return Finding(
        criterion=Criterion.HYPOTENSION,
        state=State.NOT_MET if known else State.UNKNOWN,
        rule=f"not below {shown(threshold)} mmHg, no vasopressor" if known else "",
        evidence=_lowest(pressures),
        missing=tuple(missing),
        floor=not known,
        notes=notes,
        unused=tuple(unused),
    )


def _missing_vasoactives(timeline: Timeline, scale: Scale, now: datetime) -> tuple[str, ...]:
    if timeline.known("vasoactives", now - scale.vasoactive_history):
        return ()
    return (f"vasopressor infusions ({timeline.gaps['vasoactives'].reason})",)


def _no_pressure(timeline: Timeline, scale: Scale) -> str:
    words = f"blood pressure in the last {span(scale.pressure_window)}"
    gap = timeline.gaps.get("pressures")
    return f"{words} ({gap.reason})" if gap else words


def _push_doses(timeline: Timeline, scale: Scale, now: datetime) -> list[Vasoactive]:
    """A bolus of a vasopressor within the window is evidence of hypotension, not of a running infusion (DQ-56)."""
    recent = between(timeline.vasoactives, now - scale.pressure_window, now)
    return [drug for drug in recent if drug.bolus and drug.role in PRESSORS]


def _doubts(
    low: Sequence[BloodPressure],
    pressures: Sequence[BloodPressure],
    timeline: Timeline,
    scale: Scale,
    now: datetime,
) -> tuple[str, ...]:
    """One low value followed by normal ones, nothing given for it: the grade stays, but provisional (4.4)."""
    doubts = []
    if len(low) == 1 and _superseded(low[0], pressures, timeline, scale):
        doubts.append("a single low pressure, later readings normal")
    if all(any(flag.uncertain for flag in reading.flags) for reading in low):
        doubts.append(f"the low pressure rests on a reading that is doubtful ({', '.join(low[-1].flags)})")
    if timeline.age_in_years(now) is None:
        doubts.append("the age is not known: the adult threshold was used")
    return tuple(doubts)


def _superseded(low: BloodPressure, pressures: Sequence[BloodPressure], timeline: Timeline, scale: Scale) -> bool:
    times = [low.time]
    for reading in pressures:
        if reading.time - times[-1] >= scale.normal_spacing:
            times.append(reading.time)
    treated = any(drug.time >= low.time for drug in timeline.drugs if drug.group == "il6-blocker")
    treated = treated or any(drug.until >= low.time for drug in timeline.vasoactives if drug.role in PRESSORS)
    return len(times) - 1 >= scale.normal_readings and not treated


def _notes(timeline: Timeline, scale: Scale, now: datetime) -> tuple[str, ...]:
    """What is charted about other vasoactive drugs: counted never, said always (3.9, DQ-51, DQ-53, DQ-60)."""
    notes = []
    for drug in timeline.vasoactives:
        if drug.runs_at(now) and drug.role not in PRESSORS:
            notes.append(f"{drug.agent} is running: not a vasopressor in ASTCT grading")
        elif drug.runs_at(now) and not _updated(drug, timeline, now - scale.vasoactive_history):
            ago = span(now - drug.time)
            notes.append(f"{drug.agent} charted as running for {ago} without a rate update: confirm")
        elif not drug.bolus and timedelta() <= now - drug.until <= scale.vasoactive_stopped:
            notes.append(f"{drug.agent} was stopped {span(now - drug.until)} ago: check the pressure again")
    given = {drug.agent for drug in timeline.vasoactives if drug.runs_at(now)}
    ordered = {order.agent for order in timeline.orders if order.group in PRESSORS} - given
    notes.extend(f"{agent} is ordered, not charted as running" for agent in sorted(ordered))
    return tuple(dict.fromkeys(notes))


def _updated(drug: Vasoactive, timeline: Timeline, since: datetime) -> bool:
    return any(other.agent == drug.agent and other.time >= since for other in timeline.vasoactives)


def _stopped(timeline: Timeline, scale: Scale, now: datetime) -> tuple[Unused, ...]:
    since = now - scale.vasoactive_history
    return tuple(
        Unused(drug.reference, f"{drug.agent} was stopped {span(now - drug.until)} ago")
        for drug in timeline.vasoactives
        if drug.role in PRESSORS and not drug.bolus and since <= drug.until <= now
    )


def _stale(readings: Sequence[BloodPressure], scale: Scale, now: datetime) -> tuple[Unused, ...]:
    earlier = [reading for reading in readings if reading.time < now - scale.pressure_window]
    if not earlier:
        return ()
    last = earlier[-1]
    age = span(now - last.time)
    return (Unused(last.reference, f"{_words(last)} is {age} old, the limit is {span(scale.pressure_window)}"),)


def _infusion(drug: Vasoactive) -> Evidence:
    rate = f" {drug.rate}" if drug.rate else ""
    return Evidence(drug.reference, f"{drug.agent}{rate}{' bolus' if drug.bolus else ''}", drug.time)


def _words(reading: BloodPressure) -> str:
    diastolic = f"/{shown(reading.diastolic)}" if reading.diastolic is not None else ""
    extras = [reading.method] if reading.method else []
    extras.extend(flag.value for flag in reading.flags)
    return f"BP {shown(reading.systolic)}{diastolic} mmHg" + (f" ({', '.join(extras)})" if extras else "")


def _pressure(reading: BloodPressure) -> Evidence:
    return Evidence(reading.reference, _words(reading), reading.time)


def _latest(pressures: Sequence[BloodPressure]) -> tuple[Evidence, ...]:
    return (_pressure(pressures[-1]),) if pressures else ()


def _later(pressures: Sequence[BloodPressure], worst: BloodPressure | None) -> tuple[Evidence, ...]:
    return (_pressure(pressures[-1]),) if pressures and pressures[-1] is not worst else ()


def _lowest(pressures: Sequence[BloodPressure]) -> tuple[Evidence, ...]:
    lowest: BloodPressure | None = min(pressures, key=lambda reading: reading.systolic, default=None)
    return (_pressure(lowest),) if lowest else ()

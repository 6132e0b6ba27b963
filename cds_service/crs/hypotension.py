"""Hypotension: low systolic pressure for the age, or the need of vasopressors (S-GRADE-2a, 3a, 4a; C14, C17, C25)."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal

from cds_service.crs.assessment import (
    Criterion,
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
from cds_service.crs.timeline import BloodPressure, Timeline, Unused, Vasoactive, between

PRESSORS = ("vasopressor", "vasopressin")
A_STOP_UNREAD = "a vasopressor may be charted as stopped since, in what could not be read"
PRESSURES_CONFLICT = "blood pressures charted at one time conflict: the lower was used"


def hypotension(timeline: Timeline, scale: Scale, now: datetime) -> Finding:
    """The hypotension criterion at `now`: running vasopressors outrank the number (C17)."""
    running = running_pressors(timeline, now)
    if running:
        return _on_vasopressors(running, timeline, scale, now)
    low = low_pressures(timeline, scale, now - scale.pressure_window, now)
    pushed = [drug for drug in _boluses(timeline, scale, now) if is_pressor(drug)]
    if low or pushed:
        return _low(low, pushed, timeline, scale, now)
    return _not_low(timeline, scale, now)


def is_pressor(drug: Vasoactive) -> bool:
    """True for a vasopressor in ASTCT grading, and for vasopressin, which counts as one (C14)."""
    return drug.role in PRESSORS


def running_pressors(timeline: Timeline, instant: datetime) -> list[Vasoactive]:
    """The vasopressors that run at an instant."""
    return [drug for drug in timeline.vasoactives if is_pressor(drug) and drug.runs_at(instant)]


def low_pressures(timeline: Timeline, scale: Scale, start: datetime, end: datetime) -> list[BloodPressure]:
    """The pressures from `start` to `end` with a systolic below the threshold for the age (C25)."""
    threshold = _threshold(timeline, scale, end)
    return [reading for reading in between(timeline.pressures, start, end) if reading.systolic < threshold]


def _threshold(timeline: Timeline, scale: Scale, now: datetime) -> Decimal:
    return scale.systolic_threshold(timeline.age_in_days(now), timeline.age_in_years(now))


def _on_vasopressors(running: Sequence[Vasoactive], timeline: Timeline, scale: Scale, now: datetime) -> Finding:
    counted = {drug.agent for drug in running if drug.role == "vasopressor"}
    agents = list(dict.fromkeys(drug.agent for drug in running))
    several = len(counted) >= 2
    history = now - scale.vasoactive_history
    since = max(history, min(drug.time for drug in running)) if several else history
    missing = _missing_vasoactives(timeline, since)
    pressures = between(timeline.pressures, now - scale.pressure_window, now)
    return Finding(
        criterion=Criterion.HYPOTENSION,
        state=State.MET,
        grade=4 if several else 3,
        headline=f"{' + '.join(agents)} running",
        rule=_SEVERAL if several else _ONE,
        rules=("S-GRADE-4a",) if several else ("S-GRADE-3a",),
        evidence=(*map(_drug, running), *map(_pressure, pressures[-1:])),
        missing=missing,
        floor=bool(missing) and not several,
        doubts=_doubted(running, missing) if several else doubtful(running, "the vasopressor"),
        notes=(*_notes(timeline, scale, now), *_on_vasopressin(running, len(counted))),
        unused=_stopped(timeline, scale, now),
    )


def _doubted(running: Sequence[Vasoactive], unread: Sequence[str]) -> tuple[str, ...]:
    """Why grade 4 is provisional: it rests on two vasopressors, and fewer are beyond doubt (DQ-39, T45)."""
    certain = [drug for drug in running if not any(flag.uncertain for flag in drug.flags)]
    stops = (A_STOP_UNREAD,) if unread else ()
    if len({drug.agent for drug in certain if drug.role == "vasopressor"}) >= 2:
        return stops
    return (*stops, *doubtful([drug for drug in running if drug not in certain], "the second vasopressor"))


_ONE = "a vasopressor, with or without vasopressin"
_SEVERAL = "several vasopressors, vasopressin not counted"


def _on_vasopressin(running: Sequence[Vasoactive], counted: int) -> tuple[str, ...]:
    """How vasopressin was counted, where that decides: never as the second vasopressor (C14)."""
    if counted >= 2 or all(drug.role == "vasopressor" for drug in running):
        return ()
    if counted == 0:
        return ("vasopressin alone is counted as one vasopressor",)
    return ("vasopressin is not counted as a second vasopressor",)


def _low(
    low: Sequence[BloodPressure], pushed: Sequence[Vasoactive], timeline: Timeline, scale: Scale, now: datetime
) -> Finding:
    missing = _missing_vasoactives(timeline, now - scale.vasoactive_history)
    worst = min(reversed(low), key=lambda reading: reading.systolic, default=None)
    last = between(timeline.pressures, now - scale.pressure_window, now)[-1:]
    higher: list[BloodPressure] = []
    if worst is not None:
        higher = contradicting(worst, timeline.pressures, lambda reading: reading in low)
        headline = f"SBP {shown(worst.systolic)}"
        rule = f"systolic below {shown(_threshold(timeline, scale, now))} mmHg, no vasopressor"
    else:
        headline, rule = f"{pushed[-1].agent} bolus", "a vasopressor bolus, none running"
    return Finding(
        criterion=Criterion.HYPOTENSION,
        state=State.MET,
        grade=2,
        headline=headline,
        rule=rule,
        rules=("S-GRADE-2a",),
        evidence=(*map(_pressure, dict.fromkeys((worst, *higher, *last) if worst else last)), *map(_drug, pushed)),
        missing=missing,
        floor=bool(missing),
        doubts=doubtful(pushed, "the bolus") if pushed else _doubts(low, timeline, scale, now),
        notes=(*((PRESSURES_CONFLICT,) if higher else ()), *_notes(timeline, scale, now)),
        unused=_stopped(timeline, scale, now),
    )


def _not_low(timeline: Timeline, scale: Scale, now: datetime) -> Finding:
    start = now - scale.pressure_window
    pressures = between(timeline.pressures, start, now)
    missing = _missing_vasoactives(timeline, now - scale.vasoactive_history)
    unused = _stopped(timeline, scale, now)
    if not pressures or not timeline.known("pressures", start):
        words = f"blood pressure in the last {span(scale.pressure_window)}"
        missing = (unknown(timeline, "pressures", words), *missing)
        unused = (*unused, *_stale(timeline, scale, now))
    lowest = min(reversed(pressures), key=lambda reading: reading.systolic, default=None)
    threshold = shown(_threshold(timeline, scale, now))
    return Finding(
        criterion=Criterion.HYPOTENSION,
        state=State.UNKNOWN if missing else State.NOT_MET,
        rule="" if missing else f"not below {threshold} mmHg, no vasopressor",
        evidence=(_pressure(lowest),) if lowest else (),
        missing=missing,
        floor=bool(missing),
        notes=_notes(timeline, scale, now),
        unused=unused,
    )


def _missing_vasoactives(timeline: Timeline, since: datetime) -> tuple[str, ...]:
    if timeline.known("vasoactives", since):
        return ()
    return (unknown(timeline, "vasoactives", "vasopressor infusions"),)


def _boluses(timeline: Timeline, scale: Scale, now: datetime) -> list[Vasoactive]:
    """A bolus of a vasopressor within the window is evidence of hypotension, not of a running infusion (DQ-56)."""
    return [drug for drug in between(timeline.vasoactives, now - scale.pressure_window, now) if drug.bolus]


def _doubts(low: Sequence[BloodPressure], timeline: Timeline, scale: Scale, now: datetime) -> tuple[str, ...]:
    """Why hypotension by the number alone is provisional."""
    doubts = list(doubtful(low, "the low pressure"))
    if _superseded(low, timeline, scale, now):
        doubts.append("a single low pressure, later readings normal")
    if timeline.age_in_years(now) is None:
        doubts.append("the age is not known: the adult threshold was used")
    return tuple(doubts)


def _superseded(low: Sequence[BloodPressure], timeline: Timeline, scale: Scale, now: datetime) -> bool:
    """One low value, normal ones later with time between them, and nothing given for it since (4.4)."""
    since = low[-1].time
    if low[0].time != since:
        return False
    normal: list[datetime] = []
    for at in (reading.time for reading in timeline.pressures if since < reading.time <= now):
        if not normal or at - normal[-1] >= scale.normal_spacing:
            normal.append(at)
    treated = any(drug.group == "il6-blocker" for drug in between(timeline.drugs, since, now))
    given = (drug for drug in timeline.vasoactives if is_pressor(drug) and drug.time <= now)
    return len(normal) >= scale.normal_readings and not treated and not any(drug.until >= since for drug in given)


def _notes(timeline: Timeline, scale: Scale, now: datetime) -> tuple[str, ...]:
    """What is charted about vasoactive drugs and does not count: said always (3.9, DQ-51, DQ-53, DQ-60)."""
    running = [drug for drug in timeline.vasoactives if drug.runs_at(now)]
    charted = {drug.agent for drug in between(timeline.vasoactives, now - scale.vasoactive_history, now)}
    stopped = [drug for drug in _ended(timeline, scale, now) if now - drug.until <= scale.vasoactive_stopped]
    ordered = {order.agent for order in timeline.orders if order.group in PRESSORS and order.time <= now}
    notes = [f"{drug.agent} is running: not a vasopressor in ASTCT grading" for drug in running if not is_pressor(drug)]
    for drug in running:
        if is_pressor(drug) and drug.agent not in charted:
            ago = span(now - drug.time)
            notes.append(f"{drug.agent} charted as running for {ago} without a rate update: confirm")
    for drug in _boluses(timeline, scale, now):
        if not is_pressor(drug):
            notes.append(f"{drug.agent} bolus {span(now - drug.time)} ago: not a vasopressor in ASTCT grading")
    notes += [f"{drug.agent} was stopped {span(now - drug.until)} ago: check the pressure again" for drug in stopped]
    waiting = sorted(ordered - {drug.agent for drug in running})
    notes += [f"{agent} is ordered, not charted as running" for agent in waiting]
    return tuple(dict.fromkeys(notes))


def _ended(timeline: Timeline, scale: Scale, now: datetime) -> list[Vasoactive]:
    """The last infusion of each vasopressor that was stopped of late and does not run on in another line."""
    running = {drug.agent for drug in timeline.vasoactives if drug.runs_at(now)}
    last: dict[str, Vasoactive] = {}
    for drug in sorted(timeline.vasoactives, key=lambda item: item.until):
        recent = now - scale.vasoactive_history <= drug.until <= now
        if is_pressor(drug) and recent and not drug.bolus and drug.agent not in running:
            last[drug.agent] = drug
    return list(last.values())


def _stopped(timeline: Timeline, scale: Scale, now: datetime) -> tuple[Unused, ...]:
    return tuple(
        Unused(drug.reference, f"{drug.agent} was stopped {span(now - drug.until)} ago")
        for drug in _ended(timeline, scale, now)
    )


def _stale(timeline: Timeline, scale: Scale, now: datetime) -> tuple[Unused, ...]:
    limit = scale.pressure_window
    earlier = [reading for reading in timeline.pressures if reading.time < now - limit]
    return tuple(too_old(last, _words(last), now - last.time, limit) for last in earlier[-1:])


def _drug(drug: Vasoactive) -> Evidence:
    rate = f" {drug.rate}" if drug.rate else ""
    return evidence(drug, f"{drug.agent}{rate}{' bolus' if drug.bolus else ''}")


def _words(reading: BloodPressure) -> str:
    diastolic = f"/{shown(reading.diastolic)}" if reading.diastolic is not None else ""
    return f"BP {shown(reading.systolic)}{diastolic} mmHg"


def _pressure(reading: BloodPressure) -> Evidence:
    return evidence(reading, _words(reading), *((reading.method,) if reading.method else ()))

"""Hypoxia: the oxygen support needed (S-GRADE-2b, 3b, 3c, 4b). The device outranks the flow (C15), need the number."""

from collections.abc import Sequence
from datetime import datetime
from decimal import Decimal
from typing import NamedTuple

from cds_service.crs.assessment import (
    HIGHEST,
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
from cds_service.crs.oxygen import Support, support_at
from cds_service.crs.scale import Device, Scale
from cds_service.crs.timeline import OxygenSaturation, OxygenSupport, Timeline, Unused, between

SATURATIONS_CONFLICT = "oxygen saturations charted at one time conflict: the lower was used"
LOW_SATURATION = 2
"""The grade of a low SpO2 for which nothing is given yet (C16)."""
NO_OXYGEN_YET = "SpO2 is low without oxygen: apply oxygen and regrade in minutes"
LESS_SUPPORT = "less oxygen support may be charted since, in what could not be read"


class Verdict(NamedTuple):
    """The grade that support stands for, the rule in words and by ID, what is missing, and why it is provisional."""

    grade: int
    rule: str
    rule_id: str
    grade_words: str = ""
    missing: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


class Decision(NamedTuple):
    """The support, the verdict, None where the criterion is not met or not known, and the lowest saturation.

    Oxygen that is given outranks the saturation, which is then not looked for.
    """

    support: Support
    verdict: Verdict | None
    lowest: OxygenSaturation | None


def hypoxia(timeline: Timeline, scale: Scale, now: datetime) -> Finding:
    """The hypoxia criterion at `now`."""
    support, verdict, lowest = _decided(timeline, scale, now)
    if verdict is None:
        return _without_oxygen(lowest, support, timeline, scale, now)
    if lowest is None:
        return _graded(verdict, support, timeline, scale, now)
    return _low_without_oxygen(verdict, lowest, support, timeline, scale, now)


def hypoxia_grade(timeline: Timeline, scale: Scale, now: datetime) -> int:
    """The grade of the hypoxia criterion at `now`, 0 where it is not met or not known."""
    verdict = _decided(timeline, scale, now).verdict
    return verdict.grade if verdict else 0


def latest_flow(timeline: Timeline, scale: Scale, now: datetime) -> Decimal | None:
    """The oxygen flow in L/min that counts at `now`, None when none is charted."""
    return support_at(timeline, scale, now).flow


def _decided(timeline: Timeline, scale: Scale, now: datetime) -> Decision:
    support = support_at(timeline, scale, now)
    if support.given:
        return Decision(support, _by_support(support, scale), None)
    lowest = min(_saturations(timeline, scale, now), key=lambda reading: reading.percent, default=None)
    if lowest is None or not scale.is_low_saturation(lowest.percent):
        return Decision(support, None, lowest)
    rule = f"SpO2 below {shown(scale.hypoxia_saturation)} % without oxygen"
    return Decision(support, Verdict(LOW_SATURATION, rule, "S-GRADE-2b", "provisional grade 2"), lowest)


def _graded(verdict: Verdict, support: Support, timeline: Timeline, scale: Scale, now: datetime) -> Finding:
    unread = _missing_support(support, timeline, scale, now)
    missing = (*verdict.missing, *unread)
    highest = verdict.grade == HIGHEST
    return Finding(
        criterion=Criterion.HYPOXIA,
        state=State.MET,
        grade=verdict.grade,
        headline=_words(support.device, support.device_text, support.flow, support.fio2),
        grade_words=verdict.grade_words,
        rule=verdict.rule,
        rules=(verdict.rule_id,),
        evidence=(*_charted(support, scale, now), *map(_saturation, _saturations(timeline, scale, now)[-1:])),
        missing=missing,
        floor=bool(missing) and not highest,
        doubts=(
            *support.doubts,
            *verdict.doubts,
            *doubtful(_decisive(support), "the oxygen support"),
            *((LESS_SUPPORT,) if unread and highest else ()),
        ),
        notes=(*support.notes, *_cautions(support, scale)),
    )


def _by_support(support: Support, scale: Scale) -> Verdict:
    """The device decides where it has a grade of its own, else the flow (C15)."""
    device, flow, limit = support.device, support.flow, shown(scale.low_flow_maximum)
    if device is not None and device.grade is not None:
        how = "positive pressure" if device.positive_pressure else "at any flow"
        rule_id = {2: "S-GRADE-2b", 3: "S-GRADE-3c"}.get(device.grade, "S-GRADE-4b")
        return Verdict(device.grade, f"{device.display}, {how}", rule_id)
    if flow is not None and flow > scale.low_flow_maximum:
        return Verdict(3, f"more than {limit} L/min", "S-GRADE-3b", doubts=_device_doubt(support))
    if flow is not None:
        return Verdict(2, f"low flow, up to {limit} L/min", "S-GRADE-2b", doubts=_device_doubt(support))
    if device is not None and not device.caution:
        rule = f"{device.display}, flow not charted"
        return Verdict(2, rule, "S-GRADE-2b", "grade 2 or higher", missing=("oxygen flow",))
    rule = "oxygen, device and flow not charted"
    return Verdict(2, rule, "S-GRADE-2b", "grade 2 or higher", missing=("oxygen device",))


def _device_doubt(support: Support) -> tuple[str, ...]:
    """Why a grade by flow is provisional: another device would make it higher (DQ-15)."""
    if support.device is not None:
        return (support.device.caution,) if support.device.caution else ()
    if support.device_text:
        return (f"the oxygen device '{support.device_text}' is not recognised: graded by flow",)
    return () if support.doubts else ("the oxygen device is not charted: graded by flow",)


def _cautions(support: Support, scale: Scale) -> tuple[str, ...]:
    """What to confirm of a device that is graded by itself (C15')."""
    device = support.device
    if device is None or device.grade is None:
        return ()
    if device.id == "high-flow-nasal-cannula" and support.flow is not None and support.flow <= scale.low_flow_maximum:
        return (f"{device.display} at a low flow is counted by the device: confirm",)
    return (device.caution,) if device.caution else ()


def _decisive(support: Support) -> list[OxygenSupport]:
    """The readings that the grade rests on: the device's, else those of flow and FiO2."""
    if support.device is not None and support.device.grade is not None:
        return [item for item in support.sources if item.device == support.device.id]
    return [item for item in support.sources if item.flow is not None or item.fio2 is not None]


def _low_without_oxygen(
    verdict: Verdict, lowest: OxygenSaturation, support: Support, timeline: Timeline, scale: Scale, now: datetime
) -> Finding:
    """Hypoxia that nobody has treated yet, as far as is charted: provisional (C16)."""
    missing = _missing_support(support, timeline, scale, now)
    higher = contradicting(lowest, timeline.saturations, lambda reading: scale.is_low_saturation(reading.percent))
    where, doubt = "on room air" if support.given is False else "no oxygen charted", NO_OXYGEN_YET
    if support.device_text:
        where = f"on {support.device_text}"
        doubt = f"SpO2 is low, and the oxygen device '{support.device_text}' is not recognised"
    return Finding(
        criterion=Criterion.HYPOXIA,
        state=State.MET,
        grade=verdict.grade,
        headline=f"SpO2 {shown(lowest.percent)} %, {where}",
        grade_words=verdict.grade_words,
        rule=verdict.rule,
        rules=(verdict.rule_id, "C16"),
        evidence=(*_charted(support, scale, now), *map(_saturation, (lowest, *higher))),
        missing=missing,
        floor=bool(missing),
        doubts=(doubt, *support.doubts),
        notes=(*((SATURATIONS_CONFLICT,) if higher else ()), *support.notes),
    )


def _without_oxygen(
    lowest: OxygenSaturation | None, support: Support, timeline: Timeline, scale: Scale, now: datetime
) -> Finding:
    """Not met when it is charted that no oxygen is given; a normal SpO2 alone does not tell (C18)."""
    missing = _missing_support(support, timeline, scale, now)
    return Finding(
        criterion=Criterion.HYPOXIA,
        state=State.UNKNOWN if missing else State.NOT_MET,
        rule="" if missing else "no oxygen in use",
        evidence=(*_charted(support, scale, now), *((_saturation(lowest),) if lowest else ())),
        missing=(*missing, *_missing_saturation(timeline, scale, now)),
        floor=bool(missing),
        doubts=support.doubts,
        notes=support.notes,
        unused=(
            *(_stale(timeline, scale, now) if support.given is None else ()),
            *_stale_saturation(timeline, scale, now),
        ),
    )


def _missing_support(support: Support, timeline: Timeline, scale: Scale, now: datetime) -> tuple[str, ...]:
    if support.given is None and support.device_text:
        return (f"oxygen support: the device '{support.device_text}' is not recognised",)
    if support.given is None:
        return (unknown(timeline, "oxygen", f"oxygen support in the last {span(scale.oxygen_window)}"),)
    if not timeline.known("oxygen", _told_since(support, scale, now)):
        return (unknown(timeline, "oxygen", "other oxygen support"),)
    return ()


def _told_since(support: Support, scale: Scale, now: datetime) -> datetime:
    """From when on all must be known: the oldest reading used, or all of the window where a reading may be missing."""
    device, start = support.device, now - scale.oxygen_window
    if device is None or (device.in_use and device.grade is None and support.flow is None):
        return start
    return max(start, min(item.time for item in support.sources))


def _missing_saturation(timeline: Timeline, scale: Scale, now: datetime) -> tuple[str, ...]:
    known = timeline.known("saturations", now - scale.oxygen_window)
    if known and _saturations(timeline, scale, now):
        return ()
    return (unknown(timeline, "saturations", f"SpO2 in the last {span(scale.oxygen_window)}"),)


def _stale(timeline: Timeline, scale: Scale, now: datetime) -> tuple[Unused, ...]:
    limit = scale.oxygen_window
    earlier = [item for item in timeline.oxygen if item.last_true(now) < now - limit]
    last = max(earlier, key=lambda item: item.last_true(now), default=None)
    if last is None:
        return ()
    return (too_old(last, _reading(last, scale), now - last.last_true(now), limit),)


def _stale_saturation(timeline: Timeline, scale: Scale, now: datetime) -> tuple[Unused, ...]:
    last = [reading for reading in timeline.saturations if reading.time <= now][-1:]
    limit = scale.oxygen_window
    return tuple(
        too_old(reading, f"SpO2 {shown(reading.percent)} %", now - reading.time, limit)
        for reading in last
        if reading.time < now - limit
    )


def _saturations(timeline: Timeline, scale: Scale, now: datetime) -> Sequence[OxygenSaturation]:
    return between(timeline.saturations, now - scale.oxygen_window, now)


def _words(device: Device | None, text: str, flow: Decimal | None, fio2: Decimal | None) -> str:
    if device is not None and not device.in_use:
        return device.display
    amounts = [f"{shown(flow)} L/min"] if flow is not None else []
    if fio2 is not None:
        amounts.append(f"FiO2 {shown(fio2)} %")
    name = device.display if device is not None else text
    by_flow = device is None or device.grade is None
    parts = ["O2", *amounts, name] if by_flow else [name, *amounts]
    return " ".join(part for part in parts if part)


def _reading(item: OxygenSupport, scale: Scale) -> str:
    return _words(scale.devices.get(item.device or ""), item.device_text, item.flow, item.fio2)


def _charted(support: Support, scale: Scale, now: datetime) -> tuple[Evidence, ...]:
    """A line for each reading that the support was put together from."""
    return tuple(evidence(item, _reading(item, scale), time=item.last_true(now)) for item in support.sources)


def _saturation(reading: OxygenSaturation) -> Evidence:
    return evidence(reading, f"SpO2 {shown(reading.percent)} %")

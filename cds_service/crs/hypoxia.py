"""Hypoxia: the oxygen support needed (S-GRADE-2b, 3b, 3c, 4b). The device outranks the flow (C15), need the number."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal

from cds_service.crs.assessment import Criterion, Evidence, Finding, State
from cds_service.crs.figures import shown, span
from cds_service.crs.scale import Device, Scale
from cds_service.crs.timeline import Flag, OxygenSaturation, OxygenSupport, Timeline, Unused, between


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The oxygen support at one instant, put together from what was charted last of device, flow and FiO2."""

    device: Device | None = None
    device_text: str = ""
    flow: Decimal | None = None
    fio2: Decimal | None = None
    sources: tuple[OxygenSupport, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()

    @property
    def charted(self) -> bool:
        return bool(self.sources)


def hypoxia(timeline: Timeline, scale: Scale, now: datetime) -> Finding:
    """The hypoxia criterion at `now`."""
    support = _spare_home_devices(_support(timeline, scale, now), timeline, scale, now)
    saturations = between(timeline.saturations, now - scale.oxygen_window, now)
    if _in_use(support, scale):
        return _graded(support, saturations, timeline, scale, now)
    return _without_oxygen(support, saturations, timeline, scale, now)


def _support(timeline: Timeline, scale: Scale, now: datetime) -> Support:
    start = now - scale.oxygen_window
    charted = [item for item in timeline.oxygen if item.time <= now and item.last_true(now) >= start]
    devices = _latest([item for item in charted if item.device or item.device_text], now)
    flows = _latest([item for item in charted if item.flow is not None], now)
    fractions = _latest([item for item in charted if item.fio2 is not None], now)
    device_source = max(devices, key=lambda item: _rank(item, scale), default=None)
    flow_source = max(flows, key=lambda item: item.flow or Decimal(0), default=None)
    fraction_source = max(fractions, key=lambda item: item.fio2 or Decimal(0), default=None)
    notes: list[str] = []
    if len({item.device or item.device_text for item in devices}) > 1:
        notes.append("oxygen devices charted at one time differ: the one with the higher grade was used")
    device = scale.devices.get(device_source.device) if device_source and device_source.device else None
    if device_source and flow_source and _outdated(flow_source, device_source, charted, now):
        flow_source = None
    if fraction_source and device_source and device and not device.in_use:
        fraction_source = _unless_older(fraction_source, device_source, now)
    if flow_source and device_source and device and not device.in_use:
        flow_source = _unless_older(flow_source, device_source, now)
    flow = flow_source.flow if flow_source else None
    fio2 = fraction_source.fio2 if fraction_source else None
    if device and not device.in_use and ((flow or 0) > 0 or (fio2 or 0) > scale.room_air_fio2):
        notes.append(f"{device.display} and oxygen are both charted: oxygen was counted")
        device, device_source = None, None
    sources = tuple(dict.fromkeys(item for item in (device_source, flow_source, fraction_source) if item))
    text = device_source.device_text if device_source and device is None else ""
    return Support(device=device, device_text=text, flow=flow, fio2=fio2, sources=sources, notes=tuple(notes))


def _latest(charted: Sequence[OxygenSupport], now: datetime) -> list[OxygenSupport]:
    """Those charted last, all that share the instant: a contradiction at one instant is decided by the worse."""
    last = max((item.last_true(now) for item in charted), default=None)
    return [item for item in charted if item.last_true(now) == last]


def _rank(item: OxygenSupport, scale: Scale) -> int:
    device = scale.devices.get(item.device or "")
    if device is None:
        return 1
    return (device.grade or 2) if device.in_use else 0


def _outdated(flow: OxygenSupport, device: OxygenSupport, charted: Iterable[OxygenSupport], now: datetime) -> bool:
    """True for a flow charted before the device was put on or changed: it is not the flow of this device."""
    flow_time = flow.last_true(now)
    if flow_time >= device.last_true(now):
        return False
    before = [item for item in charted if item.device and item.time <= flow_time]
    changed = bool(before) and max(before, key=lambda item: item.time).device != device.device
    return changed or flow.flow == 0


def _unless_older(item: OxygenSupport, device: OxygenSupport, now: datetime) -> OxygenSupport | None:
    """Room air overrides what was charted before it (DQ-10)."""
    return item if item.last_true(now) >= device.last_true(now) else None


def _in_use(support: Support, scale: Scale) -> bool:
    if not support.charted:
        return False
    if support.device and support.device.positive_pressure:
        return True
    if support.flow is not None and support.flow == 0:
        return False
    if support.device is not None:
        return support.device.in_use
    return _oxygen_given(support, scale)


def _spare_home_devices(support: Support, timeline: Timeline, scale: Scale, now: datetime) -> Support:
    """Home CPAP, and ventilation for the airway or a procedure, are not CRS hypoxia (C20): said, never silent."""
    if support.device is None or not support.device.positive_pressure:
        return support
    at_home = [fact for fact in timeline.diagnoses if fact.kind == "home-positive-pressure" and fact.time <= now]
    airway = any(Flag.AIRWAY_ONLY in item.flags for item in support.sources)
    if support.device.id == "cpap" and at_home:
        doubt = f"CPAP was not counted: {at_home[0].display} is charted"
    elif airway:
        doubt = f"{support.device.display} was not counted: charted for the airway or a procedure, not for hypoxia"
    else:
        return support
    return (
        replace(support, device=scale.devices["room-air"], doubts=(doubt,))
        if not _oxygen_given(support, scale)
        else replace(support, device=None, doubts=(doubt,))
    )


def _oxygen_given(support: Support, scale: Scale) -> bool:
    return (support.flow or 0) > 0 or (support.fio2 or 0) > scale.room_air_fio2


def _graded(
    support: Support,
    saturations: Sequence[OxygenSaturation],
    timeline: Timeline,
    scale: Scale,
    now: datetime,
) -> Finding:
    grade, rule, rule_id, missing, doubts = _grade(support, scale)
    notes = list(support.notes)
    if support.device and support.device.caution:
        notes.append(support.device.caution)
    if grade < 4 and not timeline.known("oxygen", now - scale.oxygen_window):
        missing = (*missing, f"other oxygen support ({timeline.gaps['oxygen'].reason})")
    return Finding(
        criterion=Criterion.HYPOXIA,
        state=State.MET,
        grade=grade,
        headline=_words(support),
        rule=rule,
        rules=(rule_id,),
        evidence=(*_charted(support, now, scale), *_last_saturation(saturations)),
        missing=missing,
        floor=bool(missing),
        doubts=(*support.doubts, *doubts),
        notes=tuple(notes),
    )


def _grade(support: Support, scale: Scale) -> tuple[int, str, str, tuple[str, ...], tuple[str, ...]]:
    """Grade, rule in words, rule ID, what is missing, why provisional."""
    limit = shown(scale.low_flow_maximum)
    device = support.device
    if device is not None and device.grade is not None and device.id != "blow-by":
        if device.grade >= 4:
            return device.grade, f"{device.display}, positive pressure: grade {device.grade}", "S-GRADE-4b", (), ()
        return device.grade, f"{device.display}: grade {device.grade} at any flow", "S-GRADE-3c", (), ()
    if support.flow is not None and support.flow > scale.low_flow_maximum:
        return 3, f"more than {limit} L/min: grade 3", "S-GRADE-3b", (), _device_doubt(support)
    if device is not None and device.id == "blow-by":
        return 2, "blow-by oxygen: grade 2", "S-GRADE-2b", (), ()
    if support.flow is not None:
        return 2, f"low flow, up to {limit} L/min: grade 2", "S-GRADE-2b", (), _device_doubt(support)
    if device is not None and device.id == "nasal-cannula":
        return 2, "nasal cannula, flow not charted: grade 2 or higher", "S-GRADE-2b", ("oxygen flow",), ()
    return 2, "oxygen, device and flow not charted: grade 2 or higher", "S-GRADE-2b", ("oxygen device",), ()


def _device_doubt(support: Support) -> tuple[str, ...]:
    if support.device is not None:
        return ()
    if support.device_text:
        return (f"the oxygen device '{support.device_text}' is not recognised: graded by flow",)
    return () if support.doubts else ("the oxygen device is not charted: graded by flow",)


def _without_oxygen(
    support: Support,
    saturations: Sequence[OxygenSaturation],
    timeline: Timeline,
    scale: Scale,
    now: datetime,
) -> Finding:
    lowest = min(saturations, key=lambda reading: reading.percent, default=None)
    off = _is_off(support)
    evidence = (*_charted(support, now, scale), *((_saturation(lowest),) if lowest else ()))
    if lowest is not None and lowest.percent < scale.hypoxia_saturation:
        where = "on room air" if off else "no oxygen charted"
        return Finding(
            criterion=Criterion.HYPOXIA,
            state=State.MET,
            grade=2,
            headline=f"SpO2 {shown(lowest.percent)} %, {where}",
            rule=f"SpO2 below {shown(scale.hypoxia_saturation)} % without oxygen: provisional grade 2",
            rules=("S-GRADE-2b", "C16"),
            evidence=evidence,
            missing=() if off else (_no_support(timeline, scale),),
            floor=not off,
            doubts=(NO_OXYGEN_YET, *support.doubts),
            notes=support.notes,
        )
    missing = [] if off else [_unrecognised(support) or _no_support(timeline, scale)]
    if lowest is None:
        missing.append(f"SpO2 in the last {span(scale.oxygen_window)}")
    return Finding(
        criterion=Criterion.HYPOXIA,
        state=State.NOT_MET if off else State.UNKNOWN,
        rule="no oxygen in use" if off else "",
        evidence=evidence,
        missing=tuple(missing),
        floor=not off,
        doubts=support.doubts,
        notes=support.notes,
        unused=() if off else _stale(timeline, scale, now),
    )


def _is_off(support: Support) -> bool:
    """True when it is charted that no oxygen is given; a device that no rule knows says nothing."""
    return support.device is not None or (support.charted and not support.device_text)


NO_OXYGEN_YET = "SpO2 is low without oxygen: apply oxygen and regrade in minutes"


def _unrecognised(support: Support) -> str:
    return f"oxygen support: the device '{support.device_text}' is not recognised" if support.device_text else ""


def _no_support(timeline: Timeline, scale: Scale) -> str:
    words = f"oxygen support in the last {span(scale.oxygen_window)}"
    gap = timeline.gaps.get("oxygen")
    return f"{words} ({gap.reason})" if gap else words


def _stale(timeline: Timeline, scale: Scale, now: datetime) -> tuple[Unused, ...]:
    start = now - scale.oxygen_window
    earlier = [item for item in timeline.oxygen if item.last_true(now) < start]
    if not earlier:
        return ()
    last = earlier[-1]
    age = span(now - last.last_true(now))
    words = _words(_alone(last, scale))
    return (Unused(last.reference, f"{words} is {age} old, the limit is {span(scale.oxygen_window)}"),)


def _alone(item: OxygenSupport, scale: Scale) -> Support:
    return Support(
        device=scale.devices.get(item.device or ""), device_text=item.device_text, flow=item.flow, fio2=item.fio2
    )


def _words(support: Support) -> str:
    device = support.device.display if support.device else support.device_text
    if support.device and not support.device.in_use:
        return device
    amounts = [f"{shown(support.flow)} L/min"] if support.flow is not None else []
    if support.fio2 is not None:
        amounts.append(f"FiO2 {shown(support.fio2)} %")
    by_flow = support.device is None or support.device.grade is None
    parts = ["O2", *amounts, device] if by_flow else [device, *amounts]
    return " ".join(part for part in parts if part)


def _charted(support: Support, now: datetime, scale: Scale) -> tuple[Evidence, ...]:
    """The support as one reading where one resource charts it all, else a line per resource."""
    lines = []
    for item in support.sources:
        words = _words(_alone(item, scale))
        flags = f" ({', '.join(item.flags)})" if item.flags else ""
        lines.append(Evidence(item.reference, f"{words}{flags}", item.last_true(now)))
    return tuple(lines)


def _saturation(reading: OxygenSaturation) -> Evidence:
    flags = f" ({', '.join(reading.flags)})" if reading.flags else ""
    return Evidence(reading.reference, f"SpO2 {shown(reading.percent)} %{flags}", reading.time)


def _last_saturation(saturations: Sequence[OxygenSaturation]) -> tuple[Evidence, ...]:
    return (_saturation(saturations[-1]),) if saturations else ()


def latest_flow(timeline: Timeline, scale: Scale, now: datetime) -> Decimal | None:
    """The oxygen flow in L/min that counts at `now`, None when none is charted."""
    return _support(timeline, scale, now).flow

"""The oxygen support at one instant: what was charted last of device, flow and FiO2, put together.

A contradiction at one instant is decided by the worse (T61). Room air, or a flow of 0, overrides what was charted
before it (DQ-10), and a flow counts only with the device that it was charted for.
"""

from collections.abc import Callable, Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from decimal import Decimal
from operator import attrgetter
from typing import Any

from cds_service.crs.figures import span
from cds_service.crs.scale import Device, Scale
from cds_service.crs.timeline import Flag, OxygenSupport, Timeline, between

INVASIVE = ("intubation", "ventilator")
DEVICES_DIFFER = "oxygen devices charted at one time differ: the one with the higher grade was used"
BOTH_CHARTED = "oxygen and no oxygen are both charted: oxygen was counted"


@dataclass(frozen=True, slots=True, kw_only=True)
class Support:
    """The oxygen support at one instant; `device_text` is what the record calls a device that no rule knows.

    `given`: True when oxygen or positive pressure is charted, False when it is charted that there is none, None when
    the record does not say. `sources` are the readings that it was put together from.
    """

    device: Device | None = None
    device_text: str = ""
    flow: Decimal | None = None
    fio2: Decimal | None = None
    given: bool | None = None
    sources: tuple[OxygenSupport, ...] = ()
    notes: tuple[str, ...] = ()
    doubts: tuple[str, ...] = ()


def support_at(timeline: Timeline, scale: Scale, now: datetime) -> Support:
    """The oxygen support at `now`."""
    start = now - scale.oxygen_window
    lasting = [item for item in timeline.lasting_oxygen if item.time < start <= (item.until or item.time)]
    charted = [*lasting, *between(timeline.oxygen, start, now)]
    devices, excused = _devices(charted, _excuses(charted, timeline, scale, now), now)
    device, flow, fio2 = _readings(charted, devices, scale, now)
    known = scale.devices.get(device.device or "") if device else None
    support = Support(
        device=known,
        device_text=_name(device) if device and not known else "",
        flow=flow.flow if flow else None,
        fio2=fio2.fio2 if fio2 else None,
        sources=tuple(dict.fromkeys(item for item in (device, flow, fio2, *excused) if item)),
        notes=(DEVICES_DIFFER,) if len({_name(item) for item in devices}) > 1 else (),
        doubts=(*dict.fromkeys(excused.values()), *_ended(device, known, now)),
    )
    return _settled(support, scale)


def _settled(support: Support, scale: Scale) -> Support:
    """Whether oxygen is given. Where both is charted, and neither came later, oxygen counts."""
    device, flow = support.device, support.flow
    positive = device is not None and device.positive_pressure
    oxygen = bool(flow) or (support.fio2 is not None and support.fio2 > scale.room_air_fio2)
    none = (device is not None and not device.in_use) or (flow == 0 and not positive)
    if oxygen and none:
        return replace(
            support,
            device=device if device and device.in_use else None,
            flow=flow or None,
            given=True,
            sources=tuple(sorted(support.sources, key=lambda item: not (item.flow or item.fio2))),
            notes=(*support.notes, BOTH_CHARTED),
        )
    given: bool | None = None
    if oxygen or positive:
        given = True
    elif not support.device_text and support.sources:
        given = device is not None and not none
    return replace(support, given=given)


def _excuses(
    charted: Iterable[OxygenSupport], timeline: Timeline, scale: Scale, now: datetime
) -> dict[OxygenSupport, str]:
    """Home CPAP, and ventilation for the airway or a procedure, are not CRS hypoxia (C20): said, never silent."""
    homes = (fact for fact in timeline.diagnoses if fact.kind == "home-positive-pressure" and fact.time <= now)
    home = next(homes, None)
    airway = [item for item in charted if Flag.AIRWAY_ONLY in item.flags]
    excuses = {}
    for item in charted:
        device = scale.devices.get(item.device or "")
        if device is None or not device.positive_pressure:
            continue
        intubated = device.id in INVASIVE and any(tube.time <= item.time <= tube.last_true(now) for tube in airway)
        if device.id == "cpap" and home:
            excuses[item] = f"{device.display} was not counted: {home.display} is charted"
        elif item in airway or intubated:
            excuses[item] = f"{device.display} was not counted: charted for the airway or a procedure, not for hypoxia"
    return excuses


def _devices(
    charted: Iterable[OxygenSupport], excuses: Mapping[OxygenSupport, str], now: datetime
) -> tuple[list[OxygenSupport], dict[OxygenSupport, str]]:
    """The devices charted last, and those of them that are excused: then the others decide."""
    named = [item for item in charted if _name(item)]
    excused = {item: excuses[item] for item in _latest(named, now) if item in excuses}
    return _latest([item for item in named if item not in excuses], now), excused


def _readings(
    charted: Sequence[OxygenSupport], devices: Iterable[OxygenSupport], scale: Scale, now: datetime
) -> tuple[OxygenSupport | None, OxygenSupport | None, OxygenSupport | None]:
    """The readings that tell device, flow and FiO2, without what a later one overrides."""
    flow = _highest(charted, attrgetter("flow"), now)
    fio2 = _highest(charted, attrgetter("fio2"), now)
    litres = flow.flow if flow else None
    device = max(devices, key=lambda item: (_severity(item, litres, scale), _name(item)), default=None)
    if flow and device and _outdated(flow, device, charted, now):
        flow = None
    off = [item for item in (device,) if item and _severity(item, litres, scale) == 0]
    off += [item for item in (flow,) if item and item.flow == 0]
    since = max((item.last_true(now) for item in off), default=None)
    if since is not None:
        flow, fio2 = (item if item and item.last_true(now) >= since else None for item in (flow, fio2))
    return device, flow, fio2


def _highest(
    charted: Iterable[OxygenSupport], amount: Callable[[OxygenSupport], Any], now: datetime
) -> OxygenSupport | None:
    """Of the readings of this amount that were charted last the one where it is highest."""
    measured = [item for item in charted if amount(item) is not None]
    return max(_latest(measured, now), key=amount, default=None)


def _ended(item: OxygenSupport | None, device: Device | None, now: datetime) -> tuple[str, ...]:
    """A support that is charted to have ended counts as long as nothing newer is charted, but provisionally."""
    if item is None or device is None or item.until is None or not item.time < item.until < now:
        return ()
    return (f"{device.display} is charted until {span(now - item.until)} ago, and nothing since: confirm",)


def _latest(charted: Collection[OxygenSupport], now: datetime) -> list[OxygenSupport]:
    """What was charted last, with all that was still so at that time: a period of support lasts until its end."""
    newest = max((item.time for item in charted), default=now)
    return [item for item in charted if item.last_true(now) >= newest]


def _name(item: OxygenSupport) -> str:
    return item.device or item.device_text


def _severity(item: OxygenSupport, litres: Decimal | None, scale: Scale) -> int:
    """The grade that a device stands for; 1 for one that no rule knows, 0 for room air."""
    device = scale.devices.get(item.device or "")
    if device is None:
        return 1
    high = litres is not None and litres > scale.low_flow_maximum
    return (device.grade or (3 if high else 2)) if device.in_use else 0


def _outdated(flow: OxygenSupport, device: OxygenSupport, charted: Iterable[OxygenSupport], now: datetime) -> bool:
    """True for a flow charted before the device was put on or changed: it is not the flow of this device."""
    at = flow.last_true(now)
    if at >= device.last_true(now):
        return False
    before = _latest([item for item in charted if _name(item) and item.time <= at], at)
    changed = bool(before) and _name(device) not in {_name(item) for item in before}
    return changed or flow.flow == 0

"""Oxygen: saturation, flow, fraction and device (3.3, 3.4). Of several charted at once the graver counts (T61)."""

from collections import defaultdict
from collections.abc import Callable
from decimal import Decimal
from typing import Any

from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Flag, OxygenSaturation, OxygenSupport
from cds_service.crs.valuesets import Meaning
from cds_service.fhir import units
from cds_service.fhir.elements import member, name_of, texts
from cds_service.fhir.readers.chart import Chart
from cds_service.fhir.readers.parts import Part, Reading, amount, concept

LOW_FLOW = 2
"""What a device without a grade of its own weighs against others: the grade of the least oxygen."""

Device = tuple[str | None, str]


def read_oxygen(reading: Reading, parts: list[Part]) -> None:
    """Saturations one by one; device, flow and fraction together, because they were charted together."""
    chart, scale = reading.chart, reading.chart.scale
    groups: dict[str, list[Part]] = defaultdict(list)
    for part in parts:
        groups[part.meaning.group].append(part)
    for part, (percent, flags) in reading.each(groups["saturation"], lambda p: units.saturation(amount(p), scale)):
        reading.facts.saturations.append(
            OxygenSaturation(
                time=reading.time,
                reference=reading.reference,
                flags=reading.flagged(*part.flags, *flags),
                percent=percent,
            )
        )
    if groups.keys() == {"saturation"}:
        return
    flow, flow_flags = _highest(reading, groups["flow"], lambda p: _flow(p, scale))
    fio2, fio2_flags = _highest(reading, groups["fraction"], lambda p: units.fio2(amount(p), scale))
    charted = list(reading.each(groups["device"], lambda p: device_of(concept(p), chart)))
    device, device_text = gravest([found for _, found in charted], chart)
    if flow is None and fio2 is None and not charted:
        return
    device_flags = [flag for part, _ in charted for flag in part.flags]
    reading.facts.oxygen.append(
        OxygenSupport(
            time=reading.time,
            reference=reading.reference,
            flags=reading.flagged(*device_flags, *flow_flags, *fio2_flags),
            device=device,
            device_text=device_text,
            flow=flow,
            fio2=fio2,
        )
    )


def _highest(
    reading: Reading, parts: list[Part], read: Callable[[Part], units.Amount]
) -> tuple[Decimal | None, tuple[Flag, ...]]:
    values = [(value, (*part.flags, *flags)) for part, (value, flags) in reading.each(parts, read)]
    return max(values, key=lambda found: found[0], default=(None, ()))


def _flow(part: Part, scale: Scale) -> units.Amount:
    """A range of flows counts at its upper end, the safe side (DQ-16)."""
    upper = member(part.json, "valueRange", "high")
    if isinstance(upper, dict) and not part.json.get("dataAbsentReason"):
        value, flags = units.flow(units.quantity(upper), scale)
        return value, (*flags, Flag.UPPER_END_OF_RANGE)
    return units.flow(amount(part), scale)


def device_of(described: Any, chart: Chart) -> Device:
    """Device class of the scale and, for a device that no rule knows, what the record calls it (DQ-15).

    Codes and words count alike: "oxygen therapy" as the code of a "BiPAP" in the text is a BiPAP.
    """
    devices = chart.codebook.value_sets["oxygen-devices"]
    coded = [devices.by_code.get(pair) for pair in chart.codebook.pairs(described)]
    named = [found for words in texts(described) for found in devices.all_worded(words)]
    known: list[Device] = [(found.id, "") for found in (*coded, *named) if isinstance(found, Meaning)]
    return gravest(known, chart) if known else (None, name_of(described, "no name"))


def gravest(charted: list[Device], chart: Chart) -> Device:
    """The device with the highest grade; one that no rule knows stands above room air and below the others."""
    return max(charted, key=lambda device: _rank(device[0], chart), default=(None, ""))


def _rank(device_id: str | None, chart: Chart) -> int:
    if device_id is None:
        return 1
    device = chart.scale.devices[device_id]
    return (device.grade or LOW_FLOW) if device.in_use else 0

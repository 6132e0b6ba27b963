"""Oxygen devices: a code decides, else the words; of several devices named in one text the gravest counts."""

from typing import Any

from cds_service.crs.valuesets import Meaning
from cds_service.fhir.elements import texts
from cds_service.fhir.readers.chart import Chart

LOW_FLOW = 2


def device_of(concept: Any, chart: Chart) -> tuple[str | None, str]:
    """Device class of the scale and, for a device that no rule knows, what the record calls it (DQ-15)."""
    devices = chart.codebook.value_sets["oxygen-devices"]
    coded = devices.find(chart.codebook.pairs(concept), ())
    if isinstance(coded, Meaning):
        return coded.id, ""
    words = texts(concept)
    named = [member for text in words for member in devices.find_words(text) if isinstance(member, Meaning)]
    if named:
        return max(named, key=lambda member: _rank(member.id, chart)).id, ""
    return None, words[0] if words else "no name"


def _rank(device_id: str, chart: Chart) -> int:
    device = chart.scale.devices[device_id]
    return (device.grade or LOW_FLOW) if device.in_use else 0

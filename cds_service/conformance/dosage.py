"""The rules of a medication order's dosage, all this service's own but FHIR R4 itself (order-, N-04, N-06)."""

import re
from collections.abc import Mapping
from decimal import Decimal
from typing import Any

from cds_service.conformance.faults import Faults, at, is_empty, is_number, names
from cds_service.conformance.r4 import judge_concept

_UCUM = "http://unitsofmeasure.org"
_DOSAGE = names("""
    id modifierExtension sequence text additionalInstruction patientInstruction timing asNeededBoolean
    asNeededCodeableConcept site route method doseAndRate maxDosePerPeriod maxDosePerAdministration maxDosePerLifetime
""")
_REPEAT = names("""
    id boundsDuration boundsRange boundsPeriod count countMax duration durationMax durationUnit frequency frequencyMax
    period periodMax periodUnit dayOfWeek timeOfDay when offset
""")
_TOCILIZUMAB = re.compile(r"tocilizumab|actemra|tofidence|tyenne|avtozma|\b612865\b")
_SUBCUTANEOUS = re.compile(r"subcut|\bsc\b|\bsq\b|\b34206005\b")


def judge_medication(out: Faults, order: dict[str, Any], path: str, name: str, saying: Mapping[str, str]) -> None:
    """Judge the dosages of a medication order; `name` is every word of the drug, `saying` the texts by their place."""
    if "dosageInstruction" not in order:
        out.add("order-dose", path, "`dosageInstruction` is missing")
    if not isinstance(order.get("dosageInstruction", []), list):
        return  # G-5 has said so
    tocilizumab = bool(_TOCILIZUMAB.search(name))
    most, rule = (800, "N-04") if tocilizumab else (1000, "order-dose")
    for n, (where, dosage) in enumerate(out.objects(order, "dosageInstruction", path, "order-dose")):
        first = n == 0
        required = {"text": "order-dose"} | ({"doseAndRate": "order-dose", "route": "order-route"} if first else {})
        out.members(dosage, where, required, _DOSAGE, unknown="G-5")
        text = out.text(dosage, "text", where, "order-dose") or ""
        # R4 does not ask for a coded route, and no route code was read in a public source
        route = judge_concept(out, dosage, "route", where, "order-route", coded=False)
        if tocilizumab and _SUBCUTANEOUS.search(f"{route} {text}".lower()):
            out.add("N-06", where, "tocilizumab for CRS is never subcutaneous")
        _timing(out, dosage, where, needed=first)
        doses = _doses(out, dosage, where, needed=first)
        for dose in doses:
            if dose > most:
                out.add(rule, where, f"{dose} mg is above {most} mg")
        if first and doses:
            for place, words in {**saying, "dosage text": text}.items():
                if not _says(words, doses[0]):
                    out.add("order-dose-said", where, f"{doses[0]} mg does not stand in the {place}")


def _timing(out: Faults, dosage: dict[str, Any], path: str, *, needed: bool) -> None:
    if needed and not {"timing", "asNeededBoolean", "asNeededCodeableConcept"} & dosage.keys():
        out.add("order-timing", path, "has neither timing nor asNeeded")
    timing = out.object(dosage, "timing", path, "G-5")
    if timing is None:
        return
    out.members(timing, at(path, "timing"), {}, ("id", "event", "repeat", "code"), unknown="G-5")
    repeat = out.object(timing, "repeat", at(path, "timing"), "G-5") or {}
    out.members(repeat, at(at(path, "timing"), "repeat"), {}, _REPEAT, unknown="G-5")
    if repeat.keys() & {"frequency", "period", "periodUnit"}:
        numbers = [repeat.get("frequency", 1), repeat.get("period")]
        units = {"s", "min", "h", "d", "wk", "mo", "a"}
        if (
            not all(is_number(n) and n > 0 for n in numbers)
            or numbers[0] % 1
            or str(repeat.get("periodUnit")) not in units
        ):
            out.add("order-timing", at(path, "timing"), "a frequency needs a period above 0 and its unit")


def _doses(out: Faults, dosage: dict[str, Any], path: str, *, needed: bool) -> list[Decimal]:
    """The doses in mg that can be read."""
    doses = []
    for n, (where, rate) in enumerate(out.objects(dosage, "doseAndRate", path, "G-5")):
        required = {"doseQuantity": "order-dose"} if needed and n == 0 else {}
        optional = ("id", "type", "doseQuantity", "doseRange", "rateRatio", "rateRange", "rateQuantity")
        out.members(rate, where, required, optional, unknown="G-5")
        quantity, where = out.object(rate, "doseQuantity", where, "order-dose"), at(where, "doseQuantity")
        if quantity is None:
            continue
        unit = {"unit": "mg", "system": _UCUM, "code": "mg"}
        out.members(quantity, where, dict.fromkeys(("value", *unit), "order-dose"), unknown="order-dose")
        for name, expected in unit.items():
            out.one_of(quantity, name, where, "order-dose", {expected})
        value: Any = quantity.get("value")
        if is_number(value) and value > 0:
            doses.append(Decimal(str(value)))
        elif not is_empty(value):
            out.add("order-dose", at(where, "value"), f"{value!r} is not a number above 0")
    return doses


def _says(text: str, dose: Decimal) -> bool:
    """Whether the text holds this dose in mg (656 mg, 1000 mg, 1,000 mg), and not as a dose per kilogram."""
    plain = f"{dose:f}"
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    numbers = {plain, f"{Decimal(plain):,f}"}
    return any(re.search(rf"(?<![\d.,]){re.escape(n)}\s?mg\b(?!\s?/\s?kg)", text) for n in numbers)

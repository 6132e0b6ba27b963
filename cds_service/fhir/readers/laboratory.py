"""Laboratory results: the number in the unit of content with the report's own limit, or why there is none (3.6)."""

from decimal import Decimal

from cds_service.crs.timeline import LabResult
from cds_service.fhir import units
from cds_service.fhir.elements import Json, Unusable, codings, objects, text, texts
from cds_service.fhir.readers.parts import Part, Reading, amount, has_value


def read_results(reading: Reading, parts: list[Part]) -> None:
    """A result that is there; a panel needs no value of its own."""
    for part in parts:
        if has_value(part.json) or part.meaning.id.endswith("-panel"):
            reading.facts.labs.append(_result(reading, part))


def _result(reading: Reading, part: Part) -> LabResult:
    value, comparator, charted = _number(part)
    return LabResult(
        time=reading.time,
        reference=reading.reference,
        flags=reading.flagged(*part.flags),
        test=part.meaning.id,
        item=part.meaning.group,
        name=part.meaning.display,
        value=value,
        comparator=comparator,
        upper_limit=_upper_limit(part),
        charted=charted,
    )


def _number(part: Part) -> tuple[Decimal | None, str, str]:
    """The number with its comparator, and what is charted; without a number also the reason, where one is needed."""
    charted = _words(part.json)
    if not part.meaning.unit or not has_value(part.json):
        return None, "", charted
    try:
        found = amount(part)
        return units.laboratory(found, part.meaning), found.comparator, charted
    except Unusable as reason:
        return None, "", f"{charted} [{reason}]".lstrip()


def _words(json: Json) -> str:
    """The value as charted, in words; empty when it is neither a quantity nor text."""
    charted = json.get("valueQuantity")
    if not isinstance(charted, dict):
        return text(json.get("valueString")) or next(iter(texts(json.get("valueCodeableConcept"))), "")
    try:
        return str(units.quantity(charted))
    except Unusable:
        return ""


def _upper_limit(part: Part) -> Decimal | None:
    """The upper limit of normal of this report; of several that differ the lowest, which warns first.

    A limit without a unit is in the unit of the result.
    """
    highs = [item["high"] for item in objects(part.json.get("referenceRange")) if _of_normal(item) and "high" in item]
    limits = [limit for limit in (_limit(high, part) for high in highs) if limit]
    return min(limits, default=None)


def _limit(high: Json, part: Part) -> Decimal | None:
    try:
        bare = not high.get("unit") and not high.get("code")
        result = part.json.get("valueQuantity", {})
        charted = {**high, "unit": result.get("unit"), "code": result.get("code")} if bare else high
        return units.laboratory(units.quantity(charted), part.meaning) if part.meaning.unit else None
    except (Unusable, AttributeError):
        return None


def _of_normal(reference_range: Json) -> bool:
    """True for a range of normal: one without a type, or of type `normal`."""
    kind = reference_range.get("type")
    return kind is None or any(code == "normal" for _, code in codings(kind))

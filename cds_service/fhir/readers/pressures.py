"""Blood pressure: panels, their components, and systolic pressures charted alone (3.2, DQ-05, DQ-06, DQ-17, DQ-30)."""

from decimal import Decimal

from cds_service.crs.timeline import BloodPressure, Flag, MeanPressure
from cds_service.fhir import units
from cds_service.fhir.elements import Unusable
from cds_service.fhir.readers.parts import Part, Reading, amount, has_value

Values = list[units.Amount]


def read_pressures(reading: Reading, parts: list[Part]) -> None:
    """Each systolic pressure with the diastolic of its method, and each mean pressure: that is in no rule."""
    before = len(reading.reasons)
    diastolic = [part for part in parts if part.meaning.group == "diastolic"]
    below = {method(part): value for part, (value, _) in reading.each(diastolic, lambda p: _alone(p, reading))}
    charted = [part for part in parts if part.meaning.group in ("systolic", "panel") and not _only_groups(part)]
    found = 0
    for part, values in reading.each(charted, lambda p: _values(p, reading)):
        found += 1
        (systolic, flags), *pair = values
        standing = (Flag.STANDING,) if part.meaning.id.endswith("-standing") else ()
        reading.facts.pressures.append(
            BloodPressure(
                time=reading.time,
                reference=reading.reference,
                flags=reading.flagged(*part.flags, *flags, *standing),
                systolic=systolic,
                diastolic=pair[0][0] if pair else below.get(method(part), below.get("")),
                method=method(part),
            )
        )
    panel = any(part.meaning.group == "panel" and not part.json.get("hasMember") for part in parts)
    if panel and not found and len(reading.reasons) == before:
        reading.reasons.append("blood pressure: no systolic pressure in it")
    means = [part for part in parts if part.meaning.group == "mean"]
    for part, (mmhg, flags) in reading.each(means, lambda p: _alone(p, reading)):
        reading.facts.means.append(
            MeanPressure(
                time=reading.time,
                reference=reading.reference,
                flags=reading.flagged(*part.flags, *flags),
                mmhg=mmhg,
                method=method(part),
            )
        )


def method(part: Part) -> str:
    """`invasive`, `cuff`, or empty where the code does not say it."""
    charted = part.meaning.id.partition("-")[2]
    return charted if charted in ("invasive", "cuff") else ""


def _only_groups(part: Part) -> bool:
    return part.meaning.group == "panel" and not has_value(part.json) and not part.json.get("dataAbsentReason")


def _values(part: Part, reading: Reading) -> Values:
    """The systolic pressure, followed by the diastolic where `120/80` is charted as text (DQ-14)."""
    written = part.json.get("valueString")
    if isinstance(written, str) and written.count("/") == 1 and has_value(part.json):
        above, _, below = written.partition("/")
        scale = reading.chart.scale
        return [
            units.pressure(units.written(above), "systolic", scale),
            units.pressure(units.written(below), "diastolic", scale),
        ]
    if part.meaning.group == "panel":
        amount(part)
        raise Unusable("one number does not say which pressure it is")
    return [_alone(part, reading)]


def _alone(part: Part, reading: Reading) -> tuple[Decimal, tuple[Flag, ...]]:
    """What is plausible of a diastolic pressure is so of a mean one."""
    kind = "diastolic" if part.meaning.group in ("diastolic", "mean") else "systolic"
    return units.pressure(amount(part), kind, reading.chart.scale)

"""Observations: vital signs, oxygen, weight, laboratory, cultures, scores, and vasopressors charted as Observations."""

from collections.abc import Iterable, Iterator
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from cds_service.crs.scale import Scale
from cds_service.crs.timeline import (
    FOREVER,
    BloodPressure,
    BodyWeight,
    Culture,
    Flag,
    LabResult,
    OxygenSaturation,
    OxygenSupport,
    Score,
    Temperature,
    Vasoactive,
)
from cds_service.crs.valuesets import Meaning, Refusal
from cds_service.fhir import units
from cds_service.fhir.elements import (
    Json,
    Unusable,
    first_event,
    interval,
    member,
    moment,
    not_after,
    objects,
    text,
    texts,
)
from cds_service.fhir.readers.chart import Chart, Facts, reference_to
from cds_service.fhir.readers.cultures import result_step
from cds_service.fhir.readers.devices import device_of

USED = ("final", "amended", "corrected", "preliminary")


class _Reading:
    """One Observation with the parts of it that a fact is put together from."""

    def __init__(self, resource: Json, chart: Chart, facts: Facts) -> None:
        self.resource = resource
        self.chart = chart
        self.facts = facts
        self.reference = reference_to(resource)
        self.time, self.flags = _time(resource, chart)
        self.systolic: tuple[Decimal, tuple[Flag, ...], str] | None = None
        self.diastolic: Decimal | None = None
        self.oxygen: dict[str, Any] = {}
        self.oxygen_flags: tuple[Flag, ...] = ()
        self.reasons: list[str] = []


def read(resource: Json, chart: Chart, facts: Facts) -> None:
    """Add what an Observation and its components say. One that is about nothing the rules know adds nothing."""
    parts = list(_parts(resource, chart))
    if not parts:
        return
    _usable_status(resource)
    reading = _Reading(resource, chart, facts)
    for name, found, by_word, part in parts:
        try:
            if isinstance(found, Refusal):
                raise Unusable(found.reason)
            _add(reading, name, found, (Flag.NAME_ONLY,) if by_word else (), part)
        except Unusable as error:
            reading.reasons.append(str(error))
    _finish(reading)
    if reading.reasons:
        raise Unusable("; ".join(dict.fromkeys(reading.reasons)))


def _parts(resource: Json, chart: Chart) -> Iterator[tuple[str, Meaning | Refusal, bool, Json]]:
    """The Observation itself and its components, each with what it is about."""
    for part in (resource, *objects(resource.get("component"))):
        found = chart.codebook.observation(part.get("code"))
        if found is not None:
            yield (*found, part)


def _usable_status(resource: Json) -> None:
    """DQ-35: what is not final, amended, corrected or preliminary is not used."""
    status = resource.get("status")
    if status not in USED:
        raise Unusable(f"status is {text(status) or 'missing'}")


def _time(resource: Json, chart: Chart) -> tuple[datetime, tuple[Flag, ...]]:
    """When it was true (DQ-37): a period counts at its end, an open one now; the time of issue is a last resort."""
    flags: tuple[Flag, ...] = (Flag.PRELIMINARY,) if resource.get("status") == "preliminary" else ()
    period = resource.get("effectivePeriod")
    if isinstance(period, dict):
        end = interval(period, chart.zone).end
        return not_after(chart.now if end == FOREVER else end, chart.now, chart.scale.clock_skew), flags
    timing = resource.get("effectiveTiming")
    charted = (
        moment(resource.get("effectiveDateTime"), chart.zone)
        or moment(resource.get("effectiveInstant"), chart.zone)
        or first_event(timing, chart.zone)
    )
    if charted is None and not any(
        isinstance(resource.get(name), str) for name in ("effectiveDateTime", "effectiveInstant")
    ):
        charted = moment(resource.get("issued"), chart.zone)
        flags = (*flags, Flag.ISSUED_TIME)
    if charted is None:
        raise Unusable("its time cannot be read")
    if charted.whole_day and not _may_be_a_day(resource, chart):
        raise Unusable("it has a date and no time")
    if charted.assumed_zone:
        flags = (*flags, Flag.ASSUMED_ZONE)
    return not_after(charted.time, chart.now, chart.scale.clock_skew), flags


def _may_be_a_day(resource: Json, chart: Chart) -> bool:
    """A weight or a laboratory result of a day is still a weight; a temperature of a day is of no hour (DQ-38)."""
    found = chart.codebook.observation(resource.get("code"))
    return found is not None and found[0] in ("weight", "laboratory", "cultures")


def _add(reading: _Reading, name: str, found: Meaning, flags: tuple[Flag, ...], part: Json) -> None:
    flags = (*reading.flags, *flags)
    match name:
        case "temperature":
            amount, more = units.temperature(_amount(part), reading.chart.scale)
            site = found.display or _site(reading.resource)
            reading.facts.temperatures.append(
                Temperature(
                    time=reading.time, reference=reading.reference, flags=(*flags, *more), celsius=amount, site=site
                )
            )
        case "blood-pressure":
            _add_pressure(reading, found, flags, part)
        case "oxygen":
            _add_oxygen(reading, found, flags, part)
        case "weight":
            amount, more = units.weight(_amount(part), reading.chart.scale)
            reading.facts.weights.append(
                BodyWeight(
                    time=reading.time,
                    reference=reading.reference,
                    flags=(*flags, *more),
                    kilograms=amount,
                    how=found.id,
                )
            )
        case "laboratory":
            if _has_value(part) or found.id.endswith("-panel"):
                reading.facts.labs.append(
                    LabResult(time=reading.time, reference=reading.reference, flags=flags, test=found.id)
                )
        case "cultures":
            step = result_step(reading.resource, _concept_texts(part), reading.chart)
            issued = moment(reading.resource.get("issued"), reading.chart.zone)
            known = issued.time if issued and step in ("negative", "positive") else reading.time
            known = min(known, reading.chart.now)
            reading.facts.cultures.append(Culture(time=known, reference=reading.reference, flags=flags, step=step))
        case "scores":
            reading.facts.scores.append(
                Score(
                    time=reading.time, reference=reading.reference, flags=flags, instrument=found.id, value=_score(part)
                )
            )
        case "vasoactives":
            _add_vasoactive(reading, found, flags, part)


def _amount(part: Json) -> units.Quantity:
    """The value as a quantity; a string is read when it is nothing but a number (DQ-14)."""
    if isinstance(part.get("dataAbsentReason"), dict):
        raise Unusable("the value is charted as absent")
    value = part.get("valueQuantity")
    if isinstance(value, dict):
        return units.quantity(value)
    if isinstance(part.get("valueString"), str):
        return units.written(part["valueString"])
    if part.get("valueInteger") is not None:
        return units.Quantity(units.number(part["valueInteger"]), "")
    raise Unusable("it has no value")


def _has_value(part: Json) -> bool:
    return any(name.startswith("value") for name in part) and not isinstance(part.get("dataAbsentReason"), dict)


def _site(resource: Json) -> str:
    """The body site where the code does not say it; shown, never used to correct (3.1)."""
    words = texts(resource.get("bodySite")) or texts(resource.get("method"))
    return words[0].lower() if words else ""


def _method(found: Meaning) -> str:
    method = found.id.partition("-")[2]
    return method if method in ("invasive", "cuff") else ""


def _add_pressure(reading: _Reading, found: Meaning, flags: tuple[Flag, ...], part: Json) -> None:
    if found.group == "panel":
        written = part.get("valueString")
        if isinstance(written, str) and part is reading.resource:
            _add_written_pressure(reading, written, flags)
        return
    if found.group == "systolic":
        written = part.get("valueString")
        if isinstance(written, str) and "/" in written:
            _add_written_pressure(reading, written, flags)
            return
        amount, more = units.pressure(_amount(part), "systolic", reading.chart.scale)
        if found.id.endswith("-standing"):
            more = (*more, Flag.STANDING)
        reading.systolic = (amount, (*flags, *more), _method(found))
    elif found.group == "diastolic":
        try:
            reading.diastolic, _ = units.pressure(_amount(part), "diastolic", reading.chart.scale)
        except Unusable:
            reading.diastolic = None


def _add_written_pressure(reading: _Reading, written: str, flags: tuple[Flag, ...]) -> None:
    """`120/80` charted as text (DQ-14)."""
    systolic, _, diastolic = written.partition("/")
    amount, more = units.pressure(units.written(systolic), "systolic", reading.chart.scale)
    below, _ = units.pressure(units.written(diastolic), "diastolic", reading.chart.scale)
    reading.systolic, reading.diastolic = (amount, (*flags, *more), ""), below


def _add_oxygen(reading: _Reading, found: Meaning, flags: tuple[Flag, ...], part: Json) -> None:
    scale = reading.chart.scale
    if found.id == "saturation":
        if part is reading.resource and not _has_value(part) and objects(part.get("component")):
            return
        amount, more = units.saturation(_amount(part), scale)
        reading.facts.saturations.append(
            OxygenSaturation(time=reading.time, reference=reading.reference, flags=(*flags, *more), percent=amount)
        )
        return
    more = ()
    if found.id == "flow":
        reading.oxygen["flow"], more = _flow(part, scale)
    elif found.id == "fraction":
        reading.oxygen["fio2"], more = units.fio2(_amount(part), scale)
    else:
        reading.oxygen["device"], reading.oxygen["device_text"] = device_of(_device_concept(part), reading.chart)
    reading.oxygen_flags = tuple(dict.fromkeys((*reading.oxygen_flags, *flags, *more)))


def _flow(part: Json, scale: Scale) -> units.Amount:
    """A range of flows counts at its upper end, the safe side (DQ-16)."""
    upper = member(part, "valueRange", "high")
    if isinstance(upper, dict):
        amount, more = units.flow(units.quantity(upper), scale)
        return amount, (*more, Flag.UPPER_END_OF_RANGE)
    return units.flow(_amount(part), scale)


def _device_concept(part: Json) -> Json:
    concept = part.get("valueCodeableConcept")
    if isinstance(concept, dict):
        return concept
    if isinstance(part.get("valueString"), str):
        return {"text": part["valueString"]}
    raise Unusable("it has no value")


def _concept_texts(part: Json) -> list[str]:
    value = part.get("valueString")
    return [text(value)] if isinstance(value, str) else texts(part.get("valueCodeableConcept"))


def _score(part: Json) -> Decimal:
    concept = part.get("valueCodeableConcept")
    if isinstance(concept, dict):
        grade = next((words.split()[-1] for words in texts(concept) if words.split()[-1].isdigit()), None)
        if grade is None:
            raise Unusable("the score is not a number")
        return Decimal(grade)
    return _amount(part).value


def _add_vasoactive(reading: _Reading, found: Meaning, flags: tuple[Flag, ...], part: Json) -> None:
    """A rate charted as an Observation: running while it is the latest and not zero (3.9)."""
    amount = _amount(part)
    rate = f"{amount.value.normalize():f} {amount.unit}".strip()
    if amount.value < 0:
        raise Unusable("the rate is negative")
    until = FOREVER if amount.value > 0 else reading.time
    reading.facts.vasoactives.append(
        Vasoactive(
            time=reading.time,
            reference=reading.reference,
            flags=flags,
            agent=found.display,
            role=found.group,
            until=until,
            rate=rate,
        )
    )


def _finish(reading: _Reading) -> None:
    """Put together what several components said."""
    if reading.systolic is not None:
        systolic, flags, method = reading.systolic
        reading.facts.pressures.append(
            BloodPressure(
                time=reading.time,
                reference=reading.reference,
                flags=flags,
                systolic=systolic,
                diastolic=reading.diastolic,
                method=method,
            )
        )
    if reading.oxygen:
        reading.facts.oxygen.append(
            OxygenSupport(
                time=reading.time,
                reference=reading.reference,
                flags=reading.oxygen_flags,
                device=reading.oxygen.get("device"),
                device_text=reading.oxygen.get("device_text", ""),
                flow=reading.oxygen.get("flow"),
                fio2=reading.oxygen.get("fio2"),
            )
        )


def chained(infusions: Iterable[Vasoactive], scale: Scale) -> list[Vasoactive]:
    """Rates charted as Observations: each holds until the next of its agent, and at most for the stale limit."""
    latest: dict[str, datetime] = {}
    ended = []
    for infusion in sorted(infusions, key=lambda item: item.time, reverse=True):
        if infusion.reference.startswith("Observation/"):
            stale = infusion.time + scale.vasoactive_history
            infusion = replace(infusion, until=min(infusion.until, latest.get(infusion.agent, stale), stale))
            latest[infusion.agent] = infusion.time
        ended.append(infusion)
    return ended

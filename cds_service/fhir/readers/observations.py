"""Observations: what each part is about, whether it may be used, and the simple facts: temperature, weight, scores."""

import re
from collections.abc import Callable, Mapping
from decimal import Decimal

from cds_service.crs.timeline import BodyWeight, Cause, Flag, Score, Temperature
from cds_service.crs.valuesets import Refusal
from cds_service.fhir import units
from cds_service.fhir.codebook import READING_HINT
from cds_service.fhir.elements import Json, Unusable, member, objects, text, texts
from cds_service.fhir.readers.chart import Chart, Facts, reference_to
from cds_service.fhir.readers.cultures import reported, result_step
from cds_service.fhir.readers.laboratory import read_results
from cds_service.fhir.readers.oxygen import read_oxygen
from cds_service.fhir.readers.parts import Part, Reading, amount, concept, site
from cds_service.fhir.readers.pressures import read_pressures
from cds_service.fhir.readers.times import observed
from cds_service.fhir.readers.vasoactives import read_rates

USED = ("final", "amended", "corrected", "preliminary")
OF_A_DAY = ("weight", "laboratory", "cultures")
"""Kinds that a date without a time still says something about (DQ-38)."""
MOST_REASONS = 8
HIGHEST_SCORE = {"ice-score": 10, "capd-score": 32, "crs-grade": 5}
_LAST_NUMBER = re.compile(r"(?<!\d)(\d{1,2})$", re.ASCII)


def read(resource: Json, chart: Chart, facts: Facts) -> None:
    """Add what an Observation and its components say. One that is about nothing the rules know adds nothing.

    Raises Unusable with the reasons for every part of it that was not used.
    """
    parts, refused = parts_of(resource, chart)
    if not parts and not refused:
        unrecognised = chart.codebook.unrecognised(resource.get("code"), READING_HINT)
        if unrecognised is not None:
            raise unrecognised
        return
    if not parts:
        raise _together(refused)
    reading = _reading(resource, parts, chart, facts)
    kinds: dict[str, list[Part]] = {}
    for part in parts:
        kinds.setdefault(part.kind, []).append(part)
    for kind in sorted(kinds):
        READ[kind](reading, kinds[kind])
    if refused or reading.reasons:
        raise _together([*refused, *map(Unusable, reading.reasons)])


def _together(refused: list[Unusable]) -> Unusable:
    """The reasons in one line, each once, the first few of very many; the cause is that of one not recognised."""
    said = list(dict.fromkeys(map(str, refused)))
    more = len(said) - MOST_REASONS
    words = "; ".join((*said[:MOST_REASONS], f"and {more} more")) if more > 0 else "; ".join(said)
    first = next((one for one in refused if one.cause is Cause.UNRECOGNISED), refused[0])
    return Unusable(words, first.cause, first.about)


def parts_of(resource: Json, chart: Chart) -> tuple[list[Part], list[Unusable]]:
    """The Observation and its components with what they are about, and the reasons of those that are refused."""
    parts, refused = [], []
    for json in (resource, *objects(resource.get("component"))):
        try:
            found = chart.codebook.observation(json.get("code"))
        except Unusable as error:
            refused.append(error)
            continue
        if found is None:
            continue
        kind, meaning, by_word = found
        if isinstance(meaning, Refusal):
            refused.append(Unusable(meaning.reason))
        else:
            flags = (Flag.NAME_ONLY,) if by_word else ()
            parts.append(Part(kind, meaning, json, flags, own=json is resource))
    return parts, refused


def _reading(resource: Json, parts: list[Part], chart: Chart, facts: Facts) -> Reading:
    """The Observation with its time. Raises Unusable, with what it is about, when nothing of it may be used."""
    try:
        status = resource.get("status")
        if status not in USED:
            raise Unusable(f"status is {text(status) or 'missing'}")
        if "focus" in resource and not _is_its_own_focus(resource):
            raise Unusable("it is not about the patient, but about what it names as its focus")
        when = observed(resource, chart)
        if when.whole_day and not all(part.kind in OF_A_DAY for part in parts):
            raise Unusable("it has a date and no time")
    except Unusable as error:
        raise Unusable(f"{', '.join(dict.fromkeys(part.name for part in parts))}: {error}") from error
    preliminary = (Flag.PRELIMINARY,) if status == "preliminary" else ()
    return Reading(resource, chart, facts, reference_to(resource), when.time, (*preliminary, *when.flags))


def _is_its_own_focus(resource: Json) -> bool:
    subject = member(resource, "subject", "reference")
    return all(member(item, "reference") == subject for item in objects(resource["focus"]))


def _read_temperatures(reading: Reading, parts: list[Part]) -> None:
    scale = reading.chart.scale
    for part, (celsius, flags) in reading.each(parts, lambda p: units.temperature(amount(p), scale)):
        reading.facts.temperatures.append(
            Temperature(
                time=reading.time,
                reference=reading.reference,
                flags=reading.flagged(*part.flags, *flags),
                celsius=celsius,
                site=part.meaning.display or site(reading.resource),
            )
        )


def _read_weights(reading: Reading, parts: list[Part]) -> None:
    scale = reading.chart.scale
    for part, (kilograms, flags) in reading.each(parts, lambda p: units.weight(amount(p), scale)):
        reading.facts.weights.append(
            BodyWeight(
                time=reading.time,
                reference=reading.reference,
                flags=reading.flagged(*part.flags, *flags),
                kilograms=kilograms,
                how=part.meaning.id,
            )
        )


def _read_cultures(reading: Reading, parts: list[Part]) -> None:
    for part in parts:
        words = [part.json.get("valueString"), *texts(part.json.get("valueCodeableConcept"))]
        step = result_step(reading.resource, words, reading.chart)
        flags = reading.flagged(*part.flags)
        reading.facts.cultures.append(reported(reading.resource, step, reading.time, flags, reading.chart))


def _read_scores(reading: Reading, parts: list[Part]) -> None:
    for part, value in reading.each(parts, _score):
        reading.facts.scores.append(
            Score(
                time=reading.time,
                reference=reading.reference,
                flags=reading.flagged(*part.flags),
                instrument=part.meaning.id,
                value=value,
            )
        )


def _score(part: Part) -> Decimal:
    """A whole number in the range of the instrument; of a term such as `Grade 2` the number at its end."""
    if isinstance(part.json.get("valueCodeableConcept"), dict):
        ends = [_LAST_NUMBER.search(words) for words in texts(concept(part))]
        charted = units.Quantity(Decimal(next((end[1] for end in ends if end), "-1")))
    else:
        charted = amount(part)
    highest = HIGHEST_SCORE[part.meaning.id]
    if charted.comparator or charted.value != int(charted.value) or not 0 <= charted.value <= highest:
        raise Unusable(f"the score is not a whole number from 0 to {highest}")
    return charted.value


READ: Mapping[str, Callable[[Reading, list[Part]], None]] = {
    "temperature": _read_temperatures,
    "blood-pressure": read_pressures,
    "oxygen": read_oxygen,
    "weight": _read_weights,
    "laboratory": read_results,
    "cultures": _read_cultures,
    "scores": _read_scores,
    "vasoactives": read_rates,
}

"""Vasoactive drugs: infusions and boluses given, and rates charted as Observations (3.9, DQ-50 to DQ-60)."""

from bisect import bisect_right
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import replace
from datetime import datetime
from decimal import Decimal
from typing import Any

from cds_service.crs.scale import Scale
from cds_service.crs.timeline import FOREVER, Vasoactive
from cds_service.crs.valuesets import Meaning
from cds_service.fhir import units
from cds_service.fhir.codebook import Found
from cds_service.fhir.elements import Json, Unusable, member, objects, text, texts
from cds_service.fhir.readers.chart import Chart, reference_to
from cds_service.fhir.readers.parts import Part, Reading, amount
from cds_service.fhir.readers.times import Stretch, stretch


def vasoactive(resource: Json, found: Found, chart: Chart) -> Vasoactive:
    """An infusion with its end, or a bolus (DQ-50 to DQ-56). Raises Unusable for what is no intravenous drug."""
    dosage = next(iter(objects(resource.get("dosage"))), {})
    _intravenous(dosage, chart)
    rate, in_words = _rate(dosage)
    if rate is not None and rate <= 0:
        raise Unusable(f"the rate is {rate.normalize():f}")
    status = resource.get("status")
    given = stretch(resource, "effective", chart, needs_end=status != "in-progress")
    time = chart.happened(given.start)
    until = _end(given, status, chart)
    return Vasoactive(
        time=time,
        reference=reference_to(resource),
        flags=(*found.flags, *given.flags),
        agent=found.meaning.display,
        role=found.meaning.group,
        until=time if until is None else until,
        rate=in_words,
        bolus=until is None,
    )


def _end(given: Stretch, status: Any, chart: Chart) -> datetime | None:
    """When the infusion ended: FOREVER while it runs, None for a bolus.

    What is in progress runs, also when only the day of its start is charted. What is not does not run.
    """
    if status == "in-progress":
        return given.end.end if given.end else FOREVER
    if given.start.whole_day:
        raise Unusable("it has a date and no time")
    if given.end is not None:
        return min(given.end.end, chart.now)
    if status == "completed" and not given.is_period:
        return None
    raise Unusable(f"status is {text(status)}, and the time it ended is not charted")


def _intravenous(dosage: Any, chart: Chart) -> None:
    """Only what runs into a vein is a vasopressor; a route that is not charted is taken to be intravenous (3.9)."""
    routes = chart.codebook.value_sets["routes"]
    words = texts(member(dosage, "route")) or [text(member(dosage, "text"), limit=1000)]
    named = [found for item in words for found in routes.all_worded(item) if isinstance(found, Meaning)]
    if named and all(route.group != "intravenous" for route in named):
        raise Unusable(f"the route is {named[0].display}")


def _rate(dosage: Any) -> tuple[Decimal | None, str]:
    """Rate as a number and in words; None when no rate is charted, or none that can be read."""
    charted = member(dosage, "rateQuantity")
    if not isinstance(charted, dict):
        charted = member(dosage, "rateRatio", "numerator")
    try:
        quantity = units.quantity(charted) if isinstance(charted, dict) else None
    except Unusable:
        quantity = None
    if quantity is None:
        return None, ""
    unit = text(member(charted, "unit")) or text(member(charted, "code"))
    return quantity.value, f"{quantity.value.normalize():f} {unit.replace('ug', 'µg')}".strip()


def read_rates(reading: Reading, parts: list[Part]) -> None:
    """A rate charted as an Observation: running while it is the latest and not zero (3.9)."""
    for part, (value, in_words) in reading.each(parts, lambda p: units.rate(amount(p))):
        reading.facts.vasoactives.append(
            Vasoactive(
                time=reading.time,
                reference=reading.reference,
                flags=reading.flagged(*part.flags),
                agent=part.meaning.display,
                role=part.meaning.group,
                until=FOREVER if value > 0 else reading.time,
                rate=in_words,
            )
        )


def chained(infusions: Iterable[Vasoactive], scale: Scale) -> list[Vasoactive]:
    """Rates charted as Observations hold until the agent is charted anew or as ended, at most for the stale limit."""
    charted = list(infusions)
    turns: dict[str, list[datetime]] = defaultdict(list)
    for infusion in charted:
        if not infusion.bolus:
            turns[infusion.agent].append(infusion.time if _is_rate(infusion) else infusion.until)
    for times in turns.values():
        times.sort()
    return [
        _until_next(infusion, turns[infusion.agent], scale) if _is_rate(infusion) else infusion for infusion in charted
    ]


def _is_rate(infusion: Vasoactive) -> bool:
    return infusion.reference.startswith("Observation/")


def _until_next(rate: Vasoactive, turns: list[datetime], scale: Scale) -> Vasoactive:
    following = turns[bisect_right(turns, rate.time) :][:1]
    return replace(rate, until=min([rate.until, rate.time + scale.vasoactive_history, *following]))

"""What fits its layout and makes no sense all the same: bands out of order, limits that contradict each other.

Each function yields keys with a sentence; the place of the key is found by whoever knows the file.
"""

from collections.abc import Collection, Iterator
from itertools import pairwise
from typing import Literal

from cds_service.content.codes import ValueSetFile
from cds_service.content.figures import LONGEST, Span
from cds_service.content.lines import Key
from cds_service.content.orders import OrderFile
from cds_service.content.protocols import ProtocolFile
from cds_service.content.scales import ScaleFile

Unsound = Iterator[tuple[Key, str]]
MASKING = ("antipyretic", "il6-blocker", "corticosteroid", "il1-blocker", "il6-pathway")


def of_scale(file: ScaleFile) -> Unsound:
    """What makes no sense in a scale, each with its key."""
    yield from ((("masking",), f"masking lacks {group}") for group in MASKING if group not in file.masking)
    *bands, last = file.hypotension.band
    if last.below_days is not None or last.below_years is not None:
        yield ("hypotension", "band", len(bands)), "the last hypotension band must have no upper age"
    ages = [(band.below_days or 0) / 365 + (band.below_years or 0) for band in bands]
    for place, (before, age) in enumerate(pairwise([0, *ages])):
        if age <= before:
            yield ("hypotension", "band", place), "bands go from the youngest age up, each with an upper age"
    for place, entry in enumerate(file.therapy):
        if (entry.days is None) == (entry.hours is None):
            yield ("therapy", place), f"therapy window {entry.id}: either days or hours is needed"
        for name, days in (("days", entry.days), ("late_days", entry.late_days)):
            if days is not None and days.value > LONGEST.days:
                yield ("therapy", place, name), f"{days.value} days are longer than ten years: look for a slip"
    for table, spans in (("plausible", file.plausible), ("inferable", file.inferable)):
        for name, span in spans:
            if span.low >= span.high:
                yield (table, name), f"a range goes up, low first: found {span.low} to {span.high}"
    for key, value, span in (
        (("fever", "threshold"), file.fever.threshold.value, file.plausible.temperature),
        (("hypoxia", "saturation"), file.hypoxia.saturation.value, file.plausible.saturation),
        (("hypoxia", "low_flow_maximum"), file.hypoxia.low_flow_maximum.value, file.plausible.flow),
    ):
        if not span.low <= value <= span.high:
            yield key, f"{value} is not among the plausible values {span.low} to {span.high}"


def of_codes(file: ValueSetFile) -> Unsound:
    """What makes no sense in a value set, each with its key."""
    for place, entry in enumerate(file.meaning):
        if (entry.plausible.unit if entry.plausible is not None else "") != entry.unit:
            yield ("meaning", place), f"{entry.id}: `unit` and `plausible` must both be there, in one unit"


def of_order(file: OrderFile) -> Unsound:
    """What makes no sense in an order, each with its key."""
    if file.kind == "medication" and not file.route:
        yield ("route",), "a medication needs a route"
    if file.kind == "medication" and bool(file.stage) == bool(file.band):
        yield (), "a medication needs either stages of fixed doses or weight bands"
    if file.band and file.maximum is None:
        yield ("band",), "a dose by weight needs a `maximum`"
    if file.group == "corticosteroid" and file.stage and not file.adults_only:
        yield ("group",), "a fixed dose of a corticosteroid is an adult one: set adults_only = true"
    if file.group == "il6-blocker" and file.route != "intravenous":
        yield ("route",), "tocilizumab for CRS is given intravenously, never under the skin"
    yield from _bands(file)
    yield from _stages(file)
    if file.taper is not None:
        yield from _days(("taper",), file.taper)


def _bands(file: OrderFile) -> Unsound:
    ends = [entry.below.value if entry.below is not None else None for entry in file.band]
    for place, end in enumerate(ends[:-1]):
        before = ends[place - 1] if place else None
        if end is None:
            yield ("band", place), "every weight band but the last needs an upper end"
        elif before is not None and end <= before:
            yield ("band", place, "below"), f"weight bands go up: {end} kg follows {before} kg"
    if ends and ends[-1] is not None:
        yield ("band", len(ends) - 1, "below"), "the last weight band must have no upper end"


def _stages(file: OrderFile) -> Unsound:
    for place, entry in enumerate(file.stage):
        key: Key = ("stage", place)
        if file.maximum is not None and entry.dose.value > file.maximum.value:
            yield (*key, "dose"), f"a dose of {entry.dose.value} mg is above the maximum of {file.maximum.value} mg"
        if entry.days is not None and entry.every is None:
            yield key, "a stage that lasts days needs `every`"
        if entry.days is not None:
            yield from _days((*key, "days"), entry.days)
        elif entry.every is not None and (len(file.stage) > 1 or file.group == "corticosteroid"):
            yield key, "a dose that is repeated needs `days`: whoever signs it must see an end"


def _days(key: Key, days: Span[Literal["d"]]) -> Unsound:
    if not 1 <= days.low <= days.high or days.low % 1 or days.high % 1:
        yield key, f"a length needs whole days, low first: found {days.low} to {days.high}"


def of_protocol(file: ProtocolFile, orders: Collection[str] | None) -> Unsound:
    """What makes no sense in a protocol, each with its key; `orders` are those that there are, if known."""
    for grade in sorted({"1", "2", "3", "4"} - set(file.step)):
        yield ("step",), f"steps are needed for the grades 1 to 4: there is none for {grade}"
    for key, name in _orders_named(file):
        if orders is not None and name not in orders:
            yield key, f"no order file for {name}: there are {', '.join(sorted(orders))}"
    for place, test in enumerate(file.laboratory.daily):
        if test not in file.baseline:
            yield ("laboratory", "daily", place), f"laboratory.daily names {test}, which the baseline does not"
    yield from _repeats(file)
    yield from _weights(file)


def _orders_named(file: ProtocolFile) -> Iterator[tuple[Key, str]]:
    yield from ((("infection", "orders", place), name) for place, name in enumerate(file.infection.orders))
    for grade, step in file.step.items():
        for part, names in (("orders", step.orders), ("refractory", step.refractory)):
            yield from ((("step", grade, part, place), name) for place, name in enumerate(names))
        if step.escalation is not None:
            yield ("step", grade, "escalation", "order"), step.escalation.order


def _repeats(file: ProtocolFile) -> Unsound:
    table, key = file.tocilizumab, "tocilizumab"
    if table.label_maximum_doses.value < table.maximum_doses.value:
        words = (
            f"{table.maximum_doses.value} doses are more than the label's maximum, {table.label_maximum_doses.value}"
        )
        yield (key, "maximum_doses"), words
    least = table.minimum_interval
    for name, time in (("repeat_after", table.repeat_after), ("repeat_when_worse", table.repeat_when_worse)):
        if time is not None and time.duration() < least.duration():
            words = f"{time.value} {time.unit} is shorter than minimum_interval, {least.value} {least.unit}"
            yield (key, name), words


def _weights(file: ProtocolFile) -> Unsound:
    table = file.weight
    if table.limit.duration() < max(table.current.duration(), table.current_child.duration()):
        yield ("weight", "limit"), "is shorter than the time in which a weight needs no confirmation"
    if not table.confirm_from.value <= table.child_below.value <= table.confirm_to.value:
        words = f"{table.confirm_from.value} to {table.confirm_to.value} kg leaves out child_below"
        yield ("weight", "confirm_from"), f"{words}, {table.child_below.value} kg, where the dose changes"
    ages = [entry.below_years for entry in table.plausible]
    bounded = [age for age in ages[:-1] if age is not None]
    if ages[-1] is not None or len(bounded) < len(ages) - 1 or bounded != sorted(set(bounded)):
        words = "plausible weights go from the youngest age up, and only the last has no below_years"
        yield ("weight", "plausible"), words
    for place, entry in enumerate(table.plausible):
        if not 0 < entry.low < entry.high:
            yield (
                ("weight", "plausible", place),
                f"plausible weights go up, low first: found {entry.low} to {entry.high}",
            )

"""Protocols and orders from `cards/protocols/` and `cards/orders/`."""

from collections.abc import Mapping
from datetime import date
from decimal import Decimal
from typing import Literal

from cds_service.content.codes import CodeEntry, SystemFile, code
from cds_service.content.figures import Figure, Span, Strict
from cds_service.crs.protocol import Order, Protocol, Step, WeightBand, WeightRange


class DoseBandEntry(Strict):
    dose: Figure
    below: Figure | None = None


class OrderFile(Strict):
    """The layout of a file in `cards/orders/`: one drug or test."""

    id: str
    kind: Literal["medication", "service"]
    agent: str
    group: str
    text: str
    code: CodeEntry
    reference: str
    date: date
    route: str = ""
    quantity: str = ""
    then: str = ""
    adults_only: bool = False
    band: list[DoseBandEntry] = []
    dose: Figure | None = None
    maximum: Figure | None = None
    over: Figure | None = None
    every: Figure | None = None
    course: Span | None = None


class StepEntry(Strict):
    orders: list[str] = []
    refractory: list[str] = []
    care: list[str] = []


class TocilizumabTable(Strict):
    maximum_doses: Figure
    label_maximum_doses: Figure
    label_count: Figure
    minimum_interval: Figure
    repeat_after: Figure
    label_minimum_years: Figure


class PlausibleEntry(Span):
    below_years: int | None = None


class WeightTable(Strict):
    current: Figure
    current_child: Figure
    limit: Figure
    child_below: Figure
    confirm_from: Figure
    confirm_to: Figure
    jump: Figure
    jump_window: Figure
    adult_without_age: Figure
    plausible: list[PlausibleEntry]


class SteroidTable(Strict):
    active: Figure
    early_products: list[str]


class MonitoringTable(Strict):
    regrade: Figure
    cultures: Figure
    negative_cultures: Figure
    antibiotics: Figure
    labs: Figure
    scores: Figure
    long_fever: Figure


class NeurologyTable(Strict):
    ice_from_years: Figure
    ice_normal: Figure
    capd_suspicious: Figure
    risk_fever: Figure
    risk_window: Figure


class NotesTable(Strict):
    flow_products: list[str]


class ProtocolFile(Strict):
    """The layout of a file in `cards/protocols/`."""

    id: str
    version: str
    title: str
    citation: str
    date: date
    scale: str
    culture_order: str
    tocilizumab: TocilizumabTable
    weight: WeightTable
    steroid: SteroidTable
    monitoring: MonitoringTable
    neurology: NeurologyTable
    baseline: dict[str, str]
    notes: NotesTable
    step: dict[str, StepEntry]


def order(file: OrderFile, systems: dict[str, SystemFile]) -> Order:
    """The order as the rules read it. ValueError unless a drug has exactly one dose rule and a route."""
    if file.kind == "medication" and ((file.dose is None) == (not file.band) or not file.route):
        raise ValueError("a medication needs a route and either a fixed dose or weight bands")
    if (file.every is None) != (file.course is None):
        raise ValueError("a dose that is repeated needs both `every` and `course`, a single dose neither")
    if file.band and file.band[-1].below is not None:
        raise ValueError("the last weight band must have no upper end")
    if any(entry.below is None for entry in file.band[:-1]):
        raise ValueError("every weight band but the last needs an upper end")
    return Order(
        id=file.id,
        kind=file.kind,
        code=code(file.code, systems),
        text=file.text,
        agent=file.agent,
        group=file.group,
        route=file.route,
        weight_bands=tuple(_dose_band(entry) for entry in file.band),
        fixed_mg=file.dose.number("mg") if file.dose else None,
        maximum_mg=file.maximum.number("mg") if file.maximum else None,
        over_minutes=file.over.whole("min") if file.over else None,
        every_hours=file.every.whole("h") if file.every else None,
        days=_days(file.course) if file.course else None,
        then=file.then,
        adults_only=file.adults_only,
        quantity=file.quantity,
        reference=file.reference,
    )


def _dose_band(entry: DoseBandEntry) -> WeightBand:
    return WeightBand(mg_per_kg=entry.dose.number("mg/kg"), below_kg=entry.below.number("kg") if entry.below else None)


def _days(course: Span) -> tuple[int, int]:
    """Least and greatest number of days. ValueError for another unit, a part of a day, or an order that never ends."""
    if course.unit != "d" or not 1 <= course.low <= course.high or course.low % 1 or course.high % 1:
        raise ValueError("a course needs whole days, low first: unit 'd'")
    return int(course.low), int(course.high)


def _plausible(entries: list[PlausibleEntry]) -> tuple[WeightRange, ...]:
    """Weights by age, youngest first. ValueError unless the last range holds for every greater age."""
    ages = [entry.below_years for entry in entries]
    bounded = [age for age in ages[:-1] if age is not None]
    if not ages or ages[-1] is not None or len(bounded) < len(ages) - 1 or bounded != sorted(set(bounded)):
        raise ValueError("plausible weights go from the youngest age up, and only the last has no below_years")
    if any(entry.unit != "kg" or not 0 < entry.low < entry.high for entry in entries):
        raise ValueError("plausible weights are in kg, low first")
    return tuple(
        WeightRange(low=Decimal(entry.low), high=Decimal(entry.high), below_years=entry.below_years)
        for entry in entries
    )


def protocol(file: ProtocolFile, orders: Mapping[str, Order]) -> Protocol:
    """The protocol as the rules read it. ValueError for a grade without a step or an order that does not exist."""
    if sorted(file.step) != ["1", "2", "3", "4"]:
        raise ValueError(f"steps are needed for the grades 1 to 4, found {', '.join(sorted(file.step))}")
    named = {name for step in file.step.values() for name in (*step.orders, *step.refractory)} | {file.culture_order}
    unknown = sorted(named - set(orders))
    if unknown:
        raise ValueError(f"no order file for {', '.join(unknown)}")
    return Protocol(
        id=file.id,
        version=file.version,
        title=file.title,
        citation=file.citation,
        steps={int(grade): _step(entry) for grade, entry in file.step.items()},
        orders=orders,
        culture_order=file.culture_order,
        maximum_doses=file.tocilizumab.maximum_doses.whole("1"),
        label_maximum_doses=file.tocilizumab.label_maximum_doses.whole("1"),
        label_count=file.tocilizumab.label_count.duration(),
        minimum_interval=file.tocilizumab.minimum_interval.duration(),
        repeat_after=file.tocilizumab.repeat_after.duration(),
        label_minimum_years=file.tocilizumab.label_minimum_years.whole("a"),
        weight_current=file.weight.current.duration(),
        weight_current_child=file.weight.current_child.duration(),
        weight_limit=file.weight.limit.duration(),
        weight_child_kg=file.weight.child_below.number("kg"),
        weight_confirm_low_kg=file.weight.confirm_from.number("kg"),
        weight_confirm_high_kg=file.weight.confirm_to.number("kg"),
        weight_jump=file.weight.jump.number("1"),
        weight_jump_window=file.weight.jump_window.duration(),
        plausible_weights=_plausible(file.weight.plausible),
        adult_kg_without_age=file.weight.adult_without_age.number("kg"),
        steroid_active=file.steroid.active.duration(),
        early_steroid_products=tuple(file.steroid.early_products),
        regrade=file.monitoring.regrade.duration(),
        cultures=file.monitoring.cultures.duration(),
        negative_cultures=file.monitoring.negative_cultures.duration(),
        antibiotics=file.monitoring.antibiotics.duration(),
        labs=file.monitoring.labs.duration(),
        scores=file.monitoring.scores.duration(),
        long_fever=file.monitoring.long_fever.duration(),
        baseline_labs=file.baseline,
        ice_from_years=file.neurology.ice_from_years.whole("a"),
        ice_normal=file.neurology.ice_normal.number("1"),
        capd_suspicious=file.neurology.capd_suspicious.number("1"),
        icans_risk_fever=file.neurology.risk_fever.number("Cel"),
        icans_risk_window=file.neurology.risk_window.duration(),
        flow_note_products=tuple(file.notes.flow_products),
    )


def _step(entry: StepEntry) -> Step:
    return Step(orders=tuple(entry.orders), refractory=tuple(entry.refractory), care=tuple(entry.care))

"""Protocols and orders from `cards/protocols/` and `cards/orders/`."""

from collections.abc import Mapping
from datetime import date, timedelta
from decimal import Decimal
from typing import Literal

from cds_service.content.codes import CodeEntry, SystemFile, code
from cds_service.content.figures import Figure, Span, Strict
from cds_service.crs.protocol import (
    Escalates,
    Escalation,
    LaboratoryLimits,
    Order,
    Protocol,
    Stage,
    Step,
    WeightBand,
    WeightRange,
)


class DoseBandEntry(Strict):
    dose: Figure
    below: Figure | None = None


class StageEntry(Strict):
    """One stage of a course: a fixed dose, how often, for how long."""

    dose: Figure
    every: Figure | None = None
    days: Span | None = None


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
    stage: list[StageEntry] = []
    maximum: Figure | None = None
    over: Figure | None = None
    taper: Span | None = None


class EscalationEntry(Strict):
    order: str
    when: Literal["worse", "not-better"]


class StepEntry(Strict):
    orders: list[str] = []
    refractory: list[str] = []
    escalation: EscalationEntry | None = None
    considers_repeat: bool = False
    care: list[str] = []


class TocilizumabTable(Strict):
    maximum_doses: Figure
    label_maximum_doses: Figure
    label_count: Figure
    minimum_interval: Figure
    repeat_after: Figure
    repeat_when_worse: Figure | None = None
    repeat_with_icans: bool = False
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
    response: Figure
    early_products: list[str]


class MonitoringTable(Strict):
    regrade: Figure
    cultures: Figure
    negative_cultures: Figure
    antibiotics: Figure
    labs: Figure
    scores: Figure
    long_fever: Figure
    persistent_fever: Figure


class InfectionTable(Strict):
    orders: list[str]


class LaboratoryTable(Strict):
    daily: list[str]
    window: Figure
    below: dict[str, Figure]
    times_upper_limit: dict[str, Figure]
    upper_limits: dict[str, Figure] = {}


class NeurologyTable(Strict):
    ice_from_years: Figure
    ice_normal: Figure
    capd_suspicious: Figure
    risk_fever: Figure
    risk_window: Figure


class ReviewTable(Strict):
    dose_tolerance: Figure


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
    infection: InfectionTable
    tocilizumab: TocilizumabTable
    weight: WeightTable
    steroid: SteroidTable
    monitoring: MonitoringTable
    neurology: NeurologyTable
    baseline: dict[str, str]
    laboratory: LaboratoryTable
    review: ReviewTable
    notes: NotesTable
    step: dict[str, StepEntry]


def order(file: OrderFile, systems: dict[str, SystemFile]) -> Order:
    """The order as the rules read it. ValueError unless a drug has exactly one dose rule and a route."""
    if file.kind == "medication" and (bool(file.stage) == bool(file.band) or not file.route):
        raise ValueError("a medication needs a route and either stages of fixed doses or weight bands")
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
        stages=_stages(file),
        maximum_mg=file.maximum.number("mg") if file.maximum else None,
        over_minutes=file.over.whole("min") if file.over else None,
        taper=_days(file.taper) if file.taper else None,
        then=file.then,
        adults_only=file.adults_only,
        quantity=file.quantity,
        reference=file.reference,
    )


def _dose_band(entry: DoseBandEntry) -> WeightBand:
    return WeightBand(mg_per_kg=entry.dose.number("mg/kg"), below_kg=entry.below.number("kg") if entry.below else None)


def _stages(file: OrderFile) -> tuple[Stage, ...]:
    """The stages. ValueError for a repeated corticosteroid without an end, or a stage that no end lets begin."""
    for entry in file.stage:
        if entry.days is not None and entry.every is None:
            raise ValueError("a stage that lasts days needs `every`")
    open_ended = [entry for entry in file.stage if entry.every is not None and entry.days is None]
    if open_ended and (len(file.stage) > 1 or file.group == "corticosteroid"):
        raise ValueError("a dose that is repeated needs `days`: whoever signs it must see an end")
    return tuple(
        Stage(
            mg=entry.dose.number("mg"),
            every_hours=entry.every.whole("h") if entry.every else None,
            days=_days(entry.days) if entry.days else None,
        )
        for entry in file.stage
    )


def _days(span: Span) -> tuple[int, int]:
    """Least and greatest number of days. ValueError for another unit, a part of a day, or an order that never ends."""
    if span.unit != "d" or not 1 <= span.low <= span.high or span.low % 1 or span.high % 1:
        raise ValueError("a length needs whole days, low first: unit 'd'")
    return int(span.low), int(span.high)


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
    steps = {int(grade): _step(entry) for grade, entry in file.step.items()}
    named = {name for step in steps.values() for name in step.named} | set(file.infection.orders)
    unknown = sorted(named - set(orders))
    if unknown:
        raise ValueError(f"no order file for {', '.join(unknown)}")
    unlisted = sorted(set(file.laboratory.daily) - set(file.baseline))
    if unlisted:
        raise ValueError(f"laboratory.daily names {', '.join(unlisted)}, which the baseline does not")
    return Protocol(
        id=file.id,
        version=file.version,
        title=file.title,
        citation=file.citation,
        steps=steps,
        orders=orders,
        infection_orders=tuple(file.infection.orders),
        maximum_doses=file.tocilizumab.maximum_doses.whole("1"),
        label_maximum_doses=file.tocilizumab.label_maximum_doses.whole("1"),
        label_count=file.tocilizumab.label_count.duration(),
        minimum_interval=file.tocilizumab.minimum_interval.duration(),
        repeat_after=file.tocilizumab.repeat_after.duration(),
        repeat_when_worse=_optional(file.tocilizumab.repeat_when_worse),
        repeat_with_icans=file.tocilizumab.repeat_with_icans,
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
        steroid_response=file.steroid.response.duration(),
        early_steroid_products=tuple(file.steroid.early_products),
        regrade=file.monitoring.regrade.duration(),
        cultures=file.monitoring.cultures.duration(),
        negative_cultures=file.monitoring.negative_cultures.duration(),
        antibiotics=file.monitoring.antibiotics.duration(),
        labs=file.monitoring.labs.duration(),
        scores=file.monitoring.scores.duration(),
        long_fever=file.monitoring.long_fever.duration(),
        persistent_fever=file.monitoring.persistent_fever.duration(),
        baseline_labs=file.baseline,
        daily_labs=tuple(file.laboratory.daily),
        laboratory=_laboratory(file.laboratory),
        dose_tolerance=file.review.dose_tolerance.number("1"),
        ice_from_years=file.neurology.ice_from_years.whole("a"),
        ice_normal=file.neurology.ice_normal.number("1"),
        capd_suspicious=file.neurology.capd_suspicious.number("1"),
        icans_risk_fever=file.neurology.risk_fever.number("Cel"),
        icans_risk_window=file.neurology.risk_window.duration(),
        flow_note_products=tuple(file.notes.flow_products),
    )


def _step(entry: StepEntry) -> Step:
    escalation = None
    if entry.escalation is not None:
        escalation = Escalation(order=entry.escalation.order, when=Escalates(entry.escalation.when))
    return Step(
        orders=tuple(entry.orders),
        refractory=tuple(entry.refractory),
        escalation=escalation,
        considers_repeat=entry.considers_repeat,
        care=tuple(entry.care),
    )


def _optional(figure: Figure | None) -> timedelta | None:
    return figure.duration() if figure is not None else None


def _laboratory(table: LaboratoryTable) -> LaboratoryLimits:
    return LaboratoryLimits(
        below={test: figure.number("/uL") for test, figure in table.below.items()},
        times_upper_limit={test: figure.number("1") for test, figure in table.times_upper_limit.items()},
        upper_limits={test: figure.number("U/L") for test, figure in table.upper_limits.items()},
        window=table.window.duration(),
    )

"""Protocols from `cards/protocols/`: a hospital's limits, intervals and steps by grade."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Literal

from pydantic import Field

from cds_service.content.figures import (
    CellsPerMicrolitre,
    Celsius,
    Count,
    Day,
    Kilograms,
    Ratio,
    Span,
    Strict,
    Time,
    UnitsPerLitre,
    Years,
)
from cds_service.crs.protocol import (
    Escalates,
    Escalation,
    LaboratoryLimits,
    Order,
    Protocol,
    Step,
    WeightRange,
)


class EscalationEntry(Strict):
    """The order that replaces a running corticosteroid."""

    order: str = Field(description="Id of the order")
    when: Literal["worse", "not-better"] = Field(description="worse, or not-better after the time of steroid.response")


class StepEntry(Strict):
    """What the protocol offers at one grade."""

    orders: list[str] = Field([], description="Orders at once")
    refractory: list[str] = Field([], description="Orders when tocilizumab did not help")
    escalation: EscalationEntry | None = Field(None, description="What replaces a running corticosteroid")
    considers_repeat: bool = Field(False, description="A repeat of tocilizumab is only to be considered")
    care: list[str] = Field([], description="Care, by the key of its sentence in text/sentences.toml")


class TocilizumabTable(Strict):
    """Tocilizumab: how many doses, and when the next."""

    maximum_doses: Count = Field(description="Doses in one episode by the protocol")
    label_maximum_doses: Count = Field(description="Doses by the label")
    label_count: Time = Field(description="Time in which doses count toward the label's maximum")
    minimum_interval: Time = Field(description="Never sooner after the last dose")
    repeat_after: Time = Field(description="A repeat from then on, without improvement")
    repeat_when_worse: Time | None = Field(None, description="A repeat from then on when CRS got worse")
    repeat_with_icans: bool = Field(False, description="Whether a repeat is drafted although ICANS is possible")
    label_minimum_years: Years = Field(description="The label's youngest age")


class PlausibleEntry(Span[Literal["kg"]]):
    """Body weights that can be true below an age."""

    below_years: int | None = Field(None, gt=0, description="Below this age; the last range has no end")


class WeightTable(Strict):
    """The weight that a dose may rest on."""

    current: Time = Field(description="An older weight is to be confirmed")
    current_child: Time = Field(description="The same below the weight of `child_below`")
    limit: Time = Field(description="No dose from an older weight")
    child_below: Kilograms = Field(description="Below this weight the dose for each kilogram is another")
    confirm_from: Kilograms = Field(
        description="From this weight on it is to be confirmed, because the dose changes near"
    )
    confirm_to: Kilograms = Field(description="Up to this weight")
    jump: Ratio = Field(description="A change by a larger share is taken for a slip of unit")
    jump_window: Time = Field(description="Time between two weights that are compared")
    adult_without_age: Kilograms = Field(description="Adult from this weight when the age is not known")
    plausible: list[PlausibleEntry] = Field(
        min_length=1, description="Weights that can be true, by age, youngest first"
    )


class SteroidTable(Strict):
    """Corticosteroids."""

    active: Time = Field(description="One given within this time is running")
    response: Time = Field(description="Time after which it is told whether one helps")
    early_products: list[str] = Field(description="Therapies after which other guidelines give corticosteroids earlier")


class MonitoringTable(Strict):
    """What is looked at, and how often."""

    regrade: Time = Field(description="Grade again at least this often")
    silence: Time = Field(description="A card that was answered is not repeated sooner while nothing changes")
    cultures: Time = Field(description="Cultures drawn within this time are not repeated")
    negative_cultures: Time = Field(description="A negative culture within this time excludes infection for a repeat")
    antibiotics: Time = Field(description="Antibiotics given within this time are active")
    labs: Time = Field(description="Laboratory is due after this time")
    scores: Time = Field(description="ICE or CAPD is due after this time")
    long_fever: Time = Field(description="A fever that lasts longer is named")
    persistent_fever: Time = Field(description="Fever so long after tocilizumab asks for a wider search for infection")


class InfectionTable(Strict):
    """Infection, which cannot be told from CRS."""

    orders: list[str] = Field(description="Orders at any grade: cultures, and the hospital's antibiotics")


class LaboratoryTable(Strict):
    """Laboratory results that speak against tocilizumab."""

    daily: list[str] = Field(description="Tests of the baseline that are due again each day")
    members: dict[str, list[str]] = Field(description="Tests that together stand for a panel of the baseline, by panel")
    window: Time = Field(description="An older result says little")
    below: dict[str, CellsPerMicrolitre] = Field(description="Warn below this number of cells, by test")
    times_upper_limit: dict[str, Ratio] = Field(description="Warn from this multiple of the upper limit on, by test")
    upper_limits: dict[str, UnitsPerLitre] = Field(
        {}, description="The hospital's upper limits of normal, by test, for reports that state none"
    )


class NeurologyTable(Strict):
    """Neurotoxicity (ICANS)."""

    ice_from_years: Years = Field(description="ICE score from this age, CAPD below")
    ice_normal: Ratio = Field(description="A lower ICE score is not normal")
    capd_suspicious: Ratio = Field(description="A CAPD score from here on is suspicious")
    risk_fever: Celsius = Field(description="With low pressure, from here on a risk of severe ICANS")
    risk_window: Time = Field(description="Time after CAR-T cells in which that counts")


class ReviewTable(Strict):
    """Orders that are being chosen or signed."""

    dose_tolerance: Ratio = Field(description="How far a dose may lie from the one by weight, as a share of it")


class NotesTable(Strict):
    """Notes on products."""

    flow_products: list[str] = Field(description="Therapies whose label counts 6 L/min as high flow")


class ProtocolFile(Strict):
    """A hospital's protocol: a file in `cards/protocols/`."""

    id: str = Field(min_length=1, description="Id that CRS_CDS_PROTOCOL names")
    version: str = Field(min_length=1, description="Version, changed with every change")
    title: str = Field(min_length=1, description="What a card calls it")
    citation: str = Field(min_length=1, description="Who decided it, and where it stands")
    date: Day = Field(description="Date of the decision")
    scale: str = Field(description="Id of the grading scale")
    infection: InfectionTable = Field(description="Infection")
    tocilizumab: TocilizumabTable = Field(description="Tocilizumab: repeats and limits")
    weight: WeightTable = Field(description="Body weight for doses")
    steroid: SteroidTable = Field(description="Corticosteroids")
    monitoring: MonitoringTable = Field(description="Monitoring")
    neurology: NeurologyTable = Field(description="Neurotoxicity")
    baseline: dict[str, str] = Field(description="Baseline laboratory")
    laboratory: LaboratoryTable = Field(description="Laboratory")
    review: ReviewTable = Field(description="Review of orders")
    notes: NotesTable = Field(description="Notes on products")
    step: dict[Literal["1", "2", "3", "4"], StepEntry] = Field(description="What is offered, by grade")


def protocol(file: ProtocolFile, orders: Mapping[str, Order]) -> Protocol:
    """The protocol as the rules read it; `soundness.of_protocol` says what must hold of the file."""
    return Protocol(
        id=file.id,
        version=file.version,
        title=file.title,
        citation=file.citation,
        steps={int(grade): _step(entry) for grade, entry in file.step.items()},
        orders=orders,
        infection_orders=tuple(file.infection.orders),
        maximum_doses=int(file.tocilizumab.maximum_doses.value),
        label_maximum_doses=int(file.tocilizumab.label_maximum_doses.value),
        label_count=file.tocilizumab.label_count.duration(),
        minimum_interval=file.tocilizumab.minimum_interval.duration(),
        repeat_after=file.tocilizumab.repeat_after.duration(),
        repeat_when_worse=_optional(file.tocilizumab.repeat_when_worse),
        repeat_with_icans=file.tocilizumab.repeat_with_icans,
        label_minimum_years=int(file.tocilizumab.label_minimum_years.value),
        weight_current=file.weight.current.duration(),
        weight_current_child=file.weight.current_child.duration(),
        weight_limit=file.weight.limit.duration(),
        weight_child_kg=file.weight.child_below.value,
        weight_confirm_low_kg=file.weight.confirm_from.value,
        weight_confirm_high_kg=file.weight.confirm_to.value,
        weight_jump=file.weight.jump.value,
        weight_jump_window=file.weight.jump_window.duration(),
        plausible_weights=tuple(_range(entry) for entry in file.weight.plausible),
        adult_kg_without_age=file.weight.adult_without_age.value,
        steroid_active=file.steroid.active.duration(),
        steroid_response=file.steroid.response.duration(),
        early_steroid_products=tuple(file.steroid.early_products),
        regrade=file.monitoring.regrade.duration(),
        silence=file.monitoring.silence.duration(),
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
        dose_tolerance=file.review.dose_tolerance.value,
        ice_from_years=int(file.neurology.ice_from_years.value),
        ice_normal=file.neurology.ice_normal.value,
        capd_suspicious=file.neurology.capd_suspicious.value,
        icans_risk_fever=file.neurology.risk_fever.value,
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


def _range(entry: PlausibleEntry) -> WeightRange:
    return WeightRange(low=entry.low, high=entry.high, below_years=entry.below_years)


def _optional(figure: Time | None) -> timedelta | None:
    return figure.duration() if figure is not None else None


def _laboratory(table: LaboratoryTable) -> LaboratoryLimits:
    return LaboratoryLimits(
        below={test: figure.value for test, figure in table.below.items()},
        times_upper_limit={test: figure.value for test, figure in table.times_upper_limit.items()},
        upper_limits={test: figure.value for test, figure in table.upper_limits.items()},
        members={panel: frozenset(tests) for panel, tests in table.members.items()},
        window=table.window.duration(),
    )

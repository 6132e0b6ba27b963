"""Orders from `cards/orders/`: one drug or test per file."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field

from cds_service.content.codes import CodeEntry, SystemFile, code
from cds_service.content.figures import (
    Day,
    Hours,
    Kilograms,
    Milligrams,
    MilligramsPerKilogram,
    Minutes,
    Span,
    Strict,
)
from cds_service.crs.protocol import Order, Stage, WeightBand


class DoseBandEntry(Strict):
    """A dose by weight, for weights below an end."""

    dose: MilligramsPerKilogram = Field(description="Dose for each kilogram")
    below: Kilograms | None = Field(None, description="The band holds below this weight; the last has no end")


class StageEntry(Strict):
    """One stage of a course: a fixed dose, how often, for how long."""

    dose: Milligrams = Field(description="Each dose")
    every: Hours | None = Field(None, description="Time between doses; without it the dose is given once")
    days: Span[Literal["d"]] | None = Field(None, description="For how many days, least and greatest")


class OrderFile(Strict):
    """One drug or test that can be drafted: a file in `cards/orders/`."""

    id: str = Field(description="Id that protocols name")
    kind: Literal["medication", "service"] = Field(description="medication, or service for a test")
    agent: str = Field(description="The ingredient, as codes/drugs.toml names it")
    group: str = Field(description="Group of drugs, as codes/drugs.toml names it")
    text: str = Field(description="What a card calls it")
    code: CodeEntry = Field(description="Code of the drafted order")
    reference: str = Field(min_length=1, description="Who says so")
    date: Day = Field(description="Date of that statement")
    route: str = Field("", description="Route of a drug, in words")
    quantity: str = Field("", description="How much of a test, in words")
    then: str = Field("", description="What follows the stages, in words")
    adults_only: bool = Field(False, description="Whether it is for adults only")
    band: list[DoseBandEntry] = Field([], description="Dose by weight, lowest weights first")
    stage: list[StageEntry] = Field([], description="Fixed doses, one stage after the other")
    maximum: Milligrams | None = Field(None, description="No dose by weight is above it")
    over: Minutes | None = Field(None, description="How long an infusion runs")
    taper: Span[Literal["d"]] | None = Field(None, description="Days of a taper after the stages, least and greatest")


def order(file: OrderFile, systems: Mapping[str, SystemFile]) -> Order:
    """The order as the rules read it; `soundness.of_order` says what must hold of the file."""
    return Order(
        id=file.id,
        kind=file.kind,
        code=code(file.code, systems),
        text=file.text,
        agent=file.agent,
        group=file.group,
        route=file.route,
        weight_bands=tuple(_band(entry) for entry in file.band),
        stages=tuple(_stage(entry) for entry in file.stage),
        maximum_mg=file.maximum.value if file.maximum else None,
        over_minutes=int(file.over.value) if file.over else None,
        taper=_days(file.taper) if file.taper else None,
        then=file.then,
        adults_only=file.adults_only,
        quantity=file.quantity,
        reference=file.reference,
    )


def _band(entry: DoseBandEntry) -> WeightBand:
    return WeightBand(mg_per_kg=entry.dose.value, below_kg=entry.below.value if entry.below else None)


def _stage(entry: StageEntry) -> Stage:
    return Stage(
        mg=entry.dose.value,
        every_hours=int(entry.every.value) if entry.every else None,
        days=_days(entry.days) if entry.days else None,
    )


def _days(span: Span[Literal["d"]]) -> tuple[int, int]:
    """Least and greatest number of days."""
    return int(span.low), int(span.high)

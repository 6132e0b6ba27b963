"""A figure in content: value, unit, reference, date. Each kind of figure names the units it may have."""

from datetime import date, timedelta
from decimal import Decimal
from typing import Annotated, Generic, Literal, TypeVar

from pydantic import AfterValidator, BaseModel, BeforeValidator, ConfigDict, Field, WithJsonSchema, model_validator

from cds_service.crs.scale import Range

Day = date
"""A date: a name of its own, because content calls its dates `date`."""
UnitT = TypeVar("UnitT", bound=str)
ValueT = TypeVar("ValueT", bound=Decimal)

UNITS = {
    "1": "",
    "a": "years",
    "d": "days",
    "Cel": "°C",
    "[degF]": "°F",
    "mm[Hg]": "mmHg",
    "mm[Hg]/a": "mmHg per year",
    "/uL": "/µL",
}
"""Units of UCUM that people write in another way."""
LONGEST = timedelta(days=3653)
"""Ten years: a longer time is a slip, and would lead out of the calendar."""
GREATEST = 10_000_000
"""No figure of medicine is above it."""
_TIME_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


def _exact(value: object) -> Decimal:
    """TOML numbers are read as int or Decimal; ValueError for anything else."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal) or not Decimal(value).is_finite():
        raise ValueError(f"{value!r} where a number is expected")
    number = Decimal(value)
    if abs(number) > GREATEST:
        raise ValueError(f"{value} is beyond every figure: look for a slip")
    return number


def _not_negative(value: Decimal) -> Decimal:
    if value < 0:
        raise ValueError(f"{value} where zero or more is expected")
    return value


def _positive(value: Decimal) -> Decimal:
    if value <= 0:
        raise ValueError(f"{value} where more than zero is expected")
    return value


def _whole(value: Decimal) -> Decimal:
    if value != value.to_integral_value():
        raise ValueError(f"{value} where a whole number is expected")
    return value


Number = Annotated[
    Decimal, BeforeValidator(_exact), AfterValidator(_not_negative), WithJsonSchema({"type": "number", "minimum": 0})
]
Positive = Annotated[
    Decimal,
    BeforeValidator(_exact),
    AfterValidator(_positive),
    WithJsonSchema({"type": "number", "exclusiveMinimum": 0}),
]
Whole = Annotated[
    Decimal,
    BeforeValidator(_exact),
    AfterValidator(_positive),
    AfterValidator(_whole),
    WithJsonSchema({"type": "integer", "minimum": 1}),
]


class Strict(BaseModel):
    """A content table: no key that nobody reads, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Figure(Strict, Generic[ValueT, UnitT]):
    """One number that a committee may change."""

    value: ValueT = Field(description="The number")
    unit: UnitT = Field(description="Its unit, as UCUM writes it")
    reference: str = Field(min_length=1, description="Who says so; `judgement` where nobody does")
    date: Day = Field(description="Date of that statement")


class Time(Figure[Positive, Literal["min", "h", "d"]]):
    """A time: minutes, hours or days."""

    @model_validator(mode="after")
    def _not_too_long(self) -> "Time":
        if self.duration() > LONGEST:
            raise ValueError(f"{self.value} {self.unit} is longer than ten years: look for a slip")
        return self

    def duration(self) -> timedelta:
        """The time."""
        return _TIME_UNITS[self.unit] * float(self.value)


class Minutes(Figure[Whole, Literal["min"]]):
    """Whole minutes."""


class Hours(Figure[Whole, Literal["h"]]):
    """Whole hours."""


class Days(Figure[Whole, Literal["d"]]):
    """Whole days."""


class Years(Figure[Whole, Literal["a"]]):
    """Whole years of age."""


class Count(Figure[Whole, Literal["1"]]):
    """A whole number of things."""


class Ratio(Figure[Positive, Literal["1"]]):
    """A number without a unit."""


class Celsius(Figure[Number, Literal["Cel"]]):
    """A temperature in °C."""


class Percent(Figure[Number, Literal["%"]]):
    """A share in percent."""


class Pressure(Figure[Number, Literal["mm[Hg]"]]):
    """A blood pressure in mmHg."""


class PressurePerYear(Figure[Number, Literal["mm[Hg]/a"]]):
    """A blood pressure in mmHg for each year of age."""


class Flow(Figure[Number, Literal["L/min"]]):
    """A flow of oxygen."""


class Kilograms(Figure[Positive, Literal["kg"]]):
    """A body weight."""


class Milligrams(Figure[Positive, Literal["mg"]]):
    """A dose."""


class MilligramsPerKilogram(Figure[Positive, Literal["mg/kg"]]):
    """A dose for each kilogram of body weight."""


class CellsPerMicrolitre(Figure[Positive, Literal["/uL"]]):
    """A number of cells in a µL of blood."""


class UnitsPerLitre(Figure[Positive, Literal["U/L"]]):
    """The activity of an enzyme."""


class Span(Strict, Generic[UnitT]):
    """A range of values, ends included."""

    low: Number = Field(description="The least value")
    high: Number = Field(description="The greatest value")
    unit: UnitT = Field(description="Its unit, as UCUM writes it")
    reference: str = Field(min_length=1, description="Who says so; `judgement` where nobody does")
    date: Day = Field(description="Date of that statement")

    def range(self) -> Range:
        """The range as the rules read it."""
        return Range(low=self.low, high=self.high)

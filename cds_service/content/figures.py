"""A figure in content: value, unit, reference, date. The unit is checked where the value is used."""

from collections.abc import Iterable
from datetime import date, timedelta
from decimal import Decimal

from pydantic import BaseModel, ConfigDict

from cds_service.crs.scale import Range

_TIME_UNITS = {"min": timedelta(minutes=1), "h": timedelta(hours=1), "d": timedelta(days=1)}


class Strict(BaseModel):
    """A content table: no key that nobody reads, no value of another type."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)


class Figure(Strict):
    """One number that a committee may change."""

    value: Decimal | int
    unit: str
    reference: str
    date: date

    def number(self, *units: str) -> Decimal:
        """The value, when the unit is one of those expected; ValueError else."""
        if self.unit not in units:
            raise ValueError(f"unit {self.unit!r} where {' or '.join(map(repr, units))} is expected")
        return Decimal(self.value)

    def whole(self, *units: str) -> int:
        """The value as a whole number; ValueError when it is not one."""
        value = self.number(*units)
        if value != value.to_integral_value():
            raise ValueError(f"{value} where a whole number is expected")
        return int(value)

    def duration(self) -> timedelta:
        """The value as a time, for units min, h and d; ValueError for others or when not positive."""
        value = self.number(*_TIME_UNITS)
        if value <= 0:
            raise ValueError("a time must be more than zero")
        return _TIME_UNITS[self.unit] * float(value)


class Span(Strict):
    """A range of plausible values, ends included."""

    low: Decimal | int
    high: Decimal | int
    unit: str
    reference: str
    date: date

    def range(self) -> Range:
        """The range as the rules read it."""
        return Range(low=Decimal(self.low), high=Decimal(self.high))


def every_unit(spans: Iterable[tuple[str, Span]], units: dict[str, str]) -> None:
    """ValueError unless each named range is there with its unit."""
    found = {name: span.unit for name, span in spans}
    for name, unit in units.items():
        if found.get(name) != unit:
            raise ValueError(f"range {name!r} is needed in unit {unit!r}, found {found.get(name)!r}")

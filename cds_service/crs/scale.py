"""The numbers of a grading scale (`cards/scales/`), as the rules read them. Every value comes from content."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class PressureBand:
    """Systolic threshold of an age band: hypotension below `mmhg + mmhg_per_year * completed years`.

    The band holds up to (not including) `below_days` of age, or `below_years`; the last band has neither.
    """

    mmhg: Decimal
    mmhg_per_year: Decimal
    below_days: int | None = None
    below_years: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Device:
    """An oxygen device class: `grade` by itself, or None when the flow decides (C15: the device outranks the flow)."""

    id: str
    display: str
    grade: int | None
    in_use: bool
    positive_pressure: bool
    caution: str


@dataclass(frozen=True, slots=True, kw_only=True)
class TherapyWindow:
    """How long after a therapy a CRS is looked for (clinical 7.1).

    `days` counts calendar days from the infusion (cells), `hours` from the dose (antibodies); `late_days` extends it
    when a CRS is charted. The first `early_doses` doses open `hours`, later ones `later_hours`.
    """

    id: str
    days: int | None = None
    late_days: int | None = None
    hours: timedelta | None = None
    early_doses: int | None = None
    later_hours: timedelta | None = None
    advice: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Range:
    """Plausible values, both ends included."""

    low: Decimal
    high: Decimal

    def __contains__(self, value: Decimal) -> bool:
        return self.low <= value <= self.high


@dataclass(frozen=True, slots=True, kw_only=True)
class Scale:
    """A grading scale with its windows and data-quality limits."""

    id: str
    version: str
    title: str
    citation: str
    fever: Decimal
    low_flow_maximum: Decimal
    hypoxia_saturation: Decimal
    room_air_fio2: Decimal
    adult_years: int
    pressure_bands: tuple[PressureBand, ...]
    devices: Mapping[str, Device]
    therapy_windows: Mapping[str, TherapyWindow]
    masking: Mapping[str, timedelta]
    fever_current: timedelta
    fever_establishing: timedelta
    pressure_window: timedelta
    oxygen_window: timedelta
    vasoactive_history: timedelta
    vasoactive_stopped: timedelta
    resolution: timedelta
    resolution_after_il6_blocker: timedelta
    normal_readings: int
    normal_spacing: timedelta
    clock_skew: timedelta
    plausible: Mapping[str, Range]
    inferable: Mapping[str, Range]

    def is_fever(self, celsius: Decimal) -> bool:
        """True at or above the threshold, exact decimals, never rounded (S-GRADE-1, C23)."""
        return celsius >= self.fever

    def is_low_saturation(self, percent: Decimal) -> bool:
        """True below the threshold of hypoxia (C16)."""
        return percent < self.hypoxia_saturation

    def systolic_threshold(self, days: int | None, years: int | None) -> Decimal:
        """Hypotension is a systolic pressure below this, in mmHg (C25). Unknown age: the adult value, the highest."""
        if days is None or years is None:
            return self.pressure_bands[-1].mmhg
        for band in self.pressure_bands:
            below_days = band.below_days is not None and days < band.below_days
            below_years = band.below_years is not None and years < band.below_years
            if below_days or below_years:
                return band.mmhg + band.mmhg_per_year * years
        return self.pressure_bands[-1].mmhg

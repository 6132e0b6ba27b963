"""A hospital's protocol as the rules read it: orders, steps by grade, limits and intervals (`cards/protocols/`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal
from enum import StrEnum

from cds_service.crs.valuesets import Code

SHORT_ROUTES = {"intravenous": "IV"}


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightBand:
    """`mg_per_kg` for weights below `below_kg`; the last band has no upper end."""

    mg_per_kg: Decimal
    below_kg: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class WeightRange:
    """Weights in kg that can be true below an age in years, ends included; the last range has no upper age."""

    low: Decimal
    high: Decimal
    below_years: int | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Stage:
    """A fixed dose in mg, once or every so many hours, for `days` (least and greatest; None where no end is named)."""

    mg: Decimal
    every_hours: int | None = None
    days: tuple[int, int] | None = None

    @property
    def length(self) -> str:
        """How long it is given, in words: `1 to 3 days`; empty without an end."""
        return in_days(self.days) if self.days is not None else ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Order:
    """One drug or test that can be offered as a draft (`cards/orders/`).

    A drug has either `weight_bands` (one dose in mg per kg, capped at `maximum_mg`) or `stages`, one after the other.
    `taper` is the length in days of a taper that follows, `then` what else follows, in words.
    """

    id: str
    kind: str
    code: Code
    text: str
    agent: str
    group: str
    route: str = ""
    weight_bands: tuple[WeightBand, ...] = ()
    stages: tuple[Stage, ...] = ()
    maximum_mg: Decimal | None = None
    over_minutes: int | None = None
    taper: tuple[int, int] | None = None
    then: str = ""
    adults_only: bool
    quantity: str = ""
    reference: str = ""

    @property
    def short_route(self) -> str:
        """The route as it stands beside a dose: `IV`."""
        return SHORT_ROUTES.get(self.route, self.route)

    @property
    def last_day(self) -> int:
        """The day after the start on which all stages have ended at the latest; 0 without an end."""
        return sum(stage.days[1] for stage in self.stages if stage.days is not None)

    @property
    def afterwards(self) -> str:
        """What follows the stages, in words; empty when nothing does."""
        return f"taper over {in_days(self.taper)}" if self.taper is not None else self.then


def in_days(days: tuple[int, int]) -> str:
    """A length in words: `3 days`, `1 to 3 days`."""
    low, high = days
    return f"{high} day{'s' if high > 1 else ''}" if low == high else f"{low} to {high} days"


class Escalates(StrEnum):
    """When a stronger corticosteroid follows the one that is running."""

    WORSE = "worse"
    NOT_BETTER = "not-better"


@dataclass(frozen=True, slots=True, kw_only=True)
class Escalation:
    """The order that replaces a running corticosteroid: when CRS gets worse, or when it does not get better in time."""

    order: str
    when: Escalates


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the protocol offers at one grade: `orders` at once, `refractory` when tocilizumab did not help.

    `escalation` follows a running corticosteroid, `considers_repeat` says that a repeat of tocilizumab is only to be
    considered. `care` are the keys of the sentences for care and place of care.
    """

    orders: tuple[str, ...] = ()
    refractory: tuple[str, ...] = ()
    escalation: Escalation | None = None
    considers_repeat: bool
    care: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class LaboratoryLimits:
    """Limits from which a result speaks against tocilizumab (S-PIT-MON-2): cells per µL, multiples of the upper limit.

    `upper_limits` in U/L are the hospital's own, by test, for reports that state none. `members` are the tests that
    together stand for a panel of the baseline.
    """

    below: Mapping[str, Decimal]
    times_upper_limit: Mapping[str, Decimal]
    upper_limits: Mapping[str, Decimal]
    members: Mapping[str, frozenset[str]]
    window: timedelta


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A protocol: who says so, and every limit that advice obeys."""

    id: str
    version: str
    title: str
    citation: str
    steps: Mapping[int, Step]
    orders: Mapping[str, Order]
    infection_orders: tuple[str, ...]
    maximum_doses: int
    label_maximum_doses: int
    label_count: timedelta
    minimum_interval: timedelta
    repeat_after: timedelta
    repeat_when_worse: timedelta | None
    repeat_with_icans: bool
    label_minimum_years: int
    weight_current: timedelta
    weight_current_child: timedelta
    weight_limit: timedelta
    weight_child_kg: Decimal
    weight_confirm_low_kg: Decimal
    weight_confirm_high_kg: Decimal
    weight_jump: Decimal
    weight_jump_window: timedelta
    plausible_weights: tuple[WeightRange, ...]
    adult_kg_without_age: Decimal
    steroid_active: timedelta
    steroid_response: timedelta
    regrade: timedelta
    silence: timedelta
    cultures: timedelta
    negative_cultures: timedelta
    antibiotics: timedelta
    labs: timedelta
    scores: timedelta
    persistent_fever: timedelta
    baseline_labs: Mapping[str, str]
    daily_labs: tuple[str, ...]
    laboratory: LaboratoryLimits
    dose_tolerance: Decimal
    ice_from_years: int
    ice_normal: Decimal
    capd_suspicious: Decimal
    icans_risk_fever: Decimal
    icans_risk_window: timedelta
    early_steroid_products: tuple[str, ...]
    flow_note_products: tuple[str, ...]
    long_fever: timedelta

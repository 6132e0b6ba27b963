"""A hospital's protocol as the rules read it: orders, steps by grade, limits and intervals (`cards/protocols/`)."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from cds_service.crs.valuesets import Code


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
class Order:
    """One drug or test that can be offered as a draft (`cards/orders/`).

    A drug has either `weight_bands` (mg per kg, capped at `maximum_mg`) or `fixed_mg`. Times in minutes and hours.
    `days` is the least and the greatest duration of a course, `then` what follows it in words; a single dose has none.
    """

    id: str
    kind: str
    code: Code
    text: str
    agent: str
    group: str
    route: str = ""
    weight_bands: tuple[WeightBand, ...] = ()
    fixed_mg: Decimal | None = None
    maximum_mg: Decimal | None = None
    over_minutes: int | None = None
    every_hours: int | None = None
    days: tuple[int, int] | None = None
    then: str = ""
    adults_only: bool = False
    quantity: str = ""
    reference: str = ""

    @property
    def length(self) -> str:
        """How long a course lasts, in words: `1 to 3 days`; empty for a single dose."""
        if self.days is None:
            return ""
        low, high = self.days
        return f"{high} days" if low == high else f"{low} to {high} days"

    @property
    def duration(self) -> str:
        """The length and what follows: `3 days, then reassess`."""
        return f"{self.length}, then {self.then}" if self.then else self.length


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """What the protocol offers at one grade: `orders` at once, `refractory` when tocilizumab did not help.

    `care` are the keys of the sentences for care and place of care.
    """

    orders: tuple[str, ...] = ()
    refractory: tuple[str, ...] = ()
    care: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Protocol:
    """A protocol: who says so, and every limit that advice obeys."""

    id: str
    version: str
    title: str
    citation: str
    steps: Mapping[int, Step]
    orders: Mapping[str, Order]
    culture_order: str
    maximum_doses: int
    label_maximum_doses: int
    label_count: timedelta
    minimum_interval: timedelta
    repeat_after: timedelta
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
    regrade: timedelta
    cultures: timedelta
    negative_cultures: timedelta
    antibiotics: timedelta
    labs: timedelta
    scores: timedelta
    baseline_labs: Mapping[str, str]
    ice_from_years: int
    ice_normal: Decimal
    capd_suspicious: Decimal
    icans_risk_fever: Decimal
    icans_risk_window: timedelta
    early_steroid_products: tuple[str, ...]
    flow_note_products: tuple[str, ...]
    long_fever: timedelta

"""Dose by body weight: which weight may be used, and the arithmetic in full (S-PIT-TOCI-1, C6, C8, N-03 to N-05)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_DOWN, ROUND_HALF_UP, Decimal

from cds_service.crs.figures import shown, span
from cds_service.crs.protocol import Order, Protocol, Stage
from cds_service.crs.timeline import BodyWeight, Timeline

_CENT = Decimal("0.01")
_GRAM = Decimal("0.001")
DOSING_WEIGHTS = ("measured", "unspecified")


@dataclass(frozen=True, slots=True, kw_only=True)
class UsableWeight:
    """A weight that a dose may rest on; `confirm` says why it should be confirmed first."""

    weight: BodyWeight
    confirm: str = ""


@dataclass(frozen=True, slots=True)
class NoWeight:
    """No dose can be computed; `reason` says why, in words."""

    reason: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Dose:
    """A dose in mg with the arithmetic that led to it."""

    mg: Decimal
    arithmetic: str


def usable_weight(timeline: Timeline, protocol: Protocol, now: datetime) -> UsableWeight | NoWeight:
    """The weight for dosing at `now`, or why there is none (N-03, DQ-12, clinical 4.4).

    Of several at one time, too close to contradict each other, the lowest: the order of the record must not decide.
    """
    charted = [weight for weight in timeline.weights if weight.time <= now]
    usable = [weight for weight in charted if weight.how in DOSING_WEIGHTS]
    if not usable:
        if "weights" in timeline.gaps:
            return NoWeight(f"body weight could not be read ({timeline.gaps['weights'].reason})")
        return NoWeight(f"the weight is only {charted[-1].how}" if charted else "no weight is charted")
    latest = max(usable, key=lambda weight: (weight.time, -weight.kilograms))
    age = now - latest.time
    if age > protocol.weight_limit:
        return NoWeight(f"the last weight is {span(age)} old, the limit is {span(protocol.weight_limit)}")
    slip = _implausible(latest, timeline.age_in_years(now), protocol) or _jump(latest, usable, protocol)
    if slip:
        return NoWeight(slip)
    return UsableWeight(weight=latest, confirm=_confirm(latest, timeline, protocol, now))


def _implausible(weight: BodyWeight, years: int | None, protocol: Protocol) -> str:
    """A weight no patient of that age has: 176 kg at 5 years is pounds (DQ-12). Nothing is said without an age."""
    if years is None:
        return ""
    ranges = protocol.plausible_weights
    fitting = next(item for item in ranges if item.below_years is None or years < item.below_years)
    if fitting.low <= weight.kilograms <= fitting.high:
        return ""
    return f"the charted weight of {_kg(weight)} is not plausible at {years} years"


def _jump(latest: BodyWeight, usable: list[BodyWeight], protocol: Protocol) -> str:
    """A change of more than a fifth in a month is more likely a slip of unit than a change of weight (DQ-12).

    It stands until the wrong weight is marked as entered in error: a slip that is copied forward must not win.
    """
    for other in usable:
        near = latest.time - other.time <= protocol.weight_jump_window
        if near and abs(latest.kilograms - other.kilograms) > protocol.weight_jump * other.kilograms:
            return (
                f"the charted weights {_kg(other)} and {_kg(latest)} contradict each other, until the wrong one is"
                " marked as entered in error"
            )
    return ""


def _confirm(weight: BodyWeight, timeline: Timeline, protocol: Protocol, now: datetime) -> str:
    """Why the weight should be confirmed before the dose is given, in words; empty when it need not."""
    reasons = []
    if protocol.weight_confirm_low_kg <= weight.kilograms <= protocol.weight_confirm_high_kg:
        reasons.append(f"weight near {shown(protocol.weight_child_kg)} kg, where the dose per kg changes")
    current = protocol.weight_current_child if weight.kilograms < protocol.weight_child_kg else protocol.weight_current
    if now - weight.time > current:
        reasons.append(f"weight is {span(now - weight.time)} old")
    if not timeline.known("weights", weight.time):
        reasons.append("a later weight may not have been read")
    return f"{', '.join(reasons)}: confirm" if reasons else ""


def dose(order: Order, weight: BodyWeight | None, now: datetime) -> Dose:
    """The first dose of a drug order in mg. A weight is needed exactly when the order has weight bands."""
    if order.stages:
        first = order.stages[0].mg
        return Dose(mg=first, arithmetic=f"{shown(first)} mg, fixed dose")
    if weight is None:
        raise ValueError(f"{order.id} is dosed by weight and no weight was given")
    band = next(b for b in order.weight_bands if b.below_kg is None or weight.kilograms < b.below_kg)
    exact = band.mg_per_kg * weight.kilograms
    rounded = exact.quantize(_CENT, rounding=ROUND_HALF_UP).normalize()
    how = "measured" if weight.how == "measured" else "charted"
    measured = f"{_kg(weight)} ({how} {span(now - weight.time)} ago)"
    product = f"{shown(band.mg_per_kg)} mg/kg × {measured} = {rounded:f} mg"
    if order.maximum_mg is None:
        return Dose(mg=rounded, arithmetic=product)
    if exact > order.maximum_mg:
        return Dose(mg=order.maximum_mg, arithmetic=f"{product}, capped at {shown(order.maximum_mg)} mg")
    return Dose(mg=rounded, arithmetic=f"{product}; cap {shown(order.maximum_mg)} mg not reached")


def dose_rule(order: Order) -> str:
    """The rule of a weight-based order in words, for when no dose can be computed."""
    rules, lower = [], None
    for band in order.weight_bands:
        upper = f" under {shown(band.below_kg)} kg" if band.below_kg is not None else ""
        whom = upper or (f" from {shown(lower)} kg" if lower is not None else "")
        rules.append(f"{shown(band.mg_per_kg)} mg/kg{whom}")
        lower = band.below_kg
    limit = f"; at most {shown(order.maximum_mg)} mg" if order.maximum_mg is not None else ""
    return ", ".join(reversed(rules)) + limit


def regimen(order: Order, mg: Decimal, route: str) -> str:
    """A dose with its route and what follows: `10 mg IV every 6 h for 1 to 3 days`, `656 mg IV over 60 min, once`."""
    first, *later = order.stages or (Stage(mg=mg),)
    over = f" over {order.over_minutes} min" if order.over_minutes is not None else ""
    parts = [f"{shown(first.mg)} mg {route}{over}{_repeated(first)}"]
    parts += [f"{shown(stage.mg)} mg{_repeated(stage)}" for stage in later]
    if order.afterwards:
        parts.append(order.afterwards)
    return ", then ".join(parts)


def _repeated(stage: Stage) -> str:
    if stage.every_hours is None:
        return ", once"
    return f" every {stage.every_hours} h" + (f" for {stage.length}" if stage.days is not None else "")


def _kg(weight: BodyWeight) -> str:
    """To the gram, never rounded up: the arithmetic on the card can be checked although pounds make long decimals."""
    exact = weight.kilograms.quantize(_GRAM, rounding=ROUND_DOWN)
    return f"{exact.normalize():f} kg"

"""Dose by body weight: which weight may be used, and the arithmetic in full (S-PIT-TOCI-1, C6, C8, N-03 to N-05)."""

from dataclasses import dataclass
from datetime import datetime
from decimal import ROUND_HALF_UP, Decimal

from cds_service.crs.figures import shown, span
from cds_service.crs.protocol import Order, Protocol
from cds_service.crs.timeline import BodyWeight, Timeline

_CENT = Decimal("0.01")
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
    """The weight for dosing at `now`, or why there is none (N-03, DQ-12, clinical 4.4)."""
    charted = [weight for weight in timeline.weights if weight.time <= now]
    usable = [weight for weight in charted if weight.how in DOSING_WEIGHTS]
    if not usable:
        if "weights" in timeline.gaps:
            return NoWeight(f"body weight could not be read ({timeline.gaps['weights'].reason})")
        return NoWeight(f"the weight is only {charted[-1].how}" if charted else "no weight is charted")
    latest = usable[-1]
    age = now - latest.time
    if age > protocol.weight_limit:
        return NoWeight(f"the last weight is {span(age)} old, the limit is {span(protocol.weight_limit)}")
    jump = _jump(latest, usable, protocol)
    if jump:
        return NoWeight(jump)
    return UsableWeight(weight=latest, confirm=_confirm(latest, protocol, now))


def _jump(latest: BodyWeight, usable: list[BodyWeight], protocol: Protocol) -> str:
    """A change of more than a fifth in a month is more likely a slip of unit than a change of weight."""
    for other in usable:
        near = latest.time - other.time <= protocol.weight_jump_window
        if near and abs(latest.kilograms - other.kilograms) > protocol.weight_jump * other.kilograms:
            change = f"{shown(other.kilograms)} kg and {shown(latest.kilograms)} kg"
            return f"the charted weights contradict each other ({change}): measure again"
    return ""


def _confirm(weight: BodyWeight, protocol: Protocol, now: datetime) -> str:
    age = now - weight.time
    if protocol.weight_confirm_low_kg <= weight.kilograms <= protocol.weight_confirm_high_kg:
        return f"weight near {shown(protocol.weight_child_kg)} kg, where the dose per kg changes: confirm"
    current = protocol.weight_current_child if weight.kilograms < protocol.weight_child_kg else protocol.weight_current
    return f"weight is {span(age)} old: confirm" if age > current else ""


def dose(order: Order, weight: BodyWeight | None, now: datetime) -> Dose:
    """The dose of a drug order in mg. A weight is needed exactly when the order has weight bands."""
    if order.fixed_mg is not None:
        return Dose(mg=order.fixed_mg, arithmetic=f"{shown(order.fixed_mg)} mg, fixed dose")
    if weight is None:
        raise ValueError(f"{order.id} is dosed by weight and no weight was given")
    band = next(b for b in order.weight_bands if b.below_kg is None or weight.kilograms < b.below_kg)
    exact = band.mg_per_kg * weight.kilograms
    rounded = exact.quantize(_CENT, rounding=ROUND_HALF_UP).normalize()
    measured = f"{shown(weight.kilograms)} kg ({_how(weight)} {span(now - weight.time)} ago)"
    product = f"{shown(band.mg_per_kg)} mg/kg × {measured} = {_mg(rounded)} mg"
    if order.maximum_mg is None:
        return Dose(mg=rounded, arithmetic=product)
    if exact > order.maximum_mg:
        return Dose(mg=order.maximum_mg, arithmetic=f"{product}, capped at {shown(order.maximum_mg)} mg")
    return Dose(mg=rounded, arithmetic=f"{product}; cap {shown(order.maximum_mg)} mg not reached")


def dose_rule(order: Order) -> str:
    """The rule of a weight-based order in words, for when no dose can be computed."""
    bands = [
        f"{shown(band.mg_per_kg)} mg/kg" + (f" under {shown(band.below_kg)} kg" if band.below_kg is not None else "")
        for band in reversed(order.weight_bands)
    ]
    limit = f", at most {shown(order.maximum_mg)} mg" if order.maximum_mg is not None else ""
    return "; ".join(bands) + limit


def _how(weight: BodyWeight) -> str:
    return "measured" if weight.how == "measured" else "charted"


def _mg(value: Decimal) -> str:
    return format(value, "f")

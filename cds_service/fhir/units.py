"""Units: exact conversion by Decimal, and a refusal in words for what cannot be converted (DQ-01 to DQ-20)."""

from collections.abc import Callable
from dataclasses import dataclass
from decimal import Decimal, InvalidOperation
from typing import Any

from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Flag
from cds_service.fhir.elements import Json, Unusable, member, text

_CELSIUS = {"cel", "degc", "c", "°c", "celsius", "deg c", "degrees celsius", "degree celsius"}
_FAHRENHEIT = {"[degf]", "degf", "f", "°f", "fahrenheit", "deg f", "degrees fahrenheit", "degree fahrenheit"}
_MMHG = {"mm[hg]", "mmhg", "mm hg"}
_KPA = {"kpa"}
_PERCENT = {"%", "percent"}
_FRACTION = {"1", "{fraction}", "fraction", "ratio"}
_LITRES = {"l/min", "lpm", "l/m", "liters per minute", "litres per minute", "liter per minute", "liters/min"}
_MILLILITRES = {"ml/min", "milliliters per minute", "millilitres per minute"}
_KILOGRAMS = {"kg", "kilogram", "kilograms"}
_GRAMS = {"g", "gram", "grams"}
_POUNDS = {"[lb_av]", "lb", "lbs", "pound", "pounds"}
_OUNCES = {"[oz_av]", "oz", "ounce", "ounces"}

MMHG_PER_KPA = Decimal("7.50062")
KG_PER_POUND = Decimal("0.45359237")
KG_PER_OUNCE = Decimal("0.028349523125")
_STEP = Decimal("0.01")

Amount = tuple[Decimal, tuple[Flag, ...]]


@dataclass(frozen=True, slots=True)
class Quantity:
    """A number with its unit as charted (`code` first, then `unit`), lower case; empty without one."""

    value: Decimal
    unit: str
    comparator: str = ""


def number(value: Any) -> Decimal:
    """A JSON number, exact. Raises Unusable for a string, a truth value or nothing (DQ-21)."""
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        raise Unusable("the value is not a number")
    return Decimal(value)


def quantity(value: Json) -> Quantity:
    """A FHIR Quantity."""
    code, unit = value.get("code"), value.get("unit")
    known = code if isinstance(code, str) and code.strip() else unit
    comparator = value.get("comparator")
    return Quantity(
        number(value.get("value")),
        text(known).casefold(),
        comparator if comparator in ("<", "<=", ">", ">=") else "",
    )


def written(value: str) -> Quantity:
    """A number charted as a string and nothing but a number (DQ-14)."""
    try:
        read = Decimal(value.strip())
    except InvalidOperation as error:
        raise Unusable("the value is text, not a number") from error
    if not read.is_finite():
        raise Unusable("the value is text, not a number")
    return Quantity(read, "")


def temperature(amount: Quantity, scale: Scale) -> Amount:
    """Degrees Celsius. A missing unit is inferred where ranges cannot overlap; a contradiction is refused."""
    flags: tuple[Flag, ...] = ()
    value = amount.value
    if amount.unit in _FAHRENHEIT or (not amount.unit and value in scale.inferable["fahrenheit"]):
        value = (value - 32) * 5 / 9
    elif amount.unit and amount.unit not in _CELSIUS:
        raise _unknown_unit(amount)
    if not amount.unit:
        if amount.value not in scale.inferable["celsius"] and amount.value not in scale.inferable["fahrenheit"]:
            raise Unusable("no unit, and the value fits neither °C nor °F")
        flags = (Flag.UNIT_INFERRED,)
    value, limit = _compared(value, amount.comparator, lambda celsius: celsius >= scale.fever)
    return _plausible(value, "temperature", "°C", scale), (*flags, *limit)


def pressure(amount: Quantity, kind: str, scale: Scale) -> Amount:
    """Millimetres of mercury; `kind` is `systolic` or `diastolic`."""
    flags: tuple[Flag, ...] = ()
    value = amount.value
    if amount.unit in _KPA:
        value = value * MMHG_PER_KPA
    elif amount.unit and amount.unit not in _MMHG:
        raise _unknown_unit(amount)
    if not amount.unit:
        if value not in scale.inferable["pressure"]:
            raise Unusable("no unit, and the value fits no pressure in mmHg")
        flags = (Flag.UNIT_INFERRED,)
    lowest = min(band.mmhg for band in scale.pressure_bands)
    highest = max(band.mmhg for band in scale.pressure_bands)
    value, limit = _compared(value, amount.comparator, lambda mmhg: (mmhg < lowest, mmhg < highest))
    return _plausible(value, kind, "mmHg", scale), (*flags, *limit)


def saturation(amount: Quantity, scale: Scale) -> Amount:
    """Percent; a value up to 1 is a fraction, and exactly 1 is read as 100 % (DQ-07)."""
    flags: tuple[Flag, ...] = ()
    value = amount.value
    if amount.unit and amount.unit not in _PERCENT | _FRACTION:
        raise _unknown_unit(amount)
    if 0 < value <= 1:
        value, flags = value * 100, (Flag.FROM_FRACTION,)
    elif not amount.unit:
        flags = (Flag.UNIT_INFERRED,)
    value, limit = _compared(value, amount.comparator, lambda percent: percent < scale.hypoxia_saturation)
    return _plausible(value, "saturation", "%", scale), (*flags, *limit)


def flow(amount: Quantity, scale: Scale) -> Amount:
    """Litres per minute (DQ-08)."""
    flags: tuple[Flag, ...] = ()
    value = amount.value
    if amount.unit in _MILLILITRES:
        value = value / 1000
    elif amount.unit and amount.unit not in _LITRES:
        raise _unknown_unit(amount)
    if not amount.unit:
        flags = (Flag.UNIT_INFERRED,)
    value, limit = _compared(value, amount.comparator, lambda litres: litres > scale.low_flow_maximum)
    return _plausible(value, "flow", "L/min", scale), (*flags, *limit)


def fio2(amount: Quantity, scale: Scale) -> Amount:
    """Percent of oxygen; up to 1 is a fraction, between 1 and 21 is neither (DQ-09)."""
    if amount.unit and amount.unit not in _PERCENT | _FRACTION:
        raise _unknown_unit(amount)
    value = amount.value * 100 if amount.value <= 1 else amount.value
    value, limit = _compared(value, amount.comparator, lambda percent: percent > scale.room_air_fio2)
    return _plausible(value, "fio2", "% oxygen", scale), limit


def weight(amount: Quantity, scale: Scale) -> Amount:
    """Kilograms (DQ-11). A weight without a unit is not used: kg and lb overlap."""
    factors = (
        (_KILOGRAMS, Decimal(1)),
        (_GRAMS, Decimal("0.001")),
        (_POUNDS, KG_PER_POUND),
        (_OUNCES, KG_PER_OUNCE),
    )
    factor = next((factor for names, factor in factors if amount.unit in names), None)
    if factor is None:
        raise _unknown_unit(amount)
    if amount.comparator:
        raise Unusable("a weight charted as a limit, not a value")
    return _plausible(amount.value * factor, "weight", "kg", scale), ()


def milligrams(value: Any) -> Decimal | None:
    """A dose in mg, None for another unit or no number."""
    if member(value, "unit") is None and member(value, "code") is None:
        return None
    try:
        amount = quantity(value)
    except Unusable:
        return None
    return amount.value if amount.unit == "mg" else None


def _unknown_unit(amount: Quantity) -> Unusable:
    return Unusable(f"the unit '{amount.unit}' is not known" if amount.unit else "no unit")


def _plausible(value: Decimal, kind: str, unit: str, scale: Scale) -> Decimal:
    """The value, or Unusable with the value in the reason: a loss that is named (DQ-18 to DQ-20, T63)."""
    if value not in scale.plausible[kind]:
        raise Unusable(f"{value.normalize():f} {unit} is not plausible")
    return value


def _compared(value: Decimal, comparator: str, judged: Callable[[Decimal], object]) -> Amount:
    """A limit such as `> 42` is used where every value it can mean is judged the same (DQ-13)."""
    if not comparator:
        return value, ()
    upward = comparator.startswith(">")
    nearest = value if comparator.endswith("=") else value + (_STEP if upward else -_STEP)
    furthest = Decimal(10**6) if upward else -Decimal(10**6)
    if judged(nearest) != judged(furthest):
        raise Unusable(f"charted as {comparator} {value.normalize():f}: it may lie on either side of a threshold")
    return nearest, (Flag.COMPARATOR,)

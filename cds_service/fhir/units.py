"""Units: exact conversion by Decimal, and a refusal in words for what cannot be converted (DQ-01 to DQ-20)."""

import re
from collections.abc import Callable, Mapping
from decimal import Context, Decimal, localcontext
from functools import wraps
from typing import Any, NamedTuple, ParamSpec, TypeVar

from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Flag
from cds_service.crs.valuesets import Meaning
from cds_service.fhir.elements import Json, Unusable, text
from cds_service.fhir.spellings import COUNT, ENZYME, FLOW, MASS, PRESSURE, SHARE, TEMPERATURE, plain
from cds_service.fhir.strict_json import MAXIMUM_DIGITS

MMHG_PER_KPA = Decimal("7.50062")
KILOGRAMS = {
    "kg": Decimal(1),
    "g": Decimal("0.001"),
    "[lb_av]": Decimal("0.45359237"),
    "[oz_av]": Decimal("0.028349523125"),
}


LABORATORY = {"/uL": (COUNT, {"/uL": 1, "10*3/uL": 1000}), "U/L": (ENZYME, {"U/L": 1, "ukat/L": 60})}
"""By the unit of content: the spellings that are known, and the exact factor of each (1 µkat is 60 µmol/min, 60 U)."""
_RATE = re.compile(r".+/(min|minute|h|hr|hour)")
_TEXT_NUMBER = re.compile(r"[+-]?\d{1,9}(\.\d{1,9})?", re.ASCII)
_STEP = Decimal("0.01")
_EXACT = Context(prec=2 * MAXIMUM_DIGITS)
"""With all digits that a number may have and those of its factor. The usual 28 would round 37.99… °C up to a fever."""
_SHOWN = Context(prec=28)
_Given = ParamSpec("_Given")
_Converted = TypeVar("_Converted")

Amount = tuple[Decimal, tuple[Flag, ...]]


class Quantity(NamedTuple):
    """A number with its unit as charted, in one or two spellings; none without a unit."""

    value: Decimal
    units: tuple[str, ...] = ()
    comparator: str = ""

    def __str__(self) -> str:
        """As charted, the unit as people write it: `< 0.1 K/uL`."""
        return " ".join(filter(None, (self.comparator, _shown(self.value), *self.units[-1:])))


def _exact(convert: Callable[_Given, _Converted]) -> Callable[_Given, _Converted]:
    """A conversion that rounds no value to the other side of a threshold, whatever the number of its digits."""

    @wraps(convert)
    def exactly(*given: _Given.args, **named: _Given.kwargs) -> _Converted:
        with localcontext(_EXACT):
            return convert(*given, **named)

    return exactly


def number(value: Any) -> Decimal:
    """A JSON number, exact. Raises Unusable for a string, a truth value or nothing (DQ-21)."""
    exact = Decimal(value) if isinstance(value, (int, Decimal)) and not isinstance(value, bool) else None
    if exact is None or not exact.is_finite():
        raise Unusable("it has no value" if value is None else "the value is not a number")
    return exact


def quantity(value: Json) -> Quantity:
    """A FHIR Quantity: its unit is that of `code`, else that of `unit` (DQ-01). Its comparator must be understood."""
    comparator = value.get("comparator") or ""
    if comparator not in ("", "<", "<=", ">", ">="):
        raise Unusable("its comparator is not known")
    units = filter(None, (text(value.get("code")), text(value.get("unit"))))
    return Quantity(number(value.get("value")), tuple(units), comparator)


def written(value: str) -> Quantity:
    """A number charted as a string and nothing but a number (DQ-14)."""
    if not _TEXT_NUMBER.fullmatch(value.strip()):
        raise Unusable(f"the value '{text(value, 40)}' is text, not a number")
    return Quantity(Decimal(value.strip()))


@_exact
def temperature(amount: Quantity, scale: Scale) -> Amount:
    """Degrees Celsius. A missing unit is inferred where ranges cannot overlap; a contradiction is refused."""
    unit = _unit(amount, TEMPERATURE)
    flags = () if unit else (Flag.UNIT_INFERRED,)
    if not unit:
        unit = _inferred(amount, {"Cel": "celsius", "[degF]": "fahrenheit"}, scale)
    value = (amount.value - 32) * 5 / 9 if unit == "[degF]" else amount.value
    value, limit = _compared(value, amount.comparator, scale.is_fever)
    return _plausible(value, "temperature", "°C", scale), (*flags, *limit)


@_exact
def pressure(amount: Quantity, kind: str, scale: Scale) -> Amount:
    """Millimetres of mercury; `kind` is `systolic` or `diastolic`."""
    unit = _unit(amount, PRESSURE)
    flags = () if unit else (Flag.UNIT_INFERRED,)
    if not unit:
        _inferred(amount, {"mm[Hg]": "pressure"}, scale)
    value = amount.value * MMHG_PER_KPA if unit == "kPa" else amount.value
    value, limit = _compared(value, amount.comparator, lambda mmhg: [mmhg < band.mmhg for band in scale.pressure_bands])
    return _plausible(value, kind, "mmHg", scale), (*flags, *limit)


@_exact
def saturation(amount: Quantity, scale: Scale) -> Amount:
    """Percent; a value up to 1 is a fraction, and exactly 1 is read as 100 % (DQ-07)."""
    unit = _unit(amount, SHARE)
    flags = () if unit else (Flag.UNIT_INFERRED,)
    value = amount.value
    if 0 < value <= 1:
        value, flags = value * 100, (Flag.FROM_FRACTION,)
    value, limit = _compared(value, amount.comparator, scale.is_low_saturation)
    return _plausible(value, "saturation", "%", scale), (*flags, *limit)


@_exact
def flow(amount: Quantity, scale: Scale) -> Amount:
    """Litres per minute (DQ-08). Without a unit it is read as litres, the larger flow."""
    unit = _unit(amount, FLOW)
    flags = () if unit else (Flag.UNIT_INFERRED,)
    value = amount.value / 1000 if unit == "mL/min" else amount.value
    value, limit = _compared(value, amount.comparator, lambda litres: litres > scale.low_flow_maximum)
    return _plausible(value, "flow", "L/min", scale), (*flags, *limit)


@_exact
def fio2(amount: Quantity, scale: Scale) -> Amount:
    """Percent of oxygen; up to 1 is a fraction, between 1 and 21 is neither (DQ-09)."""
    flags = () if _unit(amount, SHARE) else (Flag.UNIT_INFERRED,)
    value = amount.value * 100 if amount.value <= 1 else amount.value
    value, limit = _compared(value, amount.comparator, lambda percent: percent > scale.room_air_fio2)
    return _plausible(value, "fio2", "% oxygen", scale), (*flags, *limit)


@_exact
def weight(amount: Quantity, scale: Scale) -> Amount:
    """Kilograms (DQ-11). A weight without a unit is not used: kg and lb overlap."""
    unit = _unit(amount, MASS)
    if not unit:
        raise Unusable("no unit")
    if amount.comparator:
        raise Unusable("charted as a limit, not a value")
    return _plausible(amount.value * KILOGRAMS[unit], "weight", "kg", scale), ()


@_exact
def laboratory(amount: Quantity, test: Meaning) -> Decimal:
    """A count or an activity in the unit of its test; the comparator stays with the rule that compares (DQ-13).

    Without a unit it is not used: 0.8 and 800 are both written for one count (3.6).
    """
    known, factors = LABORATORY[test.unit]
    unit = _unit(amount, known)
    if not unit:
        raise Unusable("no unit")
    value = amount.value * factors[unit]
    if test.plausible is not None and value not in test.plausible:
        raise Unusable("not plausible")
    return value


@_exact
def rate(amount: Quantity) -> tuple[Decimal, str]:
    """The rate of an infusion as charted, as a number and in words: an amount per minute or hour, not a level."""
    unit = next((unit for unit in amount.units if _RATE.fullmatch(plain(unit))), None)
    if unit is None:
        raise Unusable(f"the unit '{amount.units[0]}' is no rate" if amount.units else "no unit")
    value, _ = _compared(amount.value, amount.comparator, lambda charted: charted > 0)
    if value < 0:
        raise Unusable("the rate is negative")
    return value, f"{_shown(value)} {unit}".replace("ug", "µg")


def milligrams(value: Any) -> Decimal | None:
    """A dose in mg; None for another unit, or no number above zero."""
    try:
        amount = quantity(value) if isinstance(value, dict) else None
    except Unusable:
        return None
    known = amount is not None and amount.value > 0 and {plain(unit) for unit in amount.units} == {"mg"}
    return amount.value if amount is not None and known else None


def _unit(amount: Quantity, known: Mapping[str, str]) -> str:
    """The UCUM unit of an amount, empty when none is charted. Raises Unusable for one that is not known."""
    found = {unit for spelling in amount.units if (unit := known.get(plain(spelling)))}
    if len(found) > 1:
        raise Unusable("its unit is charted in two ways: " + " and ".join(amount.units))
    if amount.units and not found:
        raise Unusable(f"the unit '{amount.units[0]}' is not known")
    return next(iter(found), "")


def _inferred(amount: Quantity, units: Mapping[str, str], scale: Scale) -> str:
    """The one unit in whose range of the scale the value lies; the ranges do not overlap (DQ-02, DQ-06)."""
    for unit, kind in units.items():
        if amount.value in scale.inferable[kind]:
            return unit
    raise Unusable(f"no unit, and {_shown(amount.value)} fits none")


def _shown(value: Decimal) -> str:
    return f"{value.normalize(_SHOWN):f}"


def _plausible(value: Decimal, kind: str, unit: str, scale: Scale) -> Decimal:
    """The value, or Unusable with the value in the reason: a loss that is named (DQ-18 to DQ-20, T63)."""
    if value not in scale.plausible[kind]:
        raise Unusable(f"{_shown(value)} {unit} is not plausible")
    return value


def _compared(value: Decimal, comparator: str, judged: Callable[[Decimal], object]) -> Amount:
    """A limit such as `> 42` is used where every value it can mean is judged the same (DQ-13): one of them stands."""
    if not comparator:
        return value, ()
    upward, included = comparator.startswith(">"), comparator.endswith("=")
    nearest = value if included else value.next_plus() if upward else value.next_minus()
    furthest = Decimal(10**6) if upward else -Decimal(10**6)
    if judged(nearest) != judged(furthest):
        raise Unusable(f"charted as {comparator} {_shown(value)}: it may lie on either side of a threshold")
    return value if included else value + (_STEP if upward else -_STEP), (Flag.COMPARATOR,)

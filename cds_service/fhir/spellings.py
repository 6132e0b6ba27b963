"""How units are spelled in records: each spelling with the UCUM unit it stands for (DQ-01 to DQ-11, 3.6)."""

import re
from collections.abc import Mapping
from functools import lru_cache

REMEMBERED_UNITS = 512


def _spellings(table: Mapping[str, str]) -> Mapping[str, str]:
    """The UCUM unit of each spelling, all as they are compared."""
    return {plain(word): unit for unit, words in table.items() for word in (unit, *words.split(", "))}


@lru_cache(maxsize=REMEMBERED_UNITS)
def plain(spelling: str) -> str:
    """Lower case without spaces, one degree sign for all that look like it, `u` for micro."""
    folded = spelling.casefold().replace("℃", "°c").replace("℉", "°f").replace("μ", "u")
    return re.sub("[º˚]", "°", "".join(folded.split()))


TEMPERATURE = _spellings(
    {
        "Cel": "degC, C, °C, celsius, deg C, degrees C, degree celsius, degrees celsius",
        "[degF]": "degF, F, °F, fahrenheit, deg F, degrees F, degree fahrenheit, degrees fahrenheit",
    }
)
PRESSURE = _spellings(
    {"mm[Hg]": "mmHg, millimeter of mercury, millimeters of mercury, millimetres of mercury", "kPa": "kilopascal"}
)
SHARE = _spellings({"%": "percent, 1, {fraction}, fraction, ratio"})
FLOW = _spellings(
    {
        "L/min": "LPM, L/m, liter/min, liters/min, litres/min, liter per minute, liters per minute, litres per minute",
        "mL/min": "cc/min, milliliters per minute, millilitres per minute",
    }
)
MASS = _spellings(
    {
        "kg": "kgs, kilogram, kilograms",
        "g": "gm, gram, grams",
        "[lb_av]": "lb, lbs, pound, pounds",
        "[oz_av]": "oz, ounce, ounces",
    }
)
_PER_MICROLITRE = ("uL", "mcL", "mm3", "mm^3", "cumm")
_THOUSAND = ("10*3", "10^3", "10e3", "x10*3", "x10^3", "x10e3", "K", "thou", "thousand")
_PER_LITRE = ("10*{}/L", "10^{}/L", "10e{}/L", "x10*{}/L", "x10^{}/L", "x10e{}/L")
COUNT = _spellings(
    {
        "10*3/uL": ", ".join(
            [f"{thousand}/{volume}" for thousand in _THOUSAND for volume in _PER_MICROLITRE]
            + [power.format(9) for power in _PER_LITRE]
        ),
        "/uL": ", ".join(
            [f"{cells}/{volume}" for cells in ("", "cells", "{cells}", "cell", "#") for volume in _PER_MICROLITRE]
            + [power.format(6) for power in _PER_LITRE]
        ),
    }
)
ENZYME = _spellings({"U/L": "IU/L, [iU]/L, [U]/L, units/L, unit/L", "ukat/L": "mckat/L, microkat/L"})

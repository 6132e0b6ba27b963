"""How numbers and spans of time are written for people."""

from datetime import timedelta
from decimal import ROUND_DOWN, Decimal

_PLACES = Decimal("0.01")


def shown(value: Decimal) -> str:
    """A number with at most two decimals, cut and never rounded up: 37.99 must not be read as 38.0."""
    exponent = value.as_tuple().exponent
    if isinstance(exponent, int) and exponent < -2:
        value = value.quantize(_PLACES, rounding=ROUND_DOWN)
    text = format(value, "f")
    return text.rstrip("0").rstrip(".") if text.endswith("0") and "." in text and not text.endswith(".0") else text


def span(duration: timedelta) -> str:
    """A duration in the unit a clinician would use: `35 min`, `5 h`, `3 days`."""
    minutes = int(duration.total_seconds() // 60)
    if minutes < 120:
        return f"{minutes} min"
    if minutes < 48 * 60:
        return f"{minutes // 60} h"
    return f"{minutes // (24 * 60)} days"

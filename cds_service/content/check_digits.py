"""The check digits of LOINC and SNOMED CT: they find a code copied wrongly, not one with another meaning."""

import re
from collections.abc import Callable, Mapping

_TURN = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
"""The permutation of Verhoeff's scheme."""


def loinc(code: str) -> bool:
    """Whether the digit behind the hyphen is the Luhn digit of the number before it."""
    if not re.fullmatch(r"[0-9]{1,7}-[0-9]", code):
        return False
    number, _, check = code.partition("-")
    doubled = [int(digit) * (2 - place % 2) for place, digit in enumerate(reversed(number))]
    return (sum(value // 10 + value % 10 for value in doubled) + int(check)) % 10 == 0


def snomed(code: str) -> bool:
    """Whether the last digit is the Verhoeff digit of the number before it, and the identifier is one of a concept."""
    if not re.fullmatch(r"[1-9][0-9]{5,17}", code) or code[-3:-1] not in ("00", "10"):
        return False
    check = 0
    for place, digit in enumerate(reversed(code)):
        check = _combined(check, _turned(int(digit), place % 8))
    return check == 0


def _turned(digit: int, times: int) -> int:
    for _ in range(times):
        digit = _TURN[digit]
    return digit


def _combined(a: int, b: int) -> int:
    """Multiplication in the dihedral group of ten elements: 0 to 4 turn, 5 to 9 mirror."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


SCHEMES: Mapping[str, Callable[[str], bool]] = {"http://loinc.org": loinc, "http://snomed.info/sct": snomed}
"""By the URI of the code system; other systems have none."""

"""JSON in: exact numbers, no duplicate keys, bounded depth and digits (T25 to T28, T31).

The standard parser with its hooks: orjson keeps the last of two duplicate keys, which turns 38.9 into 36.5.
"""

import json
import re
from decimal import Decimal, InvalidOperation
from itertools import accumulate
from typing import Any, NoReturn

from cds_service.errors import InvalidRequest

MAXIMUM_DEPTH = 64
MAXIMUM_DIGITS = 64
MAXIMUM_EXPONENT = 30
"""Beyond what is measured: cells by 1e11, hormones by 1e-12 mol/L."""
_TOO_FAR = f"the body has a number beyond 1e{MAXIMUM_EXPONENT}"

_NO_MARKS = bytes(set(range(256)) - set(b'[]{}:"'))
_STEPS = bytes.maketrans(b"[{]}", b"\x01\x01\xff\xff")
"""What a bracket adds to the depth, as a signed byte: 1 or -1."""
_ESCAPED = re.compile(r"\\u([dD][89a-fA-F]|0000)")
_NOT_STORABLE = re.compile("[\ud800-\udfff\x00]")


def parse(body: bytes) -> Any:
    """The value of a JSON text. Raises InvalidRequest that says what is wrong, never what the text holds."""
    marks = _marks(body)
    _bounded_depth(marks)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest("the body is not UTF-8: send JSON in UTF-8") from error
    members = 0

    def count(found: dict[str, Any]) -> dict[str, Any]:
        nonlocal members
        members += len(found)
        return found

    try:
        value = json.loads(
            text,
            object_hook=count,
            parse_float=_bounded_float,
            parse_int=_bounded_int,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    if members != marks.count(b":"):  # the parser keeps the last of two members of one name
        raise InvalidRequest("the body has an object with two members of one name: send each member once")
    if "\\" in text and _ESCAPED.search(text):
        _storable(value)
    return value


def _marks(body: bytes) -> bytes:
    """The brackets and colons outside of strings, in their order; each byte is looked at once.

    Without escaped quotes every second piece between quotes lies outside of strings, also when pairs of quotes with
    nothing to be found between them are left out. Where a body is not JSON this may take some from within strings; the
    parser refuses it before it comes to them.
    """
    if b"\\" in body:
        body = body.replace(b"\\\\", b"").replace(b'\\"', b"")
    return b"".join(body.translate(None, _NO_MARKS).replace(b'""', b"").split(b'"')[::2])


def _bounded_depth(marks: bytes) -> None:
    """Depth is counted on the bytes, so that no recursion sees a hostile body."""
    steps = memoryview(marks.translate(_STEPS, b":")).cast("b")
    if len(steps) > MAXIMUM_DEPTH and max(accumulate(steps)) > MAXIMUM_DEPTH:
        raise InvalidRequest(f"the body is nested deeper than {MAXIMUM_DEPTH} levels")


def _bounded_int(digits: str) -> int:
    _short(digits)
    return int(digits)


def _bounded_float(digits: str) -> Decimal:
    _short(digits)
    try:
        value = Decimal(digits)
    except InvalidOperation:
        raise InvalidRequest(_TOO_FAR) from None
    if not value:
        return Decimal(0)
    if abs(value.adjusted()) > MAXIMUM_EXPONENT:
        raise InvalidRequest(_TOO_FAR)
    return value


def _short(digits: str) -> None:
    if len(digits) > MAXIMUM_DIGITS:
        raise InvalidRequest(f"the body has a number of more than {MAXIMUM_DIGITS} characters")


def _no_constant(name: str) -> NoReturn:
    raise InvalidRequest(f"the body holds {name}, which is not JSON")


def _storable(value: Any) -> None:
    """Half a character, and the character NUL, cannot be written back: refused here instead of failing later (T31)."""
    if isinstance(value, str):
        if _NOT_STORABLE.search(value):
            raise InvalidRequest("the body holds half of a Unicode surrogate pair, or the character NUL")
    elif isinstance(value, dict):
        for key, item in value.items():
            _storable(key)
            _storable(item)
    elif isinstance(value, list):
        for item in value:
            _storable(item)

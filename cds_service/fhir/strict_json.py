"""JSON in: exact numbers, no duplicate keys, bounded depth and digits (T25 to T28, T31).

The standard parser with its hooks: orjson keeps the last of two duplicate keys, which turns 38.9 into 36.5.
"""

import json
import re
from decimal import Decimal
from typing import Any, NoReturn

from cds_service.errors import InvalidRequest

MAXIMUM_DEPTH = 64
MAXIMUM_DIGITS = 64
MAXIMUM_EXPONENT = 10

_STRINGS = re.compile(rb'"(?:[^"\\]|\\.)*"')
_BRACKETS = re.compile(rb"[^\[\]{}]+")


def parse(body: bytes) -> Any:
    """The value of a JSON text. Raises InvalidRequest that says what is wrong, never what the text holds."""
    _bounded_depth(body)
    try:
        text = body.decode("utf-8")
    except UnicodeDecodeError as error:
        raise InvalidRequest("the body is not UTF-8: send JSON in UTF-8") from error
    try:
        value = json.loads(
            text,
            object_pairs_hook=_unique,
            parse_float=_bounded_float,
            parse_int=_bounded_int,
            parse_constant=_no_constant,
        )
    except json.JSONDecodeError as error:
        raise InvalidRequest(
            f"the body is not JSON: {error.msg} at line {error.lineno}, column {error.colno}"
        ) from error
    if "\\ud" in text or "\\uD" in text:
        _no_lone_surrogates(value)
    return value


def _bounded_depth(body: bytes) -> None:
    """Depth is counted on the bytes, so that no recursion sees a hostile body."""
    if body.count(b"[") + body.count(b"{") <= MAXIMUM_DEPTH:
        return
    depth = 0
    for bracket in _BRACKETS.sub(b"", _STRINGS.sub(b"", body)):
        if bracket in b"[{":
            depth += 1
            if depth > MAXIMUM_DEPTH:
                raise InvalidRequest(f"the body is nested deeper than {MAXIMUM_DEPTH} levels")
        else:
            depth -= 1


def _unique(pairs: list[tuple[str, Any]]) -> dict[str, Any]:
    members = dict(pairs)
    if len(members) != len(pairs):
        raise InvalidRequest("the body has an object with two members of one name: send each member once")
    return members


def _bounded_int(digits: str) -> int:
    if len(digits) > MAXIMUM_DIGITS:
        raise InvalidRequest(f"the body has a number of more than {MAXIMUM_DIGITS} characters")
    return int(digits)


def _bounded_float(digits: str) -> Decimal:
    if len(digits) > MAXIMUM_DIGITS:
        raise InvalidRequest(f"the body has a number of more than {MAXIMUM_DIGITS} characters")
    value = Decimal(digits)
    if value and abs(value.adjusted()) > MAXIMUM_EXPONENT:
        raise InvalidRequest(f"the body has a number beyond 1e{MAXIMUM_EXPONENT}")
    return value


def _no_constant(name: str) -> NoReturn:
    raise InvalidRequest(f"the body holds {name}, which is not JSON")


def _no_lone_surrogates(value: Any) -> None:
    """Half a character cannot be written back: refused here instead of failing later."""
    if isinstance(value, str):
        try:
            value.encode("utf-8")
        except UnicodeEncodeError as error:
            raise InvalidRequest("the body holds half of a Unicode surrogate pair") from error
    elif isinstance(value, dict):
        for key, item in value.items():
            _no_lone_surrogates(key)
            _no_lone_surrogates(item)
    elif isinstance(value, list):
        for item in value:
            _no_lone_surrogates(item)

"""Where in a TOML text a key stands. The parser tells no lines, so ever longer beginnings of the text are parsed.

Only faults ask for a line: what is sound is parsed once.
"""

import tomllib
from bisect import bisect_left
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any

Key = tuple[str | int, ...]


def line_of(text: str, key: Key) -> int:
    """The line, from 1, where the statement with the key begins; for a key that is not there, that of its table."""
    lines = text.split("\n")
    key = known_part(_table(lines)[0], key)
    if not key:
        return 1
    end = bisect_left(range(len(lines) + 1), True, key=lambda count: reaches(_table(lines[:count])[0], key))
    return _table(lines[: end - 1])[1] + 1


def _table(lines: Sequence[str]) -> tuple[Mapping[str, Any], int]:
    """What the longest sound beginning of the lines makes, and how many lines that is."""
    for count in range(len(lines), 0, -1):
        try:
            return tomllib.loads("\n".join(lines[:count]), parse_float=Decimal), count
        except tomllib.TOMLDecodeError:
            continue
    return {}, 0


def known_part(table: Any, key: Key) -> Key:
    """The longest beginning of a key that leads somewhere."""
    for depth in range(len(key), 0, -1):
        if reaches(table, key[:depth]):
            return key[:depth]
    return ()


def reaches(table: Any, key: Key) -> bool:
    """Whether a key leads somewhere: names in tables, numbers in lists."""
    for part in key:
        if isinstance(table, list):
            there = isinstance(part, int) and part < len(table)
        else:
            there = isinstance(table, Mapping) and part in table
        if not there:
            return False
        table = table[part]
    return True

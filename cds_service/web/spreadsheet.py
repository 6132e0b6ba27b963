"""CSV for spreadsheets: a cell that a spreadsheet would calculate is written as text (T74)."""

import csv
from collections.abc import Iterable
from io import StringIO

_CALCULATES = ("=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠")
"""Some take the wide forms for the same signs."""


def csv_lines(rows: Iterable[Iterable[object]]) -> Iterable[str]:
    """Each row as a line of CSV, with its line end."""
    for row in rows:
        line = StringIO()
        csv.writer(line).writerow([_cell(value) for value in row])
        yield line.getvalue()


def _cell(value: object) -> object:
    return f"'{value}" if isinstance(value, str) and value.startswith(_CALCULATES) else value

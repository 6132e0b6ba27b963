"""docs/reliability.md: every hazard, what the caller gets, what must never happen, and the tests that show it.

`python -m tests.hazards_table` (`make rules`) writes it from tests/hazards.toml and the names of the tests: a test
shows a row when its name holds the row's ID, `test_t05_t10_a_redirect_…` both T05 and T10.
"""

import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from pathlib import Path

from tests.named_tests import ROOT, TESTS, link, names_below

DOCUMENT = ROOT / "docs" / "reliability.md"
TABLE = TESTS / "hazards.toml"
_ID = re.compile(r"_(t\d\d)(?=_)")
_LEADING_IDS = re.compile(r"test_(?:[a-z]\d+_)*")
HEAD = """# Hazards, and what becomes of them

Made by `make rules` from `tests/hazards.toml` and the names of the tests; not edited by hand. Each row says what may
come, what its caller gets then, and what must never happen. A test shows a row when its name holds the row's ID.

Rows with **gate** block a release: the run of the whole suite fails unless a test of each of them passes; one that was
skipped does not count. The threats behind the rows, and who is trusted with what, stand in [security.md](security.md).
Figures that were measured stand in [measured.md](measured.md).
"""
COLUMNS = "| row | hazard | what the caller gets | what never happens | tests |\n|---|---|---|---|---|\n"


@dataclass(frozen=True, slots=True, kw_only=True)
class Hazard:
    """A row. `instead_of` is what is usually advised, where something else is done `because` of a reason."""

    id: str
    gate: bool
    hazard: str
    gets: str
    never: str
    instead_of: str = ""
    because: str = ""


@dataclass(frozen=True, slots=True)
class Chapter:
    """Rows that belong together."""

    title: str
    rows: tuple[Hazard, ...]


def chapters() -> list[Chapter]:
    """The table, in its order."""
    found = tomllib.loads(TABLE.read_text(encoding="utf-8"))["chapter"]
    return [Chapter(chapter["title"], tuple(Hazard(**row) for row in chapter["row"])) for chapter in found]


def hazards() -> list[Hazard]:
    """All rows."""
    return [row for chapter in chapters() for row in chapter.rows]


def shows(test: str) -> list[str]:
    """The IDs of the rows that a test shows, by its name."""
    return [found.upper() for found in _ID.findall(test)]


def shown_by_row() -> dict[str, list[tuple[str, Path]]]:
    """For each ID that stands in a name: what its tests say, and their files."""
    found: dict[str, list[tuple[str, Path]]] = {}
    for name, path in names_below(TESTS):
        for row in shows(name):
            found.setdefault(row, []).append((_LEADING_IDS.sub("", name).replace("_", " "), path))
    return found


def document() -> str:
    """The whole of docs/reliability.md."""
    tests = shown_by_row()
    return HEAD + "".join(_chapter(chapter, tests) for chapter in chapters())


def _chapter(chapter: Chapter, tests: Mapping[str, Iterable[tuple[str, Path]]]) -> str:
    return f"\n## {chapter.title}\n\n{COLUMNS}" + "".join(_line(row, tests.get(row.id, ())) for row in chapter.rows)


def _line(row: Hazard, tests: Iterable[tuple[str, Path]]) -> str:
    name = f"{row.id} **gate**" if row.gate else row.id
    otherwise = f" Not *{row.instead_of}*: {row.because}." if row.instead_of else ""
    shown = [link(*test) for test in tests]
    return f"| {' | '.join((name, row.hazard, row.gets + otherwise, row.never, '<br>'.join(shown)))} |\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")

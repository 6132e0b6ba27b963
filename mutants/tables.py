"""Mutants of the tables in cards/: `make mutants-cards`, or `make mutants-cards ARGS="scales orders"` for some folders.

Each number one step up and one step down in its last place, each true and false exchanged, each row deleted, each
neighbouring pair of rows exchanged. The tests of that table run on each change, in a copy of the project. A table has
no comparison signs: whether a limit is included is code, and `make mutants` changes it. docs/mutants.md names the
survivors that may live.
"""

import re
import sys
from collections.abc import Iterator, Sequence
from decimal import Decimal
from itertools import pairwise
from time import monotonic

from tree import ROOT, Tree, copied

FAST = ("--noconftest",)
NUMBER = re.compile(r"^(?P<key>[\w.-]+) = (?P<number>-?\d+(?:\.\d+)?)(?=\s*$)", re.MULTILINE)
FIGURE = re.compile(r"(?P<key>\b[a-z]+) = (?P<number>-?\d+(?:\.\d+)?)(?=\s*[,}])")
TRUTH = re.compile(r"^(?P<key>[\w.-]+) = (?P<word>true|false)\b", re.MULTILINE)
BLOCK = re.compile(r"^\[\[(?P<kind>[\w.]+)\]\]\n(?:(?!\[).*\n?)*", re.MULTILINE)
CODE = re.compile(r"^  \{ system = .*\},?\n", re.MULTILINE)
LISTED = re.compile(r"^(?P<key>\w+) = \[(?P<items>\".*\")\]$", re.MULTILINE)
IDENTITY = re.compile(r'^id = ".*"\n', re.MULTILINE)

# Which tests look at the tables of a folder: the first alone, because it notices most, then the others.
TESTS = {
    "codes": ("test_codes.py", "test_valuesets.py", "test_laboratory.py", "test_content.py"),
    "scales": (
        "test_second_grader.py",
        "test_signed_table.py",
        "test_hypotension.py",
        "test_hypoxia.py",
        "test_fever.py",
        "test_eligibility.py",
        "test_episode.py",
        "test_units.py",
        "test_observations.py",
        "test_times.py",
        "test_decision_table.py",
        "test_content.py",
    ),
    "orders": (
        "test_dosing.py",
        "test_corticosteroids.py",
        "test_escalation.py",
        "test_tocilizumab.py",
        "test_orders.py",
        "test_wording.py",
        "rules",
        "review",
        "test_content.py",
    ),
    "protocols": (
        "test_dosing.py",
        "test_tocilizumab.py",
        "test_corticosteroids.py",
        "test_escalation.py",
        "test_workup.py",
        "test_laboratory_warnings.py",
        "test_regrading.py",
        "test_course.py",
        "rules",
        "review",
        "test_content_sites.py",
        "test_content.py",
    ),
}
Mutant = tuple[str, str]
"""What is changed, in words, and the text with the change."""


def mutants_of(text: str) -> Iterator[Mutant]:
    """All mutants of a table."""
    yield from _numbers(text)
    yield from _truths(text)
    yield from _rows(text)
    yield from _items(text)


def _numbers(text: str) -> Iterator[Mutant]:
    found = {match.start("number"): match for pattern in (NUMBER, FIGURE) for match in pattern.finditer(text)}
    for match in found.values():
        number = Decimal(match["number"])
        step = Decimal(1).scaleb(int(number.as_tuple().exponent))
        for other in (number - step, number + step):
            changed = text[: match.start("number")] + str(other) + text[match.end("number") :]
            yield f"{_place(text, match.start())} {_key(text, match)} ⟨{number} → {other}⟩", changed


def _truths(text: str) -> Iterator[Mutant]:
    for match in TRUTH.finditer(text):
        other = "false" if match["word"] == "true" else "true"
        changed = text[: match.start("word")] + other + text[match.end("word") :]
        yield f"{_place(text, match.start())} {match['key']} ⟨{match['word']} → {other}⟩", changed


def _rows(text: str) -> Iterator[Mutant]:
    """Rows are blocks of one kind that follow each other, and codes."""
    for rows in (list(BLOCK.finditer(text)), list(CODE.finditer(text))):
        for row in rows:
            yield (
                f"{_place(text, row.end() - 1)} ⟨row deleted⟩ {_head(row[0])}",
                text[: row.start()] + text[row.end() :],
            )
        for first, second in pairwise(rows):
            if first[0].partition("\n")[0] == second[0].partition("\n")[0] or rows[0].re is CODE:
                yield _exchanged(text, first, second)


def _exchanged(text: str, first: re.Match[str], second: re.Match[str]) -> Mutant:
    """Two neighbours in each other's place; rows with an identity exchange that, because their order means nothing."""
    one, other = first[0], second[0]
    ids = IDENTITY.search(one), IDENTITY.search(other)
    if ids[0] and ids[1]:
        one, other = one.replace(ids[0][0], ids[1][0]), other.replace(ids[1][0], ids[0][0])
    else:
        one, other = other, one
    changed = text[: first.start()] + one + text[first.end() : second.start()] + other + text[second.end() :]
    return f"{_place(text, second.start())} ⟨rows exchanged⟩ {_head(first[0])} and {_head(second[0])}", changed


def _items(text: str) -> Iterator[Mutant]:
    for match in LISTED.finditer(text):
        items = re.findall(r'"[^"]*"', match["items"])
        for number, item in enumerate(items):
            rest = ", ".join(items[:number] + items[number + 1 :])
            changed = text[: match.start("items")] + rest + text[match.end("items") :]
            yield f"{_place(text, match.start())} {match['key']} ⟨{item} deleted⟩", changed


def _key(text: str, match: re.Match[str]) -> str:
    """The name of a number, with that of the figure which it is a part of."""
    line = text[text.rfind("\n", 0, match.start()) + 1 : match.start()]
    figure, _, _ = line.partition(" = ")
    return f"{figure} {match['key']}" if figure else match["key"]


def _place(text: str, position: int) -> str:
    """The table that a position lies in, with the id of its row."""
    heads = [match for match in re.finditer(r"^\[+([\w.-]+)\]+", text, re.MULTILINE) if match.start() <= position]
    if not heads:
        return "top"
    row = IDENTITY.search(text, heads[-1].end(), max(position, heads[-1].end()))
    number = sum(match[1] == heads[-1][1] for match in heads)
    return f"{heads[-1][1]} {row[0][6:-2]}" if row else f"{heads[-1][1]} {number}"


def _head(row: str) -> str:
    found = IDENTITY.search(row)
    return found[0].strip() if found else " ".join(row.split())[:60]


def main(folders: Sequence[str]) -> int:
    """Test the mutants of these folders of cards/, or of all; 1 when one lives that docs/mutants.md does not name."""
    known = (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")
    new = 0
    with copied() as tree:
        for folder in folders or TESTS:
            tests = [f"tests/spec/{name}" for name in TESTS[folder]]
            failed = tree.failure(tests, *FAST)
            if failed:
                sys.exit(f"The tests fail without any mutant: {failed}")
            for file in sorted((ROOT / "cards" / folder).glob("*.toml")):
                new += _tried(tree, f"cards/{folder}/{file.name}", file.read_text(encoding="utf-8"), tests, known)
    return int(bool(new))


def _tried(tree: Tree, name: str, text: str, tests: Sequence[str], known: str) -> int:
    began, count, alive = monotonic(), 0, []
    for words, changed in mutants_of(text):
        count += 1
        with tree.changed(name, changed):
            if tree.failure(tests[:1], *FAST) is None and tree.failure(tests[1:], *FAST) is None:
                alive.append(f"| {name.removeprefix('cards/')} | {words} |")
                _say(f"    {'known' if alive[-1] in known else 'NEW  '} {alive[-1]}")
    _say(f"{name:40} {count:4} mutants {len(alive):3} survived in {monotonic() - began:.0f} s")
    return sum(row not in known for row in alive)


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

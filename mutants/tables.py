"""Mutants of the tables in cards/: `make mutants-cards`, or `make mutants-cards ARGS="scales codes/d"` for some.

Each number one step up and one step down in its last place, each true and false exchanged, and each worse and
not-better; each row deleted, and each pair of neighbouring rows exchanged. A change that the check of content does not
refuse meets the tests of its table, in a copy of the project. A table has no comparison signs: whether a limit is
included is code, and `make mutants` changes it. docs/mutants.md names the survivors that may live.

What noticed which change is kept in .mutants/cards.jsonl. `ARGS=--resume` goes on where a run broke off, and tries
again what lived: after tests were written, not after they or the code were changed.
"""

import json
import os
import re
import sys
from collections import Counter
from collections.abc import Callable, Iterable, Iterator, Mapping, Sequence
from decimal import Decimal
from functools import cache, partial
from hashlib import sha256
from itertools import groupby, pairwise
from tempfile import TemporaryDirectory
from time import monotonic

from forks import Step, limit_for, prepare, start, tests
from tree import ENVIRONMENT, ROOT, Tree, copied

RECORD = ROOT / ".mutants" / "cards.jsonl"
RESUME = "--resume"
REFUSED = "refused:"
IMPORTED_ONCE = ("cds_service.web.app", "cds_service.cli.serve", "tests.bedside", "tests.chart")
NUMBER = re.compile(r"^(?P<key>[\w.-]+) = (?P<number>-?\d+(?:\.\d+)?)(?=\s*$)", re.MULTILINE)
PART = re.compile(r"(?P<key>\b[a-z]+) = (?P<number>-?\d+(?:\.\d+)?)(?=\s*[,}])")
WORD = re.compile(r"^(?P<key>[\w.-]+) = \"?(?P<word>true|false|worse|not-better)\"?$", re.MULTILINE)
OTHER = {"true": "false", "false": "true", "worse": "not-better", "not-better": "worse"}
BLOCK = re.compile(r"^\[\[(?P<kind>[\w.]+)\]\]\n(?:(?!\[).*\n?)*", re.MULTILINE)
FIGURE = re.compile(r"^[\w.-]+ = \{ (?:value|low) = .*\}\n", re.MULTILINE)
CODE = re.compile(r"^  \{ system = .*\},?\n", re.MULTILINE)
LISTED = re.compile(r"^(?P<key>\w+) = \[(?P<items>(?:\s*\"[^\"]*\",?)+)\s*\]$", re.MULTILINE)
IDENTITY = re.compile(r'^(?:id|reason) = "(?P<name>.*)"\n', re.MULTILINE)


def _spec(*names: str) -> Step:
    """Tests of the core: they need no servers."""
    return tests("--noconftest", *(f"tests/spec/{name}" for name in names))


def _check() -> None:
    """Refuse content as the service does when it starts: by the faults that it names."""
    from cds_service.content.load import load  # of the copy, which `prepare` put before the installed one
    from cds_service.errors import InvalidContent

    try:
        load()
    except InvalidContent as refused:
        _say(f"{REFUSED} {refused.faults[0]}")
        raise


# What looks at the tables of a folder: first the tests that read them as they lie there, which takes no time.
LOOKS: Mapping[str, Sequence[Step]] = {
    "codes": (_spec("test_codes.py"), _check, _spec("test_valuesets.py", "test_laboratory.py")),
    "scales": (
        _spec("test_tables.py"),
        _check,
        _spec("test_hypotension.py", "test_hypoxia.py", "test_fever.py"),
        _spec("test_eligibility.py", "test_episode.py", "test_units.py", "test_observations.py", "test_times.py"),
    ),
    "orders": (
        _spec("test_tables.py"),
        _check,
        _spec("test_dosing.py"),
        _spec("test_corticosteroids.py", "test_escalation.py", "test_tocilizumab.py", "test_orders.py"),
        _spec("test_wording.py", "rules", "review"),
    ),
    "protocols": (
        _spec("test_tables.py"),
        _check,
        _spec("test_dosing.py", "test_tocilizumab.py", "test_corticosteroids.py", "test_escalation.py"),
        _spec("test_workup.py", "test_laboratory_warnings.py", "test_regrading.py", "test_course.py"),
        _spec("rules", "review", "test_content_sites.py"),
    ),
    "rules": (_check, tests("--noconftest", "tests/test_rules_table.py")),
    "clients": (_spec("test_tables.py"), _check, tests("tests/contract/test_clients.py")),
    "about": (_spec("test_tables.py"), _check, tests("tests/contract/test_about.py")),
    "text": (_spec("test_tables.py"), _check),
}
Mutant = tuple[str, str]
"""What is changed, in words, and the text with the change."""


def mutants_of(text: str) -> Iterator[Mutant]:
    """All mutants of a table."""
    yield from _numbers(text)
    yield from _words(text)
    yield from _rows(text)
    yield from _items(text)


def _numbers(text: str) -> Iterator[Mutant]:
    found = {match.start("number"): match for pattern in (NUMBER, PART) for match in pattern.finditer(text)}
    for match in found.values():
        number = Decimal(match["number"])
        step = Decimal(1).scaleb(int(number.as_tuple().exponent))
        for other in (number - step, number + step):
            changed = text[: match.start("number")] + str(other) + text[match.end("number") :]
            yield f"{_place(text, match.start())} {_key(text, match)} ⟨{number} → {other}⟩", changed


def _words(text: str) -> Iterator[Mutant]:
    for match in WORD.finditer(text):
        other = OTHER[match["word"]]
        changed = text[: match.start("word")] + other + text[match.end("word") :]
        yield f"{_place(text, match.start())} {match['key']} ⟨{match['word']} → {other}⟩", changed


def _rows(text: str) -> Iterator[Mutant]:
    """Rows are blocks, figures and codes; within a list of codes their order means nothing."""
    blocks, figures, codes = (list(pattern.finditer(text)) for pattern in (BLOCK, FIGURE, CODE))
    for row in (*blocks, *figures, *codes):
        yield (
            f"{_place(text, row.start())} ⟨row deleted⟩ {_head(row[0])}",
            text[: row.start()] + text[row.end() :],
        )
    for first, second in pairwise(blocks):
        if first["kind"] == second["kind"]:
            yield _exchanged(text, first, second)
    for first, second in pairwise(codes):
        if first.end() != second.start():
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
    return f"{heads[-1][1]} {row['name']}" if row else f"{heads[-1][1]} {number}"


def _head(row: str) -> str:
    found = IDENTITY.search(row)
    return found[0].strip() if found else " ".join(row.split())[:60]


def main(arguments: Sequence[str]) -> int:
    """Test the mutants of the files that begin so, or of all; 1 when one lives that docs/mutants.md does not name."""
    RECORD.parent.mkdir(exist_ok=True)
    if RESUME not in arguments:
        RECORD.unlink(missing_ok=True)
    wanted = tuple(name for name in arguments if name != RESUME) or ("",)
    known = (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")
    with copied() as tree, TemporaryDirectory(prefix="mutants-") as bytecode:
        with tree.without("cards"):  # nothing that is imported here can have read it
            os.environ.update(ENVIRONMENT)
            prepare(tree.root, bytecode, IMPORTED_ONCE)
        cards = tree.root / "cards"
        names = sorted(path.relative_to(cards).as_posix() for path in cards.rglob("*.toml"))
        folders = groupby((name for name in names if name.startswith(wanted)), _folder)
        began = monotonic()
        found = sum((_tried(tree, LOOKS[folder], files, known) for folder, files in folders), Counter[str]())
    _say(f"{_summary('all', found)} in {(monotonic() - began) / 60:.0f} min")
    return int(bool(found["new"]))


def _folder(name: str) -> str:
    """The folder of a file; of one that lies in none its own name."""
    return name.partition("/")[0].removesuffix(".toml")


def _tried(tree: Tree, looks: Sequence[Step], files: Iterable[str], known: str) -> Counter[str]:
    """Try the mutants of files of one folder; how many met which end."""
    limit = cache(partial(limit_for, looks))
    return sum((_file(tree, f"cards/{name}", looks, limit, known) for name in files), Counter[str]())


def _file(tree: Tree, name: str, looks: Sequence[Step], limit: Callable[[], int], known: str) -> Counter[str]:
    text = (tree.root / name).read_text(encoding="utf-8")
    done, found = _killed(), Counter[str]()
    for words, changed in mutants_of(text):
        digest = sha256(f"{name}\0{changed}".encode()).hexdigest()
        by = done.get(digest)
        if by is None:
            within = limit()
            with tree.changed(name, changed):
                by = _noticed(tree, looks, within)
            _keep({"file": name, "change": words, "by": by, "digest": digest})
        if by is None:
            row = f"| {name.removeprefix('cards/')} | {words} |"
            found["new"] += row not in known
            _say(f"    {'known' if row in known else 'NEW  '} {row}")
        found["mutants"] += 1
        found["survived" if by is None else "refused" if by.startswith(REFUSED) else "killed"] += 1
        if found["mutants"] % 50 == 0:
            _say(f"    {name}: {found['mutants']} tried")
    _say(_summary(name.removeprefix("cards/"), found))
    return found


def _summary(name: str, found: Counter[str]) -> str:
    return (
        f"{name:32} {found['mutants']:4} mutants {found['killed']:4} killed by tests "
        f"{found['refused']:3} refused as content {found['survived']:3} survived"
    )


def _noticed(tree: Tree, looks: Sequence[Step], limit: int) -> str | None:
    """What noticed the change: the fault that the check of content names, or the first test that fails."""
    output = tree.root / "output.txt"
    _, status = os.waitpid(start(looks, limit, output), 0)
    if status == 0:
        return None
    said = output.read_text(encoding="utf-8").splitlines()
    for line in said:
        if line.startswith((REFUSED, "FAILED", "ERROR")):
            return line
    return f"the processor's {limit} seconds" if os.WIFSIGNALED(status) else None


def _killed() -> dict[str, str]:
    """What noticed which mutant, of those that are on record."""
    lines = RECORD.read_text(encoding="utf-8").splitlines() if RECORD.exists() else []
    return {entry["digest"]: entry["by"] for entry in map(json.loads, lines) if entry["by"]}


def _keep(entry: Mapping[str, str | None]) -> None:
    with RECORD.open("a", encoding="utf-8") as record:
        record.write(json.dumps(entry, ensure_ascii=False) + "\n")


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

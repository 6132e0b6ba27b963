"""docs/rules.md: every rule of the supplied protocol, what it says with the figures of the content, and what proves it.

`python -m tests.rules_table` (`make rules`) writes it. A test proves a rule when its name begins with the rule's ID:
`test_s_mgt_2c_a_second_dose_…` proves S-MGT-2c, `test_s_mgt_2c_and_s_mgt_2d_…` both.
"""

import re
from collections.abc import Iterable, Mapping
from pathlib import Path

from cds_service.content.about import DepartureEntry
from cds_service.content.files import data_folder
from cds_service.content.load import load
from cds_service.content.rules import RuleEntry, shown, tables
from tests.named_tests import ROOT, TESTS, link, names_below

DOCUMENT = ROOT / "docs" / "rules.md"
SPEC = TESTS / "spec"
PROTOCOL = "supplied-crs"
HEAD = """# The rules of the supplied CRS protocol

Made by `make rules` from `cards/rules/`, `cards/about.toml` and the names of the tests in `tests/spec/`; not edited by
hand. Each figure is the one of the content, named by its key; the tests stand below, at and above it, and where data is
missing.

| rule | what it says | not to the letter | figures | tests |
|---|---|---|---|---|
"""


def catalogue() -> list[RuleEntry]:
    """The rules, in the order of the article."""
    [found] = [known for known in load().catalogues if known.protocol == PROTOCOL]
    return found.rule


def slug(rule_id: str) -> str:
    """`S-MGT-2c` as it stands in the name of a test: `s_mgt_2c`."""
    return rule_id.lower().replace("-", "_")


def proves(test: str, rule_ids: Iterable[str]) -> tuple[list[str], str]:
    """The rules that the name of a test begins with, and what it says of them in words."""
    by_slug = {slug(known): known for known in rule_ids}
    one = rf"(?:{'|'.join(sorted(by_slug, key=len, reverse=True))}|[a-z]+_?\d+)(?=_)"
    named = re.match(rf"test_({one}(?:_and_{one})*)_(.+)", test)
    if named is None:
        return [], ""
    return [by_slug[part] for part in named[1].split("_and_") if part in by_slug], named[2].replace("_", " ")


def proofs_of(rule_ids: Iterable[str]) -> dict[str, list[tuple[str, Path]]]:
    """For each rule the tests that prove it: what they say, and their file."""
    ids = list(rule_ids)
    found: dict[str, list[tuple[str, Path]]] = {known: [] for known in ids}
    for name, path in names_below(SPEC):
        proved, words = proves(name, ids)
        for known in proved:
            found[known].append((words, path))
    return found


def document() -> str:
    """The whole of docs/rules.md."""
    rules, departures = catalogue(), load().about.departure
    proofs = proofs_of(rule.id for rule in rules)
    figures = tables(data_folder("cards"), PROTOCOL)
    return HEAD + "".join(_row(rule, proofs[rule.id], departures, figures) for rule in rules)


def _row(
    rule: RuleEntry,
    proofs: Iterable[tuple[str, Path]],
    departures: Iterable[DepartureEntry],
    figures: Mapping[str, object],
) -> str:
    departed = [f"{entry.literal} → {entry.instead}" for entry in departures if rule.id in entry.rules]
    stated = [f"`{key}` {shown(figures, key)}" for key in dict.fromkeys(rule.keys)]
    linked = [link(words, path) for words, path in proofs]
    cells = (rule.id, rule.stated(figures), " ".join(departed), "<br>".join(stated), "<br>".join(linked))
    return f"| {' | '.join(cells)} |\n"


if __name__ == "__main__":
    DOCUMENT.write_text(document(), encoding="utf-8")

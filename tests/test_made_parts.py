"""What documents show of keys, queries, scopes and codes is what is made of the tables now."""

import json
import re

import pytest

from tests.integration.test_cli import run
from tests.made_parts import DOCS, parts, with_parts

MADE = parts()


@pytest.mark.parametrize("name", MADE)
def test_the_parts_of_a_document_are_what_is_made_now(name: str) -> None:
    text = (DOCS / name).read_text(encoding="utf-8")
    assert with_parts(text, MADE[name]) == text, "run `make rules`"


def test_a_document_without_a_place_for_a_part_is_noticed() -> None:
    with pytest.raises(ValueError, match="no place for needs"):
        with_parts("# Title\n", {"needs": "|"})


def test_what_is_to_be_pasted_is_what_the_command_prints() -> None:
    printed = json.loads(run("prefetch", "--json").stdout)
    document = (DOCS / "connect.md").read_text(encoding="utf-8")
    pasted = dict(re.findall(r"^`(\w+)`\n\n```text\n(.*)\n```$", document, re.MULTILINE))
    assert pasted == printed["prefetch"]
    shown = re.findall(r"^\| \w+ \| `(\S+)` \| `(\S+)` \|", document, re.MULTILINE)
    assert [list(names) for names in zip(*shown, strict=True)] == list(printed["scopes"].values())

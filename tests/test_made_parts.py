"""What documents show of keys, queries, scopes and codes is what is made of the tables now."""

import json
import re

import pytest

from tests.hazards_table import hazards
from tests.integration.test_cli import run
from tests.made_parts import DOCS, ROOT, locked, parts, with_parts

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


def test_t94_the_safety_file_names_every_part_of_the_lock_with_its_version() -> None:
    listed = (DOCS / "safety.md").read_text(encoding="utf-8").partition("## Parts of others")[2]
    for name, version in locked(ROOT / "requirements.lock").items():
        assert re.search(rf"(^\| |[ ]){re.escape(name)} (\| )?{re.escape(version)}[ ,.]", listed, re.MULTILINE), name


def test_the_hazards_of_the_safety_file_are_rows_and_every_clinical_gate_is_among_them() -> None:
    rows = {row.id: row for row in hazards()}
    named = set(re.findall(r"\bT\d\d\b", (DOCS / "safety.md").read_text(encoding="utf-8")))
    assert named <= set(rows)
    clinical = {name for name, row in rows.items() if "T57" <= name <= "T72" and row.gate}
    assert clinical <= named


def test_the_documents_link_to_files_that_exist() -> None:
    for name in ("connect.md", "connect-epic.md", "connect-oracle-health.md", "safety.md"):
        for target in re.findall(r"\]\(([^)#]+)", (DOCS / name).read_text(encoding="utf-8")):
            assert (DOCS / target).exists(), f"{name}: {target}"

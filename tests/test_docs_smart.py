"""docs/smart.md says what is so: its entries are taken, its keys and addresses are those of the app."""

import re
import tomllib
from dataclasses import fields
from pathlib import Path

from cds_service.clients.smart.registrations import Registration, read_registrations
from cds_service.hooks.knowledge import Knowledge
from cds_service.web.smart.app import CALLBACK, LAUNCH
from tests.server import ROOT

DOCUMENT = (ROOT / "docs" / "smart.md").read_text(encoding="utf-8")
PUBLIC = "https://cds.example.org"


def test_every_entry_of_the_document_is_one_that_is_taken(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    (tmp_path / "smart.toml").write_text(example)
    read = read_registrations(tmp_path / "smart.toml")
    assert [one.id for one in read] == [entry["id"] for entry in tomllib.loads(example)["registration"]]
    assert read[0].frame_ancestors == ("https://epic.example.org",)
    assert len(read[1].endpoints_within) == 2


def test_every_key_of_the_document_is_one_of_an_entry_and_no_other_is() -> None:
    table = DOCUMENT.split("| key | default | meaning |")[1].split("\n\n")[0]
    named = {
        name for row in re.findall(r"^\| (`[a-z_`, ]+`) \|", table, re.MULTILINE) for name in re.findall(r"\w+", row)
    }
    kept = {field.name for field in fields(Registration)} - {"server", "secret", "key"}
    assert named == kept | {"secret_file", "key_file", "key_id"}


def test_the_addresses_to_register_are_those_of_the_app() -> None:
    for name in ("smart.md", "connect.md", "connect-epic.md", "connect-oracle-health.md"):
        text = (ROOT / "docs" / name).read_text(encoding="utf-8")
        assert f"`{PUBLIC}{LAUNCH}`" in text, name
        assert f"`{PUBLIC}{CALLBACK}`" in text, name


def test_the_profiles_that_show_no_smart_links_are_those_of_the_document(knowledge: Knowledge) -> None:
    without = [name for name, profile in knowledge.content.clients.items() if not profile.smart_links]
    assert without == ["sandbox"]
    assert "The profile `sandbox` has not" in DOCUMENT


def test_what_the_pages_say_is_what_they_say() -> None:
    sources = "".join(file.read_text() for file in (ROOT / "cds_service").rglob("*.py"))
    table = DOCUMENT.split("| the page says | what it means |")[1]
    said = re.findall(r"^\| ([^`|-][^|]+) \|", table, re.MULTILINE)
    assert len(said) == 8
    assert [words for words in said if words not in sources.replace('"\n            "', "")] == []

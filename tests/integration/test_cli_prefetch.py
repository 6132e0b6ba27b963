"""`crs-cds prefetch`: what a hospital types into an EHR that does not read discovery."""

import json
from pathlib import Path
from shutil import copytree

from flask.testing import FlaskClient

from tests.integration.test_cli import run
from tests.server import ROOT


def test_keys_and_queries_are_those_of_discovery(client: FlaskClient) -> None:
    listed = client.get("/cds-services").get_json()["services"][0]["prefetch"]
    found = json.loads(run("prefetch", "--json").stdout)
    assert found["prefetch"] == listed
    shown = run("prefetch").stdout.splitlines()
    for key, template in listed.items():
        place = next(n for n, line in enumerate(shown) if line.startswith(f"{key}: "))
        assert shown[place + 1] == template, "a query stands on one line, to be pasted"
    for syntax, names in found["scopes"].items():
        assert f"scopes, {syntax}: {' '.join(names)}" in shown


def test_a_code_that_a_site_adds_is_asked_for(tmp_path: Path) -> None:
    cards = copytree(ROOT / "cards", tmp_path / "cards")
    file = cards / "codes" / "weight.toml"
    added = file.read_text(encoding="utf-8").replace('code = "3141-9"', 'code = "8350-1"', 1)
    assert "8350-1" in added
    file.write_text(added, encoding="utf-8")
    found = json.loads(run("prefetch", "--json", CRS_CDS_CONTENT=str(cards)).stdout)
    assert "http://loinc.org|8350-1" in found["prefetch"]["weight"]

"""`crs-cds content`, run as a committee runs it: check, show, diff, schema."""

import json
import re
import shutil
from pathlib import Path

import pytest

from cds_service.content.files import data_folder
from tests.integration.test_cli import BUNDLE, run

CARDS = data_folder("cards")
SITE = CARDS / "protocols" / "example-hospital.toml"
NAMED = (
    'id = "house"\nversion = "1"\ntitle = "House"\ncitation = "house"\ndate = 2026-11-01\nbased_on = "supplied-crs"\n'
)


@pytest.fixture
def house(tmp_path: Path) -> Path:
    """A protocol file outside cards/."""
    file = tmp_path / "house.toml"
    file.write_text(NAMED, encoding="utf-8")
    return file


def test_check_takes_a_folder_or_one_protocol_file(house: Path) -> None:
    assert run("content", "check", CARDS).stdout.startswith("content is sound: supplied CRS protocol")
    assert run("content", "check", SITE).stdout.startswith("content is sound: Example Hospital CRS protocol")
    assert run("content", "check", house).stdout.startswith("content is sound: House 1, ASTCT 2019, ")


def test_check_reports_every_fault_at_once_and_ends_with_2(house: Path) -> None:
    house.write_text(
        NAMED + "colour = 1\n[tocilizumab]\nrepeat_after = 8\n[step.2]\norders = ['x']\n", encoding="utf-8"
    )
    refused = run("content", "check", house)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert refused.stderr.splitlines()[0] == "crs-cds: the content has 2 fault(s):"
    assert f"{house}:7: colour: is not a key that is read here" in refused.stderr
    assert f"{house}:9: tocilizumab.repeat_after: must be a table" in refused.stderr
    assert "Traceback" not in refused.stderr


def test_check_finds_a_fault_in_a_protocol_that_is_not_in_use(tmp_path: Path) -> None:
    cards = Path(shutil.copytree(CARDS, tmp_path / "cards"))
    (cards / "protocols" / "house.toml").write_text(NAMED + "[step.2]\norders = ['x']\n", encoding="utf-8")
    refused = run("content", "check", cards)
    assert refused.returncode == 2
    assert "protocols/house.toml:8: step.2.orders.0: no order file for x" in refused.stderr


def test_show_prints_the_protocol_grade_by_grade_within_100_columns() -> None:
    shown = run("content", "show", COLUMNS="100")
    assert (shown.returncode, shown.stderr) == (0, "")
    assert max(map(len, shown.stdout.splitlines())) <= 100
    said = re.sub(r"\s+", " ", shown.stdout)
    for words in (
        "Grade 2 orders: tocilizumab tocilizumab IV over 60 min, 8 mg/kg from 30 kg, 12 mg/kg under 30 kg; at most 800",
        "orders: dexamethasone-20 dexamethasone 20 mg IV every 6 h for 3 days, then reassess, adults only",
        "escalation: methylprednisolone methylprednisolone 1000 mg IV every 24 h for 3 days, then 250 mg",
        "when CRS gets worse, in place of the corticosteroid that is running",
        "tocilizumab.repeat_after 72 h A repeat from then on, without improvement [supplied CRS protocol",
        "weight.limit 30 days",
        "monitoring.regrade 12 h",
        "laboratory.below.neutrophils 1000 /µL",
        "grading.fever.threshold 38.0 °C",
        "grading.hypotension.band.3 mmhg 70 mmHg, mmhg per year 2 mmHg per year, below years 11",
    ):
        assert words in said
    order = [said.index(heading) for heading in ("Grade 1", "Grade 4", "Tocilizumab: repeats", "Grading: fever")]
    assert order == sorted(order)
    assert "What " not in shown.stdout.split("Grade 1")[0]


def test_show_of_a_site_begins_with_what_it_changes_and_goes_on_with_what_holds() -> None:
    shown = run("content", "show", "example-hospital").stdout
    changed, _, holds = shown.partition("What holds")
    assert "What example-hospital changes in supplied-crs" in changed
    assert "Consider transfer to the step-up unit" in changed
    assert "monitoring.regrade" not in changed
    assert "monitoring.regrade" in holds
    assert "cefepime 2000 mg IV every 8 h, adults only" in holds


def test_show_follows_the_settings_when_no_protocol_is_named(house: Path) -> None:
    assert run("content", "show", CRS_CDS_PROTOCOL=str(house)).stdout.startswith("House (house 1, hash ")
    refused = run("content", "show", "nobodys")
    assert refused.returncode == 2
    assert "no protocol 'nobodys'; there are: example-hospital, supplied-crs" in refused.stderr


def test_diff_prints_old_and_new_with_their_sources_and_nothing_else() -> None:
    shown = run("content", "diff", "supplied-crs", "example-hospital")
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = [line.strip() for line in shown.stdout.splitlines()]
    place = lines.index("tocilizumab.repeat_after  A repeat from then on, without improvement")
    assert lines[place + 1] == "-  72 h [supplied CRS protocol: no improvement within 3 days, 2025-11-20]"
    assert lines[place + 2].startswith("→  8 h [Example Hospital CRS committee (invented)")
    headings = [line for line in shown.stdout.splitlines()[2:] if line and not line.startswith(" ")]
    assert headings == [
        "Any grade",
        "Grade 2",
        "Protocol",
        "Tocilizumab: repeats and limits",
        "Order blood-cultures",
        "Order cefepime",
        "Grading",
        "Grading: hypoxia",
        "Sentences",
    ]


def test_diff_of_the_same_prints_no_change(house: Path, tmp_path: Path) -> None:
    copy = Path(shutil.copytree(CARDS, tmp_path / "cards"))
    for old, new in (("supplied-crs", "supplied-crs"), (CARDS, copy), (house, house)):
        shown = run("content", "diff", old, new)
        assert shown.returncode == 0
        assert len(shown.stdout.splitlines()) == 2


def test_diff_of_two_folders_shows_changes_of_codes_and_templates_too(tmp_path: Path) -> None:
    cards = Path(shutil.copytree(CARDS, tmp_path / "cards"))
    for file, old, new in (
        ("codes/drugs.toml", '"actemra", ', ""),
        ("text/grade.md.j2", "treat both.", "treat both!"),
        ("clients/generic.toml", '"proposal"', '"order"'),
    ):
        text = (cards / file).read_text(encoding="utf-8")
        assert old in text
        (cards / file).write_text(text.replace(old, new), encoding="utf-8")
    shown = run("content", "diff", CARDS, cards)
    headings = [line for line in shown.stdout.splitlines()[2:] if line and not line.startswith(" ")]
    assert headings == ["Templates", "Clients", "Codes"]
    assert "drugs: tocilizumab" in shown.stdout


def test_schema_writes_the_schemas_that_ship(tmp_path: Path) -> None:
    assert run("content", "schema", tmp_path).returncode == 0
    written = {path.name: path.read_text(encoding="utf-8") for path in tmp_path.iterdir()}
    assert written == {path.name: path.read_text(encoding="utf-8") for path in (CARDS / "schema").iterdir()}
    assert "repeat_after" in json.dumps(written)


def test_grade_takes_a_protocol_by_id_or_by_file(house: Path) -> None:
    for protocol, name in (("example-hospital", "example-hospital"), (house, "house")):
        assessment = json.loads(run("grade", "--json", "--protocol", protocol, BUNDLE).stdout)
        assert assessment["protocol"]["id"] == name
    by_setting = json.loads(run("grade", "--json", BUNDLE, CRS_CDS_PROTOCOL=str(house)).stdout)
    assert by_setting["protocol"]["id"] == "house"
    assert "there is no file" in run("grade", BUNDLE, CRS_CDS_PROTOCOL="/no/such/file.toml").stderr
    assert "cannot be read" in run("grade", "--protocol", "/no/such/file.toml", BUNDLE).stderr


def test_check_says_in_json_what_it_found_sound() -> None:
    found = json.loads(run("content", "check", SITE, "--json").stdout)
    assert (found["sound"], found["faults"], found["protocol"]["id"]) == (True, [], "example-hospital")


def test_check_lists_every_fault_in_json_and_ends_with_2(house: Path) -> None:
    house.write_text(NAMED + "colour = 1\n[tocilizumab]\nrepeat_after = 8\n", encoding="utf-8")
    refused = run("content", "check", house, "--json")
    found = json.loads(refused.stdout)
    assert (refused.returncode, refused.stderr, found["sound"], len(found["faults"])) == (2, "", False, 2)
    assert f"{house}:7: colour: is not a key that is read here" in found["faults"][0]


def test_show_and_diff_say_in_json_what_they_print() -> None:
    shown = json.loads(run("content", "show", "example-hospital", "--json").stdout)
    compared = json.loads(run("content", "diff", "supplied-crs", "example-hospital", "--json").stdout)
    assert compared["changes"] == shown["changes"]
    assert (compared["old"]["protocol"]["id"], compared["new"]["hash"]) == ("supplied-crs", shown["hash"])
    printed = re.sub(r"\s+", "", run("content", "show", "example-hospital").stdout)
    for said in (*shown["statements"], *(change["new"] for change in shown["changes"] if change["new"])):
        assert re.sub(r"\s+", "", said["words"]) in printed
    assert "changes" not in json.loads(run("content", "show", "supplied-crs", "--json").stdout)

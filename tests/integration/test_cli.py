"""The command line, as its users know it: a process, its output, its exit status."""

import json
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests import warm
from tests.demo import running_demo
from tests.server import clean_environment

STORIES = Path(__file__).parents[2] / "fhir_fixtures"
BUNDLE = STORIES / "grade-3-one-vasopressor" / "bundle.json"


def run(*arguments: object, **environment: str) -> subprocess.CompletedProcess[str]:
    """Run `crs-cds` with a wide terminal and no settings but those given."""
    return warm.run([*map(str, arguments)], clean_environment(**{"COLUMNS": "200", **environment}), Path.cwd())


def test_help_names_every_command() -> None:
    shown = subprocess.run([sys.executable, "-m", "cds_service", "--help"], capture_output=True, text=True, check=True)
    names = (
        "serve demo grade course fire keys switch explain fixtures doctor prefetch conformance canary content report "
        "records"
    )
    for command in names.split():
        assert f"\n  {command} " in shown.stdout


def test_grade_prints_grade_evidence_and_orders_for_people() -> None:
    shown = run("grade", BUNDLE)
    assert shown.returncode == 0, shown.stderr
    for words in (
        "graded, grade 3",
        "CRS grade 3:",
        "norepinephrine",
        "656 mg",
        "dexamethasone 10 mg",
        "blood cultures",
    ):
        assert words in shown.stdout
    assert shown.stderr == ""


def test_grade_prints_the_assessment_as_json() -> None:
    assessment = json.loads(run("grade", "--json", BUNDLE).stdout)
    assert (assessment["status"], assessment["grade"], assessment["asOf"]) == ("graded", 3, "2026-01-15T12:00:00Z")


def test_grade_takes_the_instant_as_an_argument() -> None:
    earlier = json.loads(run("grade", "--json", "--at", "2026-01-14T12:00:00Z", BUNDLE).stdout)
    assert earlier["asOf"] == "2026-01-14T12:00:00Z"
    assert earlier["grade"] != 3


def test_grade_says_why_there_is_no_card() -> None:
    shown = run("grade", STORIES / "not-eligible-sepsis" / "bundle.json")
    assert "not-eligible" in shown.stdout
    assert "no cards" in shown.stdout


@pytest.mark.parametrize(
    ("content", "said"),
    [
        ("{", "is not JSON"),
        ('{"resourceType": "Patient"}', "is not a FHIR Bundle"),
        ('{"resourceType": "Bundle", "resourceType": "Bundle"}', "two members of one name"),
        ('{"resourceType": "Bundle"}', "holds 0 patients"),
        (
            '{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": "a"}}]}',
            "CRS cannot be",
        ),
    ],
    ids=["not JSON", "not a Bundle", "duplicate key", "no patient", "nobody"],
)
def test_grade_answers_a_file_it_cannot_use_in_one_sentence(tmp_path: Path, content: str, said: str) -> None:
    file = tmp_path / "bundle.json"
    file.write_text(content, encoding="utf-8")
    shown = run("grade", file)
    if said == "CRS cannot be":
        assert shown.returncode == 0
        assert "not-eligible" in shown.stdout
        return
    assert shown.returncode == 2
    assert said in shown.stderr
    assert shown.stderr.count("\n") == 1
    assert "Traceback" not in shown.stderr


def test_grade_names_a_file_that_is_not_there_and_a_time_that_is_none(tmp_path: Path) -> None:
    assert "No such file" in run("grade", tmp_path / "nowhere.json").stderr
    assert "is not a time" in run("grade", "--at", "noon", BUNDLE).stderr


def test_content_check_passes_for_what_ships_and_lists_faults_for_a_broken_copy(tmp_path: Path) -> None:
    sound = run("content", "check")
    assert sound.returncode == 0
    assert "content is sound" in sound.stdout
    broken = Path(shutil.copytree(STORIES.parent / "cards", tmp_path / "cards"))
    (broken / "codes" / "oxygen.toml").unlink()
    (broken / "orders" / "tocilizumab.toml").write_text("id =", encoding="utf-8")
    refused = run("content", "check", broken)
    assert refused.returncode == 2
    assert "orders/tocilizumab.toml" in refused.stderr
    assert "oxygen" in refused.stderr


def test_serve_refuses_to_start_without_trusted_clients_and_says_what_to_set() -> None:
    refused = run("serve")
    assert refused.returncode == 2
    assert "CRS_CDS_AUTH" in refused.stderr


def test_serve_refuses_bad_content_before_it_listens(tmp_path: Path) -> None:
    empty = tmp_path / "cards"
    empty.mkdir()
    refused = run("serve", CRS_CDS_AUTH="off", CRS_CDS_CONTENT=str(empty))
    assert refused.returncode == 2
    assert "fault(s)" in refused.stderr


def test_the_demo_shows_every_story_with_its_expected_grade() -> None:
    shown = run("demo", "--once", "--port", "5600")
    stories = [folder.name for folder in STORIES.iterdir() if folder.is_dir()]
    assert shown.stderr == ""
    assert shown.returncode == 0, shown.stdout[-2000:] + shown.stderr[-2000:]
    assert f"{len(stories)} of {len(stories)} stories have the expected grade." in shown.stdout
    for name in stories:
        assert name in shown.stdout


@pytest.fixture
def demo() -> Iterator[str]:
    """A demo that stays up; its base URL."""
    with running_demo() as base:
        yield base


def test_fire_acts_as_an_ehr_with_prefetch_and_by_pull(demo: str) -> None:
    patient = "grade-3-one-vasopressor-patient"
    for way in ((), ("--pull",)):
        shown = run("fire", "--patient", patient, "--fhir", f"{demo}/fhir", "--service", demo, *way)
        assert shown.returncode == 0, shown.stderr
        assert "graded, grade 3" in shown.stdout
        assert "656 mg" in shown.stdout
    refused = run("fire", "--patient", patient, "--service", demo)
    assert refused.returncode == 2
    assert "HTTP 412" in refused.stderr
    assert "no fhirServer was given" in refused.stderr


def test_fire_says_that_no_service_answers() -> None:
    refused = run("fire", "--patient", "a", "--service", "http://127.0.0.1:9")
    assert refused.returncode == 2
    assert "is the service running there?" in refused.stderr

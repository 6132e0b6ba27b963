"""`crs-cds course`: the CRS course of a Bundle or of a patient on a FHIR server, as a page, a picture or JSON."""

import json
from pathlib import Path

import pytest

from cds_service.hooks.knowledge import Knowledge
from tests.answers import PATIENT
from tests.integration.test_cli import BUNDLE, STORIES, run
from tests.server import NOW, Fhir

BEGINS = {".html": b"<!doctype html>", ".svg": b"<svg", ".png": b"\x89PNG"}
TOKEN = "token-of-a-test"


@pytest.mark.parametrize("suffix", BEGINS)
def test_a_bundle_is_written_in_each_form(tmp_path: Path, suffix: str) -> None:
    out = tmp_path / f"course{suffix}"
    shown = run("course", BUNDLE, "--out", out)
    assert (shown.returncode, shown.stdout) == (0, ""), shown.stderr
    assert out.read_bytes().startswith(BEGINS[suffix])
    assert [file.name for file in tmp_path.iterdir()] == [out.name]


def test_json_is_the_grade_over_time_and_ends_with_the_grade_of_the_cards() -> None:
    found = json.loads(run("course", BUNDLE, "--json").stdout)
    graded = json.loads(run("grade", BUNDLE, "--json").stdout)
    assert (found["asOf"], found["complete"], found["protocol"]) == (graded["asOf"], True, graded["protocol"])
    assert [step["until"] for step in found["steps"][:-1]] == [step["from"] for step in found["steps"][1:]]
    assert (found["steps"][-1]["grade"], found["steps"][-1]["status"]) == (graded["grade"], graded["status"])
    (rise,) = [step for step in found["steps"] if step["from"] == "2026-01-15T06:50:00Z"]
    assert (rise["grade"], rise["orHigher"], rise["rules"]) == (3, False, ["S-GRADE-1", "S-GRADE-3a", "S-GRADE-2b"])


def test_it_takes_the_instant_as_an_argument() -> None:
    earlier = json.loads(run("course", BUNDLE, "--json", "--at", "2026-01-14T16:00:00Z").stdout)
    assert (earlier["asOf"], earlier["steps"][-1]["grade"]) == ("2026-01-14T16:00:00Z", 1)


def test_a_patient_is_read_from_the_server_that_is_named_with_the_token_that_is_given(
    fhir: Fhir, tmp_path: Path
) -> None:
    out = tmp_path / "course.html"
    at = ("--at", NOW.isoformat())
    shown = run("course", "--patient", PATIENT, "--fhir", fhir.base, "--out", out, *at, "--json", FHIR_TOKEN=TOKEN)
    assert shown.returncode == 0, shown.stderr
    assert json.loads(shown.stdout)["steps"][-1]["grade"] == 3
    assert f"Patient/{PATIENT}" in out.read_text()
    assert {asked.headers.get("authorization") for asked in fhir.asked} == {f"Bearer {TOKEN}"}
    assert TOKEN not in out.read_text() + shown.stderr


def test_t45_what_a_server_does_not_answer_is_said_in_the_picture(
    fhir: Fhir, knowledge: Knowledge, tmp_path: Path
) -> None:
    oxygen = [need.parameters for need in knowledge.needs if need.key in ("oxygen", "vitalSigns")]
    fhir.faults = dict.fromkeys(oxygen, ("403", "application/json", "{}"))
    out = tmp_path / "course.svg"
    shown = run("course", "--patient", PATIENT, "--fhir", fhir.base, "--out", out, "--at", NOW.isoformat())
    assert shown.returncode == 0, shown.stderr
    assert all(said in out.read_text() for said in ("not all known", "none in what could be read", "HTTP 403"))


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        ([BUNDLE], "say where to write with --out FILE"),
        ([BUNDLE, "--out", "course.pdf"], "the name of the file ends in .html, .svg, .png"),
        (["--out", "course.svg"], "give either a Bundle, or a patient and a FHIR server"),
        (["--fhir", "http://127.0.0.1:1/fhir", "--json"], "give either a Bundle, or a patient and a FHIR server"),
        ([BUNDLE, "--fhir", "http://127.0.0.1:1/fhir", "--patient", "a", "--json"], "give either a Bundle"),
        (["--fhir", "ftp://ehr.example", "--patient", "a", "--json"], "is not a FHIR base URL"),
        (["--fhir", "http://127.0.0.1:1/fhir", "--patient", "a", "--json"], "CRS cannot be graded"),
        ([BUNDLE, "--json", "--at", "noon"], "is not a time"),
    ],
)
def test_what_cannot_be_drawn_is_said_in_one_sentence(arguments: list[object], said: str) -> None:
    refused = run("course", *arguments)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert said in refused.stderr
    assert (refused.stderr.count("\n"), "Traceback" in refused.stderr) == (1, False)


def test_a_file_that_cannot_be_written_leaves_the_one_that_is_there(tmp_path: Path) -> None:
    nowhere = run("course", BUNDLE, "--out", tmp_path / "nowhere" / "course.svg")
    assert (nowhere.returncode, "cannot be written" in nowhere.stderr) == (2, True)
    there = tmp_path / "course.svg"
    there.write_text("the one before")
    refused = run("course", STORIES / "grade-1-fever" / "expect.toml", "--out", there)
    assert (refused.returncode, there.read_text()) == (2, "the one before")
    assert [file.name for file in tmp_path.iterdir()] == ["course.svg"]

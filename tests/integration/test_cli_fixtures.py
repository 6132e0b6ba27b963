"""`crs-cds fixtures`: stories on a FHIR server that others use too, loaded once, found by their tag, removed again."""

import json
from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cds_service.fhir.memory import Repository
from tests.integration.test_cli import STORIES, run
from tests.server import NOW, Fhir, fhir_server

STORY = "grade-3-one-vasopressor"
TAG = "crs-test-1"
OTHER = {"resourceType": "Patient", "id": "somebody-else", "name": [{"family": "Invented"}]}


@pytest.fixture
def server() -> Iterator[Fhir]:
    """A FHIR server of others: a patient is there already."""
    with fhir_server(Repository(lambda: NOW)) as fhir:
        fhir.repository.update(OTHER)
        yield fhir


def held(server: Fhir, kind: str, query: str = "") -> list[dict[str, Any]]:
    found = requests.get(f"{server.base}/{kind}?_count=500{query}", timeout=10).json()
    return [entry["resource"] for entry in found.get("entry", [])]


def test_list_names_every_story_with_its_sentence_and_grade() -> None:
    names = {item["name"]: item for item in json.loads(run("fixtures", "list", "--json").stdout)}
    assert set(names) == {folder.name for folder in STORIES.iterdir() if folder.is_dir()}
    assert names[STORY]["expect"]["grade"] == 3
    assert STORY in run("fixtures", "list").stdout


def test_validate_finds_every_story_sound() -> None:
    checked = run("fixtures", "validate", "--json")
    assert (checked.returncode, json.loads(checked.stdout)) == (0, {})


def test_a_story_is_loaded_once_under_ids_of_the_server_and_graded_there(server: Fhir) -> None:
    loaded = run("fixtures", "load", "--fhir", server.base, "--story", STORY, "--tag", TAG, "--json")
    assert loaded.returncode == 0, loaded.stderr
    (patient,) = json.loads(loaded.stdout)["patients"][STORY]
    before = len(held(server, "Observation"))
    again = run("fixtures", "load", "--fhir", server.base, "--story", STORY, "--tag", TAG, "--json")
    assert json.loads(again.stdout)["patients"][STORY] == [patient]
    assert len(held(server, "Observation")) == before > 0
    observation = held(server, "Observation")[0]
    assert observation["subject"]["reference"] == f"Patient/{patient}"
    assert observation["meta"]["tag"][0]["code"] == TAG


def test_what_was_loaded_is_removed_and_nothing_else(server: Fhir) -> None:
    run("fixtures", "load", "--fhir", server.base, "--story", STORY, "--tag", TAG)
    run("fixtures", "load", "--fhir", server.base, "--story", "grade-1-fever", "--tag", "crs-test-2")
    kept = len(held(server, "Observation", "&_tag=crs-test-2"))
    removed = run("fixtures", "remove", "--fhir", server.base, "--tag", TAG, "--json")
    assert removed.returncode == 0, removed.stderr
    assert json.loads(removed.stdout)["removed"]["Patient"] == 1
    assert held(server, "Observation", f"&_tag={TAG}") == []
    assert len(held(server, "Observation")) == kept > 0
    assert "somebody-else" in {item["id"] for item in held(server, "Patient")}


def test_without_a_tag_a_new_one_is_made_and_told(server: Fhir) -> None:
    shown = run("fixtures", "load", "--fhir", server.base, "--story", STORY)
    assert "remove them again: crs-cds fixtures remove --fhir" in shown.stdout
    assert f"{STORY}: crs-cds fire --fhir {server.base} --patient" in shown.stdout


def test_a_server_that_still_starts_is_waited_for(server: Fhir) -> None:
    server.faults = {"/fhir/metadata": ("503 Service Unavailable", "text/plain", "starting")}

    def started(path: str) -> None:
        if sum(asked.path == "/fhir/metadata" for asked in server.asked) == 2:
            server.faults.clear()

    server.hold = started
    removed = run("fixtures", "remove", "--fhir", server.base, "--tag", TAG, "--wait", 60)
    assert removed.returncode == 0, removed.stderr
    assert [asked.path for asked in server.asked[:3]] == ["/fhir/metadata"] * 2 + ["/fhir/Observation"]


def test_a_server_that_does_not_start_is_waited_for_no_longer_than_was_said() -> None:
    refused = run("fixtures", "load", "--fhir", "http://127.0.0.1:9/fhir", "--story", STORY, "--wait", 1)
    assert refused.returncode == 2
    assert "cannot be reached" in refused.stderr


@pytest.mark.parametrize(
    ("arguments", "words"),
    [
        (("load", "--fhir", "http://127.0.0.1:9/fhir", "--story", STORY), "cannot be reached"),
        (("load", "--fhir", "{base}", "--story", "no-such-story"), "There is no story 'no-such-story'"),
        (("load", "--fhir", "{base}", "--tag", "a b"), "letters, digits and dashes"),
        (("remove", "--fhir", "{base}", "--tag", "x"), "letters, digits and dashes"),
        (("load", "--fhir", "{base}/nothing", "--story", STORY), "the FHIR server answered HTTP 4"),
    ],
)
def test_what_goes_wrong_is_one_plain_sentence(server: Fhir, arguments: tuple[str, ...], words: str) -> None:
    refused = run("fixtures", *(part.replace("{base}", server.base) for part in arguments))
    assert refused.returncode == 2
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr

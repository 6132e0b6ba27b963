"""`crs-cds explain`: the way of a request for people, and the same bytes for the same request."""

import json
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.answers import PATIENT, SERVICE
from tests.integration.test_cli import run
from tests.server import NOW, hook_call

AT = NOW.isoformat()


@pytest.fixture
def request_file(filled: dict[str, Any], tmp_path: Path) -> Path:
    """A request with everything prefetched."""
    path = tmp_path / "request.json"
    path.write_text(json.dumps(hook_call(PATIENT, prefetch=filled)), encoding="utf-8")
    return path


def test_it_shows_data_facts_findings_rules_sentences_and_cards(request_file: Path) -> None:
    shown = run("explain", request_file, "--at", AT)
    assert shown.returncode == 0, shown.stderr
    for words in (
        "crs-patient-view at 2026-11-22T12:00:00Z, protocol supplied-crs",
        "bloodPressure",
        "prefetch",
        "graded, grade 3",
        "hypotension: met, grade 3 [S-GRADE-3a]",
        "Observation/grade-3-one-vasopressor-bp-07",
        "tocilizumab (",
        "CRS grade 3: norepinephrine running",
    ):
        assert words in shown.stdout


def test_the_same_request_gives_the_bytes_that_the_service_sent(request_file: Path, client: FlaskClient) -> None:
    body = json.loads(request_file.read_text(encoding="utf-8"))
    sent = client.post(SERVICE, json=body).data
    first, second = (run("explain", request_file, "--at", AT, "--json").stdout for _ in range(2))
    assert first == second
    assert first.rstrip("\n").encode() == sent


def test_what_cannot_be_had_is_named_with_its_need(tmp_path: Path, filled: dict[str, Any]) -> None:
    path = tmp_path / "request.json"
    path.write_text(
        json.dumps(hook_call(PATIENT, prefetch=filled | {"weight": None} | {"scores": {}})), encoding="utf-8"
    )
    shown = run("explain", path, "--at", AT)
    assert "no fhirServer was given" in shown.stdout


@pytest.mark.parametrize(
    ("content", "words"),
    [
        ("[]", "the request has hook None"),
        ('{"hook": "encounter-start"}', "give a JSON object with one of patient-view, order-select, order-sign"),
        ("{", "request.json:"),
        ('{"hook": "patient-view"}', "hookInstance"),
    ],
)
def test_a_request_that_cannot_be_read_is_one_plain_sentence(tmp_path: Path, content: str, words: str) -> None:
    path = tmp_path / "request.json"
    path.write_text(content, encoding="utf-8")
    refused = run("explain", path)
    assert refused.returncode == 2
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr

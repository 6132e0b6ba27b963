"""`crs-cds canary`: an answer that stopped coming is noticed (T96)."""

import json
import re
import shutil
import subprocess
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest
import requests
from prometheus_client.parser import text_string_to_metric_families

from cds_service.cli.canary import STORIES
from tests.callers import PUBLIC, bearer
from tests.integration.test_cli import run
from tests.server import ROOT, SECONDS, Service, free_port, service_process

ISSUER, OTHER = "https://canary.example", "https://hospital.example"
KEY = "k" * 32
GRADES = ["not-eligible", *(f"grade {grade}" for grade in range(5))]


@pytest.fixture(scope="module")
def present(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The production server at the present time, where no client proves who it is."""
    with service_process(tmp_path_factory.mktemp("service") / "log", "", datetime.now(UTC), workers=2) as service:
        yield service


def test_t96_a_patient_of_each_grade_goes_the_whole_way_and_all_is_well(present: Service) -> None:
    shown = run("canary", "--service", present.base)
    assert (shown.returncode, shown.stderr) == (0, "")
    lines = shown.stdout.splitlines()
    assert [line.split()[:2] for line in lines] == [["ok", story] for story in STORIES]
    for line, grade in zip(lines, GRADES, strict=True):
        assert grade in line
        assert ("no card" in line) == (grade in ("not-eligible", "grade 0"))


def test_t96_a_therapy_that_is_not_recognised_any_more_is_noticed(tmp_path: Path) -> None:
    cards = shutil.copytree(ROOT / "cards", tmp_path / "cards")
    codes = cards / "codes" / "therapies.toml"
    text = codes.read_text(encoding="utf-8").replace('"1987398"', '"9987398"')
    text = text.replace('words = ["axicabtagene", "axi-cel", "yescarta"]', 'words = ["no name of it"]')
    codes.write_text(text, encoding="utf-8")
    with service_process(tmp_path / "log", "", datetime.now(UTC), CRS_CDS_CONTENT=str(cards)) as service:
        shown = run("canary", "--service", service.base, "--json")
    found = {one["story"]: one for one in json.loads(shown.stdout)}
    assert shown.returncode == 1
    assert not found["grade-3-one-vasopressor"]["well"]
    assert found["grade-3-one-vasopressor"]["expected"] == "graded, grade 3, cards"
    assert found["grade-3-one-vasopressor"]["got"] == "not-eligible, no card"
    assert found["not-eligible-sepsis"]["well"]
    assert re.fullmatch(r"crs-cds: \S+ does not answer as it should for .*grade-3-one-vasopressor.*\n", shown.stderr)


def test_t96_a_service_whose_clock_is_days_behind_is_noticed(tmp_path: Path) -> None:
    with service_process(tmp_path / "log", "", datetime.now(UTC) - timedelta(days=3)) as service:
        shown = run("canary", "--service", service.base)
    assert shown.returncode == 1
    assert "BAD  grade-4-two-vasopressors" in shown.stdout


def test_t96_a_service_that_refuses_or_is_away_is_noticed(tmp_path: Path) -> None:
    away = run("canary", "--service", f"http://127.0.0.1:{free_port()}")
    assert (away.returncode, away.stdout) == (2, "")
    assert away.stderr.startswith("crs-cds: ")
    now = datetime.now(UTC)
    with service_process(tmp_path / "log", "", now, CRS_CDS_MAXIMUM_BODY_BYTES="2000") as service:
        refused = run("canary", "--service", service.base)
    assert refused.returncode == 1
    assert "BAD  grade-1-fever" in refused.stdout
    assert "HTTP 413" in refused.stdout


@pytest.fixture(scope="module")
def guarded(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The production server that trusts the canary and another client, whose key is the same; their keys lie beside
    its log. Its clock stands still within the life of tokens that are signed now."""
    folder = tmp_path_factory.mktemp("guarded")
    printed = run("keys", "new", folder / "canary.pem", "--id", "canary", "--issuer", ISSUER).stdout
    other = printed.replace('id = "canary"', 'id = "hospital"').replace(ISSUER, OTHER)
    (folder / "clients.toml").write_text(f"{printed}\n{other}")
    settings = {
        "CRS_CDS_AUTH": "required",
        "CRS_CDS_OPERATOR_KEY": KEY,
        "CRS_CDS_PUBLIC_URL": PUBLIC,
        "CRS_CDS_TRUSTED_CLIENTS": str(folder / "clients.toml"),
    }
    now = datetime.now(UTC) + timedelta(minutes=3)
    with service_process(folder / "log", "", now, workers=2, **settings) as service:
        yield service


def canary_at(service: Service, *options: object) -> subprocess.CompletedProcess[str]:
    return run("canary", "--service", service.base, "--public-url", PUBLIC, *options)


def answers_of(service: Service, client: str) -> float:
    """How many answers of a client are counted."""
    text = requests.get(f"{service.base}/metrics", headers=bearer(KEY), timeout=SECONDS).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    of = [sample for sample in samples if sample.name == "crs_cds_answers_total"]
    return sum(sample.value for sample in of if sample.labels["client"] == client)


def test_t96_where_clients_prove_who_they_are_the_canary_does_too_and_is_known_by_its_id(guarded: Service) -> None:
    key = guarded.log.with_name("canary.pem")
    before, others = answers_of(guarded, "canary"), answers_of(guarded, "hospital")
    shown = canary_at(guarded, "--key", key, "--issuer", ISSUER)
    assert (shown.returncode, shown.stderr) == (0, "")
    assert [line.split()[:2] for line in shown.stdout.splitlines()] == [["ok", story] for story in STORIES]
    assert answers_of(guarded, "canary") == before + len(STORIES)
    assert answers_of(guarded, "hospital") == others


def test_t96_who_proves_to_be_another_client_is_not_taken_for_the_canary(guarded: Service) -> None:
    """It names itself as the canary in its `User-Agent`, which anybody can."""
    canaries, others = answers_of(guarded, "canary"), answers_of(guarded, "hospital")
    key = guarded.log.with_name("canary.pem")
    shown = canary_at(guarded, "--key", key, "--issuer", OTHER)
    assert shown.returncode == 0
    assert answers_of(guarded, "canary") == canaries
    assert answers_of(guarded, "hospital") == others + len(STORIES)


def test_t96_a_canary_that_is_not_let_in_is_noticed_and_told_what_to_give(guarded: Service) -> None:
    refused = canary_at(guarded)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "give --key and --issuer" in refused.stderr


def test_t96_canaries_are_recorded_and_counted_apart(present: Service) -> None:
    assert run("canary", "--service", present.base).returncode == 0
    report = requests.get(f"{present.base}/report?format=json", timeout=SECONDS).json()
    summary = {row["figure"]: row["value"] for row in report["summary"]}
    assert summary["answers"] == summary["cards shown"] == summary["patients"] == 0
    assert summary["answers for invented patients of the canary, in no other figure"] % len(STORIES) == 0
    assert summary["answers for invented patients of the canary, in no other figure"] > 0
    metrics = requests.get(f"{present.base}/metrics", timeout=SECONDS).text
    assert 'crs_cds_answers_total{client="canary",service="crs-patient-view",shown="cards"}' in metrics
    assert 'crs_cds_answers_total{client="unchecked"' not in metrics
    assert 'crs_cds_firing_ratio{client="canary",service="crs-patient-view"} 0.8' in metrics
    state = Path(f"{present.log}.state")
    exported = run("records", "export", CRS_CDS_STATE_FOLDER=str(state))
    assert exported.returncode == 0, exported.stderr
    rows = [json.loads(line) for line in exported.stdout.splitlines()]
    assert {row["client"] for row in rows if row["record"] == "answer"} == {"canary"}

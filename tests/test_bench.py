"""`make bench` runs, measures every case and says what it measured. How fast anything is, is no matter of tests."""

import json
import subprocess
import sys
from typing import Any

import pytest

from bench.report import capacity, performance, summary
from bench.servers import ROOT, peers_installed
from bench.steps import OUTSIDE, PARSE, REST, STEPS
from tests.made_parts import with_parts
from tests.server import clean_environment

Figures = dict[str, Any]
SECONDS = 600


@pytest.fixture(scope="module")
def figures(tmp_path_factory: pytest.TempPathFactory) -> Figures:
    """Those of a run with two calls of each kind."""
    file = tmp_path_factory.mktemp("bench") / "bench.json"
    command = [sys.executable, "-m", "bench.run", "--tiny", "--json", str(file)]
    ran = subprocess.run(
        command, cwd=ROOT, env=clean_environment(), capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert ran.returncode == 0, ran.stderr
    found: Figures = json.loads(file.read_bytes())
    assert ran.stdout.endswith(f"{summary(found)}\n")
    return found


def test_every_case_is_measured_with_this_service_and_what_is_compared_beside_the_floor(figures: Figures) -> None:
    rows = {(row["case"], row["server"]): row for row in figures["cases"]}
    own = {name for name, server in rows if server == "this service"}
    assert own == {
        "eligible, grade 3, 100 Observations",
        "eligible, grade 3, 500 Observations",
        "not eligible, 100 Observations",
        "order-sign, grade 3, 100 Observations",
        "feedback to a card",
    }
    assert {name for name, server in rows if server == "floor"} == {
        name for name in own if " Obs" in name and "sign" not in name
    }
    for row in rows.values():
        assert row["calls"] == 2
        assert min(row[name] for name in ("kilobytes", "p50_ms", "requests_per_second", "megabytes")) > 0
        assert row["p50_ms"] <= row["p99_ms"]


def test_healthchain_is_measured_plain_and_typed_where_it_is_installed_and_else_said_to_be_missing(
    figures: Figures,
) -> None:
    servers = [row["server"] for row in figures["cases"]]
    times = 3 if peers_installed() else 0
    assert (servers.count("HealthChain, plain"), servers.count("HealthChain, typed")) == (times, times)
    assert (figures["peers"] is None) == peers_installed()
    assert performance(figures | {"peers": "HealthChain was not measured"})["machine"].endswith("not measured.\n")


def test_the_pull_is_measured_in_both_ways_for_both_patients_alone_and_together(figures: Figures) -> None:
    found = {(row["phases"], row["patient"], row["at_once"]): row for row in figures["pull"]}
    patients = ("not eligible", "eligible, grade 3")
    assert found.keys() == {
        (phases, patient, at_once) for phases in (1, 2) for patient in patients for at_once in (1, 16)
    }
    for (phases, patient, at_once), row in found.items():
        queries = phases if patient.startswith("eligible") else 1
        assert row["calls"] == at_once
        assert row["p50_ms"] >= 100 * queries, "it cannot be faster than what it waits for"
        assert row["overhead_ms"] == pytest.approx(row["p50_ms"] - 100 * queries)


def test_growth_workers_starts_callers_and_the_store_are_measured(figures: Figures) -> None:
    assert list(figures["growth"]["p50_ms"]) == ["10", "30", "100"]
    assert [row["workers"] for row in figures["workers"]] == [1, 2]
    assert figures["start"].keys() == {"first_seconds", "seconds", "help_seconds"}
    assert figures["authentication"]["signature_ms"] > 0
    store = figures["store"]
    assert {row["database"] for row in store["appended"]} >= {"SQLite"}
    assert all(row["rate"] > 0 for row in store["appended"])
    assert all(row["bytes"] > 0 and row["statements"] > 0 for row in store["costs"])


def test_the_steps_of_a_call_are_measured_and_come_to_the_whole(figures: Figures) -> None:
    assert figures["steps"].keys() == {"100", "500"}
    for found in figures["steps"].values():
        assert found.keys() == {PARSE, *STEPS.values(), REST, OUTSIDE}
        assert min(found[name] for name in (PARSE, *STEPS.values())) > 0


def test_the_machine_is_described(figures: Figures) -> None:
    assert figures["machine"].keys() == {"processor", "cores", "system", "python", "optimised_python", "load_before"}


@pytest.mark.parametrize(("document", "parts"), [("performance.md", performance), ("capacity.md", capacity)])
def test_the_documents_have_a_place_for_each_table(figures: Figures, document: str, parts: Any) -> None:
    text = (ROOT / "docs" / document).read_text(encoding="utf-8")
    made = parts(figures)
    written = with_parts(text, made)
    assert all(part in written for part in made.values())

"""`crs-cds records` and `crs-cds report`: export, purge and report as their users run them."""

import csv
import json
import sqlite3
from contextlib import closing
from datetime import UTC, datetime, timedelta
from io import StringIO
from pathlib import Path

import pytest

from cds_service.store.records import Reason, Response
from cds_service.store.store import Store
from cds_service.web.settings import Settings
from cds_service.web.state import prepare_state
from tests.integration.test_cli import run
from tests.records import answer, card, said

TODAY = datetime.now(UTC)
"""The commands read the clock."""
DAY = timedelta(days=1)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    """A state folder with an answer of today, one of 40 days ago, and feedback to the first."""
    folder = tmp_path / "state"
    settings = Settings(state_folder=folder)
    prepare_state(settings, TODAY)
    store = Store.open(settings.store_url)
    store.add_answer(answer(card("new"), at=TODAY))
    store.add_answer(answer(card("old"), at=TODAY - 40 * DAY))
    reason = Reason(code="c", system="urn:s", display="@why")
    feedback = said(Response.OVERRIDDEN, "new", at=TODAY, received_at=TODAY, reasons=(reason,), comment="=1+1")
    store.add_feedback([feedback])
    store.close()
    return folder


def test_export_writes_a_json_object_a_line(folder: Path) -> None:
    ended = run("records", "export", CRS_CDS_STATE_FOLDER=str(folder))
    assert (ended.returncode, ended.stderr) == (0, "")
    rows = [json.loads(line) for line in ended.stdout.splitlines()]
    assert [row["record"] for row in rows] == ["answer", "card", "feedback"]
    assert rows[1]["uuid"] == rows[2]["card"] == "new"
    assert rows[2]["comment"] == "=1+1"
    assert rows[0]["at"] == TODAY.isoformat()


def test_t74_export_writes_csv_that_a_spreadsheet_does_not_calculate(folder: Path) -> None:
    ended = run("records", "export", "--format", "csv", "--from", "2020-01-01", CRS_CDS_STATE_FOLDER=str(folder))
    rows = list(csv.DictReader(StringIO(ended.stdout)))
    assert [row["record"] for row in rows] == ["answer", "card", "answer", "card", "feedback"]
    assert rows[4]["comment"] == "'=1+1"
    assert json.loads(rows[4]["reasons"]) == [{"code": "c", "system": "urn:s", "display": "@why"}]


def test_export_takes_the_days_that_are_named(folder: Path) -> None:
    day = (TODAY - 40 * DAY).date().isoformat()
    ended = run("records", "export", "--from", day, "--to", day, CRS_CDS_STATE_FOLDER=str(folder))
    assert [json.loads(line).get("uuid") for line in ended.stdout.splitlines()] == [None, "old"]


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ((), "older than 365 days: 0 answers, 0 entries"),
        (("--older-than", "41"), "older than 41 days: 0 answers, 0 entries"),
        (("--older-than", "39"), "older than 39 days: 1 answers, 0 entries"),
        (("--older-than", "0"), "older than 0 days: 2 answers, 1 entries"),
    ],
)
def test_purge_removes_what_is_older_and_says_how_much(folder: Path, options: tuple[str, ...], words: str) -> None:
    ended = run("records", "purge", *options, CRS_CDS_STATE_FOLDER=str(folder))
    assert (ended.returncode, ended.stderr) == (0, "")
    assert words in ended.stdout


def test_purge_takes_the_retention_of_the_site(folder: Path) -> None:
    ended = run("records", "purge", CRS_CDS_STATE_FOLDER=str(folder), CRS_CDS_RETENTION_DAYS="39")
    assert "older than 39 days: 1 answers" in ended.stdout


def test_report_writes_a_file_in_each_form(folder: Path, tmp_path: Path) -> None:
    starts = {"html": "<!doctype html>", "json": "{", "csv": "table,of,figure,value"}
    for kind, start in starts.items():
        out = tmp_path / f"report.{kind}"
        ended = run("report", "--format", kind, "--out", out, CRS_CDS_STATE_FOLDER=str(folder))
        assert (ended.returncode, ended.stdout, ended.stderr) == (0, "", f"written to {out}\n")
        assert out.read_text().startswith(start)


def test_report_says_the_same_as_the_service(folder: Path) -> None:
    ended = run("report", "--json", CRS_CDS_STATE_FOLDER=str(folder))
    assert json.loads(ended.stdout)["topics"] == [
        {"topic": "treatment", "shown": 1, "accepted": 0, "overridden": 1, "withoutFeedback": 0, "suppressed": 0}
    ]


@pytest.mark.parametrize("command", [("report",), ("records", "export"), ("records", "purge")])
def test_without_a_store_commands_say_so_and_make_none(tmp_path: Path, command: tuple[str, ...]) -> None:
    ended = run(*command, CRS_CDS_STATE_FOLDER=str(tmp_path / "none"))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("crs-cds: there is no store at ")
    assert list(tmp_path.iterdir()) == []


def test_a_period_that_is_none_and_a_place_that_cannot_be_written_are_one_sentence(folder: Path) -> None:
    state = {"CRS_CDS_STATE_FOLDER": str(folder)}
    turned = run("report", "--from", "2026-01-02", "--to", "2026-01-01", **state)
    assert (turned.returncode, turned.stderr.startswith("crs-cds: from: 2026-01-02 is after")) == (2, True)
    unwritable = run("report", "--format", "csv", "--out", folder / "none" / "x.csv", **state)
    assert (unwritable.returncode, "cannot be written" in unwritable.stderr) == (2, True)


def test_t87_verify_prints_the_head_and_ends_with_1_when_a_record_was_changed(folder: Path) -> None:
    sound = run("records", "verify", CRS_CDS_STATE_FOLDER=str(folder))
    assert (sound.returncode, sound.stderr) == (0, "3 records, 0 faults\n")
    head = sound.stdout.strip()
    assert head.startswith("3:")
    assert run("records", "verify", "--head", head, CRS_CDS_STATE_FOLDER=str(folder)).returncode == 0
    with closing(sqlite3.connect(folder / "crs-cds.db")) as connection, connection:
        connection.execute("UPDATE answers SET grade = 1")
    changed = run("records", "verify", "--head", head, CRS_CDS_STATE_FOLDER=str(folder))
    assert (changed.returncode, changed.stdout.strip()) == (1, head)
    assert changed.stderr.splitlines()[0].startswith("link 1: the record of answer ")
    assert "3 records, 2 faults" in changed.stderr


def test_t87_a_purge_is_said_and_is_no_fault(folder: Path) -> None:
    run("records", "purge", "--older-than", "30", CRS_CDS_STATE_FOLDER=str(folder))
    ended = run("records", "verify", CRS_CDS_STATE_FOLDER=str(folder))
    assert ended.returncode == 0
    assert ended.stderr.startswith("a purge removed what was older than ")
    assert "2 records, 0 faults" in ended.stderr


@pytest.mark.parametrize("head", ["", "3", "x:" + "0" * 64, "3:0f", "3:" + "g" * 64])
def test_a_head_that_is_none_is_refused(folder: Path, head: str) -> None:
    ended = run("records", "verify", "--head", head, CRS_CDS_STATE_FOLDER=str(folder))
    assert ended.returncode == 2
    assert "as `crs-cds records verify` printed it" in ended.stderr

"""The store, on SQLite and on PostgreSQL: what is kept, what is matched, what is read back, what is purged."""

import sqlite3
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from dataclasses import replace
from datetime import timedelta, timezone
from pathlib import Path

import pytest

from cds_service.errors import StoreUnavailable
from cds_service.store.batches import BATCH
from cds_service.store.export import COLUMNS, export
from cds_service.store.records import Counts, Outcome, Reason, Response
from cds_service.store.schema import migrate
from cds_service.store.store import Store
from tests.records import HOUR, PATIENT, answer, card, said
from tests.server import NOW, ROOT

ACCEPTED, OVERRIDDEN = Response.ACCEPTED, Response.OVERRIDDEN
DAY = timedelta(days=1)


def kept(store: Store) -> list[bool]:
    """Whether each entry of feedback is matched, in the order received."""
    return [entry.matched for entry in store.feedback(NOW - DAY)]


def test_an_answer_comes_back_as_it_was_given(store: Store) -> None:
    given = answer(card("a"), card("b", shown=False, grade=None, suggestions=()), encounter="e", reason="", grade=None)
    store.add_answer(given)
    [found] = store.answers(NOW - DAY, NOW)
    assert replace(found, assessment={}) == replace(given, assessment={})


def test_times_are_utc_whatever_the_zone_they_were_given_in(store: Store) -> None:
    berlin = timezone(HOUR)
    store.add_answer(answer(at=NOW.astimezone(berlin)))
    [found] = store.answers((NOW - HOUR).astimezone(berlin), (NOW + HOUR).astimezone(berlin))
    assert (found.at, found.at.utcoffset()) == (NOW, timedelta(0))


def test_of_an_assessment_codes_grades_and_times_are_kept_and_no_words_of_the_record(store: Store) -> None:
    evidence = {"reference": "Observation/canary", "display": "canary", "time": "2026-11-22T11:00:00Z"}
    assessment = {
        "status": "graded",
        "grade": 2,
        "asOf": "2026-11-22T12:00:00Z",
        "episode": {"state": "open", "peakGrade": 2},
        "findings": [{"criterion": "hypoxia", "state": "met", "grade": 2, "evidence": [evidence]}],
        "missing": ["canary", "canary"],
        "unused": [{"reference": "Observation/canary", "reason": "canary"}],
        "protocol": {"id": "supplied-crs"},
        "more": "canary",
    }
    store.add_answer(answer(assessment=assessment))
    [found] = store.answers(NOW - DAY, NOW)
    assert "canary" not in str(found)
    assert found.assessment == {
        "status": "graded",
        "grade": 2,
        "asOf": "2026-11-22T12:00:00Z",
        "episode": {"state": "open", "peakGrade": 2},
        "findings": [
            {"criterion": "hypoxia", "state": "met", "grade": 2, "evidence": [{"time": "2026-11-22T11:00:00Z"}]}
        ],
        "missing": 2,
        "unused": 1,
    }


# --- feedback ---------------------------------------------------------------------------------------------------------


def test_feedback_comes_back_as_it_was_given(store: Store) -> None:
    store.add_answer(answer(card()))
    reasons = (Reason(code="c", system="urn:s", display="d"), Reason(display="e"))
    given = said(OVERRIDDEN, accepted=("s1", "s2"), reasons=reasons, comment="«no» 'quote'; DROP TABLE feedback")
    assert store.add_feedback([given]) == 1
    assert list(store.feedback(NOW - DAY)) == [replace(given, matched=True)]


@pytest.mark.parametrize(
    ("uuid", "client", "matched"),
    [("card-1", "ehr", True), ("card-1", "other", False), ("card-9", "ehr", False), ("held-back", "ehr", False)],
    ids=["shown", "another client's", "unknown", "never shown"],
)
def test_t78_t79_feedback_is_matched_only_to_a_card_that_was_shown_to_its_client(
    store: Store, uuid: str, client: str, matched: bool
) -> None:
    store.add_answer(answer(card(), card("held-back", shown=False), client="ehr"))
    assert store.add_feedback([said(ACCEPTED, uuid, client=client)]) == matched
    assert kept(store) == [matched]


def test_t80_the_same_entry_again_is_kept_once_within_a_call_and_in_later_calls(store: Store) -> None:
    store.add_answer(answer(card()))
    entry = said(ACCEPTED)
    store.add_feedback([entry, entry])
    store.add_feedback([replace(entry, received_at=NOW + HOUR, at=entry.at.astimezone(timezone(HOUR)))])
    assert kept(store) == [True]


@pytest.mark.parametrize(
    "changed",
    [
        {"outcome": OVERRIDDEN},
        {"at": NOW - HOUR},
        {"comment": "x"},
        {"accepted": ("s",)},
        {"reasons": (Reason(code="c"),)},
        {"client": "other"},
    ],
    ids=lambda changed: next(iter(changed)),
)
def test_t80_an_entry_that_differs_is_another(store: Store, changed: dict[str, object]) -> None:
    store.add_feedback([said(ACCEPTED)])
    store.add_feedback([replace(said(ACCEPTED), **changed)])  # type: ignore[arg-type]
    assert len(kept(store)) == 2


def test_a_batch_larger_than_one_statement_takes_is_kept_whole(store: Store) -> None:
    number = 2 * BATCH + 1
    store.add_answer(answer(card(f"card-{number - 1}")))
    assert store.add_feedback([said(ACCEPTED, f"card-{place}") for place in range(number)]) == 1
    assert (len(kept(store)), sum(kept(store))) == (number, 1)


def test_no_entries_are_no_error(store: Store) -> None:
    assert store.add_feedback([]) == 0


# --- what suppression reads -------------------------------------------------------------------------------------------


def test_a_reaction_holds_what_the_card_offered_and_the_last_thing_said_to_it(store: Store) -> None:
    store.add_answer(answer(card("a", topic="grade", grade=3, advice="x"), card("b")))
    store.add_feedback([said(OVERRIDDEN, "a", at=NOW - HOUR / 4), said(ACCEPTED, "a", at=NOW - HOUR / 2)])
    [found] = store.reactions(PATIENT, NOW - 12 * HOUR)
    assert (found.card, found.topic, found.grade, found.advice) == ("a", "grade", 3, "x")
    assert (found.outcome, found.at) == (OVERRIDDEN, NOW - HOUR / 4)


@pytest.mark.parametrize(
    ("ago", "counts"), [(timedelta(hours=11, minutes=59), True), (12 * HOUR, True), (12 * HOUR + HOUR / 60, False)]
)
def test_a_reaction_counts_at_the_limit_and_not_beyond(store: Store, ago: timedelta, counts: bool) -> None:
    store.add_answer(answer(card(), at=NOW - DAY))
    store.add_feedback([said(ACCEPTED, at=NOW - ago)])
    assert bool(store.reactions(PATIENT, NOW - 12 * HOUR)) == counts


def test_a_clock_that_is_ahead_silences_no_longer_than_from_when_it_was_received(store: Store) -> None:
    store.add_answer(answer(card()))
    store.add_feedback([said(ACCEPTED, at=NOW + 1000 * DAY)])
    assert [found.at for found in store.reactions(PATIENT, NOW - 12 * HOUR)] == [NOW]
    assert store.reactions(PATIENT, NOW + HOUR) == []


def test_another_patient_s_another_client_s_and_unmatched_feedback_is_no_reaction(store: Store) -> None:
    store.add_answer(answer(card("a"), patient="another"))
    store.add_answer(answer(card("b"), client="ehr"))
    store.add_feedback([said(ACCEPTED, "a"), said(ACCEPTED, "b"), said(ACCEPTED, "c")])
    assert store.reactions(PATIENT, NOW - DAY) == []


def test_a_call_that_was_repeated_gives_one_reaction(store: Store) -> None:
    store.add_answer(answer(card(), at=NOW - 2 * HOUR))
    store.add_answer(answer(card()))
    store.add_feedback([said(ACCEPTED)])
    assert len(store.reactions(PATIENT, NOW - DAY)) == 1


# --- stretches of time ------------------------------------------------------------------------------------------------


def test_a_stretch_of_time_holds_its_first_instant_and_not_its_last(store: Store) -> None:
    for hours in range(4):
        store.add_answer(answer(at=NOW + hours * HOUR, milliseconds=hours))
        store.add_feedback([said(ACCEPTED, str(hours), received_at=NOW + hours * HOUR)])
    since, until = NOW + HOUR, NOW + 3 * HOUR
    assert [found.milliseconds for found in store.answers(since, until)] == [1, 2]
    assert [found.card for found in store.feedback(since, until)] == ["1", "2"]
    assert store.count(since, until) == Counts(answers=2, feedback=2)


def test_each_answer_keeps_its_own_cards_over_many_batches(store: Store) -> None:
    number = BATCH + 3
    for place in range(number):
        store.add_answer(answer(card(f"{place}-a"), card(f"{place}-b"), at=NOW + timedelta(seconds=place)))
    found = list(store.answers(NOW, NOW + DAY))
    assert [[item.uuid for item in record.cards] for record in found] == [
        [f"{place}-a", f"{place}-b"] for place in range(number)
    ]


def test_an_export_has_a_row_for_each_answer_card_and_entry_and_only_named_columns(store: Store) -> None:
    store.add_answer(answer(card("a"), card("b")))
    store.add_answer(answer(outcome=Outcome.SILENT, reason="no eligible therapy", at=NOW - 2 * HOUR))
    store.add_feedback([said(ACCEPTED, "a")])
    rows = list(export(store, NOW - DAY, NOW + DAY))
    assert [row["record"] for row in rows] == ["answer", "answer", "card", "card", "feedback"]
    assert [row["answer"] for row in rows[2:4]] == [rows[1]["id"]] * 2
    assert {name for row in rows for name in row} == set(COLUMNS)
    assert (rows[4]["card"], rows[4]["matched"]) == ("a", True)


def test_a_purge_removes_what_is_older_with_its_cards_and_nothing_else(store: Store) -> None:
    for hours in (3, 2, 1):
        store.add_answer(answer(card(f"card-{hours}"), at=NOW - hours * HOUR))
        store.add_feedback([said(ACCEPTED, f"card-{hours}", received_at=NOW - hours * HOUR)])
    assert store.purge(NOW - 2 * HOUR) == Counts(answers=1, feedback=1)
    assert [found.cards[0].uuid for found in store.answers(NOW - DAY, NOW)] == ["card-2", "card-1"]
    assert [found.card for found in store.feedback(NOW - DAY)] == ["card-2", "card-1"]
    assert store.purge(NOW + DAY) == Counts(answers=2, feedback=2)
    assert store.purge(NOW + DAY) == Counts(answers=0, feedback=0)


def test_what_was_purged_stands_nowhere_in_the_files_of_sqlite(tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    migrate(url)
    store = Store.open(url)
    store.add_answer(answer(card(advice="canary-advice")))
    store.add_feedback([said(OVERRIDDEN, comment="canary-comment")])
    assert b"canary-comment" in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    store.purge(NOW + DAY)
    assert b"canary" not in b"".join(file.read_bytes() for file in tmp_path.iterdir())
    store.close()


# --- faults -----------------------------------------------------------------------------------------------------------


def test_t83_readers_and_writers_at_once_lose_nothing_and_nobody_is_locked_out(store: Store) -> None:
    def work(worker: int) -> None:
        for place in range(5):
            uuid = f"{worker}-{place}"
            store.add_answer(answer(card(uuid), patient=str(worker)))
            store.add_feedback([said(ACCEPTED, uuid)])
            assert len(store.reactions(str(worker), NOW - DAY)) == place + 1

    with ThreadPoolExecutor(20) as workers:
        list(workers.map(work, range(20)))
    assert store.count(NOW - DAY, NOW + DAY) == Counts(answers=100, feedback=100)
    assert all(kept(store))


WRITER = """
import sys
from cds_service.store.store import Store
from cds_service.store.records import Response
from tests.records import said
store = Store.open(sys.argv[1])
for place in range(100_000):
    store.add_feedback([said(Response.ACCEPTED, str(place))])
    print(place, flush=True)
"""


def test_t85_what_was_acknowledged_is_there_after_the_writer_was_killed(database: str) -> None:
    command = [sys.executable, "-c", WRITER, database]
    with subprocess.Popen(command, cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [next(writer.stdout).strip() for _ in range(20)]
        writer.kill()
        acknowledged += writer.stdout.read().split()
    store = Store.open(database)
    assert set(acknowledged) <= {entry.card for entry in store.feedback(NOW - DAY)}
    store.close()


def test_t82_a_database_that_cannot_be_reached_is_said_without_its_password(tmp_path: Path) -> None:
    for url in (f"sqlite:///{tmp_path}/no/folder/store.db", "postgresql://crs:canary@127.0.0.1:1/crs"):
        store = Store.open(url)
        for call in (
            store.ready,
            lambda store=store: store.add_answer(answer(card())),
            lambda store=store: store.add_feedback([said(ACCEPTED)]),
            lambda store=store: store.reactions(PATIENT, NOW),
            lambda store=store: list(store.answers(NOW, NOW)),
            lambda store=store: store.purge(NOW),
        ):
            with pytest.raises(StoreUnavailable) as refused:
                call()
            assert "canary" not in refused.value.message
        store.close()


def test_t82_a_file_that_is_no_database_and_one_without_tables_are_not_ready(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    for content in (b"", b"this is no database" * 100):
        file.write_bytes(content)
        store = Store.open(f"sqlite:///{file}")
        with pytest.raises(StoreUnavailable):
            store.ready()
        store.close()


def test_t84_a_full_disk_refuses_the_whole_call_and_what_was_kept_stays(tmp_path: Path) -> None:
    file = tmp_path / "store.db"
    migrate(f"sqlite:///{file}")
    store = Store.open(f"sqlite:///{file}")
    store.add_feedback([said(ACCEPTED)])
    with closing(sqlite3.connect(file)) as reader:
        pages = reader.execute("PRAGMA page_count").fetchone()[0]
    with store._engine.connect() as connection:
        connection.exec_driver_sql(f"PRAGMA max_page_count = {pages}")
    with pytest.raises(StoreUnavailable):
        store.add_feedback([said(ACCEPTED, str(place), comment="x" * 10_000) for place in range(50)])
    assert [entry.card for entry in store.feedback(NOW - DAY)] == ["card-1"]
    store.close()

"""The store is away, locked, full or read-only: hooks answer, feedback says so, all comes right by itself (T82-T84)."""

import json
import sqlite3
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import closing, contextmanager
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
from flask.testing import FlaskClient
from sqlalchemy import event
from structlog.testing import capture_logs

from cds_service.store import memory as memory_module
from cds_service.store.chain import Verdict
from cds_service.store.memory import Memory
from cds_service.store.schema import migrate
from cds_service.store.store import Store
from cds_service.web.settings import Settings
from cds_service.web.state import clock_warning, prepare_state
from tests.answers import PATIENT, SERVICE, assessment
from tests.conftest import MakeApp
from tests.contract.test_feedback import entry
from tests.contract.test_observing import count
from tests.postgres import database_in
from tests.records import answer, card
from tests.server import NOW, SECONDS, hook_call

DAY = timedelta(days=1)
Json = dict[str, Any]


class Ward:
    """An EHR at an application of which the test can reach the database."""

    def __init__(self, client: FlaskClient, filled: Json) -> None:
        self.client, self.filled, self.calls = client, filled, 0

    @property
    def memory(self) -> Memory:
        found: Memory = self.client.application.extensions["crs-cds-memory"]
        return found

    def opens(self) -> Json:
        """The answer to a call of its own instance; it must be one."""
        self.calls += 1
        body = hook_call(PATIENT, hookInstance=f"call-{self.calls}", prefetch=self.filled)
        found = self.client.post(SERVICE, json=body)
        assert found.status_code == 200, found.text
        answer: Json = found.get_json()
        return answer

    def says(self, card: str) -> int:
        found = self.client.post(f"{SERVICE}/feedback", json={"feedback": [entry(card=card)]})
        assert found.status_code != 503 or int(found.headers["Retry-After"]) > 0
        return found.status_code

    def status(self, path: str) -> int:
        return self.client.get(path).status_code

    def kept(self) -> list[str]:
        return [record.hook_instance for record in self.memory.store.answers(NOW - DAY, NOW + DAY)]

    @property
    def lost(self) -> float:
        return count(self.client, "records_lost_total")

    def delivered(self) -> Verdict:
        """Waits until nothing waits any more, and the service is ready."""
        end = time.monotonic() + SECONDS
        while self.memory.backlog().bytes or self.status("/readyz") != 200:
            assert time.monotonic() < end, "it was not delivered"
            time.sleep(0.05)
        return self.memory.store.verify()


@pytest.fixture
def ward(make_app: MakeApp, filled: Json, database: str) -> Ward:
    return Ward(make_app(database_url=database), filled)


@pytest.fixture
def without(database: str) -> Callable[[], Any]:
    """A context in which nobody can write to the database: SQLite is locked, PostgreSQL takes no connections."""

    @contextmanager
    def locked() -> Iterator[None]:
        with closing(sqlite3.connect(database.removeprefix("sqlite:///"), isolation_level=None)) as holder:
            holder.execute("BEGIN IMMEDIATE")
            yield
            holder.execute("ROLLBACK")

    @contextmanager
    def refused() -> Iterator[None]:
        server, _, name = database.rpartition("/")
        with psycopg.connect(f"{server}/postgres", autocommit=True) as other:
            other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS false'.encode())
            other.execute("SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE datname = %s", [name])
            yield
            other.execute(f'ALTER DATABASE "{name}" ALLOW_CONNECTIONS true'.encode())

    return locked if database.startswith("sqlite") else refused


def test_t82_t83_while_the_store_is_away_hooks_answer_and_all_is_delivered_once_without_a_restart(
    ward: Ward, without: Callable[[], Any]
) -> None:
    first = ward.opens()["cards"][0]["uuid"]
    with without():
        shown = [ward.opens()["cards"][0]["uuid"] for _ in range(3)]
        assert ward.says(first) == 503
        assert (ward.status("/readyz"), ward.status("/healthz")) == (503, 200)
        backlog = ward.memory.backlog()
        assert (backlog.bytes > 0, backlog.away, ward.lost) == (True, True, 0)
    verdict = ward.delivered()
    assert sorted(ward.kept()) == [f"call-{number}" for number in range(1, 5)]
    assert list(verdict.faults) == []
    assert [ward.says(uuid) for uuid in (first, *shown)] == [200] * 4
    assert all(found.matched for found in ward.memory.store.feedback(NOW - DAY))


def test_t82_feedback_that_comes_before_its_answer_was_delivered_is_matched_after_it_was(
    ward: Ward, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool = ward.memory._spool
    with monkeypatch.context() as held:
        held.setattr(spool, "deliver", lambda _: 0)
        spool.append(answer(card("c1")))
        assert ward.says("c1") == 200
        assert [found.matched for found in ward.memory.store.feedback(NOW - DAY)] == [False]
    ward.delivered()
    assert [found.matched for found in ward.memory.store.feedback(NOW - DAY)] == [True]


def test_t82_a_store_that_hangs_costs_a_call_a_moment_and_the_next_nothing(
    make_app: MakeApp, filled: Json, postgres: str
) -> None:
    """The writers of PostgreSQL wait for a lock that somebody holds, as they would for a disk that does not answer."""
    url = database_in(postgres)
    migrate(url)
    ward = Ward(make_app(database_url=url), filled)
    ward.opens()
    with psycopg.connect(url) as holder:
        holder.execute("LOCK TABLE answers, links, used_tokens IN EXCLUSIVE MODE")
        for _ in range(3):
            ward.opens()
        assert ward.memory.backlog().away
        assert ward.memory.backlog().bytes > 0
    ward.delivered()
    assert len(ward.kept()) == len(set(ward.kept())) == 4


def test_what_was_answered_is_held_back_while_the_store_is_locked_and_not_while_it_cannot_be_read(
    ward: Ward, without: Callable[[], Any], database: str
) -> None:
    for shown in ward.opens()["cards"]:
        assert ward.says(shown["uuid"]) == 200
    assert assessment(ward.opens())["suppressed"]
    with without():
        held = assessment(ward.opens()).get("suppressed", [])
        assert bool(held) == database.startswith("sqlite")  # a locked file can be read
    ward.delivered()
    assert assessment(ward.opens())["suppressed"]


# --- a disk that is full or read-only ---------------------------------------------------------------------------------


def test_t84_a_full_database_is_as_one_that_is_away(make_app: MakeApp, filled: Json, tmp_path: Path) -> None:
    prepare_state(Settings(state_folder=tmp_path), NOW)
    ward = Ward(make_app(state_folder=tmp_path), filled)
    engine = ward.memory.store._engine
    first = ward.opens()["cards"][0]["uuid"]

    def full(connection: Any, _: object) -> None:
        pages = connection.execute("PRAGMA page_count").fetchone()[0]
        connection.execute(f"PRAGMA max_page_count = {pages}")

    event.listen(engine, "connect", full)
    engine.dispose()
    for _ in range(40):  # until the free space within the pages is used up
        ward.opens()
    backlog = ward.memory.backlog()
    assert (backlog.bytes > 0, ward.lost) == (True, 0)
    event.remove(engine, "connect", full)
    engine.dispose()
    assert list(ward.delivered().faults) == []
    assert len(ward.kept()) == len(set(ward.kept())) == 41
    assert ward.says(first) == 200
    with closing(sqlite3.connect(tmp_path / "crs-cds.db")) as connection:
        assert connection.execute("PRAGMA integrity_check").fetchone() == ("ok",)


@pytest.fixture
def small_disk(tmp_path: Path) -> Iterator[Path]:
    """A disk of 60 MB that is all the service has; skipped where mounting is not allowed."""
    place = tmp_path / "disk"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=60m", "tmpfs", place], capture_output=True)
    if mounted.returncode:
        pytest.skip("mounting a file system is not allowed here")
    yield place
    subprocess.run(["umount", "--lazy", place], check=True)


def fill(disk: Path) -> Path:
    """Leave no byte."""
    filler = disk / "filler"
    with filler.open("wb", buffering=0) as file:
        try:
            while True:
                file.write(b"\0" * 4096)
        except OSError:
            return filler


@pytest.mark.parametrize("required", [False, True])
def test_t84_on_a_full_disk_hooks_answer_unless_records_are_required(
    make_app: MakeApp, filled: Json, small_disk: Path, required: bool
) -> None:
    prepare_state(Settings(state_folder=small_disk), NOW)
    ward = Ward(make_app(state_folder=small_disk, records_required=required), filled)
    card = ward.opens()["cards"][0]["uuid"]
    assert ward.status("/readyz") == 200
    filler = fill(small_disk)
    body = hook_call(PATIENT, hookInstance="full", prefetch=filled)
    with capture_logs() as logs:
        found = ward.client.post(SERVICE, json=body)
    assert found.status_code == (503 if required else 200)
    assert [item["event"] for item in logs if item["log_level"] == "error"] == ["not recorded"]
    assert PATIENT not in json.dumps(logs, default=str)
    assert ward.lost == 1
    assert ward.says(card) == 503
    assert (ward.status("/readyz"), ward.status("/healthz")) == (503, 200)
    filler.unlink()
    assert list(ward.delivered().faults) == []
    assert ward.says(card) == 200
    ward.opens()
    assert sorted(ward.kept()) == ["call-1", "call-2"]


def test_t84_a_read_only_disk_is_as_a_full_one(make_app: MakeApp, filled: Json, small_disk: Path) -> None:
    prepare_state(Settings(state_folder=small_disk), NOW)
    ward = Ward(make_app(state_folder=small_disk), filled)
    ward.opens()
    ward.memory.store._engine.dispose()
    subprocess.run(["mount", "-o", "remount,ro", small_disk], check=True)
    ward.opens()
    assert (ward.status("/readyz"), ward.status("/healthz"), ward.lost) == (503, 200, 1)
    subprocess.run(["mount", "-o", "remount,rw", small_disk], check=True)
    ward.delivered()
    ward.opens()
    assert sorted(ward.kept()) == ["call-1", "call-3"]


@pytest.mark.parametrize(("spare", "status"), [(-1, 503), (0, 200), (1, 200)])
def test_t84_a_disk_that_is_nearly_full_is_not_ready(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, spare: int, status: int
) -> None:
    class Usage:
        free = memory_module.FREE_BYTES + spare

    monkeypatch.setattr(memory_module.shutil, "disk_usage", lambda _: Usage)
    assert client.get("/readyz").status_code == status


# --- the clock --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("seconds", "said"), [(0, None), (60, "60 s ahead of"), (-60, "60 s behind")])
def test_t91_a_clock_that_differs_from_that_of_the_database_is_said_at_start(
    postgres: str, seconds: int, said: str | None
) -> None:
    settings = Settings(database_url=f"{postgres}/postgres")
    store = Store.open(settings.store_url)
    now = store.clock()
    store.close()
    assert now is not None
    warning = clock_warning(settings, now + timedelta(seconds=seconds))
    assert (warning is None) if said is None else (warning is not None and said in warning)


def test_t91_a_file_has_no_clock_of_its_own(tmp_path: Path) -> None:
    assert clock_warning(Settings(state_folder=tmp_path), NOW + 1000 * DAY) is None

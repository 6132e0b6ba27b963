"""The service is killed under load again and again: nothing that was acknowledged may be lost (T85).

`python -m tests.chaos 200` (`make chaos`) prints each round and what came out; a round takes some seconds. In one round
of four the database is locked meanwhile, so that records go through the spool.
"""

import os
import signal
import sqlite3
import sys
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta
from pathlib import Path
from threading import Event, Thread
from typing import Any
from zoneinfo import ZoneInfo

import requests

from cds_service.content.load import load
from cds_service.fhir.memory import Repository
from cds_service.fhir.stories import load_story
from cds_service.hooks.knowledge import Knowledge
from cds_service.store.store import Store
from cds_service.web.settings import Settings
from tests.answers import PATIENT, SERVICE
from tests.server import NOW, SECONDS, STORIES, Service, fhir_server, hook_call, prefetch, service_process

CLIENTS = 4
LOAD_SECONDS = 0.7
READY_SECONDS = 3.0
DAY = timedelta(days=1)


@dataclass
class Acknowledged:
    """What clients were told that it is kept: instances of answered hook calls, cards of accepted feedback."""

    answers: set[str] = field(default_factory=set)
    feedback: set[str] = field(default_factory=set)


def chart() -> dict[str, Any]:
    """The complete prefetch of one patient."""
    knowledge = Knowledge.of(load(None, Settings().protocol), ZoneInfo("UTC"))
    story = next(path.name for path in sorted(STORIES.iterdir()) if path.is_dir() and PATIENT.startswith(path.name))
    with fhir_server(Repository(lambda: NOW)) as fhir:
        fhir.load(load_story(STORIES, story).bundle)
        return prefetch(fhir.base, {need.key: need.template for need in knowledge.needs}, PATIENT)


def kill(service: Service) -> None:
    """End the master and its workers as a power cut would."""
    for process in (service.process.pid, *workers(service)):
        os.kill(process, signal.SIGKILL)
    service.process.wait(SECONDS)


def workers(service: Service) -> list[int]:
    """The processes of the workers."""
    pid = service.process.pid
    return [int(child) for child in Path(f"/proc/{pid}/task/{pid}/children").read_text().split()]


@contextmanager
def clients(service: Service, filled: dict[str, Any], name: str, acknowledged: Acknowledged) -> Iterator[None]:
    """Clients that open charts and send feedback as fast as they are answered, until the end."""
    end = Event()

    def work(client: int) -> None:
        place = 0
        while not end.is_set():
            place += 1
            instance = f"{name}-{client}-{place}"
            try:
                opened = service.call(hook_call(PATIENT, hookInstance=instance, prefetch=filled))
                if opened.status_code != 200:
                    continue
                acknowledged.answers.add(instance)
                for card in opened.json()["cards"][:1]:
                    entry = {"card": card["uuid"], "outcome": "overridden", "outcomeTimestamp": NOW.isoformat()}
                    said = requests.post(
                        f"{service.base}{SERVICE}/feedback", json={"feedback": [entry]}, timeout=SECONDS
                    )
                    if said.status_code == 200:
                        acknowledged.feedback.add(card["uuid"])
            except (requests.RequestException, ValueError):
                end.wait(0.05)

    threads = [Thread(target=work, args=(client,)) for client in range(CLIENTS)]
    for thread in threads:
        thread.start()
    try:
        yield
    finally:
        end.set()
        for thread in threads:
            thread.join(2 * SECONDS)


@contextmanager
def locked(file: Path) -> Iterator[None]:
    """Another process that writes to the database and does not come to an end."""
    with closing(sqlite3.connect(file, timeout=SECONDS, isolation_level=None)) as holder:
        holder.execute("BEGIN IMMEDIATE")
        yield
        holder.execute("ROLLBACK")


def assert_kills_lose_nothing(folder: Path, filled: dict[str, Any], rounds: int, say: Any = print) -> float:
    """Kill the service so many times, then start it once more and look for everything. The longest start in seconds."""
    acknowledged, slowest = Acknowledged(), 0.0
    state = folder / "state"
    settings = {"CRS_CDS_STATE_FOLDER": str(state)}
    for number in range(rounds + 1):
        begun = time.monotonic()
        with service_process(folder / "log", "", workers=2, **settings) as service:
            start = time.monotonic() - begun
            slowest = max(slowest, start)
            if number == rounds:
                break
            before = len(acknowledged.feedback)
            with clients(service, filled, str(number), acknowledged):
                time.sleep(LOAD_SECONDS)
                while len(acknowledged.feedback) == before and time.monotonic() < begun + 3 * SECONDS:
                    time.sleep(0.05)  # on a busy machine: a kill before anything was acknowledged shows nothing
                if number % 4 == 3:
                    with locked(state / "crs-cds.db"):
                        time.sleep(2 * LOAD_SECONDS)
                        kill(service)
                else:
                    kill(service)
        kept = f"{len(acknowledged.answers)} answers and {len(acknowledged.feedback)} entries of feedback"
        say(f"round {number + 1} of {rounds}: ready after {start:.1f} s, {kept} acknowledged so far")
    assert_kept(state, acknowledged)
    return slowest


def assert_kept(state: Path, acknowledged: Acknowledged) -> None:
    """Everything that was acknowledged is in the store, once; the chain holds and the file is sound."""
    store = Store.open(Settings(state_folder=state).store_url)
    answers = [record.hook_instance for record in store.answers(NOW - DAY, NOW + DAY)]
    feedback = [entry.card for entry in store.feedback(NOW - DAY)]
    unmatched = [entry.card for entry in store.feedback(NOW - DAY) if not entry.matched]
    verdict = store.verify()
    store.close()
    with closing(sqlite3.connect(state / "crs-cds.db")) as connection:
        [sound] = connection.execute("PRAGMA integrity_check").fetchone()
    waiting = list((state / "spool").glob("*")) if (state / "spool").exists() else []
    assert acknowledged.answers, "nothing was answered: the test shows nothing"
    assert acknowledged.answers - set(answers) == set()
    assert acknowledged.feedback - set(feedback) == set()
    assert (len(answers), len(feedback)) == (len(set(answers)), len(set(feedback)))
    assert unmatched == []
    assert (list(verdict.faults), sound, waiting) == ([], "ok", [])


def main() -> None:
    """As many rounds as the argument says."""
    rounds = int(sys.argv[1]) if len(sys.argv) > 1 else 20
    with tempfile.TemporaryDirectory(prefix="crs-chaos-") as folder:
        slowest = assert_kills_lose_nothing(Path(folder), chart(), rounds, lambda line: print(line, flush=True))  # noqa: T201
    print(f"{rounds} kills: nothing that was acknowledged is lost; slowest start {slowest:.1f} s")  # noqa: T201
    if slowest > READY_SECONDS:
        raise SystemExit(f"a start took longer than {READY_SECONDS} s")


if __name__ == "__main__":
    main()

"""How long a hook call takes that pulls its data from a FHIR server which needs 100 ms for every query.

Starts a FHIR server that knows its answers beforehand, waits, and does nothing else, and the production server with one
worker, on loopback ports. Prints p50 and the slowest, also in round trips to that server: of a patient who is not
eligible and of one who is, one call and 16 at once, in two phases and in one. Bounded: about 800 calls, two minutes.
"""

import asyncio
import multiprocessing
import statistics
import tempfile
import time
from collections.abc import Callable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from datetime import UTC, datetime
from pathlib import Path
from threading import Barrier
from typing import Any
from zoneinfo import ZoneInfo

import requests
from flask import Flask
from patient_view import HOST, await_port, free_port, serve

from cds_service.content.load import load
from cds_service.fhir.memory import Repository
from cds_service.fhir.stories import load_story, shifted
from cds_service.hooks.knowledge import Knowledge
from cds_service.web.app import create_app
from cds_service.web.fhir_server import fhir_blueprint
from cds_service.web.settings import Settings
from cds_service.web.state import prepare_state

ROUND_TRIP_SECONDS = 0.1
AT_ONCE = 16
ROUNDS = 10
STORIES = Path(__file__).parents[1] / "fhir_fixtures"
PATIENTS = {"not eligible": "not-eligible-sepsis", "eligible, grade 3": "grade-3-one-vasopressor"}


def main() -> None:
    """Measure both ways of gathering and print a table."""
    now = datetime.now(UTC)
    knowledge = Knowledge.of(load(), ZoneInfo("UTC"))
    stories = {name: load_story(STORIES, story) for name, story in PATIENTS.items()}
    patients = {name: str(story.expect["patient"]) for name, story in stories.items()}
    repository = Repository(lambda: now)
    for story in stories.values():
        repository.transaction(shifted(story.bundle, now))
    with _process(_serve_fhir, _answers(repository, knowledge, patients)) as fhir:
        print(f"{'gathering':11} {'patient':18} {'at once':>7} {'p50 ms':>7} {'max ms':>7} {'round trips':>12}")  # noqa: T201
        for way, one_phase in (("two phases", False), ("one phase", True)):
            with tempfile.TemporaryDirectory(prefix="crs-cds-bench-") as state:
                settings = Settings(
                    auth="off",
                    fhir_servers=(f"http://{HOST}:{fhir}/fhir",),
                    state_folder=Path(state),
                    database_url=None,
                    one_phase=one_phase,
                )
                prepare_state(settings, now)
                with _process(serve, lambda settings=settings: create_app(settings, knowledge)) as service:
                    for name, patient in patients.items():
                        for at_once in (1, AT_ONCE):
                            times = _measure(service, settings.fhir_servers[0].base, patient, at_once)
                            p50 = statistics.median(times)
                            row = f"{p50 * 1e3:7.0f} {max(times) * 1e3:7.0f} {p50 / ROUND_TRIP_SECONDS:12.2f}"
                            print(f"{way:11} {name:18} {at_once:7} {row}", flush=True)  # noqa: T201


def _answers(repository: Repository, knowledge: Knowledge, patients: Mapping[str, str]) -> dict[str, bytes]:
    """What the embedded FHIR server answers to each query of each patient, by path and query as they are sent."""
    app = Flask("fhir")
    app.register_blueprint(fhir_blueprint(repository), url_prefix="/fhir")
    client = app.test_client()
    urls = [f"http://{HOST}/fhir/{need.path(patient)}" for need in knowledge.needs for patient in patients.values()]
    return {requests.Request("GET", url).prepare().path_url: client.get(url).data for url in urls}


def _serve_fhir(answers: Mapping[str, bytes], port: int) -> None:
    """A child: answers what it knows after the round trip, on connections that it keeps."""

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = answers[head.split(b" ", 2)[1].decode()]
                await asyncio.sleep(ROUND_TRIP_SECONDS)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        except asyncio.IncompleteReadError:
            writer.close()

    async def listen() -> None:
        server = await asyncio.start_server(answer, HOST, port, backlog=1024)
        await server.serve_forever()

    asyncio.run(listen())


@contextmanager
def _process(run: Callable[[Any, int], None], argument: object) -> Iterator[int]:
    """A process that listens on a free port, which it is given; ended at the end."""
    port = free_port()
    process = multiprocessing.get_context("fork").Process(target=run, args=(argument, port), daemon=True)
    process.start()
    try:
        await_port(port)
        yield port
    finally:
        process.terminate()
        process.join(10)


def _measure(service: int, fhir: str, patient: str, at_once: int) -> list[float]:
    """Seconds of each call: rounds of so many calls that begin together, after one round that is not counted."""
    together = Barrier(at_once)

    def rounds() -> list[float]:
        times = []
        with requests.Session() as session:
            for _ in range(1 + ROUNDS):
                together.wait()
                started = time.perf_counter()
                _call(session, service, fhir, patient)
                times.append(time.perf_counter() - started)
        return times[1:]

    with ThreadPoolExecutor(at_once) as clients:
        return [seconds for client in [clients.submit(rounds) for _ in range(at_once)] for seconds in client.result()]


def _call(session: requests.Session, service: int, fhir: str, patient: str) -> None:
    body = {"hook": "patient-view", "hookInstance": "bench", "fhirServer": fhir}
    body |= {"context": {"userId": "Practitioner/p", "patientId": patient}}
    answer = session.post(f"http://{HOST}:{service}/cds-services/crs-patient-view", json=body, timeout=30)
    missing = answer.json()["extension"]["org.crs-cds.assessment"].get("missing", [])
    if answer.status_code != 200 or any("FHIR server" in line for line in missing):
        raise SystemExit(f"the service answered HTTP {answer.status_code}: {missing}")


if __name__ == "__main__":
    main()

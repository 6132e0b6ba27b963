"""Hook calls without a prefetch, against FHIR servers that need 100 ms for every query.

Such a server knows its answers beforehand, waits, and does nothing else. Calls come one at a time, and 16 that begin
together; data is gathered in two phases, as it is by default, and in one (`CRS_CDS_ONE_PHASE`).
"""

import asyncio
import http.client
import multiprocessing
import re
import signal
import time
from collections.abc import Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from itertools import count
from pathlib import Path
from statistics import median
from threading import Barrier

import requests
from flask import Flask

from bench.bodies import SERVICE, TEMPLATE, knowledge, of_patient, pulling
from bench.servers import HOST, ROOT, Server, free_port, service
from cds_service.fhir.memory import Repository
from cds_service.fhir.stories import load_story, shifted
from cds_service.web.fhir_server import fhir_blueprint

QUERY_SECONDS = 0.1
CALL_SECONDS = 30
AT_ONCE = 16
STORIES = {"not eligible": "not-eligible-sepsis", "eligible, grade 3": "grade-3-one-vasopressor"}
_PATIENT = re.compile(rb"bench-\d+")
_patients = count(1)
Answers = Mapping[bytes, bytes]


@dataclass(frozen=True, slots=True, kw_only=True)
class Pull:
    """Calls of one kind: seconds of each, processor seconds of the service for each.

    `chain`: seconds that the FHIR server takes for the longest chain of queries each of which waits for the one before.
    """

    phases: int
    patient: str
    at_once: int
    times: tuple[float, ...]
    chain: float
    cpu: float

    @property
    def overhead(self) -> float:
        """Seconds of the middle call beyond what its FHIR server takes."""
        return median(self.times) - self.chain


def pulls(state: Path, rounds: int) -> Iterator[Pull]:
    """Each way of gathering with each patient, one call at a time and 16 at once, in so many rounds."""
    with ExitStack() as running:
        servers = {name: running.enter_context(_fhir_server(_answers(story))) for name, story in STORIES.items()}
        for phases in (2, 1):
            own = {"fhir_servers": ",".join(servers.values()), "one_phase": str(phases == 1)}
            with service(state / f"{phases}", own) as server:
                for patient, base in servers.items():
                    for at_once in (1, AT_ONCE):
                        _measured(server, base, 1, at_once)  # connections are made, and kept
                        before = server.cpu_seconds()
                        times = _measured(server, base, rounds, at_once)
                        yield Pull(
                            phases=phases,
                            patient=patient,
                            at_once=at_once,
                            times=times,
                            chain=QUERY_SECONDS * (phases if patient.startswith("eligible") else 1),
                            cpu=(server.cpu_seconds() - before) / len(times),
                        )


def _measured(server: Server, fhir: str, rounds: int, at_once: int) -> tuple[float, ...]:
    """Seconds of each call, in rounds of so many that begin together."""
    together, body = Barrier(at_once, timeout=CALL_SECONDS), pulling(fhir)

    def client() -> list[float]:
        connection = http.client.HTTPConnection(HOST, server.port, timeout=CALL_SECONDS)
        times = []
        for _ in range(rounds):
            mine = of_patient(body, next(_patients))
            together.wait()
            begun = time.perf_counter()
            connection.request("POST", SERVICE, mine, {"Content-Type": "application/json"})
            response = connection.getresponse()
            answer = response.read()
            times.append(time.perf_counter() - begun)
            if response.status != 200 or b"FHIR server" in answer:
                together.abort()
                raise SystemExit(f"pull: the service answered HTTP {response.status}, and not with all data")
        return times

    with ThreadPoolExecutor(at_once) as clients:
        found = [clients.submit(client) for _ in range(at_once)]
        return tuple(taken for each in found for taken in each.result())


def _answers(story: str) -> Answers:
    """What the embedded FHIR server answers to each query, by path and query as they are sent, for TEMPLATE."""
    now = datetime.now(UTC)
    told = load_story(ROOT / "fhir_fixtures", story)
    repository = Repository(lambda: now)
    repository.transaction(shifted(told.bundle, now))
    app = Flask("fhir")
    app.register_blueprint(fhir_blueprint(repository), url_prefix="/fhir")
    client, patient = app.test_client(), str(told.expect["patient"])
    urls = [f"http://{HOST}/fhir/{need.path(patient)}" for need in knowledge().needs]
    found = {requests.Request("GET", url).prepare().path_url.encode(): client.get(url).data for url in urls}
    own = patient.encode()
    return {path.replace(own, TEMPLATE): answer.replace(own, TEMPLATE) for path, answer in found.items()}


@contextmanager
def _fhir_server(answers: Answers) -> Iterator[str]:
    """A process that answers for any patient; its base URL."""
    port = free_port()
    process = multiprocessing.get_context("fork").Process(target=_serve, args=(answers, port), daemon=True)
    process.start()
    try:
        yield f"http://{HOST}:{port}/fhir"
    finally:
        process.kill()
        process.join(CALL_SECONDS)


def _serve(answers: Answers, port: int) -> None:
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it

    async def answer(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                path = (await reader.readuntil(b"\r\n\r\n")).split(b" ", 2)[1]
                [patient] = set(_PATIENT.findall(path))
                body = answers[path.replace(patient, TEMPLATE)].replace(TEMPLATE, patient)
                await asyncio.sleep(QUERY_SECONDS)
                writer.write(b"HTTP/1.1 200 OK\r\nContent-Type: application/fhir+json\r\n")
                writer.write(b"Content-Length: %d\r\n\r\n" % len(body) + body)
        except asyncio.IncompleteReadError:
            writer.close()

    async def listen() -> None:
        server = await asyncio.start_server(answer, HOST, port, backlog=1024)
        await server.serve_forever()

    asyncio.run(listen())

"""Servers for the tests, all on free loopback ports and stopped at the end.

`Service` is the production server in a process of its own, with a fixed clock; `Fhir` is the embedded FHIR server in a
thread, which counts what it is asked and can be told to be slow or to fail.

`python -m tests.server` is the process of `Service`.
"""

import gc
import os
import random
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import cache, partial
from itertools import cycle
from pathlib import Path
from threading import Lock, Thread
from typing import Any
from urllib.parse import parse_qs, unquote

import requests
from flask import Flask, request
from werkzeug.serving import WSGIRequestHandler, make_server

from cds_service.fhir.memory import Repository
from cds_service.fhir.stories import Story, load_story, shifted, story_names
from cds_service.web.fhir_server import fhir_blueprint
from tests.leaks import leaks

ROOT = Path(__file__).parents[1]
STORIES = ROOT / "fhir_fixtures"
HOST = "127.0.0.1"
NOW = datetime(2026, 11, 22, 12, tzinfo=UTC)
PORTS, WORKERS = range(10_000, 30_000), 16
"""Below the ports that a system gives to whoever asks for any; shared out among the workers of the suite."""
SECONDS = 20
START_SECONDS = 60
"""Generous: several services may start at once on a busy machine."""
FAILING = "X-Tests-Fail"
"""A request with this header makes the service fail in the middle."""

StartResponse = Callable[..., Any]
Environ = dict[str, Any]


def stories() -> list[Story]:
    """All stories, in the order of their names."""
    return [load_story(STORIES, name) for name in story_names(STORIES)]


def free_port() -> int:
    """A port that nobody listens on, and that is not given to anybody else of the suite meanwhile."""
    while True:
        with socket.socket() as probe, suppress(OSError):
            probe.bind((HOST, port := next(_ports())))
            return port


@cache
def _ports() -> Iterator[int]:
    """Those of this worker, in any order: another run of the suite may take from the same ones."""
    worker = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    own = PORTS[worker % WORKERS :: WORKERS]
    return cycle(random.sample(own, len(own)))


@dataclass(frozen=True)
class Asked:
    """One request that the FHIR server received."""

    path: str
    query: dict[str, list[str]]
    headers: dict[str, str]


@dataclass
class Fhir:
    """The embedded FHIR server: what it was asked, and how it is to misbehave.

    `faults` maps a part of a request's path and query to a status, a type and a body that are answered in place of it,
    with `retry_after` if that is set; `hold` is called with each path and query and may take its time.
    """

    repository: Repository
    base: str = ""
    asked: list[Asked] = field(default_factory=list)
    faults: dict[str, tuple[str, str, str]] = field(default_factory=dict)
    retry_after: str = ""
    delay_seconds: float = 0
    hold: Callable[[str], object] = bool
    most_at_once: int = 0
    _at_once: int = 0
    _lock: Lock = field(default_factory=Lock)

    def load(self, bundle: dict[str, Any]) -> None:
        """Carry out a story's Bundle, moved to NOW."""
        self.repository.transaction(shifted(bundle, NOW))

    def reset(self) -> None:
        """Forget what was asked, and behave."""
        self.asked.clear()
        self.faults.clear()
        self.delay_seconds = self.most_at_once = 0
        self.retry_after = ""
        self.hold = bool

    def queries(self) -> list[str]:
        """The resource types that were asked for, and `coded` where the query names codes."""
        return sorted(
            asked.path.split("/")[2] + (" coded" if "code" in asked.query else "")
            for asked in self.asked
            if asked.path != "/fhir/metadata"
        )

    def wsgi(self, app: Callable[..., Any]) -> Callable[[Environ, StartResponse], Any]:
        """The application with this bookkeeping around it."""

        def recording(environ: Environ, start: StartResponse) -> Any:
            path, query = environ["PATH_INFO"], environ.get("QUERY_STRING", "")
            headers = {name[5:].lower(): value for name, value in environ.items() if name.startswith("HTTP_")}
            self.asked.append(Asked(path, parse_qs(query), headers))
            with self._lock:
                self._at_once += 1
                self.most_at_once = max(self.most_at_once, self._at_once)
            time.sleep(self.delay_seconds)
            self.hold(f"{path}?{unquote(query)}")
            with self._lock:
                self._at_once -= 1
            for part, (status, kind, body) in self.faults.items():
                if part in f"{path}?{unquote(query)}":
                    again = [("Retry-After", self.retry_after)] if self.retry_after else []
                    start(status, [("Content-Type", kind), *again])
                    return [body.encode()]
            return app(environ, start)

        return recording


class Quiet(WSGIRequestHandler):
    """Logs no requests."""

    def log_request(self, *_: Any) -> None:
        """Nothing: it would fill the report of a failed test."""


@contextmanager
def fhir_server(repository: Repository) -> Iterator[Fhir]:
    """The embedded FHIR server, running."""
    fhir = Fhir(repository)
    app = Flask(__name__)
    app.register_blueprint(fhir_blueprint(repository), url_prefix="/fhir")
    http = make_server(HOST, 0, fhir.wsgi(app), threaded=True, request_handler=Quiet)
    fhir.base = f"http://{HOST}:{http.server_port}/fhir"
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield fhir
    finally:
        http.shutdown()
        thread.join(SECONDS)
        http.server_close()


def hook_call(patient_id: str, **members: Any) -> dict[str, Any]:
    """A patient-view call for a patient, always of the same instance: so its answers can be compared."""
    body = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/COREPRACTITIONER1", "patientId": patient_id},
    }
    return body | members


def prefetch(base: str, templates: Mapping[str, str], patient_id: str) -> dict[str, Any]:
    """The prefetch as an EHR obtains it: each template filled and sent to the FHIR server."""
    filled = {}
    with requests.Session() as session:
        for key, template in templates.items():
            query = template.replace("{{context.patientId}}", patient_id)
            answer = session.get(f"{base}/{query}", timeout=SECONDS)
            assert answer.status_code == 200, f"{key}: {answer.text}"
            filled[key] = answer.json()
    return filled


@dataclass(frozen=True)
class Service:
    """The production server: its base URL, its process, and the file that holds its log."""

    base: str
    process: subprocess.Popen[bytes]
    log: Path

    def call(self, body: dict[str, Any], service: str = "crs-patient-view", **options: Any) -> requests.Response:
        """One hook call, as a client sends it."""
        headers = {"Connection": "close"} | options.pop("headers", {})  # or a stopping server waits for the next call
        url = f"{self.base}/cds-services/{service}"
        return requests.post(url, json=body, headers=headers, timeout=SECONDS, **options)


@contextmanager
def service_process(
    log: Path, fhir_servers: str, now: datetime = NOW, workers: int = 1, port: int = 0, **settings: str
) -> Iterator[Service]:
    """The production server in a process of its own, where it is always `now`; ended by its process id.

    Its state folder lies beside its log unless the settings name another. Whatever it was asked, its log at the lowest
    level holds no patient and no token (T11).
    """
    port = port or free_port()
    base = f"http://{HOST}:{port}"
    own = {
        "CRS_CDS_AUTH": "off",
        "CRS_CDS_DRAIN_SECONDS": "0",
        "CRS_CDS_FHIR_SERVERS": fhir_servers,
        "CRS_CDS_LOG_LEVEL": "debug",
        "CRS_CDS_STATE_FOLDER": f"{log}.state",
    }
    environment = clean_environment(**own | settings)
    command = [sys.executable, "-W", "error", "-m", "tests.server", str(port), now.isoformat(), str(workers)]
    with log.open("wb") as output:
        process = subprocess.Popen(command, cwd=ROOT, env=environment, stdout=output, stderr=output)
        try:
            _await(f"{base}/readyz", process, log)
            yield Service(base, process, log)
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(SECONDS)
    assert leaks(log.read_bytes()) == []


def clean_environment(**settings: str) -> dict[str, str]:
    """This process's environment with these settings of the service and no others."""
    kept = {name: value for name, value in os.environ.items() if not name.startswith("CRS_CDS_")}
    return kept | settings


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(url, timeout=1).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise AssertionError(f"the service did not start: {log.read_text()}")


def _main() -> None:
    from cds_service.cli.serve import clients_of, knowledge_of, registrations_of
    from cds_service.web.app import create_app
    from cds_service.web.logs import configure_logs
    from cds_service.web.serve import Server
    from cds_service.web.settings import read_settings
    from cds_service.web.state import prepare_state

    settings = read_settings()
    knowledge = knowledge_of(settings)
    clients, registrations = clients_of(settings, knowledge), registrations_of(settings)
    port, now, workers = int(sys.argv[1]), datetime.fromisoformat(sys.argv[2]), int(sys.argv[3])
    prepare_state(settings, now)
    configure_logs(settings.log_level)

    def clock() -> datetime:
        """Always the same; and a failure with the whole head of the request in it, where a test asks for one."""
        if FAILING in request.headers:
            raise ValueError(f"{request.path} {request.headers}")
        return now

    gc.freeze()  # or each worker would look through all that is loaded when it ends, and have it copied
    app = partial(create_app, settings, knowledge, clock, clients, registrations)
    Server(app, HOST, port, workers, settings.state_folder, settings.drain_seconds).run()


if __name__ == "__main__":
    _main()

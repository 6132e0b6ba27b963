"""Latency and throughput of patient-view with a complete prefetch, beside a bare Flask view that only scans the values.

Starts the production server of each on a loopback port, sends the same bodies over one keep-alive connection, prints
p50, p99 and requests a second. Bounded: a few hundred requests each. Machines differ: read the ratio.
"""

import http.client
import json
import multiprocessing
import os
import socket
import statistics
import sys
import tempfile
import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import orjson
from flask import Flask, Response, request

from cds_service.content.load import load
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import discovery
from cds_service.web.app import create_app
from cds_service.web.logs import configure_logs
from cds_service.web.serve import Server
from cds_service.web.settings import Settings
from cds_service.web.state import prepare_state

HOST = "127.0.0.1"
REQUESTS = 400
WARM_UP = 40
PATIENT = "bench"


def main() -> None:
    """Measure both servers with 100 and 500 Observations and with an ineligible patient, and print a table."""
    knowledge = Knowledge.of(load(), ZoneInfo("UTC"))
    keys = list(discovery(knowledge.needs)["services"][0]["prefetch"])
    bodies = {
        "eligible, grade 3, 100 Observations": _body(keys, 100, eligible=True),
        "eligible, grade 3, 500 Observations": _body(keys, 500, eligible=True),
        "not eligible, 100 Observations": _body(keys, 100, eligible=False),
    }
    state = tempfile.TemporaryDirectory(prefix="crs-cds-bench-")
    settings = Settings(auth="off", state_folder=Path(state.name), database_url=None)
    prepare_state(settings, datetime.now(UTC))
    servers: dict[str, tuple[Callable[[], Flask], str]] = {
        "this service": (lambda: create_app(settings, knowledge), "/cds-services/crs-patient-view"),
        "bare Flask, orjson, scan": (_floor, "/"),
    }
    print(f"{'case':40} {'server':26} {'kB':>5} {'p50 ms':>8} {'p99 ms':>8} {'req/s':>7}")  # noqa: T201
    for name, (make, path) in servers.items():
        port = free_port()
        process = multiprocessing.get_context("fork").Process(target=serve, args=(make, port), daemon=True)
        process.start()
        try:
            await_port(port)
            for case, body in bodies.items():
                times = _measure(port, path, body)
                p50, p99 = statistics.median(times), statistics.quantiles(times, n=100)[98]
                rate = len(times) / sum(times)
                row = f"{case:40} {name:26} {len(body) / 1000:5.0f} {p50 * 1e3:8.2f} {p99 * 1e3:8.2f} {rate:7.0f}"
                print(row, flush=True)  # noqa: T201
        finally:
            process.terminate()
            process.join(10)


def serve(make: Callable[[], Flask], port: int) -> None:
    """The child: logs are written as in production, to nowhere."""
    os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stderr.fileno())
    configure_logs()
    with tempfile.TemporaryDirectory(prefix="crs-cds-bench-") as state:
        Server(make, HOST, port, 1, Path(state)).run()


def _floor() -> Flask:
    """The least a service could do: parse, look at every value, answer."""
    app = Flask("floor")

    @app.post("/")
    def scan() -> Response:
        highest = 0.0
        for bundle in orjson.loads(request.get_data())["prefetch"].values():
            for entry in (bundle or {}).get("entry", ()):
                value = entry["resource"].get("valueQuantity", {}).get("value", 0)
                highest = max(highest, value)
        return Response(orjson.dumps({"cards": [], "highest": highest}), mimetype="application/json")

    return app


def _measure(port: int, path: str, body: bytes) -> list[float]:
    connection = http.client.HTTPConnection(HOST, port, timeout=30)
    times = []
    for number in range(WARM_UP + REQUESTS):
        started = time.perf_counter()
        connection.request("POST", path, body, {"Content-Type": "application/json"})
        response = connection.getresponse()
        response.read()
        if response.status != 200:
            raise SystemExit(f"the server answered HTTP {response.status}")
        if number >= WARM_UP:
            times.append(time.perf_counter() - started)
    connection.close()
    return times


def _body(keys: list[str], observations: int, *, eligible: bool) -> bytes:
    """A patient-view call of a patient on one vasopressor with that many vital signs over two days."""
    now = datetime.now(UTC)
    prefetch: dict[str, Any] = {key: {"resourceType": "Bundle", "type": "searchset"} for key in keys}
    prefetch["patient"] = {"resourceType": "Patient", "id": PATIENT, "birthDate": "1960-05-04"}
    signs = (
        ("temperature", "8310-5", lambda n: {"valueQuantity": _quantity(38.2 + n % 12 / 10, "Cel")}),
        ("bloodPressure", "85354-9", _pressure),
        ("oxygen", "59408-5", lambda n: {"valueQuantity": _quantity(93 + n % 5, "%")}),
        ("oxygen", "3151-8", lambda _: {"valueQuantity": _quantity(2, "L/min")}),
    )
    for number in range(observations):
        key, code, value = signs[number % len(signs)]
        at = now - timedelta(minutes=5 + number * 2880 / observations)
        resource = {
            "resourceType": "Observation",
            "id": f"o{number}",
            "status": "final",
            "effectiveDateTime": _time(at),
        }
        _add(prefetch, key, {**resource, "code": _loinc(code), "subject": _subject(), **value(number)})
    _add(prefetch, "oxygen", _nasal_cannula(now))
    _add(prefetch, "weight", _weight(now))
    _add(prefetch, "administrations", _norepinephrine(now))
    if eligible:
        _add(prefetch, "procedures", _car_t(now))
    call = {"hook": "patient-view", "hookInstance": "bench", "prefetch": prefetch}
    return json.dumps({**call, "context": {"userId": "Practitioner/p", "patientId": PATIENT}}).encode()


def _add(prefetch: dict[str, Any], key: str, resource: dict[str, Any]) -> None:
    prefetch[key].setdefault("entry", []).append({"resource": resource})


def _subject() -> dict[str, str]:
    return {"reference": f"Patient/{PATIENT}"}


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _loinc(code: str) -> dict[str, Any]:
    return {"coding": [{"system": "http://loinc.org", "code": code, "display": "a vital sign"}], "text": "a vital sign"}


def _quantity(value: float, unit: str) -> dict[str, Any]:
    return {"value": round(value, 1), "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def _pressure(number: int) -> dict[str, Any]:
    parts = (("8480-6", 112 + number % 9), ("8462-4", 60 + number % 7))
    return {"component": [{"code": _loinc(code), "valueQuantity": _quantity(value, "mm[Hg]")} for code, value in parts]}


def _weight(now: datetime) -> dict[str, Any]:
    at = _time(now - timedelta(days=2))
    weight = {"resourceType": "Observation", "id": "w", "status": "final", "effectiveDateTime": at}
    return {**weight, "code": _loinc("3141-9"), "subject": _subject(), "valueQuantity": _quantity(82, "kg")}


def _nasal_cannula(now: datetime) -> dict[str, Any]:
    at = _time(now - timedelta(minutes=5))
    device = {"resourceType": "Observation", "id": "d", "status": "final", "effectiveDateTime": at}
    return {**device, "code": _loinc("107117-4"), "subject": _subject(), "valueString": "nasal cannula"}


def _norepinephrine(now: datetime) -> dict[str, Any]:
    return {
        "resourceType": "MedicationAdministration",
        "id": "n",
        "status": "in-progress",
        "subject": _subject(),
        "medicationCodeableConcept": {"text": "norepinephrine"},
        "effectivePeriod": {"start": _time(now - timedelta(hours=3))},
        "dosage": {"route": {"text": "intravenous"}, "rateQuantity": _quantity(0.1, "ug/kg/min")},
    }


def _car_t(now: datetime) -> dict[str, Any]:
    return {
        "resourceType": "Procedure",
        "id": "c",
        "status": "completed",
        "subject": _subject(),
        "code": {"text": "axicabtagene ciloleucel infusion"},
        "performedDateTime": _time(now - timedelta(days=3)),
    }


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def await_port(port: int) -> None:
    """Return when somebody listens on the port."""
    for _ in range(200):
        with socket.socket() as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    raise SystemExit("the server did not start")


if __name__ == "__main__":
    main()

"""Time: a hook answers within its deadline, and a FHIR server that hangs starves nobody (T51, T89, T90)."""

import json
import socket
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.conformance.judge import check, check_operation_outcome
from cds_service.fhir import gather as gathering
from cds_service.fhir.deadline import Deadline, FhirFailure
from cds_service.fhir.lanes import Lanes
from tests.answers import PATIENT, SERVICE
from tests.conftest import MakeApp
from tests.hostile import hostile, whole
from tests.server import SECONDS, Fhir, hook_call, service_process

DEADLINE = 0.5
LATE = "the FHIR server did not answer in time"


def silence(connection: socket.socket, head: bytes) -> None:
    connection.recv(1)


def drip(before: bytes) -> Callable[[socket.socket, bytes], None]:
    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(before)
        while True:
            connection.sendall(b"x")
            time.sleep(0.02)

    return answer


@contextmanager
def within(seconds: float) -> Iterator[None]:
    started = time.monotonic()
    yield
    assert time.monotonic() - started < seconds


@pytest.mark.parametrize(
    "answer",
    [silence, drip(b"HTTP/1.1 200 OK\r\nX: "), drip(b'HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{"a": "')],
    ids=["silence", "headers", "body"],
)
def test_t51_a_server_that_hangs_or_drips_costs_the_deadline_and_leaves_no_thread_busy(
    make_app: MakeApp, answer: Any
) -> None:
    with hostile(answer) as server:
        client = make_app(fhir_servers=server.base, deadline_seconds=DEADLINE)
        with within(DEADLINE + 1):
            refused = client.post(SERVICE, json=hook_call(PATIENT, fhirServer=server.base))
        assert refused.status_code == 412
        check_operation_outcome(refused.get_json())
        assert LATE in refused.text
        access = client.application.extensions["crs-cds"]
        with within(1):
            access.executor.submit(int).result()
            access.executor.shutdown(wait=True)


def test_t51_a_query_that_hangs_leaves_a_floor_and_the_others_count(make_app: MakeApp, fhir: Fhir) -> None:
    client = make_app(fhir_servers=fhir.base, deadline_seconds=DEADLINE)
    hanging = threading.Event()
    fhir.hold = lambda query: ("59408-5" in query or "vital-signs" in query) and hanging.wait(3)
    try:
        with within(DEADLINE + 1):
            answer = client.post(SERVICE, json=hook_call(PATIENT, fhirServer=fhir.base))
    finally:
        hanging.set()
    body = answer.get_json()
    check(body, patient_id=PATIENT)
    assessment = body["extension"]["org.crs-cds.assessment"]
    assert (assessment["status"], assessment["grade"]) == ("provisional", 3)
    assert LATE in "\n".join(assessment["missing"])


def test_t51_a_later_page_that_hangs_does_not_lose_the_prefetched_first(
    make_app: MakeApp, filled: dict[str, Any]
) -> None:
    with hostile(silence) as server:
        for key in ("temperature", "bloodPressure", "oxygen"):
            filled[key]["link"] = [{"relation": "next", "url": f"{server.base}/Observation?page=2"}]
        client = make_app(fhir_servers=server.base, deadline_seconds=DEADLINE)
        with within(DEADLINE + 1):
            call = hook_call(PATIENT, fhirServer=server.base, prefetch=filled)
            body = client.post(SERVICE, json=call).get_json()
    assert body["extension"]["org.crs-cds.assessment"]["grade"] == 3


def test_t51_a_later_page_that_hangs_does_not_lose_the_first_that_was_read(
    make_app: MakeApp, filled: dict[str, Any]
) -> None:
    page = filled.pop("temperature")

    def one_page(connection: socket.socket, head: bytes) -> None:
        if b"page=2" in head:
            silence(connection, head)
        page["link"] = [{"relation": "next", "url": f"{server.base}/Observation?page=2"}]
        connection.sendall(whole(json.dumps(page).encode()))

    with hostile(one_page) as server:
        client = make_app(fhir_servers=server.base, deadline_seconds=DEADLINE)
        call = hook_call(PATIENT, fhirServer=server.base, prefetch=filled)
        body = client.post(SERVICE, json=call).get_json()
    assert body["extension"]["org.crs-cds.assessment"]["grade"] == 3


def test_h8_a_bug_in_a_query_is_500_at_once_and_the_other_queries_are_let_go(
    make_app: MakeApp, fhir: Fhir, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fetch(need: Any, source: Any, client: Any) -> Any:
        if need.key == "procedures":
            raise ValueError(PATIENT)
        time.sleep(0.3)
        return gathering.Supply(need=need, state=gathering.State.EMPTY)

    monkeypatch.setattr(gathering, "_fetch", fetch)
    client = make_app(fhir_servers=fhir.base, deadline_seconds=3)
    with within(2):
        answer = client.post(SERVICE, json=hook_call(PATIENT, fhirServer=fhir.base))
    assert answer.status_code == 500
    assert PATIENT not in answer.text


def test_a_deadline_is_a_point_of_time_that_all_queries_share() -> None:
    assert 0 < Deadline.after(5).remaining() <= 5
    over = Deadline.after(-1)
    assert over.left() == 0
    with pytest.raises(FhirFailure, match=LATE):
        over.remaining()


def test_t89_a_lane_takes_so_many_calls_at_once_for_each_server() -> None:
    lanes = Lanes(1)
    with lanes.enter("http://one/fhir") as first, lanes.enter("http://one/fhir/tenant") as second:
        assert (first, second) == (True, False), "a server is a host, whatever the path"
        with lanes.enter("http://two/fhir") as other:
            assert other
    with lanes.enter("http://ONE/fhir") as again:
        assert again


def test_t56_t89_a_server_that_hangs_starves_neither_health_nor_another_ehr(tmp_path: Path, fhir: Fhir) -> None:
    with (
        hostile(silence) as hanging,
        service_process(tmp_path / "log", f"{fhir.base},{hanging.base}", CRS_CDS_DEADLINE_SECONDS="6") as service,
        ThreadPoolExecutor(20) as clients,
    ):
        calls = [clients.submit(service.call, hook_call(f"{number}", fhirServer=hanging.base)) for number in range(20)]
        time.sleep(0.2)
        with within(5):
            assert requests.get(f"{service.base}/healthz", timeout=SECONDS).status_code == 200
            answer = service.call(hook_call(PATIENT, fhirServer=fhir.base))
        assert answer.json()["extension"]["org.crs-cds.assessment"]["grade"] == 3
        answers = [call.result() for call in calls]
    assert {answer.status_code for answer in answers} == {412}
    words = "\n".join(answer.text for answer in answers)
    assert LATE in words
    assert "this service is busy with other calls to that FHIR server" in words


def test_t90_what_was_begun_is_answered_when_the_server_is_told_to_stop(tmp_path: Path, fhir: Fhir) -> None:
    fhir.delay_seconds = 0.4
    with service_process(tmp_path / "log", fhir.base) as service, ThreadPoolExecutor(1) as clients:
        call = clients.submit(service.call, hook_call(PATIENT, fhirServer=fhir.base))
        time.sleep(0.2)
        service.process.terminate()
        answer = call.result()
        with within(5):
            service.process.wait(SECONDS)
    assert answer.status_code == 200
    assert len(answer.json()["cards"]) == 3
    assert service.process.returncode == 0

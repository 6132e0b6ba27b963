"""The service is stopped, killed and flooded: what was begun is answered, what was acknowledged is kept (T85, T88-T90).

`CRS_TESTS_STOPS` and `CRS_TESTS_KILLS` say how often: 10 and 20 times in CI, and `make chaos` kills it more often.
"""

import os
import signal
import time
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from threading import Event
from typing import Any

import pytest
import requests

from tests.answers import PATIENT
from tests.chaos import assert_kills_lose_nothing, workers
from tests.server import SECONDS, Fhir, Service, hook_call, service_process

IN_FLIGHT = 8
STOPS = int(os.environ.get("CRS_TESTS_STOPS", "3"))
KILLS = int(os.environ.get("CRS_TESTS_KILLS", "4"))


def eventually(true: Any) -> None:
    """Returns when it is true."""
    end = time.monotonic() + 2 * SECONDS
    while not true():
        assert time.monotonic() < end, "it did not come true"
        time.sleep(0.02)


def status(service: Service, path: str) -> int:
    """The status of an answer, 0 when there is none."""
    try:
        return requests.get(f"{service.base}{path}", headers={"Connection": "close"}, timeout=SECONDS).status_code
    except requests.RequestException:
        return 0


def test_t90_what_was_begun_when_the_service_is_stopped_is_answered(tmp_path: Path, fhir: Fhir) -> None:
    """Several stops, each with calls that wait for their FHIR server."""
    settings = {"CRS_CDS_STATE_FOLDER": str(tmp_path / "state"), "CRS_CDS_DEADLINE_SECONDS": "20"}
    go = Event()
    for _ in range(STOPS):
        go.clear()
        fhir.hold = lambda _: go.wait(SECONDS)
        fhir.asked.clear()
        with service_process(tmp_path / "log", fhir.base, workers=2, **settings) as service:
            with ThreadPoolExecutor(IN_FLIGHT) as clients:
                body = hook_call(PATIENT, fhirServer=fhir.base)
                calls = [clients.submit(service.call, body) for _ in range(IN_FLIGHT)]
                eventually(lambda: len(fhir.asked) >= IN_FLIGHT * 4)  # each has sent its first queries
                service.process.terminate()
                eventually(lambda: status(service, "/healthz") == 0)
                go.set()
                answers = [call.result() for call in calls]
            assert [found.status_code for found in answers] == [200] * IN_FLIGHT
            assert all(len(found.json()["cards"]) == 3 for found in answers)
            assert service.process.wait(SECONDS) == 0


def test_t90_a_service_that_is_stopped_is_first_not_ready_and_still_answers(
    tmp_path: Path, filled: dict[str, Any]
) -> None:
    with service_process(tmp_path / "log", "", CRS_CDS_DRAIN_SECONDS="5") as service:
        service.process.terminate()
        eventually(lambda: status(service, "/readyz") == 503)
        assert status(service, "/healthz") == 200
        assert service.call(hook_call(PATIENT, prefetch=filled)).status_code == 200
        assert service.process.wait(SECONDS) == 0


def test_t88_a_worker_that_is_killed_takes_only_its_own_calls_with_it(tmp_path: Path, filled: dict[str, Any]) -> None:
    with service_process(tmp_path / "log", "", workers=2) as service:
        before = workers(service)
        os.kill(before[0], signal.SIGKILL)
        assert service.call(hook_call(PATIENT, prefetch=filled)).status_code == 200
        eventually(lambda: len(workers(service)) == 2 and before[0] not in workers(service))
        answers = [service.call(hook_call(PATIENT, prefetch=filled)) for _ in range(8)]
        assert [found.status_code for found in answers] == [200] * 8


def test_t85_kill_9_under_load_loses_nothing_that_was_acknowledged(tmp_path: Path, filled: dict[str, Any]) -> None:
    assert_kills_lose_nothing(tmp_path, filled, KILLS)


def test_t89_more_calls_than_can_be_answered_are_refused_at_once_and_health_is_not(tmp_path: Path, fhir: Fhir) -> None:
    """Two FHIR servers that hang: of one, no more than 16 calls would wait."""
    go, fhir.hold = Event(), lambda _: go.wait(SECONDS)
    bases = [fhir.base, fhir.base.replace("127.0.0.1", "localhost")]
    with service_process(tmp_path / "log", ",".join(bases), CRS_CDS_DEADLINE_SECONDS="20") as service:
        try:
            with ThreadPoolExecutor(60) as clients:
                calls = [
                    clients.submit(service.call, hook_call(PATIENT, fhirServer=base))
                    for _ in range(30)
                    for base in bases
                ]
                eventually(lambda: sum(call.done() for call in calls) >= 20)  # 24 are worked on, 16 may wait
                assert status(service, "/healthz") == status(service, "/readyz") == 200
                go.set()
                answers = [call.result() for call in calls]
        finally:
            go.set()
        refused = [found for found in answers if found.status_code == 503]
        assert len(refused) >= 20
        assert {200, 503} <= {found.status_code for found in answers} <= {200, 412, 503}  # 412: its lane is full
        assert all(found.json()["issue"][0]["code"] == "transient" for found in refused)
        assert all(int(found.headers["Retry-After"]) > 0 for found in refused)
        fhir.reset()
        assert service.call(hook_call(PATIENT, fhirServer=fhir.base)).status_code == 200


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/cds-services", "/about"])
def test_what_is_no_call_is_never_refused(client: Any, path: str) -> None:
    from cds_service.web.places import CALLS

    assert not path.startswith(CALLS)
    assert client.get(path).status_code == 200

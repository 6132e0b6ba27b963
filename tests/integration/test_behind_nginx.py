"""The service behind the nginx that ships with it: TLS, errors that clients can read, and clients that are slow."""

import socket
import ssl
import time
from collections.abc import Iterator
from contextlib import ExitStack
from typing import Any

import pytest
import requests

from cds_service.web.app import THREADS
from tests.answers import PATIENT
from tests.nginx import Proxy, running_nginx
from tests.server import HOST, SECONDS, Fhir, Service, hook_call

SLOW = 4 * THREADS
"""Slow clients of each kind: more than the service has threads, if they reached it."""
JSON = {"Content-Type": "application/json"}
HEADER_SECONDS = 10
"""client_header_timeout of deploy/nginx.conf."""


@pytest.fixture(scope="module")
def proxy(service: Service) -> Iterator[Proxy]:
    """The nginx of deploy/ before the production server."""
    with running_nginx(service.base) as running:
        yield running


def ask(proxy: Proxy, path: str, method: str = "GET", **options: Any) -> requests.Response:
    return requests.request(
        method, f"{proxy.base}{path}", verify=str(proxy.certificate), timeout=SECONDS, allow_redirects=False, **options
    )


def begun(proxy: Proxy, request: bytes) -> ssl.SSLSocket:
    """A connection over TLS on which a request has begun."""
    trusted = ssl.create_default_context(cafile=str(proxy.certificate))
    raw = socket.create_connection((HOST, proxy.port), timeout=SECONDS)
    connection = trusted.wrap_socket(raw, server_hostname=HOST)
    connection.sendall(request)
    return connection


def test_a_hook_call_over_tls_is_answered_as_without_the_proxy(service: Service, fhir: Fhir, proxy: Proxy) -> None:
    call = hook_call(PATIENT, fhirServer=fhir.base)
    through = ask(proxy, "/cds-services/crs-patient-view", "POST", json=call)
    assert through.status_code == 200
    assert through.json() == service.call(call).json()
    assert through.json()["cards"][0]["summary"].startswith("CRS grade 3")
    assert ask(proxy, "/cds-services").json() == requests.get(f"{service.base}/cds-services", timeout=SECONDS).json()


def test_what_the_service_refuses_is_said_in_its_own_words(proxy: Proxy) -> None:
    refused = ask(proxy, "/cds-services/crs-patient-view", "POST", json={"hook": "patient-view"})
    assert refused.status_code == 400
    assert "hookInstance" in refused.text
    too_long = ask(proxy, "/cds-services/crs-patient-view", "POST", data=b" " * 5_000_001, headers=JSON)
    assert (too_long.status_code, too_long.json()["issue"][0]["code"]) == (413, "too-costly")
    assert "larger than this service reads" in too_long.text


@pytest.mark.parametrize("path", ["/report", "/metrics", "/", "/cds-services-of-others", "/fhir/metadata"])
def test_only_what_clients_need_is_reached_from_outside(proxy: Proxy, path: str) -> None:
    refused = ask(proxy, path)
    assert (refused.status_code, refused.json()["resourceType"]) == (404, "OperationOutcome")
    assert refused.headers["Access-Control-Allow-Origin"] == "*"


def test_a_body_that_the_service_would_not_read_is_refused_before_it(proxy: Proxy) -> None:
    refused = ask(proxy, "/cds-services/crs-patient-view", "POST", data=b" " * 8_500_000, headers=JSON)
    assert (refused.status_code, refused.json()["issue"][0]["code"]) == (413, "too-costly")


def test_a_header_that_is_too_long_is_refused_as_json(proxy: Proxy) -> None:
    refused = ask(proxy, "/cds-services", headers={"Authorization": f"Bearer {'a' * 60_000}"})
    assert (refused.status_code, refused.json()["resourceType"]) == (400, "OperationOutcome")


def test_a_service_that_is_down_is_said_and_nothing_reads_as_no_guidance(proxy: Proxy) -> None:
    with running_nginx(f"http://{HOST}:9") as lonely:
        refused = ask(lonely, "/cds-services/crs-patient-view", "POST", json=hook_call(PATIENT))
        assert (refused.status_code, refused.headers["Retry-After"]) == (503, "5")
        assert "nothing was graded" in refused.json()["issue"][0]["details"]["text"]
        assert refused.headers["Access-Control-Allow-Origin"] == "*"


def test_the_log_of_the_proxy_holds_no_query_and_no_token(proxy: Proxy) -> None:
    ask(proxy, "/about?patient=seeded-in-a-query", headers={"Authorization": "Bearer seeded-token"})
    end = time.monotonic() + SECONDS
    while "GET /about" not in (said := proxy.log.read_text()):  # it is written after the answer is given
        assert time.monotonic() < end, said
        time.sleep(0.02)
    assert "seeded" not in said


def test_t11_the_log_of_the_proxy_holds_no_code_also_while_the_service_is_away(proxy: Proxy) -> None:
    with running_nginx(f"http://{HOST}:9") as lonely:
        for reached, status in ((proxy, 404), (lonely, 503)):
            answered = ask(reached, "/smart/callback?code=seeded-code&state=seeded-state")
            assert answered.status_code == status
            end = time.monotonic() + SECONDS
            while "GET /smart/callback" not in (said := reached.log.read_text()):
                assert time.monotonic() < end, said
                time.sleep(0.02)
            assert "seeded" not in said


def test_t33_clients_that_send_byte_by_byte_starve_neither_the_health_check_nor_a_call(
    fhir: Fhir, proxy: Proxy
) -> None:
    head = b"GET /readyz HTTP/1.1\r\nHost: slow"
    body = b"POST /cds-services/crs-patient-view HTTP/1.1\r\nHost: slow\r\nContent-Type: application/json\r\n"
    body += b"Content-Length: 1000\r\n\r\n{"
    with ExitStack() as end:
        slow = [end.enter_context(begun(proxy, request)) for request in (head, body) for _ in range(SLOW)]
        for _ in range(3):
            for connection in slow:
                connection.sendall(b" ")
            for path in ("/healthz", "/readyz"):
                assert ask(proxy, path).status_code == 200
            call = hook_call(PATIENT, fhirServer=fhir.base)
            answered = ask(proxy, "/cds-services/crs-patient-view", "POST", json=call)
            assert answered.json()["cards"][0]["summary"].startswith("CRS grade 3")


def test_t33_a_client_that_does_not_finish_its_head_is_hung_up_on(proxy: Proxy) -> None:
    with begun(proxy, b"GET /readyz HTTP/1.1\r\n") as connection:
        since = time.monotonic()
        connection.settimeout(2 * HEADER_SECONDS)
        assert b"200" not in connection.recv(4096)
        assert time.monotonic() - since > HEADER_SECONDS / 2, "it was given time"

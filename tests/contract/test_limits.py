"""Limits of the body, at the production server over real sockets (T25, T29, T34)."""

import json
import socket
from typing import Any

import pytest
import requests

from cds_service.conformance.judge import check_operation_outcome
from tests.answers import SERVICE
from tests.contract.test_hook_call import call
from tests.server import HOST, SECONDS, Service

LIMIT = 5_000_000


def post(service: Service, data: Any, **options: Any) -> requests.Response:
    headers = {"Content-Type": "application/json"} | options.pop("headers", {})
    return requests.post(f"{service.base}{SERVICE}", data=data, headers=headers, timeout=SECONDS)


def raw(service: Service, head: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and rest of the answer to a request of raw bytes; 0 when the connection was just closed."""
    port = int(service.base.rpartition(":")[2])
    with socket.create_connection((HOST, port), SECONDS) as connection:
        request = f"POST {SERVICE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{head}\r\n"
        connection.sendall(request.encode())
        received = b""
        try:
            connection.sendall(body)
            connection.shutdown(socket.SHUT_WR)
            while data := connection.recv(65_536):
                received += data
        except OSError:
            pass
    return (int(received.split(b" ", 2)[1]) if received else 0), received


def test_t29_a_body_of_the_limit_is_read_and_one_byte_more_is_413(service: Service) -> None:
    body = json.dumps(call())
    assert post(service, body + " " * (LIMIT - len(body))).status_code == 200
    answer = post(service, body + " " * (LIMIT - len(body) + 1))
    assert answer.status_code == 413
    check_operation_outcome(answer.json())
    assert answer.json()["issue"][0]["code"] == "too-costly"


def test_t29_a_chunked_body_is_read_up_to_the_limit(service: Service) -> None:
    def chunks(size: int) -> Any:
        yield json.dumps(call()).encode()
        for _ in range(size // 100_000):
            yield b" " * 100_000

    assert post(service, chunks(1_000_000)).status_code == 200
    answer = post(service, chunks(6_000_000))
    assert answer.status_code == 413
    check_operation_outcome(answer.json())


def test_t29_a_huge_announced_length_is_413_without_reading_it(service: Service) -> None:
    status, answer = raw(service, f"Content-Length: {10**12}\r\n", b"{")
    assert status == 413
    assert b"OperationOutcome" in answer


def test_t29_a_body_shorter_than_announced_is_no_call(service: Service) -> None:
    status, _ = raw(service, "Content-Length: 1000\r\n", json.dumps(call()).encode())
    assert status in (0, 400)


@pytest.mark.parametrize(
    "head",
    [
        "Content-Length: 5\r\nContent-Length: 6\r\n",
        "Content-Length: 5\r\nTransfer-Encoding: chunked\r\n",
        "Content-Length: -1\r\n",
        "Content-Length: 1e3\r\n",
    ],
)
def test_t34_a_request_whose_length_is_ambiguous_is_refused(service: Service, head: str) -> None:
    status, answer = raw(service, head, b"{}{}{}{}")
    assert 400 <= status < 500
    assert b"cards" not in answer


def test_t25_a_body_nested_100_000_deep_is_400_and_the_server_stays_up(service: Service) -> None:
    for body in (b"[" * 100_000, b'{"a":' * 100_000 + b"1" + b"}" * 100_000):
        answer = post(service, body)
        assert answer.status_code == 400
        check_operation_outcome(answer.json())
    assert requests.get(f"{service.base}/healthz", timeout=SECONDS).status_code == 200


def test_a_connection_is_kept_and_a_refused_body_does_not_become_the_next_request(service: Service) -> None:
    with requests.Session() as session:
        smuggled = b"GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n" * 10
        first = session.post(
            f"{service.base}{SERVICE}", data=smuggled, headers={"Content-Type": "text/plain"}, timeout=SECONDS
        )
        second = session.get(f"{service.base}/readyz", timeout=SECONDS)
    assert (first.status_code, second.status_code) == (415, 200)
    assert "protocol" in second.json()

"""Limits of the body, at the production server over real sockets (T25, T29, T34)."""

import json
import re
import socket
from contextlib import suppress
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.conformance.judge import check_operation_outcome
from tests.answers import SERVICE
from tests.contract.test_hook_call import call
from tests.server import HOST, SECONDS, Service

LIMIT = 5_000_000
HUGE = 100_000_000


def post(service: Service, data: Any, **options: Any) -> requests.Response:
    headers = {"Content-Type": "application/json"} | options.pop("headers", {})
    return requests.post(f"{service.base}{SERVICE}", data=data, headers=headers, timeout=SECONDS)


def connected(service: Service) -> socket.socket:
    return socket.create_connection((HOST, int(service.base.rpartition(":")[2])), SECONDS)


def request(head: str) -> bytes:
    return f"POST {SERVICE} HTTP/1.1\r\nHost: x\r\nContent-Type: application/json\r\n{head}\r\n".encode()


def everything(connection: socket.socket) -> bytes:
    """All that comes until the server ends the connection, properly or not."""
    received = b""
    with suppress(ConnectionError):
        while data := connection.recv(65_536):
            received += data
    return received


def raw(service: Service, head: str, body: bytes = b"") -> tuple[int, bytes]:
    """Status and rest of the answer to a request of raw bytes; 0 when the connection was just closed."""
    with connected(service) as connection:
        connection.sendall(request(head))
        with suppress(ConnectionError):
            connection.sendall(body)
            connection.shutdown(socket.SHUT_WR)
        received = everything(connection)
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


def chunk(data: bytes) -> bytes:
    return f"{len(data):x}\r\n".encode() + data + b"\r\n"


def peak_of_worker(service: Service) -> int:
    """The most memory that the worker process has had, in bytes."""
    [worker] = Path(f"/proc/{service.process.pid}/task/{service.process.pid}/children").read_text().split()
    status = Path(f"/proc/{worker}/status").read_text()
    return int(re.findall(r"VmHWM:\s+(\d+) kB", status)[0]) * 1024


@pytest.mark.parametrize("chunked", [False, True])
def test_t29_of_100_mb_no_more_than_the_limit_is_held_and_the_connection_ends(service: Service, chunked: bool) -> None:
    post(service, json.dumps(call()))
    before = peak_of_worker(service)
    head = "Transfer-Encoding: chunked\r\n" if chunked else f"Content-Length: {HUGE}\r\n"
    piece = b" " * 1_000_000
    status, _ = raw(service, head, (chunk(piece) if chunked else piece) * (HUGE // len(piece)))
    assert status in (0, 413), "an answer that is not read before the connection ends may be lost"
    assert peak_of_worker(service) - before < 3 * LIMIT
    assert requests.get(f"{service.base}/healthz", timeout=SECONDS).status_code == 200


@pytest.mark.parametrize("framing", ["Content-Length: 6000000\r\n", "Transfer-Encoding: chunked\r\n"])
def test_t29_after_413_the_connection_is_closed(service: Service, framing: str) -> None:
    """The client has sent a part of the body and waits: the server neither waits for the rest nor reads on."""
    with connected(service) as connection:
        connection.sendall(request(framing) + (chunk(b" " * 5_500_000) if "chunked" in framing else b" " * 70_000))
        received = everything(connection)
    assert received.startswith(b"HTTP/1.1 413 ")
    assert received.count(b"HTTP/1.1") == 1


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
        "Content-Length: +5\r\n",
        "Content-Length: 0x5\r\n",
        "Content-Length : 5\r\n",
        "Content-Length: 5, 5\r\n",
        "Transfer-Encoding: chunked\r\nTransfer-Encoding: identity\r\n",
        "Transfer-Encoding: xchunked\r\n",
        "Content-Length: 5\r\nHost: other.example\r\n",
        "Content-Length: 5\rX-Smuggled: yes\r\n",
        "Content-Length: 5\r\n X-Folded: yes\r\n",
        "Content-Length: 5\r\nX-Nul: \0\r\n",
    ],
)
def test_t34_a_request_that_can_be_read_in_two_ways_is_refused_and_its_connection_ends(
    service: Service, head: str
) -> None:
    status, answer = raw(service, head, b"{}{}{}{}GET /healthz HTTP/1.1\r\nHost: x\r\n\r\n")
    assert status in (400, 501)
    assert answer.count(b"HTTP/1.1 ") == 1
    assert b"cards" not in answer


@pytest.mark.parametrize("body", [b"5\r\n{}", b"5\r\n{}   \r\n", b"z\r\n{}\r\n0\r\n\r\n", b"2\r\n{}XX0\r\n\r\n"])
def test_t34_a_chunked_body_that_is_broken_off_or_malformed_is_no_call(service: Service, body: bytes) -> None:
    status, answer = raw(service, "Transfer-Encoding: chunked\r\n", body)
    assert status in (0, 400)
    assert b"cards" not in answer


def test_t34_what_follows_a_malformed_chunk_is_no_request(service: Service) -> None:
    body = b"2\r\n{}XX0\r\n\r\nGET /healthz HTTP/1.1\r\nHost: x\r\n\r\n"
    status, answer = raw(service, "Transfer-Encoding: chunked\r\n", body)
    assert status == 400
    assert answer.count(b"HTTP/1.1 ") == 1


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

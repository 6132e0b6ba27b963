"""`crs-cds conformance` against servers that hang, drip, flood or lie: bounded in time and size, plain in words."""

import json
import re
import socket
import time
from collections.abc import Callable
from typing import Any

import pytest

from cds_service.cli.conformance import report_of
from cds_service.conformance.results import Outcome
from cds_service.conformance.trial import wire
from cds_service.conformance.trial.calls import NOBODY, Patient
from cds_service.conformance.written.document import Report
from tests.hostile import hostile, whole
from tests.small_service import SERVICE

JSON = {"Content-Type": "application/json"}
Answer = Callable[[socket.socket, bytes], None]


@pytest.fixture(autouse=True)
def _hurry(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(wire, "REQUEST_SECONDS", 1.0)
    monkeypatch.setattr(wire, "ALL_SECONDS", 3.0)


def sends(answer: bytes) -> Answer:
    return lambda connection, head: connection.sendall(answer)


def drips(before: bytes, piece: bytes = b" ", pause: float = 0.02) -> Answer:
    """Sends what comes before at once, then a piece now and then, for ever."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(before)
        while True:
            connection.sendall(piece)
            time.sleep(pause)

    return answer


def seen(report: Report) -> dict[str, str]:
    """What failed, by rule."""
    failed = [result for result in report.standard if result.outcome is Outcome.FAILED]
    return {result.rule.id: result.findings[0].message for result in failed}


def nested(levels: int) -> bytes:
    return b'{"services": ' + b"[" * levels + b"]" * levels + b"}"


ENDLESS = b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nTransfer-Encoding: chunked\r\n\r\n"
PIECE = b"10000\r\n" + b" " * 0x10000 + b"\r\n"
LIES: list[tuple[str, Answer, str, str]] = [
    ("huge", sends(whole(b" " * 6_000_000, JSON)), "D-1", "larger than 5,000,000 bytes"),
    ("endless", drips(ENDLESS, PIECE, 0), "D-1", "larger than 5,000,000 bytes"),
    ("silence", lambda connection, head: connection.recv(1) and None, "D-1", "no whole answer within"),
    ("drip of a head", drips(b"HTTP/1.1 200 OK\r\nX-Long: "), "D-1", "no whole answer within"),
    ("drip of a body", drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"), "D-1", "no whole answer within"),
    ("redirect", sends(whole(b"", {"Location": "http://169.254.169.254/"}, "302 Found")), "D-1", "not followed"),
    ("HTML", sends(whole(b"<html><script>alert(1)</script>", {"Content-Type": "text/html"})), "D-2", "not JSON"),
    ("deep", sends(whole(nested(100), JSON)), "D-2", "nested deeper than 64 levels"),
    ("bottomless", sends(whole(nested(100_000), JSON)), "D-2", "not JSON"),
    ("a long text", sends(whole(json.dumps({"services": ["{{" * 20_000]}).encode(), JSON)), "D-2", "40,000 characters"),
    ("many values", sends(whole(b'{"services": [' + b"1," * 60_000 + b"1]}", JSON)), "D-2", "50,000 values"),
    ("broken off", sends(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n"), "D-1", "broke off"),
    ("closed", lambda connection, head: connection.close(), "D-1", "closed without an answer"),
    ("no HTTP", sends(b"nonsense\r\n\r\n"), "D-1", "closed without an answer"),
    ("compressed", sends(whole(b"{}", {"Content-Encoding": "gzip"})), "D-1", "broke off"),
]


@pytest.mark.parametrize(("answer", "rule", "said"), [row[1:] for row in LIES], ids=[row[0] for row in LIES])
def test_a_hostile_discovery_is_one_plain_finding_and_ends_the_test(answer: Answer, rule: str, said: str) -> None:
    with hostile(answer) as server:
        begun = time.monotonic()
        report = report_of(server.base, Patient(NOBODY), (), secret="")
        assert time.monotonic() - begun < 3
        assert len(server.heads) <= 2
    [(found, message)] = seen(report).items()
    assert (found, said in message) == (rule, True), message
    assert report.failed


def listing_and(answer: Answer) -> Answer:
    """Sound discovery; the calls are answered otherwise."""

    def both(connection: socket.socket, head: bytes) -> None:
        if head.startswith(b"GET /fhir/cds-services "):
            connection.sendall(whole(json.dumps({"services": [SERVICE]}).encode(), JSON))
        else:
            [length, *_] = [int(found) for found in re.findall(rb"(?i)content-length: (\d+)", head)] or [0]
            while length > 0:
                length -= len(connection.recv(length))
            answer(connection, head)

    return both


@pytest.mark.parametrize(
    ("answer", "rule", "said"),
    [
        (drips(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"), "H-1", "no whole answer within"),
        (drips(ENDLESS, PIECE, 0), "H-1", "larger than 5,000,000 bytes"),
        (sends(whole(b"", {"Location": "/elsewhere"}, "307 Temporary Redirect")), "H-1", "HTTP 307"),
        (sends(whole(b"<html>", {"Content-Type": "text/html"})), "G-1", "not JSON"),
        (sends(whole(b'"cards"', JSON)), "S-1", "must be an object"),
    ],
)
def test_hostile_answers_to_calls_are_found_and_the_whole_test_stays_within_its_time(
    answer: Answer, rule: str, said: str
) -> None:
    with hostile(listing_and(answer)) as server:
        begun = time.monotonic()
        report = report_of(server.base, Patient(NOBODY), (), secret="")
        assert time.monotonic() - begun < 4
    assert said in seen(report)[rule]


def test_a_test_that_runs_out_of_time_says_that_not_everything_was_tried() -> None:
    card: dict[str, Any] = {"cards": []}

    def slow(connection: socket.socket, head: bytes) -> None:
        time.sleep(0.3)
        connection.sendall(whole(json.dumps(card).encode(), JSON))

    with hostile(listing_and(slow)) as server:
        report = report_of(server.base, Patient(NOBODY), (), secret="")
    assert "not everything was tried: the test ends after 3 s" in report.notes

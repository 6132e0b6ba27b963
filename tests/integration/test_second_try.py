"""A second try: for what it can cure, once, and within the deadline of the hook (T49, T50, T52)."""

import json
import socket
from collections.abc import Callable, Iterator
from contextlib import closing
from typing import Any

import pytest

from cds_service.fhir import second_try
from cds_service.fhir.client import Connections
from cds_service.fhir.deadline import Deadline, FhirFailure, ServerInTrouble
from cds_service.fhir.second_try import CURABLE, PAUSE_SECONDS, failure_of, wait_for_second_try
from tests.fhir_queries import BUNDLE, client, failure
from tests.hostile import hostile, whole

DATE = "Sun, 22 Nov 2026 12:00:00 GMT"
GOOD = whole(json.dumps(BUNDLE).encode())


@pytest.fixture
def connections() -> Iterator[Connections]:
    with closing(Connections()) as opened:
        yield opened


def first(*answers: bytes) -> Callable[[socket.socket, bytes], None]:
    """Answers so in turn, then well."""
    left = iter(answers)
    return lambda connection, head: connection.sendall(next(left, GOOD))


def refused(status: int, **headers: str) -> bytes:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return whole(b"", {"Date": DATE, **named}, f"{status} No")


@pytest.mark.parametrize("status", CURABLE)
def test_t49_t50_what_passes_is_asked_for_once_more_and_read(connections: Connections, status: int) -> None:
    with hostile(first(refused(status))) as server:
        [page] = client(connections, server.base).pages("Patient/1")
        assert page.body == BUNDLE
        assert len(server.heads) == 2
        assert server.heads[0] == server.heads[1]


@pytest.mark.parametrize("status", CURABLE)
def test_t50_what_does_not_pass_is_asked_for_twice_and_no_more(connections: Connections, status: int) -> None:
    with hostile(first(*[refused(status)] * 9)) as server:
        assert failure(connections, server.base) == f"the FHIR server answered HTTP {status}"
        assert len(server.heads) == 2


@pytest.mark.parametrize("status", [301, 400, 401, 403, 404, 410, 422, 500, 501])
def test_t47_t48_what_no_second_try_cures_is_asked_for_once(connections: Connections, status: int) -> None:
    with hostile(first(refused(status, Retry_After="0"))) as server:
        assert f"HTTP {status}" in failure(connections, server.base)
        assert len(server.heads) == 1


def test_t52_an_answer_that_breaks_off_is_not_asked_for_again(connections: Connections) -> None:
    def cut(connection: socket.socket, head: bytes) -> None:
        connection.sendall(GOOD[:-3])
        connection.close()

    with hostile(cut) as server:
        assert "broke off" in failure(connections, server.base)
        assert len(server.heads) == 1


@pytest.mark.parametrize("wanted", ["3600", "Wed, 21 Oct 2099 07:28:00 GMT"])
def test_t49_a_wait_beyond_the_deadline_is_not_waited_and_the_reason_says_so(
    connections: Connections, wanted: str
) -> None:
    with hostile(first(refused(429, Retry_After=wanted))) as server:
        said = failure(connections, server.base)
        assert len(server.heads) == 1
    assert said.startswith("the FHIR server answered HTTP 429 and asks to wait ")
    assert said.endswith(" s, too late for this call")


@pytest.mark.parametrize("wanted", ["0", "Wed, 21 Oct 2015 07:28:00 GMT", "soon"])
def test_t49_a_wait_within_the_deadline_is_waited(connections: Connections, wanted: str) -> None:
    with hostile(first(refused(503, Retry_After=wanted))) as server:
        assert len(list(client(connections, server.base).pages("Patient/1"))) == 1
        assert len(server.heads) == 2


@pytest.mark.parametrize(
    ("retry_after", "seconds"),
    [
        ("0", 0),
        (" 7 ", 7),
        ("3600", 3600),
        ("Sun, 22 Nov 2026 12:00:30 GMT", 30),
        ("Sun, 22 Nov 2026 13:00:30 +0100", 30),
        ("Sun, 22 Nov 2026 12:00:30 -0000", 30),
        ("Sun, 22 Nov 2026 11:59:59 GMT", 0),
        ("", None),
        (None, None),
        ("-1", None),
        ("1.5", None),
        ("²", None),
        ("9" * 5000, None),
        ("Sun, 99 Nov 2026 12:00:30 GMT", None),
        ("Sun, 22 Nov 99999999999 12:00:30 GMT", None),
        ("in a while", None),
    ],
)
def test_t49_retry_after_is_read_as_seconds_or_as_a_time_by_the_servers_clock(
    retry_after: str | None, seconds: float | None
) -> None:
    trouble = failure_of(503, {"Date": DATE} if retry_after is None else {"Date": DATE, "Retry-After": retry_after})
    assert isinstance(trouble, ServerInTrouble)
    words = "" if seconds is None else f" and asks to wait {seconds} s"
    assert str(trouble) == f"the FHIR server answered HTTP 503{words}"
    least, most = PAUSE_SECONDS
    assert trouble.again is not None
    assert (seconds or 0) + least <= trouble.again <= (seconds or 0) + most


@pytest.mark.parametrize("date", [{}, {"Date": ""}, {"Date": "noon"}])
def test_t49_a_time_says_nothing_where_the_server_does_not_say_its_own(date: dict[str, str]) -> None:
    assert str(failure_of(503, {"Retry-After": DATE} | date)) == "the FHIR server answered HTTP 503"
    assert "asks to wait 5 s" in str(failure_of(503, {"Retry-After": "5"} | date))


def test_t50_queries_that_failed_together_do_not_come_again_together() -> None:
    pauses = {getattr(failure_of(503, {}), "again", None) for _ in range(20)}
    assert len(pauses) > 10


@pytest.fixture
def waited(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Times that were waited, without waiting."""
    times: list[float] = []
    monkeypatch.setattr(second_try.time, "sleep", times.append)
    return times


@pytest.mark.parametrize(
    ("again", "took", "is_tried"),
    [(0.0, 0.0, True), (1.0, 0.5, True), (1.0, 1.1, False), (0.0, 2.1, False), (2.1, 0.0, False)],
)
def test_t50_a_second_try_has_as_long_as_the_first_took(
    waited: list[float], again: float, took: float, is_tried: bool
) -> None:
    trouble, deadline = ServerInTrouble("it failed", again), Deadline.after(2)
    if is_tried:
        wait_for_second_try(trouble, deadline, took)
        assert waited == [again]
    else:
        with pytest.raises(FhirFailure, match="it failed, too late for this call"):
            wait_for_second_try(trouble, deadline, took)
        assert waited == []


def test_t51_what_took_all_the_time_is_not_tried_again(waited: list[float]) -> None:
    with pytest.raises(ServerInTrouble, match="did not answer in time"):
        wait_for_second_try(ServerInTrouble("the FHIR server did not answer in time"), Deadline.after(2), took=0)
    assert waited == []


def test_t50_a_connection_that_cannot_be_made_is_not_tried_again(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    tried: list[Any] = []
    connect = socket.socket.connect
    monkeypatch.setattr(socket.socket, "connect", lambda self, address: (tried.append(address), connect(self, address)))
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        assert "cannot be reached" in failure(connections, f"http://127.0.0.1:{unused.getsockname()[1]}/fhir")
    assert len(tried) == 1

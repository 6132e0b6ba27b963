"""Key sets over real sockets: cached, asked for once a minute, used on while their address is away (T20 to T22)."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.clients.key_sets import (
    APART_SECONDS,
    FRESH_SECONDS,
    MAXIMUM_BYTES,
    READ_SECONDS,
    USABLE_SECONDS,
    KeySet,
)
from cds_service.clients.tokens import LONGEST_TOKEN
from cds_service.clients.trusted import TrustedClient
from cds_service.errors import Unavailable
from cds_service.fhir.client import Connections, read_document
from tests.callers import DISCOVERY, ISSUER, PUBLIC, SERVICE, bearer, key, public, token, trusted
from tests.hostile import Hostile, hostile, whole
from tests.server import SECONDS, service_process

KID, ALG = "hospital-ES384", "ES384"


@dataclass
class Publisher:
    """The address of a client's keys: what it answers now, and a clock that only the test moves."""

    server: Hostile | None = None
    body: bytes = field(default_factory=lambda: json.dumps(public(key())).encode())
    raw: bytes | None = None
    hold: Callable[[], object] = bool
    now: float = 1000.0

    def answer(self, connection: socket.socket, _: bytes) -> None:
        self.hold()
        connection.sendall(whole(self.body, {"Content-Type": "application/json"}) if self.raw is None else self.raw)

    @property
    def url(self) -> str:
        assert self.server is not None
        return self.server.base

    @property
    def asked(self) -> int:
        assert self.server is not None
        return len(self.server.heads)


@contextmanager
def publishing() -> Iterator[Publisher]:
    publisher = Publisher()
    with hostile(publisher.answer) as server:
        publisher.server = server
        yield publisher


@pytest.fixture
def publisher() -> Iterator[Publisher]:
    with publishing() as running:
        yield running


@pytest.fixture
def connections() -> Iterator[Connections]:
    opened = Connections()
    yield opened
    opened.close()


@pytest.fixture
def keys(publisher: Publisher, connections: Connections) -> KeySet:
    return key_set(publisher, connections)


def key_set(publisher: Publisher, connections: Connections, seconds: float = READ_SECONDS, **members: Any) -> KeySet:
    """The keys of a client that publishes them, read as the service reads them."""

    def read(client: TrustedClient) -> bytes:
        return read_document(str(client.jku), client.jku_networks, connections, seconds, MAXIMUM_BYTES)

    client = trusted(**{"keys": {}, "jku": publisher.url} | members)
    return KeySet(client, read, lambda: publisher.now)


def settled() -> None:
    """Wait for readings that go on beside the calls."""
    for thread in threading.enumerate():
        if "_refresh" in thread.name:
            thread.join(SECONDS)


def test_t22_keys_are_read_once_and_then_known(publisher: Publisher, keys: KeySet) -> None:
    assert publisher.asked == 0
    assert [keys.find(KID, ALG) is not None for _ in range(5)] == [True] * 5
    assert publisher.asked == 1


def test_t20_nothing_but_the_pinned_address_is_asked(publisher: Publisher, keys: KeySet) -> None:
    keys.find(KID, ALG)
    assert publisher.server is not None
    [head] = publisher.server.heads
    assert head.startswith(b"GET /fhir HTTP/1.1\r\n")
    assert b"authorization" not in head.lower()


def test_t22_a_flood_of_unknown_kids_costs_one_reading_a_minute(publisher: Publisher, keys: KeySet) -> None:
    keys.find(KID, ALG)
    for n in range(200):
        assert keys.find(f"unknown-{n}", ALG) is None
    assert publisher.asked == 1
    for later, asked in ((APART_SECONDS - 0.1, 1), (APART_SECONDS, 2), (APART_SECONDS + 0.1, 2)):
        publisher.now = 1000.0 + later
        for n in range(50):
            assert keys.find(f"unknown-{n}", ALG) is None
        assert publisher.asked == asked


def test_t22_a_flood_at_once_costs_one_reading(publisher: Publisher, keys: KeySet) -> None:
    with ThreadPoolExecutor(16) as pool:
        found = list(pool.map(lambda n: keys.find(KID if n % 2 else f"unknown-{n}", ALG), range(64)))
    assert [one is not None for one in found] == [bool(n % 2) for n in range(64)]
    assert publisher.asked == 1


def test_t22_a_new_key_is_found_when_a_token_names_it_and_the_old_one_goes(publisher: Publisher, keys: KeySet) -> None:
    assert keys.find(KID, ALG) is not None
    publisher.body = json.dumps(public(key("ES384", "new"))).encode()
    publisher.now += APART_SECONDS
    assert keys.find("new-ES384", ALG) is not None
    assert keys.find(KID, ALG) is None


@pytest.mark.parametrize(("age", "asked"), [(FRESH_SECONDS - 1, 1), (FRESH_SECONDS, 2), (FRESH_SECONDS + 1, 2)])
def test_t22_a_key_that_was_taken_back_does_not_live_on(
    publisher: Publisher, keys: KeySet, age: float, asked: int
) -> None:
    """The keys are read again beside a call, which goes on with those that are known."""
    keys.find(KID, ALG)
    publisher.body = json.dumps(public(key("ES384", "new"))).encode()
    publisher.now += age
    assert keys.find(KID, ALG) is not None
    settled()
    assert publisher.asked == asked
    assert (keys.find(KID, ALG) is None) is (asked == 2)


GARBAGE: dict[str, bytes] = {
    "no JSON": whole(b"<html>Welcome</html>"),
    "an error": whole(b"{}", status="500 Internal Server Error"),
    "not there": whole(b"{}", status="404 Not Found"),
    "a redirect": whole(b"", {"Location": "http://127.0.0.1:9/keys"}, "302 Found"),
    "no key set": whole(b'{"key": []}'),
    "an empty key set": whole(b'{"keys": []}'),
    "keys that are none": whole(b'{"keys": [1, null, {"kty": ["EC"]}, {"kid": "x", "kty": "EC", "crv": {}}]}'),
    "symmetric keys": whole(b'{"keys": [{"kid": "hospital-ES384", "kty": "oct", "k": "c2VjcmV0"}]}'),
    "too large": whole(b'{"keys": [' + b" " * MAXIMUM_BYTES + b"]}"),
    "deep": whole(b"[" * 50_000),
    "broken off": b'HTTP/1.1 200 OK\r\nContent-Length: 500\r\n\r\n{"keys":',
    "no HTTP": b"SSH-2.0-OpenSSH_9.9\r\n",
}


@pytest.mark.parametrize("name", GARBAGE)
def test_t22_garbage_changes_nothing_while_keys_are_known_and_is_503_without(
    publisher: Publisher, connections: Connections, name: str
) -> None:
    known, unknown = key_set(publisher, connections), key_set(publisher, connections)
    known.find(KID, ALG)
    publisher.raw = GARBAGE[name]
    publisher.now += APART_SECONDS
    assert known.find("another", ALG) is None
    assert known.find(KID, ALG) is not None
    with pytest.raises(Unavailable):
        unknown.find(KID, ALG)
    asked = publisher.asked
    with pytest.raises(Unavailable):
        unknown.find(KID, ALG)
    assert publisher.asked == asked
    publisher.raw = None
    publisher.now += APART_SECONDS
    assert unknown.find(KID, ALG) is not None


@pytest.mark.parametrize(("age", "usable"), [(-1, True), (0, False), (1, False)])
def test_t22_keys_are_used_for_a_day_while_their_address_is_away(
    publisher: Publisher, keys: KeySet, age: float, usable: bool
) -> None:
    keys.find(KID, ALG)
    assert publisher.server is not None
    publisher.server.close()
    publisher.now += USABLE_SECONDS + age
    if usable:
        assert keys.find(KID, ALG) is not None
        settled()
        assert keys.find(KID, ALG) is not None
    else:
        with pytest.raises(Unavailable):
            keys.find(KID, ALG)


def test_t22_an_address_that_does_not_answer_is_given_up(publisher: Publisher, connections: Connections) -> None:
    released = threading.Event()
    publisher.hold = lambda: released.wait(SECONDS)
    keys = key_set(publisher, connections, seconds=0.3)
    try:
        with pytest.raises(Unavailable):
            keys.find(KID, ALG)
    finally:
        released.set()


def test_t22_a_slow_address_does_not_delay_calls_whose_key_is_known(
    publisher: Publisher, connections: Connections
) -> None:
    keys = key_set(publisher, connections)
    keys.find(KID, ALG)
    released, held = threading.Event(), threading.Event()
    publisher.hold = lambda: (held.set(), released.wait(SECONDS))
    publisher.now += FRESH_SECONDS
    try:
        for _ in range(50):
            assert keys.find(KID, ALG) is not None
        assert held.wait(SECONDS)
        assert not released.is_set()
    finally:
        released.set()
        settled()
    assert publisher.asked == 2


def test_t20_a_client_s_own_keys_need_no_address(publisher: Publisher, connections: Connections) -> None:
    own = trusted().keys
    keys = key_set(publisher, connections, keys=own)
    assert keys.find(KID, ALG) is own[KID, ALG]
    assert publisher.asked == 0
    assert keys.find("unknown", ALG) is None
    assert publisher.asked == 1


def test_t22_the_service_reads_keys_where_they_are_published_and_says_503_without_them(tmp_path: Path) -> None:
    """Over the production server: the host of the keys is away at first, and another client is not touched by that."""
    with publishing() as away:
        closed = away.url
    with publishing() as publisher:
        text = "".join(
            f'[[client]]\nid = "{name}"\nissuer = "{issuer}"\njku = "{jku}"\n'
            for name, issuer, jku in (("hospital", ISSUER, publisher.url), ("away", "https://away.example", closed))
        )
        (tmp_path / "clients.toml").write_text(text)
        settings = {"CRS_CDS_PUBLIC_URL": PUBLIC, "CRS_CDS_TRUSTED_CLIENTS": str(tmp_path / "clients.toml")}
        with service_process(tmp_path / "log", "", CRS_CDS_AUTH="required", **settings) as service:

            def discover(made: str) -> requests.Response:
                return requests.get(service.base + DISCOVERY, headers=bearer(made), timeout=SECONDS)

            unavailable = discover(token(DISCOVERY, iss="https://away.example"))
            assert (unavailable.status_code, unavailable.headers["Retry-After"]) == (503, "5")
            assert "https://away.example" not in unavailable.text
            assert [discover(token(DISCOVERY)).status_code for _ in range(3)] == [200] * 3
            assert discover(token(DISCOVERY, by=key("RS384"))).status_code == 401
            longest = token(DISCOVERY, sub="s" * 5680)
            assert 7900 < len(longest) <= LONGEST_TOKEN
            assert discover(longest).status_code == 200
            assert publisher.asked == 1


def test_t13_t24_a_caller_without_a_token_is_refused_before_its_body_is_read(tmp_path: Path) -> None:
    (tmp_path / "clients.toml").write_text(
        f'[[client]]\nid = "x"\nissuer = "{ISSUER}"\njku = "https://ehr.example/k"\n'
    )
    settings = {"CRS_CDS_PUBLIC_URL": PUBLIC, "CRS_CDS_TRUSTED_CLIENTS": str(tmp_path / "clients.toml")}
    with service_process(tmp_path / "log", "", CRS_CDS_AUTH="required", **settings) as service:
        host, _, port = service.base.removeprefix("http://").partition(":")
        with socket.create_connection((host, int(port)), timeout=SECONDS) as connection:
            kind = "Content-Type: application/json\r\nContent-Length: 1000000"
            connection.sendall(f"POST {SERVICE} HTTP/1.1\r\nHost: x\r\n{kind}\r\n\r\n".encode())
            assert connection.recv(12) == b"HTTP/1.1 401"

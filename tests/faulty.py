"""A FHIR server that holds the stories and goes wrong as it is told: in any way, for any need, in each call another.

Each call has a base of its own below the server's, with a plan: what goes wrong, by the key of the need. So no call
learns from another's failures, as each base has a breaker of its own, and many calls run at once.
"""

import gzip
import json
import socket
import struct
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field
from functools import cache
from typing import Any
from urllib.parse import unquote

import requests

from cds_service.fhir.needs import Need
from tests.hostile import Hostile, hostile, whole
from tests.server import SECONDS

Plan = Mapping[str, str]
Json = dict[str, Any]
OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}


@dataclass(frozen=True)
class Query:
    """One request: the connection to answer on, its URL, the right answer, and a server that must never be asked."""

    connection: socket.socket
    url: str
    right: bytes
    canary: str

    def send(self, answer: bytes) -> None:
        self.connection.sendall(answer)

    def end(self, answer: bytes) -> None:
        """Send it as the last thing."""
        self.connection.sendall(answer)
        self.connection.close()

    def bundle(self, **members: Any) -> bytes:
        """The right answer with these members, as a whole answer."""
        return whole(json.dumps(json.loads(self.right) | members).encode())

    def linked(self, url: str) -> bytes:
        """The right answer as the first of several pages."""
        return self.bundle(link=[{"relation": "next", "url": url}])


def _refused(status: int, **headers: str) -> Callable[[Query], None]:
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return lambda query: query.send(whole(json.dumps(OUTCOME).encode(), named, f"{status} No"))


def _drip(query: Query, before: bytes) -> None:
    query.send(before)
    while True:
        query.send(b"x")
        time.sleep(0.05)


def _reset(query: Query) -> None:
    query.send(whole(query.right)[: -len(query.right) // 2])
    query.connection.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    query.connection.close()


def _chunks(query: Query) -> None:
    half = query.right[: len(query.right) // 2]
    query.end(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n%x\r\n%s\r\n" % (len(half), half))


@cache
def _bomb() -> bytes:
    return whole(gzip.compress(b" " * 200_000_000), {"Content-Encoding": "gzip"})


def _flood(query: Query) -> None:
    query.send(b"HTTP/1.1 200 OK\r\nContent-Length: 50000000\r\n\r\n")
    for _ in range(500):
        query.send(b" " * 100_000)


def _wrong_type(query: Query) -> None:
    right = json.loads(query.right)
    if right["resourceType"] != "Bundle":
        query.send(whole(b'{"resourceType": "Basic", "id": "1"}'))
    else:
        query.send(query.bundle(entry=[{"resource": {"resourceType": "Basic", "id": "1"}}]))


def _endless(query: Query) -> None:
    base, _, number = query.url.partition("&page=")
    query.send(query.linked(f"{base}&page={int(number or 1) + 1}"))


def _half(query: Query) -> None:
    if "&page=" in query.url:
        _refused(500)(query)
    else:
        entries = json.loads(query.right).get("entry", [])
        link = [{"relation": "next", "url": f"{query.url}&page=2"}]
        query.send(query.bundle(entry=entries[: len(entries) // 2], link=link))


MODES: dict[str, Callable[[Query], None]] = {
    **{str(status): _refused(status) for status in (401, 403, 404, 410, 429, 500, 502, 503)},
    **{f"429 {wait}": _refused(429, Retry_After=wait) for wait in ("0", "1", "3600")},
    "OperationOutcome": lambda query: query.send(whole(json.dumps(OUTCOME).encode())),
    "HTML": lambda query: query.send(whole(b"<html><form>Log in</form></html>", {"Content-Type": "text/html"})),
    "wrong type": _wrong_type,
    "empty": lambda query: query.send(whole(b"")),
    "null": lambda query: query.send(whole(b"null")),
    "silence": lambda query: query.connection.recv(1) and None,
    "drip of headers": lambda query: _drip(query, b"HTTP/1.1 200 OK\r\nX-Long: "),
    "drip of a body": lambda query: _drip(query, b'HTTP/1.1 200 OK\r\nContent-Length: 99999\r\n\r\n{"a": "'),
    "dropped": lambda query: query.connection.close(),
    "reset": _reset,
    "cut": lambda query: query.end(whole(query.right)[: -len(query.right) // 2]),
    "short length": lambda query: query.send(whole(query.right, {"Content-Length": str(len(query.right) // 2)})),
    "no last chunk": _chunks,
    "bomb": lambda query: query.send(_bomb()),
    "flood": _flood,
    "no UTF-8": lambda query: query.send(whole(query.right.replace(b'"', b'"\xff', 1))),
    "another patient": lambda query: query.send(whole(query.right.replace(b"-patient", b"-somebody"))),
    "redirect": lambda query: query.send(whole(b"", {"Location": query.canary}, "307 Away")),
}
"""What goes wrong with any query."""
PAGED: dict[str, Callable[[Query], None]] = {
    "page loop": lambda query: query.send(query.linked(query.url)),
    "endless pages": _endless,
    "next elsewhere": lambda query: query.send(query.linked(query.canary)),
    "half, then 500": _half,
}
"""What goes wrong with a search."""


@dataclass
class Faulty:
    """The running server. `plans` and the needs that it `damaged` are by the number of the call."""

    needs: tuple[Need, ...]
    truth: str
    canary: str
    base: str = ""
    plans: dict[int, Plan] = field(default_factory=dict)
    damaged: dict[int, set[str]] = field(default_factory=dict)
    _right: dict[str, bytes] = field(default_factory=dict)

    def planned(self, number: int, plan: Plan) -> str:
        """The base of the call of that number, for which this goes wrong."""
        self.plans[number] = plan
        return f"{self.base}/{number}"

    def answer(self, connection: socket.socket, head: bytes) -> None:
        """Answer one request as its call's plan says."""
        target = head.split(b" ", 2)[1].decode()
        number, _, path = target.removeprefix("/fhir/").partition("/")
        query = Query(connection, f"{self.base}/{number}/{path}", self._answer(path, int(number)), self.canary)
        key = self._need(unquote(path))
        mode = self.plans[int(number)].get(key)
        if mode is None or (mode == "another patient" and b'"resource":' not in query.right):
            query.send(whole(query.right))
        else:
            self.damaged.setdefault(int(number), set()).add(key)
            (MODES | PAGED)[mode](query)

    def _need(self, path: str) -> str:
        path = path.partition("&page=")[0]
        patient = path.partition("patient=")[2].partition("&")[0] or path.partition("/")[2]
        return next((need.key for need in self.needs if unquote(need.path(patient)) == path), "")

    def _answer(self, path: str, number: int) -> bytes:
        """What the FHIR server of the stories says, as if it stood at this call's base."""
        path = path.partition("&page=")[0]
        if path not in self._right:
            self._right[path] = requests.get(f"{self.truth}/{path}", timeout=SECONDS).content
        return self._right[path].replace(self.truth.encode(), f"{self.base}/{number}".encode())


@contextmanager
def faulty(needs: tuple[Need, ...], truth: str) -> Iterator[tuple[Faulty, Hostile]]:
    """Such a server over the FHIR server `truth`, and the canary that it lures to."""
    with hostile(lambda connection, head: connection.sendall(whole(b"{}"))) as canary:
        server = Faulty(needs, truth, f"{canary.base}/Patient")
        with hostile(server.answer) as listening:
            server.base = listening.base
            yield server, canary

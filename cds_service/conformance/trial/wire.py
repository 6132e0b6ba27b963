"""Requests of a test: each bounded in time and size, without redirects or cookies, all within one minute."""

import json
import time
from collections.abc import Callable, Iterable, Mapping
from contextlib import AbstractContextManager
from dataclasses import dataclass
from typing import Any

import requests
import urllib3

Within = Callable[[float], AbstractContextManager[None]]
"""A context in which nothing that this thread receives is read for longer than so many seconds."""

REQUEST_SECONDS = 5.0
CONNECT_SECONDS = 3.0
ALL_SECONDS = 50.0
MAXIMUM_BYTES = 5_000_000
CHUNK = 65_536
DEEPEST, LONGEST_TEXT, MOST_VALUES = 64, 20_000, 50_000
"""What is judged of an answer: levels of nesting, characters of one text, values in all."""


class Unanswered(Exception):
    """A request without a usable answer; the message says why in plain words."""


class Unreachable(Unanswered):
    """Nothing could be connected to."""


class OutOfTime(Unanswered):
    """The minute of the test is over; nothing more is asked."""


@dataclass(frozen=True, slots=True)
class Reply:
    """An answer of any status, its body in whole."""

    status: int
    headers: Mapping[str, str]
    body: bytes
    seconds: float

    @property
    def kind(self) -> str:
        """The media type, in lower case and without parameters."""
        return self.headers.get("Content-Type", "").partition(";")[0].strip().lower()

    def json(self) -> Any:
        """The body as JSON. Raises Unanswered when it is none, or is larger than what is judged."""
        try:
            value = json.loads(self.body)
        except (ValueError, RecursionError) as error:
            raise Unanswered(f"the body is not JSON ({self.kind or 'without a Content-Type'})") from error
        _bounded(value)
        return value


@dataclass(frozen=True)
class Wire:
    """Sends requests until the time of the test is over."""

    session: requests.Session
    within: Within
    end: float

    @classmethod
    def open(cls, session: requests.Session, within: Within) -> "Wire":
        """A wire whose time begins now."""
        return cls(session, within, time.monotonic() + ALL_SECONDS)

    def get(self, url: str, headers: Mapping[str, str] = {}) -> Reply:
        """Raises Unanswered."""
        return self.ask("GET", url, None, {"Accept": "application/json", **headers})

    def post(self, url: str, body: Any, headers: Mapping[str, str] = {}) -> Reply:
        """Send a value as JSON, bytes as they are. Raises Unanswered."""
        sent = body if isinstance(body, bytes) else json.dumps(body).encode()
        return self.ask("POST", url, sent, {"Content-Type": "application/json", **headers})

    def ask(self, method: str, url: str, body: bytes | None, headers: Mapping[str, str]) -> Reply:
        """Any request. Raises Unanswered."""
        started = time.monotonic()
        left = min(REQUEST_SECONDS, self.end - started)
        if left <= 0:
            raise OutOfTime(f"the test ends after {ALL_SECONDS:.0f} s")
        try:
            with self.within(left):
                return self._ask(method, url, body, headers, started, left)
        except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
            raise Unanswered(f"no whole answer within {left:.1f} s") from error
        except requests.exceptions.SSLError as error:
            raise Unreachable("the server has no certificate that is trusted") from error
        except requests.ConnectionError as error:
            if isinstance(error.args[0] if error.args else None, urllib3.exceptions.ProtocolError):
                raise Unanswered("the connection was closed without an answer") from error
            raise Unreachable("the server cannot be reached") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise Unanswered("the answer broke off or is not HTTP") from error

    def _ask(
        self, method: str, url: str, body: bytes | None, headers: Mapping[str, str], started: float, left: float
    ) -> Reply:
        sent = {"Accept-Encoding": "identity", **headers}
        timeout = (min(CONNECT_SECONDS, left), left)
        with self.session.request(
            method, url, data=body, headers=sent, timeout=timeout, allow_redirects=False, stream=True
        ) as response:
            received = _received(response, started + left)
            return Reply(response.status_code, response.headers, received, time.monotonic() - started)


def _received(response: requests.Response, end: float) -> bytes:
    received = bytearray()
    while chunk := response.raw.read1(CHUNK, decode_content=True):
        received += chunk
        if len(received) > MAXIMUM_BYTES:
            raise Unanswered(f"the answer is larger than {MAXIMUM_BYTES:,} bytes, which is what this test reads")
        if time.monotonic() > end:
            raise TimeoutError
    return bytes(received)


def _bounded(value: Any) -> None:
    """Raises Unanswered for what would take long to judge."""
    level, values = [value], 0
    for _ in range(DEEPEST):
        for text in (item for item in level if isinstance(item, str)):
            if len(text) > LONGEST_TEXT:
                raise Unanswered(f"the body holds a text of {len(text):,} characters; this test reads {LONGEST_TEXT:,}")
        level = [inner for item in level for inner in _inside(item)]
        values += len(level)
        if values > MOST_VALUES:
            raise Unanswered(f"the body holds more than {MOST_VALUES:,} values, which is what this test reads")
        if not level:
            return
    raise Unanswered(f"the body is nested deeper than {DEEPEST} levels, which is what this test reads")


def _inside(item: Any) -> Iterable[Any]:
    if isinstance(item, dict):
        return [*item, *item.values()]
    return item if isinstance(item, list) else ()

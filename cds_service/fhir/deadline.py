"""One deadline for all queries of a hook call, held at every single read: a server that drips bytes holds nobody (T51).

The time-outs of an HTTP client count from byte to byte, so a drip of headers or of compressed nothing outlasts them.
"""

import http.client
import io
import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass
from socket import socket
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool


class FhirFailure(Exception):
    """A query that gave no usable answer; the message says why, without a URL, an id or a token."""


class ServerInTrouble(FhirFailure):
    """A failure that speaks of the whole server, not of this query.

    `again`: in how many seconds a second try may help, None when it does not.
    """

    def __init__(self, message: str, again: float | None = None) -> None:
        super().__init__(message)
        self.again = again


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point of the monotonic clock by which everything must be done."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, 0 when there are none."""
        return max(0.0, self.at - time.monotonic())

    def remaining(self) -> float:
        """Seconds left. Raises ServerInTrouble when there are none."""
        left = self.left()
        if not left:
            raise ServerInTrouble("the FHIR server did not answer in time")
        return left


_DEADLINE: ContextVar[Deadline | None] = ContextVar("deadline", default=None)


@contextmanager
def ending_by(deadline: Deadline) -> Iterator[None]:
    """Within it, no answer that this thread receives is read past the deadline."""
    token = _DEADLINE.set(deadline)
    try:
        yield
    finally:
        _DEADLINE.reset(token)


class _TimedReads(io.RawIOBase):
    """What comes in on a socket, each read allowed only the time that is left. Raises TimeoutError after that."""

    def __init__(self, sock: socket, deadline: Deadline) -> None:
        self._sock, self._deadline = sock, deadline
        self._reads = sock.makefile("rb", buffering=0)

    def readable(self) -> bool:
        return True

    def readinto(self, buffer: Any) -> int | None:
        left = self._deadline.left()
        if not left:
            raise TimeoutError("timed out")
        self._sock.settimeout(left)
        return self._reads.readinto(buffer)

    def close(self) -> None:
        self._reads.close()
        super().close()


class _TimedAnswer(http.client.HTTPResponse):
    def __init__(self, sock: socket, *options: Any, **named: Any) -> None:
        super().__init__(sock, *options, **named)
        deadline = _DEADLINE.get()
        if deadline is not None:
            untimed, self.fp = self.fp, io.BufferedReader(_TimedReads(sock, deadline), 65_536)
            untimed.close()


class _TimedHttp(HTTPConnection):
    response_class = _TimedAnswer


class _TimedHttps(HTTPSConnection):
    response_class = _TimedAnswer


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _TimedHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHttps


POOLS: dict[str, Any] = {"http": _HttpPool, "https": _HttpsPool}
"""Pools of such connections, by scheme."""

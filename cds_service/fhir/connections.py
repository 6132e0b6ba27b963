"""Connections to FHIR servers that keep to a deadline, and go to an address only after it was checked (T04, T51).

The time-outs of an HTTP client count from byte to byte, so a drip of headers or of compressed nothing outlasts them.
An HTTP client resolves a name when it connects: what was checked before may be another address by then.
"""

import http.client
import io
import math
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import partial
from http.client import HTTPException
from ssl import SSLError
from typing import Any

from urllib3.connection import HTTPConnection, HTTPSConnection
from urllib3.connectionpool import HTTPConnectionPool, HTTPSConnectionPool
from urllib3.exceptions import HTTPError, NewConnectionError, ProtocolError
from urllib3.exceptions import SSLError as UntrustedError
from urllib3.util.connection import create_connection

from cds_service.fhir.addresses import Networks, permitted
from cds_service.fhir.deadline import DEADLINE, Deadline, FhirFailure

IDLE_SECONDS = 30.0
"""A connection that rested longer is not used again: firewalls forget it, and what is sent on it is never answered."""

_ONLY_NEW: ContextVar[bool] = ContextVar("only_new", default=False)


@contextmanager
def only_new(only: bool) -> Iterator[None]:
    """Within it, if so wanted, this thread sends on connections that are made for it, not on kept ones."""
    token = _ONLY_NEW.set(only)
    try:
        yield
    finally:
        _ONLY_NEW.reset(token)


class _TimedReads(io.RawIOBase):
    """What comes in on a socket, each read allowed only the time that is left. Raises TimeoutError after that."""

    def __init__(self, sock: socket.socket, reads: io.RawIOBase, deadline: Deadline) -> None:
        self._sock, self._reads, self._deadline = sock, reads, deadline

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
    def __init__(self, sock: socket.socket, *options: Any, **named: Any) -> None:
        super().__init__(sock, *options, **named)
        deadline = DEADLINE.get()
        if deadline is not None:
            self.fp = io.BufferedReader(_TimedReads(sock, self.fp.detach(), deadline), 65_536)


class _TimedHttp(HTTPConnection):
    response_class = _TimedAnswer


class _TimedHttps(HTTPSConnection):
    response_class = _TimedAnswer


class _CheckedHttp(_TimedHttp):
    """A connection that is made to an address within these ranges, under the host's name for TLS and the Host header.

    The name is resolved once and every address must be permitted, or nothing is sent (T02, T03, T04).
    """

    def __init__(self, *options: Any, networks: Networks, **named: Any) -> None:
        super().__init__(*options, **named)
        self._networks = networks
        self._used = 0.0

    def request(self, *options: Any, **named: Any) -> None:
        """Send a request."""
        self._used = time.monotonic()
        super().request(*options, **named)

    @property
    def is_connected(self) -> bool:
        """Whether the pool may use it again."""
        rested = time.monotonic() - self._used
        return super().is_connected and rested < IDLE_SECONDS and not _ONLY_NEW.get()

    def _new_conn(self) -> socket.socket:
        try:
            resolved = socket.getaddrinfo(self._dns_host, self.port, type=socket.SOCK_STREAM)
        except (OSError, UnicodeError) as error:
            raise NewConnectionError(self, "the name of the server cannot be resolved") from error
        found = dict.fromkeys(str(address[0]) for *_, address in resolved)
        if not all(permitted(address, self.host, self._networks) for address in found):
            said = "the FHIR server's name leads to an address where it may not be, nothing was sent"
            raise FhirFailure(said, kind="address")
        for address in found:
            with suppress(OSError):
                return create_connection((address, self.port), self._seconds(), socket_options=self.socket_options)
        raise NewConnectionError(self, "no address of the server answers")

    def _seconds(self) -> float | None:
        """Time for one address."""
        deadline = DEADLINE.get()
        return self.timeout if deadline is None else min(self.timeout or math.inf, deadline.remaining())


class _CheckedHttps(_CheckedHttp, _TimedHttps):
    pass


class _HttpPool(HTTPConnectionPool):
    ConnectionCls = _TimedHttp


class _HttpsPool(HTTPSConnectionPool):
    ConnectionCls = _TimedHttps


class _CheckedHttpPool(HTTPConnectionPool):
    """Sends a request once, to the URL as it is written: to encode it here too would cost as much as to send it."""

    ConnectionCls = _CheckedHttp

    def urlopen(self, method: str, url: str, *options: Any, **named: Any) -> Any:
        """The answer, its body not yet read. Raises what the library does: its count of tries, none left, says what."""
        connection, answer, retries = self._get_conn(), None, named["retries"]
        try:
            how = {name: named[name] for name in ("body", "headers", "timeout", "preload_content", "decode_content")}
            answer = self._make_request(connection, method, url, response_conn=connection, **how)
            return answer
        except SSLError as error:
            retries.increment(method, url, error=UntrustedError(error), _pool=self)
        except (OSError, HTTPException) as error:
            retries.increment(method, url, error=ProtocolError("Connection aborted.", error), _pool=self)
        except HTTPError as error:
            retries.increment(method, url, error=error, _pool=self)
        finally:
            if answer is None:
                connection.close()
                self._put_conn(None)


class _CheckedHttpsPool(_CheckedHttpPool, HTTPSConnectionPool):
    ConnectionCls = _CheckedHttps


POOLS: dict[str, Any] = {"http": _HttpPool, "https": _HttpsPool}
"""Pools of connections to anywhere, by scheme."""


def checked(networks: Networks) -> dict[str, Any]:
    """Pools of connections to these address ranges alone, by scheme; `()` stands for the default ones."""
    return {
        "http": partial(_CheckedHttpPool, networks=networks),
        "https": partial(_CheckedHttpsPool, networks=networks),
    }

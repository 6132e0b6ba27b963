"""The FHIR client: reads pages from an EHR's server that is on the allow-list, and nothing else, within a deadline.

The token goes to the one base URL it came with: no redirects, no environment proxies, no cookies, no links elsewhere.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import lru_cache
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from threading import Lock
from typing import Any
from urllib.parse import urlencode

import requests
import urllib3
from pydantic import SecretStr
from requests.adapters import HTTPAdapter

from cds_service.errors import InvalidRequest, InvalidSettings
from cds_service.fhir.addresses import Networks, as_it_is_sent, fhir_server, own_link
from cds_service.fhir.breaker import Breaker
from cds_service.fhir.connections import POOLS, checked, only_new
from cds_service.fhir.deadline import Deadline, FhirFailure, ServerInTrouble, ending_by, late
from cds_service.fhir.elements import Json, objects
from cds_service.fhir.second_try import failure_of, wait_for_second_try
from cds_service.fhir.strict_json import parse
from cds_service.fhir.watch import Watch

MAXIMUM_PAGES = 20
MAXIMUM_BYTES = 5_000_000
"""Of all pages of one query together, decompressed."""
CHUNK = 65_536
CONNECT_SECONDS = 2.0
POOL_SIZE = 512
"""Connections kept for each server: all needs of as many hook calls as may wait for it at once."""
SERVERS = 64


@dataclass(frozen=True, slots=True)
class Page:
    """One searchset page, or a single resource; `more` is the link to the next page, None on the last."""

    body: Json
    more: str | None


class _Adapter(HTTPAdapter):
    """Pooled connections of these kinds, by scheme."""

    def __init__(self, pools: Mapping[str, Any]) -> None:
        self._pools = dict(pools)
        super().__init__(pool_connections=SERVERS, pool_maxsize=POOL_SIZE, max_retries=0)

    def init_poolmanager(self, *options: Any, **named: Any) -> None:
        super().init_poolmanager(*options, **named)
        self.poolmanager.pool_classes_by_scheme = self._pools


def new_session() -> requests.Session:
    """A session of the command line, for the servers that its user names: it takes nothing from the environment."""
    session = requests.Session()
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _Adapter(POOLS)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


class _Straight(_Adapter):
    """Pooled connections to these address ranges: a server's pool is looked for once, and no response has cookies."""

    def __init__(self, networks: Networks) -> None:
        super().__init__(checked(networks))
        self._pool_of = lru_cache(SERVERS)(self._new_pool)

    def get_connection_with_tls_context(self, request: Any, verify: Any, *_: Any, **named: Any) -> Any:
        """The pool of the server of that request."""
        url = str(request.url)
        return self._pool_of(url[: url.index("/", len("https://"))], verify)

    def _new_pool(self, server: str, verify: bool | str) -> Any:
        return super().get_connection_with_tls_context(requests.Request("GET", server).prepare(), verify)

    def request_url(self, request: Any, proxies: Any) -> str:
        """What the server is asked for; never in the form for a proxy."""
        return str(request.path_url)

    def build_response(self, request: Any, resp: Any) -> requests.Response:
        """What was received, without the cookies."""
        response = requests.Response()
        response.status_code, response.headers, response.raw = resp.status, resp.headers, resp
        response.request = request
        return response

    def close(self) -> None:
        """Let go of all connections."""
        self._pool_of.cache_clear()
        super().close()


@dataclass(frozen=True, slots=True)
class _Request:
    """A GET, or a POST of a body, to a server in these address ranges.

    A `fresh` one is sent on a connection that is made for it.
    """

    url: str
    headers: Mapping[str, str] = field(repr=False)
    networks: Networks
    fresh: bool = False
    body: bytes | None = field(default=None, repr=False)


class Connections:
    """Pooled connections to checked addresses, for all threads; servers of other address ranges have other pools.

    They are used without a session, which would look for redirects, cookies, proxies and .netrc (T05, T09).
    """

    def __init__(self, ca_bundle: Path | None = None) -> None:
        self._verify = True if ca_bundle is None else str(ca_bundle)
        self._lock = Lock()
        self._adapters: dict[Networks, _Straight] = {}

    def send(self, request: _Request, seconds: float) -> requests.Response:
        """The answer to a request, its body not yet read. Raises what requests and urllib3 do."""
        networks = request.networks
        with self._lock:
            adapter = self._adapters.get(networks) or self._adapters.setdefault(networks, _Straight(networks))
        timeout = (min(CONNECT_SECONDS, seconds), seconds)
        with only_new(request.fresh):
            return adapter.send(_prepared(request), stream=True, timeout=timeout, verify=self._verify)

    def close(self) -> None:
        """Let go of all connections."""
        for adapter in self._adapters.values():
            adapter.close()


def _prepared(request: _Request) -> requests.PreparedRequest:
    """A request as it is sent; a URL that is written so is not encoded again, which costs more than the rest."""
    headers = {**request.headers, "Accept-Encoding": "gzip", "User-Agent": "crs-cds"}
    if request.body is not None or not as_it_is_sent(request.url):
        method = "GET" if request.body is None else "POST"
        return requests.Request(method, request.url, headers, data=request.body).prepare()
    prepared = requests.PreparedRequest()
    prepared.method, prepared.url = "GET", request.url
    prepared.prepare_headers(headers)
    return prepared


def read_document(url: str, networks: Networks, connections: Connections, seconds: float, maximum_bytes: int) -> bytes:
    """What a URL of the settings answers, such as a key set: without a token, at most so many bytes, in that time.

    Raises FhirFailure, also for a URL that is not plain, or that is plain HTTP to another machine (T06, T07).
    """
    request = _Request(_plain(url), {"Accept": "application/json"}, networks, fresh=True)
    return _received(request, connections, Deadline.after(seconds), maximum_bytes)


def send_form(
    url: str,
    networks: Networks,
    form: Mapping[str, str],
    headers: Mapping[str, str],
    connections: Connections,
    seconds: float,
    maximum_bytes: int,
) -> bytes:
    """What a URL answers to a form, such as a request for a token: within the same limits, and never sent twice.

    Raises FhirFailure as `read_document` does.
    """
    headers = {**headers, "Accept": "application/json", "Content-Type": "application/x-www-form-urlencoded"}
    request = _Request(_plain(url), headers, networks, fresh=True, body=urlencode(form).encode())
    return _received(request, connections, Deadline.after(seconds), maximum_bytes)


def _plain(url: str) -> str:
    try:
        fhir_server(url)
    except InvalidSettings as error:
        raise FhirFailure("the address is not one that is asked") from error
    return url


@dataclass(frozen=True, slots=True)
class FhirClient:
    """Reads from one FHIR server for one hook call."""

    base: str
    token: SecretStr | None
    connections: Connections = field(repr=False)
    deadline: Deadline
    breaker: Breaker = field(default_factory=Breaker, repr=False)
    networks: Networks = ()
    watch: Watch = field(default_factory=Watch, repr=False)

    def pages(self, path: str) -> Iterator[Page]:
        """The pages of a search, or the one answer of a read. `path` is relative to the base.

        Raises FhirFailure for whatever is not a usable answer, also in the middle of the pages.
        """
        yield from self._follow(f"{self.base.rstrip('/')}/{path}")

    def following(self, link: str) -> Iterator[Page]:
        """The pages from a `next` link on. Raises FhirFailure for a link that leads away from the server (T10)."""
        yield from self._follow(self._own(link))

    def _follow(self, url: str) -> Iterator[Page]:
        seen: set[str] = set()
        room = MAXIMUM_BYTES
        while True:
            seen.add(url)
            received = self._get(url, room)
            room -= len(received)
            body = _resource(received)
            link = next_link(body)
            yield Page(body, link)
            if link is None:
                return
            if link in seen:
                raise FhirFailure("the pages lead back to one that was read, the rest was not found", kind="pages")
            if len(seen) >= MAXIMUM_PAGES:
                raise FhirFailure(f"there are more than {MAXIMUM_PAGES} pages, the rest was not read", kind="pages")
            url = self._own(link)

    def _own(self, link: str) -> str:
        if not own_link(link, self.base):
            raise FhirFailure("the next page lies outside the FHIR server's address and was not fetched", kind="pages")
        return link

    def _get(self, url: str, room: int) -> bytes:
        """The body of an answer, asked for a second time where that can help and fits the deadline (T49, T50).

        What is too late is not asked for and says nothing of the server.
        """
        before = self.deadline.remaining()
        with self.watch.asking(self.base, self.breaker), self.breaker.asking(self.deadline):
            try:
                return self._once(url, room)
            except ServerInTrouble as trouble:
                wait_for_second_try(trouble, self.deadline, took=before - self.deadline.left())
            return self._once(url, room, fresh=True)

    def _once(self, url: str, room: int, *, fresh: bool = False) -> bytes:
        """One try.

        HAPI answers a search that it had within the last minute from its memory, without what was charted since.
        """
        headers = {"Accept": "application/fhir+json", "Cache-Control": "no-cache"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token.get_secret_value()}"
        request = _Request(url, headers, self.networks, fresh)
        return _received(request, self.connections, self.deadline, room)


def _received(request: _Request, connections: Connections, deadline: Deadline, room: int) -> bytes:
    """The body of the answer, at most `room` bytes after decompression. Raises FhirFailure (T51, T53)."""
    try:
        with ending_by(deadline), connections.send(request, deadline.remaining()) as response:
            if response.status_code != 200:
                raise failure_of(response.status_code, response.headers)
            return _body(response, deadline, room)
    except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
        raise late() from error
    except requests.exceptions.SSLError as error:
        raise ServerInTrouble("the FHIR server has no certificate that is trusted", kind="certificate") from error
    except (requests.ConnectionError, ConnectionError) as error:
        again = 0.0 if _dropped(error) else None
        raise ServerInTrouble("the FHIR server cannot be reached", again, kind="unreachable") from error
    except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
        raise ServerInTrouble("the FHIR server's answer broke off or cannot be read", kind="broken-off") from error


def _body(response: requests.Response, deadline: Deadline, room: int) -> bytes:
    chunks: list[bytes] = []
    size = 0
    while True:
        deadline.remaining()
        chunk = response.raw.read1(CHUNK, decode_content=True)
        if not chunk:
            return b"".join(chunks)
        size += len(chunk)
        if size > room:
            raise FhirFailure("the FHIR server's answer is too large", kind="too-large")
        chunks.append(chunk)


def _dropped(error: Exception) -> bool:
    """True for a connection that was made and then dropped: it may have been an old one of the pool."""
    return isinstance(error.args[0] if error.args else None, urllib3.exceptions.ProtocolError)


def _resource(received: bytes) -> Json:
    try:
        body = parse(received)
    except InvalidRequest as error:
        raise FhirFailure("the FHIR server's answer is not JSON that can be read", kind="unreadable") from error
    if not isinstance(body, dict):
        raise FhirFailure("the FHIR server's answer is not a FHIR resource", kind="unreadable")
    return body


def next_link(bundle: Any) -> str | None:
    """The URL of the next page of a searchset, None on the last."""
    for link in objects(bundle.get("link") if isinstance(bundle, dict) else None):
        if link.get("relation") == "next" and isinstance(link.get("url"), str):
            return str(link["url"])
    return None

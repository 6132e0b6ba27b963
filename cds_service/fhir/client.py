"""The FHIR client: reads pages from an EHR's server that is on the allow-list, and nothing else, within a deadline.

The token goes to the one base URL it came with: no redirects, no environment proxies, no cookies, no links elsewhere.
"""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from http.cookiejar import DefaultCookiePolicy
from pathlib import Path
from typing import Any
from urllib.parse import SplitResult, unquote, urlsplit

import requests
import urllib3
from requests.adapters import HTTPAdapter

from cds_service.errors import InvalidRequest, InvalidSettings
from cds_service.fhir.deadline import POOLS, Deadline, FhirFailure, ending_by
from cds_service.fhir.elements import Json, objects
from cds_service.fhir.strict_json import parse

MAXIMUM_PAGES = 20
MAXIMUM_BYTES = 5_000_000
"""Of all pages of one query together, decompressed."""
CHUNK = 65_536
CONNECT_SECONDS = 2.0
POOL_SIZE = 256
SERVERS = 64


@dataclass(frozen=True, slots=True)
class Page:
    """One searchset page, or a single resource; `more` is the link to the next page, None on the last."""

    body: Json
    more: str | None


def base_url(url: str) -> str:
    """A FHIR base URL without a trailing slash. Raises InvalidSettings for what cannot be one (T06, T07, T08)."""
    parts = _split(url)
    if parts is None:
        raise InvalidSettings(
            f"{url!r} is not a FHIR base URL: it needs http or https, a host, and no user, query or fragment"
        )
    return _plain(parts)


def _split(url: str) -> SplitResult | None:
    """The parts of a plain URL, None for anything with tricks in it."""
    if any(char in url for char in "?#%") or not _printable(url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or _climbs(parts.path):
        return None
    return parts


def _printable(url: str) -> bool:
    """True for visible ASCII without the two characters on whose meaning URL parsers differ."""
    return all("!" <= char <= "~" and char not in "\\@" for char in url)


def _climbs(path: str) -> bool:
    return any(step in (".", "..") for step in path.split("/"))


def _plain(parts: SplitResult) -> str:
    return f"{parts.scheme}://{_authority(parts)}{parts.path.rstrip('/')}"


def _authority(parts: SplitResult) -> str:
    """Host and port in one spelling; an IPv6 address keeps its brackets."""
    host = parts.hostname or ""
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"[{host}]:{port}" if ":" in host else f"{host}:{port}"


def _below(parts: SplitResult, base: str) -> bool:
    """Same scheme, host and port, and the path of the base or one below it."""
    wanted = _plain(parts)
    return wanted == base or wanted.startswith(base + "/")


def allowed(url: str, allow_list: Sequence[str]) -> bool:
    """True when the server is one of the allowed bases or lies below one: same scheme, host, port, path at a slash."""
    parts = _split(url)
    bases = [_plain(known) for known in map(_split, allow_list) if known is not None]
    return parts is not None and any(_below(parts, base) for base in bases)


class _Adapter(HTTPAdapter):
    """Connections that keep to a deadline."""

    def init_poolmanager(self, *options: Any, **named: Any) -> None:
        super().init_poolmanager(*options, **named)
        self.poolmanager.pool_classes_by_scheme = POOLS


def new_session(ca_bundle: Path | None = None) -> requests.Session:
    """Pooled connections, for all threads; they take nothing from the environment and keep no cookies (T09)."""
    session = requests.Session()
    session.trust_env = False
    session.verify = True if ca_bundle is None else str(ca_bundle)
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    adapter = _Adapter(pool_connections=SERVERS, pool_maxsize=POOL_SIZE, max_retries=0)
    session.mount("http://", adapter)
    session.mount("https://", adapter)
    return session


@dataclass(frozen=True, slots=True)
class FhirClient:
    """Reads from one FHIR server for one hook call. The token is not shown in any representation of it."""

    base: str
    token: str | None = field(repr=False)
    session: requests.Session = field(repr=False)
    deadline: Deadline

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
                raise FhirFailure("the pages lead back to one that was read, the rest was not found")
            if len(seen) >= MAXIMUM_PAGES:
                raise FhirFailure(f"there are more than {MAXIMUM_PAGES} pages, the rest was not read")
            url = self._own(link)

    def _own(self, link: str) -> str:
        """The link to a page, if it lies under the base, also when percent-encoding is undone."""
        try:
            target, home = urlsplit(link), urlsplit(self.base)
            own = _below(target, _plain(home)) and not _climbs(unquote(target.path)) and "\\" not in unquote(link)
        except ValueError:
            own = False
        if not own or not _printable(link):
            raise FhirFailure("the next page lies outside the FHIR server's address and was not fetched")
        return link

    def _get(self, url: str, room: int) -> bytes:
        """The body of an answer. A server that drops the connection before it answers is asked once more (T50)."""
        try:
            with ending_by(self.deadline):
                try:
                    return self._ask(url, room)
                except requests.Timeout:
                    raise
                except requests.ConnectionError:
                    return self._ask(url, room)
        except (requests.Timeout, urllib3.exceptions.TimeoutError, TimeoutError) as error:
            raise FhirFailure("the FHIR server did not answer in time") from error
        except requests.exceptions.SSLError as error:
            raise FhirFailure("the FHIR server has no certificate that is trusted") from error
        except (requests.ConnectionError, ConnectionError) as error:
            raise FhirFailure("the FHIR server cannot be reached") from error
        except (requests.RequestException, urllib3.exceptions.HTTPError, OSError) as error:
            raise FhirFailure("the FHIR server's answer broke off or cannot be read") from error

    def _ask(self, url: str, room: int) -> bytes:
        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "gzip"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        left = self.deadline.remaining()
        timeout = (min(CONNECT_SECONDS, left), left)
        with self.session.get(url, headers=headers, timeout=timeout, allow_redirects=False, stream=True) as response:
            status = response.status_code
            if status in (401, 403):
                raise FhirFailure(f"the FHIR server does not permit it (HTTP {status})")
            if status != 200:
                raise FhirFailure(f"the FHIR server answered HTTP {status}")
            return self._received(response, room)

    def _received(self, response: requests.Response, room: int) -> bytes:
        """The body, at most `room` bytes after decompression, and never past the deadline (T51, T53)."""
        chunks: list[bytes] = []
        size = 0
        while True:
            self.deadline.remaining()
            chunk = response.raw.read1(CHUNK, decode_content=True)
            if not chunk:
                return b"".join(chunks)
            size += len(chunk)
            if size > room:
                raise FhirFailure("the FHIR server's answer is too large")
            chunks.append(chunk)


def _resource(received: bytes) -> Json:
    try:
        body = parse(received)
    except InvalidRequest as error:
        raise FhirFailure("the FHIR server's answer is not JSON that can be read") from error
    if not isinstance(body, dict):
        raise FhirFailure("the FHIR server's answer is not a FHIR resource")
    return body


def next_link(bundle: Any) -> str | None:
    """The URL of the next page of a searchset, None on the last."""
    for link in objects(bundle.get("link") if isinstance(bundle, dict) else None):
        if link.get("relation") == "next" and isinstance(link.get("url"), str):
            return str(link["url"])
    return None

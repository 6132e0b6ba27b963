"""The FHIR client: reads pages from an EHR's server that is on the allow-list, and nothing else, within a deadline.

The token goes to the one base URL it came with: no redirects, no environment proxies, no links to elsewhere.
"""

import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any
from urllib.parse import SplitResult, urlsplit

import requests
from requests.adapters import HTTPAdapter

from cds_service.errors import InvalidRequest, InvalidSettings
from cds_service.fhir.elements import Json, objects
from cds_service.fhir.strict_json import parse

MAXIMUM_PAGES = 20
MAXIMUM_BYTES = 5_000_000
CHUNK = 65_536
CONNECT_SECONDS = 2.0
POOL_SIZE = 64


class FhirFailure(Exception):
    """A query that gave no usable answer; the message says why, without a URL, an id or a token."""


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point of the monotonic clock by which everything must be done."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def remaining(self) -> float:
        """Seconds left. Raises FhirFailure when there are none."""
        left = self.at - time.monotonic()
        if left <= 0:
            raise FhirFailure("the FHIR server did not answer in time")
        return left


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
    if not url.isascii() or any(char in url for char in "\\@?#%\t\r\n ") or any(ord(char) < 33 for char in url):
        return None
    try:
        parts = urlsplit(url)
        port = parts.port
    except ValueError:
        return None
    dotted = any(step in (".", "..") for step in parts.path.split("/"))
    if parts.scheme not in ("http", "https") or not parts.hostname or port == 0 or dotted:
        return None
    return parts


def _plain(parts: SplitResult) -> str:
    return f"{parts.scheme}://{_authority(parts)}{parts.path.rstrip('/')}"


def _authority(parts: SplitResult) -> str:
    port = parts.port or (443 if parts.scheme == "https" else 80)
    return f"{(parts.hostname or '').lower()}:{port}"


def allowed(url: str, allow_list: Sequence[str]) -> bool:
    """True when the server is one of the allowed bases or lies below one: same scheme, host, port, path at a slash."""
    parts = _split(url)
    if parts is None:
        return False
    wanted = _plain(parts)
    bases = [_plain(known) for known in map(_split, allow_list) if known is not None]
    return any(wanted == base or wanted.startswith(base + "/") for base in bases)


def new_session() -> requests.Session:
    """Pooled connections that take nothing from the environment (T09)."""
    session = requests.Session()
    session.trust_env = False
    adapter = HTTPAdapter(pool_connections=8, pool_maxsize=POOL_SIZE, max_retries=0)
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
        if not self._same_base(link):
            raise FhirFailure("the next page lies on another server and was not fetched")
        yield from self._follow(link)

    def _follow(self, url: str) -> Iterator[Page]:
        seen: set[str] = set()
        while True:
            seen.add(url)
            body = self._get(url)
            link = next_link(body)
            yield Page(body, link)
            if link is None:
                return
            if link in seen or len(seen) >= MAXIMUM_PAGES:
                raise FhirFailure(f"there are more than {MAXIMUM_PAGES} pages, the rest was not read")
            if not self._same_base(link):
                raise FhirFailure("the next page lies on another server and was not fetched")
            url = link

    def _same_base(self, link: str) -> bool:
        try:
            target, home = urlsplit(link), urlsplit(self.base)
            same = (target.scheme, _authority(target)) == (home.scheme, _authority(home))
        except ValueError:
            return False
        plain = not any(char in link for char in "\\@\t\r\n") and ".." not in target.path
        path = home.path.rstrip("/")
        return same and plain and (target.path.rstrip("/") == path or target.path.startswith(path + "/"))

    def _get(self, url: str) -> Json:
        headers = {"Accept": "application/fhir+json", "Accept-Encoding": "gzip"}
        if self.token is not None:
            headers["Authorization"] = f"Bearer {self.token}"
        left = self.deadline.remaining()
        try:
            with self.session.get(
                url,
                headers=headers,
                timeout=(min(CONNECT_SECONDS, left), left),
                allow_redirects=False,
                stream=True,
            ) as response:
                return self._body(response)
        except requests.Timeout as error:
            raise FhirFailure("the FHIR server did not answer in time") from error
        except (requests.RequestException, OSError) as error:
            raise FhirFailure("the FHIR server cannot be reached") from error

    def _body(self, response: requests.Response) -> Json:
        status = response.status_code
        if status in (401, 403):
            raise FhirFailure(f"the FHIR server does not permit it (HTTP {status})")
        if status != 200:
            raise FhirFailure(f"the FHIR server answered HTTP {status}")
        try:
            body = parse(self._bytes(response))
        except InvalidRequest as error:
            raise FhirFailure("the FHIR server's answer is not JSON that can be read") from error
        if not isinstance(body, dict):
            raise FhirFailure("the FHIR server's answer is not a FHIR resource")
        return body

    def _bytes(self, response: requests.Response) -> bytes:
        """The body, at most MAXIMUM_BYTES after decompression, and never past the deadline (T51, T53)."""
        chunks, size = [], 0
        while True:
            self.deadline.remaining()
            chunk: bytes = response.raw.read1(CHUNK, decode_content=True)
            if not chunk:
                break
            size += len(chunk)
            if size > MAXIMUM_BYTES:
                raise FhirFailure("the FHIR server's answer is too large")
            chunks.append(chunk)
        return b"".join(chunks)


def next_link(bundle: Any) -> str | None:
    """The URL of the next page of a searchset, None on the last."""
    for link in objects(bundle.get("link") if isinstance(bundle, dict) else None):
        if link.get("relation") == "next" and isinstance(link.get("url"), str):
            return str(link["url"])
    return None

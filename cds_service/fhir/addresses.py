"""Addresses of FHIR servers: which URL is a plain base, and which lies below one (T06 to T08)."""

from collections.abc import Sequence
from urllib.parse import SplitResult, unquote, urlsplit

from cds_service.errors import InvalidSettings


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


def own_link(link: str, base: str) -> bool:
    """True for a link under the base, also when percent-encoding is undone (T10)."""
    try:
        target = urlsplit(link)
        below = _below(target, _plain(urlsplit(base)))
    except ValueError:
        return False
    return below and _printable(link) and not _climbs(unquote(target.path)) and "\\" not in unquote(link)

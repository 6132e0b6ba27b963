"""Addresses of FHIR servers: which URL is a plain base, which lies below one, where its host may be (T02 to T08)."""

import re
from collections.abc import Sequence
from dataclasses import dataclass
from ipaddress import IPv4Address, IPv4Network, IPv6Address, IPv6Network, ip_address, ip_network
from urllib.parse import SplitResult, unquote, urlsplit

from cds_service.errors import InvalidSettings

Address = IPv4Address | IPv6Address
Network = IPv4Network | IPv6Network
Networks = tuple[Network, ...]

_ENTRY = re.compile(r"(\S+)(?:\s+\[([^\[\]]+)\])?")
_PLAIN = r"(?:[A-Za-z0-9._~!$&'()*+,;=:@-]++|%7C)"
_AS_SENT = re.compile(
    r"https?://(?:[a-z0-9.-]+|\[[0-9a-f:]+\])(?::[1-9][0-9]{0,4})?"
    rf"(?:/(?!\.\.?(?:[/?]|\Z)){_PLAIN}*+)++(?:\?(?:{_PLAIN}|[/?])++)?"
)
"""The `|` of tokens is the one character of our queries that has to be encoded."""
_LOOPBACK: Networks = (IPv4Network("127.0.0.0/8"), IPv6Network("::1/128"))
_NAT64 = IPv6Network("64:ff9b::/96")
_UNICAST: Networks = (IPv4Network("0.0.0.0/0"), IPv6Network("2000::/3"), IPv6Network("fc00::/7"))
"""Where a server may be unless the site says more: hospital EHRs are on private addresses, so these are among them."""
_NEVER: Networks = tuple(
    map(
        ip_network,
        (
            "0.0.0.0/8",  # this host
            "100.64.0.0/10",  # carrier-grade NAT, and the metadata of one cloud
            "127.0.0.0/8",  # loopback
            "168.63.129.16/32",  # metadata of a cloud
            "169.254.0.0/16",  # link-local, and the metadata of most clouds
            "192.0.0.0/24",  # protocol assignments, and the metadata of a cloud
            "192.0.2.0/24",  # documentation
            "192.88.99.0/24",  # 6to4 relays
            "198.18.0.0/15",  # benchmarks
            "198.51.100.0/24",  # documentation
            "203.0.113.0/24",  # documentation
            "224.0.0.0/3",  # multicast, reserved, broadcast
            "2001::/23",  # protocol assignments, tunnels (Teredo)
            "2001:db8::/32",  # documentation
            "2002::/16",  # tunnels (6to4)
            "3fff::/20",  # documentation
            "fd00:ec2::/32",  # metadata of a cloud
            "fd20:ce::/32",  # metadata of a cloud
        ),
    )
)


@dataclass(frozen=True, slots=True)
class FhirServer:
    """A base URL that may be called, and the address ranges in which its host may be; none for the default ones."""

    base: str
    networks: Networks = ()


def fhir_server(text: str, *, plain_http: bool = False) -> FhirServer:
    """A server as settings write it: a base URL, then address ranges in brackets if its host may only be there.

    `https://ehr.example/fhir [10.1.0.0/16 10.2.0.7]`. Plain HTTP is for this machine, elsewhere only if it is allowed
    (T07). Raises InvalidSettings for what cannot be one.
    """
    entry = _ENTRY.fullmatch(text.strip())
    if entry is None:
        raise InvalidSettings(
            f"{text!r} is no FHIR server: write https://host/path, or https://host/path [10.1.0.0/16]"
        )
    url, ranges = entry.groups(default="")
    server = FhirServer(base_url(url), tuple(_network(item) for item in ranges.split()))
    parts = urlsplit(server.base)
    if parts.scheme == "http" and not plain_http and (ranges or not _this_machine(parts.hostname or "")):
        raise InvalidSettings(
            f"{url!r} would be asked over plain HTTP, which is for this machine only: write https, or set "
            "CRS_CDS_PLAIN_HTTP=1 where no patient's data is read"
        )
    return server


def _network(text: str) -> Network:
    try:
        return ip_network(text)
    except ValueError as error:
        raise InvalidSettings(f"{text!r} is no address range: write 10.1.0.0/16, 10.2.0.7 or fd12:3456::/32") from error


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


def allowed(url: str, servers: Sequence[FhirServer]) -> FhirServer | None:
    """The first server whose base this is or lies above it: same scheme, host, port, path at a slash; None if none."""
    parts = _split(url)
    if parts is None:
        return None
    return next((server for server in servers if _below(parts, base_url(server.base))), None)


def own_link(link: str, base: str) -> bool:
    """True for a link under the base, also when percent-encoding is undone (T10)."""
    try:
        target = urlsplit(link)
        below = _below(target, _plain(urlsplit(base)))
    except ValueError:
        return False
    return below and _printable(link) and not _climbs(unquote(target.path)) and "\\" not in unquote(link)


def as_it_is_sent(url: str) -> bool:
    """True for a URL that encoding and putting in one spelling would not change, such as those that are made here."""
    return _AS_SENT.fullmatch(url) is not None


def permitted(found: str, host: str, networks: Networks) -> bool:
    """True when a server of that host name may be at this address, which its name was resolved to (T02, T03).

    With ranges: in one of them. Without: a host that is written as an address is there and `localhost` on this
    machine; every other is neither on this machine nor where only machinery is: link-local, metadata, tunnels.
    """
    address = _destination(ip_address(found))
    written = _literal(host)
    if networks:
        return _within(address, networks)
    if written is not None:
        return address == _destination(written)
    if host == "localhost":
        return _within(address, _LOOPBACK)
    return _within(address, _UNICAST) and not _within(address, _NEVER)


def _destination(address: Address) -> Address:
    """The address that is reached by it: that within an IPv4-mapped or NAT64 one."""
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return address.ipv4_mapped
        if address in _NAT64:
            return IPv4Address(int(address) & 0xFFFFFFFF)
    return address


def _this_machine(host: str) -> bool:
    written = _literal(host)
    return host == "localhost" if written is None else _within(written, _LOOPBACK)


def _literal(host: str) -> Address | None:
    """The address that a host name is, None for a name, and for the forms that only some programs take for one."""
    try:
        return ip_address(host.strip("[]"))
    except ValueError:
        return None


def _within(address: Address, networks: Networks) -> bool:
    return any(address in network for network in networks)

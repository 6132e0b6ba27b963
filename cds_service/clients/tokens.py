"""What a client's token must be (SEC-4 to SEC-12, T13 to T23). Whatever is not as it must be is refused.

The reason of a refusal is for the log of this service; the client is told none. Tokens are never written anywhere.
"""

import re
from base64 import urlsafe_b64decode
from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from jwt import PyJWK, PyJWS

from cds_service.clients.keys import ALGORITHMS, LONGEST_NAME
from cds_service.clients.trusted import TrustedClient
from cds_service.errors import InvalidRequest, Unauthenticated
from cds_service.fhir.strict_json import parse

LONGEST_TOKEN = 8000
"""Characters; the production server reads no header line beyond 8190."""
LONGEST_LIFE = timedelta(hours=1)
LEEWAY = timedelta(seconds=60)
"""How far the clocks of client and service may differ."""
_FORM = re.compile(r"([A-Za-z0-9_-]+)\.([A-Za-z0-9_-]+)\.[A-Za-z0-9_-]+")
_JWS = PyJWS(algorithms=ALGORITHMS)
_Part = Mapping[str, Any]


@dataclass(frozen=True, slots=True)
class Token:
    """A token as it was sent: nothing of it is proved before its signature is."""

    text: str = field(repr=False)
    header: _Part = field(repr=False)
    claims: _Part = field(repr=False)

    @property
    def issuer(self) -> str:
        """Who says to have made it."""
        return _words(self.claims.get("iss"), "issuer")

    @property
    def tenant(self) -> str | None:
        """Which customer of the issuer it speaks for, None when it names none."""
        return _words(self.claims["tenant"], "tenant") if "tenant" in self.claims else None

    @property
    def key(self) -> tuple[str, str]:
        """The id of its key, and the algorithm it says to be signed with."""
        return _words(self.header.get("kid"), "key"), _words(self.header.get("alg"), "algorithm")

    @property
    def issued(self) -> int:
        """When it was made by the clock of its client, in seconds of Unix time."""
        return _seconds(self.claims.get("iat"))

    @property
    def id(self) -> str:
        """Its `jti`, which is used once."""
        return _words(self.claims.get("jti"), "jti")


def read_token(authorization: str | None) -> Token:
    """The bearer token of an Authorization header. Raises Unauthenticated, also for one that is too long (T23)."""
    if authorization is None:
        raise Unauthenticated("no token")
    kind, _, text = authorization.partition(" ")
    if kind.casefold() != "bearer":
        raise Unauthenticated("no bearer token")
    if len(text) > LONGEST_TOKEN:
        raise Unauthenticated("too long")
    form = _FORM.fullmatch(text)
    if form is None:
        raise Unauthenticated("no signed token")
    header, claims = (_part(encoded) for encoded in form.groups())
    return Token(text, header, claims)


def check_header(token: Token, client: TrustedClient) -> None:
    """Raises Unauthenticated for a header that is not understood, or that names keys elsewhere (T20, T23).

    Keys within a token (`jwk`, `x5c`) and at other addresses (`x5u`) are never looked at; `jku` is only compared.
    """
    header = token.header
    if "crit" in header or "b64" in header:
        raise Unauthenticated("critical header")
    if str(header.get("typ", "JWT")).casefold() != "jwt":
        raise Unauthenticated("type")
    if client.jku is not None and header.get("jku", client.jku) != client.jku:
        raise Unauthenticated("jku")


def check_signature(token: Token, key: PyJWK) -> None:
    """Raises Unauthenticated unless the token is signed with this key, by the algorithm of this key (T13, T14)."""
    try:
        _JWS.decode_complete(token.text, key, algorithms=[key.algorithm_name])
    except Exception as error:  # a token is refused whatever a library thinks of it: never an answer by accident
        raise Unauthenticated("signature") from error


def check_claims(token: Token, audiences: Collection[str], now: datetime) -> datetime:
    """From when on the token is of no use to anyone. Raises Unauthenticated unless it is for this call and this hour.

    `audiences` are the spellings of the address that is called. Times are whole seconds (T15, T17, T18).
    """
    claims, clock = token.claims, now.timestamp()
    leeway = LEEWAY.total_seconds()
    if _audience(claims.get("aud")) not in audiences:
        raise Unauthenticated("audience")
    issued, expires = token.issued, _seconds(claims.get("exp"))
    if not 0 < expires - issued <= LONGEST_LIFE.total_seconds():
        raise Unauthenticated("lifetime")
    if expires + leeway <= clock:
        raise Unauthenticated("expired")
    if max(issued, _seconds(claims.get("nbf", issued))) > clock + leeway:
        raise Unauthenticated("not yet valid")
    return datetime.fromtimestamp(expires, UTC) + LEEWAY


def _part(encoded: str) -> _Part:
    """One of the JSON objects of a token, read as strictly as a body."""
    try:
        value = parse(urlsafe_b64decode(encoded + "=" * (-len(encoded) % 4)))
    except (ValueError, InvalidRequest) as error:
        raise Unauthenticated("not readable") from error
    if not isinstance(value, dict):
        raise Unauthenticated("not readable")
    return value


def _words(value: Any, name: str) -> str:
    if not isinstance(value, str) or not 0 < len(value) <= LONGEST_NAME or not value.isprintable():
        raise Unauthenticated(name)
    return value


def _audience(value: Any) -> str:
    """The audience, also as a list of one: a token for several services could be carried from one to the other."""
    if isinstance(value, list) and len(value) == 1:
        (value,) = value
    return value if isinstance(value, str) else ""


def _seconds(value: Any) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise Unauthenticated("time")
    return value

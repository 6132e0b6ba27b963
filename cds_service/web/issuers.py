"""Which client calls, by the issuer that its token names: the form of the answer follows it, and nothing else does.

The token is not checked here. Whoever names another issuer gets the same answer written in another way.
"""

import binascii
import json
from base64 import urlsafe_b64decode

LONGEST_TOKEN = 16_384


def issuer(authorization: str | None) -> str:
    """The `iss` of a bearer JWT, empty when there is none that can be read."""
    kind, _, token = (authorization or "").partition(" ")
    parts = token.strip().split(".")
    if kind.casefold() != "bearer" or len(parts) != 3 or len(token) > LONGEST_TOKEN:
        return ""
    try:
        claims = json.loads(urlsafe_b64decode(parts[1] + "=" * (-len(parts[1]) % 4)))
    except (binascii.Error, ValueError, RecursionError):
        return ""
    named = claims.get("iss") if isinstance(claims, dict) else None
    return named if isinstance(named, str) else ""

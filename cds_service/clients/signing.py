"""Tokens as a client makes them, with a key that is brought or made here: of calls, and of the app at an EHR."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from hashlib import sha256
from pathlib import Path
from typing import Any
from uuid import uuid4

import jwt
from cryptography.exceptions import UnsupportedAlgorithm
from cryptography.hazmat.primitives.asymmetric.ec import SECP384R1, EllipticCurvePrivateKey, generate_private_key
from cryptography.hazmat.primitives.asymmetric.rsa import RSAPrivateKey
from cryptography.hazmat.primitives.serialization import (
    Encoding,
    NoEncryption,
    PrivateFormat,
    load_pem_private_key,
)
from jwt.algorithms import ECAlgorithm, RSAAlgorithm

from cds_service.errors import InvalidInput

LIFE = timedelta(minutes=5)
PrivateKey = EllipticCurvePrivateKey | RSAPrivateKey
_OF_CURVE = {"secp384r1": "ES384", "secp256r1": "ES256"}


@dataclass(frozen=True, slots=True)
class SigningKey:
    """A private key with the id that its public part is known by. It is not shown in any representation of it."""

    private: PrivateKey = field(repr=False)
    kid: str

    @classmethod
    def new(cls) -> "SigningKey":
        """A new key for ES384."""
        return cls.of(generate_private_key(SECP384R1()))

    @classmethod
    def read(cls, file: Path, kid: str | None = None) -> "SigningKey":
        """The key of a PEM or JWK file. Raises InvalidInput when it holds no private key that can sign here."""
        try:
            content = file.read_bytes()
            if content.lstrip().startswith(b"{"):
                jwk = json.loads(content)
                return cls.of(jwt.PyJWK(jwk).key, kid or jwk.get("kid"))
            return cls.of(load_pem_private_key(content, None), kid)
        except OSError as error:
            raise InvalidInput(f"{file} cannot be read: {error.strerror}") from error
        except (ValueError, TypeError, UnsupportedAlgorithm, jwt.PyJWTError) as error:
            raise InvalidInput(f"{file} holds no private key, as PEM or JWK without a password") from error

    @classmethod
    def of(cls, private: Any, kid: str | None = None) -> "SigningKey":
        """A key, by its own id or by the digest of its public part (RFC 7638). Raises ValueError for another kind."""
        curve = private.curve.name if isinstance(private, EllipticCurvePrivateKey) else None
        if curve not in _OF_CURVE and not isinstance(private, RSAPrivateKey):
            raise ValueError("a private key of RSA, P-384 or P-256 is needed")
        return cls(private, kid or _thumbprint(_public(private)))

    @property
    def algorithm(self) -> str:
        """What it signs with."""
        return _OF_CURVE[self.private.curve.name] if isinstance(self.private, EllipticCurvePrivateKey) else "RS384"

    @property
    def public_jwk(self) -> dict[str, str]:
        """What a service needs to know of it."""
        return _public(self.private) | {"kid": self.kid, "alg": self.algorithm, "use": "sig"}

    @property
    def pem(self) -> bytes:
        """The private key as a file keeps it."""
        return self.private.private_bytes(Encoding.PEM, PrivateFormat.PKCS8, NoEncryption())

    def token(self, issuer: str, audience: str, now: datetime, tenant: str | None = None) -> str:
        """A token for one call of an address."""
        return self._signed({"iss": issuer, "aud": audience} | ({} if tenant is None else {"tenant": tenant}), now)

    def client_assertion(self, client_id: str, token_endpoint: str, now: datetime) -> str:
        """What proves to a token endpoint that it is this client (RFC 7523)."""
        return self._signed({"iss": client_id, "sub": client_id, "aud": token_endpoint}, now)

    def _signed(self, claims: Mapping[str, str], now: datetime) -> str:
        issued = int(now.timestamp())
        once = {"iat": issued, "exp": issued + int(LIFE.total_seconds()), "jti": str(uuid4())}
        return jwt.encode({**claims, **once}, self.private, self.algorithm, {"kid": self.kid})


def _public(private: PrivateKey) -> dict[str, str]:
    if isinstance(private, EllipticCurvePrivateKey):
        return dict(ECAlgorithm.to_jwk(private.public_key(), as_dict=True))
    members = RSAAlgorithm.to_jwk(private.public_key(), as_dict=True)
    return {name: members[name] for name in ("kty", "n", "e")}


def _thumbprint(jwk: dict[str, str]) -> str:
    canonical = json.dumps(jwk, separators=(",", ":"), sort_keys=True).encode()
    return urlsafe_b64encode(sha256(canonical).digest()).decode().rstrip("=")

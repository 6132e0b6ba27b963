"""Clients of the tests. Their keys are made anew in each run; their tokens are as good or as bad as a test asks for."""

import json
from base64 import urlsafe_b64encode
from collections.abc import Sequence
from functools import cache
from itertools import count
from typing import Any

from cryptography.hazmat.primitives.asymmetric.ec import SECP256R1, SECP384R1
from cryptography.hazmat.primitives.asymmetric.ec import generate_private_key as new_ec_key
from cryptography.hazmat.primitives.asymmetric.rsa import generate_private_key as new_rsa_key
from jwt import get_algorithm_by_name

from cds_service.clients.keys import Algorithm, read_keys
from cds_service.clients.signing import SigningKey
from cds_service.clients.trusted import TrustedClient
from tests.server import NOW

Json = dict[str, Any]
PUBLIC = "https://cds.example/crs"
DISCOVERY = "/cds-services"
SERVICE = "/cds-services/crs-patient-view"
FEEDBACK = f"{SERVICE}/feedback"
ISSUER = "https://ehr.example/fhir"
AT = int(NOW.timestamp())
_serial = count()


def key(kind: str = "ES384", owner: str = "hospital") -> SigningKey:
    """A key of an owner, the same throughout a run."""
    return _key(kind, owner)


@cache
def _key(kind: str, owner: str) -> SigningKey:
    if kind.startswith("ES"):
        private: Any = new_ec_key(SECP384R1() if kind == "ES384" else SECP256R1())
    else:
        private = new_rsa_key(65537, 2048)
    return SigningKey.of(private, f"{owner}-{kind}")


def public(*keys: SigningKey, alg: bool = False) -> Json:
    """A JWK Set of public keys, without `alg` unless it is asked for."""
    dropped = () if alg else ("alg",)
    return {"keys": [{name: v for name, v in one.public_jwk.items() if name not in dropped} for one in keys]}


def trusted(*keys: SigningKey, algorithms: Sequence[Algorithm] = ("ES384", "RS384"), **members: Any) -> TrustedClient:
    """A client with these keys; with none it has a key for each algorithm of the specification."""
    found, faults = read_keys(public(*(keys or (key("ES384"), key("RS384")))), algorithms)
    assert faults == []
    usual: Json = {"id": "hospital", "issuer": ISSUER, "keys": found, "algorithms": tuple(algorithms)}
    return TrustedClient(**usual | members)


def claims(url: str, **changed: Any) -> Json:
    """The claims of a good token for an address of the service, each member changed or, where it is None, left out."""
    usual = {"iss": ISSUER, "aud": PUBLIC + url, "iat": AT, "exp": AT + 300, "jti": f"token-{next(_serial)}"}
    return {name: value for name, value in (usual | changed).items() if value is not None}


def token(
    url: str, *, by: SigningKey | None = None, alg: str | None = None, header: Json | None = None, **changed: Any
) -> str:
    """A token signed by a key, for an address."""
    signer = by or key()
    head = {"alg": alg or signer.algorithm, "kid": signer.kid, "typ": "JWT"} | (header or {})
    head = {name: value for name, value in head.items() if value is not None}
    return sealed(json.dumps(head).encode(), json.dumps(claims(url, **changed)).encode(), signer, alg)


def sealed(header: bytes, payload: bytes, signer: SigningKey, alg: str | None = None) -> str:
    """Any two parts, with the signature of a key."""
    text = f"{encoded(header)}.{encoded(payload)}"
    signature = get_algorithm_by_name(alg or signer.algorithm).sign(text.encode(), signer.private)
    return f"{text}.{encoded(signature)}"


def encoded(part: bytes) -> str:
    return urlsafe_b64encode(part).decode().rstrip("=")


def bearer(text: str) -> dict[str, str]:
    """The header that carries a token."""
    return {"Authorization": f"Bearer {text}"}

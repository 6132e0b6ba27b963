"""Public keys of clients: which JSON Web Keys are taken, each for the algorithms it is made for (SEC-8, T14)."""

from collections.abc import Iterator, Mapping, Sequence
from typing import Any, Literal, get_args

from jwt import PyJWK

Algorithm = Literal["ES384", "RS384", "ES256", "RS256", "PS256", "PS384", "PS512"]
"""All that can be configured: of public keys only, so that nobody signs with what everybody can read."""
ALGORITHMS: tuple[Algorithm, ...] = get_args(Algorithm)
RECOMMENDED: tuple[Algorithm, ...] = ("ES384", "RS384")
"""What the specification recommends, and what is accepted unless a client is configured otherwise."""
Keys = Mapping[tuple[str, str], PyJWK]
"""Parsed keys by their id and the algorithm that they are used with."""
LONGEST_NAME = 255
"""Characters of the id of a key or a token."""
RSA_BITS = range(2048, 8193)
"""Shorter ones can be broken; a very long one would cost each check seconds."""
_CURVES = {"ES384": "P-384", "ES256": "P-256"}
_PRIVATE = frozenset({"d", "p", "q", "dp", "dq", "qi", "oth", "k"})


def read_keys(document: Any, algorithms: Sequence[str]) -> tuple[Keys, list[str]]:
    """The usable keys of a parsed JWK Set, and for each other one what is wrong with it."""
    given = document.get("keys") if isinstance(document, dict) else None
    if not isinstance(given, list):
        return {}, ["it is no JSON Web Key Set: write an object with a list `keys`"]
    keys: dict[tuple[str, str], PyJWK] = {}
    faults = []
    for number, jwk in enumerate(given, 1):
        try:
            fitting = dict(_keys(jwk, algorithms))
        except ValueError as fault:
            faults.append(f"key {number}: {fault}")
            continue
        if keys.keys() & fitting.keys():
            faults.append(f"key {number}: another key has the same kid")
        keys |= fitting
    return keys, faults


def _keys(jwk: Any, algorithms: Sequence[str]) -> Iterator[tuple[tuple[str, str], PyJWK]]:
    """A key for each algorithm that it fits. Raises ValueError that says why there is none."""
    if not isinstance(jwk, dict):
        raise ValueError("it is no object")
    kid = jwk.get("kid")
    if not isinstance(kid, str) or not 0 < len(kid) <= LONGEST_NAME:
        raise ValueError(f"it needs a kid of 1 to {LONGEST_NAME} characters")
    if jwk.get("kty") not in ("EC", "RSA"):
        raise ValueError("only public keys of kty EC or RSA are taken")
    if _PRIVATE & jwk.keys():
        raise ValueError("it holds a private key: only the public members belong here")
    if jwk.get("use", "sig") != "sig" or "verify" not in jwk.get("key_ops", ("verify",)):
        raise ValueError("it is not for signatures")
    fitting = [name for name in algorithms if jwk.get("alg", name) == name and _fits(jwk, name)]
    if not fitting:
        raise ValueError(f"it fits none of the algorithms {', '.join(algorithms)}")
    for name in fitting:
        yield (kid, name), _parsed(jwk, name)


def _fits(jwk: Mapping[str, Any], algorithm: str) -> bool:
    if algorithm in _CURVES:
        return jwk["kty"] == "EC" and jwk.get("crv") == _CURVES[algorithm]
    return bool(jwk["kty"] == "RSA")


def _parsed(jwk: dict[str, Any], algorithm: str) -> PyJWK:
    try:
        key = PyJWK(jwk, algorithm)
    except Exception as error:  # whatever a library makes of a hostile key, it is no key
        raise ValueError("its numbers are no public key") from error
    if jwk["kty"] == "RSA" and key.key.key_size not in RSA_BITS:
        raise ValueError(f"an RSA key has {RSA_BITS[0]} to {RSA_BITS[-1]} bits")
    return key

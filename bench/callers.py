"""A client that proves who it is, as `CRS_CDS_AUTH=required` asks for, and what checking its signatures costs alone."""

import json
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from pathlib import Path
from statistics import median

from cryptography.hazmat.primitives.asymmetric.ec import ECDSA, SECP384R1, generate_private_key
from cryptography.hazmat.primitives.hashes import SHA384

from cds_service.clients.signing import SigningKey

ISSUER = "https://ehr.example/fhir"


class Caller:
    """A client with a key made for this run, whose calls go to one address."""

    def __init__(self) -> None:
        self._private = generate_private_key(SECP384R1())
        self._key = SigningKey.of(self._private, "bench")
        self.algorithm = self._key.algorithm

    def settings(self, folder: Path) -> dict[str, str]:
        """The settings of a service that trusts this client and nobody else, however often it calls."""
        keys = folder / "keys.json"
        keys.write_text(json.dumps({"keys": [self._key.public_jwk]}), encoding="utf-8")
        clients = folder / "clients.toml"
        clients.write_text(
            f'[[client]]\nid = "bench"\nissuer = "{ISSUER}"\nkeys_file = "keys.json"\n', encoding="utf-8"
        )
        return {"auth": "required", "trusted_clients": str(clients), "calls_per_minute": "10000000"}

    def headers(self, address: str) -> Mapping[str, str]:
        """Those of one call of an address: each has a token of its own."""
        return {"Authorization": f"Bearer {self._key.token(ISSUER, address, datetime.now(UTC))}"}

    def signature_seconds(self, checks: int) -> float:
        """What it takes to check one signature and nothing else: the median of so many checks, in this process."""
        signed, how = b"a token".ljust(400, b"."), ECDSA(SHA384())
        signature, public = self._private.sign(signed, how), self._private.public_key()
        times = []
        for _ in range(checks):
            begun = time.perf_counter()
            public.verify(signature, signed, how)
            times.append(time.perf_counter() - begun)
        return median(times)

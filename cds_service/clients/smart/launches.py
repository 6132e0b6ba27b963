"""A launch that was begun: what this service must know of it when the browser comes back, kept by the browser alone.

It is sealed: nobody but the processes of this installation can read or change it, and it is good for a short time. So a
launch may come back to another process than the one it began in.
"""

import json
from base64 import urlsafe_b64encode
from dataclasses import asdict, dataclass, field
from datetime import datetime, timedelta
from secrets import token_urlsafe

from cryptography.fernet import Fernet, InvalidToken
from cryptography.hazmat.primitives.hashes import SHA256
from cryptography.hazmat.primitives.kdf.hkdf import HKDF

LIFE = timedelta(minutes=10)
"""Time to sign in at the EHR."""
_PURPOSE = b"crs-cds smart launch"


@dataclass(frozen=True, slots=True, kw_only=True)
class Launch:
    """The registration (its id) that a launch is for, its state, and the verifier of its code (PKCE)."""

    registration: str
    state: str = field(repr=False)
    verifier: str = field(repr=False)

    @classmethod
    def new(cls, registration: str) -> "Launch":
        """A launch with a state and a verifier that nobody guesses."""
        return cls(registration=registration, state=token_urlsafe(32), verifier=token_urlsafe(64))


class Seal:
    """Seals launches with a key that is derived from the installation's."""

    def __init__(self, key: bytes) -> None:
        derived = HKDF(algorithm=SHA256(), length=32, salt=None, info=_PURPOSE).derive(key)
        self._fernet = Fernet(urlsafe_b64encode(derived))

    def sealed(self, launch: Launch, now: datetime) -> str:
        """The launch as the browser keeps it."""
        return self._fernet.encrypt_at_time(json.dumps(asdict(launch)).encode(), int(now.timestamp())).decode()

    def opened(self, text: str, now: datetime) -> Launch | None:
        """The launch that was sealed, None for anything else and after its LIFE."""
        try:
            known = self._fernet.decrypt_at_time(text, int(LIFE.total_seconds()), int(now.timestamp()))
        except (InvalidToken, ValueError):
            return None
        return Launch(**json.loads(known))

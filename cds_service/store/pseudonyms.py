"""Pseudonyms: the same patient of the same client is the same string, and without the key nobody finds out who.

A keyed hash (HMAC-SHA256): ids of patients are short, so that an unkeyed one could be undone by trying them all.
"""

import hmac
import os
import secrets
from hashlib import sha256
from pathlib import Path

from cds_service.errors import InvalidSettings

KEY_FILE = "pseudonym.key"
KEY_BYTES = 32


class Pseudonyms:
    """Makes pseudonyms with one key, which never reaches a message or the store."""

    def __init__(self, key: bytes) -> None:
        self._key = key

    def patient(self, client: str, patient_id: str) -> str:
        """The pseudonym of a patient. Two clients may give one id to two patients."""
        return self._of("patient", client, patient_id)

    def encounter(self, client: str, encounter_id: str) -> str:
        """The pseudonym of an encounter."""
        return self._of("encounter", client, encounter_id)

    def _of(self, *parts: str) -> str:
        message = b"".join(len(part.encode()).to_bytes(4) + part.encode() for part in parts)
        return hmac.new(self._key, message, sha256).hexdigest()


def key_in(folder: Path) -> bytes:
    """The key kept in a folder, made on first use. However many processes begin at once, all get the same one.

    Raises InvalidSettings when it cannot be read or made.
    """
    place = folder / KEY_FILE
    try:
        if not place.exists():
            _make(place)
        key = bytes.fromhex(place.read_text(encoding="ascii"))
    except (OSError, ValueError) as error:
        raise InvalidSettings(f"the key of pseudonyms in {place} cannot be read or made: {error}") from error
    if len(key) != KEY_BYTES:
        raise InvalidSettings(f"{place} holds no key of {KEY_BYTES} bytes: restore it, or pseudonyms change")
    return key


def _make(place: Path) -> None:
    """A complete file gets the name, or the file that has it already stays: no reader meets half a key."""
    written = place.with_name(f".{place.name}.{secrets.token_hex(8)}")
    descriptor = os.open(written, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    try:
        with os.fdopen(descriptor, "w", encoding="ascii") as file:
            file.write(secrets.token_hex(KEY_BYTES))
            file.flush()
            os.fsync(file.fileno())
        try:
            os.link(written, place)
        except FileExistsError:
            return
    finally:
        written.unlink()

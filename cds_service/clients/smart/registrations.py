"""Where the app is registered: the TOML file of CRS_CDS_SMART_REGISTRATIONS, checked whole before the start."""

from collections.abc import Collection, Iterator
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Annotated
from urllib.parse import urlsplit

from pydantic import SecretStr, StringConstraints

from cds_service.clients.entries import Entry, Identifier, Words, read_entries, refuse, server
from cds_service.clients.signing import SigningKey
from cds_service.errors import InvalidInput
from cds_service.fhir.addresses import FhirServer

Origin = Annotated[str, StringConstraints(pattern=r"^https://[a-z0-9.\-]+(:[0-9]+)?$")]


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class Registration:
    """The app at one EHR. `id` is what logs call it, `iss` the FHIR base URL as the EHR writes it.

    With a `secret` or a `key` it is a confidential client, without either a public one. The endpoints that are written
    here are used and no others; those that the EHR publishes must lie on the origin of `iss` or below one of
    `authorization_servers`. `frame_ancestors` are the origins whose pages may show the app in a frame.
    """

    id: str
    iss: str
    server: FhirServer
    client_id: str
    secret: SecretStr | None = None
    key: SigningKey | None = field(default=None, repr=False)
    authorization_endpoint: FhirServer | None = None
    token_endpoint: FhirServer | None = None
    authorization_servers: tuple[FhirServer, ...] = ()
    frame_ancestors: tuple[str, ...] = ()

    @property
    def endpoints_within(self) -> tuple[FhirServer, ...]:
        """Where endpoints may be that the EHR publishes, each with the addresses of its host."""
        parts = urlsplit(self.server.base)
        origin = FhirServer(f"{parts.scheme}://{parts.netloc}", self.server.networks)
        return (origin, *self.authorization_servers)


class _Entry(Entry):
    """One `[[registration]]`."""

    id: Identifier
    iss: str
    client_id: Words
    secret_file: str | None = None
    key_file: str | None = None
    key_id: Words | None = None
    authorization_endpoint: str | None = None
    token_endpoint: str | None = None
    authorization_servers: list[str] = []
    frame_ancestors: list[Origin] = []


def read_registrations(file: Path) -> tuple[Registration, ...]:
    """The registrations of a file. Raises InvalidSettings with every fault, one a line."""
    made, faults = read_entries(
        file, "CRS_CDS_SMART_REGISTRATIONS", "registration", _Entry, lambda entry: _registration(entry, file.parent)
    )
    found = [one for one in made if one is not None]
    refuse(file, [*faults, *_shared(found)])
    return tuple(found)


def _registration(entry: _Entry, folder: Path) -> tuple[Registration | None, list[str]]:
    """The registration of an entry, and what is wrong with it beyond its form.

    Plain HTTP is for this machine only, whatever the settings say: codes and secrets would be there for all to read.
    """
    faults: list[str] = []
    fhir = server("iss", entry.iss, faults)
    authorization = _endpoint("authorization_endpoint", entry.authorization_endpoint, faults)
    token = _endpoint("token_endpoint", entry.token_endpoint, faults)
    servers = [server("authorization_servers", text, faults) for text in entry.authorization_servers]
    secret, key = _secret(entry, folder, faults), _key(entry, folder, faults)
    if entry.secret_file is not None and entry.key_file is not None:
        faults.append("give secret_file or key_file, as the app was registered, not both")
    if fhir is None:
        return None, faults
    registration = Registration(
        id=entry.id,
        iss=entry.iss.split()[0].rstrip("/"),
        server=fhir,
        client_id=entry.client_id,
        secret=secret,
        key=key,
        authorization_endpoint=authorization,
        token_endpoint=token,
        authorization_servers=tuple(found for found in servers if found is not None),
        frame_ancestors=tuple(entry.frame_ancestors),
    )
    return registration, faults


def _endpoint(name: str, text: str | None, faults: list[str]) -> FhirServer | None:
    """A pinned endpoint, spelled as it is written: an authorization server may know itself by no other spelling."""
    found = server(name, text, faults) if text is not None else None
    return found and replace(found, base=str(text).split()[0])


def _secret(entry: _Entry, folder: Path, faults: list[str]) -> SecretStr | None:
    if entry.secret_file is None:
        return None
    try:
        secret = (folder / entry.secret_file).read_text(encoding="utf-8").strip()
    except (OSError, UnicodeDecodeError) as error:
        faults.append(f"secret_file: {entry.secret_file} cannot be read: {type(error).__name__}")
        return None
    if not secret:
        faults.append(f"secret_file: {entry.secret_file} is empty")
    return SecretStr(secret)


def _key(entry: _Entry, folder: Path, faults: list[str]) -> SigningKey | None:
    if entry.key_file is None:
        return None
    try:
        return SigningKey.read(folder / entry.key_file, entry.key_id)
    except InvalidInput as error:
        faults.append(f"key_file: {error.message}")
        return None


def _shared(registrations: Collection[Registration]) -> Iterator[str]:
    """Faults between registrations: the app is registered once at each EHR."""
    seen: dict[str, str] = {}
    for one in registrations:
        for name in (one.id, one.server.base):
            if name in seen:
                yield f"registration {one.id}: {name!r} is that of registration {seen[name]} too"
            seen[name] = one.id

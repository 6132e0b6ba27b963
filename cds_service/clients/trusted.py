"""The clients that are trusted: the TOML file of CRS_CDS_TRUSTED_CLIENTS, checked whole before the service starts."""

import json
from collections.abc import Collection, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from cds_service.clients.entries import Entry, Identifier, Words, read_entries, refuse, server
from cds_service.clients.keys import RECOMMENDED, Algorithm, Keys, read_keys
from cds_service.fhir.addresses import FhirServer, Networks
from cds_service.store.records import UNCHECKED_CLIENT


@dataclass(frozen=True, slots=True, kw_only=True, eq=False)
class TrustedClient:
    """A client whose tokens are accepted, and what its calls may do. `id` is what records and logs call it.

    `jku` is the one address that its keys are read from, `audiences` stand in place of the addresses of this service.
    """

    id: str
    issuer: str
    tenants: tuple[str, ...] = ()
    keys: Keys = field(default_factory=dict, repr=False)
    jku: str | None = None
    jku_networks: Networks = ()
    algorithms: tuple[Algorithm, ...] = RECOMMENDED
    audiences: tuple[str, ...] = ()
    profile: str | None = None
    """Client profile, None for that of the installation."""
    fhir_servers: tuple[FhirServer, ...] = ()
    services_off: frozenset[str] = frozenset()

    @property
    def names(self) -> tuple[tuple[str, str | None], ...]:
        """Issuer and tenant of each of its tokens. Without tenants a token that names one is not its own (SEC-11)."""
        return tuple((self.issuer, tenant) for tenant in self.tenants or (None,))


@dataclass(frozen=True, slots=True, kw_only=True)
class Known:
    """What a file of clients may name: client profiles and services. `plain_http` as in the settings."""

    profiles: Collection[str]
    services: Collection[str]
    plain_http: bool = False


class _Entry(Entry):
    """One `[[client]]`."""

    id: Identifier
    issuer: Words
    tenants: list[Words] = []
    jku: str | None = None
    keys: list[dict[str, Any]] = []
    keys_file: str | None = None
    algorithms: list[Algorithm] = list(RECOMMENDED)
    audiences: list[Words] = []
    profile: str | None = None
    fhir_servers: list[str] = []
    services_off: list[str] = []


def read_trusted_clients(file: Path, known: Known) -> tuple[TrustedClient, ...]:
    """The clients of a file. Raises InvalidSettings with every fault, one a line."""
    clients, faults = read_entries(
        file, "CRS_CDS_TRUSTED_CLIENTS", "client", _Entry, lambda entry: _client(entry, file.parent, known)
    )
    refuse(file, [*faults, *_shared(clients)])
    return tuple(clients)


def _client(entry: _Entry, folder: Path, known: Known) -> tuple[TrustedClient, list[str]]:
    """The client of an entry, and what is wrong with it beyond its form."""
    faults: list[str] = []
    keys, faulty = _keys(entry, folder)
    faults += faulty
    jku = server("jku", entry.jku, faults) if entry.jku is not None else None
    if entry.jku is None and not entry.keys and entry.keys_file is None:
        faults.append("give its keys, as jku, keys or keys_file: without one its tokens cannot be checked")
    servers = [server("fhir_servers", text, faults, plain_http=known.plain_http) for text in entry.fhir_servers]
    if entry.id == UNCHECKED_CLIENT:
        faults.append(f"id: {UNCHECKED_CLIENT!r} names callers who need not prove anything")
    if entry.profile is not None and entry.profile not in known.profiles:
        faults.append(f"profile: {entry.profile!r} is not one of {', '.join(sorted(known.profiles))}")
    for service in sorted(set(entry.services_off) - set(known.services)):
        faults.append(f"services_off: {service!r} is not one of {', '.join(sorted(known.services))}")
    client = TrustedClient(
        id=entry.id,
        issuer=entry.issuer,
        tenants=tuple(entry.tenants),
        keys=keys,
        jku=entry.jku.split()[0] if entry.jku is not None and jku is not None else None,
        jku_networks=jku.networks if jku is not None else (),
        algorithms=tuple(entry.algorithms),
        audiences=tuple(entry.audiences),
        profile=entry.profile,
        fhir_servers=tuple(found for found in servers if found is not None),
        services_off=frozenset(entry.services_off),
    )
    return client, faults


def _keys(entry: _Entry, folder: Path) -> tuple[Keys, list[str]]:
    """Its own keys, from the entry and from a JWK Set in a file, and what is wrong with them."""
    given: list[Any] = list(entry.keys)
    if entry.keys_file is not None:
        try:
            document: Mapping[str, Any] = json.loads((folder / entry.keys_file).read_bytes())
            given += document["keys"]
        except (OSError, ValueError, KeyError, TypeError) as error:
            return {}, [f"keys_file: {entry.keys_file} holds no JSON Web Key Set: {type(error).__name__}"]
    keys, faults = read_keys({"keys": given}, entry.algorithms)
    return keys, [f"keys: {words}" for words in faults]


def _shared(clients: Collection[TrustedClient]) -> Iterator[str]:
    """Faults between clients: nobody can be told from another by an id, or by issuer and tenant."""
    seen: dict[object, str] = {}
    for client in clients:
        for name in (client.id, *client.names):
            if name in seen:
                said = name if isinstance(name, str) else " ".join(filter(None, name))
                yield f"client {client.id}: {said!r} is that of client {seen[name]} too"
            seen[name] = client.id

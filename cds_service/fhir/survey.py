"""What a FHIR server can do for the needs: by what it declares, and the scopes that reading asks for. Pure."""

import re
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from cds_service.fhir import medications
from cds_service.fhir.elements import Json, member, objects
from cds_service.fhir.needs import Need

SMART_1, SMART_2 = "SMART v1", "SMART v2"
"""The two syntaxes of scopes, those of SMART App Launch 1 and 2: a token carries the one or the other."""
_SCOPE = re.compile(r"(?:patient|user)/(?P<type>\*|[A-Za-z]+)\.(?P<may>read|\*|c?r?u?d?s?)")
RESULT_PARAMETERS = ("_count", "_sort")
"""Parameters that servers support without declaring them for a type."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Declared:
    """What a capability statement says of one need: `reads` the type at all, and parameters that it does not list."""

    reads: bool
    unlisted: tuple[str, ...] = ()


def parameters(need: Need) -> tuple[str, ...]:
    """The search parameters that the query of a need uses; none for a read by id."""
    _, _, query = need.template.partition("?")
    return tuple(dict.fromkeys(name for name, _ in parse_qsl(query)))


def declared(need: Need, statement: Json) -> Declared:
    """What a CapabilityStatement says of the query of a need."""
    listed = [item for rest in objects(statement.get("rest")) for item in objects(rest.get("resource"))]
    found = next((item for item in listed if item.get("type") == need.resource_type), None)
    if found is None:
        return Declared(reads=False)
    can = {str(item.get("code")) for item in objects(found.get("interaction"))}
    names = {str(item.get("name")) for item in objects(found.get("searchParam"))}
    wanted = [name for name in parameters(need) if name not in RESULT_PARAMETERS]
    needed = "search-type" if wanted else "read"
    return Declared(reads=not can or needed in can, unlisted=tuple(name for name in wanted if name not in names))


def types(need: Need) -> tuple[str, ...]:
    """The resource types that a need reads: its own, and those by whose id a drug may be named."""
    return (need.resource_type, "Medication") if need.resource_type in medications.KINDS else (need.resource_type,)


def scopes_of(resource_type: str) -> dict[str, str]:
    """The scope that reading a type asks for, by syntax. The patient is read by id only, all else is searched."""
    letters = "r" if resource_type == "Patient" else "rs"
    return {SMART_1: f"patient/{resource_type}.read", SMART_2: f"patient/{resource_type}.{letters}"}


def scopes(needs: Iterable[Need]) -> Mapping[str, tuple[str, ...]]:
    """The scopes that reading the needs asks for, by syntax, each once."""
    found = [scopes_of(kind) for kind in dict.fromkeys(kind for need in needs for kind in types(need))]
    return {syntax: tuple(each[syntax] for each in found) for syntax in (SMART_1, SMART_2)}


def offered(resource_type: str, configuration: Json) -> tuple[str, ...] | None:
    """The scopes of a SMART configuration that let a type be read; None when it lists no scopes at all.

    A scope for some resources of a type only, such as `patient/Observation.rs?category=laboratory`, is none.
    """
    listed = configuration.get("scopes_supported")
    if not isinstance(listed, list):
        return None
    return tuple(scope for scope in listed if isinstance(scope, str) and _lets_read(scope, resource_type))


def _lets_read(scope: str, resource_type: str) -> bool:
    found = _SCOPE.fullmatch(scope)
    if found is None or found["type"] not in ("*", resource_type):
        return False
    needed = scopes_of(resource_type)[SMART_2].rpartition(".")[2]
    return found["may"] in ("read", "*") or set(needed) <= set(found["may"])


def unknown_without(needs: Sequence[Need], missing: Iterable[str]) -> dict[str, list[str]]:
    """By need, the kinds of fact that are not all known when these needs cannot be had, as `gaps` has it.

    Only the whole stands in for its coded part.
    """
    gone = set(missing)
    return {
        need.key: [] if need.part_of and need.part_of not in gone else list(need.kinds)
        for need in needs
        if need.key in gone
    }


def release(statement: Any) -> str:
    """The FHIR version of a server, empty when it does not say."""
    return str(member(statement, "fhirVersion") or "")

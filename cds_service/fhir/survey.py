"""What a FHIR server can do for the needs: by what it declares, and the scopes that reading asks for. Pure."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import parse_qsl

from cds_service.fhir.elements import Json, member, objects
from cds_service.fhir.needs import Need

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


def scopes(needs: Iterable[Need]) -> Mapping[str, tuple[str, ...]]:
    """The scopes that reading the needs asks for, in the syntax of SMART App Launch 1 and 2."""
    types = (*dict.fromkeys(need.resource_type for need in needs), "Medication")
    return {
        "SMART v1": tuple(f"patient/{kind}.read" for kind in types),
        "SMART v2": tuple(f"patient/{kind}.rs" for kind in types),
    }


def unknown_without(needs: Sequence[Need], missing: Iterable[str]) -> dict[str, list[str]]:
    """By need, the kinds of fact that nobody else supplies when these needs cannot be had."""
    gone = set(missing)
    rest = {kind for need in needs if need.key not in gone for kind in need.kinds}
    return {need.key: [kind for kind in need.kinds if kind not in rest] for need in needs if need.key in gone}


def release(statement: Any) -> str:
    """The FHIR version of a server, empty when it does not say."""
    return str(member(statement, "fhirVersion") or "")

"""`crs-cds doctor`: can this FHIR server answer what the service asks? Each query tried, and what would be unknown."""

import json
import sys
import time
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass

import click
import requests
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cds_service.cli.printing import progress
from cds_service.cli.serve import knowledge_of
from cds_service.errors import InvalidInput
from cds_service.fhir.client import new_session
from cds_service.fhir.elements import Json, member, objects
from cds_service.fhir.needs import Need
from cds_service.fhir.survey import declared, offered, release, scopes, scopes_of, types, unknown_without
from cds_service.web.settings import read_settings

SECONDS = 30
FHIR = {"Accept": "application/fhir+json"}
NOBODY = "crs-cds-doctor-nobody"
"""A patient that no server has: what is answered shows whether the query is understood."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Probe:
    """How a server answered the query of one need. `works` is false when the service could not use it.

    `scopes` are those that its query asks for, by the syntax of SMART.
    """

    need: str
    scopes: Mapping[str, tuple[str, ...]]
    works: bool
    status: int
    milliseconds: int
    resources: int
    unlisted: tuple[str, ...]
    said: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Permission:
    """What a token must let this service read: the type, the needs it is for, the scopes by syntax.

    `offered` are the scopes for it that the server lists; None when it lists none of any kind.
    """

    type: str
    needs: tuple[str, ...]
    scopes: Mapping[str, str]
    offered: tuple[str, ...] | None


@click.command()
@click.option("--fhir", "fhir_url", required=True, metavar="URL", help="FHIR base URL.")
@click.option("--patient", "patient_id", metavar="ID", help="A patient to try the queries with. Default: nobody.")
@click.option(
    "--token", metavar="TOKEN", envvar="FHIR_TOKEN", show_envvar=True, help="Bearer token, where one is needed."
)
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def doctor(fhir_url: str, patient_id: str | None, token: str | None, as_json: bool) -> None:
    """Try every query of the service on a FHIR server: what would be unknown on it, and what to ask the vendor for.

    Says the scopes that a token needs too, and which of them the server lists in its SMART configuration.
    """
    base, needs = fhir_url.rstrip("/"), knowledge_of(read_settings()).needs
    session = new_session()
    headers = FHIR | ({"Authorization": f"Bearer {token}"} if token else {})
    statement = _statement(session, base, headers)
    permissions = _permissions(needs, _configuration(session, base))
    trying = progress(needs, "asking")
    probes = [_probe(session, base, need, patient_id or NOBODY, headers, statement) for need in trying]
    failing = [probe.need for probe in probes if not probe.works]
    unknown = unknown_without(needs, failing)
    if as_json:
        found = {
            "fhirVersion": release(statement),
            "needs": [asdict(probe) for probe in probes],
            "unknown": unknown,
            "scopes": scopes(needs),
            "permissions": [asdict(permission) for permission in permissions],
            "ask": [*_queries_to_ask_for(unknown), *_scopes_to_ask_for(permissions)],
        }
        click.echo(json.dumps(found, indent=2))
    else:
        console = Console()
        _print(console, base, statement, probes)
        _print_scopes(console, permissions)
        for words in (*_queries_to_ask_for(unknown), *_scopes_to_ask_for(permissions)):
            console.print(words, markup=False, soft_wrap=True)
    sys.exit(1 if failing else 0)


def _statement(session: requests.Session, base: str, headers: dict[str, str]) -> Json:
    """What the server says of itself. Raises InvalidInput when it is no FHIR server."""
    try:
        response = session.get(f"{base}/metadata", headers=headers, timeout=SECONDS)
        body = response.json()
    except (requests.RequestException, ValueError) as error:
        raise InvalidInput(f"{base}/metadata gives no CapabilityStatement: is this a FHIR base URL?") from error
    if not isinstance(body, dict) or body.get("resourceType") != "CapabilityStatement":
        raise InvalidInput(f"{base}/metadata gives no CapabilityStatement (HTTP {response.status_code})")
    return body


def _configuration(session: requests.Session, base: str) -> Json:
    """The SMART configuration of the server, empty when it has none. It is public: no token is sent for it."""
    address = f"{base}/.well-known/smart-configuration"
    try:
        response = session.get(address, headers={"Accept": "application/json"}, timeout=SECONDS)
        body = response.json() if response.status_code == 200 else {}
    except (requests.RequestException, ValueError):
        return {}
    return body if isinstance(body, dict) else {}


def _permissions(needs: Sequence[Need], configuration: Json) -> list[Permission]:
    return [
        Permission(
            type=kind,
            needs=tuple(need.key for need in needs if kind in types(need)),
            scopes=scopes_of(kind),
            offered=offered(kind, configuration),
        )
        for kind in dict.fromkeys(kind for need in needs for kind in types(need))
    ]


def _probe(
    session: requests.Session, base: str, need: Need, patient_id: str, headers: dict[str, str], statement: Json
) -> Probe:
    begun = time.monotonic()
    try:
        response = session.get(f"{base}/{need.path(patient_id)}", headers=headers, timeout=SECONDS)
        status, body = response.status_code, response.json()
    except (requests.RequestException, ValueError):
        status, body = 0, None
    took = round((time.monotonic() - begun) * 1000)
    searched = "?" in need.template
    kind = member(body, "resourceType")
    found = [
        item
        for item in objects(member(body, "entry"))
        if member(item, "resource", "resourceType") == need.resource_type
    ]
    nobody = not searched and patient_id == NOBODY and status in (404, 410)
    works = nobody or (status == 200 and kind == ("Bundle" if searched else need.resource_type))
    issues = list(objects(member(body, "issue")))
    return Probe(
        need=need.key,
        scopes=scopes([need]),
        works=works,
        status=status,
        milliseconds=took,
        resources=len(found) if searched else int(works and not nobody),
        unlisted=declared(need, statement).unlisted,
        said="" if works else _words(issues, status),
    )


def _words(issues: Sequence[Json], status: int) -> str:
    said = "; ".join(str(item.get("diagnostics") or member(item, "details", "text") or "") for item in issues)
    return said[:200] or ("no answer" if status == 0 else f"HTTP {status}")


def _queries_to_ask_for(unknown: dict[str, list[str]]) -> Iterable[str]:
    for need, kinds in unknown.items():
        lost = ", ".join(kinds) or "nothing, while the query for all of them works"
        yield f"without {need} unknown: {lost}. Ask the vendor for this query."


def _scopes_to_ask_for(permissions: Sequence[Permission]) -> Iterable[str]:
    """What is not said of scopes, or not offered: a server may grant more than it lists."""
    if any(permission.offered is None for permission in permissions):
        yield "The server does not say which scopes it grants. Ask the vendor whether a CDS service gets them all."
        return
    for permission in permissions:
        if not permission.offered:
            written = " or ".join(f"{scope} ({syntax})" for syntax, scope in permission.scopes.items())
            yield f"The server lists no scope for {permission.type}. Ask the vendor for {written}."


def _print(console: Console, base: str, statement: Json, probes: list[Probe]) -> None:
    console.print(f"{base}: FHIR {release(statement) or 'version not said'}", markup=False)
    if not release(statement).startswith("4.0"):
        console.print("This service reads FHIR R4 (4.0.1): another version may be understood in part.", style="yellow")
    table = Table(box=None)
    for name in ("need", "works", "HTTP", "ms", "resources", "remark"):
        table.add_column(name)
    for probe in probes:
        remark = probe.said or (f"not declared: {', '.join(probe.unlisted)}" if probe.unlisted else "")
        row = [
            probe.need,
            "yes" if probe.works else "no",
            *map(str, (probe.status, probe.milliseconds, probe.resources)),
        ]
        table.add_row(*row, Text(remark), style="" if probe.works else "red")
    console.print(table)


def _print_scopes(console: Console, permissions: Sequence[Permission]) -> None:
    """Each scope with the needs it is for, and what the server lists for it."""
    console.print()
    table = Table(box=None)
    for syntax in permissions[0].scopes:
        table.add_column(f"scope, {syntax}", no_wrap=True)
    table.add_column("server lists")
    table.add_column("for")
    for permission in permissions:
        listed = "not said" if permission.offered is None else ", ".join(permission.offered) or "no"
        row = [*permission.scopes.values(), listed, ", ".join(permission.needs)]
        table.add_row(*map(Text, row), style="yellow" if permission.offered == () else "")
    console.print(table)

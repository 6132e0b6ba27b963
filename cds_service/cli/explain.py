"""`crs-cds explain`: the whole way of one request, step by step, as it was walked for its answer."""

from collections.abc import Iterable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import fields
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
import orjson
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cds_service.cli.grade import instant_of, read_json
from cds_service.cli.printing import grade_words, print_cards
from cds_service.cli.serve import knowledge_of
from cds_service.crs.timeline import Fact, Timeline
from cds_service.errors import InvalidInput
from cds_service.fhir.client import Connections
from cds_service.fhir.gather import Supply
from cds_service.hooks.answer import Answer
from cds_service.hooks.assessment_json import EXTENSION, instant
from cds_service.hooks.evaluate import Access
from cds_service.hooks.services import SERVICES
from cds_service.web.logs import silence_logs
from cds_service.web.settings import read_settings


@click.command()
@click.argument("request", type=click.Path(path_type=Path))
@click.option("--at", "at", metavar="TIME", help="Instant of the call, e.g. 2026-01-15T12:00:00Z. Default: now.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print the response alone, byte for byte as the service sends it."
)
def explain(request: Path, at: str | None, as_json: bool) -> None:
    """Explain the answer to a hook request: data, facts, findings, rules, cards.

    The same request at the same instant, with the same content, gives the same bytes: identifiers are derived from
    the call. A FHIR server is only asked when it is on CRS_CDS_FHIR_SERVERS.
    """
    silence_logs()
    body = read_json(request)
    answer = answer_to(body, instant_of(at) if at is not None else datetime.now(UTC))
    if as_json:
        click.echo(orjson.dumps(answer.response))
        return
    console = Console()
    _heading(console, answer)
    _data(console, answer.reading.supplies.values(), body)
    _facts(console, answer.reading.timeline)
    _findings(console, answer.response["extension"][EXTENSION], answer)
    _said(console, answer)
    console.rule("cards", align="left")
    print_cards(console, answer.cards)


def answer_to(body: Any, now: datetime) -> Answer:
    """The answer of the service of the request's hook, with the settings of the environment."""
    hook = body.get("hook") if isinstance(body, dict) else None
    known = next((service for service in SERVICES if service.hook == hook), None)
    if known is None:
        hooks = ", ".join(service.hook for service in SERVICES)
        raise InvalidInput(f"the request has hook {hook!r}: give a JSON object with one of {hooks}")
    settings = read_settings()
    knowledge = knowledge_of(settings)
    with ThreadPoolExecutor(len(knowledge.needs)) as executor:
        access = Access(
            connections=Connections(settings.ca_bundle),
            executor=executor,
            allow_list=settings.fhir_servers,
            deadline_seconds=settings.deadline_seconds,
            one_phase=settings.one_phase,
        )
        return known.answer(body, known.id, knowledge, access, now)


def _heading(console: Console, answer: Answer) -> None:
    desk = answer.desk
    known = desk.knowledge.content.knowledge
    console.print(
        f"[bold]{desk.service_id}[/bold] at {instant(desk.assessment.as_of)}, "
        f"protocol {known['id']} {known['version']}, scale {known['scale']}"
    )


def _data(console: Console, supplies: Iterable[Supply], body: Any) -> None:
    """Each need: where its data came from, and what of it is not known."""
    table = Table(title="data", title_justify="left", box=None)
    for name in ("need", "from", "state", "resources", "why"):
        table.add_column(name)
    sent = body.get("prefetch") or {}
    for supply in supplies:
        origin = "prefetch" if supply.need.key in sent else "FHIR server"
        table.add_row(
            supply.need.key,
            origin,
            supply.state.value,
            str(len(supply.resources)),
            Text(supply.reason),
            style=_style(supply),
        )
    console.print(table)


def _style(supply: Supply) -> str:
    return "" if supply.gap is None else "yellow"


def _facts(console: Console, timeline: Timeline) -> None:
    """Every fact by its kind, then what was seen and not used, then what is not known."""
    table = Table(title="facts", title_justify="left", box=None)
    for name in ("kind", "time", "fact", "resource"):
        table.add_column(name)
    for item in fields(timeline):
        value = getattr(timeline, item.name)
        for fact in value if isinstance(value, tuple) else ():
            if isinstance(fact, Fact):
                table.add_row(item.name, instant(fact.time), Text(_words(fact)), Text(fact.reference))
    for unused in timeline.unused:
        table.add_row("not used", "", Text(unused.reason), Text(unused.reference), style="yellow")
    for kind, gap in timeline.gaps.items():
        since = f", complete since {instant(gap.known_since)}" if gap.known_since is not None else ""
        table.add_row("not known", "", Text(f"{kind}: {gap.reason}{since}"), "", style="yellow")
    console.print(table)


def _words(fact: Fact) -> str:
    """What a fact says, member by member, without its time and reference."""
    said = ((item.name, getattr(fact, item.name)) for item in fields(fact) if item.name not in ("time", "reference"))
    return ", ".join(f"{name} {value}" for name, value in said if value not in (None, "", (), False))


def _findings(console: Console, assessment: dict[str, Any], answer: Answer) -> None:
    console.rule("assessment", align="left")
    console.print(f"[bold]{grade_words(assessment)}[/bold]")
    for finding in answer.desk.assessment.findings:
        rules = f" [{', '.join(finding.rules)}]" if finding.rules else ""
        grade = f", grade {finding.grade}" if finding.grade is not None else ""
        console.print(f"  {finding.criterion.value}: {finding.state.value}{grade}{rules}; {finding.rule}", markup=False)
        for item in finding.evidence:
            console.print(f"    {item.display} at {instant(item.time)} ({item.reference})", markup=False)
        for words in (*finding.missing, *finding.doubts, *finding.notes):
            console.print(f"    {words}", markup=False)


def _said(console: Console, answer: Answer) -> None:
    """Which sentences the rules said, by their key in cards/text/sentences.toml, and with which values."""
    console.rule("said", align="left")
    for line in answer.lines:
        values = ", ".join(f"{name}={value}" for name, value in line.values.items() if value not in (None, ""))
        console.print(f"  {line.say.value}" + (f" ({values})" if values else ""), markup=False)

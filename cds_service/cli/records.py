"""`crs-cds records` and `crs-cds report`: what the service kept of its answers and of the feedback to them."""

import re
import sys
from collections.abc import Callable, Iterable, Iterator
from contextlib import contextmanager
from datetime import UTC, date, datetime, timedelta
from pathlib import Path
from typing import Any, TypeVar

import click
import orjson
from rich.console import Console
from rich.progress import Progress

from cds_service.errors import InvalidInput
from cds_service.store.chain import Head
from cds_service.store.export import COLUMNS, export
from cds_service.store.report import period
from cds_service.store.schema import check
from cds_service.store.store import Store
from cds_service.web.report import FORMATS, count, written
from cds_service.web.settings import Settings, read_settings
from cds_service.web.spreadsheet import csv_lines

Command = TypeVar("Command", bound=Callable[..., Any])
FAULTS_SHOWN = 20
_CONFIG = click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML), as for serve.")


def _days(command: Command) -> Command:
    """The options that name a stretch of days."""
    day = click.DateTime(["%Y-%m-%d"])
    first = click.option("--from", "first", type=day, help="First day, 30 days with the last by default.")
    last = click.option("--to", "last", type=day, help="Last day, in it; today by default.")
    return first(last(_CONFIG(command)))


@contextmanager
def _store(settings: Settings) -> Iterator[Store]:
    """The store of an installation. Raises InvalidInput when there is none."""
    check(settings.store_url)
    store = Store.open(settings.store_url)
    try:
        yield store
    finally:
        store.close()


def _date(value: datetime | None) -> date | None:
    return value.date() if value is not None else None


@click.group()
def records() -> None:
    """What was answered and what clinicians said to it: export, purge, verify."""


@records.command()
@click.option("--older-than", type=click.IntRange(0, 36_500), help="Days; CRS_CDS_RETENTION_DAYS by default.")
@_CONFIG
def purge(older_than: int | None, config: Path | None) -> None:
    """Remove what is older than the retention, for good."""
    settings = read_settings(config)
    days = settings.retention_days if older_than is None else older_than
    with _store(settings) as store:
        now = datetime.now(UTC)
        gone = store.purge(now - timedelta(days=days))
        store.forget_tokens(now)
    click.echo(f"removed what is older than {days} days: {gone.answers} answers, {gone.feedback} entries of feedback")


def _head(_: click.Context, __: click.Parameter, value: str | None) -> Head | None:
    if value is None:
        return None
    position, _sep, digest = value.partition(":")
    if not position.isdecimal() or not re.fullmatch("[0-9a-f]{64}", digest):
        raise click.BadParameter("write it as `crs-cds records verify` printed it: 1234:0f3a...")
    return Head(position=int(position), hash=digest)


@records.command("verify")
@click.option("--head", callback=_head, help="A head that was printed before and must still stand in the chain.")
@_CONFIG
def verify_records(head: Head | None, config: Path | None) -> None:
    """Say whether any record was changed, removed or added by hand; exit status 1 if so. Prints the head, to keep."""
    with _store(read_settings(config)) as store:
        verdict = store.verify(head)
    for fault in verdict.faults[:FAULTS_SHOWN]:
        click.echo(fault, err=True)
    if len(verdict.faults) > FAULTS_SHOWN:
        click.echo(f"and {len(verdict.faults) - FAULTS_SHOWN} more", err=True)
    if verdict.purged_before is not None:
        click.echo(f"a purge removed what was older than {verdict.purged_before.isoformat()}", err=True)
    click.echo(f"{verdict.records} records, {len(verdict.faults)} faults", err=True)
    click.echo(str(verdict.head))
    if verdict.faults:
        sys.exit(1)


@records.command("export")
@_days
@click.option("--format", "kind", type=click.Choice(["jsonl", "csv"]), default="jsonl", show_default=True)
def export_records(first: datetime | None, last: datetime | None, config: Path | None, kind: str) -> None:
    """Write answers, cards and feedback to standard output."""
    settings = read_settings(config)
    since, until = period(_date(first), _date(last), datetime.now(UTC), settings.zone)
    with _store(settings) as store:
        counts = store.count(since, until)
        rows = _progress(export(store, since, until), counts.answers + counts.feedback)
        for line in map(_json_line, rows) if kind == "jsonl" else csv_lines(_sheet(rows)):
            sys.stdout.write(line)


def _progress(rows: Iterable[dict[str, Any]], total: int) -> Iterator[dict[str, Any]]:
    """The rows, counted on standard error where somebody watches it; cards come with their answer."""
    console = Console(stderr=True)
    with Progress(console=console, transient=True, disable=not console.is_terminal) as progress:
        task = progress.add_task("records", total=total)
        for row in rows:
            yield row
            progress.advance(task, 0 if row["record"] == "card" else 1)


def _json_line(row: dict[str, Any]) -> str:
    kept = {name: row[name] for name in COLUMNS if row.get(name) is not None}
    return orjson.dumps(kept).decode() + "\n"


def _sheet(rows: Iterable[dict[str, Any]]) -> Iterator[list[object]]:
    yield list(COLUMNS)
    for row in rows:
        yield [_cell(row.get(name)) for name in COLUMNS]


def _cell(value: object) -> object:
    if isinstance(value, list | dict):
        return orjson.dumps(value).decode()
    return "" if value is None else value


@click.command()
@_days
@click.option("--format", "kind", type=click.Choice(list(FORMATS)), default="html", show_default=True)
@click.option("--json", "as_json", is_flag=True, help="The same as --format json.")
@click.option("--out", type=click.Path(dir_okay=False, path_type=Path), help="File to write in place of the output.")
def report(
    first: datetime | None, last: datetime | None, config: Path | None, kind: str, as_json: bool, out: Path | None
) -> None:
    """Report answers, cards, feedback and response times as a page, JSON or CSV."""
    settings = read_settings(config)
    with _store(settings) as store:
        counted = count(store, _date(first), _date(last), datetime.now(UTC), settings.zone)
    content = written(counted, FORMATS["json" if as_json else kind])
    if out is None:
        sys.stdout.write(content.decode())
        return
    try:
        out.write_bytes(content)
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written: {error.strerror}") from error
    click.echo(f"written to {out}", err=True)

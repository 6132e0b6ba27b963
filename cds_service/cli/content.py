"""`crs-cds content`: check, show, compare what `cards/` says, and write the schemas of its files."""

import json
import sys
from collections.abc import Iterable
from dataclasses import asdict
from itertools import groupby
from pathlib import Path
from typing import Any

import click
from rich.console import Console
from rich.padding import Padding
from rich.text import Text

from cds_service.content.comparison import Change, changes
from cds_service.content.files import data_folder
from cds_service.content.load import Content, load
from cds_service.content.schemas import schemas
from cds_service.content.statements import TEXTS, Statement, statements
from cds_service.errors import InvalidContent
from cds_service.web.settings import read_settings

SUPPLIED = "supplied-crs"
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def content() -> None:
    """Check, show and compare the knowledge in cards/."""


@content.command()
@click.argument("path", required=False, type=click.Path(exists=True, path_type=Path))
@json_option
def check(path: Path | None, as_json: bool) -> None:
    """Check a cards/ folder or one protocol file, and report every fault at once.

    Without PATH the installed cards/ are checked. The exit status is 2 when there is a fault.
    """
    try:
        loaded = load(path) if path is None or path.is_dir() else _of_file(path)
    except InvalidContent as error:
        if not as_json:
            raise
        _print_json({"sound": False, "faults": error.faults})
        sys.exit(2)
    if as_json:
        _print_json({"sound": True, "faults": []} | _names(loaded))
        return
    codes = sum(len(meaning.codes) for codes in loaded.value_sets.values() for meaning in codes.meanings)
    click.echo(
        f"content is sound: {loaded.protocol.title} {loaded.protocol.version}, {loaded.scale.title}, "
        f"{len(loaded.protocol.orders)} orders, {codes} codes, {len(loaded.sentences)} sentences, "
        f"hash {loaded.hash[:8]}"
    )


@content.command()
@click.argument("protocol", required=False)
@json_option
def show(protocol: str | None, as_json: bool) -> None:
    """Print a protocol as it holds: grade by grade, then repeats, limits, monitoring and grading.

    PROTOCOL is an id, a protocol file or a cards/ folder; without it, the one that CRS_CDS_PROTOCOL names.
    """
    shown = _named(protocol)
    base = _base(shown)
    said = [item for item in statements(shown) if item.section not in TEXTS]
    if as_json:
        changed = {"changes": _changes(base, shown)} if base is not None else {}
        _print_json(_names(shown) | changed | {"statements": list(map(asdict, said))})
        return
    console = Console(highlight=False)
    console.print(_headline(shown), style="bold")
    if base is not None:
        console.print(f"\nWhat {shown.protocol.id} changes in {base.protocol.id}", style="bold")
        _print_changes(console, changes(statements(base), statements(shown)))
        console.print("\nWhat holds", style="bold")
    for section, found in groupby(said, key=lambda item: item.section):
        console.print(f"\n{section}", style="bold")
        _print_statements(console, found)


@content.command()
@click.argument("old")
@click.argument("new")
@json_option
def diff(old: str, new: str, as_json: bool) -> None:
    """Print what NEW changes in OLD: grade by grade, then the rest.

    Each is an id, a protocol file or a cards/ folder.
    """
    before, after = _named(old), _named(new)
    if as_json:
        _print_json({"old": _names(before), "new": _names(after), "changes": _changes(before, after)})
        return
    console = Console(highlight=False)
    console.print(f"{_headline(before)}\n→ {_headline(after)}", style="bold")
    _print_changes(console, changes(statements(before), statements(after)))


@content.command()
@click.argument("folder", required=False, type=click.Path(file_okay=False, path_type=Path))
def schema(folder: Path | None) -> None:
    """Write the JSON Schemas of the content files to FOLDER; without it, to schema/ of the installed cards/."""
    target = folder or data_folder("cards") / "schema"
    target.mkdir(parents=True, exist_ok=True)
    for name, made in schemas().items():
        text = json.dumps(made, indent=2, ensure_ascii=False) + "\n"
        (target / f"{name}.schema.json").write_text(text, encoding="utf-8")


def _named(what: str | None) -> Content:
    """The content of a protocol's id, a protocol file or a cards/ folder, within what the settings say."""
    settings = read_settings()
    if what is None:
        return load(settings.content, settings.protocol)
    if Path(what).is_dir():
        return load(Path(what), settings.protocol)
    return _of_file(Path(what)) if what.endswith(".toml") else load(settings.content, what)


def _of_file(path: Path) -> Content:
    """The content of a protocol file: with the cards/ folder that it lies in, else with that of the settings."""
    around = path.resolve().parent.parent
    return load(around if (around / "scales").is_dir() else read_settings().content, str(path))


def _base(shown: Content) -> Content | None:
    """What a site's protocol is based on."""
    return load(shown.folder, shown.plan.protocol.base.table["id"]) if shown.plan.site is not None else None


def _headline(shown: Content) -> str:
    protocol = shown.protocol
    return f"{protocol.title} ({protocol.id} {protocol.version}, hash {shown.hash[:8]}), grading {shown.scale.title}"


def _names(shown: Content) -> dict[str, Any]:
    """What content is spoken of: protocol, version, scale and hash."""
    return {"protocol": shown.knowledge, "title": shown.protocol.title, "hash": shown.hash}


def _changes(old: Content, new: Content) -> list[dict[str, Any]]:
    return [asdict(change) for change in changes(statements(old), statements(new))]


def _print_json(found: dict[str, Any]) -> None:
    click.echo(json.dumps(found, indent=2, ensure_ascii=False))


def _print_statements(console: Console, said: Iterable[Statement]) -> None:
    for item in said:
        _print(console, 2, item.key, item.words)
        source = " ".join([item.meaning] * bool(item.meaning) + [f"[{item.reference}]"] * bool(item.reference))
        if source:
            _print(console, 6, "", source, "dim")


def _print_changes(console: Console, found: Iterable[Change]) -> None:
    for section, group in groupby(found, key=lambda change: change.either.section):
        console.print(f"\n{section}", style="bold")
        for change in group:
            _print(console, 2, change.either.key, change.either.meaning)
            for sign, item, style in (("-", change.old, "red"), ("→" if change.old else "+", change.new, "green")):
                if item is not None:
                    source = f" [{item.reference}]" if item.reference else ""
                    _print(console, 4, sign, item.words + source, style)


def _print(console: Console, indent: int, key: str, words: str, style: str = "") -> None:
    text = Text.assemble((key, "cyan"), "  " if key and words else "", (words, style))
    console.print(Padding(text, (0, 0, 0, indent), expand=False))

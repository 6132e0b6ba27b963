"""Value sets from `cards/codes/`."""

from datetime import date
from typing import Literal

from cds_service.content.figures import Span, Strict
from cds_service.crs.valuesets import Code, Meaning, Refusal, ValueSet


class SystemFile(Strict):
    """One code system: its URI, and other names clients use for it."""

    uri: str
    name: str
    aliases: list[str] = []


class CodeEntry(Strict):
    """One code; `system` is an alias of _systems.toml."""

    system: str
    code: str
    display: str
    confidence: Literal["verified", "one-source", "recalled"]


class MeaningEntry(Strict):
    id: str
    display: str
    group: str
    unit: Literal["", "/uL", "U/L"] = ""
    plausible: Span | None = None
    words: list[str] = []
    codes: list[CodeEntry] = []
    note: str = ""


class RefusalEntry(Strict):
    reason: str
    words: list[str] = []
    codes: list[CodeEntry] = []
    note: str = ""


class ValueSetFile(Strict):
    """The layout of a file in `cards/codes/`."""

    id: str
    title: str
    reference: str
    date: date
    meaning: list[MeaningEntry]
    refusal: list[RefusalEntry] = []


def value_set(file: ValueSetFile, systems: dict[str, SystemFile]) -> ValueSet:
    """The value set with system URIs in place of aliases. ValueError for an unknown system."""
    return ValueSet(
        id=file.id,
        title=file.title,
        meanings=tuple(_meaning(entry, systems) for entry in file.meaning),
        refusals=tuple(
            Refusal(
                reason=entry.reason,
                codes=tuple(code(item, systems) for item in entry.codes),
                words=tuple(entry.words),
            )
            for entry in file.refusal
        ),
    )


def _meaning(entry: MeaningEntry, systems: dict[str, SystemFile]) -> Meaning:
    span = entry.plausible
    if (span.unit if span else "") != entry.unit:
        raise ValueError(f"{entry.id}: 'unit' and 'plausible' must both be there, in one unit")
    return Meaning(
        id=entry.id,
        display=entry.display,
        group=entry.group,
        unit=entry.unit,
        plausible=span.range() if span else None,
        codes=tuple(code(item, systems) for item in entry.codes),
        words=tuple(entry.words),
    )


def code(entry: CodeEntry, systems: dict[str, SystemFile]) -> Code:
    """The code with the URI of its system."""
    if entry.system not in systems:
        raise ValueError(f"code system {entry.system!r} is not in _systems.toml")
    return Code(systems[entry.system].uri, entry.code, entry.display, entry.confidence)

"""What a protocol says, as a list of statements for people: first grade by grade, then table by table.

The effective protocol is printed from it and two protocols are compared by it, so that both show the same things.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import date
from typing import Any

from pydantic import BaseModel

from cds_service.content.codes import CodeEntry
from cds_service.content.figures import UNITS, Figure, Span
from cds_service.content.load import Content
from cds_service.crs.dosing import dose_rule, regimen
from cds_service.crs.protocol import Escalates, Order, Step
from cds_service.crs.valuesets import Meaning, Refusal

ESCALATES = {Escalates.WORSE: "when CRS gets worse", Escalates.NOT_BETTER: "when CRS does not get better"}
TEXTS = ("Sentences", "Templates", "Clients", "Reasons for not following a card", "About", "Codes")
"""Sections that are compared and not printed with a protocol: they are long and have files of their own."""


@dataclass(frozen=True, slots=True)
class Statement:
    """One thing that a protocol says: the key by which its file says it, in words, and who says so."""

    section: str
    key: str
    words: str
    meaning: str = ""
    reference: str = ""


def statements(content: Content) -> list[Statement]:
    """Everything that the content says, in the order in which a clinician asks."""
    return [*_steps(content), *_tables(content), *_orders(content), *_scale(content), *_texts(content)]


def _steps(content: Content) -> Iterator[Statement]:
    for name in content.protocol.infection_orders:
        order = content.protocol.orders[name]
        words = "unless done; antibiotics unless one is active"
        yield Statement("Any grade", f"orders: {name}", order_words(order), words, order.reference)
    for grade, step in sorted(content.protocol.steps.items()):
        section = f"Grade {grade}"
        for part, meaning, names in _offers(step):
            for name in names:
                order = content.protocol.orders[name]
                yield Statement(section, f"{part}: {name}", order_words(order), meaning, order.reference)
        if step.considers_repeat:
            yield Statement(section, "considers_repeat", "a repeat of tocilizumab is only to be considered")
        for key in step.care:
            yield Statement(section, f"care: {key}", content.sentences[key])


def _offers(step: Step) -> Iterator[tuple[str, str, tuple[str, ...]]]:
    yield "orders", "at once", step.orders
    yield "refractory", "when tocilizumab did not help", step.refractory
    if step.escalation is not None:
        when = ESCALATES[step.escalation.when]
        yield "escalation", f"{when}, in place of the corticosteroid that is running", (step.escalation.order,)


def order_words(order: Order) -> str:
    """An order with its dose rule: `dexamethasone 10 mg IV every 6 h for 1 to 3 days, adults only`."""
    adults = ", adults only" if order.adults_only else ""
    if order.weight_bands:
        over = f" over {order.over_minutes} min" if order.over_minutes is not None else ""
        return f"{order.text} {order.short_route}{over}, {dose_rule(order)}{adults}"
    if order.stages:
        return f"{order.text} {regimen(order, order.stages[0].mg, order.short_route)}{adults}"
    return f"{order.text}, {order.quantity}" if order.quantity else order.text


def _tables(content: Content) -> Iterator[Statement]:
    file = content.files.protocol
    for name in ("title", "citation", "date", "scale"):
        yield from _table("Protocol", name, getattr(file, name), _title(file, name))
    for name, value in file:
        if name not in ("step", "infection") and isinstance(value, BaseModel | Mapping):
            yield from _table(_title(file, name), name, value)


def _orders(content: Content) -> Iterator[Statement]:
    for name, file in content.files.orders.items():
        yield from _table(f"Order {name}", f"order.{name}", file)


def _scale(content: Content) -> Iterator[Statement]:
    file = content.files.scale
    for name, value in file:
        title = _title(file, name)
        part = "" if isinstance(value, str | date) else f": {title[:1].lower()}{title[1:]}"
        yield from _table(f"Grading{part}", f"grading.{name}", value, "" if part else title)


def _texts(content: Content) -> Iterator[Statement]:
    yield from (Statement("Sentences", f"text.{key}", text) for key, text in content.sentences.items())
    yield from (Statement("Templates", name, text) for name, text in content.templates.items())
    for client in content.clients.values():
        yield Statement("Clients", client.id, f"intent {client.intent}, update {_plain(client.update)}")
    for reason in content.override_reasons:
        yield Statement("Reasons for not following a card", reason["code"], f"{reason['display']} ({reason['system']})")
    yield from _table("About", "about", content.about)
    for name, codes in content.value_sets.items():
        for meaning in codes.meanings:
            words = f"{meaning.display} ({meaning.group}): {_members(meaning)}"
            yield Statement("Codes", f"{name}: {meaning.id}", words)
        for refusal in codes.refusals:
            yield Statement("Codes", f"{name}: refused, {refusal.reason}", _members(refusal))


def _members(entry: Meaning | Refusal) -> str:
    return ", ".join([*(f"{code.system} {code.code}" for code in entry.codes), *(f'"{word}"' for word in entry.words)])


def _title(file: BaseModel, name: str) -> str:
    return str(type(file).model_fields[name].description)


def _table(section: str, key: str, value: Any, meaning: str = "") -> Iterator[Statement]:
    """The statements of a table, of its tables and of its lists of tables."""
    if isinstance(value, Figure | Span):
        yield Statement(section, key, _figure(value), meaning, f"{value.reference}, {value.date}")
    elif isinstance(value, CodeEntry):
        yield Statement(section, key, f"{value.system} {value.code} {value.display}", meaning, value.confidence)
    elif isinstance(value, BaseModel):
        for name, inner in value:
            if name != "id":
                yield from _table(section, f"{key}.{name}", inner, _title(value, name))
    elif isinstance(value, Mapping):
        for name, inner in value.items():
            yield from _table(section, f"{key}.{name}", inner, meaning)
    elif isinstance(value, list) and value and isinstance(value[0], BaseModel):
        for place, entry in enumerate(value, 1):
            yield _entry(section, f"{key}.{getattr(entry, 'id', place)}", entry)
    elif value not in ("", None, [], {}):
        yield Statement(section, key, _plain(value), meaning)


def _entry(section: str, key: str, entry: BaseModel) -> Statement:
    """One table of a list in one line: its figures by name."""
    if isinstance(entry, Span):
        below = getattr(entry, "below_years", None)
        until = f" below {below} years" if below is not None else ""
        return Statement(section, key, _figure(entry) + until, "", f"{entry.reference}, {entry.date}")
    parts, references = [], []
    for name, value in entry:
        if isinstance(value, Figure | Span):
            parts.append(f"{name.replace('_', ' ')} {_figure(value)}")
            references.append(f"{value.reference}, {value.date}")
        elif name == "reference":
            references.append(str(value))
        elif name != "id" and value not in (None, "", False):
            parts.append(f"{name.replace('_', ' ')} {_plain(value)}")
    return Statement(section, key, ", ".join(parts), "", "; ".join(dict.fromkeys(references)))


def _figure(value: Figure[Any, Any] | Span[Any]) -> str:
    unit = UNITS.get(value.unit, value.unit)
    number = f"{value.low:f} to {value.high:f}" if isinstance(value, Span) else f"{value.value:f}"
    return f"{number} {unit}".strip()


def _plain(value: Any) -> str:
    if isinstance(value, bool):
        return "yes" if value else "no"
    return ", ".join(map(str, value)) if isinstance(value, list) else str(value)

"""Checks across files: nothing named that does not exist, nothing needed that is not there, nothing without sense."""

from collections.abc import Collection, Iterator, Mapping
from functools import cache
from pathlib import Path

from jinja2 import Environment, TemplateSyntaxError, meta
from jinja2.nodes import Filter

from cds_service.content import soundness
from cds_service.content.codes import ValueSetFile
from cds_service.content.faults import Fault
from cds_service.content.files import Source, data_folder, read_toml
from cds_service.content.lines import Key
from cds_service.content.orders import OrderFile
from cds_service.content.protocols import ProtocolFile
from cds_service.content.scales import ScaleFile
from cds_service.content.sheets import Sheet
from cds_service.crs.sentences import Say

VALUE_SETS = (
    "temperature",
    "blood-pressure",
    "oxygen",
    "oxygen-devices",
    "weight",
    "vasoactives",
    "therapies",
    "drugs",
    "laboratory",
    "cultures",
    "scores",
    "diagnoses",
    "routes",
    "culture-results",
)
SAID = frozenset(say.value for say in Say)
TEMPLATES = ("grade.md.j2", "infection.md.j2", "order.md.j2", "treatment.md.j2", "ungraded.md.j2", "unreviewed.md.j2")


def value_sets(known: Mapping[str, tuple[Sheet, ValueSetFile]], there: Collection[str]) -> Iterator[Fault]:
    """Value sets that the readers need and that no file is there for, and what makes no sense in one."""
    for name in VALUE_SETS:
        if name not in known and name not in there:
            yield Fault("codes/", 0, (), f"the value set {name!r} is missing")
    for sheet, file in known.values():
        yield from (sheet.fault(key, words) for key, words in soundness.of_codes(file))


def protocol(
    sheet: Sheet, file: ProtocolFile, orders: Collection[str] | None, sets: Mapping[str, tuple[Sheet, ValueSetFile]]
) -> Iterator[Fault]:
    """What makes no sense in a protocol, or names what is not there: the rules would pass over it in silence."""
    for key, words in soundness.of_protocol(file, orders):
        yield sheet.fault(key, words)
    for name, key, known, named in _words_of_codes(file, sets):
        if name not in known:
            yield sheet.fault(key, f"codes/{named}.toml does not know {name!r}")
    for grade, step in file.step.items():
        for place, name in enumerate(step.care):
            if name not in SAID:
                yield sheet.fault(("step", grade, "care", place), f"step {grade} names no sentence {name!r}")


def _words_of_codes(
    file: ProtocolFile, sets: Mapping[str, tuple[Sheet, ValueSetFile]]
) -> Iterator[tuple[str, Key, set[str], str]]:
    """Each word of a protocol that a value set must know: the word, its key, the words known, the value set."""
    tests = sets["laboratory"][1].meaning if "laboratory" in sets else []
    table, groups, ids = file.laboratory, {test.group for test in tests}, {test.id for test in tests}
    if tests:
        yield from ((name, ("baseline", name), groups, "laboratory") for name in file.baseline)
        for part, limits in (
            ("below", table.below),
            ("times_upper_limit", table.times_upper_limit),
            ("upper_limits", table.upper_limits),
        ):
            yield from ((name, ("laboratory", part, name), ids, "laboratory") for name in limits)
    therapies = {therapy.display for therapy in sets["therapies"][1].meaning} if "therapies" in sets else set()
    for key, products in (
        (("steroid", "early_products"), file.steroid.early_products),
        (("notes", "flow_products"), file.notes.flow_products),
    ):
        if therapies:
            yield from ((name, (*key, place), therapies, "therapies") for place, name in enumerate(products))


def order(sheet: Sheet, file: OrderFile, sets: Mapping[str, tuple[Sheet, ValueSetFile]]) -> Iterator[Fault]:
    """What makes no sense in an order; a drug that the code tables do not know is not found in a record either."""
    yield from (sheet.fault(key, words) for key, words in soundness.of_order(file))
    groups = {drug.id: drug.group for drug in sets["drugs"][1].meaning} if "drugs" in sets else {}
    if file.kind == "medication" and groups and groups.get(file.agent) != file.group:
        if file.agent not in groups:
            yield sheet.fault(("agent",), f"codes/drugs.toml knows no drug {file.agent!r}")
        else:
            yield sheet.fault(("group",), f"{file.agent} is of the group {groups[file.agent]!r} in codes/drugs.toml")


def scale(sheet: Sheet, file: ScaleFile, sets: Mapping[str, tuple[Sheet, ValueSetFile]]) -> Iterator[Fault]:
    """What makes no sense in a scale, or is not in it though a code table names it."""
    yield from (sheet.fault(key, words) for key, words in soundness.of_scale(file))
    for place, therapy in enumerate(file.therapy):
        if therapy.advice and therapy.advice not in SAID:
            words = f"the window {therapy.id} names no sentence {therapy.advice!r}"
            yield sheet.fault(("therapy", place, "advice"), words)
    devices = {device.id for device in file.device}
    windows = {window.id for window in file.therapy}
    for name, known, lacks in (
        ("oxygen-devices", devices, "the device {id!r} has no grade in the scale {scale}"),
        ("therapies", windows, "{id} names the window {group!r}, which {scale} lacks"),
    ):
        codes, table = sets.get(name, (None, None))
        for place, meaning in enumerate(table.meaning if table is not None else ()):
            named = meaning.id if name == "oxygen-devices" else meaning.group
            if codes is not None and named not in known:
                words = lacks.format(id=meaning.id, group=meaning.group, scale=file.id)
                yield codes.fault(("meaning", place), words)


def sentences(sheet: Sheet, texts: Mapping[str, str]) -> Iterator[Fault]:
    """Sentences that are missing, that nothing says, or that cannot be filled."""
    yield from (sheet.fault((key,), f"the sentence {key!r} is missing") for key in sorted(SAID - set(texts)))
    shipped = read_toml(data_folder("cards") / "text" / "sentences.toml")
    for key, text in texts.items():
        if key not in SAID:
            yield sheet.fault((key,), f"nothing says {key!r}")
        yield from (sheet.fault((key,), words) for _, words in _unfillable(text, str(shipped.get(key, text))))


def templates(found: Mapping[str, Source], folder: Path) -> Iterator[Fault]:
    """Templates that are missing or that cannot be filled."""
    for name in TEMPLATES:
        if f"text/{name}" not in found:
            yield Fault("text/", 0, (), f"the template {name} is missing")
    for name, template in found.items():
        shipped = data_folder("cards") / name
        original = shipped.read_text(encoding="utf-8") if shipped.is_file() else template.text
        yield from (Fault(name, line, (), words) for line, words in _unfillable(template.text, original))


@cache
def _unfillable(text: str, shipped: str) -> tuple[tuple[int, str], ...]:
    """Why a text cannot be filled: advice gives it the values that the shipped one names, and no others."""
    environment = Environment(autoescape=False)  # noqa: S701 - parsed here, never rendered
    environment.filters["sentence"] = str
    try:
        parsed = environment.parse(text)
        given = meta.find_undeclared_variables(environment.parse(shipped))
    except TemplateSyntaxError as error:
        return ((error.lineno, f"cannot be read as a text with values: {error.message}"),)
    known = ", ".join(sorted(given)) or "none"
    values = sorted(meta.find_undeclared_variables(parsed) - given)
    filters = {node.name: node.lineno for node in parsed.find_all(Filter) if node.name not in environment.filters}
    return (
        *((_line(text, name), f"there is no value {name!r}; there are: {known}") for name in values),
        *((line, f"there is no filter {name!r}") for name, line in filters.items()),
    )


def _line(text: str, name: str) -> int:
    """The first line with a name."""
    return text[: text.find(name)].count("\n") + 1

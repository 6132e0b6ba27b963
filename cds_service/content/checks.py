"""Checks across files: nothing named that does not exist, nothing needed that is not there."""

from collections.abc import Iterator, Mapping

from jinja2 import Environment, TemplateSyntaxError, meta
from jinja2.nodes import Filter

from cds_service.crs.protocol import Protocol
from cds_service.crs.scale import Scale
from cds_service.crs.sentences import Say
from cds_service.crs.valuesets import ValueSet

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
TEMPLATES = ("grade.md.j2", "infection.md.j2", "order.md.j2", "treatment.md.j2", "ungraded.md.j2")


def faults(
    protocol: Protocol | None,
    scale: Scale | None,
    value_sets: Mapping[str, ValueSet],
    sentences: Mapping[str, str],
    templates: Mapping[str, str],
    shipped: Mapping[str, str],
) -> Iterator[str]:
    """Every fault that only shows when files are read together; what could not be read itself is passed over.

    `shipped` are the sentences and templates that come with this version, by name.
    """
    yield from (f"codes/: the value set {name!r} is missing" for name in VALUE_SETS if name not in value_sets)
    yield from _sentences(sentences)
    yield from (f"text/: the template {name} is missing" for name in TEMPLATES if name not in templates)
    yield from _templates({**templates, **sentences}, shipped)
    if protocol is not None:
        yield from _care(protocol)
    if scale is not None:
        yield from _devices(scale, value_sets)
        yield from _windows(scale, value_sets)


def _devices(scale: Scale, value_sets: Mapping[str, ValueSet]) -> Iterator[str]:
    meanings = value_sets["oxygen-devices"].meanings if "oxygen-devices" in value_sets else ()
    for meaning in meanings:
        if meaning.id not in scale.devices:
            yield f"codes/oxygen-devices.toml: the device {meaning.id!r} has no grade in the scale {scale.id}"


def _windows(scale: Scale, value_sets: Mapping[str, ValueSet]) -> Iterator[str]:
    meanings = value_sets["therapies"].meanings if "therapies" in value_sets else ()
    for meaning in meanings:
        if meaning.group not in scale.therapy_windows:
            yield f"codes/therapies.toml: {meaning.id} names the window {meaning.group!r}, which {scale.id} lacks"
    for window in scale.therapy_windows.values():
        if window.advice and window.advice not in SAID:
            yield f"scales/: the window {window.id} names no sentence {window.advice!r}"


def _sentences(sentences: Mapping[str, str]) -> Iterator[str]:
    yield from (f"text/sentences.toml: the sentence {key!r} is missing" for key in sorted(SAID - set(sentences)))
    yield from (f"text/sentences.toml: nothing says {key!r}" for key in sorted(set(sentences) - SAID))


def _care(protocol: Protocol) -> Iterator[str]:
    for grade, step in protocol.steps.items():
        yield from (f"protocols/: step {grade} names no sentence {key!r}" for key in step.care if key not in SAID)


def _templates(texts: Mapping[str, str], shipped: Mapping[str, str]) -> Iterator[str]:
    """Texts that cannot be filled: advice gives a sentence the values that the shipped one names, and no others."""
    environment = Environment(autoescape=False)  # noqa: S701 - parsed here, never rendered
    environment.filters["sentence"] = str
    for name, text in texts.items():
        try:
            parsed = environment.parse(text)
        except TemplateSyntaxError as error:
            yield f"text/: {name}: line {error.lineno}: {error.message}"
            continue
        given = meta.find_undeclared_variables(environment.parse(shipped.get(name, text)))
        for unknown in sorted(meta.find_undeclared_variables(parsed) - given):
            yield f"text/: {name}: there is no value {unknown!r}; there are: {', '.join(sorted(given)) or 'none'}"
        for used in sorted({node.name for node in parsed.find_all(Filter)} - set(environment.filters)):
            yield f"text/: {name}: there is no filter {used!r}"

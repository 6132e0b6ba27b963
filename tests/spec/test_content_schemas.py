"""JSON Schemas of the content files: those that are kept are those of the layouts, and they accept and refuse alike."""

import datetime
import json
import tomllib
from collections.abc import Iterator
from copy import deepcopy
from fnmatch import fnmatch
from typing import Any

import pytest
from jsonschema import Draft202012Validator, FormatChecker

from cds_service.content.files import data_folder
from cds_service.content.schemas import LAYOUTS, schemas

CARDS = data_folder("cards")
FILES = sorted(str(path.relative_to(CARDS)) for path in CARDS.rglob("*.toml"))
SCHEMAS = schemas()


def layout_of(file: str) -> str:
    (name,) = [name for name, (pattern, _) in LAYOUTS.items() if fnmatch(file, pattern)]
    return name


def as_json(value: Any) -> Any:
    """A TOML table as an editor hands it to a schema: dates as text."""
    if isinstance(value, dict):
        return {key: as_json(inner) for key, inner in value.items()}
    if isinstance(value, list):
        return [as_json(inner) for inner in value]
    return value.isoformat() if isinstance(value, datetime.date) else value


def table(file: str) -> dict[str, Any]:
    made: dict[str, Any] = as_json(tomllib.loads((CARDS / file).read_text(encoding="utf-8")))
    return made


def faults(name: str, content: dict[str, Any]) -> list[str]:
    validator = Draft202012Validator(SCHEMAS[name], format_checker=FormatChecker())
    return [error.message for error in validator.iter_errors(content)]


def test_the_schemas_that_are_kept_are_those_of_the_layouts() -> None:
    kept = {path.name: json.loads(path.read_text(encoding="utf-8")) for path in (CARDS / "schema").iterdir()}
    assert kept == {f"{name}.schema.json": schema for name, schema in SCHEMAS.items()}


@pytest.mark.parametrize("name", SCHEMAS)
def test_each_schema_is_a_schema(name: str) -> None:
    Draft202012Validator.check_schema(SCHEMAS[name])
    assert SCHEMAS[name]["$schema"] == "https://json-schema.org/draft/2020-12/schema"


@pytest.mark.parametrize("file", FILES)
def test_every_file_that_ships_fits_its_schema_and_names_it_in_its_first_line(file: str) -> None:
    first = (CARDS / file).read_text(encoding="utf-8").splitlines()[0]
    assert first.endswith(f"schema/{layout_of(file)}.schema.json")
    assert ((CARDS / file).parent / first.removeprefix("#:schema ")).resolve().is_file()
    assert faults(layout_of(file), table(file)) == []


def keys(schema: dict[str, Any]) -> Iterator[tuple[str, dict[str, Any]]]:
    for name, part in {"": schema, **schema.get("$defs", {})}.items():
        for key, value in part.get("properties", {}).items():
            yield f"{name}.{key}", value


@pytest.mark.parametrize("name", SCHEMAS)
def test_an_editor_can_say_what_every_key_means(name: str) -> None:
    assert [key for key, value in keys(SCHEMAS[name]) if not value.get("description")] == []


SUPPLIED, SITE, SCALE = "protocols/supplied.toml", "protocols/example-hospital.toml", "scales/astct-2019.toml"
FIGURE = {"value": 8, "unit": "h", "reference": "r", "date": "2026-01-01"}


@pytest.mark.parametrize(
    ("file", "path", "value"),
    [
        (SUPPLIED, "tocilizumab.colour", 1),
        (SUPPLIED, "colour", 1),
        (SUPPLIED, "tocilizumab.repeat_after.unit", "mg"),
        (SUPPLIED, "tocilizumab.repeat_after.value", "72"),
        (SUPPLIED, "tocilizumab.repeat_after.value", 0),
        (SUPPLIED, "tocilizumab.maximum_doses.value", 1.5),
        (SUPPLIED, "tocilizumab.repeat_after.date", "yesterday"),
        (SUPPLIED, "tocilizumab.repeat_after.date", None),
        (SUPPLIED, "tocilizumab.repeat_after", None),
        (SUPPLIED, "tocilizumab", None),
        (SUPPLIED, "step.5", {}),
        (SUPPLIED, "step.3.escalation.when", "soon"),
        (SUPPLIED, "grading", {}),
        (SITE, "title", None),
        (SITE, "based_on", 5),
        (SITE, "colour", 1),
        (SITE, "tocilizumab.colour", 1),
        (SITE, "tocilizumab.repeat_after.unit", None),
        (SITE, "tocilizumab.repeat_after.unit", "kg"),
        (SITE, "grading.title", "ours"),
        (SITE, "grading.hypoxia.saturation.unit", "1"),
        (SITE, "order.cefepime.id", "cefepime"),
        (SITE, "order.cefepime.stage", [{"every": FIGURE}]),
        (SITE, "order.blood-cultures.code.code", None),
        (SITE, "text.icu-transfer", 1),
        (SITE, "weight", {"plausible": [{"low": 1, "high": 2, "unit": "kg", "reference": "r"}]}),
        (SCALE, "fever.threshold.unit", "[degF]"),
        (SCALE, "fever.threshold.value", "38.0"),
        (SCALE, "plausible.weight.unit", "[lb_av]"),
        (SCALE, "fever.colour", 1),
        ("orders/tocilizumab.toml", "maximum.unit", "g"),
        ("orders/tocilizumab.toml", "route", 1),
        ("orders/tocilizumab.toml", "code", None),
        ("orders/blood-cultures.toml", "kind", "wish"),
        ("codes/drugs.toml", "date", None),
        ("codes/_systems.toml", "loinc.colour", 1),
        ("clients/generic.toml", "intent", "plan"),
        ("text/sentences.toml", "icu-now", 1),
        ("about.toml", "data_use.sex", None),
        ("about.toml", "revised", "soon"),
        ("text/override-reasons.toml", "reason", [{"code": "x"}]),
    ],
)
def test_a_wrong_key_a_wrong_unit_and_a_missing_key_are_refused(file: str, path: str, value: Any) -> None:
    changed = deepcopy(table(file))
    *names, last = path.split(".")
    inner = changed
    for name in names:
        inner = inner[name]
    if value is None:
        del inner[last]
    else:
        inner[last] = value
    assert faults(layout_of(file), changed)


def test_a_site_may_give_any_part_of_a_protocol_and_a_whole_protocol_must_give_all() -> None:
    site = {key: table(SITE)[key] for key in ("id", "version", "title", "citation", "date", "based_on")}
    for part in ("", "weight", "step", "laboratory"):
        assert faults("protocol", site | ({part: {}} if part else {})) == []
    assert faults("protocol", site | {"tocilizumab": {"repeat_when_worse": FIGURE}}) == []
    assert faults("protocol", {key: value for key, value in site.items() if key != "based_on"})

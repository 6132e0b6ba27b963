"""The invented patients of fhir_fixtures/: each a folder with a Bundle, what is expected of it, and its sentence.

A story happens around one instant, the `timestamp` of its Bundle, and is moved as a whole to the present when it is
told. Pure but for reading the two files of a story.
"""

import json
import re
import tomllib
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from importlib.resources.abc import Traversable
from typing import Any

from cds_service.errors import InvalidInput
from cds_service.fhir.elements import Json, objects

_DATE = re.compile(r"\d{4}-\d\d-\d\d", re.ASCII)
_DATE_TIME = re.compile(r"(\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d)(\.\d+)?(Z|[+-]\d\d:\d\d)", re.ASCII)
_NEVER_DATES = frozenset({"code", "fullUrl", "id", "reference", "system", "url", "value", "versionId"})


@dataclass(frozen=True, slots=True)
class Story:
    """An invented patient: `expect` is expect.toml without its sentence, `bundle` has the dates as written."""

    name: str
    sentence: str
    expect: dict[str, Any]
    bundle: dict[str, Any]


def shifted(bundle: dict[str, Any], now: datetime) -> dict[str, Any]:
    """A copy of the story Bundle in which its `timestamp`, and every other date by as much, has moved to `now`.

    Whole seconds are moved, and whole days where there is only a date (rounded down); a dateTime keeps its own zone
    offset. Year and year-month, ids, references, codes and the values of identifiers stay as they are.
    """
    difference = now.replace(microsecond=0) - _anchor(bundle)
    moved: dict[str, Any] = _moved(bundle, difference)
    return moved


def dangling(bundle: Json) -> Iterator[tuple[str, str]]:
    """The references of a story Bundle that lead to none of its resources: whose, and where to."""
    resources = [entry["resource"] for entry in objects(bundle.get("entry"))]
    known = {_name(resource) for resource in resources}
    for resource in resources:
        contained = {f"#{inner.get('id')}" for inner in objects(resource.get("contained"))}
        yield from ((_name(resource), target) for target in _references(resource) if target not in known | contained)


def _name(resource: Json) -> str:
    return f"{resource['resourceType']}/{resource['id']}"


def _references(value: Any) -> Iterator[str]:
    """Every reference in a JSON value, however deep."""
    if isinstance(value, list):
        for item in value:
            yield from _references(item)
    elif isinstance(value, dict):
        if isinstance(value.get("reference"), str):
            yield value["reference"]
        for item in value.values():
            yield from _references(item)


def story_names(folder: Traversable) -> list[str]:
    """The names of the stories in the folder, sorted; InvalidInput if there is no such folder."""
    try:
        return sorted(item.name for item in folder.iterdir() if item.is_dir() and item.name[0] not in "._")
    except OSError:
        raise InvalidInput(f"The folder of stories {folder} cannot be read.") from None


def load_story(folder: Traversable, name: str) -> Story:
    """The story of that name, its dates as written; InvalidInput if it is missing or a file of it is not usable."""
    names = story_names(folder)
    if name not in names:
        raise InvalidInput(f"There is no story {name!r} in {folder}, only: {', '.join(names) or 'none'}.")
    bundle = _read(folder / name / "bundle.json", json.loads)
    expect = _read(folder / name / "expect.toml", tomllib.loads)
    sentence = expect.pop("story", None)
    if not isinstance(sentence, str) or not sentence.strip():
        raise InvalidInput(f"{folder / name / 'expect.toml'} has no sentence under the key story.")
    if bundle.get("resourceType") != "Bundle":
        raise InvalidInput(f"{folder / name / 'bundle.json'} is not a FHIR Bundle.")
    return Story(name, sentence, expect, bundle)


def _read(file: Traversable, parse: Callable[[str], Any]) -> dict[str, Any]:
    try:
        content = parse(file.read_text(encoding="utf-8"))
    except OSError:
        raise InvalidInput(f"The file {file} of a story is missing or cannot be read.") from None
    except ValueError as fault:
        raise InvalidInput(f"The file {file} of a story cannot be understood: {fault}.") from None
    if not isinstance(content, dict):
        raise InvalidInput(f"The file {file} of a story does not hold an object.")
    return content


def _anchor(bundle: dict[str, Any]) -> datetime:
    timestamp = bundle.get("timestamp")
    try:
        if isinstance(timestamp, str) and _DATE_TIME.fullmatch(timestamp):
            return datetime.fromisoformat(timestamp).replace(microsecond=0)
    except ValueError:
        pass
    raise InvalidInput("A story Bundle needs a timestamp, the instant its dates are relative to, with a time zone.")


def _moved(element: Any, difference: timedelta) -> Any:
    if isinstance(element, dict):
        return {
            name: value if name in _NEVER_DATES and isinstance(value, str) else _moved(value, difference)
            for name, value in element.items()
        }
    if isinstance(element, list):
        return [_moved(item, difference) for item in element]
    return _moved_text(element, difference) if isinstance(element, str) else element


def _moved_text(text: str, difference: timedelta) -> str:
    """The text moved in time if it is a date or dateTime that exists and still does after the move."""
    try:
        if _DATE.fullmatch(text):
            return (date.fromisoformat(text) + timedelta(days=difference.days)).isoformat()
        if match := _DATE_TIME.fullmatch(text):
            clock, fraction, zone = match.groups(default="")
            return (datetime.fromisoformat(clock) + difference).isoformat() + fraction + zone
    except (ValueError, OverflowError):
        return text
    return text

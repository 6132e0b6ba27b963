"""Search as HAPI FHIR does it, over plain resources: ONE table of parameters, and a test for each kind of value.

A date without a zone is read as UTC; a `code` element such as `status` has no system.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from typing import Any, NamedTuple

from cds_service.errors import FhirBadRequest, FhirNotFound

Resource = dict[str, Any]
Interval = tuple[datetime, datetime]
Query = Sequence[tuple[str, str]]


class Parameter(NamedTuple):
    """A search parameter: the kind of its value, the element paths it looks at, the only type it may refer to."""

    kind: str
    paths: str
    target: str = ""


_ALL = {
    "_id": Parameter("token", "id"),
    "_lastUpdated": Parameter("date", "meta.lastUpdated"),
    "_tag": Parameter("token", "meta.tag"),
    "identifier": Parameter("token", "identifier"),
}
_SUBJECT = {
    **_ALL,
    "patient": Parameter("reference", "subject.reference", "Patient"),
    "subject": Parameter("reference", "subject.reference"),
}
_STATUS, _CODE = {"status": Parameter("token", "status")}, {"code": Parameter("token", "code.coding")}
_CODED = {**_SUBJECT, **_STATUS, **_CODE}
_DRUG = {**_SUBJECT, **_STATUS, "code": Parameter("token", "medicationCodeableConcept.coding")}
_CLINICAL_STATUS = {"clinical-status": Parameter("token", "clinicalStatus.coding")}
_EFFECTIVE = Parameter("date", "effectiveDateTime effectivePeriod effectiveInstant")
_RECORDED, _AUTHORED = Parameter("date", "recordedDate"), Parameter("date", "authoredOn")
_NAMES = {"family": Parameter("string", "name.family"), "given": Parameter("string", "name.given")}
_NAME = Parameter("string", "name.family name.given name.prefix name.suffix name.text")
_ONSET = Parameter("date", "onsetDateTime onsetPeriod")
_ALLERGEN = Parameter("token", "code.coding reaction.substance.coding")

SEARCH_PARAMETERS: dict[str, dict[str, Parameter]] = {
    "Patient": {**_ALL, **_NAMES, "name": _NAME},
    "Practitioner": _ALL,
    "Observation": {**_CODED, "category": Parameter("token", "category.coding"), "date": _EFFECTIVE},
    "MedicationAdministration": {**_DRUG, "effective-time": _EFFECTIVE},
    "MedicationRequest": {**_DRUG, "authoredon": _AUTHORED},
    "Medication": {**_ALL, **_CODE, **_STATUS},
    "Procedure": {**_CODED, "date": Parameter("date", "performedDateTime performedPeriod")},
    "Condition": {**_SUBJECT, **_CODE, **_CLINICAL_STATUS, "onset-date": _ONSET, "recorded-date": _RECORDED},
    "AllergyIntolerance": {
        **_ALL,
        **_CLINICAL_STATUS,
        "patient": Parameter("reference", "patient.reference", "Patient"),
        "code": _ALLERGEN,
        "date": _RECORDED,
    },
    "ServiceRequest": {**_CODED, "authored": _AUTHORED},
    "DiagnosticReport": {**_CODED, "date": _EFFECTIVE},
    "DeviceUseStatement": _SUBJECT,
    "Encounter": {**_SUBJECT, **_STATUS, "date": Parameter("date", "period")},
    "Specimen": {**_SUBJECT, **_STATUS},
}

_DATE = re.compile(r"(\d{4}(?:-\d\d(?:-\d\d(?:T\d\d:\d\d(?::\d\d(?:\.\d+)?)?)?)?)?)(Z|[+-]\d\d:\d\d)?", re.ASCII)
_WIDTHS = {4: timedelta(366), 7: timedelta(31), 10: timedelta(1), 16: timedelta(minutes=1), 19: timedelta(seconds=1)}
ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
PAGE_SIZE, LARGEST_PAGE = 20, 500
_RESULT_PARAMETERS = frozenset({"_sort", "_count", "_offset"})
_BEGINNING, _END = datetime.min.replace(tzinfo=UTC), datetime.max.replace(tzinfo=UTC)
_COMPARE: dict[str, Callable[[Interval, Interval], bool]] = {
    "eq": lambda value, asked: asked[0] <= value[0] and value[1] <= asked[1],
    "gt": lambda value, asked: value[1] > asked[1],
    "ge": lambda value, asked: value[1] > asked[0],
    "lt": lambda value, asked: value[0] < asked[0],
    "le": lambda value, asked: value[0] < asked[1],
}


def supported(resource_type: str) -> dict[str, Parameter]:
    """The search parameters of a resource type; FhirNotFound for a type that this server does not have."""
    if resource_type not in SEARCH_PARAMETERS:
        raise FhirNotFound(f"This server has no resource type {resource_type!r}.")
    return SEARCH_PARAMETERS[resource_type]


def _interval(text: str) -> Interval:
    """From, up to (not including): 2026-11 is the whole of November."""
    if not (date := _DATE.fullmatch(text)) or (date[2] and len(date[1]) < 16):
        raise ValueError("not a FHIR dateTime")
    start = datetime.fromisoformat(date[1] + "-01-01"[max(0, len(date[1]) - 4) :] + (date[2] or ""))
    start = start.replace(tzinfo=start.tzinfo or UTC)
    end = start + _WIDTHS.get(len(date[1]), timedelta(microseconds=1))
    return start, end.replace(day=1) if len(date[1]) < 10 else end


def _span(value: Any) -> Interval | None:
    """What a dateTime, instant or Period covers; None if it cannot be read."""
    try:
        if isinstance(value, str):
            return _interval(value)
        start, end = value.get("start"), value.get("end")
        return (_interval(start)[0] if start else _BEGINNING), (_interval(end)[1] if end else _END)
    except (AttributeError, TypeError, ValueError, OverflowError):
        return None


def _values(element: Any, path: Sequence[str]) -> Iterator[Any]:
    if isinstance(element, list):
        for item in element:
            yield from _values(item, path)
    elif path and isinstance(element, dict):
        yield from _values(element.get(path[0]), path[1:])
    elif not path and element is not None:
        yield element


def _found(resource: Resource, parameter: Parameter) -> list[Any]:
    return [value for path in parameter.paths.split() for value in _values(resource, path.split("."))]


def _plain(text: str) -> str:
    return re.sub(r"\\([\\,|$])", r"\1", text)


def _folded(text: str) -> str:
    return "".join(c for c in unicodedata.normalize("NFKD", text) if not unicodedata.combining(c)).casefold()


def _token_test(asked: str) -> Callable[[Any], bool]:
    parts = [_plain(part) for part in re.split(r"(?<!\\)\|", asked)]
    system, code = "|".join(parts[:-1]), parts[-1]

    def test(value: Any) -> bool:
        coding = value if isinstance(value, dict) else {"code": value}
        held = coding.get("code", coding.get("value"))
        return code in ("", held) and (len(parts) == 1 or (coding.get("system") or "") == system)

    return test


def _date_test(asked: str) -> Callable[[Any], bool]:
    prefix, text = (asked[:2], asked[2:]) if asked[:1].isalpha() else ("eq", asked)
    wanted = _span(text)
    if prefix not in _COMPARE or wanted is None:
        raise FhirBadRequest(f"{asked!r} is not a date with one of the prefixes {', '.join(_COMPARE)}.")

    def test(value: Any) -> bool:
        span = _span(value)
        return span is not None and _COMPARE[prefix](span, wanted)

    return test


def _reference_test(asked: str, target: str, base: str) -> Callable[[Any], bool]:
    def relative(reference: str) -> str:
        return reference.removeprefix(f"{base}/").partition("/_history/")[0]

    wanted = relative(_plain(asked))

    def test(value: Any) -> bool:
        reference = relative(str(value))
        owner, _, identifier = reference.rpartition("/")
        right_type = not target or owner.rpartition("/")[2] == target
        return right_type and (reference == wanted or (identifier == wanted and owner.isalpha()))

    return test


def _test(asked: str, parameter: Parameter, base: str) -> Callable[[Any], bool]:
    match parameter.kind:
        case "token":
            return _token_test(asked)
        case "date":
            return _date_test(asked)
        case "reference":
            return _reference_test(asked, parameter.target, base)
        case _:
            return lambda value: isinstance(value, str) and _folded(value).startswith(_folded(_plain(asked)))


def criterion(parameter: Parameter, value: str, base: str) -> Callable[[Resource], bool]:
    """A comma means or: one of the values asked for is one of the values found."""
    tests = [_test(asked, parameter, base) for asked in re.split(r"(?<!\\),", value) if asked]
    return lambda resource: any(test(found) for found in _found(resource, parameter) for test in tests)


def understood(known: Collection[str], query: Query, strict: bool) -> list[tuple[str, str]]:
    names = {name for name, _ in query}
    if modified := sorted(name for name in names if ":" in name):
        raise FhirBadRequest(f"This server knows no modifier: {', '.join(modified)}.")
    unknown = names - _RESULT_PARAMETERS - set(known)
    if strict and unknown:
        raise FhirBadRequest(f"This server does not know the search parameter {', '.join(sorted(unknown))}.")
    return [(name, value) for name, value in query if value and name not in unknown]


def number(query: Query, name: str, default: int) -> int:
    text = dict(query).get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise FhirBadRequest(f"{name} is a whole number, not {text!r}.")
    return int(text)


def ordered(resources: list[Resource], key: str, known: dict[str, Parameter]) -> list[Resource]:
    """Sorted by one key of `_sort`; resources without a value come last either way."""
    parameter = known.get(key.removeprefix("-"))
    if parameter is None or (parameter.kind != "date" and parameter.paths != "id"):
        raise FhirBadRequest(f"This server cannot sort by {key!r}.")

    def rank(resource: Resource) -> Any:
        found = _found(resource, parameter)
        starts = [span[0] for value in found if (span := _span(value))] if parameter.kind == "date" else found
        return min(starts, default=None)

    ranked = [(rank(resource), resource) for resource in resources]
    valued = [pair for pair in ranked if pair[0] is not None]
    valued.sort(key=lambda pair: pair[0], reverse=key.startswith("-"))
    return [resource for _, resource in valued] + [resource for value, resource in ranked if value is None]

"""A small, honest FHIR R4 repository in memory, for the demo and the tests.

Pure: no sockets, and the clock is an argument. It searches as HAPI FHIR does, by the parameters in SEARCH_PARAMETERS
and no others. A date without a zone is read as UTC; a `code` element such as `status` has no system.
"""

import re
import unicodedata
from collections.abc import Callable, Collection, Iterator, Sequence
from copy import deepcopy
from datetime import UTC, datetime, timedelta
from http import HTTPStatus
from itertools import count
from threading import RLock
from typing import Any, NamedTuple

from cds_service.errors import CdsError

Resource = dict[str, Any]
Interval = tuple[datetime, datetime]
Query = Sequence[tuple[str, str]]


class BadRequest(CdsError):
    """The request is not one that this FHIR server can carry out."""

    status, issue = HTTPStatus.BAD_REQUEST, "invalid"


class NotFound(CdsError):
    """There is no such resource or resource type."""

    status, issue = HTTPStatus.NOT_FOUND, "not-found"


class Deleted(CdsError):
    """There was such a resource."""

    status, issue = HTTPStatus.GONE, "deleted"


class Parameter(NamedTuple):
    """A search parameter: the kind of its value, the element paths it looks at, the only type it may refer to."""

    kind: str
    paths: str
    target: str = ""


class Page(NamedTuple):
    """One page of a search: the query that took part, all matches counted, those shown, where the next page starts."""

    query: list[tuple[str, str]]
    total: int
    resources: list[Resource]
    next_offset: int | None


_ALL = {"_id": Parameter("token", "id"), "_lastUpdated": Parameter("date", "meta.lastUpdated")}
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
    "Observation": {**_CODED, "date": _EFFECTIVE},
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
_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")
_PAGE, _LARGEST_PAGE = 20, 500
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
    """The search parameters of a resource type; NotFound for a type that this server does not have."""
    if resource_type not in SEARCH_PARAMETERS:
        raise NotFound(f"This server has no resource type {resource_type!r}.")
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
        return code in ("", coding.get("code")) and (len(parts) == 1 or (coding.get("system") or "") == system)

    return test


def _date_test(asked: str) -> Callable[[Any], bool]:
    prefix, text = (asked[:2], asked[2:]) if asked[:1].isalpha() else ("eq", asked)
    wanted = _span(text)
    if prefix not in _COMPARE or wanted is None:
        raise BadRequest(f"{asked!r} is not a date with one of the prefixes {', '.join(_COMPARE)}.")

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


def _criterion(parameter: Parameter, value: str, base: str) -> Callable[[Resource], bool]:
    """A comma means or: one of the values asked for is one of the values found."""
    tests = [_test(asked, parameter, base) for asked in re.split(r"(?<!\\),", value) if asked]
    return lambda resource: any(test(found) for found in _found(resource, parameter) for test in tests)


def _understood(known: Collection[str], query: Query, strict: bool) -> list[tuple[str, str]]:
    names = {name for name, _ in query}
    if modified := sorted(name for name in names if ":" in name):
        raise BadRequest(f"This server knows no modifier: {', '.join(modified)}.")
    unknown = names - _RESULT_PARAMETERS - set(known)
    if strict and unknown:
        raise BadRequest(f"This server does not know the search parameter {', '.join(sorted(unknown))}.")
    return [(name, value) for name, value in query if value and name not in unknown]


def _number(query: Query, name: str, default: int) -> int:
    text = dict(query).get(name, str(default))
    if not re.fullmatch(r"[0-9]{1,9}", text):
        raise BadRequest(f"{name} is a whole number, not {text!r}.")
    return int(text)


def _ordered(resources: list[Resource], key: str, known: dict[str, Parameter]) -> list[Resource]:
    """Sorted by one key of `_sort`; resources without a value come last either way."""
    parameter = known.get(key.removeprefix("-"))
    if parameter is None or (parameter.kind != "date" and parameter.paths != "id"):
        raise BadRequest(f"This server cannot sort by {key!r}.")

    def rank(resource: Resource) -> Any:
        found = _found(resource, parameter)
        starts = [span[0] for value in found if (span := _span(value))] if parameter.kind == "date" else found
        return min(starts, default=None)

    ranked = [(rank(resource), resource) for resource in resources]
    valued = [pair for pair in ranked if pair[0] is not None]
    valued.sort(key=lambda pair: pair[0], reverse=key.startswith("-"))
    return [resource for _, resource in valued] + [resource for value, resource in ranked if value is None]


def operation_outcome(error: CdsError) -> Resource:
    """The error as a FHIR OperationOutcome."""
    issue = {"severity": "error", "code": error.issue, "diagnostics": error.message}
    return {"resourceType": "OperationOutcome", "issue": [issue]}


def addressed(resource: Any, resource_type: str, resource_id: str = "") -> Resource:
    """The resource, if it is of the type and (when given) has the id that its address says; else BadRequest."""
    if not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
        raise BadRequest(f"The resource is not of the type {resource_type}.")
    if resource_id and resource.get("id") != resource_id:
        raise BadRequest(f"The id in the resource is not {resource_id!r}, the id in its address.")
    return resource


def _asked(entry: Any) -> tuple[str, str, str]:
    """Method, type and id (empty in a POST) of a Bundle entry's request."""
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or request.get("method") not in ("POST", "PUT", "DELETE"):
        raise BadRequest("Each entry of the Bundle needs a request whose method is POST, PUT or DELETE.")
    resource_type, _, resource_id = str(request.get("url")).partition("/")
    if bool(resource_id) is (request["method"] == "POST") or set(request) - {"method", "url"}:
        raise BadRequest("A POST goes to its type, a PUT or DELETE to type and id; there are no conditional requests.")
    return request["method"], resource_type, resource_id


def _resolved(element: Any, places: dict[str, str]) -> Any:
    """A copy in which references to a fullUrl of the Bundle are references to where that resource is kept."""
    if isinstance(element, list):
        return [_resolved(item, places) for item in element]
    if not isinstance(element, dict):
        return element
    copied = {name: _resolved(value, places) for name, value in element.items()}
    if isinstance(reference := copied.get("reference"), str):
        copied["reference"] = places.get(reference, reference)
    return copied


class Repository:
    """Resources by type and id, safe to use from several threads; what goes in and comes out are copies."""

    def __init__(self, clock: Callable[[], datetime]) -> None:
        self._clock = clock
        self._lock = RLock()
        self._numbers = count(1)
        self._resources: dict[str, Resource] = {}
        self._versions: dict[str, int] = {}

    def create(self, resource: Resource) -> Resource:
        """Keep the resource under a new numeric id, whatever id it has, and answer it as kept."""
        with self._lock:
            return self._keep(resource, self._new_id(str(resource.get("resourceType"))))

    def update(self, resource: Resource) -> tuple[Resource, bool]:
        """Keep the resource under its own id; answer it as kept, and True if there was none before."""
        resource_id = resource.get("id")
        if not isinstance(resource_id, str) or not _ID.fullmatch(resource_id):
            raise BadRequest("The id of a resource is 1 to 64 letters, digits, hyphens or full stops.")
        with self._lock:
            created = f"{resource.get('resourceType')}/{resource_id}" not in self._resources
            return self._keep(resource, resource_id), created

    def read(self, resource_type: str, resource_id: str) -> Resource:
        """The resource in its current version; NotFound, or Deleted if there was one."""
        supported(resource_type)
        place = f"{resource_type}/{resource_id}"
        with self._lock:
            if place in self._resources:
                return deepcopy(self._resources[place])
            raise Deleted(f"{place} was deleted.") if place in self._versions else NotFound(f"There is no {place}.")

    def delete(self, resource_type: str, resource_id: str) -> None:
        """Delete the resource; a resource that is not there is as good as deleted."""
        supported(resource_type)
        place = f"{resource_type}/{resource_id}"
        with self._lock:
            if self._resources.pop(place, None) is not None:
                self._versions[place] += 1

    def search(self, resource_type: str, query: Query, *, base: str = "", strict: bool = False) -> Page:
        """One page of the resources that match; `base` is this server's own URL, references under it are local."""
        known = supported(resource_type)
        query = _understood(known, query, strict)
        criteria = [_criterion(known[name], value, base) for name, value in query if name in known]
        size = min(_number(query, "_count", _PAGE), _LARGEST_PAGE)
        offset = _number(query, "_offset", 0)
        with self._lock:
            candidates = [found for found in self._resources.values() if found["resourceType"] == resource_type]
        matches = [resource for resource in candidates if all(criterion(resource) for criterion in criteria)]
        for key in reversed([key for name, keys in query if name == "_sort" for key in keys.split(",")]):
            matches = _ordered(matches, key, known)
        more = size > 0 and offset + size < len(matches)
        shown = deepcopy(matches[offset : offset + size])
        return Page(query, len(matches), shown, offset + size if more else None)

    def transaction(self, bundle: Resource) -> Resource:
        """Carry out a `transaction` (all entries or none) or a `batch` (each by itself); answer the response Bundle."""
        kind, entries = addressed(bundle, "Bundle").get("type"), bundle.get("entry", [])
        if kind not in ("transaction", "batch") or not isinstance(entries, list):
            raise BadRequest("This is not a Bundle of type transaction or batch.")
        with self._lock:
            answers = self._all_or_none(entries) if kind == "transaction" else [self._by_itself(e) for e in entries]
        return {"resourceType": "Bundle", "type": f"{kind}-response", "entry": answers}

    def _keep(self, resource: Resource, resource_id: str) -> Resource:
        resource_type = str(resource.get("resourceType"))
        supported(resource_type)
        place = f"{resource_type}/{resource_id}"
        meta = resource.get("meta", {})
        if not isinstance(meta, dict):
            raise BadRequest("meta is not an object.")
        version = self._versions.get(place, 0) + 1
        stamp = {"versionId": str(version), "lastUpdated": self._clock().isoformat(timespec="milliseconds")}
        kept = deepcopy({**resource, "id": resource_id, "meta": {**meta, **stamp}})
        self._resources[place], self._versions[place] = kept, version
        return deepcopy(kept)

    def _new_id(self, resource_type: str, taken: Collection[str] = ()) -> str:
        places = ((f"{resource_type}/{number}", str(number)) for number in self._numbers)
        return next(number for place, number in places if place not in self._versions and place not in taken)

    def _by_itself(self, entry: Any) -> Resource:
        try:
            return self._carry_out([entry])[0]
        except CdsError as error:
            status = f"{error.status.value} {error.status.phrase}"
            return {"response": {"status": status, "outcome": operation_outcome(error)}}

    def _all_or_none(self, entries: list[Any]) -> list[Resource]:
        before = dict(self._resources), dict(self._versions)
        try:
            return self._carry_out(entries)
        except BaseException:
            self._resources, self._versions = before
            raise

    def _carry_out(self, entries: list[Any]) -> list[Resource]:
        asked = [_asked(entry) for entry in entries]
        named = [f"{resource_type}/{resource_id}" for _, resource_type, resource_id in asked if resource_id]
        taken = set(named)
        if len(taken) < len(named):
            raise BadRequest("Two entries of the Bundle change the same resource.")
        steps = [(method, kind, known_id or self._new_id(kind, taken)) for method, kind, known_id in asked]
        places = {
            str(entry["fullUrl"]): f"{resource_type}/{resource_id}"
            for entry, (method, resource_type, resource_id) in zip(entries, steps, strict=True)
            if "fullUrl" in entry and method != "DELETE"
        }
        return [
            self._step(*step, _resolved(entry.get("resource"), places))
            for entry, step in zip(entries, steps, strict=True)
        ]

    def _step(self, method: str, resource_type: str, resource_id: str, resource: Any) -> Resource:
        if method == "DELETE":
            self.delete(resource_type, resource_id)
            return {"response": {"status": "204 No Content"}}
        resource = addressed(resource, resource_type, resource_id if method == "PUT" else "")
        kept, created = self.update({**resource, "id": resource_id})
        version, modified = kept["meta"]["versionId"], kept["meta"]["lastUpdated"]
        location = f"{resource_type}/{resource_id}/_history/{version}"
        status = "201 Created" if created else "200 OK"
        response = {"status": status, "location": location, "etag": f'W/"{version}"', "lastModified": modified}
        return {"response": response}

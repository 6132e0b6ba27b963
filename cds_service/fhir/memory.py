"""A small, honest FHIR R4 repository in memory, for the demo and the tests.

Pure: no sockets, and the clock is an argument.
"""

from collections.abc import Callable, Collection
from copy import deepcopy
from datetime import datetime
from itertools import count
from threading import RLock
from typing import Any, NamedTuple
from urllib.parse import parse_qsl

from cds_service.errors import CdsError, FhirBadRequest, FhirGone, FhirNotFound, FhirNotUnique, operation_outcome
from cds_service.fhir.search import (
    ID,
    LARGEST_PAGE,
    PAGE_SIZE,
    Query,
    Resource,
    criterion,
    number,
    ordered,
    supported,
    understood,
)


class Page(NamedTuple):
    """One page of a search: the query that took part, all matches counted, those shown, where the next page starts."""

    query: list[tuple[str, str]]
    total: int
    resources: list[Resource]
    next_offset: int | None


def addressed(resource: Any, resource_type: str, resource_id: str = "") -> Resource:
    """The resource, if it is of the type and (when given) has the id that its address says; else FhirBadRequest."""
    if not isinstance(resource, dict) or resource.get("resourceType") != resource_type:
        raise FhirBadRequest(f"The resource is not of the type {resource_type}.")
    if resource_id and resource.get("id") != resource_id:
        raise FhirBadRequest(f"The id in the resource is not {resource_id!r}, the id in its address.")
    return resource


def _asked(entry: Any) -> tuple[str, str, str]:
    """Method, type and id (empty in a POST) of a Bundle entry's request."""
    request = entry.get("request") if isinstance(entry, dict) else None
    if not isinstance(request, dict) or request.get("method") not in ("POST", "PUT", "DELETE"):
        raise FhirBadRequest("Each entry of the Bundle needs a request whose method is POST, PUT or DELETE.")
    resource_type, _, resource_id = str(request.get("url")).partition("/")
    allowed = {"method", "url", *(["ifNoneExist"] if request["method"] == "POST" else [])}
    if bool(resource_id) is (request["method"] == "POST") or set(request) - allowed:
        raise FhirBadRequest(
            "A POST goes to its type, with ifNoneExist or without, a PUT or DELETE to type and id; there are no other "
            "conditional requests."
        )
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
        if not isinstance(resource_id, str) or not ID.fullmatch(resource_id):
            raise FhirBadRequest("The id of a resource is 1 to 64 letters, digits, hyphens or full stops.")
        with self._lock:
            created = f"{resource.get('resourceType')}/{resource_id}" not in self._resources
            return self._keep(resource, resource_id), created

    def read(self, resource_type: str, resource_id: str) -> Resource:
        """The resource in its current version; FhirNotFound, or FhirGone if there was one."""
        supported(resource_type)
        place = f"{resource_type}/{resource_id}"
        with self._lock:
            if place in self._resources:
                return deepcopy(self._resources[place])
            raise (
                FhirGone(f"{place} was deleted.") if place in self._versions else FhirNotFound(f"There is no {place}.")
            )

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
        query = understood(known, query, strict)
        criteria = [criterion(known[name], value, base) for name, value in query if name in known]
        size = min(number(query, "_count", PAGE_SIZE), LARGEST_PAGE)
        offset = number(query, "_offset", 0)
        with self._lock:
            candidates = [found for found in self._resources.values() if found["resourceType"] == resource_type]
        matches = [resource for resource in candidates if all(test(resource) for test in criteria)]
        for key in reversed([key for name, keys in query if name == "_sort" for key in keys.split(",")]):
            matches = ordered(matches, key, known)
        more = size > 0 and offset + size < len(matches)
        shown = deepcopy(matches[offset : offset + size])
        return Page(query, len(matches), shown, offset + size if more else None)

    def transaction(self, bundle: Resource) -> Resource:
        """Carry out a `transaction` (all entries or none) or a `batch` (each by itself); answer the response Bundle."""
        kind, entries = addressed(bundle, "Bundle").get("type"), bundle.get("entry", [])
        if kind not in ("transaction", "batch") or not isinstance(entries, list):
            raise FhirBadRequest("This is not a Bundle of type transaction or batch.")
        with self._lock:
            answers = self._all_or_none(entries) if kind == "transaction" else [self._by_itself(e) for e in entries]
        return {"resourceType": "Bundle", "type": f"{kind}-response", "entry": answers}

    def _keep(self, resource: Resource, resource_id: str) -> Resource:
        resource_type = str(resource.get("resourceType"))
        supported(resource_type)
        place = f"{resource_type}/{resource_id}"
        meta = resource.get("meta", {})
        if not isinstance(meta, dict):
            raise FhirBadRequest("meta is not an object.")
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
            raise FhirBadRequest("Two entries of the Bundle change the same resource.")
        steps = []
        for entry, (method, kind, known_id) in zip(entries, asked, strict=True):
            existing = self._existing(kind, entry) if method == "POST" else ""
            steps.append(
                ("FOUND", kind, existing) if existing else (method, kind, known_id or self._new_id(kind, taken))
            )
        places = {
            str(entry["fullUrl"]): f"{resource_type}/{resource_id}"
            for entry, (method, resource_type, resource_id) in zip(entries, steps, strict=True)
            if "fullUrl" in entry and method != "DELETE"
        }
        return [
            self._step(*step, _resolved(entry.get("resource"), places))
            for entry, step in zip(entries, steps, strict=True)
        ]

    def _existing(self, resource_type: str, entry: Resource) -> str:
        """The id of the resource that makes a conditional create needless; empty without one."""
        condition = entry["request"].get("ifNoneExist")
        if not isinstance(condition, str) or not condition:
            return ""
        found = self.search(resource_type, parse_qsl(condition.lstrip("?")), strict=True).resources
        if len(found) > 1:
            raise FhirNotUnique(f"{len(found)} resources meet the condition of a create: it is not clear which.")
        return str(found[0]["id"]) if found else ""

    def _step(self, method: str, resource_type: str, resource_id: str, resource: Any) -> Resource:
        if method == "FOUND":
            version = self._versions[f"{resource_type}/{resource_id}"]
            return {"response": {"status": "200 OK", "location": f"{resource_type}/{resource_id}/_history/{version}"}}
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

"""Stories for a FHIR server that others use too: conditional creates, a tag on every resource, all removable again."""

from collections.abc import Iterator
from typing import Any
from uuid import NAMESPACE_URL, uuid5

from cds_service.fhir.elements import Json, objects

TAGS = "http://example.org/fhir/CodeSystem/crs-fixtures"
"""The code system of the tag: what carries one of its codes was loaded by this service's kit."""
REMOVAL_ORDER = (
    "Observation",
    "DiagnosticReport",
    "MedicationAdministration",
    "MedicationRequest",
    "ServiceRequest",
    "Procedure",
    "Condition",
    "AllergyIntolerance",
    "DeviceUseStatement",
    "Medication",
    "Encounter",
    "Practitioner",
    "Patient",
)
"""What refers to others first: many servers refuse to delete what is still referred to."""


def transaction(bundle: Json, tag: str) -> Json:
    """A story Bundle as a transaction that creates each resource once, whoever runs it how often.

    The server gives the ids; references within the story follow them. Each resource carries the tag, and an identifier
    by which a second run finds it.
    """
    resources = [entry["resource"] for entry in objects(bundle.get("entry"))]
    places = {f"{item['resourceType']}/{item['id']}": _full_url(item, tag) for item in resources}
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "entry": [_entry(item, tag, places) for item in resources],
    }


def _entry(resource: Json, tag: str, places: dict[str, str]) -> Json:
    kind, name = resource["resourceType"], resource["id"]
    identifier = {"system": f"{TAGS}/{tag}", "value": name}
    created = _followed({member: value for member, value in resource.items() if member != "id"}, places)
    created["meta"] = {"tag": [{"system": TAGS, "code": tag}]}
    created["identifier"] = [*objects(resource.get("identifier")), identifier]
    condition = f"identifier={identifier['system']}|{identifier['value']}"
    return {
        "fullUrl": _full_url(resource, tag),
        "resource": created,
        "request": {"method": "POST", "url": kind, "ifNoneExist": condition},
    }


def _full_url(resource: Json, tag: str) -> str:
    return uuid5(NAMESPACE_URL, f"{TAGS}/{tag}/{resource['resourceType']}/{resource['id']}").urn


def _followed(value: Any, places: dict[str, str]) -> Any:
    """The value with references to other resources of the story as the transaction knows them."""
    if isinstance(value, list):
        return [_followed(item, places) for item in value]
    if not isinstance(value, dict):
        return value
    return {
        name: places.get(item, item) if name == "reference" and isinstance(item, str) else _followed(item, places)
        for name, item in value.items()
    }


def created_ids(answer: Json, resource_type: str) -> list[str]:
    """The ids of a type that a transaction created or found, in the order of the entries."""
    locations = [str(entry.get("response", {}).get("location", "")) for entry in objects(answer.get("entry"))]
    steps = [location.split("/_history/")[0].rstrip("/").split("/")[-2:] for location in locations]
    return [name for kind, name in (step for step in steps if len(step) == 2) if kind == resource_type]


def searches(tag: str) -> Iterator[tuple[str, str]]:
    """Each type in the order of removal, with the query for what carries the tag."""
    for kind in REMOVAL_ORDER:
        yield kind, f"{kind}?_tag={TAGS}|{tag}&_count=100"

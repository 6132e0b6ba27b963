"""Reading: resources in, a timeline out. Each resource is read alone, so a bad one costs only itself (T39)."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from typing import Any

from cds_service.crs.timeline import Fact, Gap, Timeline, Unused
from cds_service.fhir.elements import Json, Unusable, member
from cds_service.fhir.readers import cultures, medications, observations, records
from cds_service.fhir.readers.chart import Chart, Facts, Reader, reference_to

READERS: Mapping[str, Reader] = {
    "Observation": observations.read,
    "MedicationAdministration": medications.read_administration,
    "MedicationRequest": medications.read_request,
    "Procedure": records.read_procedure,
    "Condition": records.read_condition,
    "AllergyIntolerance": records.read_allergy,
    "DeviceUseStatement": records.read_device_use,
    "ServiceRequest": cultures.read_service_request,
    "DiagnosticReport": cultures.read_report,
}
AMENDED = ("amended", "corrected")


def read_timeline(
    resources: Iterable[Json],
    patient: Json | None,
    chart: Chart,
    gaps: Mapping[str, Gap],
    unused: Iterable[Unused] = (),
) -> Timeline:
    """All resources of one patient as a timeline: sorted, duplicates merged, what was not used kept with its reason."""
    facts = Facts()
    facts.unused.extend(unused)
    read = list(resources)
    replaced = _replaced(read)
    for resource in read:
        reader = READERS.get(str(resource.get("resourceType")))
        if reader is None:
            continue
        try:
            if id(resource) in replaced:
                raise Unusable("replaced by an amended reading of the same time")
            _understood(resource)
            reader(resource, chart, facts)
        except Unusable as reason:
            facts.unused.append(Unused(reference_to(resource), str(reason)))
        except (TypeError, ValueError, KeyError, AttributeError, ArithmeticError):
            facts.unused.append(Unused(reference_to(resource), "it is not well-formed FHIR"))
    facts.vasoactives = observations.chained(facts.vasoactives, chart.scale)
    return Timeline(
        birth_date=records.birth_date(patient, chart.now) if patient else None,
        gaps=gaps,
        unused=tuple(dict.fromkeys(facts.unused)),
        **{item.name: _ordered(getattr(facts, item.name)) for item in fields(facts) if item.name != "unused"},
    )


def _understood(resource: Json) -> None:
    """A resource with a modifier that this service does not know must not be read as if it had none (T44)."""
    if resource.get("modifierExtension") or resource.get("implicitRules"):
        raise Unusable("it carries a modifier that this service does not know")


def _ordered(facts: Iterable[Fact]) -> tuple[Any, ...]:
    """By time, each fact once: the same reading from two feeds counts once (DQ-30, DQ-33)."""
    distinct: dict[Any, Fact] = {}
    for fact in sorted(facts, key=lambda item: (item.time, item.reference)):
        said = tuple(getattr(fact, item.name) for item in fields(fact) if item.name not in ("reference", "flags"))
        distinct.setdefault(said, fact)
    return tuple(distinct.values())


def _replaced(resources: Iterable[Json]) -> set[int]:
    """Observations for which an amended or corrected one of the same code and time is at hand (DQ-36)."""
    amended: dict[tuple[str, str], str] = {}
    final: list[tuple[tuple[str, str], Json]] = []
    for resource in resources:
        if resource.get("resourceType") != "Observation":
            continue
        key = _code_and_time(resource)
        if key is None:
            continue
        if resource.get("status") in AMENDED:
            amended[key] = str(resource.get("id"))
        else:
            final.append((key, resource))
    return {id(resource) for key, resource in final if key in amended}


def _code_and_time(resource: Json) -> tuple[str, str] | None:
    coding = member(resource, "code", "coding")
    time = resource.get("effectiveDateTime")
    if not isinstance(coding, list) or not coding or not isinstance(time, str):
        return None
    return str(member(coding[0], "code")), time


def newest_versions(resources: Iterable[Json]) -> list[Json]:
    """One version of each resource, the newest (DQ-36); resources without an id are kept as they are."""
    newest: dict[Any, Json] = {}
    for resource in resources:
        key = (resource.get("resourceType"), resource.get("id")) if resource.get("id") else id(resource)
        if key not in newest or _version(resource) > _version(newest[key]):
            newest[key] = resource
    return list(newest.values())


def _version(resource: Json) -> tuple[str, int]:
    version = member(resource, "meta", "versionId")
    updated = member(resource, "meta", "lastUpdated")
    number = int(version) if isinstance(version, str) and version.isdigit() and len(version) < 20 else 0
    return (updated if isinstance(updated, str) else "", number)

"""Reading: resources in, a timeline out. Each resource is read alone, so a bad one costs only itself (T39)."""

from collections.abc import Iterable, Mapping
from dataclasses import fields
from datetime import UTC, datetime
from typing import Any

from cds_service.crs.timeline import Cause, Fact, Gap, Timeline, Unused
from cds_service.fhir.elements import MALFORMED, MODIFIED, Json, Unusable, is_modified, member, moment
from cds_service.fhir.readers import cultures, medications, observations, records, vasoactives
from cds_service.fhir.readers.about import about
from cds_service.fhir.readers.chart import Chart, Facts, Reader, reference_to
from cds_service.fhir.readers.medications import doubtful_dose
from cds_service.fhir.readers.times import observed

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
NOT_FHIR = "it is not well-formed FHIR"
AMENDED = ("amended", "corrected")
REPLACED = ("final", "preliminary")
MEASURED = {
    "temperatures": ("time", "celsius"),
    "pressures": ("time", "systolic"),
    "means": ("time", "mmhg"),
    "saturations": ("time", "percent"),
}
"""What makes two readings one: the rest (site, method, diastolic) may be charted by one feed and not by the other."""
_SAID: dict[type[Any], tuple[str, ...]] = {}
"""The members of each kind of fact that say something of the patient; as many as there are kinds."""

Key = tuple[str, str, datetime]


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
    read = [resource for resource in resources if str(resource.get("resourceType")) in READERS]
    replaced = _replaced(read, chart)
    for resource in read:
        try:
            if id(resource) in replaced:
                raise Unusable("replaced by an amended reading of the same time")
            if is_modified(resource):
                raise Unusable(about(resource, MODIFIED, chart))
            READERS[str(resource["resourceType"])](resource, chart, facts)
        except Unusable as error:
            facts.unused.append(_set_aside(resource, error, chart))
        except MALFORMED:
            facts.unused.append(_set_aside(resource, Unusable(about(resource, NOT_FHIR, chart)), chart))
    facts.vasoactives = vasoactives.chained(facts.vasoactives, chart.scale)
    return Timeline(
        birth_date=records.birth_date(patient, chart.now) if patient else None,
        gaps=gaps,
        unused=tuple(dict.fromkeys(facts.unused)),
        **{
            item.name: _ordered(item.name, getattr(facts, item.name)) for item in fields(facts) if item.name != "unused"
        },
    )


def _set_aside(resource: Json, error: Unusable, chart: Chart) -> Unused:
    """A dose that cannot be used may have been given: then no order is recommended before somebody looked."""
    try:
        agent = doubtful_dose(resource, chart)
    except MALFORMED:
        agent = ""
    cause, subject = (Cause.DOUBTFUL_DOSE, agent) if agent else (error.cause, error.about)
    return Unused(reference_to(resource), str(error), cause, subject)


def _ordered(kind: str, facts: Iterable[Fact]) -> tuple[Any, ...]:
    """By time, each fact once: the same reading from two feeds counts once (DQ-30, DQ-33)."""
    distinct: dict[Any, Fact] = {}
    for fact in facts:
        said = tuple([getattr(fact, name) for name in MEASURED.get(kind) or _said(fact)])
        known = distinct.get(said)
        if known is None or _certainty(fact) < _certainty(known):
            distinct[said] = fact
    return tuple(sorted(distinct.values(), key=lambda fact: (fact.time, fact.reference)))


def _said(fact: Fact) -> tuple[str, ...]:
    kind = type(fact)
    if kind not in _SAID:
        _SAID[kind] = tuple(item.name for item in fields(fact) if item.name not in ("reference", "flags"))
    return _SAID[kind]


def _certainty(fact: Fact) -> tuple[int, int, str]:
    """What is charted best comes first: the fewest doubts, the most said."""
    unsaid = sum(getattr(fact, name) in (None, "") for name in _said(fact))
    return len(fact.flags), unsaid, fact.reference


def _replaced(resources: Iterable[Json], chart: Chart) -> set[int]:
    """Observations for which an amended or corrected one of the same meaning and time is at hand (DQ-36)."""
    charted = [item for item in resources if item["resourceType"] == "Observation"]
    amended = {_meaning_and_time(item, chart) for item in charted if item.get("status") in AMENDED} - {None}
    if not amended:
        return set()
    waiting = (item for item in charted if item.get("status") in REPLACED)
    return {id(item) for item in waiting if _meaning_and_time(item, chart) in amended}


def _meaning_and_time(resource: Json, chart: Chart) -> Key | None:
    try:
        found = chart.codebook.observation(resource.get("code"))
        return None if found is None else (found[0], getattr(found[1], "id", ""), observed(resource, chart).time)
    except (Unusable, *MALFORMED):
        return None


def newest_versions(resources: Iterable[Json]) -> list[Json]:
    """The newest version of each resource (DQ-36). Those that contradict each other without an order are all kept."""
    newest: dict[tuple[str, str], list[Json]] = {}
    nameless = []
    for resource in resources:
        kind, identifier = resource.get("resourceType"), resource.get("id")
        if not isinstance(kind, str) or not isinstance(identifier, str):
            nameless.append(resource)
            continue
        known = newest.get((kind, identifier))
        if known is None:
            newest[kind, identifier] = [resource]
            continue
        later = _is_later(resource, known[0])
        if later:
            known[:] = [resource]
        elif later is None and resource != known[-1]:
            known.append(resource)
    return [resource for known in newest.values() for resource in known] + nameless


def _is_later(resource: Json, other: Json) -> bool | None:
    """Whether it is the later version: by time of update, by number, by status. None when nothing tells."""
    for order in (_updated, _number, _finality):
        one, another = order(resource), order(other)
        if one is not None and another is not None and one != another:
            return one > another
    return None


def _updated(resource: Json) -> float | None:
    updated = moment(member(resource, "meta", "lastUpdated"), UTC)
    return updated.time.timestamp() if updated else None


def _number(resource: Json) -> float | None:
    version = member(resource, "meta", "versionId")
    known = isinstance(version, str) and version.isascii() and version.isdecimal() and len(version) < 16
    return int(version) if known else None


def _finality(resource: Json) -> float:
    """A reading is amended after it is final, and an error is found last."""
    status = resource.get("status")
    return 2 if status == "entered-in-error" else 1 if status in AMENDED else 0

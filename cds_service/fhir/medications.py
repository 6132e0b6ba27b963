"""The Medication resources of one hook call: orders and administrations that only refer to one have no name without.

The query subset of prefetch templates has no _include, so they are read by id, each once, and only where no display
names the drug.
"""

from collections.abc import Iterable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from functools import partial

from cds_service.crs.timeline import Gap
from cds_service.fhir.client import FhirClient
from cds_service.fhir.codebook import medication_key
from cds_service.fhir.deadline import FhirFailure
from cds_service.fhir.elements import Json, member
from cds_service.fhir.gaps import add_gap
from cds_service.fhir.gather import Source, charted_time, entries, in_time

IDS_PER_QUERY = 50
KINDS = {
    "MedicationAdministration": ("therapies", "drugs", "vasoactives"),
    "MedicationRequest": ("therapies", "orders"),
}


@dataclass(slots=True)
class Medications:
    """Those at hand, and those that were asked for. `failure` says why some of these could not be had."""

    source: Source
    failure: str = ""
    _fetched: dict[str, Json] = field(default_factory=dict)
    _asked: set[str] = field(default_factory=set)

    def for_resources(self, resources: Sequence[Json]) -> dict[str, Json]:
        """Medication resources by `Medication/id`: those among the resources, and those they refer to."""
        at_hand = {f"Medication/{item.get('id')}": item for item in resources if _is_medication(item)}
        unread = dict.fromkeys(key for _, key in unread_references(resources, at_hand))
        wanted = [key for key in unread if key not in self._asked]
        if wanted:
            self._asked.update(wanted)
            self._fetch([key.removeprefix("Medication/") for key in wanted])
        return {**self._fetched, **at_hand}

    def gaps(self, resources: Iterable[Json], known: Mapping[str, Json]) -> dict[str, Gap]:
        """What is not known because a name could not be had. A name that does not exist is no gap: it is `unused`."""
        found: dict[str, Gap] = {}
        if self.failure:
            for resource, _ in unread_references(resources, known):
                gap = Gap(f"names of medications: {self.failure}", self._over_by(resource))
                for kind in KINDS[str(resource.get("resourceType"))]:
                    add_gap(found, kind, gap)
        return found

    def _fetch(self, ids: Sequence[str]) -> None:
        [read] = in_time([partial(_by_id, ids)], self.source)
        found, failure = ([], str(read)) if isinstance(read, FhirFailure) else read
        self._fetched |= {f"Medication/{item.get('id')}": item for item in found}
        self.failure = self.failure or failure

    def _over_by(self, resource: Json) -> datetime | None:
        """The time after which the resource says nothing, None while it may be going on."""
        return None if resource.get("status") == "in-progress" else charted_time(resource, self.source.zone)


def unread_references(resources: Iterable[Json], known: Mapping[str, Json]) -> Iterator[tuple[Json, str]]:
    """Resources whose medication is a reference without a display to a Medication not at hand, with its key."""
    for resource in resources:
        reference = resource.get("medicationReference")
        target = member(reference, "reference")
        if str(resource.get("resourceType")) not in KINDS or isinstance(
            resource.get("medicationCodeableConcept"), dict
        ):
            continue
        if not isinstance(target, str) or target.startswith("#") or member(reference, "display"):
            continue
        key = medication_key(target)
        identifier = key.removeprefix("Medication/")
        if key != identifier and key not in known and identifier.replace("-", "").replace(".", "").isalnum():
            yield resource, key


def _is_medication(resource: Json) -> bool:
    return resource.get("resourceType") == "Medication"


def _by_id(ids: Sequence[str], client: FhirClient) -> tuple[list[Json], str]:
    """The Medication resources of the ids that exist, and why that may not be all."""
    found: list[Json] = []
    try:
        for start in range(0, len(ids), IDS_PER_QUERY):
            some = ",".join(ids[start : start + IDS_PER_QUERY])
            for page in client.pages(f"Medication?_id={some}&_count={IDS_PER_QUERY}"):
                if page.body.get("resourceType") != "Bundle":
                    return found, "the answer is not the kind of resource that was asked for"
                found += filter(_is_medication, entries(page.body))
    except FhirFailure as failure:
        return found, str(failure)
    return found, ""

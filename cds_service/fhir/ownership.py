"""Whose resource is it: only the context's patient is ever graded (DQ-42, T40 to T42)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cds_service.crs.timeline import Cause, Unused
from cds_service.fhir.elements import Json, member
from cds_service.fhir.readers.chart import reference_to
from cds_service.fhir.reading import READERS

OTHERS = "it belongs to another patient"
NOBODYS = "it names no patient"
_READ = tuple(READERS)
_VERSION = re.compile(r"/_history/[A-Za-z0-9.-]{1,64}\Z")


@dataclass(frozen=True, slots=True)
class Patient:
    """The patient of the call, and the base URL under which absolute references are this patient's."""

    id: str
    fhir_server: str | None

    def owns(self, reference: object) -> bool:
        """True for `Patient/id`, with a version, or absolute under the FHIR server of the call. Case counts."""
        if not isinstance(reference, str):
            return False
        own = f"Patient/{self.id}"
        if reference == own:
            return True
        base = f"{self.fhir_server.rstrip('/')}/" if self.fhir_server is not None else ""
        return _VERSION.sub("", reference) in (own, base + own)


def is_own(resource: Json, patient: Patient) -> bool:
    """True for a resource of the patient, and for one that names no patient and that no reader looks at."""
    owners = _owners(resource)
    if not owners:
        return resource.get("resourceType") not in _READ
    return all(map(patient.owns, owners))


def _owners(resource: Json) -> list[Any]:
    """What it names as its patient."""
    named = (resource.get("subject"), resource.get("patient"))
    return [member(item, "reference") for item in named if item is not None]


def own(resources: Iterable[Json], patient: Patient) -> tuple[list[Json], list[Unused]]:
    """The patient's own resources, e.g. a Medication too, and the others with the reason why they are not used."""
    kept, unused = [], []
    for resource in resources:
        if is_own(resource, patient):
            kept.append(resource)
        else:
            references = _owners(resource)
            known = references and all(isinstance(reference, str) for reference in references)
            reference = reference_to(resource)
            unused.append(Unused(reference, OTHERS, Cause.OTHER_PATIENT) if known else Unused(reference, NOBODYS))
    return kept, unused

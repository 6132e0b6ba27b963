"""Whose resource is it: only the context's patient is ever graded (DQ-42, T40 to T42)."""

from collections.abc import Iterable
from dataclasses import dataclass

from cds_service.crs.timeline import Unused
from cds_service.fhir.elements import Json, member
from cds_service.fhir.readers.chart import reference_to

WITHOUT_SUBJECT = {"Medication", "Patient", "Practitioner", "Encounter"}


@dataclass(frozen=True, slots=True)
class Patient:
    """The patient of the call, and the base URL under which absolute references are this patient's."""

    id: str
    fhir_server: str | None

    def owns(self, reference: object) -> bool:
        """True for `Patient/id`, with a version, or absolute under the FHIR server of the call. Case counts."""
        if not isinstance(reference, str):
            return False
        plain = reference.split("/_history/", 1)[0]
        own = {f"Patient/{self.id}"}
        if self.fhir_server is not None:
            own.add(f"{self.fhir_server.rstrip('/')}/Patient/{self.id}")
        return plain in own


def own(resources: Iterable[Json], patient: Patient) -> tuple[list[Json], list[Unused]]:
    """The patient's own resources, and the others with the reason why they are not used."""
    kept, unused = [], []
    for resource in resources:
        if resource.get("resourceType") in WITHOUT_SUBJECT:
            kept.append(resource)
            continue
        subject = resource.get("subject") or resource.get("patient")
        reference = member(subject, "reference")
        if patient.owns(reference):
            kept.append(resource)
        else:
            reason = "it belongs to another patient" if isinstance(reference, str) else "it names no patient"
            unused.append(Unused(reference_to(resource), reason))
    return kept, unused

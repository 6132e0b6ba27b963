"""Whose resource is it: only the context's patient is ever graded (DQ-42, T40 to T42)."""

import re
from collections.abc import Iterable
from dataclasses import dataclass

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


def own(resources: Iterable[Json], patient: Patient) -> tuple[list[Json], list[Unused]]:
    """The patient's own resources, and the others with the reason why they are not used.

    What names no patient is kept when no reader looks at it, e.g. a Medication.
    """
    kept, unused = [], []
    for resource in resources:
        named = [resource[name] for name in ("subject", "patient") if resource.get(name) is not None]
        references = [member(item, "reference") for item in named]
        if all(map(patient.owns, references)) and (references or resource.get("resourceType") not in _READ):
            kept.append(resource)
        else:
            known = references and all(isinstance(reference, str) for reference in references)
            reference = reference_to(resource)
            unused.append(Unused(reference, OTHERS, Cause.OTHER_PATIENT) if known else Unused(reference, NOBODYS))
    return kept, unused

"""Parts of FHIR R4 that more than one rule reads."""

from typing import Any

from cds_service.conformance.faults import Faults, at, names

RESOURCE = names("resourceType id meta implicitRules language text contained extension modifierExtension identifier")
"""What every resource may have, and `identifier`."""


def judge_concept(out: Faults, parent: dict[str, Any], name: str, path: str, rule: str, *, coded: bool = True) -> str:
    """Require text and, when `coded`, a first coding with system and code; return every word, in lower case."""
    concept, path = out.object(parent, name, path, rule), at(path, name)
    if concept is None:
        return ""
    required = {"coding": rule, "text": rule} if coded else {"text": rule}
    out.members(concept, path, required, ("id", "coding"), unknown="G-5")
    words = [out.text(concept, "text", path, rule)]
    for n, (where, coding) in enumerate(out.objects(concept, "coding", path, rule)):
        required = {"system": rule, "code": rule} if n == 0 else {}
        out.members(coding, where, required, ("id", "system", "version", "code", "display", "userSelected"), "G-5")
        words += [out.text(coding, member, where, rule) for member in ("system", "code", "display")]
    return " ".join(filter(None, words)).lower()

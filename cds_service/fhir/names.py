"""What a patient is called, for people who look at a page: never used to tell whose a resource is."""

from cds_service.fhir.elements import Json, objects, text


def name_of(patient: Json) -> str:
    """Name and date of birth of a Patient, what of them is charted: the official name, or the first."""
    names = sorted(objects(patient.get("name")), key=lambda name: name.get("use") != "official")
    shown = _whole(names[0]) if names else ""
    born = text(patient.get("birthDate"))
    return ", ".join(part for part in (shown, born and f"born {born}") if part)


def _whole(name: Json) -> str:
    given = name.get("given")
    parts = [*(given if isinstance(given, list) else []), name.get("family")]
    return text(name.get("text")) or " ".join(filter(None, map(text, parts)))

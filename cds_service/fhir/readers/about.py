"""What a resource is about, for the reason why it was not used: a loss must name the sign that is lost (T39, T44)."""

from cds_service.fhir.codebook import medication
from cds_service.fhir.elements import MALFORMED, Json, Unusable, name_of
from cds_service.fhir.readers.chart import Chart
from cds_service.fhir.readers.medications import identify
from cds_service.fhir.readers.observations import parts_of


def about(resource: Json, words: str, chart: Chart) -> str:
    """The words after the name of what it is about, by the tables or by the record; alone where neither tells."""
    try:
        name = _name(resource, chart)
    except (Unusable, *MALFORMED):
        name = ""
    return f"{name}: {words}" if name else words


def _name(resource: Json, chart: Chart) -> str:
    if str(resource["resourceType"]).startswith("Medication"):
        concept = medication(resource, chart.medications)
        identified = identify(concept, chart)
        return identified[1].meaning.display if identified is not None else name_of(concept)
    parts = parts_of(resource, chart)[0] if resource["resourceType"] == "Observation" else []
    return ", ".join(dict.fromkeys(part.name for part in parts)) or name_of(resource.get("code"))

"""Blood cultures: ordered, drawn, negative, positive, from orders, reports, results and procedures."""

from typing import Any

from cds_service.crs.timeline import Culture, LabResult
from cds_service.crs.valuesets import Meaning
from cds_service.fhir.elements import Json, Unusable, moment, not_after, text
from cds_service.fhir.readers.chart import Chart, Facts, reference_to

FINAL = ("final", "amended", "corrected")
ORDER_STEPS = {"draft": "ordered", "active": "ordered", "on-hold": "ordered", "completed": "drawn"}


def result_step(resource: Json, words: list[str], chart: Chart) -> str:
    """The step a result stands for: only a final one whose words are clear is negative or positive (C27)."""
    if resource.get("status") not in FINAL:
        return "drawn"
    results = chart.codebook.value_sets["culture-results"]
    found = next((item for item in map(results.find_word, words) if isinstance(item, Meaning)), None)
    return found.id if found else "drawn"


def read_service_request(resource: Json, chart: Chart, facts: Facts) -> None:
    """A blood culture that is ordered, or was and is done."""
    if chart.codebook.find("cultures", resource.get("code")) is None:
        return
    status = resource.get("status")
    step = ORDER_STEPS.get(status) if isinstance(status, str) else None
    if step is None or resource.get("doNotPerform") is True:
        raise Unusable(f"blood culture order: status is {text(status) or 'missing'}")
    charted = moment(resource.get("occurrenceDateTime"), chart.zone) or moment(resource.get("authoredOn"), chart.zone)
    time = min(charted.time, chart.now) if charted else chart.now
    facts.cultures.append(Culture(time=time, reference=reference_to(resource), step=step))


def read_report(resource: Json, chart: Chart, facts: Facts) -> None:
    """A report of a culture, or of a laboratory panel of the baseline."""
    code: Any = resource.get("code")
    laboratory = chart.codebook.find("laboratory", code)
    culture = chart.codebook.find("cultures", code) if laboratory is None else None
    if laboratory is None and culture is None:
        return
    status = resource.get("status")
    if status in ("cancelled", "entered-in-error", "unknown", None):
        raise Unusable(f"report: status is {text(status) or 'missing'}")
    taken = moment(resource.get("effectiveDateTime"), chart.zone) or moment(resource.get("issued"), chart.zone)
    if taken is None:
        raise Unusable("report: its time cannot be read")
    time = not_after(taken.time, chart.now, chart.scale.clock_skew)
    reference = reference_to(resource)
    if laboratory is not None:
        if status != "registered":
            facts.labs.append(LabResult(time=time, reference=reference, test=laboratory.id))
        return
    step = result_step(resource, [text(resource.get("conclusion"))], chart)
    issued = moment(resource.get("issued"), chart.zone)
    if issued is not None and step != "drawn":
        time = min(issued.time, chart.now)
    facts.cultures.append(Culture(time=time, reference=reference, step=step))

"""Blood cultures: ordered, drawn, negative, positive, from orders, reports, results and procedures."""

import re
from collections.abc import Iterable
from datetime import datetime
from typing import Any

from cds_service.crs.timeline import Culture, Flag, LabResult
from cds_service.crs.valuesets import Meaning, ValueSet
from cds_service.fhir.elements import Json, Unusable, moment, objects, text, texts
from cds_service.fhir.readers.chart import Chart, Facts, reference_to
from cds_service.fhir.readers.times import observed

FINAL = ("final", "amended", "corrected", "appended")
NO_REPORT = ("cancelled", "entered-in-error", "unknown")
ORDER_STEPS = {"draft": "ordered", "active": "ordered", "on-hold": "ordered", "completed": "drawn"}
_LETTER = re.compile(r"[^\W\d_]")


def result_step(resource: Json, words: Iterable[Any], chart: Chart) -> str:
    """The step a result stands for: only a final one whose words are clear is negative or positive (C27).

    A word for growth makes it positive whatever else is said. It is negative only when nothing else is said at all:
    "Staphylococcus aureus, negative for MRSA" is not.
    """
    if resource.get("status") not in FINAL:
        return "drawn"
    results = chart.codebook.value_sets["culture-results"]
    read = [results.taken_apart(text(item, limit=1000)) for item in words if isinstance(item, str)]
    groups = {member.id for found, _ in read for member in found if isinstance(member, Meaning)}
    if "positive" in groups or _marked_positive(resource, results):
        return "positive"
    said_more = any(_LETTER.search(rest) for _, rest in read)
    return "negative" if "negative" in groups and not said_more else "drawn"


def _marked_positive(resource: Json, results: ValueSet) -> bool:
    """True when the laboratory's interpretation says so; of other interpretations none says that nothing grew."""
    words = [words for one in objects(resource.get("interpretation")) for words in texts(one)]
    named = [member for item in words for member in results.all_worded(item)]
    return any(isinstance(member, Meaning) and member.id == "positive" for member in named)


def _coded_conclusions(resource: Json) -> list[str]:
    return [words for code in objects(resource.get("conclusionCode")) for words in texts(code)]


def reported(resource: Json, step: str, taken: datetime, flags: tuple[Flag, ...], chart: Chart) -> Culture:
    """A step that laboratory reports: a result is known from its issue, all else from when the blood was taken."""
    issued = moment(resource.get("issued"), chart.zone) if step in ("negative", "positive") else None
    return Culture(
        time=min(issued.time, chart.now) if issued else taken,
        reference=reference_to(resource),
        flags=flags,
        step=step,
        drawn=None if Flag.ISSUED_TIME in flags else taken,
    )


def read_service_request(resource: Json, chart: Chart, facts: Facts) -> None:
    """A blood culture that is ordered, or was and is done."""
    found = chart.codebook.find("cultures", resource.get("code"))
    if found is None:
        return
    status = resource.get("status")
    step = ORDER_STEPS.get(status) if isinstance(status, str) else None
    if step is None or resource.get("doNotPerform") is True:
        raise Unusable(f"blood culture order: status is {text(status) or 'missing'}")
    charted = moment(resource.get("occurrenceDateTime"), chart.zone) or moment(resource.get("authoredOn"), chart.zone)
    facts.cultures.append(
        Culture(
            time=min(charted.time, chart.now) if charted else chart.now,
            reference=reference_to(resource),
            flags=(*found.flags, *(charted.flags if charted else ())),
            step=step,
        )
    )


def read_report(resource: Json, chart: Chart, facts: Facts) -> None:
    """A report of a culture, or of a laboratory panel of the baseline."""
    code: Any = resource.get("code")
    laboratory = chart.codebook.find("laboratory", code)
    found = laboratory or chart.codebook.find("cultures", code)
    if found is None:
        return
    status = resource.get("status")
    if status is None or status in NO_REPORT:
        raise Unusable(f"report: status is {text(status) or 'missing'}")
    when = observed(resource, chart)
    flags = (*found.flags, *when.flags)
    if laboratory is None:
        step = result_step(resource, [resource.get("conclusion"), *_coded_conclusions(resource)], chart)
        facts.cultures.append(reported(resource, step, when.time, flags, chart))
    elif status != "registered":
        result = found.meaning
        facts.labs.append(
            LabResult(time=when.time, reference=reference_to(resource), flags=flags, test=result.id, item=result.group)
        )

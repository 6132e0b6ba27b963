"""The orders of the ordering session (`draftOrders`), read as leniently as they arrive.

A Bundle without a type, an order without a medication yet, a dose as an object where a list should be, any status, ids
longer than FHIR allows, other kinds of orders: none of it is a fault. An order of another patient (T41), and one with a
modifier that is not understood (T44), is set aside, which is said: silence would read as an order that is right.
"""

from collections.abc import Callable, Collection, Iterable
from decimal import Decimal
from typing import Any

from cds_service.crs.session import Session, SessionOrder
from cds_service.crs.timeline import Cause, Unused
from cds_service.crs.valuesets import Meaning
from cds_service.fhir.codebook import Found, medication
from cds_service.fhir.elements import MODIFIED, Json, Unusable, is_modified, member, name_of, objects, text, texts
from cds_service.fhir.ownership import OTHERS
from cds_service.fhir.readers.about import about
from cds_service.fhir.readers.chart import Chart, reference_to
from cds_service.fhir.readers.medications import KINDS
from cds_service.fhir.units import milligrams, quantity

WITHDRAWN = ("cancelled", "entered-in-error", "stopped", "revoked")
HOURS = {"h": Decimal(1), "d": Decimal(24), "min": Decimal(1) / 60}


def read_session(
    orders: Iterable[Json],
    selections: Collection[str] | None,
    owns: Callable[[object], bool],
    chart: Chart,
) -> Session:
    """The session. `selections` are the references of the orders that were chosen, None when all are to be signed."""
    found, unused = [], []
    for resource in orders:
        subject = member(resource, "subject", "reference")
        if resource.get("status") in WITHDRAWN:
            continue
        if subject is not None and not owns(subject):
            unused.append(Unused(reference_to(resource), OTHERS, Cause.OTHER_PATIENT))
            continue
        read = _order(resource, chart)
        if read is not None and is_modified(resource):
            unused.append(Unused(reference_to(resource), about(resource, MODIFIED, chart)))
        elif read is not None:
            chosen = selections is None or _is_chosen(resource, selections)
            found.append(SessionOrder(selected=chosen, **read))
    return Session(orders=tuple(found), unused=tuple(unused), signing=selections is None)


def _is_chosen(resource: Json, selections: Collection[str]) -> bool:
    """True when a selection names it, by type and id or by its id alone."""
    return bool({reference_to(resource), text(resource.get("id"), 1000)} & set(selections))


def _order(resource: Json, chart: Chart) -> dict[str, Any] | None:
    kind = resource.get("resourceType")
    try:
        if kind == "MedicationRequest" and resource.get("doNotPerform") is not True:
            return _medication(resource, chart)
        if kind in ("ServiceRequest", "ProcedureRequest") and resource.get("doNotPerform") is not True:
            return _service(resource, chart)
    except Unusable:
        return None
    return None


def _medication(resource: Json, chart: Chart) -> dict[str, Any] | None:
    concept = medication(resource, chart.medications)
    for kind in KINDS:
        found = _found(chart, kind, concept)
        if found is not None and kind != "vasoactives":
            dosage = next(iter(objects(resource.get("dosageInstruction"))), {})
            return _named(resource, found, "therapy" if kind == "therapies" else "drug", concept) | {
                **_dose(dosage),
                "route": _route(dosage, concept, chart),
                "every_hours": _every(dosage),
            }
    return None


def _service(resource: Json, chart: Chart) -> dict[str, Any] | None:
    """A blood culture, or a cell therapy that is ordered as a procedure."""
    for name, kind in (("cultures", "culture"), ("therapies", "therapy")):
        found = _found(chart, name, resource.get("code"))
        if found is not None:
            return _named(resource, found, kind, resource.get("code"))
    return None


def _found(chart: Chart, name: str, concept: Any) -> Found | None:
    try:
        return chart.codebook.find(name, concept)
    except Unusable:
        return None


def _named(resource: Json, found: Found, kind: str, concept: Any) -> dict[str, Any]:
    return {
        "reference": reference_to(resource),
        "kind": kind,
        "agent": found.meaning.id,
        "group": found.meaning.group,
        "name": found.meaning.display if kind == "therapy" else name_of(concept, found.meaning.display),
        "flags": found.flags,
    }


def _dose(dosage: Json) -> dict[str, Any]:
    """The first dose: number and unit as written, and mg where the unit is that."""
    rate = next(iter(objects(dosage.get("doseAndRate"))), {})
    charted = next(iter(objects(rate.get("doseQuantity", dosage.get("doseQuantity")))), {})
    try:
        amount = quantity(charted)
    except Unusable:
        return {}
    return {"amount": amount.value, "unit": text(next(iter(amount.units), "")), "mg": milligrams(charted)}


def _route(dosage: Json, concept: Any, chart: Chart) -> str:
    """The route by its words; a product that is made for one route tells it too. Empty when nothing does."""
    routes = chart.codebook.value_sets["routes"]
    codes = chart.codebook.value_sets["drugs"].codes
    pairs = set(chart.codebook.pairs(concept))
    products = [code.display for code in codes if (code.system, code.code) in pairs]
    for words in (*texts(dosage.get("route")), *products, *texts(concept)):
        named = [found for found in routes.all_worded(words) if isinstance(found, Meaning)]
        if named:
            return named[0].id
    return ""


def _every(dosage: Json) -> Decimal | None:
    """Hours between doses, where the timing says it in numbers."""
    repeat = member(dosage, "timing", "repeat")
    period, unit, frequency = (member(repeat, name) for name in ("period", "periodUnit", "frequency"))
    if unit not in HOURS or not isinstance(period, int | Decimal) or isinstance(period, bool):
        return None
    times = frequency if isinstance(frequency, int) and not isinstance(frequency, bool) and frequency > 0 else 1
    return Decimal(period) * HOURS[unit] / times

"""Draft orders as FHIR resources, validated with the R4B models before they leave (N-19).

Ingredient coding and text, dose in mg; routes as text, because no route code was read in a public source.
"""

from collections.abc import Callable
from decimal import Decimal
from typing import Any

from fhir.resources.R4B.medicationrequest import MedicationRequest
from fhir.resources.R4B.servicerequest import ServiceRequest

from cds_service.crs.figures import shown
from cds_service.crs.protocol import Order
from cds_service.fhir.elements import Json

UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/medicationrequest-category"
REQUESTERS = ("Practitioner/", "PractitionerRole/")


def dose_words(order: Order, mg: Decimal | None) -> str:
    """The order in one line, as a pharmacist would read it: `656 mg intravenous over 60 min, once`."""
    if mg is None:
        return f"{order.text}, {order.quantity}" if order.quantity else order.text
    parts = [f"{shown(mg)} mg", order.route]
    if order.over_minutes is not None:
        parts.append(f"over {order.over_minutes} min")
    if order.every_hours is None:
        return f"{' '.join(parts)}, once"
    return f"{' '.join(parts)} every {order.every_hours} h for {order.duration}"


def draft(
    order: Order, mg: Decimal | None, *, patient_id: str, encounter_id: str | None, user: str, intent: str, reason: str
) -> Json:
    """The draft as JSON. `mg` is None exactly for an order that is not a medication."""
    resource: Json = {
        "status": "draft",
        "intent": intent,
        "subject": {"reference": f"Patient/{patient_id}"},
        "reasonCode": [{"text": reason}],
    }
    if encounter_id is not None:
        resource["encounter"] = {"reference": f"Encounter/{encounter_id}"}
    if user.startswith(REQUESTERS):
        resource["requester"] = {"reference": user}
    concept = {
        "coding": [{"system": order.code.system, "code": order.code.code, "display": order.code.display}],
        "text": order.text,
    }
    if mg is None:
        service = {**resource, "code": concept}
        if order.quantity:
            service["note"] = [{"text": order.quantity}]
        return _checked(ServiceRequest, "ServiceRequest", service)
    medication = {
        **resource,
        "medicationCodeableConcept": concept,
        "category": [{"coding": [{"system": CATEGORY, "code": "inpatient", "display": "Inpatient"}]}],
        "dosageInstruction": [_dosage(order, mg)],
    }
    return _checked(MedicationRequest, "MedicationRequest", medication)


def _dosage(order: Order, mg: Decimal) -> Json:
    return {
        "text": f"{order.text} {dose_words(order, mg)}",
        "timing": {"repeat": _repeat(order)},
        "route": {"text": order.route},
        "doseAndRate": [{"doseQuantity": _quantity(_json_number(mg), "mg")}],
    }


def _repeat(order: Order) -> Json:
    """Once, or every so many hours with an end: a repeated dose without bounds would go on for ever."""
    repeat: Json = {"count": 1}
    if order.every_hours is not None and order.days is not None:
        low, high = order.days
        repeat = {"frequency": 1, "period": order.every_hours, "periodUnit": "h"}
        if low == high:
            repeat["boundsDuration"] = _quantity(high, "d")
        else:
            repeat["boundsRange"] = {"low": _quantity(low, "d"), "high": _quantity(high, "d")}
    if order.over_minutes is not None:
        repeat |= {"duration": order.over_minutes, "durationUnit": "min"}
    return repeat


def _quantity(value: int | float, unit: str) -> Json:
    return {"value": value, "unit": unit, "system": UCUM, "code": unit}


def _json_number(value: Decimal) -> int | float:
    return int(value) if value == value.to_integral_value() else float(value)


def _checked(model: Callable[..., Any], resource_type: str, content: Json) -> Json:
    """The content when the model accepts it; a pydantic ValidationError is a bug of this service."""
    model(**content)
    return {"resourceType": resource_type, **content}

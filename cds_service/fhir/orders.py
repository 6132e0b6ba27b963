"""Draft orders as FHIR resources, validated with the R4B models before they leave (N-19).

Ingredient coding and text, dose in mg; routes as text, because no route code was read in a public source.
"""

import json
from collections.abc import Callable, Mapping
from dataclasses import replace
from decimal import Decimal
from functools import lru_cache
from types import MappingProxyType
from typing import Any

from fhir.resources.R4B.medicationrequest import MedicationRequest
from fhir.resources.R4B.servicerequest import ServiceRequest

from cds_service.crs.dosing import regimen
from cds_service.crs.protocol import Order, Stage
from cds_service.crs.regimen import Regimen
from cds_service.fhir.elements import Json

UCUM = "http://unitsofmeasure.org"
CATEGORY = "http://terminology.hl7.org/CodeSystem/medicationrequest-category"
REFERENCES = ("subject", "encounter", "requester", "priorPrescription")
ANYTHING = {"reference": "Resource/any"}
REMEMBERED_FORMS = 1024
MODELS: Mapping[str, Callable[..., Any]] = {"MedicationRequest": MedicationRequest, "ServiceRequest": ServiceRequest}
REQUESTERS = ("Practitioner/", "PractitionerRole/")


def dose_words(order: Order, mg: Decimal | None) -> str:
    """The order in one line, as a pharmacist would read it: `656 mg intravenous over 60 min, once`."""
    if mg is None:
        return f"{order.text}, {order.quantity}" if order.quantity else order.text
    return regimen(order, mg, order.route)


def draft(
    order: Order,
    mg: Decimal | None,
    *,
    patient_id: str,
    encounter_id: str | None,
    user: str,
    intent: str,
    reason: str,
    replaces: Regimen | None = None,
    systems: Mapping[str, str] = MappingProxyType({}),
) -> Json:
    """The draft as JSON. `mg` is None exactly for an order that is not a medication.

    `replaces` is a regimen to stop: said in a note, and as the prior prescription where its order is known. `systems`
    are the names by which a client knows code systems.
    """
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
        "coding": [
            {
                "system": systems.get(order.code.system, order.code.system),
                "code": order.code.code,
                "display": order.code.display,
            }
        ],
        "text": order.text,
    }
    if mg is None:
        service = {**resource, "code": concept}
        if order.quantity:
            service["note"] = [{"text": order.quantity}]
        return _checked("ServiceRequest", service)
    medication = {
        **resource,
        "medicationCodeableConcept": concept,
        "category": [{"coding": [{"system": CATEGORY, "code": "inpatient", "display": "Inpatient"}]}],
        "dosageInstruction": _dosages(order, mg),
    }
    if replaces is not None:
        medication["note"] = [{"text": f"Replaces {replaces.agent_words}: stop that order when this one begins."}]
        if len(replaces.references) == 1:
            medication["priorPrescription"] = {"reference": replaces.references[0]}
    return _checked("MedicationRequest", medication)


def _dosages(order: Order, mg: Decimal) -> list[Json]:
    """One instruction for each stage, numbered where there are several."""
    if len(order.stages) < 2:
        stage = order.stages[0] if order.stages else Stage(mg=mg)
        return [_dosage(order, stage, f"{order.text} {dose_words(order, mg)}")]
    return [
        {"sequence": number, **_dosage(order, stage, f"{number}. {order.text} {_stage_words(order, stage)}")}
        for number, stage in enumerate(order.stages, start=1)
    ]


def _stage_words(order: Order, stage: Stage) -> str:
    return dose_words(replace(order, stages=(stage,), taper=None, then=""), stage.mg)


def _dosage(order: Order, stage: Stage, words: str) -> Json:
    return {
        "text": words,
        "timing": {"repeat": _repeat(order, stage)},
        "route": {"text": order.route},
        "doseAndRate": [{"doseQuantity": _quantity(_json_number(stage.mg), "mg")}],
    }


def _repeat(order: Order, stage: Stage) -> Json:
    """Once, or every so many hours, with an end where the order has one."""
    repeat: Json = {"count": 1}
    if stage.every_hours is not None:
        repeat = {"frequency": 1, "period": stage.every_hours, "periodUnit": "h"}
    if stage.days is not None:
        low, high = stage.days
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


def is_sound(resource: Json) -> bool:
    """True when the model accepts a MedicationRequest that came from a client and was changed."""
    content = {name: value for name, value in resource.items() if name != "resourceType"}
    try:
        MedicationRequest(**content)
    except ValueError:
        return False
    return True


def _checked(resource_type: str, content: Json) -> Json:
    """The content when the model accepts it; a pydantic ValidationError is a bug of this service.

    Drafts that only differ in what they refer to are one form. The model sees it once, because looking takes long.
    """
    form = content | {name: ANYTHING for name in REFERENCES if name in content}
    _accept(resource_type, json.dumps(form))
    return {"resourceType": resource_type, **content}


@lru_cache(maxsize=REMEMBERED_FORMS)
def _accept(resource_type: str, form: str) -> None:
    MODELS[resource_type](**json.loads(form))

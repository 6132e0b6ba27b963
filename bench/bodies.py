"""What the benchmark sends: hook calls with a complete prefetch or with none, and feedback.

Each call is of another patient. The service remembers what it answered, so one chart opened 400 times would measure a
chart with 400 answers on record; 400 charts measure a hospital. A body is written once, with TEMPLATE in the place of
each patient id, and `of_patient` puts in another id: that takes microseconds and is not timed.
"""

import json
from datetime import UTC, datetime, timedelta
from functools import cache
from typing import Any
from zoneinfo import ZoneInfo

from cds_service.content.load import load
from cds_service.hooks.knowledge import Knowledge

Json = dict[str, Any]
TEMPLATE = b"bench-00000000"
PATIENT = TEMPLATE.decode()
SERVICE = "/cds-services/crs-patient-view"
HIGHEST = b"97"
"""The highest value in a body of 100 Observations or more, an oxygen saturation: what the floor and the peers find."""


@cache
def knowledge() -> Knowledge:
    """The installed knowledge, for UTC."""
    return Knowledge.of(load(), ZoneInfo("UTC"))


def of_patient(body: bytes, number: int) -> bytes:
    """The body with the id of another patient, which is that of the hook instance too."""
    return body.replace(TEMPLATE, b"bench-%08d" % number)


def patient_view(observations: int, *, eligible: bool = True) -> bytes:
    """A chart is opened: a patient on one vasopressor, with that many vital signs over two days.

    Eligible patients had CAR-T cells three days ago, and are at grade 3.
    """
    return _call("patient-view", {"prefetch": _prefetch(observations, eligible=eligible)})


def order_sign(observations: int) -> bytes:
    """An order of tocilizumab is about to be signed for that patient, of whom no blood culture was drawn."""
    orders = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": _tocilizumab()}]}
    return _call("order-sign", {"prefetch": _prefetch(observations, eligible=True)}, {"draftOrders": orders})


def pulling(fhir: str) -> bytes:
    """A chart is opened without a prefetch: everything is asked of the FHIR server."""
    return _call("patient-view", {"fhirServer": fhir})


def feedback(card: str, number: int) -> bytes:
    """A card is overridden; with another number it is another entry."""
    at = datetime.now(UTC) - timedelta(milliseconds=number)
    reason = {"reason": {"code": "not-now", "system": "urn:bench", "display": "not now"}}
    entry = {"card": card, "outcome": "overridden", "outcomeTimestamp": at.isoformat(timespec="milliseconds")}
    return json.dumps({"feedback": [entry | {"overrideReason": reason}]}).encode()


def _call(hook: str, members: Json, context: Json | None = None) -> bytes:
    named = {"userId": "Practitioner/p", "patientId": PATIENT}
    return json.dumps({"hook": hook, "hookInstance": PATIENT, **members, "context": named | (context or {})}).encode()


def _prefetch(observations: int, *, eligible: bool) -> Json:
    now = datetime.now(UTC)
    prefetch: Json = {need.key: {"resourceType": "Bundle", "type": "searchset"} for need in knowledge().needs}
    prefetch["patient"] = {"resourceType": "Patient", "id": PATIENT, "birthDate": "1960-05-04"}
    signs = (
        ("temperature", "8310-5", lambda n: {"valueQuantity": _quantity(38.2 + n % 12 / 10, "Cel")}),
        ("bloodPressure", "85354-9", _pressure),
        ("oxygen", "59408-5", lambda n: {"valueQuantity": _quantity(93 + n % 5, "%")}),
        ("oxygen", "3151-8", lambda _: {"valueQuantity": _quantity(2, "L/min")}),
    )
    for number in range(observations):
        key, code, value = signs[number % len(signs)]
        at = now - timedelta(minutes=5 + number * 2880 / observations)
        resource = {
            "resourceType": "Observation",
            "id": f"o{number}",
            "status": "final",
            "effectiveDateTime": _time(at),
        }
        _add(prefetch, key, {**resource, "code": _loinc(code), "subject": _subject(), **value(number)})
    _add(prefetch, "oxygen", _nasal_cannula(now))
    _add(prefetch, "weight", _weight(now))
    _add(prefetch, "administrations", _norepinephrine(now))
    if eligible:
        _add(prefetch, "procedures", _car_t(now))
    return prefetch


def _add(prefetch: Json, key: str, resource: Json) -> None:
    prefetch[key].setdefault("entry", []).append({"resource": resource})


def _subject() -> dict[str, str]:
    return {"reference": f"Patient/{PATIENT}"}


def _time(at: datetime) -> str:
    return at.isoformat(timespec="seconds")


def _loinc(code: str) -> Json:
    return {"coding": [{"system": "http://loinc.org", "code": code, "display": "a vital sign"}], "text": "a vital sign"}


def _quantity(value: float, unit: str) -> Json:
    return {"value": round(value, 1), "unit": unit, "system": "http://unitsofmeasure.org", "code": unit}


def _pressure(number: int) -> Json:
    parts = (("8480-6", 112 + number % 9), ("8462-4", 60 + number % 7))
    return {"component": [{"code": _loinc(code), "valueQuantity": _quantity(value, "mm[Hg]")} for code, value in parts]}


def _weight(now: datetime) -> Json:
    at = _time(now - timedelta(days=2))
    weight = {"resourceType": "Observation", "id": "w", "status": "final", "effectiveDateTime": at}
    return {**weight, "code": _loinc("3141-9"), "subject": _subject(), "valueQuantity": _quantity(82, "kg")}


def _nasal_cannula(now: datetime) -> Json:
    at = _time(now - timedelta(minutes=5))
    device = {"resourceType": "Observation", "id": "d", "status": "final", "effectiveDateTime": at}
    return {**device, "code": _loinc("107117-4"), "subject": _subject(), "valueString": "nasal cannula"}


def _norepinephrine(now: datetime) -> Json:
    return {
        "resourceType": "MedicationAdministration",
        "id": "n",
        "status": "in-progress",
        "subject": _subject(),
        "medicationCodeableConcept": {"text": "norepinephrine"},
        "effectivePeriod": {"start": _time(now - timedelta(hours=3))},
        "dosage": {"route": {"text": "intravenous"}, "rateQuantity": _quantity(0.1, "ug/kg/min")},
    }


def _car_t(now: datetime) -> Json:
    return {
        "resourceType": "Procedure",
        "id": "c",
        "status": "completed",
        "subject": _subject(),
        "code": {"text": "axicabtagene ciloleucel infusion"},
        "performedDateTime": _time(now - timedelta(days=3)),
    }


def _tocilizumab() -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": "r",
        "status": "draft",
        "intent": "order",
        "subject": _subject(),
        "medicationCodeableConcept": {"text": "tocilizumab"},
        "dosageInstruction": [
            {"route": {"text": "intravenous"}, "doseAndRate": [{"doseQuantity": _quantity(656, "mg")}]}
        ],
    }

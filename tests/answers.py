"""Calls for one patient of the stories, and what their answers say. For tests of how the data comes."""

from typing import Any

from flask.testing import FlaskClient

from cds_service.conformance.judge import check, check_operation_outcome
from tests.server import hook_call

SERVICE = "/cds-services/crs-patient-view"
PATIENT = "grade-3-one-vasopressor-patient"
NOT_ELIGIBLE = "not-eligible-sepsis-patient"
GATE = ["therapies", "administrations", "procedures", "medicationRequests"]
VITALS = ("temperature", "bloodPressure", "oxygen")
OTHERS = ["weight", "infusionRates", "laboratory", "scores", "crsMedications", "reports", "cultureOrders"]
KEYS = [*GATE, "patient", *VITALS, "vitalSigns", *OTHERS, "conditions", "allergies", "homeDevices"]
PARTS = ("therapies", "crsMedications")
"""Without one of these nothing is unknown, because others hold the same."""
DECIDED = ("bloodPressure", "temperature")
"""Running norepinephrine decides without a pressure; and a fever that is charted is met whatever else is missing."""
FAILED = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
WARNED = {"resourceType": "OperationOutcome", "issue": [{"severity": "warning", "code": "not-found"}]}
Json = dict[str, Any]


def answer(client: FlaskClient, patient: str = PATIENT, **members: Any) -> Json:
    """A 200 answer that the independent judge has passed."""
    found = client.post(SERVICE, json=hook_call(patient, **members))
    assert found.status_code == 200, found.text
    body: Json = found.get_json()
    check(body, patient_id=patient)
    return body


def refusal(client: FlaskClient, patient: str = PATIENT, **members: Any) -> str:
    """The words of a 412."""
    found = client.post(SERVICE, json=hook_call(patient, **members))
    assert found.status_code == 412, found.text
    check_operation_outcome(found.get_json())
    words: str = found.get_json()["issue"][0]["details"]["text"]
    return words


def assessment(body: Json) -> Json:
    found: Json = body["extension"]["org.crs-cds.assessment"]
    return found


def missing(body: Json) -> str:
    return "\n".join(assessment(body)["missing"])


def not_lower(body: Json) -> bool:
    """The grade is still 3, or not stated as a plain grade (N-14)."""
    return assessment(body)["grade"] == 3 or assessment(body)["status"] != "graded"

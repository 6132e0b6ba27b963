"""order-select and order-sign over the application: what arrives is read leniently, what leaves is judged strictly."""

from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.conformance.judge import check, check_operation_outcome
from tests.answers import NOT_ELIGIBLE, PATIENT, assessment
from tests.server import Fhir, hook_call

Json = dict[str, Any]
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
TOCILIZUMAB = {"coding": [{"system": RXNORM, "code": "612865", "display": "tocilizumab"}], "text": "tocilizumab"}
SUBCUTANEOUS = {"coding": [{"system": RXNORM, "code": "1441527"}], "text": "Actemra"}
DEXAMETHASONE = {"coding": [{"system": RXNORM, "code": "3264"}], "text": "dexamethasone"}
RIGHT = 656


def dosage(mg: float | None, unit: str = "mg", every: int | None = None) -> list[Json]:
    found: Json = {"text": "as written"}
    if mg is not None:
        found["doseAndRate"] = [{"doseQuantity": {"value": mg, "unit": unit}}]
    if every is not None:
        found["timing"] = {"repeat": {"frequency": 1, "period": every, "periodUnit": "h"}}
    return [found]


def draft(mg: float | None = RIGHT, **members: Any) -> Json:
    """A draft order of tocilizumab for the patient."""
    order = {
        "resourceType": "MedicationRequest",
        "id": "request-1",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "medicationCodeableConcept": TOCILIZUMAB,
        "dosageInstruction": dosage(mg),
    } | members
    return {name: value for name, value in order.items() if value is not None}


def culture_draft() -> Json:
    return {
        "resourceType": "ServiceRequest",
        "id": "culture-1",
        "status": "draft",
        "intent": "order",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "code": {"coding": [{"system": "http://loinc.org", "code": "600-7"}], "text": "blood culture"},
    }


def call(hook: str, orders: list[Any], *, patient: str = PATIENT, **context: Any) -> Json:
    """A call of an order hook. All orders are selected unless said otherwise."""
    body = hook_call(patient, hook=hook)
    body["context"] |= {"draftOrders": {"resourceType": "Bundle", "entry": [{"resource": order} for order in orders]}}
    if hook == "order-select":
        ids = [f"{order.get('resourceType')}/{order.get('id')}" for order in orders if isinstance(order, dict)]
        body["context"]["selections"] = ids
    body["context"] |= context
    return body


def cards(client: FlaskClient, orders: list[Any], *, hook: str = "order-sign", **members: Any) -> list[Json]:
    """The cards of a 200 answer that the independent judge has passed."""
    prefetch = members.pop("prefetch", None)
    body = call(hook, orders, **members) | ({"prefetch": prefetch} if prefetch is not None else {})
    found = client.post(f"/cds-services/crs-{hook}", json=body)
    assert found.status_code == 200, found.text
    ids = [f"{order['resourceType']}/{order.get('id')}" for order in orders if isinstance(order, dict)]
    check(found.get_json(), patient_id=members.get("patient", PATIENT), draft_ids=ids, hook=hook)
    answered: list[Json] = found.get_json()["cards"]
    return answered


def actions(answered: list[Json]) -> list[Json]:
    return [action for card in answered for item in card.get("suggestions", []) for action in item["actions"]]


@pytest.fixture
def known(filled: Json) -> Json:
    """The patient with a blood culture drawn: nothing else is missing for a first dose."""
    entry = {
        "resource": {
            "resourceType": "ServiceRequest",
            "id": "culture-0",
            "status": "completed",
            "intent": "order",
            "subject": {"reference": f"Patient/{PATIENT}"},
            "code": {"coding": [{"system": "http://loinc.org", "code": "600-7"}]},
            "authoredOn": "2026-11-22T10:00:00Z",
        }
    }
    return filled | {"cultureOrders": {"resourceType": "Bundle", "type": "searchset", "entry": [entry]}}


# --- silence and remarks ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_an_order_that_is_right_is_met_with_silence_and_an_assessment(
    client: FlaskClient, known: Json, hook: str
) -> None:
    body = call(hook, [draft()]) | {"prefetch": known}
    found = client.post(f"/cds-services/crs-{hook}", json=body).get_json()
    assert found["cards"] == []
    assert (assessment(found)["status"], assessment(found)["grade"]) == ("graded", 3)


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_a_wrong_dose_is_a_warning_with_the_whole_draft_corrected(client: FlaskClient, known: Json, hook: str) -> None:
    order = draft(328, note=[{"text": "kept"}], priority="urgent")
    (card,) = cards(client, [order], hook=hook, prefetch=known)
    assert card["indicator"] == "warning"
    assert card["summary"] == "Order of tocilizumab: 328 mg is less than the dose by weight, 656 mg"
    (action,) = actions([card])
    assert action["type"] == "update"
    kept = {name: value for name, value in action["resource"].items() if name != "dosageInstruction"}
    assert kept == {name: value for name, value in order.items() if name != "dosageInstruction"}
    (corrected,) = action["resource"]["dosageInstruction"]
    assert corrected["doseAndRate"][0]["doseQuantity"]["value"] == RIGHT


@pytest.mark.parametrize(
    ("order", "words"),
    [
        (draft(900), "over the maximum of 800 mg"),
        (draft(medicationCodeableConcept=SUBCUTANEOUS), "subcutaneous tocilizumab is not for CRS"),
        (draft(dosageInstruction=[dosage(RIGHT)[0] | {"route": {"text": "SC"}}]), "subcutaneous"),
    ],
)
def test_what_must_never_be_is_critical(client: FlaskClient, known: Json, order: Json, words: str) -> None:
    (card,) = cards(client, [order], prefetch=known)
    assert card["indicator"] == "critical"
    assert words in card["summary"]


def test_without_cultures_they_are_offered_and_accepting_ends_it(client: FlaskClient, filled: Json) -> None:
    (card,) = cards(client, [draft()], prefetch=filled)
    (action,) = actions([card])
    assert (action["type"], action["resource"]["resourceType"]) == ("create", "ServiceRequest")
    accepted = action["resource"] | {"id": "accepted-1"}
    assert cards(client, [draft(), accepted], prefetch=filled) == []


def test_accepting_a_correction_ends_it(client: FlaskClient, known: Json) -> None:
    (action,) = actions(cards(client, [draft(100)], prefetch=known))
    assert cards(client, [action["resource"]], prefetch=known) == []


def test_each_order_has_its_own_card_the_most_severe_first(client: FlaskClient, known: Json) -> None:
    wrong = draft(id="request-2", medicationCodeableConcept=DEXAMETHASONE, dosageInstruction=dosage(20, every=6))
    found = cards(client, [wrong, draft(900)], prefetch=known)
    assert [card["indicator"] for card in found] == ["critical", "warning"]
    assert len({card["uuid"] for card in found}) == 2


@pytest.mark.parametrize(("hook", "silent"), [("order-select", True), ("order-sign", False)])
def test_what_is_not_selected_is_background(client: FlaskClient, known: Json, hook: str, silent: bool) -> None:
    context = {"selections": ["MedicationRequest/other"]} if hook == "order-select" else {}
    assert (cards(client, [draft(900)], hook=hook, prefetch=known, **context) == []) is silent


def test_a_selection_by_bare_id_is_understood(client: FlaskClient, known: Json) -> None:
    assert cards(client, [draft(900)], hook="order-select", prefetch=known, selections=["request-1"])


def test_a_patient_without_such_a_therapy_costs_only_the_gate(pulling: FlaskClient, fhir: Fhir) -> None:
    order = draft(162, subject={"reference": f"Patient/{NOT_ELIGIBLE}"})
    body = call("order-sign", [order], patient=NOT_ELIGIBLE) | {"fhirServer": fhir.base}
    found = pulling.post("/cds-services/crs-order-sign", json=body)
    assert found.get_json()["cards"] == []
    assert len(fhir.asked) == 4


def test_a_therapy_is_told_what_must_be_ready_whoever_the_patient_is(pulling: FlaskClient, fhir: Fhir) -> None:
    order = draft(
        None,
        subject={"reference": f"Patient/{NOT_ELIGIBLE}"},
        medicationCodeableConcept={"text": "teclistamab-cqyv"},
        dosageInstruction=None,
    )
    body = call("order-sign", [order], patient=NOT_ELIGIBLE) | {"fhirServer": fhir.base}
    found = pulling.post("/cds-services/crs-order-sign", json=body).get_json()
    (card,) = found["cards"]
    check(found, patient_id=NOT_ELIGIBLE, hook="order-sign")
    assert card["indicator"] == "info"
    assert "tocilizumab at hand, a further dose within 8 h" in card["detail"]


# --- what really arrives ----------------------------------------------------------------------------------------------

LENIENT: dict[str, tuple[Json, bool]] = {
    "no medication yet": (draft(None, medicationCodeableConcept=None, dosageInstruction=None, intent=None), False),
    "dose and rate as an object": (
        draft(dosageInstruction=[{"doseAndRate": {"doseQuantity": {"value": 900, "unit": "mg"}}}]),
        True,
    ),
    "dosage as an object": (draft(dosageInstruction=dosage(900)[0]), True),
    "category as an object": (draft(900, category={"text": "inpatient"}), True),
    "signed again": (draft(900, status="active"), True),
    "a very long id": (draft(900, id="e" + "x.y-" * 60), True),
    "no subject": (draft(900, subject=None), True),
    "an absolute subject": (draft(900, subject={"reference": f"https://ehr.example/fhir/Patient/{PATIENT}"}), False),
    "another patient": (draft(900, subject={"reference": "Patient/other"}), False),
    "cancelled": (draft(900, status="cancelled"), False),
    "never to be done": (draft(900, doNotPerform=True), False),
    "contained": (
        draft(
            900,
            medicationCodeableConcept=None,
            medicationReference={"reference": "#m"},
            contained=[{"resourceType": "Medication", "id": "m", "code": TOCILIZUMAB}],
        ),
        True,
    ),
    "by display": (
        draft(
            900, medicationCodeableConcept=None, medicationReference={"reference": "Medication/x", "display": "Actemra"}
        ),
        True,
    ),
}


@pytest.mark.parametrize("name", LENIENT)
@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
def test_orders_are_read_as_they_arrive(client: FlaskClient, known: Json, name: str, hook: str) -> None:
    order, spoken = LENIENT[name]
    found = cards(client, [deepcopy(order)], hook=hook, prefetch=known)
    assert any(card["summary"].startswith("Order of") for card in found) is spoken


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize(
    "subject", ["Patient/other", f"Patient/{PATIENT.upper()}", f"https://x.example/Patient/{PATIENT}"]
)
def test_t41_an_order_of_another_patient_is_not_reviewed_and_said(
    client: FlaskClient, known: Json, hook: str, subject: str
) -> None:
    body = call(hook, [draft(900, subject={"reference": subject})]) | {"prefetch": known}
    found = client.post(f"/cds-services/crs-{hook}", json=body).get_json()
    (card,) = found["cards"]
    assert (card["indicator"], card["summary"]) == (
        "warning",
        "1 order was not reviewed: it belongs to another patient",
    )
    assert [item["reference"] for item in assessment(found)["unused"]] == ["MedicationRequest/request-1"]


MODIFIER = [{"url": "urn:not", "valueBoolean": True}]


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize(
    "members",
    [
        {"modifierExtension": MODIFIER},
        {"implicitRules": "urn:rules"},
        {"dosageInstruction": [dosage(900)[0] | {"modifierExtension": MODIFIER}]},
    ],
)
def test_t44_an_order_with_a_modifier_is_not_reviewed_and_said(
    client: FlaskClient, known: Json, hook: str, members: Json
) -> None:
    wrong = draft(900, id="request-2")
    found = cards(client, [draft(900, **members), wrong], hook=hook, prefetch=known)
    assert [card["indicator"] for card in found] == ["critical", "warning"]
    assert "1 order was not reviewed: tocilizumab: it carries a modifier" in found[1]["summary"]
    assert actions(found[1:]) == []


def test_t44_an_entry_of_the_session_with_a_modifier_is_not_reviewed_either(client: FlaskClient, known: Json) -> None:
    body = call("order-sign", [draft(900)]) | {"prefetch": known}
    body["context"]["draftOrders"]["entry"][0]["modifierExtension"] = MODIFIER
    found = client.post("/cds-services/crs-order-sign", json=body).get_json()
    assert "not reviewed" in found["cards"][0]["summary"]


def test_t44_an_order_of_no_concern_is_not_spoken_of(client: FlaskClient, known: Json) -> None:
    other = {"resourceType": "NutritionOrder", "id": "n", "status": "draft", "modifierExtension": MODIFIER}
    assert cards(client, [draft(), other], prefetch=known) == []


def test_a_medication_in_the_same_bundle_names_the_order(client: FlaskClient, known: Json) -> None:
    order = draft(900, medicationCodeableConcept=None, medicationReference={"reference": "Medication/m1"})
    medication = {"resourceType": "Medication", "id": "m1", "code": TOCILIZUMAB}
    assert cards(client, [order, medication], prefetch=known)


def test_a_medication_on_the_server_names_the_order(pulling: FlaskClient, fhir: Fhir) -> None:
    fhir.repository.update({"resourceType": "Medication", "id": "toci-1", "code": TOCILIZUMAB})
    order = draft(900, medicationCodeableConcept=None, medicationReference={"reference": "Medication/toci-1"})
    body = call("order-sign", [order]) | {"fhirServer": fhir.base}
    (card, *_) = pulling.post("/cds-services/crs-order-sign", json=body).get_json()["cards"]
    assert "over the maximum" in card["summary"]


@pytest.mark.parametrize(
    "other",
    [
        {"resourceType": "NutritionOrder", "id": "n", "status": "draft"},
        {"resourceType": "DeviceRequest", "id": "d"},
        {"resourceType": "Medication", "id": "m"},
        {"no": "type"},
        "text",
        None,
    ],
)
def test_other_things_in_the_bundle_are_no_fault(client: FlaskClient, known: Json, other: Any) -> None:
    body = call("order-sign", [draft()]) | {"prefetch": known}
    body["context"]["draftOrders"]["entry"].append({"resource": other})
    found = client.post("/cds-services/crs-order-sign", json=body)
    assert (found.status_code, found.get_json()["cards"]) == (200, [])


@pytest.mark.parametrize("status", ["active", "on-hold"])
def test_an_order_that_is_no_draft_is_never_changed_by_us(client: FlaskClient, known: Json, status: str) -> None:
    (action,) = actions(cards(client, [draft(900, status=status)], prefetch=known))
    assert (action["type"], action["resource"]["status"]) == ("create", "draft")
    assert "remove this one" in action["description"]


def test_a_draft_that_is_no_sound_resource_is_replaced_and_not_copied(client: FlaskClient, known: Json) -> None:
    (action,) = actions(cards(client, [draft(900, category={"text": "inpatient"})], prefetch=known))
    assert action["type"] == "create"


def test_another_drug_is_a_new_order(client: FlaskClient, known: Json) -> None:
    concept = {"coding": [{"system": RXNORM, "code": "6902"}], "text": "methylprednisolone"}
    order = draft(medicationCodeableConcept=concept, dosageInstruction=dosage(1000, every=24))
    (action,) = actions(cards(client, [order], prefetch=known))
    assert action["type"] == "create"
    assert action["resource"]["medicationCodeableConcept"]["text"] == "dexamethasone"


# --- what is refused --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hook", "context", "path"),
    [
        ("order-sign", {"draftOrders": None}, "context.draftOrders"),
        ("order-sign", {"draftOrders": []}, "context.draftOrders"),
        ("order-select", {"selections": None}, "context.selections"),
        ("order-select", {"selections": "MedicationRequest/1"}, "context.selections"),
        ("order-select", {"draftOrders": "x"}, "context.draftOrders"),
    ],
)
def test_h6_a_missing_or_mistyped_member_is_400_with_its_path(
    client: FlaskClient, hook: str, context: Json, path: str
) -> None:
    body = call(hook, [draft()], **context)
    body["context"] = {name: value for name, value in body["context"].items() if value is not None}
    found = client.post(f"/cds-services/crs-{hook}", json=body)
    assert found.status_code == 400
    check_operation_outcome(found.get_json())
    assert path in found.text


@pytest.mark.parametrize("hook", ["patient-view", "order-sign"])
def test_h6_the_hook_of_another_service_is_400(client: FlaskClient, hook: str) -> None:
    body = call("order-select", [draft()]) | {"hook": hook}
    assert client.post("/cds-services/crs-order-select", json=body).status_code == 400


def test_412_when_the_record_cannot_be_had(client: FlaskClient) -> None:
    found = client.post("/cds-services/crs-order-sign", json=call("order-sign", [draft()]))
    assert found.status_code == 412

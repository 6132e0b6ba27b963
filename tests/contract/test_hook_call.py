"""The envelope of a hook call: what is refused with its path, and what is tolerated (R-1 to R-12, T35, T36, T38)."""

import json
from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient
from pydantic import SecretStr
from werkzeug.test import TestResponse

from cds_service.conformance.judge import check, check_operation_outcome
from cds_service.errors import InvalidRequest
from cds_service.hooks.call import FhirAuthorization, HookCall, read_call
from tests.answers import FAILED, PATIENT, SERVICE, answer, missing
from tests.server import Fhir

CANARY = "canary-8d2f"
MEMBERS = ["hook", "hookInstance", "context", "context.userId", "context.patientId"]


def call(**members: Any) -> dict[str, Any]:
    """A call for a patient of whom nothing is known: a complete prefetch of nulls."""
    body = {
        "hook": "patient-view",
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "context": {"userId": "Practitioner/example", "patientId": "p1"},
        "prefetch": dict.fromkeys(("therapies", "administrations", "procedures", "medicationRequests")),
    }
    return body | members


def without(path: str) -> dict[str, Any]:
    body = deepcopy(call())
    *parents, name = path.split(".")
    part = body
    for parent in parents:
        part = part[parent]
    del part[name]
    return body


def assert_refused(answer: TestResponse, status: int) -> dict[str, Any]:
    """The one issue of a refusal; nothing of what was sent stands in it."""
    assert (answer.status_code, answer.mimetype) == (status, "application/fhir+json"), answer.text
    check_operation_outcome(answer.get_json())
    assert CANARY not in answer.text
    issue: dict[str, Any] = answer.get_json()["issue"][0]
    return issue


def test_r1_a_call_is_answered_with_cards_and_an_assessment(client: FlaskClient) -> None:
    answer = client.post(SERVICE, json=call())
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    check(answer.get_json(), patient_id="p1")
    assert answer.get_json()["cards"] == []
    assert answer.get_json()["extension"]["org.crs-cds.assessment"]["status"] == "not-eligible"


@pytest.mark.parametrize("path", MEMBERS)
def test_h6_t35_a_missing_member_is_400_with_its_path(client: FlaskClient, path: str) -> None:
    issue = assert_refused(client.post(SERVICE, json=without(path)), 400)
    assert issue["expression"] == [path]
    assert path in issue["details"]["text"]


MISTYPED: list[Any] = [None, 7, True, [CANARY], {CANARY: CANARY}, "", f"{CANARY}\r\nX: y", "x" * 10_000]


@pytest.mark.parametrize(
    ("path", "wrong"),
    [(path, wrong) for path in MEMBERS for wrong in MISTYPED if (path, type(wrong)) != ("context", dict)],
)
def test_h6_t35_a_mistyped_member_is_400_with_its_path_and_without_its_value(
    client: FlaskClient, path: str, wrong: Any
) -> None:
    body = without(path)
    if "." in path:
        body["context"][path.partition(".")[2]] = wrong
    else:
        body[path] = wrong
    issue = assert_refused(client.post(SERVICE, json=body), 400)
    assert issue["expression"] == [path]
    assert "xxxxx" not in json.dumps(issue)


@pytest.mark.parametrize(
    ("member", "wrong", "path"),
    [
        ("fhirServer", 5, "fhirServer"),
        ("fhirServer", "", "fhirServer"),
        ("prefetch", [CANARY], "prefetch"),
        ("prefetch", CANARY, "prefetch"),
        ("fhirAuthorization", CANARY, "fhirAuthorization"),
        ("fhirAuthorization", {}, "fhirAuthorization.access_token"),
        ("fhirAuthorization", {"access_token": 9}, "fhirAuthorization.access_token"),
        ("fhirAuthorization", {"access_token": "t", "token_type": 4}, "fhirAuthorization.token_type"),
        ("fhirAuthorization", {"access_token": "t", "patient": 4}, "fhirAuthorization.patient"),
        ("fhirAuthorization", {"access_token": "t", "patient": CANARY}, "fhirAuthorization.patient"),
    ],
)
def test_h6_t35_optional_members_are_checked_too(client: FlaskClient, member: str, wrong: Any, path: str) -> None:
    body = call(fhirServer="http://127.0.0.1:9/fhir") | {member: wrong}
    assert assert_refused(client.post(SERVICE, json=body), 400)["expression"] == [path]


def test_r4_t36_authorization_without_a_server_is_400(client: FlaskClient) -> None:
    issue = assert_refused(client.post(SERVICE, json=call(fhirAuthorization={"access_token": CANARY})), 400)
    assert issue["expression"] == ["fhirServer"]


@pytest.mark.parametrize("member", ["fhirServer", "fhirAuthorization", "prefetch"])
def test_an_optional_member_may_be_null_or_absent(client: FlaskClient, member: str) -> None:
    for body in (call(**{member: None}), {name: value for name, value in call().items() if name != member}):
        assert client.post(SERVICE, json=body).status_code == (412 if member == "prefetch" else 200)


@pytest.mark.parametrize(
    "patient_id",
    [
        "..",
        ".",
        "%2f",
        "a%2fb",
        "a/b",
        "a?b=1",
        "a#b",
        "a b",
        "a\nb",
        "é",
        "a|b",
        "a,b",
        "a" * 65,
        "{{context.userId}}",
    ],
)
def test_t08_a_patient_id_with_tricks_is_400(client: FlaskClient, patient_id: str) -> None:
    body = call(context={"userId": "Practitioner/1", "patientId": patient_id})
    issue = assert_refused(client.post(SERVICE, json=body), 400)
    assert issue["expression"] == ["context.patientId"]
    assert len(patient_id) < 3 or patient_id not in json.dumps(issue)


@pytest.mark.parametrize("patient_id", ["1", "a" * 64, "urn.1-2", "COREPATIENT1"])
def test_r6_a_patient_id_of_the_fhir_grammar_is_taken(client: FlaskClient, patient_id: str) -> None:
    body = call(context={"userId": "Practitioner/1", "patientId": patient_id})
    assert client.post(SERVICE, json=body).status_code == 200


@pytest.mark.parametrize("user", ["Practitioner/1", "PractitionerRole/1", "Patient/1", "RelatedPerson/a_b"])
def test_patient_view_is_opened_by_four_kinds_of_users(client: FlaskClient, user: str) -> None:
    assert client.post(SERVICE, json=call(context={"userId": user, "patientId": "p1"})).status_code == 200


@pytest.mark.parametrize(
    "user", ["1", "Device/1", "Practitioner/", "practitioner/1", "Practitioner/1/2", "Practitioner/a b"]
)
def test_another_user_is_400(client: FlaskClient, user: str) -> None:
    issue = assert_refused(client.post(SERVICE, json=call(context={"userId": user, "patientId": "p1"})), 400)
    assert issue["expression"] == ["context.userId"]


@pytest.mark.parametrize(("encounter", "status"), [("e1", 200), (None, 200), (5, 400), ("a/b", 400), ("..", 400)])
def test_encounter_id_is_optional_and_an_id(client: FlaskClient, encounter: Any, status: int) -> None:
    context = {"userId": "Practitioner/1", "patientId": "p1", "encounterId": encounter}
    assert client.post(SERVICE, json=call(context=context)).status_code == status


def test_r8_epics_keys_and_extensions_anywhere_are_tolerated(client: FlaskClient) -> None:
    body = call(
        extension={
            "com.epic.cdshooks.request.bpa-trigger-action": "60",
            "com.epic.cdshooks.request.cds-hooks-specification-version": "2.0",
            "internal": [{"a": None}],
        },
        fhirServer="https://ehr.example/api/FHIR/R4",
        fhirAuthorization={
            "access_token": "t",
            "token_type": "bearer",
            "expires_in": 0,
            "scope": "Observation.Read (Vitals) (R4)",
            "subject": "crs",
            "patient": "p1",
            "extension": {},
        },
        newMember={"deep": [1, 2, 3]},
        user="Practitioner/1",
    )
    body["context"] |= {"extension": {"x": 1}, "encounterId": "e1", "department": "ICU", "draftOrders": {}}
    assert client.post(SERVICE, json=body).status_code == 200


@pytest.mark.parametrize("hook", ["order-sign", "patient-view ", "Patient-View"])
def test_h6_t38_another_hook_than_the_services_is_400_and_not_404(client: FlaskClient, hook: str) -> None:
    issue = assert_refused(client.post(SERVICE, json=call(hook=hook)), 400)
    assert issue["expression"] == ["hook"]


@pytest.mark.parametrize("name", ["patient-view", "crs-order-dispatch", "..", "%2e%2e", "crs-patient-view%20", CANARY])
def test_t38_an_unknown_service_is_404(client: FlaskClient, name: str) -> None:
    assert assert_refused(client.post(f"/cds-services/{name}", json=call()), 404)["code"] == "not-found"


@pytest.mark.parametrize("method", ["GET", "HEAD", "PUT", "PATCH", "DELETE"])
def test_h7_a_wrong_method_is_405_and_says_which_is_right(client: FlaskClient, method: str) -> None:
    answer = client.open(SERVICE, method=method)
    assert (answer.status_code, set(answer.headers["Allow"].split(", "))) == (405, {"OPTIONS", "POST"})
    if method != "HEAD":
        assert_refused(answer, 405)


def test_h7_post_to_discovery_is_405(client: FlaskClient) -> None:
    answer = client.post("/cds-services", json=call())
    assert_refused(answer, 405)
    assert "GET" in answer.headers["Allow"]


def test_the_same_call_gets_the_same_answer_and_another_instance_other_ids(client: FlaskClient) -> None:
    first, again = client.post(SERVICE, json=call()), client.post(SERVICE, json=call())
    assert first.data == again.data


def test_t11_an_error_does_not_carry_the_value_at_fault_either() -> None:
    with pytest.raises(InvalidRequest) as refusal:
        read_call(call(fhirAuthorization={"access_token": {CANARY: CANARY}}), "patient-view", HookCall)
    assert CANARY not in f"{refusal.value} {refusal.value.__cause__}"


def test_t11_no_representation_of_a_call_holds_the_token_or_the_prefetch() -> None:
    read = read_call(
        call(
            fhirServer="https://ehr.example/fhir",
            fhirAuthorization={"access_token": CANARY},
            prefetch={"patient": {"resourceType": "Patient", "name": [{"family": CANARY}]}},
        ),
        "patient-view",
        HookCall,
    )
    assert read.fhirAuthorization is not None
    assert read.fhirAuthorization.access_token.get_secret_value() == CANARY
    for shown in (repr(read), str(read), repr(read.fhirAuthorization), str(read.fhirAuthorization)):
        assert CANARY not in shown
    assert CANARY not in repr(FhirAuthorization(access_token=SecretStr(CANARY)))


def test_t36_a_token_for_another_patient_is_400_and_nothing_is_asked(pulling: FlaskClient, fhir: Fhir) -> None:
    authorization = {"access_token": CANARY, "patient": "p2"}
    body = call(fhirServer=fhir.base, fhirAuthorization=authorization, prefetch={})
    assert assert_refused(pulling.post(SERVICE, json=body), 400)["expression"] == ["fhirAuthorization.patient"]
    assert fhir.asked == []


def test_t36_what_the_token_may_not_read_is_said_to_be_not_permitted_and_not_to_be_absent(
    pulling: FlaskClient, fhir: Fhir
) -> None:
    fhir.faults["/fhir/AllergyIntolerance"] = ("403 Forbidden", "application/fhir+json", json.dumps(FAILED))
    authorization = {"access_token": CANARY, "scope": "patient/Observation.rs", "patient": PATIENT}
    body = answer(pulling, fhirServer=fhir.base, fhirAuthorization=authorization)
    assert "allergies: the FHIR server does not permit it (HTTP 403)" in missing(body)

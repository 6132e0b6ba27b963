"""What is asked of the FHIR server, page by page and gate first; what cannot be graded (P-10, H-2, T01, T45 to T54)."""

import json
import socket
from copy import deepcopy

import pytest
from flask.testing import FlaskClient

from cds_service.hooks.knowledge import Knowledge
from tests.answers import (
    FAILED,
    GATE,
    KEYS,
    NOT_ELIGIBLE,
    PATIENT,
    SERVICE,
    VITALS,
    Json,
    answer,
    assessment,
    missing,
    not_lower,
    refusal,
)
from tests.conftest import MakeApp
from tests.hostile import hostile, whole
from tests.server import NOW, Fhir, hook_call, prefetch

# Pages


def paged(fhir: Fhir, knowledge: Knowledge, key: str, count: int = 1) -> Json:
    """The first page of a need's answer, of `count` resources."""
    need = next(need for need in knowledge.needs if need.key == key)
    head, _, _ = need.template.rpartition("&_count=")
    page: Json = prefetch(fhir.base, {key: f"{head}&_count={count}"}, PATIENT)[key]
    assert any(link["relation"] == "next" for link in page["link"])
    fhir.reset()
    return page


def test_p10_a_next_link_is_read_on_with_the_token(
    pulling: FlaskClient, fhir: Fhir, filled: Json, knowledge: Knowledge
) -> None:
    whole = answer(pulling, prefetch=filled, fhirServer=fhir.base)
    filled["temperature"] = paged(fhir, knowledge, "temperature")
    token = {"access_token": "token-1", "token_type": "Bearer"}
    assert answer(pulling, prefetch=filled, fhirServer=fhir.base, fhirAuthorization=token) == whole
    assert {asked.headers.get("authorization") for asked in fhir.asked} == {"Bearer token-1"}


@pytest.mark.parametrize("key", VITALS)
def test_p10_a_next_link_without_a_server_leaves_the_rest_unknown_and_says_so(
    client: FlaskClient, fhir: Fhir, filled: Json, knowledge: Knowledge, key: str
) -> None:
    filled[key] = paged(fhir, knowledge, key)
    body = answer(client, prefetch=filled)
    assert "only one page was prefetched, and no fhirServer was given" in missing(body) or not_lower(body)
    assert not_lower(body)


def test_t10_a_next_link_to_elsewhere_is_never_fetched(pulling: FlaskClient, fhir: Fhir, filled: Json) -> None:
    with hostile(lambda connection, head: connection.close()) as canary:
        filled["oxygen"]["link"] = [{"relation": "next", "url": f"{canary.base}/Observation?page=2"}]
        filled["oxygen"]["entry"] = filled["oxygen"]["entry"][:1]
        token = {"access_token": "token-1"}
        body = answer(pulling, prefetch=filled, fhirServer=fhir.base, fhirAuthorization=token)
        assert canary.heads == []
    assert "the next page lies outside the FHIR server's address" in missing(body)
    assert fhir.queries() == []


def test_pages_are_read_no_further_back_than_the_rules_look(pulling: FlaskClient, fhir: Fhir, filled: Json) -> None:
    old = deepcopy(filled["temperature"]["entry"][0])
    old["resource"] |= {"id": "old", "effectiveDateTime": "2025-01-01T00:00:00Z"}
    filled["temperature"]["entry"].append(old)
    filled["temperature"]["link"] = [{"relation": "next", "url": f"{fhir.base}/Observation?page=2"}]
    body = answer(pulling, prefetch=filled, fhirServer=fhir.base)
    assert fhir.queries() == []
    assert "page" not in missing(body)


def test_pages_of_the_fhir_server_are_read_no_further_back_either(make_app: MakeApp, filled: Json) -> None:
    old = deepcopy(filled["temperature"]["entry"][0])
    old["resource"] |= {"id": "old", "effectiveDateTime": "2025-01-01T00:00:00Z"}
    page = filled.pop("temperature")
    page["entry"].append(old)

    def answer_page(connection: socket.socket, head: bytes) -> None:
        page["link"] = [{"relation": "next", "url": f"{server.base}/Observation?page=2"}]
        connection.sendall(whole(json.dumps(page).encode()))

    with hostile(answer_page) as server:
        body = answer(make_app(fhir_servers=server.base), prefetch=filled, fhirServer=server.base)
        assert len(server.heads) == 1
    assert assessment(body)["status"] == "graded"


def test_a_month_of_administrations_does_not_stand_in_for_a_season_of_therapies(
    client: FlaskClient, fhir: Fhir, filled: Json
) -> None:
    filled["therapies"] = FAILED
    assert "T-cell engaging therapies" not in missing(answer(client, prefetch=filled))
    old = deepcopy(filled["administrations"]["entry"][-1])
    old["resource"] |= {
        "id": "old",
        "effectivePeriod": {"start": "2026-10-15T00:00:00Z", "end": "2026-10-15T01:00:00Z"},
    }
    filled["administrations"]["entry"].append(old)
    filled["administrations"]["link"] = [{"relation": "next", "url": f"{fhir.base}/MedicationAdministration?page=2"}]
    assert "T-cell engaging therapies" in missing(answer(client, prefetch=filled))


def test_a_cut_list_of_administrations_beside_complete_coded_ones_is_said_and_makes_nothing_unknown(
    client: FlaskClient, fhir: Fhir, filled: Json, knowledge: Knowledge
) -> None:
    whole = answer(client, prefetch=filled)
    filled["administrations"] = paged(fhir, knowledge, "administrations")
    body = answer(client, prefetch=filled)
    assert "older medication administrations" in missing(body)
    assert (assessment(body)["status"], assessment(body)["grade"]) == ("graded", 3)
    assert [card.get("suggestions") for card in body["cards"]] == [card.get("suggestions") for card in whole["cards"]]
    filled["crsMedications"] = FAILED
    without = answer(client, prefetch=filled)
    assert not_lower(without)
    assert assessment(without)["status"] == "provisional"


# The gate, and what cannot be graded


def test_an_ineligible_patient_costs_the_gate_queries_only(pulling: FlaskClient, fhir: Fhir) -> None:
    body = answer(pulling, NOT_ELIGIBLE, fhirServer=fhir.base)
    assert (body["cards"], assessment(body)["status"]) == ([], "not-eligible")
    assert fhir.queries() == [
        "MedicationAdministration",
        "MedicationAdministration coded",
        "MedicationRequest",
        "Procedure",
    ]


def test_an_eligible_patient_costs_each_query_once_and_the_rest_in_parallel(pulling: FlaskClient, fhir: Fhir) -> None:
    fhir.delay_seconds = 0.4
    answer(pulling, fhirServer=fhir.base)
    assert len(fhir.asked) == len(KEYS)
    assert len({(asked.path, json.dumps(asked.query)) for asked in fhir.asked}) == len(KEYS)
    assert fhir.most_at_once > len(KEYS) - len(GATE) - 3


def test_h2_no_server_and_no_prefetch_is_412_and_names_keys_and_why(client: FlaskClient) -> None:
    words = refusal(client)
    for key in ("therapies", "procedures", "medicationRequests"):
        assert f"{key} (not in the prefetch, and no fhirServer was given)" in words
    assert "Send these prefetch keys, or a fhirServer that may be read." in words


def test_h2_vitals_that_all_cannot_be_had_are_412_and_any_one_is_an_answer(client: FlaskClient, filled: Json) -> None:
    for key in VITALS:
        filled[key] = FAILED
    words = refusal(client, prefetch=filled)
    for key in VITALS:
        assert f"{key} (the EHR reported an error for it)" in words
    for key in VITALS:
        assert answer(client, prefetch=filled | {key: None})


def test_t69_a_vital_sign_without_a_code_of_its_own_is_found_by_its_category(
    pulling: FlaskClient, fhir: Fhir, filled: Json
) -> None:
    fhir.faults["code=http://loinc.org|59408-5"] = ("500 Oops", "text/plain", "")
    body = answer(pulling, fhirServer=fhir.base)
    assert (assessment(body)["status"], assessment(body)["grade"]) == ("provisional", 3)
    assert {finding["criterion"]: finding["state"] for finding in assessment(body)["findings"]}["hypoxia"] == "met"


def test_h2_vitals_under_the_clients_own_keys_are_no_412(client: FlaskClient, filled: Json) -> None:
    filled["vitals"] = filled.pop("temperature")
    for key in ("bloodPressure", "oxygen"):
        del filled[key]
    assert not_lower(answer(client, prefetch=filled))


def test_h2_a_gate_that_cannot_be_read_is_412_and_not_silence(client: FlaskClient, filled: Json) -> None:
    nobody = dict.fromkeys(KEYS)
    assert assessment(answer(client, prefetch=nobody))["status"] == "not-eligible"
    for key in ("procedures", "medicationRequests"):
        assert key in refusal(client, prefetch=nobody | {key: FAILED})
    both = nobody | {"therapies": FAILED, "administrations": FAILED}
    assert "therapies" in refusal(client, prefetch=both)
    one = nobody | {"therapies": FAILED}
    assert assessment(answer(client, prefetch=one))["status"] == "not-eligible", "administrations hold them too"


def test_t01_a_server_that_is_not_on_the_list_gets_no_packet(make_app: MakeApp, fhir: Fhir, filled: Json) -> None:
    whole = answer(make_app(), prefetch=filled)
    with hostile(lambda connection, head: connection.close()) as canary:
        client = make_app(fhir_servers=fhir.base)
        assert answer(client, prefetch=filled, fhirServer=canary.base) == whole
        words = refusal(client, fhirServer=canary.base)
        assert "the fhirServer is not on the allow-list of this service" in words
        assert canary.base not in words
        assert canary.heads == []


@pytest.mark.parametrize("status", ["401 Unauthorized", "403 Forbidden", "404 Not Found", "500 Oops", "302 Found"])
def test_t47_t54_queries_that_fail_leave_a_floor_and_are_named(pulling: FlaskClient, fhir: Fhir, status: str) -> None:
    fhir.faults |= dict.fromkeys(("59408-5", "vital-signs"), (status, "text/html", "<html>no</html>"))
    body = answer(pulling, fhirServer=fhir.base)
    assert (assessment(body)["status"], assessment(body)["grade"]) == ("provisional", 3)
    assert f"HTTP {status[:3]}" in missing(body)
    assert "or higher" in body["cards"][0]["summary"]


@pytest.mark.parametrize(
    "body",
    [
        json.dumps(FAILED),
        "<html>Log in</html>",
        json.dumps({"resourceType": "Patient", "id": PATIENT}),
        json.dumps({"resourceType": "Bundle", "entry": [{"resource": FAILED}]}),
        "null",
        "",
    ],
)
def test_t46_a_wrong_answer_with_200_is_a_failed_query(pulling: FlaskClient, fhir: Fhir, body: str) -> None:
    fhir.faults |= dict.fromkeys(("8310-5", "vital-signs"), ("200 OK", "application/fhir+json", body))
    found = answer(pulling, fhirServer=fhir.base)
    assert assessment(found)["status"] != "graded"
    assert "temperature" in missing(found)


def test_h2_a_fhir_server_that_fails_throughout_is_412_with_the_reason(pulling: FlaskClient, fhir: Fhir) -> None:
    fhir.faults["/fhir/"] = ("503 Service Unavailable", "text/plain", "down")
    assert "the FHIR server answered HTTP 503" in refusal(pulling, fhirServer=fhir.base)


def test_a_patient_that_cannot_be_read_is_said(pulling: FlaskClient, fhir: Fhir, filled: Json) -> None:
    fhir.faults["/Patient/"] = ("404 Not Found", "application/fhir+json", json.dumps(FAILED))
    assert "the patient's age" in missing(answer(pulling, fhirServer=fhir.base))
    undated = {"resourceType": "Patient", "id": PATIENT}
    assert "no date of birth is on record" in missing(answer(pulling, prefetch=filled | {"patient": undated}))


def test_t40_another_patient_under_the_id_of_the_context_is_422(pulling: FlaskClient, fhir: Fhir) -> None:
    fhir.faults["/Patient/"] = ("200 OK", "application/fhir+json", json.dumps({"resourceType": "Patient", "id": "x"}))
    found = pulling.post(SERVICE, json=hook_call(PATIENT, fhirServer=fhir.base))
    assert found.status_code == 422
    assert "not the patient of the context" in found.get_json()["issue"][0]["details"]["text"]


def test_the_instant_of_the_answer_is_the_clocks(client: FlaskClient, filled: Json) -> None:
    assert assessment(answer(client, prefetch=filled))["asOf"] == NOW.isoformat().replace("+00:00", "Z")

"""Prefetch key by key: value, null, OperationOutcome, absent, and what is none of these (P-1 to P-9, P-19)."""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.conformance.judge import check
from cds_service.hooks.knowledge import Knowledge
from tests.answers import (
    DECIDED,
    FAILED,
    GATE,
    KEYS,
    PARTS,
    PATIENT,
    SERVICE,
    WARNED,
    Json,
    answer,
    assessment,
    missing,
    not_lower,
)
from tests.server import Fhir, hook_call

NOTHING_USABLE: list[Any] = [
    "<html>Log in</html>",
    "",
    [],
    [{"resourceType": "Bundle"}],
    4,
    True,
    {},
    {"resourceType": "Questionnaire", "id": "q"},
    {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Questionnaire", "id": "q"}}]},
]


WRONG: list[Any] = [None, True, -1, "x", [], [None], {"a": 1}, "9999-12-31T23:59:59+14:00", {"reference": 5}]


def test_the_keys_are_those_of_discovery(knowledge: Knowledge) -> None:
    assert [need.key for need in knowledge.needs] == KEYS
    assert [need.key for need in knowledge.needs if need.gate] == GATE


# The four cases, key by key


def test_p2_a_complete_prefetch_is_graded_without_a_fhir_server(client: FlaskClient, filled: Json) -> None:
    body = answer(client, prefetch=filled)
    assert (assessment(body)["status"], assessment(body)["grade"]) == ("graded", 3)
    assert len(body["cards"]) == 3


def test_p2_a_complete_prefetch_costs_the_fhir_server_nothing(pulling: FlaskClient, fhir: Fhir, filled: Json) -> None:
    answer(pulling, prefetch=filled, fhirServer=fhir.base)
    assert fhir.queries() == []


@pytest.mark.parametrize("key", KEYS)
def test_p6_t37_an_absent_key_is_read_from_the_fhir_server_and_changes_nothing(
    pulling: FlaskClient, fhir: Fhir, filled: Json, key: str
) -> None:
    whole = answer(pulling, prefetch=filled, fhirServer=fhir.base)
    del filled[key]
    assert answer(pulling, prefetch=filled, fhirServer=fhir.base) == whole
    assert len(fhir.asked) == 1


@pytest.mark.parametrize("key", KEYS)
def test_p4_t37_an_absent_key_without_a_fhir_server_is_412_or_said(client: FlaskClient, filled: Json, key: str) -> None:
    del filled[key]
    body = answer(client, prefetch=filled)
    assert not_lower(body)
    if key not in (*PARTS, "bloodPressure"):
        assert "not in the prefetch, and no fhirServer was given" in missing(body)


@pytest.mark.parametrize("key", KEYS)
def test_p7_t37_null_is_known_to_be_empty_and_is_not_asked_again(
    pulling: FlaskClient, fhir: Fhir, filled: Json, key: str
) -> None:
    filled[key] = None
    body = answer(pulling, prefetch=filled, fhirServer=fhir.base)
    assert fhir.queries() == []
    empty = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    assert answer(pulling, prefetch=filled | {key: empty}, fhirServer=fhir.base) == body
    assert "prefetch" not in missing(body)
    if key in ("temperature", "oxygen", "patient"):
        assert missing(body), "null vitals are missing, not normal"


@pytest.mark.parametrize("key", KEYS)
def test_p8_t37_an_operation_outcome_says_unavailable_and_saves_the_query(
    pulling: FlaskClient, fhir: Fhir, filled: Json, key: str
) -> None:
    filled[key] = FAILED
    body = answer(pulling, prefetch=filled, fhirServer=fhir.base)
    assert fhir.queries() == []
    assert not_lower(body)
    if key not in (*PARTS, "bloodPressure"):
        assert "the EHR reported an error for it" in missing(body)


@pytest.mark.parametrize("key", [key for key in KEYS if key != "patient"])
def test_p9_an_outcome_among_the_entries_counts_by_its_severity(client: FlaskClient, filled: Json, key: str) -> None:
    whole = answer(client, prefetch=filled)
    for outcome, fault in ((WARNED, False), (FAILED, True), ({"resourceType": "OperationOutcome"}, True)):
        changed = deepcopy(filled)
        changed[key].setdefault("entry", []).insert(0, {"resource": outcome, "search": {"mode": "outcome"}})
        body = answer(client, prefetch=changed)
        if fault and key not in (*PARTS, *DECIDED):
            assert "the EHR reported an error within the answer" in missing(body)
            assert not_lower(body)
        elif not fault or key in PARTS:
            assert body["cards"] == whole["cards"]


def test_p9_epics_empty_search_is_empty_and_not_a_failure(client: FlaskClient, filled: Json) -> None:
    epic = {
        "resourceType": "Bundle",
        "type": "searchset",
        "total": 0,
        "link": [{"relation": "self", "url": "https://ehr.example/x"}],
        "entry": [{"fullUrl": "urn:uuid:1", "search": {"mode": "outcome"}, "resource": WARNED}],
    }
    assert answer(client, prefetch=filled | {"allergies": epic}) == answer(
        client, prefetch=filled | {"allergies": None}
    )


@pytest.mark.parametrize(
    ("key", "value"),
    [*((key, NOTHING_USABLE[-1]) for key in KEYS), *(("weight", value) for value in NOTHING_USABLE)],
    ids=lambda value: value if isinstance(value, str) else json.dumps(value)[:30],
)
def test_p19_what_answers_another_question_is_as_good_as_absent(
    pulling: FlaskClient, fhir: Fhir, filled: Json, key: str, value: Any
) -> None:
    whole = answer(pulling, prefetch=filled, fhirServer=fhir.base)
    changed = filled | {key: value}
    pulled = answer(pulling, prefetch=changed, fhirServer=fhir.base)
    assert pulled["cards"] == whole["cards"]
    assert len(fhir.asked) == 1
    alone = answer(pulling, prefetch=changed)
    assert not_lower(alone)
    if key not in (*PARTS, "bloodPressure"):
        assert "the prefetch holds something else, and no fhirServer was given" in missing(alone)


def test_p19_a_single_resource_in_place_of_a_bundle_is_read(client: FlaskClient, filled: Json) -> None:
    whole = answer(client, prefetch=filled)
    for key in ("weight", "therapies"):
        [entry] = filled[key]["entry"]
        assert answer(client, prefetch=filled | {key: entry["resource"]}) == whole
    in_bundle = {"resourceType": "Bundle", "entry": [{"resource": filled["patient"]}]}
    assert answer(client, prefetch=filled | {"patient": in_bundle}) == whole


def test_t43_odd_bundles_are_read_for_what_they_hold(client: FlaskClient, filled: Json) -> None:
    whole = answer(client, prefetch=filled)
    odd = deepcopy(filled)
    odd["temperature"]["entry"] += [None, 7, {}, {"resource": None}, {"resource": []}, {"fullUrl": "x"}]
    odd["temperature"] |= {"total": 9999, "type": None, "link": "none"}
    assert answer(client, prefetch=odd) == whole


def test_t43_a_bundle_in_a_bundle_is_said_not_swallowed(client: FlaskClient, filled: Json) -> None:
    nested = {"resourceType": "Bundle", "entry": [{"resource": filled["temperature"]}]}
    body = answer(client, prefetch=filled | {"temperature": nested})
    assert assessment(body)["status"] != "graded"
    filled["oxygen"]["entry"].append({"resource": {"resourceType": "Bundle"}})
    assert "a Bundle within a Bundle" in missing(answer(client, prefetch=filled))


def test_p19_keys_of_the_clients_own_are_read_too(client: FlaskClient, filled: Json) -> None:
    entries = [entry for key in KEYS[4:] if key != "patient" for entry in filled.pop(key).get("entry", [])]
    filled["hospitalsOwnKey"] = {"resourceType": "Bundle", "entry": entries}
    filled["another"] = filled.pop("patient")
    filled |= {"odd": "text", "odder": [1], "oddest": None}
    body = answer(client, prefetch=filled)
    grades = {finding["criterion"]: finding.get("grade") for finding in assessment(body)["findings"]}
    assert (grades["hypotension"], grades["hypoxia"], assessment(body)["grade"]) == (3, 2, 3)


def test_t41_resources_of_another_patient_are_set_aside_and_said(client: FlaskClient, filled: Json) -> None:
    whole = answer(client, prefetch=filled)
    foreign = deepcopy(filled["temperature"]["entry"][0])
    foreign["resource"] |= {"id": "foreign", "subject": {"reference": "Patient/somebody-else"}}
    filled["temperature"]["entry"].insert(0, foreign)
    body = answer(client, prefetch=filled)
    unused = {"reference": "Observation/foreign", "reason": "it belongs to another patient"}
    assert unused in assessment(body)["unused"]
    assert (assessment(body)["status"], assessment(body)["grade"]) == ("graded", 3)
    assert assessment(body)["findings"] == assessment(whole)["findings"]


# Damage


def places(element: Any) -> Iterator[tuple[Any, str | int]]:
    """Every place of a JSON value in which a value stands: its container and the name or number there."""
    for name, value in element.items() if isinstance(element, dict) else enumerate(element):
        yield element, name
        if isinstance(value, dict | list):
            yield from places(value)


@pytest.mark.parametrize("wrong", WRONG, ids=lambda value: json.dumps(value)[:20])
@pytest.mark.parametrize("nth", range(0, 24, 4))
def test_t39_whatever_is_wrong_at_whatever_place_of_every_resource_is_no_internal_error(
    client: FlaskClient, filled: Json, nth: int, wrong: Any
) -> None:
    for number, bundle in enumerate(value for key, value in filled.items() if key != "patient"):
        for entry in bundle.get("entry", []):
            found = list(places(entry["resource"]))
            container, name = found[(nth + number) % len(found)]
            container[name] = deepcopy(wrong)
    sent = client.post(SERVICE, json=hook_call(PATIENT, prefetch=filled))
    assert sent.status_code in (200, 412), sent.text
    if sent.status_code == 200:
        check(sent.get_json(), patient_id=PATIENT)

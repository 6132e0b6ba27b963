"""What was answered is on record, and a card that was answered is not repeated while nothing changes (clinical 7.2)."""

from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from sqlalchemy.exc import OperationalError

from cds_service.conformance.judge import check
from cds_service.errors import StoreUnavailable
from cds_service.store.memory import Memory
from cds_service.store.records import AnswerRecord, Outcome
from tests.answers import NOT_ELIGIBLE, PATIENT, SERVICE, assessment
from tests.conftest import MakeApp
from tests.server import NOW, Fhir, hook_call

Json = dict[str, Any]
HOUR = timedelta(hours=1)
GRADE_1 = "grade-1-fever-patient"


class Ward:
    """An EHR with a clock: it opens charts and sends feedback."""

    def __init__(self, make_app: MakeApp, fhir: Fhir) -> None:
        self.now = NOW
        self.client: FlaskClient = make_app(lambda: self.now, fhir_servers=fhir.base)
        self.base = fhir.base
        self.calls = 0

    def opens(self, patient: str = PATIENT) -> Json:
        """The judged answer to a patient-view call."""
        self.calls += 1
        body = hook_call(patient, fhirServer=self.base, hookInstance=f"call-{self.calls}")
        found = self.client.post(SERVICE, json=body)
        assert found.status_code == 200, found.text
        answer: Json = found.get_json()
        check(answer, patient_id=patient)
        return answer

    def answers(self, card: Json, outcome: str = "overridden") -> None:
        entry = {"card": card["uuid"], "outcome": outcome, "outcomeTimestamp": self.now.isoformat()}
        if outcome == "accepted":
            entry["acceptedSuggestions"] = [{"id": item["uuid"]} for item in card.get("suggestions", [])]
        assert self.client.post(f"{SERVICE}/feedback", json={"feedback": [entry]}).status_code == 200

    @property
    def memory(self) -> Memory:
        found: Memory = self.client.application.extensions["crs-cds-memory"]
        return found

    @property
    def records(self) -> list[AnswerRecord]:
        return list(self.memory.store.answers(NOW - 100 * HOUR, NOW + 100 * HOUR))


@pytest.fixture
def ward(make_app: MakeApp, fhir: Fhir) -> Ward:
    return Ward(make_app, fhir)


def topics(answer: Json) -> list[str]:
    return [card["source"]["topic"]["code"] for card in answer["cards"]]


# --- what is kept -----------------------------------------------------------------------------------------------------


def test_an_answer_is_on_record_with_its_cards_and_without_the_patient(ward: Ward) -> None:
    answer = ward.opens()
    (record,) = ward.records
    assert (record.outcome, record.status, record.grade) == (Outcome.GRADED, "graded", 3)
    assert [card.uuid for card in record.cards] == [card["uuid"] for card in answer["cards"]]
    assert [order for card in record.cards for _, order in card.suggestions] == [
        "blood cultures",
        "tocilizumab",
        "dexamethasone",
    ]
    assert all(card.advice and card.shown for card in record.cards)
    assert PATIENT not in repr(record)
    assert record.protocol_hash.startswith(assessment(answer)["protocol"]["version"].rpartition("+")[2])


def test_silence_and_what_could_not_be_graded_are_on_record_with_the_reason(ward: Ward) -> None:
    ward.opens(NOT_ELIGIBLE)
    refused = ward.client.post(SERVICE, json=hook_call(PATIENT))
    assert refused.status_code == 412
    unavailable, silent = sorted(ward.records, key=lambda record: record.outcome, reverse=True)
    assert (silent.outcome, silent.reason) == (Outcome.SILENT, "not-eligible")
    assert (unavailable.outcome, unavailable.reason) == (Outcome.UNAVAILABLE, "MissingData")
    assert silent.patient != unavailable.patient


def test_a_malformed_call_leaves_no_record(ward: Ward) -> None:
    assert ward.client.post(SERVICE, json={"hook": "patient-view"}).status_code == 400
    assert ward.records == []


# --- what is not repeated ---------------------------------------------------------------------------------------------


@pytest.mark.parametrize("outcome", ["accepted", "overridden"])
def test_a_card_that_was_answered_is_not_repeated_and_the_assessment_says_why(ward: Ward, outcome: str) -> None:
    first = ward.opens()
    assert topics(first) == ["CRSgrade3", "CRSinfection3", "CRStreatment3"]
    ward.answers(first["cards"][2], outcome)
    again = ward.opens()
    assert topics(again) == ["CRSgrade3", "CRSinfection3"]
    (held,) = assessment(again)["suppressed"]
    assert held["topic"] == "CRStreatment3"
    assert f"was {outcome} at 2026-11-22T12:00:00Z" in held["reason"]
    assert [card.topic for record in ward.records for card in record.cards if not card.shown] == ["CRStreatment3"]


@pytest.mark.parametrize(("hours", "repeated"), [(11.9, False), (12, False), (12.1, True)])
def test_it_is_repeated_after_twelve_hours(ward: Ward, hours: float, repeated: bool) -> None:
    first = ward.opens(GRADE_1)
    for card in first["cards"]:
        ward.answers(card)
    ward.now = NOW + timedelta(hours=hours)
    store = ward.memory.store
    patient = ward.memory.pseudonyms.patient(f"unchecked {ward.base}", GRADE_1)
    kept = store.reactions(patient, ward.now - 12 * HOUR)
    assert bool(kept) is not repeated


def test_the_grade_is_never_silent_from_grade_2_on(ward: Ward) -> None:
    for card in ward.opens()["cards"]:
        ward.answers(card)
    body = hook_call(PATIENT, fhirServer=ward.base, hookInstance="again")
    again: Json = ward.client.post(SERVICE, json=body).get_json()
    (card,) = again["cards"]
    assert card["summary"].startswith("CRS grade 3")
    assert card["indicator"] == "info"
    assert card["detail"].startswith("Shown before and overridden at 12:00.")
    assert len(assessment(again)["suppressed"]) == 3


def test_at_grade_1_nothing_is_shown_again(ward: Ward) -> None:
    for card in ward.opens(GRADE_1)["cards"]:
        ward.answers(card)
    body = hook_call(GRADE_1, fhirServer=ward.base, hookInstance="again")
    again: Json = ward.client.post(SERVICE, json=body).get_json()
    assert again["cards"] == []
    assert assessment(again)["grade"] == 1
    assert len(assessment(again)["suppressed"]) == 2
    assert {record.outcome for record in ward.records} == {Outcome.GRADED, Outcome.SUPPRESSED}


def test_another_patient_of_the_same_grade_is_not_silenced(ward: Ward) -> None:
    for card in ward.opens()["cards"]:
        ward.answers(card)
    assert "suppressed" not in assessment(ward.opens("grade-3-face-mask-patient"))


def test_another_advice_is_shown_although_the_grade_is_the_same(ward: Ward, fhir: Fhir) -> None:
    first = ward.opens()
    for card in first["cards"]:
        ward.answers(card)
    (order,) = [
        item["actions"][0]["resource"] for item in first["cards"][2]["suggestions"] if "tocilizumab" in item["label"]
    ]
    stored = fhir.repository.create(order | {"status": "active", "authoredOn": NOW.isoformat()})
    try:
        again = ward.opens()
    finally:
        fhir.repository.delete("MedicationRequest", stored["id"])
    assert "CRStreatment3" in topics(again)
    assert "ordered, not charted as given" in again["cards"][0]["detail"]


@pytest.mark.parametrize("patient", ["oxygen-not-recorded-patient", "low-saturation-no-oxygen-patient"])
def test_an_answer_in_doubt_or_with_something_unknown_is_never_held_back(ward: Ward, patient: str) -> None:
    first = ward.opens(patient)
    assert assessment(first)["status"] == "provisional"
    for card in first["cards"]:
        ward.answers(card)
    again = ward.opens(patient)
    assert topics(again) == topics(first) != []
    assert [card["summary"] for card in again["cards"]] == [card["summary"] for card in first["cards"]]
    assert "suppressed" not in assessment(again)


# --- when the store is away -------------------------------------------------------------------------------------------


def test_hooks_answer_although_the_store_is_away(ward: Ward, monkeypatch: pytest.MonkeyPatch) -> None:
    def away(*_: Any) -> None:
        raise StoreUnavailable("the store does not answer") from OperationalError("", {}, Exception())

    monkeypatch.setattr(type(ward.memory.store), "add_answer", away)
    monkeypatch.setattr(type(ward.memory.store), "reactions", away)
    assert topics(ward.opens()) == ["CRSgrade3", "CRSinfection3", "CRStreatment3"]


def test_one_id_at_two_fhir_servers_is_two_patients(ward: Ward, filled: Json) -> None:
    for card in ward.opens()["cards"]:
        ward.answers(card)
    elsewhere = hook_call(PATIENT, fhirServer="https://other.example/fhir", hookInstance="other", prefetch=filled)
    answer: Json = ward.client.post(SERVICE, json=elsewhere).get_json()
    assert "suppressed" not in assessment(answer)
    assert len({record.patient for record in ward.records}) == 2

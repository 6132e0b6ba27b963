"""Conditions, allergies and devices at home: table 3.11, C20, N-17."""

from typing import Any

import pytest

from cds_service.crs.timeline import Flag, Timeline
from tests.chart import (
    DAY,
    HOUR,
    ICD10,
    NOW,
    RXNORM,
    Json,
    allergy,
    at,
    concept,
    condition,
    home_device,
    procedure,
    read,
    reasons,
)

KINDS = {
    **{f"D89.83{grade}": "crs" for grade in (1, 2, 3, 4, 5, 9)},
    **{f"G92.0{grade}": "icans" for grade in range(6)},
    "T80.82XA": "context",
    "D76.1": "hlh",
    "Z92.850": "context",
}
WORDED = {
    "Cytokine release syndrome": "crs",
    "Cytokine Release Syndrome after CAR-T": "crs",
    "ICANS": "icans",
    "Immune effector cell-associated neurotoxicity syndrome": "icans",
    "Hemophagocytic lymphohistiocytosis": "hlh",
    "Tremor": "icans-suspected",
    "Acute confusion": "icans-suspected",
    "Seizure": "icans-suspected",
    "Obstructive sleep apnea": "home-positive-pressure",
    "Home CPAP": "home-positive-pressure",
}


def kinds(timeline: Timeline) -> list[str]:
    return [fact.kind for fact in timeline.diagnoses]


@pytest.mark.parametrize(("code", "kind"), KINDS.items())
def test_3_11_every_diagnosis_code_is_read(code: str, kind: str) -> None:
    (fact,) = read(condition("x") | {"code": concept(ICD10, code)}).diagnoses
    assert (fact.kind, fact.time, fact.flags) == (kind, NOW - DAY, ())


@pytest.mark.parametrize(("words", "kind"), WORDED.items())
def test_3_11_every_diagnosis_word_is_read_and_flagged(words: str, kind: str) -> None:
    (fact,) = read(condition(words)).diagnoses
    assert (fact.kind, fact.display, fact.flags) == (kind, words, (Flag.NAME_ONLY,))


@pytest.mark.parametrize(
    "words", ["CRS", "Chronic rhinosinusitis", "Africans", "Tremorless", "Sepsis", "Congenital rubella syndrome"]
)
def test_3_11_what_is_another_diagnosis_or_ambiguous_is_passed_over(words: str) -> None:
    timeline = read(condition(words))
    assert (timeline.diagnoses, timeline.unused) == ((), ())


@pytest.mark.parametrize(
    "words",
    [
        "History of cytokine release syndrome",
        "At risk for cytokine release syndrome",
        "No evidence of ICANS",
        "No seizures",
        "Family history of seizures",
        "Seizure prophylaxis",
    ],
)
def test_3_11_a_risk_a_history_and_an_absence_are_said_and_are_no_finding(words: str) -> None:
    timeline = read(condition(words))
    assert timeline.diagnoses == ()
    assert reasons(timeline) == ["a risk, a history or its absence is not a present finding"]


@pytest.mark.parametrize("verified", ["refuted", "entered-in-error"])
def test_a_diagnosis_that_was_refuted_is_said(verified: str) -> None:
    timeline = read(condition("D89.832", verified=verified))
    assert timeline.diagnoses == ()
    assert reasons(timeline) == ["cytokine release syndrome, grade 2: refuted or entered in error"]


@pytest.mark.parametrize("clinical", ["inactive", "resolved", "remission"])
def test_a_diagnosis_that_is_over_is_said(clinical: str) -> None:
    timeline = read(condition("D89.832", clinical=clinical))
    assert timeline.diagnoses == ()
    assert reasons(timeline) == ["cytokine release syndrome, grade 2: no longer active"]


@pytest.mark.parametrize("clinical", ["active", "recurrence", "relapse"])
def test_a_diagnosis_that_lasts_is_used(clinical: str) -> None:
    assert kinds(read(condition("D89.832", clinical=clinical))) == ["crs"]


def test_a_diagnosis_without_a_status_is_active_until_it_abated() -> None:
    unsaid = condition("D89.832")
    del unsaid["clinicalStatus"]
    assert kinds(read(unsaid)) == ["crs"]
    assert kinds(read(unsaid | {"abatementDateTime": at(HOUR)})) == []


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"onsetDateTime": at(3 * HOUR)}, NOW - 3 * HOUR),
        ({"onsetPeriod": {"start": at(3 * HOUR)}}, NOW - 3 * HOUR),
        ({"recordedDate": at(3 * HOUR)}, NOW - 3 * HOUR),
        ({"onsetString": "last night", "recordedDate": at(3 * HOUR)}, NOW - 3 * HOUR),
        ({"onsetDateTime": "2026", "recordedDate": at(3 * HOUR)}, NOW - 3 * HOUR),
        ({"onsetDateTime": 5}, NOW),
        ({}, NOW),
    ],
)
def test_the_onset_of_a_diagnosis_is_charted_recorded_or_now(when: Json, expected: Any) -> None:
    resource = condition("D89.832")
    del resource["onsetDateTime"]
    assert [fact.time for fact in read(resource | when).diagnoses] == [expected]


@pytest.mark.parametrize(
    "broken",
    [{"code": None}, {"code": []}, {"code": "D89.832"}, {"clinicalStatus": "active"}, {"verificationStatus": 5}],
)
def test_t39_a_malformed_condition_costs_only_itself(broken: Json) -> None:
    assert kinds(read(condition("D89.832") | broken, condition("G92.01"))).count("icans") == 1


@pytest.mark.parametrize("name", ["tocilizumab", "Actemra", "tocilizumab-aazg", "dexamethasone"])
def test_n17_an_allergy_to_a_drug_of_the_protocol_is_read(name: str) -> None:
    (fact,) = read(allergy(name)).allergies
    assert fact.agent == ("dexamethasone" if name == "dexamethasone" else "tocilizumab")


def test_n17_an_allergy_counts_in_any_form_and_as_the_substance_of_a_reaction() -> None:
    drops = read(allergy("dexamethasone ophthalmic solution"))
    assert [fact.agent for fact in drops.allergies] == ["dexamethasone"]
    by_code = allergy("monoclonal antibodies") | {"reaction": [{"substance": concept(RXNORM, "612865")}]}
    assert [fact.agent for fact in read(by_code).allergies] == ["tocilizumab"]


@pytest.mark.parametrize(
    ("name", "code"),
    [("clinicalStatus", "inactive"), ("clinicalStatus", "resolved"), ("verificationStatus", "refuted")],
)
def test_n17_an_allergy_that_is_over_or_refuted_is_none(name: str, code: str) -> None:
    assert read(allergy("tocilizumab") | {name: concept("urn:status", code)}).allergies == ()


def test_n17_an_allergy_to_another_drug_is_passed_over() -> None:
    timeline = read(allergy("codeine"), allergy("No known drug allergies"))
    assert (timeline.allergies, timeline.unused) == ((), ())


@pytest.mark.parametrize("words", ["Penicillin", "penicillins (rash)", "Amoxicillin", "cephalosporins"])
def test_n21_an_allergy_to_a_class_of_antibiotics_is_known(words: str) -> None:
    (known,) = read(allergy(words)).allergies
    assert known.group == "beta-lactam"


@pytest.mark.parametrize(
    ("device", "found"),
    [
        ({"device": {"display": "Home CPAP"}}, True),
        ({"device": {"display": "CPAP"}, "reasonCode": [{"text": "Obstructive sleep apnea"}]}, True),
        ({"device": {"reference": "#d"}, "contained": [{"id": "d", "type": {"text": "Nocturnal CPAP"}}]}, True),
        ({"device": {"display": "Insulin pump"}}, False),
        ({"device": "CPAP"}, False),
        ({"device": {"display": 5}, "reasonCode": 5}, False),
    ],
)
def test_c20_a_positive_pressure_device_at_home_is_known(device: Json, found: bool) -> None:
    assert kinds(read(home_device("x") | device)) == (["home-positive-pressure"] if found else [])


@pytest.mark.parametrize("status", ["completed", "stopped", "intended", "on-hold", "entered-in-error", None])
def test_c20_a_device_that_is_not_in_use_at_home_is_none(status: Any) -> None:
    assert read(home_device("Home CPAP") | {"status": status}).diagnoses == ()


@pytest.mark.parametrize(
    ("recorded", "expected"), [(at(9 * DAY), NOW - 9 * DAY), (at(-DAY), NOW), (None, NOW), (5, NOW)]
)
def test_c20_a_device_at_home_is_known_since_it_was_recorded(recorded: Any, expected: Any) -> None:
    assert [fact.time for fact in read(home_device("Home CPAP") | {"recordedOn": recorded}).diagnoses] == [expected]


@pytest.mark.parametrize("code", [None, {}, {"text": 5}, {"coding": 5}, [], "BiPAP"])
def test_t39_a_procedure_without_a_code_is_passed_over(code: Any) -> None:
    timeline = read(procedure("BiPAP") | {"code": code})
    assert (timeline.oxygen, timeline.unused) == ((), ())

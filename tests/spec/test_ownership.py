"""Whose resources they are, and which version of them counts: DQ-36, DQ-42, T40 to T42, T60."""

from typing import Any

import pytest

from cds_service.fhir.ownership import Patient, own
from cds_service.fhir.reading import newest_versions
from tests.chart import (
    HOUR,
    PATIENT,
    Json,
    allergy,
    at,
    exact,
    patient,
    read,
    reasons,
    systolic,
    temperature,
)

SERVER = "https://ehr.example/fhir"
OURS = Patient(PATIENT, SERVER)
OTHER = "it belongs to another patient"
NOBODY = "it names no patient"


def of(subject: Any) -> Json:
    """A temperature of whomever."""
    return temperature(39.9) | {"subject": subject}


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/p1",
        "Patient/p1/_history/3",
        f"{SERVER}/Patient/p1",
        f"{SERVER}/Patient/p1/_history/a-3.b",
    ],
)
@pytest.mark.parametrize("server", [SERVER, SERVER + "/"])
def test_t42_a_reference_to_the_patient_is_relative_versioned_or_under_the_server(reference: str, server: str) -> None:
    resource = of({"reference": reference})
    assert own([resource], Patient(PATIENT, server)) == ([resource], [])


@pytest.mark.parametrize(
    "reference",
    [
        "Patient/p2",
        "Patient/P1",
        "patient/p1",
        "Patient/p11",
        "Patient/p1 ",
        " Patient/p1",
        "Patient/p1/",
        "/Patient/p1",
        "p1",
        "",
        "#p1",
        "Group/p1",
        "urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0",
        "https://ehr.example/Patient/p1",
        "https://ehr.example.evil/fhir/Patient/p1",
        "http://ehr.example/fhir/Patient/p1",
        "https://EHR.example/fhir/Patient/p1",
        "https://other.example/fhir/Patient/p1",
        "Patient/p1/_history/",
        "Patient/p1/_history/1/../../p2",
        "Patient/p2/_history/1/Patient/p1",
        "Patient/p1?x=Patient/p2",
    ],
)
def test_dq42_any_other_reference_is_excluded_and_said(reference: str) -> None:
    kept, unused = own([of({"reference": reference})], OURS)
    assert kept == []
    assert [item.reason for item in unused] == [OTHER]


def test_t42_without_a_server_no_absolute_reference_is_the_patients() -> None:
    assert own([of({"reference": f"{SERVER}/Patient/p1"})], Patient(PATIENT, None))[0] == []


@pytest.mark.parametrize(
    "subject",
    [
        None,
        {},
        {"display": "Ann"},
        {"identifier": {"value": "p1"}},
        "Patient/p1",
        {"reference": 5},
        [{"reference": "Patient/p1"}],
    ],
)
def test_t42_what_names_no_patient_is_excluded_and_said(subject: Any) -> None:
    kept, unused = own([of(subject)], OURS)
    assert kept == []
    assert [item.reason for item in unused] == [NOBODY]


def test_dq42_an_allergy_names_its_patient_under_another_name() -> None:
    ours, others = allergy("tocilizumab"), allergy("tocilizumab") | {"patient": {"reference": "Patient/p2"}}
    assert own([ours, others], OURS)[0] == [ours]


def test_dq42_a_resource_with_two_patients_is_nobodys() -> None:
    both = temperature(39.9) | {"patient": {"reference": "Patient/p2"}}
    kept, unused = own([both], OURS)
    assert kept == []
    assert [item.reason for item in unused] == [OTHER]


@pytest.mark.parametrize("kind", ["Medication", "Practitioner", "Organization", "Patient", ["Observation"], None, 5])
def test_what_no_reader_looks_at_needs_no_patient(kind: Any) -> None:
    resource = {"resourceType": kind, "id": "x"}
    assert own([resource], OURS) == ([resource], [])


@pytest.mark.parametrize("kind", ["Encounter", "Coverage"])
def test_dq42_what_no_reader_looks_at_and_is_another_patients_is_said(kind: str) -> None:
    resource = {"resourceType": kind, "id": "x", "subject": {"reference": "Patient/p2"}}
    assert [item.reason for item in own([resource], OURS)[1]] == [OTHER]


def test_t41_readings_of_another_patient_change_nothing() -> None:
    ours = [temperature(37.0), systolic(118)]
    others = [temperature(41) | {"subject": {"reference": "Patient/p2"}}, patient("2020-01-01", "p2")]
    kept, unused = own([*others, *ours], OURS)
    timeline = read(*kept)
    assert [fact.celsius for fact in timeline.temperatures] == [37]
    assert [fact.systolic for fact in timeline.pressures] == [118]
    assert len(unused) == 1


def version(number: Any = None, updated: Any = None, **members: Any) -> Json:
    """One version of one temperature."""
    meta = {"versionId": number, "lastUpdated": updated}
    known = {name: value for name, value in meta.items() if value is not None}
    return temperature(38.6, id="t") | ({"meta": known} if known else {}) | members


AMENDED = {"status": "amended"}
CHANGED = {"valueQuantity": {"value": 36.5, "unit": "Cel"}}


@pytest.mark.parametrize(
    ("older", "newer"),
    [
        (version("1"), version("2", **CHANGED)),
        (version("9"), version("10", **CHANGED)),
        (version("1", **AMENDED), version("2", **CHANGED)),
        (version("1", at(2 * HOUR)), version("2", at(HOUR), **CHANGED)),
        (version("2", at(2 * HOUR)), version("1", at(HOUR), **CHANGED)),
        (version(None, at(2 * HOUR)), version(None, at(HOUR), **CHANGED)),
        (version(None, at(2 * HOUR), **AMENDED), version(None, at(HOUR), **CHANGED)),
        (version(None, "2026-01-15T13:00:00+02:00"), version(None, "2026-01-15T12:00:00Z", **CHANGED)),
        (version(None, "2026-01-15T11:00:00Z"), version(None, "2026-01-15T11:00:00.5Z", **CHANGED)),
        (version("abc", at(2 * HOUR)), version("abb", at(HOUR), **CHANGED)),
        (version("3"), version("4", at(HOUR), **CHANGED)),
        (version(), version(**AMENDED)),
        (version(**AMENDED), version(status="entered-in-error")),
        (version("1" * 40), version("2" * 40, **AMENDED)),
    ],
)
def test_dq36_the_newest_version_of_a_resource_counts_in_any_order(older: Json, newer: Json) -> None:
    assert newest_versions([older, newer]) == [newer]
    assert newest_versions([newer, older]) == [newer]


def test_t60_an_error_found_later_takes_the_reading_away() -> None:
    versions = newest_versions([version("1", at(2 * HOUR)), version("2", at(HOUR), status="entered-in-error")])
    timeline = read(*versions)
    assert timeline.temperatures == ()
    assert reasons(timeline) == ["temperature: status is entered-in-error"]


def test_t61_two_contents_of_one_id_that_nothing_orders_are_both_kept() -> None:
    one, other = version(), temperature(36.5, id="t")
    assert newest_versions([one, other]) == [one, other]
    assert len(read(*newest_versions([one, other, one])).temperatures) == 2


def test_the_same_resource_from_two_needs_is_kept_once() -> None:
    assert len(newest_versions([version("1"), version("1"), version("1")])) == 1


def test_resources_of_other_types_ids_and_without_ids_are_all_kept() -> None:
    nameless = [temperature(38.6) | {"id": None}, temperature(38.6) | {"id": None}]
    others = [temperature(38.6, id="a"), temperature(38.6, id="b"), {"resourceType": "Condition", "id": "a"}]
    assert len(newest_versions([*nameless, *others])) == 5


@pytest.mark.parametrize("odd", [["x"], {"x": 1}, 5, True, None, ""])
def test_t39_an_odd_id_type_or_version_costs_nothing_else(odd: Any) -> None:
    odd_ones = [
        temperature(38.6) | {"id": odd},
        temperature(38.6) | {"resourceType": odd},
        temperature(38.6) | {"meta": odd},
        temperature(38.6) | {"meta": {"versionId": odd, "lastUpdated": odd}},
        temperature(38.6) | {"status": odd},
    ]
    assert len(newest_versions(exact([*odd_ones, *odd_ones]))) >= 5
    assert len(own(exact(odd_ones), OURS)[0]) == 5

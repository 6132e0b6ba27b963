"""Orders and administrations that only refer to a Medication, as some EHRs send all of theirs (T54, T69)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from copy import deepcopy
from datetime import UTC, datetime
from typing import Any

import pytest

from cds_service.conformance.judge import check
from cds_service.crs.timeline import Gap
from cds_service.fhir.gather import Source
from cds_service.fhir.lanes import Lanes
from cds_service.fhir.medications import Medications
from cds_service.fhir.memory import Repository
from cds_service.fhir.ownership import Patient
from cds_service.fhir.stories import load_story
from tests.answers import SERVICE
from tests.conftest import MakeApp
from tests.server import NOW, STORIES, Fhir, fhir_server, hook_call

Json = dict[str, Any]
STORY = load_story(STORIES, "grade-3-one-vasopressor")
PATIENT = str(STORY.expect["patient"])


def by_reference(bundle: Json) -> Json:
    """The story with each medication in a resource of its own, referred to without a display."""
    changed = deepcopy(bundle)
    for number, entry in enumerate(list(changed["entry"])):
        concept = entry["resource"].pop("medicationCodeableConcept", None)
        if concept is not None:
            medication = {"resourceType": "Medication", "id": f"m{number}", "code": concept}
            entry["resource"]["medicationReference"] = {"reference": f"Medication/m{number}"}
            request = {"method": "PUT", "url": f"Medication/m{number}"}
            changed["entry"].append({"resource": medication, "request": request})
    return changed


@pytest.fixture(scope="module")
def referring_server() -> Iterator[Fhir]:
    with fhir_server(Repository(lambda: NOW)) as fhir:
        fhir.load(by_reference(STORY.bundle))
        yield fhir


@pytest.fixture
def referring(referring_server: Fhir) -> Fhir:
    referring_server.reset()
    return referring_server


def assessment(make_app: MakeApp, fhir: Fhir) -> Json:
    answer = make_app(fhir_servers=fhir.base).post(SERVICE, json=hook_call(PATIENT, fhirServer=fhir.base))
    assert answer.status_code == 200, answer.text
    check(answer.get_json(), patient_id=PATIENT)
    found: Json = answer.get_json()["extension"]["org.crs-cds.assessment"]
    return found


def administration(status: str, start: str = "2026-11-20T10:00:00Z") -> Json:
    return {
        "resourceType": "MedicationAdministration",
        "id": f"given-{start}",
        "status": status,
        "subject": {"reference": f"Patient/{PATIENT}"},
        "effectiveDateTime": start,
        "medicationReference": {"reference": "Medication/7"},
    }


def test_medications_that_are_only_referred_to_are_read_once_and_graded(make_app: MakeApp, referring: Fhir) -> None:
    found = assessment(make_app, referring)
    assert (found["status"], found["grade"]) == ("graded", 3)
    asked = [query for one in referring.asked if one.path == "/fhir/Medication" for query in one.query["_id"]]
    ids = ",".join(asked).split(",")
    assert len(ids) == len(set(ids)), "each is asked for once, also when the chart is read a second time"


def test_a_therapy_whose_name_cannot_be_read_is_412_and_not_silence(make_app: MakeApp, referring: Fhir) -> None:
    referring.faults["/fhir/Medication?"] = ("500 Oops", "text/plain", "")
    client = make_app(fhir_servers=referring.base)
    answer = client.post(SERVICE, json=hook_call(PATIENT, fhirServer=referring.base))
    assert answer.status_code == 412
    assert "names of medications (the FHIR server answered HTTP 500)" in answer.text


def test_a_vasopressor_whose_name_cannot_be_read_leaves_a_floor(make_app: MakeApp, referring: Fhir) -> None:
    medications = [one["resource"] for one in by_reference(STORY.bundle)["entry"]]
    therapies = [one for one in medications if one["resourceType"] == "Medication" and "ciloleucel" in str(one)]
    known = {"resourceType": "Bundle", "entry": [{"resource": therapy} for therapy in therapies]}
    referring.faults["/fhir/Medication?"] = ("403 Forbidden", "text/plain", "")
    client = make_app(fhir_servers=referring.base)
    call = hook_call(PATIENT, fhirServer=referring.base, prefetch={"medications": known})
    body = client.post(SERVICE, json=call).get_json()
    check(body, patient_id=PATIENT)
    found = body["extension"]["org.crs-cds.assessment"]
    assert found["status"] == "provisional"
    assert "vasopressor infusions (names of medications" in "\n".join(found["missing"])
    assert any("its medication is not named here" in item["reason"] for item in found["unused"])


def test_a_reference_to_nothing_is_said_and_makes_nothing_unknown(make_app: MakeApp, fhir: Fhir) -> None:
    dangling = administration("completed") | {"id": "dangling"}
    call = hook_call(PATIENT, fhirServer=fhir.base, prefetch={"own": dangling})
    body = make_app(fhir_servers=fhir.base).post(SERVICE, json=call).get_json()
    found = body["extension"]["org.crs-cds.assessment"]
    assert (found["status"], found["grade"]) == ("graded", 3)
    assert "MedicationAdministration/dangling" in [item["reference"] for item in found["unused"]]


@pytest.mark.parametrize("reference", ["#1", "urn:uuid:1", "Medication/a?b=1", "Medication/", "", 5, None])
def test_a_reference_that_is_no_id_is_never_put_into_a_query(make_app: MakeApp, fhir: Fhir, reference: Any) -> None:
    odd = {
        "resourceType": "MedicationRequest",
        "id": "odd",
        "status": "active",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "medicationReference": {"reference": reference},
    }
    call = hook_call(PATIENT, fhirServer=fhir.base, prefetch={"own": odd})
    assert make_app(fhir_servers=fhir.base).post(SERVICE, json=call).status_code == 200
    assert not [one for one in fhir.asked if one.path == "/fhir/Medication"]


def test_a_reference_with_a_display_needs_no_query(make_app: MakeApp, fhir: Fhir) -> None:
    named = administration("completed") | {"medicationReference": {"reference": "Medication/7", "display": "aspirin"}}
    call = hook_call(PATIENT, fhirServer=fhir.base, prefetch={"own": named})
    assert make_app(fhir_servers=fhir.base).post(SERVICE, json=call).status_code == 200
    assert not [one for one in fhir.asked if one.path == "/fhir/Medication"]


def test_what_has_no_name_is_unknown_up_to_its_time_and_while_it_runs_throughout() -> None:
    with ThreadPoolExecutor(1) as executor:
        source = Source(
            patient=Patient(PATIENT, None),
            prefetch={},
            client=None,
            no_server="no fhirServer was given",
            executor=executor,
            lanes=Lanes(1),
            now=NOW,
            zone=UTC,
        )
        medications = Medications(source)
        given = [administration("completed"), administration("completed", "2026-11-21T10:00:00Z")]
        assert medications.gaps(given, medications.for_resources(given)) == dict.fromkeys(
            ("therapies", "drugs", "vasoactives"),
            Gap("names of medications: no fhirServer was given", datetime(2026, 11, 21, 10, tzinfo=UTC)),
        )
        running = [*given, administration("in-progress", "2026-11-01T10:00:00Z")]
        found = medications.gaps(running, medications.for_resources(running))
        assert {gap.known_since for gap in found.values()} == {None}
        known = {"Medication/7": {"resourceType": "Medication", "id": "7"}}
        assert medications.gaps(running, known) == {}

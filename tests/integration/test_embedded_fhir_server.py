"""The embedded FHIR server over real sockets, as the service, the demo and a tester's tool meet it."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from itertools import count
from threading import Thread
from typing import Any

import pytest
import requests
from fhir.resources.R4B.bundle import Bundle
from fhir.resources.R4B.capabilitystatement import CapabilityStatement
from fhir.resources.R4B.operationoutcome import OperationOutcome
from flask import Flask
from werkzeug.serving import make_server

from cds_service.fhir.memory import Repository
from cds_service.fhir.search import SEARCH_PARAMETERS
from cds_service.hooks.knowledge import Knowledge
from cds_service.web.fhir_server import fhir_blueprint

LOINC = "http://loinc.org"
UCUM = "http://unitsofmeasure.org"
START = datetime(2026, 11, 22, 10, tzinfo=UTC)
TIMEOUT = 10


class Server:
    """A running server: paths are relative to its FHIR base."""

    def __init__(self, base: str) -> None:
        self.base = base

    def call(self, method: str, path: str = "", **options: Any) -> requests.Response:
        return requests.request(method, f"{self.base}{path}", timeout=TIMEOUT, allow_redirects=False, **options)

    def get(self, path: str, **params: Any) -> dict[str, Any]:
        answer = self.call("GET", path, params=params)
        assert answer.status_code == 200, answer.text
        body: dict[str, Any] = answer.json()
        return body

    def put(self, *resources: dict[str, Any]) -> None:
        for resource in resources:
            answer = self.call("PUT", f"/{resource['resourceType']}/{resource['id']}", json=resource)
            assert answer.status_code in {200, 201}, answer.text

    def ids(self, path: str, **params: Any) -> list[str]:
        return [entry["resource"]["id"] for entry in self.get(path, **params).get("entry", [])]


@pytest.fixture
def server() -> Iterator[Server]:
    ticks = count()
    app = Flask(__name__)
    repository = Repository(lambda: START + timedelta(seconds=next(ticks)))
    app.register_blueprint(fhir_blueprint(repository), url_prefix="/fhir")
    http = make_server("127.0.0.1", 0, app, threaded=True)
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    yield Server(f"http://127.0.0.1:{http.server_port}/fhir")
    http.shutdown()
    thread.join()
    http.server_close()


def observation(number: str, when: str | None = None, **elements: Any) -> dict[str, Any]:
    given: dict[str, Any] = {
        "resourceType": "Observation",
        "id": number,
        "status": "final",
        "code": {"coding": [{"system": LOINC, "code": "8310-5"}]},
        "subject": {"reference": "Patient/ada"},
        "valueQuantity": {"value": 38.9, "unit": "°C", "system": UCUM, "code": "Cel"},
    }
    return given | ({"effectiveDateTime": when} if when else {}) | elements


def diagnostics(answer: requests.Response, status: int) -> str:
    """The sentence of an OperationOutcome that came with this status."""
    assert (answer.status_code, answer.headers["Content-Type"]) == (status, "application/fhir+json"), answer.text
    OperationOutcome.model_validate(answer.json())
    sentence: str = answer.json()["issue"][0]["details"]["text"]
    return sentence


# Create, read, update, delete


def test_a_created_resource_gets_a_numeric_id_a_version_and_the_time_of_the_clock(server: Server) -> None:
    answer = server.call("POST", "/Patient", json={"resourceType": "Patient", "id": "mine", "gender": "female"})
    assert answer.status_code == 201
    patient = answer.json()
    assert patient["id"].isdigit()
    assert patient["gender"] == "female"
    assert patient["meta"] == {"versionId": "1", "lastUpdated": "2026-11-22T10:00:00.000+00:00"}
    assert answer.headers["Location"] == f"{server.base}/Patient/{patient['id']}/_history/1"
    assert answer.headers["ETag"] == 'W/"1"'
    assert answer.headers["Last-Modified"] == "Sun, 22 Nov 2026 10:00:00 GMT"
    assert server.get(f"/Patient/{patient['id']}") == patient


def test_a_resource_put_under_a_client_id_is_created_and_then_updated_to_its_next_version(server: Server) -> None:
    first = server.call("PUT", "/Patient/ada", json={"resourceType": "Patient", "id": "ada", "meta": {"tag": []}})
    second = server.call("PUT", "/Patient/ada", json={"resourceType": "Patient", "id": "ada", "gender": "male"})
    assert (first.status_code, second.status_code) == (201, 200)
    assert second.json()["meta"] == {"versionId": "2", "lastUpdated": "2026-11-22T10:00:01.000+00:00"}
    assert server.get("/Patient/ada") == second.json()
    assert first.json()["meta"]["tag"] == []


def test_a_server_id_never_takes_the_place_of_a_client_id(server: Server) -> None:
    server.put({"resourceType": "Patient", "id": "1"})
    assert server.call("POST", "/Patient", json={"resourceType": "Patient"}).json()["id"] == "2"


def test_a_deleted_resource_is_gone_and_an_unknown_one_was_never_there(server: Server) -> None:
    server.put(observation("a"))
    assert server.call("DELETE", "/Observation/a").status_code == 204
    assert "deleted" in diagnostics(server.call("GET", "/Observation/a"), 410)
    assert "no Observation/b" in diagnostics(server.call("GET", "/Observation/b"), 404)
    assert server.ids("/Observation") == []
    assert server.call("DELETE", "/Observation/a").status_code == 204
    assert server.call("PUT", "/Observation/a", json=observation("a")).json()["meta"]["versionId"] == "3"


@pytest.mark.parametrize(
    ("path", "body", "reason"),
    [
        pytest.param("/Patient/ada", {"resourceType": "Patient", "id": "bob"}, "The id in", id="another id"),
        pytest.param("/Patient/ada", {"resourceType": "Patient"}, "The id in", id="no id"),
        pytest.param("/Patient/ada", observation("ada"), "not of the type Patient", id="another type"),
        pytest.param("/Patient/a_b", {"resourceType": "Patient", "id": "a_b"}, "1 to 64", id="not a FHIR id"),
        pytest.param("/Patient/ada", {"resourceType": "Patient", "id": "ada", "meta": 1}, "meta", id="meta a number"),
        pytest.param("/Patient/ada", [], "not of the type", id="a list"),
    ],
)
def test_a_resource_that_does_not_fit_its_address_is_refused(
    server: Server, path: str, body: object, reason: str
) -> None:
    assert reason in diagnostics(server.call("PUT", path, json=body), 400)
    assert server.get("/Patient")["total"] == 0


@pytest.mark.parametrize("body", [b"", b"{", b'{"resourceType": "Patient", "x": NaN}', b"\xff", b"[" * 100_000])
def test_a_body_that_is_not_json_is_refused(server: Server, body: bytes) -> None:
    assert diagnostics(server.call("POST", "/Patient", data=body), 400) == "The body is not JSON."


def test_resources_created_by_many_threads_at_once_are_all_kept_under_ids_of_their_own(server: Server) -> None:
    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(lambda _: server.call("POST", "/Observation", json=observation("x")), range(80)))
    assert len({answer.json()["id"] for answer in answers}) == 80
    assert server.get("/Observation", _count=0)["total"] == 80


def test_what_a_caller_does_to_its_own_copy_does_not_change_the_repository() -> None:
    repository = Repository(lambda: START)
    given = observation("a")
    repository.update(given)[0]["subject"].clear()
    given["status"] = "amended"
    given["code"]["coding"].clear()
    repository.read("Observation", "a")["code"].clear()
    repository.search("Observation", []).resources[0]["subject"].clear()
    kept = repository.read("Observation", "a")
    assert {**kept, "meta": None} == {**observation("a"), "meta": None}


def test_an_exact_decimal_of_a_story_is_answered_as_a_number() -> None:
    repository = Repository(lambda: START)
    repository.update(observation("a", valueQuantity={"value": Decimal("38.9")}))
    app = Flask(__name__)
    app.register_blueprint(fhir_blueprint(repository))
    assert app.test_client().get("/Observation/a").get_json()["valueQuantity"] == {"value": 38.9}


# Search


@pytest.mark.parametrize("asked", ["ada", "Patient/ada", "{base}/Patient/ada", "bob,ada"])
@pytest.mark.parametrize("name", ["patient", "subject"])
def test_a_patient_is_found_by_id_reference_and_own_address(server: Server, name: str, asked: str) -> None:
    server.put(
        observation("relative"),
        observation("absolute", subject={"reference": f"{server.base}/Patient/ada"}),
        observation("versioned", subject={"reference": "Patient/ada/_history/2"}),
        observation("elsewhere", subject={"reference": "https://other.example/fhir/Patient/ada"}),
        observation("longer", subject={"reference": "Patient/ada2"}),
        observation("nameless", subject={"display": "Ada"}),
    )
    asked = asked.format(base=server.base)
    assert server.ids("/Observation", **{name: asked}) == ["relative", "absolute", "versioned"]


def test_a_patient_of_another_server_is_found_by_the_whole_address_only(server: Server) -> None:
    elsewhere = "https://other.example/fhir/Patient/ada"
    server.put(observation("here"), observation("elsewhere", subject={"reference": elsewhere}))
    assert server.ids("/Observation", patient=elsewhere) == ["elsewhere"]


def test_patient_means_a_patient_and_subject_may_be_a_group(server: Server) -> None:
    server.put(observation("group", subject={"reference": "Group/ada"}))
    assert server.ids("/Observation", patient="ada") == []
    assert server.ids("/Observation", patient="Group/ada") == []
    assert server.ids("/Observation", subject="ada") == ["group"]
    assert server.ids("/Observation", subject="Patient/ada") == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("8310-5", ["loinc", "local", "bare"]),
        (f"{LOINC}|8310-5", ["loinc"]),
        ("|8310-5", ["bare"]),
        (f"{LOINC}|", ["loinc", "pulse"]),
        (f"{LOINC}|8867-4,urn:local|8310-5", ["local", "pulse"]),
        ("8310", []),
        (f"{LOINC}|8310-5 ", []),
        ("urn:comma|a\\,b", ["comma"]),
        ("85354-9", []),
    ],
)
def test_a_code_is_found_as_a_token(server: Server, asked: str, found: list[str]) -> None:
    def coded(number: str, *codings: dict[str, str]) -> dict[str, Any]:
        component = [{"code": {"coding": [{"system": LOINC, "code": "85354-9"}]}}]
        return observation(number, code={"coding": [{"code": "other"}, *codings]}, component=component)

    server.put(
        coded("loinc", {"system": LOINC, "code": "8310-5"}),
        coded("local", {"system": "urn:local", "code": "8310-5"}),
        coded("bare", {"code": "8310-5"}),
        coded("pulse", {"system": LOINC, "code": "8867-4"}),
        coded("comma", {"system": "urn:comma", "code": "a,b"}),
    )
    assert server.ids("/Observation", code=asked) == found


@pytest.mark.parametrize("resource_type", ["MedicationAdministration", "MedicationRequest"])
def test_the_code_of_a_drug_is_its_codeable_concept_and_no_reference(server: Server, resource_type: str) -> None:
    drug = {"coding": [{"system": "http://www.nlm.nih.gov/research/umls/rxnorm", "code": "612865"}]}
    server.put(
        {"resourceType": "Medication", "id": "612865", "code": drug},
        {"resourceType": resource_type, "id": "coded", "medicationCodeableConcept": drug},
        {"resourceType": resource_type, "id": "referred", "medicationReference": {"reference": "Medication/612865"}},
    )
    assert server.ids(f"/{resource_type}", code="612865") == ["coded"]


def test_the_code_of_an_allergy_is_also_the_substance_of_its_reaction(server: Server) -> None:
    drug = {"coding": [{"code": "612865"}]}
    server.put(
        {"resourceType": "AllergyIntolerance", "id": "a", "code": drug},
        {"resourceType": "AllergyIntolerance", "id": "b", "reaction": [{"substance": drug}]},
        {"resourceType": "AllergyIntolerance", "id": "c"},
    )
    assert server.ids("/AllergyIntolerance", code="612865") == ["a", "b"]


def test_status_and_clinical_status_and_id_are_tokens(server: Server) -> None:
    active = {"coding": [{"system": "http://terminology.hl7.org/CodeSystem/condition-clinical", "code": "active"}]}
    server.put(
        observation("a"),
        observation("b", status="entered-in-error"),
        observation("c", status="amended"),
        {"resourceType": "Condition", "id": "d", "clinicalStatus": active},
        {"resourceType": "Condition", "id": "e"},
    )
    assert server.ids("/Observation", status="final,amended") == ["a", "c"]
    assert server.ids("/Observation", _id="c,b,missing") == ["b", "c"]
    assert server.ids("/Condition", **{"clinical-status": "active"}) == ["d"]


def test_an_observation_is_found_by_its_category(server: Server) -> None:
    vital = {
        "coding": [{"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}]
    }
    survey = {"coding": [{"code": "survey"}]}
    server.put(
        observation("a", category=[survey, vital]), observation("b", category=[survey]), observation("c", category=[])
    )
    assert server.ids("/Observation", category="vital-signs") == ["a"]


def test_every_need_is_asked_in_words_that_the_server_knows(server: Server, knowledge: Knowledge) -> None:
    server.put({"resourceType": "Patient", "id": "ada"})
    for need in knowledge.needs:
        answer = server.call("GET", f"/{need.path('ada')}", headers={"Prefer": "handling=strict"})
        assert answer.status_code == 200, f"{need.key}: {answer.text}"


def test_parameters_repeated_and_side_by_side_must_all_hold(server: Server) -> None:
    server.put(
        observation("early", "2026-11-20"),
        observation("late", "2026-11-22"),
        observation("mid", "2026-11-21T08:00:00Z"),
    )
    assert server.ids("/Observation", date=["ge2026-11-21", "lt2026-11-22"]) == ["mid"]
    assert server.ids("/Observation", date="2026-11-20,2026-11-22") == ["early", "late"]
    assert server.ids("/Observation", date="ge2026-11-21", status="amended") == []


@pytest.mark.parametrize(
    ("asked", "found"),
    [
        ("2026-11-22", ["morning", "day"]),
        ("eq2026-11-22T08:00:00Z", ["morning"]),
        ("2026-11-22T10:00:00+02:00", ["morning"]),
        ("2026-11-22T08:00Z", ["morning"]),
        ("2026-11", ["morning", "day", "ended"]),
        ("2026", ["morning", "day", "ended"]),
        ("gt2026-11-22", ["running"]),
        ("gt2026-11-22T08:00:00Z", ["day", "running"]),
        ("ge2026-11-22", ["morning", "day", "running"]),
        ("ge2026-11-22T08:00:00Z", ["morning", "day", "running"]),
        ("lt2026-11-22", ["ended", "running"]),
        ("lt2026-11-22T08:00:00Z", ["day", "ended", "running"]),
        ("le2026-11-22T08:00:00Z", ["morning", "day", "ended", "running"]),
        ("le2026-11-20", ["ended", "running"]),
        ("le2026-11-21", ["ended", "running"]),
        ("le2026-11-18", []),
    ],
)
def test_a_date_is_compared_as_the_time_it_covers(server: Server, asked: str, found: list[str]) -> None:
    def given(number: str, **effective: Any) -> dict[str, Any]:
        return {"resourceType": "MedicationAdministration", "id": number, "status": "completed", **effective}

    server.put(
        given("morning", effectiveDateTime="2026-11-22T09:00:00+01:00"),
        given("day", effectiveDateTime="2026-11-22"),
        given("ended", effectivePeriod={"start": "2026-11-19T10:00:00Z", "end": "2026-11-20T10:00:00Z"}),
        given("running", effectivePeriod={"start": "2026-11-20T10:00:00Z"}),
        given("undated"),
        given("unreadable", effectiveDateTime="yesterday"),
        given("impossible", effectiveDateTime="2026-02-30"),
    )
    assert server.ids("/MedicationAdministration", **{"effective-time": asked}) == found


@pytest.mark.parametrize(
    ("asked", "found"),
    [("2026-11", ["last"]), ("2026-12", ["next"]), ("2027", ["year"]), ("2026", ["last", "next"])],
)
def test_a_month_and_a_year_end_with_their_last_day(server: Server, asked: str, found: list[str]) -> None:
    server.put(observation("last", "2026-11-30"), observation("next", "2026-12-01"), observation("year", "2027-01-01"))
    assert server.ids("/Observation", date=asked) == found


def test_a_period_without_a_start_began_before_anything(server: Server) -> None:
    server.put({"resourceType": "Encounter", "id": "a", "period": {"end": "2026-11-20"}})
    assert server.ids("/Encounter", date="lt1950") == ["a"]
    assert server.ids("/Encounter", date="ge2026-11-21") == []


@pytest.mark.parametrize(
    "asked",
    ["yesterday", "ne2026-11-22", "ap2026", "2026-13-01", "2026-11-22T10:00:00 02:00", "ge", "2026-11-22+02:00"],
)
def test_a_date_that_cannot_be_read_is_refused_also_when_nothing_would_match(server: Server, asked: str) -> None:
    assert "is not a date" in diagnostics(server.call("GET", "/Observation", params={"date": asked}), 400)


@pytest.mark.parametrize(
    ("resource_type", "parameter", "element"),
    [
        ("Observation", "date", {"effectiveInstant": "2026-11-22T08:00:00.250Z"}),
        ("Observation", "_lastUpdated", {}),
        ("MedicationRequest", "authoredon", {"authoredOn": "2026-11-22T08:00:00Z"}),
        ("ServiceRequest", "authored", {"authoredOn": "2026-11-22"}),
        ("Procedure", "date", {"performedPeriod": {"start": "2026-11-22", "end": "2026-11-22"}}),
        ("Condition", "onset-date", {"onsetDateTime": "2026-11-22"}),
        ("Condition", "recorded-date", {"recordedDate": "2026-11-22"}),
        ("AllergyIntolerance", "date", {"recordedDate": "2026-11-22"}),
        ("DiagnosticReport", "date", {"effectiveDateTime": "2026-11-22"}),
        ("Encounter", "date", {"period": {"start": "2026-11-22T01:00:00Z", "end": "2026-11-22T02:00:00Z"}}),
    ],
)
def test_each_date_parameter_looks_at_its_own_element(
    server: Server, resource_type: str, parameter: str, element: dict[str, Any]
) -> None:
    server.put({"resourceType": resource_type, "id": "a", **element})
    assert server.ids(f"/{resource_type}", **{parameter: "2026-11-22"}) == ["a"]
    assert server.ids(f"/{resource_type}", **{parameter: "2026-11-21"}) == []
    assert server.ids(f"/{resource_type}", _sort=f"-{parameter}") == ["a"]


def test_each_type_of_a_patients_record_is_found_by_its_patient(server: Server) -> None:
    types = [name for name, parameters in SEARCH_PARAMETERS.items() if "patient" in parameters]
    assert len(types) == 11
    for name in types:
        owner = "patient" if name == "AllergyIntolerance" else "subject"
        server.put(
            {"resourceType": name, "id": "hers", owner: {"reference": "Patient/ada"}},
            {"resourceType": name, "id": "his", owner: {"reference": "Patient/bob"}},
        )
        assert server.ids(f"/{name}", patient="ada") == ["hers"], name


@pytest.mark.parametrize(
    ("parameter", "asked", "found"),
    [
        ("family", "mul", ["a"]),
        ("family", "MÜLLER", ["a"]),
        ("family", "uller", []),
        ("given", "eva,jo", ["a", "b"]),
        ("name", "eva", ["a"]),
        ("name", "Jones", ["b"]),
        ("given", "jones", []),
    ],
)
def test_a_patient_is_found_by_how_a_name_begins_whatever_its_case_and_accents(
    server: Server, parameter: str, asked: str, found: list[str]
) -> None:
    server.put(
        {"resourceType": "Patient", "id": "a", "name": [{"family": "Müller", "given": ["Anna", "Eva"]}]},
        {"resourceType": "Patient", "id": "b", "name": [{"family": "Jones", "given": ["José"]}]},
    )
    assert server.ids("/Patient", **{parameter: asked}) == found


@pytest.mark.parametrize(
    ("sort", "found"),
    [
        ("date", ["early", "late-1", "late-2", "none"]),
        ("-date", ["late-1", "late-2", "early", "none"]),
        ("-date,-_id", ["late-2", "late-1", "early", "none"]),
        ("_id", ["early", "late-1", "late-2", "none"]),
        ("-_lastUpdated", ["early", "late-2", "late-1", "none"]),
    ],
)
def test_results_are_sorted_by_each_key_in_turn_and_those_without_a_value_come_last(
    server: Server, sort: str, found: list[str]
) -> None:
    server.put(
        observation("none"),
        observation("late-1", "2026-11-22T08:00:00Z"),
        observation("late-2", "2026-11-22T10:00:00+02:00"),
        observation("early", "2026-11-22T09:00:00+02:00"),
    )
    assert server.ids("/Observation", _sort=sort) == found


@pytest.mark.parametrize("sort", ["effective-time", "code", "sort:date", "-"])
def test_a_sort_that_the_type_does_not_have_is_refused(server: Server, sort: str) -> None:
    assert "cannot sort" in diagnostics(server.call("GET", "/Observation", params={"_sort": sort}), 400)


def test_an_unknown_parameter_is_left_out_of_the_search_and_of_the_self_link(server: Server) -> None:
    server.put(observation("a"))
    bundle = server.get("/Observation", patient="ada", colour="red", code="")
    assert bundle["total"] == 1
    assert bundle["link"] == [{"relation": "self", "url": f"{server.base}/Observation?patient=ada"}]


@pytest.mark.parametrize("prefer", ["handling=strict", "return=minimal; handling=strict"])
def test_an_unknown_parameter_is_refused_when_the_client_prefers_strict_handling(server: Server, prefer: str) -> None:
    answer = server.call("GET", "/Observation?colour=red&_count=5", headers={"Prefer": prefer})
    assert "colour" in diagnostics(answer, 400)
    lenient = server.call("GET", "/Observation?colour=red", headers={"Prefer": "handling=lenient"})
    assert lenient.status_code == 200


@pytest.mark.parametrize("name", ["code:in", "patient:Patient", "family:exact", "status:not", "colour:missing"])
def test_an_unknown_modifier_is_always_refused(server: Server, name: str) -> None:
    assert name in diagnostics(server.call("GET", "/Observation", params={name: "x"}), 400)


def test_malformed_resources_are_kept_and_do_not_break_a_search(server: Server) -> None:
    server.put(
        observation("a", code="8310-5", subject="Patient/ada", effectivePeriod="today"),
        observation("b", code={"coding": [None, 1, {"code": ["8310-5"]}]}, subject={"reference": 7}),
        observation("c", effectivePeriod={"start": 2026}, effectiveDateTime=[["2026"]]),
    )
    query = {"code": f"{LOINC}|8310-5", "patient": "ada", "_sort": "-date"}
    assert server.ids("/Observation", **query) == ["c"]
    assert server.ids("/Observation", date="ge1900") == ["c"]


# Pages


def test_a_search_set_is_a_bundle_with_its_total_its_links_and_the_match_mode(server: Server) -> None:
    server.put(observation("a", "2026-11-22T08:00:00Z"))
    bundle = server.get("/Observation", patient="ada")
    Bundle.model_validate(bundle)
    assert (bundle["resourceType"], bundle["type"], bundle["total"]) == ("Bundle", "searchset", 1)
    (entry,) = bundle["entry"]
    assert entry["fullUrl"] == f"{server.base}/Observation/a"
    assert entry["search"] == {"mode": "match"}
    assert entry["resource"] == server.get("/Observation/a")
    assert "entry" not in server.get("/Observation", patient="bob")


def test_following_the_next_links_gives_every_match_once_in_order(server: Server) -> None:
    times = [f"2026-11-22T08:{minute:02}:00Z" for minute in range(25)]
    server.put(*(observation(f"o{number}", time) for number, time in enumerate(times)))
    page = server.get("/Observation", patient="ada", code=f"{LOINC}|8310-5,{LOINC}|8867-4", _sort="-date", _count=10)
    seen: list[str] = []
    sizes: list[int] = []
    while True:
        assert page["total"] == 25
        seen += [entry["resource"]["id"] for entry in page["entry"]]
        sizes.append(len(page["entry"]))
        links = {link["relation"]: link["url"] for link in page["link"]}
        if "next" not in links:
            break
        assert links["next"].startswith(f"{server.base}/Observation?patient=ada&")
        assert links["next"].count("_offset=") == 1
        page = server.get(links["next"].removeprefix(server.base))
    assert seen == [f"o{number}" for number in reversed(range(25))]
    assert sizes == [10, 10, 5]


def test_a_page_has_twenty_resources_unless_asked_otherwise_and_never_more_than_five_hundred(server: Server) -> None:
    entries = [{"resource": observation("x"), "request": {"method": "POST", "url": "Observation"}} for _ in range(501)]
    server.call("POST", json={"resourceType": "Bundle", "type": "transaction", "entry": entries})
    assert len(server.ids("/Observation")) == 20
    assert len(server.ids("/Observation", _count=21)) == 21
    largest = server.get("/Observation", _count=1000)
    assert len(largest["entry"]) == 500
    assert [link["relation"] for link in largest["link"]] == ["self", "next"]
    assert len(server.get(largest["link"][1]["url"].removeprefix(server.base))["entry"]) == 1


def test_a_count_of_zero_asks_for_the_total_only_and_a_full_last_page_has_no_next(server: Server) -> None:
    server.put(observation("a"), observation("b"))
    bundle = server.get("/Observation", _count=0)
    assert (bundle["total"], "entry" in bundle, len(bundle["link"])) == (2, False, 1)
    assert len(server.get("/Observation", _count=2)["link"]) == 1


@pytest.mark.parametrize("count_asked", ["-1", "many", "1.5"])
def test_a_count_that_is_not_a_whole_number_is_refused(server: Server, count_asked: str) -> None:
    assert "_count" in diagnostics(server.call("GET", "/Observation", params={"_count": count_asked}), 400)


# Search by POST


def test_a_posted_search_combines_its_form_with_the_url_and_its_links_can_be_followed_by_get(server: Server) -> None:
    server.put(*(observation(f"o{number}") for number in range(3)), observation("x", status="amended"))
    answer = server.call("POST", "/Observation/_search?status=final", data={"patient": "Patient/ada", "_count": "2"})
    assert answer.status_code == 200
    bundle = answer.json()
    assert (bundle["total"], len(bundle["entry"])) == (3, 2)
    assert bundle["link"][0]["url"] == f"{server.base}/Observation?status=final&patient=Patient%2Fada&_count=2"
    assert server.ids(bundle["link"][1]["url"].removeprefix(server.base)) == ["o2"]


def test_a_posted_search_with_a_json_body_is_refused_not_answered_unfiltered(server: Server) -> None:
    answer = server.call("POST", "/Observation/_search", json={"patient": "ada"})
    assert "x-www-form-urlencoded" in diagnostics(answer, 415)


# Transactions and batches


def bundle_of(kind: str, *entries: tuple[str, str, dict[str, Any] | None, str | None]) -> dict[str, Any]:
    """A Bundle of (method, url, resource, fullUrl)."""
    return {
        "resourceType": "Bundle",
        "type": kind,
        "entry": [
            {"request": {"method": method, "url": url}}
            | ({"resource": resource} if resource else {})
            | ({"fullUrl": full_url} if full_url else {})
            for method, url, resource, full_url in entries
        ],
    }


def test_a_transaction_resolves_the_references_between_its_new_resources(server: Server) -> None:
    patient, reading = "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e059", "urn:uuid:88f151c0-a954-468a-88bd-5ae15c08e05a"
    report = {"resourceType": "DiagnosticReport", "id": "r", "result": [{"reference": reading}]}
    bundle = bundle_of(
        "transaction",
        ("POST", "Observation", observation("x", subject={"reference": patient}), reading),
        ("POST", "Patient", {"resourceType": "Patient"}, patient),
        ("PUT", "DiagnosticReport/r", report, None),
    )
    answer = server.call("POST", json=bundle)
    assert answer.status_code == 200
    response = answer.json()
    Bundle.model_validate(response)
    assert response["type"] == "transaction-response"
    assert [entry["response"]["status"] for entry in response["entry"]] == ["201 Created"] * 3
    reading_at, patient_at = (entry["response"]["location"].split("/_history/")[0] for entry in response["entry"][:2])
    assert server.get(f"/{reading_at}")["subject"] == {"reference": patient_at}
    assert server.get("/DiagnosticReport/r")["result"] == [{"reference": reading_at}]
    assert server.ids("/Observation", patient=patient_at) == [reading_at.partition("/")[2]]


@pytest.mark.parametrize("path", ["", "/"])
def test_a_transaction_creates_updates_and_deletes_in_one_go(server: Server, path: str) -> None:
    server.put(observation("a"), observation("b"))
    bundle = bundle_of(
        "transaction",
        ("DELETE", "Observation/a", None, None),
        ("PUT", "Observation/b", observation("b", status="amended"), None),
        ("PUT", "Observation/1", observation("1"), None),
        ("POST", "Observation", observation("x"), None),
    )
    answer = server.call("POST", path, json=bundle).json()
    assert [e["response"]["status"] for e in answer["entry"]] == [
        "204 No Content",
        "200 OK",
        "201 Created",
        "201 Created",
    ]
    assert server.ids("/Observation") == ["b", "1", "2"]
    assert server.get("/Observation/b")["status"] == "amended"


@pytest.mark.parametrize(
    ("method", "url", "resource", "status"),
    [
        pytest.param("PUT", "Observation/c", observation("d"), 400, id="an id that does not fit"),
        pytest.param("POST", "Observation", None, 400, id="no resource"),
        pytest.param("POST", "Observation/c", observation("c"), 400, id="a POST to an id"),
        pytest.param("PUT", "Observation", observation("c"), 400, id="a PUT to a type"),
        pytest.param("PUT", "Observation?code=x", observation("c"), 400, id="a conditional PUT"),
        pytest.param("PATCH", "Observation/c", observation("c"), 400, id="an unknown method"),
        pytest.param("PUT", "Observation/a", observation("a"), 400, id="the same resource twice"),
        pytest.param("POST", "Spaceship", {"resourceType": "Spaceship"}, 404, id="an unknown type"),
    ],
)
def test_a_transaction_with_one_bad_entry_changes_nothing(
    server: Server, method: str, url: str, resource: dict[str, Any] | None, status: int
) -> None:
    server.put(observation("a"), observation("b"))
    before = server.get("/Observation")
    bundle = bundle_of(
        "transaction",
        ("PUT", "Observation/a", observation("a", status="amended"), None),
        ("POST", "Observation", observation("x"), None),
        ("DELETE", "Observation/b", None, None),
        (method, url, resource, None),
    )
    diagnostics(server.call("POST", json=bundle), status)
    assert server.get("/Observation") == before
    assert server.call("PUT", "/Observation/b", json=observation("b")).json()["meta"]["versionId"] == "2"


def test_a_batch_carries_out_the_good_entries_and_answers_each_bad_one_with_an_outcome(server: Server) -> None:
    bundle = bundle_of(
        "batch",
        ("PUT", "Patient/ada", {"resourceType": "Patient", "id": "bob"}, None),
        ("POST", "Spaceship", {"resourceType": "Spaceship"}, None),
        ("PUT", "Patient/bob", {"resourceType": "Patient", "id": "bob"}, None),
    )
    answer = server.call("POST", json=bundle)
    assert answer.status_code == 200
    Bundle.model_validate(answer.json())
    responses = [entry["response"] for entry in answer.json()["entry"]]
    assert [response["status"] for response in responses] == ["400 Bad Request", "404 Not Found", "201 Created"]
    assert responses[0]["outcome"]["issue"][0]["details"]["text"].startswith("The id in the resource")
    assert server.ids("/Patient") == ["bob"]


@pytest.mark.parametrize(
    "body",
    [
        {"resourceType": "Bundle", "type": "collection", "entry": []},
        {"resourceType": "Bundle", "type": ["batch"]},
        {"resourceType": "Bundle", "type": "batch", "entry": {}},
        {"resourceType": "Patient"},
        {"resourceType": "Bundle", "type": "transaction", "entry": ["x"]},
        {"resourceType": "Bundle", "type": "transaction", "entry": [{"request": {"method": ["PUT"]}}]},
        [],
    ],
)
def test_what_is_no_transaction_or_batch_is_refused(server: Server, body: object) -> None:
    assert diagnostics(server.call("POST", json=body), 400)


def conditional(family: str) -> dict[str, Any]:
    """A create of a patient of a name, unless one has it already."""
    patient = {"resourceType": "Patient", "name": [{"family": family}]}
    bundle = bundle_of("transaction", ("POST", "Patient", patient, None))
    bundle["entry"][0]["request"]["ifNoneExist"] = f"family={family}"
    return bundle


def test_a_conditional_create_creates_once_and_finds_it_from_then_on(server: Server) -> None:
    first, second = (server.call("POST", json=conditional("Onlyone")).json()["entry"][0]["response"] for _ in range(2))
    assert (first["status"], second["status"]) == ("201 Created", "200 OK")
    assert first["location"] == second["location"]


def test_a_conditional_create_that_meets_two_is_refused(server: Server) -> None:
    for _ in range(2):
        server.call("POST", "/Patient", json={"resourceType": "Patient", "name": [{"family": "Twice"}]})
    assert "2 resources" in diagnostics(server.call("POST", json=conditional("Twice")), 412)


def test_another_conditional_entry_is_refused_not_carried_out_without_its_condition(server: Server) -> None:
    bundle = bundle_of("transaction", ("PUT", "Patient/c1", {"resourceType": "Patient", "id": "c1"}, None))
    bundle["entry"][0]["request"]["ifMatch"] = 'W/"1"'
    assert "conditional" in diagnostics(server.call("POST", json=bundle), 400)


# HTTP


def test_the_capability_statement_lists_what_the_server_searches_by(server: Server) -> None:
    statement = server.get("/metadata")
    CapabilityStatement.model_validate(statement)
    assert statement["fhirVersion"] == "4.0.1"
    assert statement["implementation"]["url"] == server.base
    listed = {resource["type"]: resource for resource in statement["rest"][0]["resource"]}
    assert sorted(listed) == [
        "AllergyIntolerance",
        "Condition",
        "DeviceUseStatement",
        "DiagnosticReport",
        "Encounter",
        "Medication",
        "MedicationAdministration",
        "MedicationRequest",
        "Observation",
        "Patient",
        "Practitioner",
        "Procedure",
        "ServiceRequest",
        "Specimen",
    ]
    kinds = {parameter["name"]: parameter["type"] for parameter in listed["Observation"]["searchParam"]}
    assert kinds == {
        "_id": "token",
        "_lastUpdated": "date",
        "_tag": "token",
        "identifier": "token",
        "patient": "reference",
        "subject": "reference",
        "status": "token",
        "code": "token",
        "category": "token",
        "date": "date",
    }


@pytest.mark.parametrize(
    ("method", "path", "status"),
    [
        ("GET", "/Spaceship", 404),
        ("GET", "/Spaceship/1", 404),
        ("POST", "/Spaceship", 404),
        ("PUT", "/Spaceship/1", 404),
        ("DELETE", "/Spaceship/1", 404),
        ("POST", "/Spaceship/_search", 404),
        ("GET", "/Patient/ada/_history/1", 404),
        ("GET", "/a/b/c/d", 404),
        ("GET", "", 405),
        ("DELETE", "/metadata", 405),
        ("PUT", "/Patient", 405),
        ("GET", "/Patient/_search", 405),
        ("POST", "/Patient/ada", 405),
        ("PATCH", "/Patient/ada", 405),
        ("TRACE", "/Patient/ada", 405),
        ("GET", "/Patient/ada", 404),
        ("POST", "/Patient", 400),
    ],
)
def test_every_error_is_an_operation_outcome_with_the_cors_headers(
    server: Server, method: str, path: str, status: int
) -> None:
    answer = server.call(method, path)
    assert diagnostics(answer, status)
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert ("Allow" in answer.headers) is (status == 405)


@pytest.mark.parametrize("path", ["", "/", "/metadata", "/Patient", "/Patient/ada", "/Patient/_search", "/a/b/c"])
def test_a_preflight_of_any_path_is_allowed(server: Server, path: str) -> None:
    headers = {"Origin": "https://sandbox.example", "Access-Control-Request-Method": "PUT"}
    answer = server.call("OPTIONS", path, headers=headers)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers["Access-Control-Allow-Headers"] == "Authorization, Content-Type, Accept, Prefer"
    assert answer.headers["Access-Control-Allow-Methods"] == "GET, POST, PUT, DELETE, OPTIONS"


@pytest.mark.parametrize(
    "accept",
    [
        None,
        "*/*",
        "application/json+fhir",
        "application/fhir+json",
        "application/json",
        "application/fhir+json; fhirVersion=4.0",
        "text/html,application/xhtml+xml,*/*;q=0.8",
    ],
)
def test_every_name_of_fhir_json_is_accepted_and_answered_with_the_right_one(
    server: Server, accept: str | None
) -> None:
    answer = server.call("GET", "/Patient", headers={"Accept": accept})
    assert (answer.status_code, answer.headers["Content-Type"]) == (200, "application/fhir+json")
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_client_that_takes_xml_only_is_told_so_in_json(server: Server) -> None:
    answer = server.call("GET", "/Patient", headers={"Accept": "application/fhir+xml"})
    assert "application/fhir+json" in diagnostics(answer, 406)


@pytest.mark.parametrize("path", ["/Patient/", "/Patient/ada/", "/metadata/", "/Patient/?_count=1"])
def test_a_trailing_slash_is_answered_not_redirected(server: Server, path: str) -> None:
    server.put({"resourceType": "Patient", "id": "ada"})
    assert server.call("GET", path).status_code == 200


def test_a_defect_of_the_server_is_an_operation_outcome_without_its_words() -> None:
    def broken_clock() -> datetime:
        raise RuntimeError("secret")

    app = Flask(__name__)
    app.register_blueprint(fhir_blueprint(Repository(broken_clock)), url_prefix="/fhir")
    answer = app.test_client().post("/fhir/Patient", json={"resourceType": "Patient"})
    assert (answer.status_code, answer.mimetype) == (500, "application/fhir+json")
    assert "secret" not in answer.text
    assert answer.headers["Access-Control-Allow-Origin"] == "*"


def test_a_body_larger_than_the_app_allows_is_an_operation_outcome() -> None:
    app = Flask(__name__)
    app.config["MAX_CONTENT_LENGTH"] = 10
    app.register_blueprint(fhir_blueprint(Repository(lambda: START)), url_prefix="/fhir")
    answer = app.test_client().post("/fhir/Patient", json={"resourceType": "Patient"})
    assert (answer.status_code, answer.mimetype) == (413, "application/fhir+json")

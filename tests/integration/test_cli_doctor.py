"""`crs-cds doctor`: every query tried on a FHIR server, and what would be unknown on it."""

import json

import pytest

from cds_service.fhir.gaps import gaps
from cds_service.fhir.gather import State, Supply
from cds_service.fhir.needs import Need
from cds_service.fhir.survey import declared, offered, parameters, scopes, unknown_without
from cds_service.hooks.knowledge import Knowledge
from tests.answers import KEYS, PATIENT
from tests.integration.test_cli import run
from tests.server import NOW, Fhir


@pytest.mark.parametrize("who", [[], ["--patient", PATIENT]])
def test_a_server_that_answers_everything_is_well(fhir: Fhir, who: list[str]) -> None:
    shown = run("doctor", "--fhir", fhir.base, *who, "--json")
    found = json.loads(shown.stdout)
    assert shown.returncode == 0, shown.stdout
    assert [probe["need"] for probe in found["needs"]] == KEYS
    assert all(probe["works"] for probe in found["needs"])
    assert (found["fhirVersion"], found["unknown"]) == ("4.0.1", {})
    resources = {probe["need"]: probe["resources"] for probe in found["needs"]}
    assert (resources["temperature"] > 0) is bool(who)


def test_a_query_that_fails_is_named_with_what_would_be_unknown(fhir: Fhir) -> None:
    outcome = {"resourceType": "OperationOutcome", "issue": [{"diagnostics": "scope is missing"}]}
    fhir.faults = {"AllergyIntolerance": ("403", "application/fhir+json", json.dumps(outcome))}
    shown = run("doctor", "--fhir", fhir.base)
    assert shown.returncode == 1
    assert "scope is missing" in shown.stdout
    assert "without allergies unknown: allergies. Ask the vendor for this query." in shown.stdout
    assert "patient/AllergyIntolerance.rs" in shown.stdout


@pytest.mark.parametrize(
    ("missing", "lost"),
    [
        (["therapies"], {"therapies": []}),
        (
            ["therapies", "administrations"],
            {"therapies": ["therapies"], "administrations": ["therapies", "drugs", "vasoactives"]},
        ),
        (["administrations"], {"administrations": ["therapies", "drugs", "vasoactives"]}),
        (["procedures"], {"procedures": ["therapies", "oxygen", "cultures"]}),
        (["vitalSigns"], {"vitalSigns": ["temperatures", "pressures", "oxygen", "saturations"]}),
    ],
)
def test_only_the_whole_stands_in_for_a_query_that_fails(
    knowledge: Knowledge, missing: list[str], lost: dict[str, list[str]]
) -> None:
    assert unknown_without(knowledge.needs, missing) == lost


@pytest.mark.parametrize("key", KEYS)
def test_what_is_called_unknown_is_what_an_answer_without_it_lacks(knowledge: Knowledge, key: str) -> None:
    supplies = {need.key: Supply(need=need, state=State.EMPTY) for need in knowledge.needs}
    need = supplies[key].need
    supplies[key] = Supply(need=need, state=State.UNAVAILABLE, reason="not granted")
    [lost] = unknown_without(knowledge.needs, [key]).values()
    assert list(gaps(supplies, NOW)) == lost


def test_a_statement_without_a_parameter_or_a_type_is_noticed(knowledge: Knowledge) -> None:
    need: Need = next(need for need in knowledge.needs if need.key == "temperature")
    assert parameters(need) == ("patient", "code", "_sort", "_count")
    search = {"type": "Observation", "interaction": [{"code": "search-type"}], "searchParam": [{"name": "patient"}]}
    assert declared(need, {"rest": [{"resource": [search]}]}).unlisted == ("code",)
    assert not declared(need, {"rest": [{"resource": [{"type": "Patient"}]}]}).reads
    assert not declared(need, {"rest": [{"resource": [search | {"interaction": [{"code": "read"}]}]}]}).reads


def test_the_scopes_are_those_of_every_type_that_is_read(knowledge: Knowledge) -> None:
    found = scopes(knowledge.needs)
    assert "patient/Observation.read" in found["SMART v1"]
    assert "patient/Observation.rs" in found["SMART v2"]
    assert {name.partition("/")[2].partition(".")[0] for name in found["SMART v1"]} >= {
        need.resource_type for need in knowledge.needs
    }


@pytest.mark.parametrize("way", ["option", "environment"])
def test_the_token_goes_to_the_server_with_every_query_and_is_not_printed(fhir: Fhir, way: str) -> None:
    token = "invented-token"
    given = ("--token", token) if way == "option" else ()
    environment = {"FHIR_TOKEN": token} if way == "environment" else {}
    shown = run("doctor", "--fhir", fhir.base, "--json", *given, **environment)
    assert shown.returncode == 0, shown.stderr
    sent = [asked.headers.get("authorization") for asked in fhir.asked if ".well-known" not in asked.path]
    assert set(sent) == {f"Bearer {token}"}
    assert [
        asked.headers for asked in fhir.asked if ".well-known" in asked.path and "authorization" in asked.headers
    ] == []
    assert token not in shown.stdout + shown.stderr


def test_each_need_says_the_scopes_that_its_query_asks_for(fhir: Fhir) -> None:
    found = json.loads(run("doctor", "--fhir", fhir.base, "--json").stdout)
    asked = {probe["need"]: probe["scopes"] for probe in found["needs"]}
    assert asked["patient"] == {"SMART v1": ["patient/Patient.read"], "SMART v2": ["patient/Patient.r"]}
    assert asked["temperature"] == {"SMART v1": ["patient/Observation.read"], "SMART v2": ["patient/Observation.rs"]}
    assert asked["therapies"]["SMART v2"] == ["patient/MedicationAdministration.rs", "patient/Medication.rs"]


def test_a_server_without_a_smart_configuration_is_asked_about(fhir: Fhir) -> None:
    found = json.loads(run("doctor", "--fhir", fhir.base, "--json").stdout)
    assert {permission["offered"] for permission in found["permissions"]} == {None}
    [question] = found["ask"]
    assert "does not say which scopes it grants" in question
    assert question in run("doctor", "--fhir", fhir.base).stdout


def test_a_scope_that_the_server_does_not_list_is_named_in_both_syntaxes(fhir: Fhir, knowledge: Knowledge) -> None:
    listed = [name for name in scopes(knowledge.needs)["SMART v2"] if "DeviceUseStatement" not in name]
    configuration = json.dumps({"scopes_supported": [*listed, "launch", "openid"]})
    fhir.faults = {".well-known/smart-configuration": ("200 OK", "application/json", configuration)}
    shown = run("doctor", "--fhir", fhir.base, "--json")
    found = json.loads(shown.stdout)
    offers = {permission["type"]: permission["offered"] for permission in found["permissions"]}
    assert offers["Observation"] == ["patient/Observation.rs"]
    assert [kind for kind, offer in offers.items() if not offer] == ["DeviceUseStatement"]
    assert found["ask"] == [
        "The server lists no scope for DeviceUseStatement. Ask the vendor for "
        "patient/DeviceUseStatement.read (SMART v1) or patient/DeviceUseStatement.rs (SMART v2)."
    ]
    assert shown.returncode == 0, "what a server does not list it may grant all the same"


@pytest.mark.parametrize("content", ["[]", "{", '{"scopes_supported": "patient/*.rs"}', "{}"])
def test_a_smart_configuration_that_says_nothing_of_scopes_is_none(fhir: Fhir, content: str) -> None:
    fhir.faults = {".well-known/smart-configuration": ("200 OK", "application/json", content)}
    found = json.loads(run("doctor", "--fhir", fhir.base, "--json").stdout)
    assert {permission["offered"] for permission in found["permissions"]} == {None}


@pytest.mark.parametrize(
    ("scope", "lets_read"),
    [
        ("patient/Observation.read", True),
        ("patient/Observation.rs", True),
        ("patient/Observation.cruds", True),
        ("patient/Observation.*", True),
        ("patient/*.read", True),
        ("user/*.rs", True),
        ("patient/Observation.r", False),
        ("patient/Observation.s", False),
        ("patient/Observation.", False),
        ("patient/Observation.write", False),
        ("patient/Condition.rs", False),
        ("system/Observation.rs", False),
        ("patient/Observation.rs?category=laboratory", False),
        (7, False),
    ],
)
def test_a_scope_lets_a_type_be_read_when_it_lets_all_of_it_be_read_and_searched(
    scope: object, lets_read: bool
) -> None:
    assert offered("Observation", {"scopes_supported": [scope]}) == ((scope,) if lets_read else ())


def test_the_patient_is_read_by_id_only() -> None:
    assert offered("Patient", {"scopes_supported": ["patient/Patient.r"]}) == ("patient/Patient.r",)
    assert offered("Patient", {"scopes_supported": ["patient/Patient.s"]}) == ()


@pytest.mark.parametrize("path", ["/nothing", "/../healthz"])
def test_what_is_no_fhir_server_is_said_in_one_sentence(fhir: Fhir, path: str) -> None:
    refused = run("doctor", "--fhir", f"{fhir.base}{path}")
    assert refused.returncode == 2
    assert "gives no CapabilityStatement" in refused.stderr


def test_a_server_that_cannot_be_reached_is_said_in_one_sentence() -> None:
    refused = run("doctor", "--fhir", "http://127.0.0.1:9/fhir")
    assert refused.returncode == 2
    assert "is this a FHIR base URL?" in refused.stderr

"""`crs-cds doctor`: every query tried on a FHIR server, and what would be unknown on it."""

import json

import pytest

from cds_service.fhir.needs import Need
from cds_service.fhir.survey import declared, parameters, scopes, unknown_without
from cds_service.hooks.knowledge import Knowledge
from tests.answers import KEYS, PATIENT
from tests.integration.test_cli import run
from tests.server import Fhir


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


def test_what_another_query_holds_too_is_not_unknown(knowledge: Knowledge) -> None:
    lost = unknown_without(knowledge.needs, ["therapies", "weight"])
    assert lost == {"therapies": [], "weight": ["weights"]}


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


@pytest.mark.parametrize("path", ["/nothing", "/../healthz"])
def test_what_is_no_fhir_server_is_said_in_one_sentence(fhir: Fhir, path: str) -> None:
    refused = run("doctor", "--fhir", f"{fhir.base}{path}")
    assert refused.returncode == 2
    assert "gives no CapabilityStatement" in refused.stderr


def test_a_server_that_cannot_be_reached_is_said_in_one_sentence() -> None:
    refused = run("doctor", "--fhir", "http://127.0.0.1:9/fhir")
    assert refused.returncode == 2
    assert "is this a FHIR base URL?" in refused.stderr

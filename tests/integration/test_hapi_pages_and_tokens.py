"""HAPI FHIR behind a gateway that makes pages small and asks for a token, and what HAPI remembers of a search."""

import json
from typing import Any

import pytest
import requests

from cds_service.fhir.stories import shifted
from cds_service.hooks.knowledge import Knowledge
from tests.answers import answer, assessment, missing, refusal
from tests.conftest import MakeApp
from tests.hapi_server import gateway, keep
from tests.integration.test_medication_references import by_reference
from tests.integration.test_stories_over_http import STORIES, Json, assert_expectations
from tests.server import NOW, SECONDS, prefetch

TOKEN = "a-token-of-this-test"
AUTHORIZATION = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.rs"}
LONG = ("grade-4-two-vasopressors", "tocilizumab-given", "bispecific-step-up")
PATIENCE = {"deadline_seconds": 20}


def patient(name: str) -> str:
    return str(STORIES[name].expect["patient"])


def renamed(bundle: Json, story: str, name: str) -> Json:
    """The story, moved to NOW, of a patient of a test's own."""
    copied: Json = json.loads(json.dumps(bundle).replace(story, name))
    return shifted(copied, NOW)


def without_identifiers(body: Json) -> list[Any]:
    """What an answer says, without what is derived from the FHIR server's address."""
    return [body["extension"], *((card["summary"], card.get("detail")) for card in body["cards"])]


@pytest.mark.parametrize("name", LONG)
def test_p10_two_resources_to_a_page_make_the_same_answer(make_app: MakeApp, hapi: str, name: str) -> None:
    with gateway(hapi, page_size=2) as (base, before):
        client = make_app(fhir_servers=f"{base},{hapi}", **PATIENCE)
        whole = answer(client, patient(name), fhirServer=hapi)
        paged = answer(client, patient(name), fhirServer=base)
    assert_expectations(STORIES[name], paged)
    assert without_identifiers(paged) == without_identifiers(whole)
    assert len(before.let_in) > 40, "it was read in pages"


@pytest.mark.parametrize("name", LONG)
def test_p10_first_pages_prefetched_by_the_ehr_are_read_on_with_the_token(
    make_app: MakeApp, hapi: str, knowledge: Knowledge, name: str
) -> None:
    templates = {need.key: need.template for need in knowledge.needs}
    with gateway(hapi, page_size=2) as (base, _):
        first_pages = prefetch(base, templates, patient(name))
        with gateway(hapi, token=TOKEN) as (secured, before):
            sent = json.loads(json.dumps(first_pages).replace(base, secured))
            client = make_app(fhir_servers=secured, **PATIENCE)
            members = {"fhirServer": secured, "fhirAuthorization": AUTHORIZATION, "prefetch": sent}
            assert_expectations(STORIES[name], answer(client, patient(name), **members))
    assert before.refused == 0
    assert len(before.let_in) > 10


def test_a5_with_its_token_a_protected_server_is_read_and_without_it_the_call_is_refused(
    make_app: MakeApp, hapi: str
) -> None:
    name = "grade-3-one-vasopressor"
    with gateway(hapi, token=TOKEN, page_size=10) as (base, before):
        client = make_app(fhir_servers=base, **PATIENCE)
        assert "HTTP 401" in refusal(client, patient(name), fhirServer=base)
        assert before.let_in == []
        before.refused = 0
        permitted = answer(client, patient(name), fhirServer=base, fhirAuthorization=AUTHORIZATION)
        assert_expectations(STORIES[name], permitted)
        assert before.refused == 0


def test_t10_links_of_a_server_that_does_not_know_its_gateway_are_not_followed_and_the_rest_is_missing(
    make_app: MakeApp, hapi: str
) -> None:
    name = "grade-4-two-vasopressors"
    with (
        gateway(hapi) as (inner, behind),
        gateway(inner, token=TOKEN, page_size=2, rewrites_links=False) as (base, before),
    ):
        client = make_app(fhir_servers=f"{base},{inner}", **PATIENCE)
        body = answer(client, patient(name), fhirServer=base, fhirAuthorization=AUTHORIZATION)
    assert "outside the FHIR server's address" in missing(body)
    assert sorted(behind.let_in) == sorted(before.let_in), "nothing went past the gateway"


def test_t69_medications_that_are_only_referred_to_are_read_from_hapi_by_their_ids(
    make_app: MakeApp, hapi: str
) -> None:
    keep(hapi, renamed(by_reference(STORIES["grade-3-one-vasopressor"].bundle), "grade-3-one-vasopressor", "referring"))
    with gateway(hapi) as (base, before):
        found = assessment(answer(make_app(fhir_servers=base, **PATIENCE), "referring-patient", fhirServer=base))
    assert (found["status"], found["grade"]) == ("graded", 3)
    assert any(path.startswith("/fhir/Medication?_id=") for path in before.let_in)


def test_what_is_charted_is_read_at_the_next_hook_also_where_hapi_remembers_the_search(
    make_app: MakeApp, hapi: str, knowledge: Knowledge
) -> None:
    who = "charted-a-moment-ago-patient"
    keep(hapi, renamed(STORIES["grade-0-day-5"].bundle, "grade-0-day-5", "charted-a-moment-ago"))
    client = make_app(fhir_servers=hapi, **PATIENCE)
    assert assessment(answer(client, who, fhirServer=hapi))["grade"] == 0
    temperature = next(need for need in knowledge.needs if need.key == "temperature")
    search = f"{hapi}/{temperature.path(who)}"
    remembered = requests.get(search, timeout=SECONDS).json()
    keep(hapi, fever(who))
    again = requests.get(search, timeout=SECONDS).json()
    assert len(again["entry"]) == len(remembered["entry"]), "else HAPI does not remember, and this proves nothing"
    assert assessment(answer(client, who, fhirServer=hapi))["grade"] == 1


def fever(who: str) -> Json:
    """38.9 degrees Celsius, charted now."""
    return {
        "resourceType": "Observation",
        "id": f"{who}-fever",
        "status": "final",
        "category": [{"coding": [{"code": "vital-signs"}]}],
        "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
        "subject": {"reference": f"Patient/{who}"},
        "effectiveDateTime": NOW.isoformat(),
        "valueQuantity": {"value": 38.9, "system": "http://unitsofmeasure.org", "code": "Cel"},
    }

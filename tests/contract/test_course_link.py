"""The grade card leads to the course of the patient: where the EHR knows the app, and by the configuration (T77)."""

from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.fhir.client import Connections
from cds_service.hooks.evaluate import Access
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.patient_view import answer_patient_view
from cds_service.web.smart.app import course_app
from tests.answers import PATIENT, answer
from tests.chart import exact
from tests.conftest import MakeApp
from tests.server import NOW, Fhir, hook_call
from tests.smart import registration

PUBLIC = "https://cds.example/crs"


def linking(make_app: MakeApp, fhir: Fhir, **settings: Any) -> FlaskClient:
    known = {"public_url": PUBLIC, "fhir_servers": fhir.base} | settings
    return make_app(registrations=[registration(fhir.base)], **known)


def links(app: FlaskClient, **members: Any) -> list[list[dict[str, str]]]:
    """The links of each card of an answer, which keeps every rule."""
    body = answer(app, **members)
    assert len(body["cards"]) == 3
    return [card.get("links", []) for card in body["cards"]]


def test_c24_c25_the_grade_card_links_to_the_course_and_says_by_which_call(make_app: MakeApp, fhir: Fhir) -> None:
    context = '{"hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"}'
    link = {"label": "CRS course", "url": f"{PUBLIC}/smart/launch", "type": "smart", "appContext": context}
    assert hook_call(PATIENT)["hookInstance"] in context
    assert links(linking(make_app, fhir), fhirServer=fhir.base) == [[link], [], []]
    spelled = fhir.base.replace("http", "HTTP") + "/"
    assert links(linking(make_app, fhir), fhirServer=spelled, prefetch={})[0] == [link]


def test_a_card_for_an_ehr_that_does_not_know_the_app_has_no_link(
    make_app: MakeApp, fhir: Fhir, filled: dict[str, Any]
) -> None:
    app = linking(make_app, fhir)
    assert links(app, prefetch=filled) == [[], [], []]
    assert links(app, prefetch=filled, fhirServer="https://other.example/fhir") == [[], [], []]
    assert links(app, prefetch=filled, fhirServer="no address") == [[], [], []]
    assert links(make_app(public_url=PUBLIC, fhir_servers=fhir.base), fhirServer=fhir.base) == [[], [], []]


@pytest.mark.parametrize(("profile", "linked"), [("generic", 1), ("epic", 1), ("oracle-health", 1), ("sandbox", 0)])
def test_only_a_client_that_shows_smart_links_gets_one(
    knowledge: Knowledge, filled: dict[str, Any], fhir: Fhir, profile: str, linked: int
) -> None:
    course = course_app(PUBLIC, [registration(fhir.base)])
    known = replace(knowledge, course=course, profile=knowledge.content.clients[profile])
    body = exact(hook_call(PATIENT, prefetch=filled, fhirServer=fhir.base))
    with ThreadPoolExecutor(1) as executor:
        access = Access(connections=Connections(), executor=executor, allow_list=(), deadline_seconds=1.0)
        cards = answer_patient_view(body, "crs-patient-view", known, access, NOW).cards
    assert [len(card.get("links", [])) for card in cards] == [linked, 0, 0]


def test_t77_the_link_is_made_of_the_public_address_and_not_of_the_request(make_app: MakeApp, fhir: Fhir) -> None:
    app = linking(make_app, fhir)
    headers = {"Host": "evil.example", "X-Forwarded-Host": "evil.example"}
    body = hook_call(PATIENT, fhirServer=fhir.base)
    told = app.post("/cds-services/crs-patient-view", json=body, headers=headers)
    assert told.get_json()["cards"][0]["links"][0]["url"] == f"{PUBLIC}/smart/launch"
    assert "evil" not in told.text

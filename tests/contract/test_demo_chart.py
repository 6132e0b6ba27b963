"""The routes of the demo chart: what it tells of the stories, how its clock is turned, what its pages may do."""

import re
from datetime import datetime, timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.fhir.memory import Repository
from cds_service.fhir.stories import load_story
from cds_service.hooks.knowledge import Knowledge
from cds_service.web.demo.routes import demo_blueprint
from cds_service.web.demo.told import MINUTES_AFTER, MINUTES_BEFORE, Shelf
from cds_service.web.fhir_server import fhir_blueprint
from tests.conftest import MakeApp
from tests.server import NOW, STORIES, stories

STORY = "grade-3-one-vasopressor"
PATIENT = f"{STORY}-patient"


@pytest.fixture
def chart(make_app: MakeApp, knowledge: Knowledge) -> FlaskClient:
    """An application with the demo chart and an embedded FHIR server without any resource."""
    repository = Repository(lambda: NOW)
    told = [load_story(STORIES, STORY), load_story(STORIES, "no-weight")]
    shelf = Shelf(told, repository, knowledge.content.protocol, "Practitioner/a")
    client = make_app()
    fhir = fhir_blueprint(repository)
    client.application.register_blueprint(fhir, url_prefix="/fhir")
    client.application.register_blueprint(demo_blueprint(shelf, lambda: NOW, "UTC", "http://ehr"), url_prefix="/demo")
    return client


def turn(chart: FlaskClient, minutes: Any, story: str = STORY) -> int:
    return chart.put(f"/demo/stories/{story}/clock", json={"minutes": minutes}).status_code


def found(chart: FlaskClient, query: str) -> list[dict[str, Any]]:
    answer = chart.get(f"/fhir/{query}patient={PATIENT}&_count=500")
    assert answer.status_code == 200
    return [entry["resource"] for entry in answer.get_json().get("entry", [])]


def test_the_page_runs_and_loads_only_files_of_this_package(chart: FlaskClient) -> None:
    page = chart.get("/demo")
    assert page.mimetype == "text/html"
    policy = page.headers["Content-Security-Policy"].split("; ")
    assert policy[0] == "default-src 'none'"
    assert {part.split(" ", 1)[1] for part in policy} == {"'none'", "'self'"}
    for name in re.findall(r'"(/demo/static/[^"]+)"', page.text):
        with chart.get(name) as file:
            assert file.status_code == 200, name
    assert "<style" not in page.text
    assert " style=" not in page.text
    assert page.text.count("<script") == page.text.count('<script type="module" src="/demo/static/')


def test_an_installation_has_no_demo_chart(client: FlaskClient) -> None:
    for address in ("/demo", "/demo/stories", "/demo/static/main.js"):
        assert client.get(address).status_code == 404


def test_the_stories_are_listed_with_their_sentences(chart: FlaskClient) -> None:
    listed = chart.get("/demo/stories").get_json()
    assert (listed["fhirServer"], listed["timezone"], listed["user"]) == ("http://ehr", "UTC", "Practitioner/a")
    [first, _] = listed["stories"]
    assert (first["name"], first["patient"], first["grade"]) == (STORY, PATIENT, 3)
    assert first["sentence"] == load_story(STORIES, STORY).sentence


def test_every_order_of_the_protocol_can_be_picked_as_a_draft_for_the_patient(
    chart: FlaskClient, knowledge: Knowledge
) -> None:
    offered = chart.get(f"/demo/stories/{STORY}").get_json()["orders"]
    assert len(offered) == len(knowledge.content.protocol.orders)
    assert {order["status"] for order in offered} == {"draft"}
    assert {order["subject"]["reference"] for order in offered} == {f"Patient/{PATIENT}"}
    [tocilizumab] = [order for order in offered if "tocilizumab" in str(order)]
    maximum = knowledge.content.protocol.orders["tocilizumab"].maximum_mg
    assert tocilizumab["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == maximum


def test_the_clock_makes_the_record_what_it_was_with_the_chosen_instant_now(chart: FlaskClient) -> None:
    assert turn(chart, 0) == 204
    [running] = found(chart, "MedicationAdministration?status=in-progress&")
    assert "norepinephrine" in running["medicationCodeableConcept"]["text"]
    whole = found(chart, "Observation?")

    assert turn(chart, -6 * 60) == 204
    assert found(chart, "MedicationAdministration?status=in-progress&") == []
    then = found(chart, "Observation?")
    assert len(then) < len(whole)
    assert max(before_now(item["effectiveDateTime"]) for item in then) <= timedelta(0)
    moved = {item["id"]: item["effectiveDateTime"] for item in whole}
    for item in then:
        before, after = (before_now(time) for time in (moved[item["id"]], item["effectiveDateTime"]))
        assert after - before == timedelta(hours=6)

    assert turn(chart, 0) == 204
    assert by_id(found(chart, "Observation?")) == by_id(whole)


def before_now(time: str) -> timedelta:
    """How long before now a time of the record is, as a negative length."""
    return datetime.fromisoformat(time) - NOW


def by_id(resources: list[dict[str, Any]]) -> dict[str, dict[str, Any]]:
    """Resources as they were written."""
    return {item["id"]: {name: value for name, value in item.items() if name != "meta"} for item in resources}


def test_an_accepted_draft_stays_when_the_clock_is_turned(chart: FlaskClient) -> None:
    turn(chart, 0)
    [draft, *_] = chart.get(f"/demo/stories/{STORY}").get_json()["orders"]
    kept = chart.post(f"/fhir/{draft['resourceType']}", json=draft).get_json()
    turn(chart, -MINUTES_BEFORE)
    assert chart.get(f"/fhir/{draft['resourceType']}/{kept['id']}").status_code == 200


def test_every_story_begins_before_its_first_fever_and_its_clock_reaches_beyond_its_last_fact(
    knowledge: Knowledge,
) -> None:
    shelf = Shelf(stories(), Repository(lambda: NOW), knowledge.content.protocol, "Practitioner/a")
    for story in shelf.stories:
        described = shelf.describe(story)
        assert len(described["facts"]) > 3
        assert described["facts"] == sorted(set(described["facts"]))
        assert described["facts"][0] >= described["clock"]["from"]
        assert described["facts"][-1] < described["clock"]["to"]


@pytest.mark.parametrize("minutes", [-MINUTES_BEFORE, MINUTES_AFTER])
def test_the_clock_goes_to_its_ends(chart: FlaskClient, minutes: int) -> None:
    assert turn(chart, minutes) == 204


@pytest.mark.parametrize("minutes", [-MINUTES_BEFORE - 1, MINUTES_AFTER + 1, "0", 0.5, None, True])
def test_the_clock_goes_no_further_and_takes_nothing_but_minutes(chart: FlaskClient, minutes: Any) -> None:
    refused = chart.put(f"/demo/stories/{STORY}/clock", json={"minutes": minutes})
    assert refused.status_code == 400
    assert "whole number" in refused.get_json()["detail"]
    assert found(chart, "Observation?") == []


def test_a_story_that_is_not_there_is_said_to_be_not_there(chart: FlaskClient) -> None:
    assert chart.get("/demo/stories/nobody").status_code == 404
    assert turn(chart, 0, "nobody") == 404


def test_markdown_of_cards_becomes_html_and_markup_of_the_record_stays_text(chart: FlaskClient) -> None:
    hostile = "| a |\n|---|\n| **b** <img src=x onerror=alert(1)> |\n\n[x](javascript:alert(1)) ![y](http://z/a.png)"
    html = chart.post("/demo/markdown", data=hostile).text
    assert "<td><strong>b</strong> &lt;img" in html
    assert "<img" not in html
    assert "<a" not in html

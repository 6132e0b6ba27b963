"""HAPI FHIR and the embedded server, asked the same: the embedded one must find what a real one finds, in its order.

What differs stands in docs/fhir-servers.md.
"""

import json
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

import pytest
import requests

from cds_service.fhir.memory import Repository
from cds_service.fhir.needs import Need
from cds_service.fhir.stories import shifted
from cds_service.hooks.knowledge import Knowledge
from tests.hapi_server import keep
from tests.integration.test_stories_over_http import STORIES, Json
from tests.server import NOW, SECONDS, Fhir, fhir_server

WHO = "asked-of-both"
VITAL = {"system": "http://terminology.hl7.org/CodeSystem/observation-category", "code": "vital-signs"}
TIMES: dict[str, Json] = {
    "moment": {"effectiveDateTime": "2026-11-20T10:00:00Z"},
    "period": {"effectivePeriod": {"start": "2026-11-19T10:00:00Z", "end": "2026-11-21T10:00:00Z"}},
    "begun": {"effectivePeriod": {"start": "2026-11-19T12:00:00Z"}},
    "day": {"effectiveDateTime": "2026-11-20"},
    "never": {"category": [{"coding": [VITAL]}]},
    "ended": {"effectivePeriod": {"end": "2026-11-20T11:00:00Z"}},
    "instant": {"effectiveInstant": "2026-11-20T10:30:00.500+01:00"},
}
SEARCHES = (
    "",
    "_sort=-date",
    "_sort=date",
    "_sort=-_id",
    "_sort=-date,_id",
    "_sort=",
    "date=ge2026-11-20&_sort=-date",
    "date=gt2026-11-20&_sort=-date",
    "date=lt2026-11-20&_sort=date",
    "date=le2026-11-20T10:00:00Z&_sort=date",
    "date=2026-11-20&_sort=date",
    "date=eq2026-11-20T10:00:00Z",
    "date=2026-13",
    "date=yesterday",
    "code=8310-5&_sort=date",
    "code=8310%2D5,8867-4&_sort=date",
    "code=HTTP://loinc.org|8310-5",
    "code=http://loinc.org|8310-5",
    "code=|8310-5",
    "code=http://loinc.org|&_sort=date",
    "code=",
    "status=FINAL",
    "status=final,amended&_sort=_id",
    "category=vital-signs",
    "category=http://terminology.hl7.org/CodeSystem/observation-category|vital-signs",
    "category=laboratory",
    f"_id={WHO}-day,{WHO}-moment,missing&_sort=_id",
    f"subject={WHO}&_sort=_id",
    f"patient=Patient/{WHO}&_sort=_id",
    "patient=nobody",
    "_lastUpdated=gt2020&_sort=_id",
    "_count=1000&_sort=_id",
    "_count=0",
    "_count=x",
    "_sort=_id&_count=2&_offset=2",
    "_sort=colour",
    "colour=red",
)


def observation(name: str, elements: Json) -> Json:
    coding = [{"system": "http://loinc.org", "code": "8310-5"}]
    named = {"resourceType": "Observation", "id": f"{WHO}-{name}", "status": "final", "code": {"coding": coding}}
    return named | {"subject": {"reference": f"Patient/{WHO}"}} | elements


@pytest.fixture(scope="module")
def both(hapi: str) -> Iterator[tuple[str, str]]:
    """The bases of HAPI and of an embedded server, with the same observations of one patient."""
    patient = {"resourceType": "Patient", "id": WHO}
    with fhir_server(Repository(lambda: NOW)) as embedded:
        for base in (hapi, embedded.base):
            for resource in (patient, *(observation(name, elements) for name, elements in TIMES.items())):
                keep(base, resource)
        yield hapi, embedded.base


def found(base: str, search: str) -> tuple[int, list[str]]:
    """Status and ids of all pages, asked strictly."""
    url: str | None = f"{base}/{search}"
    ids: list[str] = []
    while url is not None:
        answer = requests.get(url, headers={"Prefer": "handling=strict"}, timeout=SECONDS)
        if answer.status_code != 200:
            return answer.status_code, []
        body = answer.json()
        ids += [entry["resource"]["id"] for entry in body.get("entry", [])]
        url = next((link["url"] for link in body.get("link", []) if link["relation"] == "next"), None)
    return 200, ids


@pytest.mark.parametrize("search", SEARCHES)
def test_a_search_finds_the_same_in_both(both: tuple[str, str], search: str) -> None:
    hapi, embedded = (found(base, f"Observation?patient={WHO}&{search}") for base in both)
    assert embedded == hapi


def test_every_need_finds_the_same_of_every_patient_in_both(
    hapi: str, story_server: Fhir, knowledge: Knowledge
) -> None:
    def asked(base: str, need: Need, patient: str) -> list[str]:
        if need.resource_type == "Patient":
            return []
        status, ids = found(base, need.path(patient))
        assert status == 200, need.key
        return sorted(ids)

    for story in STORIES.values():
        for need in knowledge.needs:
            one, other = (asked(base, need, str(story.expect["patient"])) for base in (hapi, story_server.base))
            assert one == other, f"{story.name}: {need.key}"


@pytest.mark.parametrize("name", STORIES)
def test_a_story_comes_back_from_hapi_as_it_went_in(hapi: str, name: str) -> None:
    for entry in shifted(STORIES[name].bundle, NOW)["entry"]:
        resource = entry["resource"]
        answer = requests.get(f"{hapi}/{resource['resourceType']}/{resource['id']}", timeout=SECONDS)
        assert plain(json.loads(answer.text, parse_float=Decimal)) == plain(resource)


def plain(resource: Json) -> Any:
    """The resource without what a server adds, its numbers as they read."""
    return json.loads(json.dumps(resource | {"meta": None}, default=str), parse_float=str)

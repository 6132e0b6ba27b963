"""Every story on a real HAPI FHIR server: pulled by the service, and prefetched as an EHR does it.

The answers must be those of the embedded server: so the embedded server may stand for a real one in the other tests.
"""

from collections.abc import Callable, Iterator, Mapping
from typing import Any

import pytest
import requests

from tests.integration.test_stories_over_http import STORIES, Json, assert_expectations
from tests.server import SECONDS, Fhir, Service, hook_call, prefetch, service_process

Prefetch = Callable[[str, Mapping[str, str], str], Json]


def posted(base: str, templates: Mapping[str, str], patient_id: str) -> Json:
    """The prefetch as an EHR obtains it that sends searches by POST, since their URLs are long."""
    filled = {}
    for key, template in templates.items():
        path, _, query = template.replace("{{context.patientId}}", patient_id).partition("?")
        if query:
            form = dict(part.split("=", 1) for part in query.split("&"))
            answer = requests.post(f"{base}/{path}/_search", data=form, timeout=SECONDS)
        else:
            answer = requests.get(f"{base}/{path}", timeout=SECONDS)
        assert answer.status_code == 200, f"{key}: {answer.text}"
        filled[key] = answer.json()
    return filled


@pytest.fixture(scope="module")
def service(hapi: str, story_server: Fhir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The production server, allowed to call HAPI and the embedded server."""
    log = tmp_path_factory.mktemp("service") / "log"
    with service_process(log, f"{hapi},{story_server.base}", CRS_CDS_DEADLINE_SECONDS="20") as running:
        yield running


@pytest.fixture(scope="module")
def templates(service: Service) -> dict[str, str]:
    discovered = requests.get(f"{service.base}/cds-services", timeout=SECONDS).json()
    found: dict[str, str] = discovered["services"][0]["prefetch"]
    return found


def answer(service: Service, name: str, **members: Any) -> Json:
    found = service.call(hook_call(str(STORIES[name].expect["patient"]), **members))
    assert found.status_code == 200, found.text
    body: Json = found.json()
    return body


@pytest.mark.parametrize("name", STORIES)
def test_a_story_pulled_from_hapi_gets_the_answer_it_expects(service: Service, hapi: str, name: str) -> None:
    assert_expectations(STORIES[name], answer(service, name, fhirServer=hapi))


@pytest.mark.parametrize("name", STORIES)
def test_a_story_gets_one_answer_from_hapi_by_get_and_by_post_and_from_the_embedded_server(
    service: Service, hapi: str, story_server: Fhir, templates: dict[str, str], name: str
) -> None:
    patient = str(STORIES[name].expect["patient"])
    embedded = answer(service, name, prefetch=prefetch(story_server.base, templates, patient))
    assert_expectations(STORIES[name], embedded)
    for obtain in (prefetch, posted):
        assert answer(service, name, prefetch=obtain(hapi, templates, patient)) == embedded


@pytest.mark.parametrize("name", STORIES)
def test_a_story_pulled_from_hapi_is_assessed_as_from_the_embedded_server(
    service: Service, hapi: str, story_server: Fhir, name: str
) -> None:
    one, other = (answer(service, name, fhirServer=base) for base in (hapi, story_server.base))
    assert one["extension"] == other["extension"]
    assert [card["detail"] for card in one["cards"]] == [card["detail"] for card in other["cards"]]

"""Every story through the production server over sockets: prefetched by an EHR, pulled by the service, and by halves.

The four answers must be the same, byte for byte but for nothing: the clock is fixed and the hookInstance is one.
"""

from typing import Any

import pytest
import requests

from cds_service.conformance.judge import check
from cds_service.fhir.stories import Story
from tests.server import Fhir, Service, hook_call, prefetch, stories

Json = dict[str, Any]
STORIES = {story.name: story for story in stories()}
WAYS = ("prefetched", "pulled", "even keys", "odd keys")


@pytest.fixture(scope="module")
def templates(service: Service) -> dict[str, str]:
    discovered = requests.get(f"{service.base}/cds-services", timeout=10).json()
    found: dict[str, str] = discovered["services"][0]["prefetch"]
    return found


@pytest.fixture(scope="module")
def prefetches(story_server: Fhir, templates: dict[str, str]) -> dict[str, Json]:
    """The complete prefetch of each story's patient, as an EHR fills it."""
    return {
        name: prefetch(story_server.base, templates, str(story.expect["patient"])) for name, story in STORIES.items()
    }


def answer(service: Service, fhir: Fhir, story: Story, complete: Json, way: str) -> Json:
    """The 200 answer to a story in one of the ways."""
    sent = {
        "prefetched": complete,
        "pulled": {},
        "even keys": {key: complete[key] for key in list(complete)[::2]},
        "odd keys": {key: complete[key] for key in list(complete)[1::2]},
    }[way]
    call = hook_call(str(story.expect["patient"]), fhirServer=fhir.base)
    found = service.call(call | {"prefetch": sent} if sent else call)
    assert found.status_code == 200, found.text
    body: Json = found.json()
    return body


def texts(body: Json) -> str:
    """All words of the cards, as a reader sees them."""
    found = []
    for card in body["cards"]:
        found += [card["summary"], card.get("detail", "")]
        found += [suggestion["label"] for suggestion in card.get("suggestions", [])]
    return "\n".join(found).replace("\\", "")


def orders(body: Json) -> list[str]:
    """What the drafted orders say they are."""
    return [
        action["description"].removeprefix("Draft order: ")
        for card in body["cards"]
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
    ]


def assert_expectations(story: Story, body: Json) -> None:
    """Everything that expect.toml says of the answer, and everything that the independent judge says."""
    expect = story.expect
    check(body, patient_id=str(expect["patient"]))
    assessment = body["extension"]["org.crs-cds.assessment"]
    assert (assessment["status"], assessment["grade"]) == (expect["status"], expect.get("grade"))
    assert assessment.get("episode", {}).get("state") == expect.get("episode")
    assert len(body["cards"]) == expect["cards"]
    drafted = orders(body)
    assert len(drafted) == len(expect["orders"]), drafted
    for expected in expect["orders"]:
        assert sum(order.startswith(expected) for order in drafted) == 1, f"{expected} is not one of {drafted}"
    for words in expect["says"]:
        assert words in texts(body)
    for words in expect["never_says"]:
        assert words not in texts(body)


@pytest.mark.parametrize("name", STORIES)
def test_a_story_gets_the_answer_it_expects_whichever_way_its_data_comes(
    service: Service, fhir: Fhir, prefetches: dict[str, Json], name: str
) -> None:
    story = STORIES[name]
    first, *others = (answer(service, fhir, story, prefetches[name], way) for way in WAYS)
    assert_expectations(story, first)
    for way, other in zip(WAYS[1:], others, strict=True):
        assert other == first, way


def test_a_prefetched_story_asks_the_fhir_server_nothing_and_a_half_one_only_for_the_other_half(
    service: Service, fhir: Fhir, prefetches: dict[str, Json]
) -> None:
    story = STORIES["grade-4-two-vasopressors"]
    answer(service, fhir, story, prefetches[story.name], "prefetched")
    assert fhir.asked == []
    answer(service, fhir, story, prefetches[story.name], "even keys")
    assert len(fhir.asked) == len(prefetches[story.name]) // 2


def test_another_hook_instance_gets_other_identifiers_and_the_same_words(
    service: Service, fhir: Fhir, prefetches: dict[str, Json]
) -> None:
    story = STORIES["grade-3-one-vasopressor"]
    call = hook_call(str(story.expect["patient"]), prefetch=prefetches[story.name])
    first = service.call(call).json()
    second = service.call(call | {"hookInstance": "another"}).json()
    assert {card["uuid"] for card in first["cards"]}.isdisjoint(card["uuid"] for card in second["cards"])
    assert [card["detail"] for card in first["cards"]] == [card["detail"] for card in second["cards"]]

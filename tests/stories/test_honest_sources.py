"""Honest sources on every card of every story and worked patient: who says what, and what nobody says (N-22, N-23)."""

import re
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from datetime import datetime
from typing import Any

import pytest

from cds_service.cli.grade import prefetch
from cds_service.fhir.client import Connections
from cds_service.fhir.stories import shifted
from cds_service.hooks.evaluate import Access
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import service
from tests import chart, server
from tests.bedside import content, knowledge
from tests.chart import Json, exact
from tests.stories.vignettes import patient_id, vignette_bundle, vignettes

TREATS = re.compile(
    r"(?i)recommend|suggest|advis|prescri|should|consider|offer|\bgives?\b|tocilizumab|dexamethasone|methylprednisolone|"
    r"steroid|anakinra|siltuximab|acetaminophen|antibiotic"
)
NEVER = {
    "a share that is of another disease": re.compile(r"\b(3[.,]4|3[.,]2|11[.,]7) ?(%|percent)"),
    "a share of infections": re.compile(r"\b23 ?(%|percent)"),
    "a programme that has ended": re.compile(r"\bREMS\b"),
    "grade 5": re.compile(r"(?i)\bgrade (5|v\b|five)"),
}


@pytest.fixture(scope="module")
def answers() -> dict[str, list[Json]]:
    """The cards of each story and worked patient, by its name."""
    found = {}
    with ThreadPoolExecutor(1) as executor:
        access = Access(connections=Connections(), executor=executor, allow_list=(), deadline_seconds=1.0)
        for name, patient, bundle, now in _patients():
            found[name] = _cards(patient, bundle, now, knowledge(), access)
    return found


def _patients() -> Iterator[tuple[str, str, Json, datetime]]:
    for story in server.stories():
        yield story.name, str(story.expect["patient"]), shifted(story.bundle, server.NOW), server.NOW
    for name, case in vignettes().items():
        yield name, patient_id(case), vignette_bundle(case), chart.NOW


def _cards(patient: str, bundle: Json, now: datetime, known: Knowledge, access: Access) -> list[Json]:
    resources = [entry["resource"] for entry in bundle["entry"]]
    call = server.hook_call(
        patient, prefetch=prefetch(resources, {need.key: need.resource_type for need in known.needs}, patient)
    )
    cards: list[Json] = (
        service("crs-patient-view").answer(exact(call), "crs-patient-view", known, access, now).response["cards"]
    )
    return cards


def _texts(value: Any) -> Iterator[str]:
    """Every string in a card, its drafts included."""
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from _texts(item)
    if isinstance(value, str):
        yield value


def _sentences(card: Json) -> list[str]:
    lines = f"{card['summary']}\n{card['detail']}".splitlines()
    return [sentence for line in lines for sentence in re.split(r"(?<=[.:;|]) ", line)]


def test_there_are_cards_of_every_grade_to_look_at(answers: dict[str, list[Json]]) -> None:
    summaries = [card["summary"] for cards in answers.values() for card in cards]
    assert len(answers) > 60
    assert all(any(summary.startswith(f"CRS grade {grade}") for summary in summaries) for grade in (1, 2, 3, 4))


def test_every_card_names_the_scale_for_grading_and_with_an_offer_the_protocol(answers: dict[str, list[Json]]) -> None:
    protocol, scale = content().protocol, content().scale
    version = f"{protocol.title} {protocol.version} ({content().hash[:8]})"
    for name, card in ((name, card) for name, cards in answers.items() for card in cards):
        assert card["source"]["label"] == f"{scale.title} grading, {protocol.title}"
        topic = card["source"]["topic"]["code"]
        if topic.startswith(("CRSgrade", "CRStreatment")):
            assert f"reatment: {version}" in card["detail"], name
        if topic.startswith("CRSinfection"):
            assert f"Source: {version}" in card["detail"], name
        else:
            assert f"rading {scale.title}" in card["detail"], name


def test_n23_astct_grades_and_never_treats_on_any_card(answers: dict[str, list[Json]]) -> None:
    named = [sentence for cards in answers.values() for card in cards for sentence in _sentences(card)]
    named = [sentence for sentence in named if "ASTCT" in sentence]
    assert named
    assert not [sentence for sentence in named if TREATS.search(sentence)]


@pytest.mark.parametrize("what", NEVER)
def test_n22_what_no_source_supports_is_on_no_card_and_in_no_draft(answers: dict[str, list[Json]], what: str) -> None:
    printed = {text for cards in answers.values() for card in cards for text in _texts(card)}
    assert not [text for text in printed if NEVER[what].search(text)]


@pytest.mark.parametrize("what", NEVER)
def test_n22_nor_in_any_text_that_no_patient_here_brings_up(what: str) -> None:
    texts = [*content().sentences.values(), *content().templates.values(), *_texts(content().about.model_dump())]
    assert not [text for text in texts if NEVER[what].search(text)]


def test_n23_nor_does_any_sentence_let_astct_treat() -> None:
    texts = [*content().sentences.values(), *_texts(content().about.model_dump())]
    named = [part for text in texts for part in re.split(r"(?<=[.;:,]) ", text) if "ASTCT" in part]
    assert named
    assert [part for part in named if TREATS.search(part)] == ["ASTCT 2019 grades and gives no treatment."]

"""Worked patients on the whole way from a hook call to the cards, each answer checked by the independent judge."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from markdown_it import MarkdownIt

from cds_service.cli.grade import prefetch
from cds_service.conformance.judge import check
from cds_service.fhir.client import Connections
from cds_service.hooks.assessment_json import EXTENSION
from cds_service.hooks.evaluate import Access
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import service
from tests.chart import NOW, Json, exact
from tests.stories.vignettes import patient_id, vignette_bundle, vignettes

OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
MARKDOWN = MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"])
CARDS = {"not-eligible": 0, "no-crs": 0, "indeterminate": 1}


@pytest.fixture(scope="module")
def access() -> Iterator[Access]:
    """No FHIR server may be called: all that is known is in the prefetch."""
    with ThreadPoolExecutor(1) as executor:
        yield Access(connections=Connections(), executor=executor, allow_list=(), deadline_seconds=1.0)


@pytest.fixture(scope="module", params=list(vignettes()))
def case(request: pytest.FixtureRequest) -> Json:
    """Each worked patient in turn."""
    return vignettes()[request.param]


@pytest.fixture(scope="module")
def answer(case: Json, knowledge: Knowledge, access: Access) -> Json:
    """The answer to a call with the patient's data as a prefetch."""
    resources = [entry["resource"] for entry in vignette_bundle(case)["entry"]]
    types = {need.key: need.resource_type for need in knowledge.needs}
    filled = prefetch(resources, types, patient_id(case))
    call = {
        "hook": "patient-view",
        "hookInstance": f"vignette-{case['id']}",
        "context": {"userId": "Practitioner/p1", "patientId": patient_id(case), "encounterId": "e1"},
        "prefetch": filled | dict.fromkeys(case.get("unread", []), OUTCOME),
    }
    return service("crs-patient-view").answer(exact(call), "crs-patient-view", knowledge, access, NOW).response


def offered(answer: Json) -> list[tuple[str, bool]]:
    """Every draft in a few words, and whether it is recommended."""
    found = []
    for card in answer["cards"]:
        for suggestion in card.get("suggestions", []):
            (action,) = suggestion["actions"]
            found.append((order_words(action["resource"]), suggestion.get("isRecommended", False)))
    return found


def order_words(order: Json) -> str:
    if order["resourceType"] == "ServiceRequest":
        return str(order["code"]["text"])
    return (
        f"{order['medicationCodeableConcept']['text']} {', then '.join(map(stage_words, order['dosageInstruction']))}"
    )


def stage_words(dosage: Json) -> str:
    repeat = dosage["timing"]["repeat"]
    every = f" every {repeat['period']} h" if "period" in repeat else ""
    return f"{dosage['doseAndRate'][0]['doseQuantity']['value']} mg{every}"


def read_by_a_person(card: Json) -> str:
    """Summary and detail as they are seen, without the marks of Markdown."""
    words = [str(card["summary"])]
    for block in MARKDOWN.parse(card["detail"]):
        words.append("".join(token.content or " " for token in block.children or () if token.type != "strong_open"))
    return "\n".join(" ".join(line.split()) for line in words)


def test_the_answer_is_what_is_expected_of_this_patient(case: Json, answer: Json) -> None:
    expect, assessment = case["expect"], answer["extension"][EXTENSION]
    assert (assessment["status"], assessment["grade"]) == (expect["status"], expect.get("grade"))
    if "episode" in expect:
        assert assessment["episode"]["state"] == expect["episode"]
    assert [words for words, _ in offered(answer)] == expect.get("orders", [])
    assert [words for words, recommended in offered(answer) if not recommended] == expect.get("hesitant", [])
    by_grade = {1: 2, 2: 3, 3: 3, 4: 3}.get(expect.get("grade"))
    assert len(answer["cards"]) == expect.get("cards", by_grade or CARDS.get(expect["status"], 0))


def test_the_cards_say_what_they_must_and_not_what_they_must_not(case: Json, answer: Json) -> None:
    words = "\n".join(map(read_by_a_person, answer["cards"]))
    for said in case["expect"].get("says", []):
        assert said in words
    for never in case["expect"].get("never_says", []):
        assert never not in words


def test_the_answer_keeps_the_contract(case: Json, answer: Json) -> None:
    check(answer, patient_id=patient_id(case), encounter_id="e1")


def test_the_cards_hold_no_markup_of_the_record_and_no_sentence_twice(answer: Json) -> None:
    for card in answer["cards"]:
        assert len(card["summary"]) < 140
        kinds = [token.type for block in MARKDOWN.parse(card["detail"]) for token in (block, *(block.children or ()))]
        assert not {"html_block", "html_inline", "image", "link_open", "code_inline", "fence", "s_open"} & set(kinds)
        assert not {"heading_open", "ordered_list_open", "code_block", "em_open", "blockquote_open"} & set(kinds)
        sentences = [line for line in card["detail"].splitlines() if line.startswith("- ")]
        assert len(sentences) == len(set(sentences))


def test_a_vignette_that_is_not_known_to_this_file_is_a_slip() -> None:
    known = {"id", "like", "story", "age", "born", "product", "day", "weight", "vitals", "infusions", "given", "orders"}
    known |= {"cultures", "scores", "conditions", "allergies", "labs", "unread", "therapy_as_procedure", "expect"}
    wanted = {"status", "grade", "episode", "orders", "hesitant", "says", "never_says", "cards"}
    for case in vignettes().values():
        assert set(case) <= known
        assert set(case["expect"]) <= wanted


def test_every_story_of_a_bundle_is_around_one_instant() -> None:
    for case in vignettes().values():
        bundle: Any = vignette_bundle(case)
        assert bundle["timestamp"] == NOW.isoformat()
        ids = [entry["resource"]["id"] for entry in bundle["entry"]]
        assert len(ids) == len(set(ids))

"""Text of the record in answers: it stays text, whatever it is made of (T72, T75).

The oracle is the same call with a harmless word in the same places: a Markdown reader must find the same headings,
lists, tables and marks in both, so that nothing of them was made by the record.
"""

import json
from collections.abc import Iterator
from copy import deepcopy
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from markdown_it import MarkdownIt

from cds_service.fhir.elements import text
from tests.answers import PATIENT
from tests.chart import bounded
from tests.contract.test_order_hooks import DEXAMETHASONE, TOCILIZUMAB, draft
from tests.contract.test_order_hooks import call as order_call
from tests.server import hook_call

Json = dict[str, Any]

READERS = [
    MarkdownIt("commonmark", {"html": True}).enable(["table", "strikethrough"]),
    MarkdownIt("commonmark", {"html": True, "breaks": True}).enable(["table", "strikethrough"]),
]
PLAIN = ("paragraph_open", "inline", "paragraph_close")
HOSTILE = [
    "<script>alert(1)</script>",
    "<img src=x onerror=alert(1)>",
    "<!-- ",
    "<b",
    "</td></tr></table>",
    "[click](javascript:alert(1))",
    "![x](https://evil.example/x.png)",
    "<https://evil.example>",
    "[a]: https://evil.example",
    "https://evil.example",
    "www.evil.example",
    "a@evil.example",
    "**bold**",
    "__bold__ _em_ *em*",
    "~~gone~~",
    "`code`",
    "```\nfence\n```",
    "# heading",
    "\n\n# heading\n\n",
    "\n===\n",
    "\n---\n",
    "- item",
    "1. item",
    "> quote",
    "| a | b |",
    "|---|---|",
    "    code",
    "&lt;b&gt;&#60;",
    "\\",
    "\\\\|",
    "$x$ {{ 7 * 7 }} {% raw %} %s {0}",
    "\u202egnorw\u202c \u2066x\u2069",
    "\u200b\ufeff\u00ad\u0085\u2028\u2029\x07\x1b[31m",
    "x" * 10_000,
]
MARKUP = st.text("<>[]()!*_~`#|\\&;:/.-+=\"'@$ \n\tax1\u202e\u200b", min_size=1, max_size=30)
ANY = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"))
ODD = st.lists(st.sampled_from(HOSTILE) | MARKUP | ANY, min_size=1)


# --- where the record speaks ------------------------------------------------------------------------------------------


def not_used(prefetch: Json, words: str) -> Json:
    """The record with readings that are set aside, each with the words in its reason or its id."""
    temperatures = [entry["resource"] for entry in prefetch["temperature"]["entry"]]
    temperatures[0] |= {"status": words}
    temperatures[1]["valueQuantity"] = {"value": 38.5, "unit": words}
    temperatures[2] |= {"id": words, "status": "cancelled"}
    oxygen = [entry["resource"] for entry in prefetch["oxygen"]["entry"]]
    oxygen[1]["code"]["coding"][0]["code"] = words
    return prefetch


def used(prefetch: Json, words: str) -> Json:
    """The record with an oxygen device and a running corticosteroid that are known by the words alone."""
    for entry in prefetch["oxygen"]["entry"]:
        if "valueCodeableConcept" in entry["resource"]:
            entry["resource"]["valueCodeableConcept"] = {"text": words}
    steroid = {
        "resourceType": "MedicationAdministration",
        "id": "steroid",
        "status": "completed",
        "subject": {"reference": f"Patient/{PATIENT}"},
        "effectiveDateTime": "2026-11-22T10:00:00Z",
        "medicationCodeableConcept": DEXAMETHASONE | {"text": words},
        "dosage": {"dose": {"value": 4, "unit": "mg"}},
    }
    prefetch["administrations"]["entry"].append({"resource": steroid})
    return prefetch


def ordered(words: str) -> Json:
    """A draft with the words as its name, its unit, its route and its text."""
    dose = {"text": words, "route": {"text": words}, "doseAndRate": [{"doseQuantity": {"value": 8, "unit": words}}]}
    named = TOCILIZUMAB | {"text": words}
    return draft(dosageInstruction=[dose], medicationCodeableConcept=named, note=[{"text": words}])


def cards_with(client: FlaskClient, prefetch: Json, words: str) -> list[Json]:
    """All cards in which the words stand: of two records, and of an order."""
    calls = [hook_call(PATIENT, prefetch=tell(deepcopy(prefetch), words)) for tell in (not_used, used)]
    calls.append(order_call("order-sign", [ordered(words)]) | {"prefetch": prefetch})
    found = [client.post(f"/cds-services/crs-{body['hook']}", json=body) for body in calls]
    assert [answer.status_code for answer in found] == [200, 200, 200]
    return [card for answer in found for card in answer.get_json()["cards"]]


@pytest.fixture
def harmless(client: FlaskClient, filled: Json) -> list[Json]:
    """The same with a word in it that is none of Markdown."""
    return cards_with(client, filled, "word")


# --- what readers make of it ------------------------------------------------------------------------------------------


def structure(markdown: str) -> list[list[str]]:
    """What each reader makes of a text, without its words."""
    return [
        [token.type for block in reader.parse(markdown) for token in (block, *(block.children or ()))]
        for reader in READERS
    ]


def written(cards: list[Json]) -> Iterator[str]:
    """Every string of the cards that a person reads or a client follows; not the orders, which go back as they are."""
    for card in cards:
        yield from (card["summary"], card["source"]["label"], card["source"].get("url", ""))
        for suggestion in card.get("suggestions", []):
            yield suggestion["label"]
            yield from (action["description"] for action in suggestion["actions"])
        yield from (link["label"] + link["url"] for link in card.get("links", []))


def offered(cards: list[Json]) -> list[Json]:
    """The orders that the service writes; an order that it changes goes back with what the client wrote in it."""
    actions = [action for card in cards for item in card.get("suggestions", []) for action in item["actions"]]
    return [action["resource"] for action in actions if action["type"] == "create"]


def assert_text_alone(cards: list[Json], harmless: list[Json]) -> None:
    assert offered(cards) == offered(harmless)
    assert [structure(card["detail"]) for card in cards] == [structure(card["detail"]) for card in harmless]
    for card in cards:
        assert len(card["summary"]) < 140
        assert card["detail"].replace("\n", "").isprintable()
        assert "xxxxx" * 30 not in json.dumps(card["detail"])
    for words in written(cards):
        assert words.isprintable()
        assert {kind for kinds in structure(words) for kind in kinds} <= {*PLAIN, "text"}
        assert not any(part in words for part in ("<", ">", "://", "www."))


def test_the_harmless_word_is_shown_wherever_it_was_put(harmless: list[Json]) -> None:
    """Or the tests below would compare nothing."""
    shown = json.dumps([[card["summary"], card["detail"]] for card in harmless])
    for said in (
        "temperature: status is word",
        "the unit 'word' is not known",
        "(Observation/word)",
        "the code word is not in the code tables",
        "O2 word",
        "stop word 4 mg",
        "8 word cannot be compared",
    ):
        assert said in shown
    assert "instead of dexamethasone 4 mg" in json.dumps([list(written([card])) for card in harmless])


@pytest.mark.parametrize("words", HOSTILE, ids=lambda words: ascii(words)[:20])
def test_t72_t75_hostile_text_of_the_record_is_text(
    client: FlaskClient, filled: Json, harmless: list[Json], words: str
) -> None:
    assert_text_alone(cards_with(client, filled, words), harmless)


@settings(bounded, max_examples=15, suppress_health_check=list(HealthCheck))
@given(ODD.map("".join).filter(lambda words: any(not letter.isspace() for letter in text(words))))
def test_t72_t75_whatever_the_record_says_is_text(
    client: FlaskClient, filled: Json, harmless: list[Json], words: str
) -> None:
    assert_text_alone(cards_with(client, filled, words), harmless)

"""What every card of every course obeys, in the JSON that an EHR gets (N-04, N-06, N-18 to N-27)."""

import re
from collections.abc import Iterator
from decimal import Decimal
from typing import Any

from hypothesis import given, settings

from cds_service.crs.timeline import Timeline
from tests.bedside import cards_of
from tests.spec.courses import courses
from tests.spec.forbidden import STEROID_DOSES
from tests.spec.test_never_properties import case
from tests.spec.timelines import stable

Json = dict[str, Any]
TAPER = {("methylprednisolone", mg) for mg in (250, 125, 60)}


def ordered(cards: list[Json]) -> Iterator[Json]:
    """The resources of all suggestions."""
    for card in cards:
        for suggestion in card.get("suggestions", []):
            for action in suggestion["actions"]:
                if action["type"] == "create":
                    yield action["resource"]


def doses(order: Json) -> Iterator[tuple[str, Decimal]]:
    """Drug and mg of every dose of an order."""
    for instruction in order.get("dosageInstruction", []):
        for dose in instruction["doseAndRate"]:
            assert dose["doseQuantity"]["code"] == "mg"
            yield order["medicationCodeableConcept"]["text"], Decimal(str(dose["doseQuantity"]["value"]))


@settings(stable, max_examples=100)
@given(courses())
def test_n_19_every_order_of_any_course_is_a_draft_by_vein_at_a_dose_of_the_protocol(timeline: Timeline) -> None:
    found = case(timeline)
    for order in ordered(cards_of(found.assessment, found.advice)):
        assert (order["status"], order["intent"]) == ("draft", "proposal")
        if order["resourceType"] == "ServiceRequest":
            continue
        assert {item["route"]["text"] for item in order["dosageInstruction"]} == {"intravenous"}
        for drug, mg in doses(order):
            weighed = {draft.dose.mg for draft in found.of("tocilizumab") if draft.dose}
            assert mg in weighed if drug == "tocilizumab" else (drug, mg) in STEROID_DOSES | TAPER
            assert drug != "tocilizumab" or mg <= 800


@settings(stable, max_examples=100)
@given(courses())
def test_n_20_to_n_27_no_card_of_any_course_says_what_it_must_not(timeline: Timeline) -> None:
    found = case(timeline)
    cards = cards_of(found.assessment, found.advice)
    assert len(cards) <= 3
    assert all(len(card["summary"]) < 140 for card in cards)
    assert not any("grade 5" in card["summary"] for card in cards)
    words = "\n".join(f"{card['summary']}\n{card['detail']}" for card in cards)
    assert not re.search(r"sargramostim|REMS|(3\.4|3\.2|11\.7) ?%", words)
    assert not re.search(r"(siltuximab|anakinra|clazakizumab)[^.]* \d+ mg", words)
    assert not re.search(r"ASTCT[^.]{0,40}(recommend|suggest|advise)", words)
    if found.assessment.grade:
        assert f"CRS grade {found.assessment.grade}" in cards[0]["summary"]
        assert "sepsis" in words

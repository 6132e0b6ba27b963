"""S-MGT-4: grade 4, the higher dose of dexamethasone, and what follows."""

from typing import Any

import pytest

from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Gap
from tests.bedside import Bedside, allergy, born, culture, dexamethasone, diagnosis, given, score
from tests.spec.rules.test_grade_2 import STEROIDS, unchanged
from tests.spec.rules.test_grade_3 import labels

TWENTY = "Draft dexamethasone 20 mg intravenous every 6 h for 3 days"


@pytest.mark.parametrize(("grade", "offered"), [(2, False), (3, False), (4, True)])
def test_s_mgt_4a_tocilizumab_and_dexamethasone_20_mg_every_6_h_are_offered_together(grade: int, offered: bool) -> None:
    bedside = Bedside(phases=[(20, grade)])
    assert any(label.startswith(TWENTY) for label in labels(bedside)) is offered
    assert "tocilizumab" in bedside.drafts


@pytest.mark.parametrize(("years", "offered"), [(17, False), (18, True)])
def test_s_mgt_4a_the_fixed_dose_is_for_adults(years: int, offered: bool) -> None:
    assert bool(STEROIDS & set(Bedside(phases=[(20, 4)], birth_date=born(years)).drafts)) is offered


@pytest.mark.parametrize("known", [{"birth_date": None, "weights": []}, {"gaps": {"drugs": Gap("not read")}}])
def test_s_mgt_4a_without_age_and_weight_or_with_drugs_unknown_there_is_no_dexamethasone(known: dict[str, Any]) -> None:
    assert not STEROIDS & set(Bedside(phases=[(20, 4)], **known).drafts)


@pytest.mark.parametrize(("grade", "named"), [(2, False), (3, False), (4, True)])
def test_s_mgt_4b_mechanical_ventilation_is_named(grade: int, named: bool) -> None:
    bedside = Bedside(phases=[(20, grade)])
    assert (Say.VENTILATION in bedside.says) is named
    assert ("Mechanical ventilation may be needed" in bedside.cards[0]["detail"]) is named


def on_dexamethasone(since: float, mg: str = "20", **known: Any) -> Bedside:
    """Of grade 4 for two days unless said otherwise, with dexamethasone every 6 hours or so since so many hours."""
    hours = [since, *(hour for hour in (18, 12, 6, 1) if hour < since)]
    return Bedside(**{"phases": [(48, 4)], "drugs": dexamethasone(mg, *hours)} | known)


@pytest.mark.parametrize(
    ("bedside", "drafted"),
    [
        (on_dexamethasone(23.9), None),
        (on_dexamethasone(24), "methylprednisolone"),
        (on_dexamethasone(24.1), "methylprednisolone"),
        (on_dexamethasone(5, phases=[(48, 3), (2, 4)]), "methylprednisolone"),
        (on_dexamethasone(24, mg="10"), "dexamethasone-20"),
        (on_dexamethasone(24, drugs=[given("dexamethasone", 24), given("dexamethasone", 6)]), None),
        (on_dexamethasone(24, drugs=[given("methylprednisolone", 20, "1000")]), None),
        (on_dexamethasone(24, birth_date=born(17)), None),
        (on_dexamethasone(24, allergies=[allergy("methylprednisolone")]), None),
        (on_dexamethasone(24, gaps={"drugs": Gap("not read")}), None),
    ],
)
def test_s_mgt_4c_without_improvement_on_dexamethasone_methylprednisolone_is_offered_instead(
    bedside: Bedside, drafted: str | None
) -> None:
    assert bedside.assessment.grade == 4
    assert STEROIDS & set(bedside.drafts) == ({drafted} if drafted else set())


def test_s_mgt_4c_dexamethasone_stops_when_it_begins() -> None:
    bedside = on_dexamethasone(24)
    draft = bedside.drafts["methylprednisolone"]
    assert draft.replaces is not None
    assert (draft.replaces.words, draft.recommended) == ("dexamethasone 20 mg", False)
    detail = bedside.cards[2]["detail"]
    assert "stop dexamethasone 20 mg" in detail
    assert "1000 mg IV every 24 h for 3 days" in detail


def test_s_mgt_4c_at_grade_3_there_is_no_methylprednisolone() -> None:
    assert "methylprednisolone" not in on_dexamethasone(40, phases=[(48, 3)]).drafts


def test_s_mgt_4d_methylprednisolone_goes_down_in_four_steps_over_nine_days() -> None:
    [order] = [
        suggestion["actions"][0]["resource"]
        for suggestion in on_dexamethasone(24).cards[2]["suggestions"]
        if "methylprednisolone" in suggestion["label"]
    ]
    steps = [
        (
            dosage["doseAndRate"][0]["doseQuantity"]["value"],
            dosage["timing"]["repeat"]["period"],
            dosage["timing"]["repeat"]["boundsDuration"]["value"],
        )
        for dosage in order["dosageInstruction"]
    ]
    assert steps == [(1000, 24, 3), (250, 12, 2), (125, 12, 2), (60, 12, 2)]
    assert sum(mg * 24 // every * days for mg, every, days in steps) == 4740


@pytest.mark.parametrize(
    ("hours", "known", "drafted"),
    [
        (71.9, {}, False),
        (72, {}, True),
        (72.1, {}, True),
        (73, {"cultures": [culture("drawn", 60)]}, False),
        (73, {"scores": [score("9", 3)]}, False),
        (73, {"diagnoses": [diagnosis("icans-suspected", 3)]}, False),
        (73, {"gaps": {"cultures": Gap("not read")}}, False),
    ],
)
def test_s_mgt_4e_a_second_dose_may_be_considered_and_not_with_icans(
    hours: float, known: dict[str, Any], drafted: bool
) -> None:
    draft = unchanged(hours, 4, **known).drafts.get("tocilizumab")
    assert (draft is not None) is drafted
    assert draft is None or not draft.recommended

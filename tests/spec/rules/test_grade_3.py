"""S-MGT-3: grade 3, tocilizumab and dexamethasone together, and what follows."""

from typing import Any

import pytest

from cds_service.crs.sentences import Say
from cds_service.crs.timeline import FOREVER, Gap, OxygenSupport
from tests.bedside import Bedside, ago, born, culture, dexamethasone, diagnosis, given, score
from tests.spec.rules.test_grade_2 import STEROIDS, unchanged

TEN = "Draft dexamethasone 10 mg intravenous every 6 h for 1 to 3 days"


def labels(bedside: Bedside) -> list[str]:
    """What the drafts of the treatment card are called."""
    return [suggestion["label"] for suggestion in bedside.cards[2].get("suggestions", [])]


@pytest.mark.parametrize(
    ("grade", "offered"),
    [(2, False), (3, True), (4, False)],
)
def test_s_mgt_3a_tocilizumab_and_dexamethasone_10_mg_every_6_h_are_offered_together(grade: int, offered: bool) -> None:
    bedside = Bedside(phases=[(20, grade)])
    assert (TEN in labels(bedside)) is offered
    assert "tocilizumab" in bedside.drafts


def test_s_mgt_3a_the_day_to_stop_or_reassess_is_said() -> None:
    assert "for 1 to 3 days; stop or reassess by 18 Jan 12:00" in Bedside(phases=[(20, 3)]).cards[2]["detail"]


@pytest.mark.parametrize(
    ("years", "offered"),
    [(17, False), (18, True), (50, True)],
)
def test_s_mgt_3a_the_fixed_dose_is_for_adults(years: int, offered: bool) -> None:
    bedside = Bedside(phases=[(20, 3)], birth_date=born(years))
    assert (TEN in labels(bedside)) is offered
    assert (Say.STEROID_CHILD in bedside.says) is not offered


@pytest.mark.parametrize(
    "known",
    [
        {"birth_date": None, "weights": []},
        {"gaps": {"drugs": Gap("not read")}},
    ],
)
def test_s_mgt_3a_without_age_and_weight_or_with_drugs_unknown_there_is_no_dexamethasone(known: dict[str, Any]) -> None:
    assert not STEROIDS & set(Bedside(phases=[(20, 3)], **known).drafts)


@pytest.mark.parametrize(("grade", "now"), [(1, False), (2, False), (3, True), (4, True)])
def test_s_mgt_3b_and_s_mgt_4b_transfer_to_the_icu_now_is_proposed(grade: int, now: bool) -> None:
    bedside = Bedside(phases=[(20, grade)])
    assert (Say.ICU_NOW in bedside.says) is now
    assert ("transfer to the ICU now" in bedside.cards[0]["detail"]) is now
    assert (bedside.cards[0]["indicator"] == "critical") is now


MASK = OxygenSupport(time=ago(2), reference="Observation/mask", device="simple-mask", until=FOREVER)
TEN_GIVEN = dexamethasone("10", 10, 4)


@pytest.mark.parametrize(
    ("known", "drafted"),
    [
        ({"phases": [(40, 2), (2, 3)]}, True),
        ({"phases": [(40, 3)], "more": {"oxygen": (MASK,)}}, True),
        ({"phases": [(40, 3)]}, False),
        ({"phases": [(40, 4), (2, 3)]}, False),
        ({"phases": [(40, 2), (2, 3)], "drugs": dexamethasone("20", 10, 4)}, False),
        ({"phases": [(40, 2), (2, 3)], "drugs": [given("dexamethasone", 4)]}, False),
        ({"phases": [(40, 2), (2, 3)], "drugs": [given("methylprednisolone", 4, "1000")]}, False),
        ({"phases": [(40, 2), (2, 3)], "birth_date": born(17)}, False),
        ({"phases": [(40, 2), (2, 3)], "gaps": {"drugs": Gap("not read")}}, False),
    ],
)
def test_s_mgt_3c_worse_on_10_mg_the_dose_of_20_mg_is_offered_instead(known: dict[str, Any], drafted: bool) -> None:
    bedside = Bedside(**{"drugs": TEN_GIVEN} | known)
    assert bedside.assessment.grade == 3
    assert STEROIDS & set(bedside.drafts) == ({"dexamethasone-20-taper"} if drafted else set())


def test_s_mgt_3c_it_replaces_10_mg_and_is_never_pre_selected() -> None:
    bedside = Bedside(phases=[(40, 2), (2, 3)], drugs=TEN_GIVEN)
    draft = bedside.drafts["dexamethasone-20-taper"]
    assert draft.replaces is not None
    assert (draft.replaces.words, draft.recommended) == ("dexamethasone 10 mg", False)
    [label] = [label for label in labels(bedside) if "dexamethasone" in label]
    assert label.startswith("Draft dexamethasone 20 mg intravenous every 6 h for 3 days")
    assert "instead of dexamethasone 10 mg" in label
    assert "stop dexamethasone 10 mg" in bedside.cards[2]["detail"]


def test_s_mgt_3d_the_taper_is_text_and_has_no_steps() -> None:
    bedside = Bedside(phases=[(40, 2), (2, 3)], drugs=TEN_GIVEN)
    [order] = [
        suggestion["actions"][0]["resource"]
        for suggestion in bedside.cards[2]["suggestions"]
        if "dexamethasone" in suggestion["label"]
    ]
    [dosage] = order["dosageInstruction"]
    assert "taper over 3 to 7 days" in dosage["text"]
    assert dosage["doseAndRate"][0]["doseQuantity"]["value"] == 20
    assert dosage["timing"]["repeat"]["boundsDuration"]["value"] == 3


@pytest.mark.parametrize(("phases", "drugs"), [([(40, 3)], ()), ([(40, 3)], TEN_GIVEN), ([(40, 2)], ())])
def test_s_mgt_3d_there_is_no_taper_without_the_higher_dose(phases: list[tuple[float, int]], drugs: Any) -> None:
    bedside = Bedside(phases=phases, drugs=drugs)
    assert not any("taper" in label for label in labels(bedside))


REPEATS: list[tuple[float, dict[str, Any], bool]] = [
    (71.9, {}, False),
    (72, {}, True),
    (72.1, {}, True),
    (73, {"phases": [(240, 4), (40, 3)]}, False),
    (73, {"cultures": [culture("drawn", 60)]}, False),
    (73, {"cultures": [culture("drawn", 60), culture("positive", 10)]}, False),
    (73, {"scores": [score("9", 3)]}, False),
    (73, {"diagnoses": [diagnosis("icans-suspected", 3)]}, False),
    (73, {"gaps": {"cultures": Gap("not read")}}, False),
]


@pytest.mark.parametrize(("hours", "known", "drafted"), REPEATS)
def test_s_mgt_3e_a_second_dose_is_due_as_at_grade_2_and_not_with_icans(
    hours: float, known: dict[str, Any], drafted: bool
) -> None:
    bedside = unchanged(hours, 3, **known)
    assert bedside.assessment.grade == 3
    assert ("tocilizumab" in bedside.drafts) is drafted


def test_s_mgt_3e_with_icans_not_recorded_it_is_offered_on_condition() -> None:
    draft = unchanged(73, 3, scores=[]).drafts["tocilizumab"]
    assert (draft.recommended, draft.condition) == (False, "only if ICANS absent")

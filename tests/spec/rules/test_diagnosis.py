"""S-DX, S-INF, S-LAB, S-NEURO: what is done at every grade beside the treatment."""

from typing import Any

import pytest

from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Gap
from tests.bedside import Bedside, ago, born, culture, given, lab, ordered, score

BASELINE = ["cbc", "cmp", "crp", "ferritin", "fibrinogen", "ldh", "coagulation"]
GRADES = pytest.mark.parametrize("grade", [1, 2, 3, 4])


@GRADES
@pytest.mark.parametrize(
    ("hours", "by", "overdue"),
    [(1, -11, False), (11, -1, False), (12, 0, False), (12.1, 0.1, True), (20, 8, True), (None, -12, False)],
)
def test_s_dx_1_grading_again_is_due_12_hours_after_the_last_charted_grade(
    grade: int, hours: float | None, by: float, overdue: bool
) -> None:
    charted = [score(str(grade), hours, "crs-grade")] if hours is not None else []
    bedside = Bedside(phases=[(40, grade)], scores=charted)
    regrade = bedside.advice.regrade
    assert regrade is not None
    assert (regrade.by, regrade.overdue_by is not None) == (ago(by), overdue)
    detail = bedside.cards[0]["detail"]
    assert ("Regrading is overdue" in detail, "Regrade by" in detail) == (overdue, not overdue)


@pytest.mark.parametrize(("charted", "differs"), [("2", True), ("3", False), ("4", True)])
def test_s_dx_1_a_charted_grade_that_is_not_the_one_of_now_is_said(charted: str, differs: bool) -> None:
    bedside = Bedside(phases=[(40, 3)], scores=[score(charted, 1, "crs-grade")])
    assert ("by the record it is grade 3 now" in bedside.words) is differs


@GRADES
@pytest.mark.parametrize(
    ("charted", "offered"),
    [
        ([], True),
        ([("drawn", 5)], False),
        ([("ordered", 5)], False),
        ([("drawn", 24)], False),
        ([("drawn", 24.1)], True),
        ([("negative", 5)], True),
    ],
)
def test_s_inf_1_blood_cultures_are_offered_unless_taken_in_the_look_back(
    grade: int, charted: list[tuple[str, float]], offered: bool
) -> None:
    bedside = Bedside(phases=[(20, grade)], cultures=[culture(*item) for item in charted])
    assert ("blood-cultures" in bedside.drafts) is offered


def test_s_inf_1_cultures_that_could_not_be_read_are_said_and_not_taken_for_none() -> None:
    bedside = Bedside(gaps={"cultures": Gap("not read")})
    assert not bedside.drafts["blood-cultures"].recommended
    assert Say.CULTURES_UNKNOWN in bedside.says
    assert Say.CULTURES not in bedside.says


@GRADES
@pytest.mark.parametrize(
    ("known", "prompted"),
    [
        ({}, True),
        ({"drugs": [given("cefepime", 3)]}, False),
        ({"drugs": [given("cefepime", 12)]}, False),
        ({"drugs": [given("cefepime", 12.1)]}, True),
        ({"orders": [ordered("cefepime", 30, "antibiotic")]}, False),
        ({"drugs": [given("acetaminophen", 3)]}, True),
    ],
)
def test_s_inf_2_antibiotics_are_prompted_unless_one_is_active(
    grade: int, known: dict[str, Any], prompted: bool
) -> None:
    bedside = Bedside(phases=[(20, grade)], **known)
    assert (Say.ANTIBIOTICS in bedside.says) is prompted
    assert (Say.ANTIBIOTICS_ACTIVE in bedside.says) is not prompted


def test_s_inf_2_the_agent_is_by_local_policy_and_allergies_and_no_antibiotic_is_drafted() -> None:
    bedside = Bedside()
    assert "agent by local policy and allergies" in bedside.words
    assert set(bedside.drafts) == {"blood-cultures", "tocilizumab"}


def test_s_inf_2_medications_that_could_not_be_read_are_said_with_the_prompt() -> None:
    assert Bedside(gaps={"drugs": Gap("not read")}).values(Say.ANTIBIOTICS)["unknown"] is True


@GRADES
@pytest.mark.parametrize(
    ("results", "named"),
    [
        ([], "CBC, metabolic panel, CRP, ferritin, fibrinogen, LDH, coagulation"),
        ([(test, 3) for test in BASELINE if test != "ferritin"], "ferritin"),
        ([(test, 24) for test in BASELINE], None),
        ([*((test, 3) for test in BASELINE if test != "ldh"), ("ldh", 24.1)], "LDH"),
    ],
)
def test_s_lab_1_what_is_missing_of_the_baseline_is_named(
    grade: int, results: list[tuple[str, float]], named: str | None
) -> None:
    bedside = Bedside(phases=[(20, grade)], labs=[lab(*result) for result in results])
    if named is None:
        assert Say.BASELINE_LABS not in bedside.says
    else:
        assert bedside.values(Say.BASELINE_LABS)["tests"] == named
        assert f"without a result in 24 h: {named}." in bedside.words


@GRADES
@pytest.mark.parametrize(
    ("years", "scored", "asked"),
    [
        (40, None, Say.ICE),
        (12, None, Say.ICE),
        (11, None, Say.CAPD),
        (6, None, Say.CAPD),
        (None, None, Say.SCORE_BY_AGE),
        (40, 12, None),
        (40, 12.1, Say.ICE),
    ],
)
def test_s_neuro_1_the_score_of_the_age_is_asked_for_when_none_is_charted(
    grade: int, years: int | None, scored: float | None, asked: Say | None
) -> None:
    bedside = Bedside(
        phases=[(20, grade)],
        birth_date=born(years) if years is not None else None,
        scores=[score("10", scored)] if scored is not None else [],
    )
    assert bedside.says & {Say.ICE, Say.CAPD, Say.SCORE_BY_AGE} == ({asked} if asked else set())


def test_s_neuro_1_a_child_is_never_asked_for_ice() -> None:
    assert "ICE" not in Bedside(birth_date=born(6), scores=[]).words.replace("ICANS", "")

"""When to grade again (S-DX-1, S-MGT-1c): twelve hours after the grade that was charted last, or after this one."""

import pytest

from cds_service.crs.sentences import Say
from tests.bedside import Bedside, ago, score


def charted(grade: str, hours: float, now: int = 1) -> Bedside:
    return Bedside(phases=[(30, now)], scores=[score("10", 3), score(grade, hours, "crs-grade")])


def test_s_dx_1_without_a_charted_grade_the_next_one_is_due_twelve_hours_from_now() -> None:
    regrade = Bedside().advice.regrade
    assert regrade is not None
    assert (regrade.by, regrade.charted, regrade.overdue_by) == (ago(-12), None, None)


@pytest.mark.parametrize(("hours", "overdue"), [(11, False), (11.9, False), (12, False), (12.1, True), (13, True)])
def test_s_dx_1_grading_is_due_twelve_hours_after_the_last_and_overdue_from_then_on(
    hours: float, overdue: bool
) -> None:
    bedside = charted("1", hours)
    regrade = bedside.advice.regrade
    assert regrade is not None
    assert regrade.by == ago(hours - 12)
    assert (regrade.overdue_by is not None) is overdue
    assert bedside.values(Say.CHARTED_GRADE)["overdue"] is overdue
    assert ("Regrading is overdue" in bedside.words) is overdue
    assert ("Regrade by" in bedside.words) is not overdue


@pytest.mark.parametrize(
    ("grade", "hours", "indicator"), [("1", 13, "info"), ("2", 12, "info"), ("2", 13, "warning"), ("3", 13, "warning")]
)
def test_s_dx_1_an_overdue_grade_of_2_or_more_warns_although_it_is_1_now(
    grade: str, hours: float, indicator: str
) -> None:
    assert charted(grade, hours).cards[0]["indicator"] == indicator


@pytest.mark.parametrize(("grade", "differs"), [("1", False), ("2", True)])
def test_s_dx_1_the_charted_grade_is_shown_beside_the_one_of_the_record(grade: str, differs: bool) -> None:
    values = charted(grade, 3).values(Say.CHARTED_GRADE)
    assert (values["grade"], values["now"], values["differs"]) == (grade, 1, differs)


@pytest.mark.parametrize(("hours", "counts"), [(72.1, False), (72, True), (0, True), (-0.1, False)])
def test_s_dx_1_a_grade_charted_since_the_therapy_and_up_to_now_counts(hours: float, counts: bool) -> None:
    regrade = charted("1", hours).advice.regrade
    assert regrade is not None
    assert (regrade.charted is not None) is counts


def test_s_dx_1_of_several_charted_grades_the_last_counts() -> None:
    scores = [score("10", 3), score("2", 20, "crs-grade"), score("1", 4, "crs-grade")]
    regrade = Bedside(phases=[(30, 1)], scores=scores).advice.regrade
    assert regrade is not None
    assert regrade.by == ago(4 - 12)

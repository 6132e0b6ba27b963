"""S-MGT-2: grade 2, tocilizumab and its repeat, corticosteroids only when it does not help."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Gap
from tests.bedside import Bedside, born, culture, diagnosis, given, score, tocilizumab, weight

STEROIDS = {"dexamethasone-10", "dexamethasone-20", "dexamethasone-20-taper", "methylprednisolone"}
NEGATIVE = [culture("drawn", 60), culture("negative", 10)]


def unchanged(hours: float, grade: int = 2, **known: Any) -> Bedside:
    """Of the same grade for ten days, tocilizumab so many hours ago, and a negative culture since."""
    standing = {"phases": [(240, grade)], "therapy_days": 11, "drugs": tocilizumab(hours), "cultures": NEGATIVE}
    return Bedside(**standing | known)


@pytest.mark.parametrize(
    ("years", "kilograms", "milligrams"),
    [
        (9, "29.9", "358.8"),
        (9, "30.0", "240"),
        (9, "30.1", "240.8"),
        (50, "70", "560"),
        (50, "100", "800"),
        (50, "100.1", "800"),
    ],
)
def test_s_mgt_2a_the_first_dose_is_offered_at_once_by_weight(years: int, kilograms: str, milligrams: str) -> None:
    bedside = Bedside(fever="38.0", phases=[(1, 2)], birth_date=born(years), weights=[weight(kilograms, days=1)])
    dose = bedside.drafts["tocilizumab"].dose
    assert dose is not None
    assert dose.mg == Decimal(milligrams)


def test_s_mgt_2a_it_does_not_wait_for_a_culture_and_is_pre_selected() -> None:
    assert Bedside(cultures=[]).drafts["tocilizumab"].recommended
    assert Bedside(cultures=[culture("drawn", 1)]).drafts["tocilizumab"].recommended


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"weights": []}, Say.TOCILIZUMAB_NO_WEIGHT),
        ({"gaps": {"drugs": Gap("not read")}}, Say.RESERVATION),
    ],
)
def test_s_mgt_2a_without_a_weight_or_the_doses_given_there_is_no_dose_and_it_is_said(
    known: dict[str, Any], said: Say
) -> None:
    bedside = Bedside(**known)
    assert "tocilizumab" not in bedside.drafts
    assert said in bedside.says


@pytest.mark.parametrize(("grade", "proposed"), [(1, False), (2, True), (3, False), (4, False)])
def test_s_mgt_2b_transfer_to_the_icu_is_proposed_at_grade_2_above_all_with_little_experience(
    grade: int, proposed: bool
) -> None:
    bedside = Bedside(phases=[(20, grade)])
    assert (Say.ICU_TRANSFER in bedside.says) is proposed
    assert ("where experience with CRS is limited" in bedside.words) is proposed


@pytest.mark.parametrize(
    ("hours", "drafted"), [(8, False), (71, False), (71.99, False), (72, True), (72.01, True), (100, True)]
)
def test_s_mgt_2c_a_second_dose_is_due_after_72_hours_without_improvement(hours: float, drafted: bool) -> None:
    bedside = unchanged(hours)
    assert ("tocilizumab" in bedside.drafts) is drafted
    assert (Say.TOCILIZUMAB_WAIT in bedside.says) is not drafted


@pytest.mark.parametrize(
    ("phases", "drafted"),
    [
        ([(240, 2)], True),
        ([(240, 1), (40, 2)], True),
        ([(240, 3), (40, 2)], False),
    ],
)
def test_s_mgt_2c_the_same_or_a_higher_grade_is_no_improvement_a_lower_one_is(
    phases: list[tuple[float, int]], drafted: bool
) -> None:
    bedside = unchanged(73, phases=phases)
    assert ("tocilizumab" in bedside.drafts) is drafted
    assert (Say.TOCILIZUMAB_IMPROVED in bedside.says) is not drafted


@pytest.mark.parametrize(
    ("cultures", "drafted"),
    [
        ([], False),
        ([culture("drawn", 60)], False),
        ([culture("drawn", 60), culture("negative", 10)], True),
        ([culture("drawn", 60), culture("positive", 10)], False),
        ([culture("negative", 10), culture("positive", 12)], False),
    ],
)
def test_s_mgt_2c_infection_is_excluded_by_a_negative_culture_and_no_positive_one(
    cultures: list[Any], drafted: bool
) -> None:
    bedside = unchanged(73, cultures=cultures)
    assert ("tocilizumab" in bedside.drafts) is drafted
    assert (Say.TOCILIZUMAB_INFECTION in bedside.says) is not drafted


def test_s_mgt_2c_cultures_that_could_not_be_read_exclude_nothing() -> None:
    bedside = unchanged(73, gaps={"cultures": Gap("not read")})
    assert "tocilizumab" not in bedside.drafts
    assert bedside.values(Say.TOCILIZUMAB_INFECTION)["unread"] == "not read"


@pytest.mark.parametrize("grade", [2, 3, 4])
@pytest.mark.parametrize(("doses", "drafted"), [((), True), ((73,), True), ((150, 73), False), ((220, 150, 73), False)])
def test_s_mgt_2d_at_most_two_doses_in_one_episode(grade: int, doses: tuple[float, ...], drafted: bool) -> None:
    bedside = unchanged(0, grade, drugs=tocilizumab(*doses))
    assert ("tocilizumab" in bedside.drafts) is drafted
    assert (Say.TOCILIZUMAB_LIMIT in bedside.says) is not drafted


def test_s_mgt_2d_every_brand_counts_and_doses_that_are_not_known_leave_no_draft() -> None:
    brands = [given("tocilizumab", 150, name="Tyenne"), given("tocilizumab", 73, name="Actemra")]
    assert "tocilizumab" not in unchanged(0, drugs=brands).drafts
    assert "tocilizumab" not in unchanged(73, gaps={"drugs": Gap("not read")}).drafts


WORSE: list[tuple[float, int]] = [(240, 1), (5, 2)]


@pytest.mark.parametrize(
    ("hours", "known", "drafted", "said"),
    [
        (73, {"phases": WORSE}, True, Say.STEROID_REFRACTORY),
        (72, {"phases": WORSE}, True, Say.STEROID_REFRACTORY),
        (71.9, {"phases": WORSE}, False, Say.STEROID_WITH_SECOND_DOSE),
        (10, {"phases": WORSE}, False, Say.STEROID_WITH_SECOND_DOSE),
        (73, {}, False, Say.STEROID_WITH_SECOND_DOSE),
        (73, {"phases": [(240, 3), (40, 2)]}, False, Say.STEROID_NOT_YET),
        (0, {"drugs": (), "phases": WORSE}, False, Say.STEROID_NOT_YET),
        (73, {"phases": WORSE, "gaps": {"drugs": Gap("not read")}}, False, None),
        (73, {"phases": WORSE, "birth_date": born(17)}, False, Say.STEROID_CHILD),
    ],
)
def test_s_mgt_2e_dexamethasone_goes_with_the_second_dose_when_crs_gets_worse_and_never_with_the_first(
    hours: float, known: dict[str, Any], drafted: bool, said: Say | None
) -> None:
    bedside = unchanged(hours, **known)
    assert bedside.assessment.grade == 2
    assert STEROIDS & set(bedside.drafts) == ({"dexamethasone-10"} if drafted else set())
    every = {Say.STEROID_REFRACTORY, Say.STEROID_WITH_SECOND_DOSE, Say.STEROID_NOT_YET, Say.STEROID_CHILD}
    assert bedside.says & every == ({said} if said else set())
    if drafted:
        assert "tocilizumab" in bedside.drafts
        assert not bedside.drafts["dexamethasone-10"].recommended


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"phases": [(100, 2)]},
        {"phases": [(40, 1), (2, 2)]},
        {"weights": []},
        {"scores": [score("6", 3)]},
        {"diagnoses": [diagnosis("icans", 3)]},
        {"drugs": tocilizumab(10)},
        {"gaps": {"drugs": Gap("not read")}},
    ],
)
def test_s_mgt_2f_at_first_presentation_no_corticosteroid_is_offered(known: dict[str, Any]) -> None:
    bedside = Bedside(**known)
    assert bedside.assessment.grade == 2
    assert not STEROIDS & set(bedside.drafts)


@pytest.mark.parametrize(("grade", "said"), [(1, False), (2, True), (3, False), (4, False)])
def test_s_mgt_2f_why_there_is_none_is_said_at_grade_2(grade: int, said: bool) -> None:
    assert (Say.STEROID_NOT_YET in Bedside(phases=[(20, grade)]).says) is said

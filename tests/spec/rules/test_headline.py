"""S-HEAD: the three sentences at the top of the protocol."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Fact, Gap, LabResult
from tests.bedside import Bedside, born, culture, given, weight
from tests.spec.patients import ago, diagnosis, febrile, infusion, outcome, oxygen, pressure, unread


def result(test: str, value: int, upper_limit: int | None = None) -> LabResult:
    limit = Decimal(upper_limit) if upper_limit is not None else None
    return LabResult(
        time=ago("2 h"), reference=f"Observation/{test}", test=test, item=test, value=Decimal(value), upper_limit=limit
    )


@pytest.mark.parametrize(
    ("signs", "grade"),
    [
        ((), "graded 1"),
        ((pressure(86),), "graded 2"),
        ((oxygen("simple-mask"),), "graded 3"),
        ((infusion("norepinephrine"), infusion("phenylephrine")), "graded 4"),
    ],
)
def test_s_head_1_laboratory_and_organ_toxicity_never_change_the_grade(signs: tuple[Fact, ...], grade: str) -> None:
    toxic = (result("ferritin", 50_000), result("alt", 800, 40), result("ast", 4_000, 40), result("platelets", 5_000))
    assert outcome(febrile(*signs)) == grade
    assert outcome(replace(febrile(*signs, diagnosis("hlh"), diagnosis("icans")), labs=toxic)) == grade


def test_s_head_1_laboratory_that_could_not_be_read_changes_no_grade_either() -> None:
    assert outcome(febrile(gaps=unread("labs"))) == "graded 1"


@pytest.mark.parametrize(
    ("grade", "kilograms", "milligrams"),
    [
        (1, "70", None),
        (2, "70", "560"),
        (3, "70", "560"),
        (4, "70", "560"),
        (2, "99.9", "799.2"),
        (2, "100", "800"),
        (2, "100.1", "800"),
        (2, "150", "800"),
        (2, None, None),
    ],
)
def test_s_head_2_from_grade_2_on_tocilizumab_is_offered_by_weight_up_to_its_cap(
    grade: int, kilograms: str | None, milligrams: str | None
) -> None:
    bedside = Bedside(phases=[(20, grade)], weights=[weight(kilograms)] if kilograms else [])
    draft = bedside.drafts.get("tocilizumab")
    assert (draft.dose.mg if draft and draft.dose else None) == (Decimal(milligrams) if milligrams else None)
    assert (Say.TOCILIZUMAB_NO_WEIGHT in bedside.says) is (kilograms is None)


CULTURE, ANTIBIOTIC = "blood-cultures", Say.ANTIBIOTICS


@pytest.mark.parametrize("grade", [2, 3, 4])
@pytest.mark.parametrize(
    ("known", "offered"),
    [
        ({}, (True, True)),
        ({"cultures": [culture("drawn", 3)]}, (False, True)),
        ({"cultures": [culture("drawn", 24)]}, (False, True)),
        ({"cultures": [culture("drawn", 24.1)]}, (True, True)),
        ({"drugs": [given("cefepime", 12)]}, (True, False)),
        ({"drugs": [given("cefepime", 12.1)]}, (True, True)),
        ({"cultures": [culture("drawn", 3)], "drugs": [given("cefepime", 3)]}, (False, False)),
        ({"gaps": {"cultures": Gap("not read")}}, (True, True)),
    ],
)
def test_s_head_3_tocilizumab_comes_with_cultures_and_antibiotics_unless_they_are_charted(
    grade: int, known: dict[str, Any], offered: tuple[bool, bool]
) -> None:
    bedside = Bedside(phases=[(20, grade)], **known)
    assert "tocilizumab" in bedside.drafts
    assert (CULTURE in bedside.drafts, ANTIBIOTIC in bedside.says) == offered


def test_s_head_2_a_child_under_the_band_gets_its_own_dose() -> None:
    child = Bedside(phases=[(20, 3)], birth_date=born(5), weights=[weight("20", days=1)])
    assert child.values(Say.TOCILIZUMAB)["arithmetic"].startswith("12 mg/kg × 20 kg")

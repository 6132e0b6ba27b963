"""S-REF: CRS that does not respond to tocilizumab and corticosteroids: options in words, never an order."""

from typing import Any

import pytest

from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Gap
from tests.bedside import Bedside, allergy, dexamethasone, tocilizumab
from tests.spec.rules.test_grade_2 import STEROIDS, unchanged

LIMIT = tocilizumab(150, 73)
RUNNING = dexamethasone("20", 24, 18, 12, 6)
OPTIONS = {"anakinra", "siltuximab", "clazakizumab"}


@pytest.mark.parametrize("grade", [2, 3, 4])
@pytest.mark.parametrize(
    ("known", "named"),
    [
        ({"drugs": (*LIMIT, *RUNNING)}, True),
        ({"drugs": (*tocilizumab(150, 71), *RUNNING)}, True),
        ({"drugs": (*tocilizumab(150, 71), *dexamethasone("20", 23.9, 18, 12, 6))}, False),
        ({"drugs": tocilizumab(150, 72)}, True),
        ({"drugs": tocilizumab(150, 71.9)}, False),
        ({"drugs": (*tocilizumab(73), *RUNNING)}, False),
        ({"drugs": RUNNING}, False),
        ({"drugs": RUNNING, "allergies": [allergy("tocilizumab")]}, True),
        ({"drugs": (*LIMIT, *RUNNING), "phases": [(240, 4), (40, 1)]}, False),
        ({"drugs": (*LIMIT, *RUNNING), "gaps": {"drugs": Gap("not read")}}, True),
    ],
)
def test_s_ref_1_options_are_named_when_tocilizumab_is_used_up_or_impossible_and_crs_goes_on(
    grade: int, known: dict[str, Any], named: bool
) -> None:
    bedside = unchanged(0, grade, **known)
    assert (Say.REFRACTORY_OPTIONS in bedside.says) is named


@pytest.mark.parametrize("grade", [2, 3, 4])
def test_s_ref_1_and_s_ref_2_the_options_have_no_dose_and_are_no_order(grade: int) -> None:
    bedside = unchanged(0, grade, drugs=(*LIMIT, *RUNNING))
    [line] = [line for line in bedside.words.splitlines() if "siltuximab" in line]
    assert "anakinra" in line
    assert "clazakizumab is investigational" in line
    assert "mg" not in line
    assert "The protocol gives no dose" in line
    assert set(bedside.drafts) <= {"blood-cultures"} | STEROIDS
    assert not OPTIONS & {draft.order.agent for draft in bedside.drafts.values()}


@pytest.mark.parametrize("grade", [1, 2, 3, 4])
def test_s_ref_2_at_first_nobody_is_told_of_them(grade: int) -> None:
    words = Bedside(phases=[(20, grade)]).words
    assert not [option for option in OPTIONS if option in words]

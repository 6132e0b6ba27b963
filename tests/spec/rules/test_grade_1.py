"""S-MGT-1: grade 1, supportive care only."""

from datetime import timedelta
from typing import Any

import pytest

from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Gap
from tests.bedside import Bedside, ago, content, tocilizumab

ONE: dict[str, Any] = {"phases": [(20, 1)]}
GRADES = [(1, True), (2, False), (3, False), (4, False)]


def detail(bedside: Bedside) -> str:
    return str(bedside.cards[0]["detail"])


@pytest.mark.parametrize(("grade", "offered"), GRADES)
def test_s_mgt_1a_and_s_mgt_1b_acetaminophen_and_hydration_are_offered_at_grade_1_only(
    grade: int, offered: bool
) -> None:
    bedside = Bedside(phases=[(20, grade)])
    assert (Say.ACETAMINOPHEN in bedside.says) is offered
    assert (Say.HYDRATION in bedside.says) is offered


@pytest.mark.parametrize(
    ("known", "offered"),
    [
        ({"fever": "38.0"}, True),
        ({"phases": [(20, 1), (1, 0)]}, True),
        ({"phases": [(20, 1), (1, 0)], "drugs": tocilizumab(14)}, False),
        ({"fever": "38.0", "drugs": tocilizumab(14)}, True),
        ({"gaps": {"drugs": Gap("not read")}}, True),
    ],
)
def test_s_mgt_1a_acetaminophen_is_for_a_fever_and_not_for_one_that_a_drug_took_away(
    known: dict[str, Any], offered: bool
) -> None:
    bedside = Bedside(**{**ONE, **known})
    assert bedside.assessment.grade == 1
    assert (Say.ACETAMINOPHEN in bedside.says) is offered


def test_s_mgt_1a_it_has_no_dose_and_is_said_to_mask_the_temperature() -> None:
    [line] = [line for line in detail(Bedside(**ONE)).splitlines() if "acetaminophen" in line]
    assert "mask the temperature" in line
    assert "mg" not in line
    assert not any("acetaminophen" in draft for draft in Bedside(**ONE).drafts)


def test_s_mgt_1b_hydration_has_no_volume() -> None:
    [line] = [line for line in detail(Bedside(**ONE)).splitlines() if "hydration" in line]
    assert line == "- Consider intravenous hydration."


@pytest.mark.parametrize("gaps", [{}, {"drugs": Gap("not read")}])
def test_s_mgt_1c_monitoring_and_the_next_grading_within_12_hours_are_asked_for(gaps: dict[str, Gap]) -> None:
    bedside = Bedside(**ONE, gaps=gaps)
    assert Say.MONITORING in bedside.says
    assert ago(-12).strftime("%-d %b %H:%M") in detail(bedside)
    assert content().protocol.regrade == timedelta(hours=12)


@pytest.mark.parametrize(("grade", "alert"), GRADES)
def test_s_mgt_1d_the_icu_is_alerted_at_grade_1_and_no_transfer_is_proposed(grade: int, alert: bool) -> None:
    bedside = Bedside(phases=[(20, grade)])
    assert (Say.ICU_ALERT in bedside.says) is alert
    assert bool({Say.ICU_TRANSFER, Say.ICU_NOW} & bedside.says) is not alert


@pytest.mark.parametrize(
    "known",
    [
        {},
        {"drugs": tocilizumab(80)},
        {"weights": []},
        {"fever": "41.0"},
        {"phases": [(100, 1)]},
        {"phases": [(60, 3), (6, 1)], "drugs": tocilizumab(50)},
        {"gaps": {"drugs": Gap("not read")}},
    ],
)
def test_s_mgt_1x_at_grade_1_no_tocilizumab_and_no_corticosteroid_is_offered(known: dict[str, Any]) -> None:
    bedside = Bedside(**{**ONE, **known})
    assert bedside.assessment.grade == 1
    assert set(bedside.drafts) <= {"blood-cultures"}
    assert bedside.advice.treatment is None

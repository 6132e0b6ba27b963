"""Laboratory beside treatment: warnings beside tocilizumab (S-PIT-MON-2), daily tests (S-PIT-MON-1)."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Gap, LabResult
from tests.bedside import Bedside, content, dexamethasone, given, lab, tocilizumab

# --- warnings beside tocilizumab (S-PIT-MON-2) ------------------------------------------------------------------------


def warned(*labs: LabResult, **patient: Any) -> list[tuple[str, str]]:
    """What is said of laboratory results: the sentence and the test."""
    lines = Bedside(labs=sorted(labs, key=lambda result: result.time), **patient).lines
    found = [line for line in lines if line.say in (Say.LAB_WARNING, Say.LAB_NOT_EVALUATED)]
    return [(line.say.value, str(line.values["name"])) for line in found]


WARNING, NOT_EVALUATED = "lab-warning", "lab-not-evaluated"


@pytest.mark.parametrize(
    ("test", "value", "said"),
    [
        ("neutrophils", "999", [WARNING]),
        ("neutrophils", "1000", []),
        ("neutrophils", "1001", []),
        ("neutrophils", None, [NOT_EVALUATED]),
        ("platelets", "49999", [WARNING]),
        ("platelets", "50000", []),
        ("platelets", None, [NOT_EVALUATED]),
        ("alt", "199.9", []),
        ("alt", "200", [WARNING]),
        ("alt", "200.1", [WARNING]),
        ("ast", "200", [WARNING]),
        ("ast", None, [NOT_EVALUATED]),
    ],
)
def test_s_pit_mon_2_limits_are_a_warning_and_never_a_block(test: str, value: str | None, said: list[str]) -> None:
    result = lab(test, 3, value, upper="40")
    assert warned(result) == [(say, test) for say in said]
    assert Bedside(labs=[result]).drafts["tocilizumab"].recommended


def test_s_pit_mon_2_without_an_upper_limit_of_normal_a_transaminase_cannot_be_evaluated() -> None:
    assert warned(lab("alt", 3, "2000")) == [(NOT_EVALUATED, "alt")]


@pytest.mark.parametrize(("value", "said"), [("199.9", []), ("200", [(WARNING, "alt")])])
def test_s_pit_mon_2_a_hospital_may_give_its_own_upper_limit(value: str, said: list[tuple[str, str]]) -> None:
    plan = content().protocol
    limits = replace(plan.laboratory, upper_limits={"alt": Decimal(40)})
    assert warned(lab("alt", 3, value), protocol=replace(plan, laboratory=limits)) == said


def test_s_pit_mon_2_the_upper_limit_of_the_report_goes_before_that_of_the_hospital() -> None:
    plan = content().protocol
    own = replace(plan, laboratory=replace(plan.laboratory, upper_limits={"alt": Decimal(40)}))
    assert warned(lab("alt", 3, "250", upper="60"), protocol=own) == []


@pytest.mark.parametrize(("hours", "said"), [(72, [(WARNING, "platelets")]), (72.1, [])])
def test_s_pit_mon_2_the_newest_result_counts_while_it_says_something(
    hours: float, said: list[tuple[str, str]]
) -> None:
    assert warned(lab("platelets", hours, "20000")) == said
    assert warned(lab("platelets", hours, "20000"), lab("platelets", 5, "90000")) == []


@pytest.mark.parametrize(("hours", "said"), [(0, [(WARNING, "platelets")]), (-0.1, [])])
def test_s_pit_mon_2_a_result_counts_from_its_time_on(hours: float, said: list[tuple[str, str]]) -> None:
    assert warned(lab("platelets", hours, "20000")) == said


def test_s_pit_mon_2_the_summary_names_what_is_beyond_its_limit_and_not_what_cannot_be_evaluated() -> None:
    labs = [lab("platelets", 3, "20000"), lab("neutrophils", 3, "900"), lab("alt", 3, "2000")]
    bedside = Bedside(labs=labs)
    assert bedside.values(Say.STATUS_LABS) == {"names": "neutrophils, platelets"}
    assert Say.LAB_NOT_EVALUATED in bedside.says
    assert Say.STATUS_LABS not in Bedside(labs=labs[2:]).says


@pytest.mark.parametrize(
    ("comparator", "value", "said"),
    [
        ("<", "999", [WARNING]),
        ("<", "1000", [WARNING]),
        ("<", "1001", [NOT_EVALUATED]),
        ("<=", "999", [WARNING]),
        ("<=", "1000", [NOT_EVALUATED]),
        ("<=", "1001", [NOT_EVALUATED]),
        (">", "999", [NOT_EVALUATED]),
        (">", "1000", []),
        (">", "1001", []),
        (">=", "999", [NOT_EVALUATED]),
        (">=", "1000", []),
        (">=", "1001", []),
    ],
)
def test_s_pit_mon_2_and_dq_13_a_result_charted_as_a_limit_is_judged_only_where_it_tells(
    comparator: str, value: str, said: list[str]
) -> None:
    assert warned(lab("neutrophils", 3, value, comparator=comparator)) == [(say, "neutrophils") for say in said]


# --- daily laboratory during treatment (S-PIT-MON-1) ------------------------------------------------------------------

DAILY = "CBC, metabolic panel, CRP, ferritin, fibrinogen"


@pytest.mark.parametrize(
    ("hours", "treated", "missing"),
    [
        (23.9, True, None),
        (24, True, None),
        (24.1, True, DAILY),
        (24.1, False, f"{DAILY}, LDH, coagulation"),
        (24.1, None, f"{DAILY}, LDH, coagulation"),
    ],
)
def test_s_pit_mon_1_during_treatment_the_daily_tests_are_asked_for_again_and_the_others_not(
    hours: float, treated: bool | None, missing: str | None
) -> None:
    drugs = {True: tocilizumab(10), False: (), None: [given("acetaminophen", 10)]}[treated]
    labs = [lab(item, hours) for item in content().protocol.baseline_labs]
    bedside = Bedside(phases=[(20, 2)], drugs=drugs, labs=labs)
    asked = [line.values["tests"] for line in bedside.lines if line.say is Say.BASELINE_LABS]
    assert asked == ([missing] if missing else [])


def test_s_pit_mon_1_a_corticosteroid_is_treatment_too() -> None:
    labs = [lab(item, 30) for item in content().protocol.baseline_labs]
    assert Bedside(phases=[(20, 3)], drugs=dexamethasone("10", 5), labs=labs).values(Say.BASELINE_LABS) == {
        "tests": DAILY,
        "window": "24 h",
        "treated": True,
        "unread": "",
    }


def test_s_lab_1_results_that_could_not_be_read_are_not_called_missing_without_a_word() -> None:
    bedside = Bedside(gaps={"labs": Gap("the FHIR server did not answer")})
    assert "CBC" in str(bedside.values(Say.BASELINE_LABS)["tests"])
    assert "Results could not all be read (the FHIR server did not answer)." in bedside.words

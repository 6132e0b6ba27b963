"""S-PIT: the pitfalls of infection, ICANS, corticosteroids, tocilizumab and monitoring."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Gap, Temperature
from tests.bedside import (
    Bedside,
    ago,
    born,
    content,
    culture,
    diagnosis,
    given,
    lab,
    ordered,
    score,
    tocilizumab,
    weight,
)
from tests.spec.rules.test_grade_2 import STEROIDS, unchanged

GRADES = pytest.mark.parametrize("grade", [1, 2, 3, 4])
ICANS = {
    "coded": {"diagnoses": [diagnosis("icans", 3)]},
    "finding": {"diagnoses": [diagnosis("icans-suspected", 3)]},
    "score": {"scores": [score("9", 3)]},
}

# Infection


@GRADES
@pytest.mark.parametrize("gaps", [{}, {"drugs": Gap("not read")}, {"cultures": Gap("not read")}])
def test_s_pit_inf_1_every_card_says_that_crs_cannot_be_told_from_sepsis(grade: int, gaps: dict[str, Gap]) -> None:
    cards = Bedside(phases=[(20, grade)], gaps=gaps).cards
    assert len(cards) == (2 if grade == 1 else 3)
    assert all("CRS cannot be told from sepsis: treat both" in card["detail"] for card in cards)


@pytest.mark.parametrize("grade", [2, 3, 4])
@pytest.mark.parametrize("known", [{}, {"cultures": [culture("drawn", 3)]}, {"drugs": [given("cefepime", 3)]}])
def test_s_pit_inf_2_infection_comes_before_tocilizumab(grade: int, known: dict[str, Any]) -> None:
    bedside = Bedside(phases=[(20, grade)], **known)
    topics = [card["source"]["topic"]["code"] for card in bedside.cards]
    assert topics == [f"CRS{topic}{grade}" for topic in ("grade", "infection", "treatment")]
    assert "before or with tocilizumab" in bedside.cards[1]["detail"]


@pytest.mark.parametrize(
    ("hours", "grade", "said"), [(23.9, 2, False), (24, 2, True), (24.1, 2, True), (72, 3, True), (72, 4, True)]
)
def test_s_pit_inf_3_fever_or_crs_after_tocilizumab_asks_for_a_wider_search_for_infection(
    hours: float, grade: int, said: bool
) -> None:
    bedside = unchanged(hours, grade)
    assert (Say.WIDEN_WORKUP in bedside.says) is said
    for cause in ("bacterial", "viral", "fungal", "parasitic"):
        assert (cause in bedside.words) is said


def test_s_pit_inf_3_nobody_is_asked_before_tocilizumab_or_with_doses_unknown() -> None:
    assert Say.WIDEN_WORKUP not in Bedside().says
    assert Say.WIDEN_WORKUP not in Bedside(gaps={"drugs": Gap("not read")}).says


# ICANS


def test_s_pit_icans_1_the_prompt_for_ice_names_the_symptoms() -> None:
    [line] = [line for line in Bedside(scores=[]).cards[1]["detail"].splitlines() if "ICE score not recorded" in line]
    for symptom in ("tremor", "confusion", "word finding", "handwriting", "agitation", "seizures"):
        assert symptom in line


@pytest.mark.parametrize(
    ("known", "icans"),
    [
        ({}, "absent"),
        ({"scores": [score("10", 12)]}, "absent"),
        ({"scores": [score("10", 12.1)]}, "not recorded"),
        ({"scores": []}, "not recorded"),
        ({"scores": [score("9", 3)]}, "present"),
        ({"scores": [score("8", 3, "capd-score")]}, "absent"),
        ({"scores": [score("9", 3, "capd-score")]}, "present"),
        ({"diagnoses": [diagnosis("icans-suspected", 3)]}, "suspected"),
        ({"diagnoses": [diagnosis("icans-suspected", 24 * 4)]}, "absent"),
        ({"diagnoses": [diagnosis("icans", 3)]}, "present"),
    ],
)
def test_s_pit_icans_1_a_charted_finding_makes_icans_suspected(known: dict[str, Any], icans: str) -> None:
    assert Bedside(**known).course.neurotoxicity.icans == icans


@pytest.mark.parametrize("sign", ICANS)
@pytest.mark.parametrize("grade", [2, 3, 4])
def test_s_pit_icans_2_the_first_dose_is_offered_with_the_warning(grade: int, sign: str) -> None:
    bedside = Bedside(phases=[(20, grade)], **ICANS[sign])
    assert "tocilizumab" in bedside.drafts
    assert "tocilizumab does not treat ICANS and may worsen it" in bedside.cards[2]["detail"]
    assert "tocilizumab may worsen it" in bedside.cards[0]["detail"]


@pytest.mark.parametrize("sign", ICANS)
@pytest.mark.parametrize("grade", [2, 3, 4])
def test_s_pit_icans_2_a_repeat_dose_is_not_offered(grade: int, sign: str) -> None:
    assert "tocilizumab" in unchanged(73, grade).drafts
    bedside = unchanged(73, grade, **ICANS[sign])
    assert "tocilizumab" not in bedside.drafts
    assert Say.TOCILIZUMAB_ICANS_REPEAT in bedside.says


def test_s_pit_icans_2_without_a_score_a_repeat_dose_is_offered_only_if_icans_is_absent() -> None:
    draft = unchanged(73, scores=[]).drafts["tocilizumab"]
    assert not draft.recommended
    assert "ICANS absent" in draft.condition


def hot(celsius: str) -> dict[str, tuple[Any, ...]]:
    return {"temperatures": (Temperature(time=ago(1), reference="Observation/hot", celsius=Decimal(celsius)),)}


@pytest.mark.parametrize(
    ("celsius", "hours", "grade", "risk"),
    [
        ("38.8", 36, 2, False),
        ("38.9", 36, 2, True),
        ("39.0", 36, 2, True),
        ("38.9", 35.9, 2, True),
        ("38.9", 36.1, 2, False),
        ("38.9", 36, 1, False),
        ("38.9", 36, 3, True),
    ],
)
def test_s_pit_icans_3_high_fever_and_low_pressure_early_after_cells_predict_severe_icans(
    celsius: str, hours: float, grade: int, risk: bool
) -> None:
    known: dict[str, Any] = {"phases": [(20, grade)], "therapy_days": hours / 24, "more": hot(celsius)}
    assert (Say.ICANS_RISK in Bedside(**known).says) is risk
    antibody = Bedside(**known, product="teclistamab", window="step-up")
    assert Say.ICANS_RISK not in antibody.says


@pytest.mark.parametrize(
    ("scores", "words"),
    [
        ([score("10", 3)], "ICE score 10 at 09:00"),
        ([score("7", 3)], "ICE score 7 at 09:00: **not normal"),
        ([score("3", 3, "capd-score")], "CAPD score 3 at 09:00"),
        ([score("10", 12.1)], "ICE score not recorded in 12 h"),
        ([], "ICE score not recorded in 12 h"),
    ],
)
def test_s_pit_icans_4_the_score_is_shown_with_its_time_or_said_to_be_missing(scores: list[Any], words: str) -> None:
    assert words in Bedside(scores=scores).cards[1]["detail"]


# Corticosteroids


@pytest.mark.parametrize(("grade", "said"), [(1, False), (2, False), (3, True), (4, True)])
def test_s_pit_ster_1_in_severe_crs_a_short_course_is_said_not_to_affect_efficacy(grade: int, said: bool) -> None:
    assert ("does not significantly affect efficacy" in Bedside(phases=[(20, grade)]).words) is said


@pytest.mark.parametrize(
    ("grade", "drugs", "offered"),
    [
        (1, (), False),
        (1, tocilizumab(80), False),
        (2, (), False),
        (2, tocilizumab(4), False),
        (3, (), True),
        (4, (), True),
    ],
)
def test_s_pit_ster_2_no_corticosteroid_before_grade_3_or_tocilizumab(
    grade: int, drugs: tuple[Any, ...], offered: bool
) -> None:
    assert bool(STEROIDS & set(Bedside(phases=[(100, grade)], drugs=drugs).drafts)) is offered


@pytest.mark.parametrize(
    ("phases", "hours", "refractory"),
    [
        ([(240, 2)], 71.9, False),
        ([(240, 2)], 72, True),
        ([(240, 2)], 72.1, True),
        ([(240, 1), (5, 2)], 10, True),
        ([(240, 3), (40, 2)], 80, False),
    ],
)
def test_s_pit_ster_3_refractory_is_no_improvement_at_72_hours_or_worse(
    phases: list[tuple[float, int]], hours: float, refractory: bool
) -> None:
    bedside = unchanged(hours, phases=phases)
    assert bedside.assessment.grade == 2
    assert bedside.patient.refractory is refractory
    assert (Say.STEROID_NOT_YET in bedside.says) is not refractory


def test_s_pit_ster_3_nobody_is_refractory_before_tocilizumab() -> None:
    assert not Bedside(phases=[(240, 2)]).patient.refractory


# Tocilizumab


@pytest.mark.parametrize("grade", [2, 3, 4])
@pytest.mark.parametrize(
    ("kilograms", "arithmetic"),
    [
        ("29.9", "12 mg/kg × 29.9 kg"),
        ("30.0", "8 mg/kg × 30 kg"),
        ("30.1", "8 mg/kg × 30.1 kg"),
    ],
)
def test_s_pit_toci_1_one_rule_by_weight_at_every_grade(grade: int, kilograms: str, arithmetic: str) -> None:
    child = Bedside(phases=[(20, grade)], birth_date=born(10), weights=[weight(kilograms, days=1)])
    assert child.values(Say.TOCILIZUMAB)["arithmetic"].startswith(arithmetic)


@pytest.mark.parametrize("grade", [2, 3, 4])
def test_s_pit_toci_1_without_a_weight_the_rule_is_said_and_no_dose(grade: int) -> None:
    values = Bedside(phases=[(20, grade)], weights=[]).values(Say.TOCILIZUMAB_NO_WEIGHT)
    assert values["rule"] == "8 mg/kg from 30 kg, 12 mg/kg under 30 kg; at most 800 mg"


@pytest.mark.parametrize("doses", [(), (73,), (150, 73)])
def test_s_pit_toci_2_the_doses_of_studies_are_no_limit_and_both_limits_are_named(doses: tuple[float, ...]) -> None:
    bedside = unchanged(0, drugs=tocilizumab(*doses))
    assert "median" not in bedside.words
    named = next(line for line in bedside.lines if line.say in (Say.LABEL_AND_PROTOCOL, Say.TOCILIZUMAB_LIMIT))
    assert (named.values["maximum"], named.values["label_maximum"]) == (2, 4)
    assert (content().protocol.maximum_doses, content().protocol.label_maximum_doses) == (2, 4)


# Prophylaxis


@pytest.mark.parametrize(
    ("known", "named"),
    [
        ({}, False),
        ({"phases": [(20, 1)]}, False),
        ({"phases": [(20, 3)]}, True),
        ({"drugs": [given("dexamethasone", 24)]}, True),
        ({"drugs": [given("dexamethasone", 24.1)]}, False),
        ({"phases": [(20, 3)], "drugs": [given("micafungin", 12)]}, False),
        ({"phases": [(20, 3)], "drugs": [given("micafungin", 12.1)]}, True),
        ({"phases": [(20, 3)], "orders": [ordered("micafungin", 30, "antifungal")]}, False),
    ],
)
def test_s_pit_pro_1_antifungals_are_named_with_a_corticosteroid_unless_one_is_active(
    known: dict[str, Any], named: bool
) -> None:
    bedside = Bedside(**known)
    assert (Say.ANTIFUNGAL in bedside.says) is named
    assert ("agent by local policy." in bedside.words) is named


# Monitoring

BASELINE = ["cbc", "cmp", "crp", "ferritin", "fibrinogen", "ldh", "coagulation"]


def results(**hours: float) -> list[Any]:
    """Each test of the baseline 3 hours ago, unless a time is given."""
    return [lab(test, hours.get(test, 3)) for test in BASELINE]


@pytest.mark.parametrize(
    ("known", "named"),
    [
        ({"labs": results()}, None),
        ({"labs": results(ferritin=24)}, None),
        ({"labs": results(ferritin=24.1)}, "ferritin"),
        ({"labs": results(ldh=30, coagulation=30)}, None),
        ({"labs": results(ldh=30, crp=30), "drugs": [given("dexamethasone", 3, "10")]}, "CRP"),
        ({"labs": [lab(test, 3) for test in BASELINE if test != "ldh"]}, "LDH"),
        ({"labs": []}, "CBC, metabolic panel, CRP, ferritin, fibrinogen, LDH, coagulation"),
        (
            {"labs": [], "gaps": {"labs": Gap("not read")}},
            "CBC, metabolic panel, CRP, ferritin, fibrinogen, LDH, coagulation",
        ),
    ],
)
def test_s_pit_mon_1_during_treatment_the_laboratory_of_each_day_is_named_when_it_is_old(
    known: dict[str, Any], named: str | None
) -> None:
    bedside = Bedside(**{"phases": [(40, 2)], "drugs": tocilizumab(10)} | known)
    said = [line.values["tests"] for line in bedside.lines if line.say is Say.BASELINE_LABS]
    assert said == ([named] if named else [])
    assert ("Daily laboratory without a result in 24 h" in bedside.words) is (named is not None)


def test_s_pit_mon_1_before_treatment_it_is_the_baseline() -> None:
    assert "Daily laboratory" not in Bedside(labs=results(ldh=30)).words
    assert "Laboratory without a result in 24 h: LDH." in Bedside(labs=results(ldh=30)).words


@pytest.mark.parametrize(
    ("result", "said"),
    [
        (lab("neutrophils", 3, "999"), Say.LAB_WARNING),
        (lab("neutrophils", 3, "1000"), None),
        (lab("neutrophils", 3, "1001"), None),
        (lab("neutrophils", 3, "1000", comparator="<"), Say.LAB_WARNING),
        (lab("platelets", 3, "49999"), Say.LAB_WARNING),
        (lab("platelets", 3, "50000"), None),
        (lab("platelets", 3, "50001"), None),
        (lab("alt", 3, "199", upper="40"), None),
        (lab("alt", 3, "200", upper="40"), Say.LAB_WARNING),
        (lab("alt", 3, "201", upper="40"), Say.LAB_WARNING),
        (lab("ast", 3, "174", upper="35"), None),
        (lab("ast", 3, "175", upper="35"), Say.LAB_WARNING),
        (lab("ast", 3, "900"), Say.LAB_NOT_EVALUATED),
        (lab("platelets", 3), Say.LAB_NOT_EVALUATED),
    ],
)
@pytest.mark.parametrize("grade", [2, 3, 4])
def test_s_pit_mon_2_laboratory_limits_warn_beside_tocilizumab_and_never_withhold_it(
    grade: int, result: Any, said: Say | None
) -> None:
    bedside = Bedside(phases=[(20, grade)], labs=[result])
    assert bedside.says & {Say.LAB_WARNING, Say.LAB_NOT_EVALUATED} == ({said} if said else set())
    assert bedside.drafts["tocilizumab"].recommended
    assert ("in CRS no reason alone to withhold it" in bedside.words) is (said is Say.LAB_WARNING)


def test_s_pit_mon_2_without_a_result_nothing_is_said() -> None:
    assert not Bedside().says & {Say.LAB_WARNING, Say.LAB_NOT_EVALUATED}

"""Around the treatment: cultures, antibiotics, laboratory, neurotoxicity, and the care of each grade."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.neurotoxicity import severe_icans_risk
from cds_service.crs.protocol import Protocol, Stage, WeightBand
from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Gap, OxygenSaturation, OxygenSupport, Temperature
from cds_service.crs.treatment import Patient
from tests.bedside import (
    Bedside,
    ago,
    allergy,
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

BASELINE = {
    "cbc": "CBC",
    "cmp": "metabolic panel",
    "crp": "CRP",
    "ferritin": "ferritin",
    "fibrinogen": "fibrinogen",
    "ldh": "LDH",
    "coagulation": "coagulation",
}


def at_risk(patient: Patient) -> bool:
    return severe_icans_risk(patient.timeline, patient.assessment, patient.scale, patient.protocol)


# --- infection --------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grade", [1, 2, 3, 4])
def test_cultures_and_antibiotics_are_offered_at_every_grade(grade: int) -> None:
    bedside = Bedside(phases=[(20, grade)])
    assert bedside.drafts["blood-cultures"].recommended
    assert {Say.CULTURES, Say.ANTIBIOTICS} <= bedside.says


@pytest.mark.parametrize(
    ("charted", "drafted", "recommended"),
    [
        ([("ordered", 3)], False, False),
        ([("drawn", 3)], False, False),
        ([("drawn", 24)], False, False),
        ([("drawn", 24.1)], True, True),
        ([("negative", 3)], True, False),
        ([("positive", 3)], True, False),
        ([("drawn", 20), ("negative", 3)], False, False),
    ],
)
def test_a_culture_is_offered_unless_one_was_taken_in_a_day(
    charted: list[tuple[str, float]], drafted: bool, recommended: bool
) -> None:
    bedside = Bedside(cultures=[culture(*item) for item in charted])
    assert ("blood-cultures" in bedside.drafts) is drafted
    assert (Say.CULTURES_DONE in bedside.says) is not drafted
    if drafted:
        assert bedside.drafts["blood-cultures"].recommended is recommended


@pytest.mark.parametrize("result", ["negative", "positive"])
def test_a_result_is_said_beside_the_offer_of_a_new_culture(result: str) -> None:
    assert Bedside(cultures=[culture(result, 3)]).values(Say.CULTURE_RESULT)["result"] == result


def test_cultures_that_could_not_be_read_are_to_be_checked() -> None:
    bedside = Bedside(gaps={"cultures": Gap("not read")})
    assert not bedside.drafts["blood-cultures"].recommended
    assert bedside.values(Say.CULTURES_UNKNOWN) == {"reason": "not read"}


def test_an_active_antibiotic_is_named_and_none_is_prompted() -> None:
    for known in ({"drugs": [given("cefepime", 3)]}, {"orders": [ordered("cefepime", 30, "antibiotic")]}):
        bedside = Bedside(**known)
        assert bedside.values(Say.ANTIBIOTICS_ACTIVE)["name"] == "cefepime"
        assert Say.ANTIBIOTICS not in bedside.says


def test_when_medications_could_not_be_read_the_prompt_says_so() -> None:
    assert Bedside(gaps={"drugs": Gap("not read")}).values(Say.ANTIBIOTICS)["unknown"] is True


@pytest.mark.parametrize(
    ("known", "summary"),
    [
        ({}, "consider blood cultures and antibiotics now, before or with tocilizumab"),
        ({"weights": []}, "consider blood cultures and antibiotics now"),
        ({"cultures": [culture("drawn", 3)]}, "consider antibiotics now, before or with tocilizumab"),
        ({"drugs": [given("cefepime", 3)]}, "consider blood cultures now, before or with tocilizumab"),
        (
            {"cultures": [culture("drawn", 3)], "drugs": [given("cefepime", 3)]},
            "cultures and antibiotics are charted; monitoring",
        ),
    ],
)
def test_the_summary_of_the_infection_card_says_what_is_to_be_done(known: dict[str, Any], summary: str) -> None:
    bedside = Bedside(**known)
    assert bedside.cards[1]["summary"] == f"CRS grade 2: {summary}"
    assert bedside.cards[1]["indicator"] == ("info" if "monitoring" in summary else "warning")


def test_that_cultures_come_first_is_said_once_and_only_beside_a_first_dose() -> None:
    assert Say.BEFORE_TOCILIZUMAB in Bedside().says
    assert Say.BEFORE_TOCILIZUMAB not in Bedside(phases=[(20, 1)]).says
    assert Say.BEFORE_TOCILIZUMAB not in Bedside(drugs=tocilizumab(10)).says
    done = Bedside(cultures=[culture("drawn", 3)], drugs=[given("cefepime", 3)])
    assert Say.BEFORE_TOCILIZUMAB not in done.says


@pytest.mark.parametrize(
    ("years", "instrument"), [(40, "ICE score"), (6, "CAPD score"), (None, "No neurotoxicity score")]
)
def test_s_pit_icans_1_the_signs_to_look_for_are_named_at_any_age(years: int | None, instrument: str) -> None:
    bedside = Bedside(birth_date=born(years) if years is not None else None, scores=[])
    (said,) = [line for line in bedside.words.splitlines() if instrument in line]
    for sign in ("tremor", "confusion", "word finding", "handwriting", "agitation", "seizures"):
        assert sign in said


# --- an antibiotic that the hospital's own protocol names (S-INF-2, N-21) ---------------------------------------------


def site_antibiotic(**differs: Any) -> Protocol:
    """The protocol with an antibiotic of the hospital, 100 mg every 8 hours, for adults."""
    plan = content().protocol
    stages = (Stage(mg=Decimal(100), every_hours=8),)
    order = replace(plan.orders["dexamethasone-10"], id="own", text="own drug", agent="own", group="antibiotic")
    order = replace(order, **{"stages": stages, "taper": None, "then": "", **differs})
    return replace(plan, orders={**plan.orders, "own": order}, infection_orders=(*plan.infection_orders, "own"))


def test_s_inf_2_the_hospitals_antibiotic_is_drafted_and_never_preselected() -> None:
    bedside = Bedside(phases=[(20, 1)], protocol=site_antibiotic())
    assert not bedside.drafts["own"].recommended
    assert bedside.values(Say.ANTIBIOTICS_OF_PROTOCOL) == {"regimens": "own drug 100 mg IV every 8 h"}
    assert Say.ANTIBIOTICS not in bedside.says


@pytest.mark.parametrize(
    ("known", "drafted", "unknown", "allergic"),
    [
        ({}, True, False, False),
        ({"gaps": {"drugs": Gap("not read")}}, False, True, False),
        ({"gaps": {"orders": Gap("not read")}}, False, False, False),
        ({"gaps": {"allergies": Gap("not read")}}, False, False, False),
        ({"gaps": {"scores": Gap("not read")}}, True, False, False),
        ({"allergies": [allergy("any", "antibiotic")]}, False, False, True),
        ({"allergies": [allergy("any", "beta-lactam")]}, False, False, True),
        ({"allergies": [allergy("any", "antipyretic")]}, True, False, False),
        ({"birth_date": born(17, days=300)}, False, False, False),
        ({"birth_date": born(18, days=0)}, True, False, False),
        ({"birth_date": None, "weights": []}, False, False, False),
    ],
)
def test_n_21_no_antibiotic_is_drafted_with_an_allergy_to_one_in_a_child_or_where_that_is_not_known(
    known: dict[str, Any], drafted: bool, unknown: bool, allergic: bool
) -> None:
    bedside = Bedside(phases=[(20, 1)], protocol=site_antibiotic(), **known)
    assert ("own" in bedside.drafts) is drafted
    assert (Say.ANTIBIOTICS_OF_PROTOCOL in bedside.says) is drafted
    if not drafted:
        assert bedside.values(Say.ANTIBIOTICS) == {"unknown": unknown, "allergic": allergic}


def test_s_inf_2_no_antibiotic_is_drafted_beside_an_active_one() -> None:
    bedside = Bedside(phases=[(20, 1)], drugs=[given("cefepime", 3)], protocol=site_antibiotic())
    assert "own" not in bedside.drafts
    assert bedside.values(Say.ANTIBIOTICS_ACTIVE)["name"] == "cefepime"


@pytest.mark.parametrize(("weights", "milligrams"), [([weight("80")], 1200), ([weight("80", 31)], None)])
def test_n_03_an_antibiotic_by_weight_is_drafted_with_a_usable_weight_only(
    weights: list[Any], milligrams: int | None
) -> None:
    plan = site_antibiotic(stages=(), weight_bands=(WeightBand(mg_per_kg=Decimal(15)),))
    drafts = Bedside(phases=[(20, 1)], weights=weights, protocol=plan).drafts
    found = drafts["own"].dose.mg if "own" in drafts and drafts["own"].dose else None
    assert found == milligrams


# --- laboratory -------------------------------------------------------------------------------------------------------


def test_the_whole_baseline_is_named_when_nothing_is_charted() -> None:
    values = Bedside().values(Say.BASELINE_LABS)
    assert values == {"tests": ", ".join(BASELINE.values()), "window": "24 h", "treated": False, "unread": ""}


@pytest.mark.parametrize("test", list(BASELINE))
def test_one_missing_result_is_named_alone(test: str) -> None:
    there = [lab(other, 3) for other in BASELINE if other != test]
    assert Bedside(labs=there).values(Say.BASELINE_LABS)["tests"] == BASELINE[test]


@pytest.mark.parametrize(("hours", "asked"), [(0, False), (-0.1, True)])
def test_s_lab_1_a_result_counts_from_its_time_on(hours: float, asked: bool) -> None:
    assert (Say.BASELINE_LABS in Bedside(labs=[lab(test, hours) for test in BASELINE]).says) is asked


def test_a_complete_baseline_is_silent_and_an_old_one_is_not() -> None:
    assert Say.BASELINE_LABS not in Bedside(labs=[lab(test, 24) for test in BASELINE]).says
    assert Bedside(labs=[lab(test, 24.1) for test in BASELINE]).values(Say.BASELINE_LABS)["tests"].count(",") == 6


# --- neurotoxicity ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("years", "say"), [(6, Say.CAPD), (11, Say.CAPD), (12, Say.ICE), (50, Say.ICE), (None, Say.SCORE_BY_AGE)]
)
def test_the_score_asked_for_is_the_one_of_the_age(years: int | None, say: Say) -> None:
    bedside = Bedside(
        phases=[(20, 3)],
        scores=[],
        birth_date=born(years) if years is not None else None,
        weights=[weight("40")],
    )
    assert {Say.ICE, Say.CAPD, Say.SCORE_BY_AGE} & bedside.says == {say}


@pytest.mark.parametrize(
    ("value", "instrument", "shown", "abnormal"),
    [
        ("10", "ice-score", "ICE", False),
        ("9", "ice-score", "ICE", True),
        ("8", "capd-score", "CAPD", False),
        ("9", "capd-score", "CAPD", True),
    ],
)
def test_a_charted_score_is_shown_with_its_time_and_whether_it_is_normal(
    value: str, instrument: str, shown: str, abnormal: bool
) -> None:
    bedside = Bedside(scores=[score(value, 3, instrument)])
    values = bedside.values(Say.SCORE_CHARTED)
    assert (values["instrument"], values["value"], values["abnormal"]) == (shown, value, abnormal)
    assert Say.ICANS not in bedside.says


@pytest.mark.parametrize("grade", [1, 3])
def test_icans_that_is_charted_otherwise_is_said_at_every_grade(grade: int) -> None:
    bedside = Bedside(phases=[(20, grade)], diagnoses=[diagnosis("icans", 3, "ICANS, grade 2")])
    assert bedside.values(Say.ICANS)["basis"] == "ICANS, grade 2"
    old = Bedside(phases=[(20, grade)], scores=[score("6", 20)])
    assert old.values(Say.ICANS)["icans"] == "suspected"
    assert Say.ICE in old.says


def hot(celsius: str, hours: float) -> dict[str, tuple[Any, ...]]:
    return {"temperatures": (Temperature(time=ago(hours), reference="Observation/hot", celsius=Decimal(celsius)),)}


@pytest.mark.parametrize(
    ("known", "risk"),
    [
        ({"therapy_days": 1.5, "more": hot("38.9", 3)}, True),
        ({"therapy_days": 1.5, "more": hot("38.89", 3)}, False),
        ({"therapy_days": 36.1 / 24, "more": hot("38.9", 3)}, False),
        ({"therapy_days": 1.5, "more": hot("38.9", 3), "phases": [(20, 1)]}, False),
        ({"therapy_days": 1.5, "more": hot("38.9", 3), "phases": [(20, 3)]}, True),
        ({"therapy_days": 1.5, "more": hot("38.9", 37)}, False),
        ({"therapy_days": 1.5, "more": hot("38.9", 3), "product": "teclistamab", "window": "step-up"}, False),
    ],
)
def test_high_fever_and_low_pressure_within_36_hours_of_cells_predict_severe_icans(
    known: dict[str, Any], risk: bool
) -> None:
    bedside = Bedside(**known)
    assert at_risk(bedside.patient) is risk
    assert (Say.ICANS_RISK in bedside.says) is risk


@pytest.mark.parametrize(("days", "risk"), [(2, True), (2.5, True), (2.51, False)])
def test_dq_38_a_therapy_of_a_day_without_a_time_counts_from_the_end_of_that_day(days: float, risk: bool) -> None:
    bedside = Bedside(therapy_days=days, more=hot("39", 3))
    assert not at_risk(bedside.patient)
    (therapy,) = bedside.timeline.therapies
    patient = bedside.patient
    exposure = patient.assessment.exposure
    assert exposure is not None
    day = replace(exposure, therapy=replace(therapy, whole_day=True))
    assert at_risk(replace(patient, assessment=replace(patient.assessment, exposure=day))) is risk


# --- antifungal -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({}, False),
        ({"phases": [(20, 3)]}, True),
        ({"drugs": [given("dexamethasone", 3)]}, True),
        ({"phases": [(20, 3)], "drugs": [given("micafungin", 3)]}, False),
        ({"phases": [(20, 3)], "orders": [ordered("micafungin", 3, "antifungal")]}, False),
    ],
)
def test_antifungals_are_named_once_a_steroid_is_offered_or_given(known: dict[str, Any], said: bool) -> None:
    assert (Say.ANTIFUNGAL in Bedside(**known).says) is said


@pytest.mark.parametrize(("hours", "said"), [(72.1, False), (72, True), (0, True), (-0.1, False)])
def test_hyperinflammation_charted_since_the_therapy_is_named(hours: float, said: bool) -> None:
    assert (Say.HYPERINFLAMMATION in Bedside(diagnoses=[diagnosis("hlh", hours)]).says) is said
    assert Say.HYPERINFLAMMATION not in Bedside(diagnoses=[diagnosis("icans", 5)]).says


@pytest.mark.parametrize(
    ("known", "said"),
    [
        ({"phases": [(20, 1)]}, False),
        ({"phases": [(30, 3), (8, 1)], "drugs": tocilizumab(20)}, True),
        ({"phases": [(20, 2)]}, True),
    ],
)
def test_s_pit_mon_2_low_platelets_are_said_once_treatment_is_offered_or_has_begun(
    known: dict[str, Any], said: bool
) -> None:
    bedside = Bedside(labs=[lab("platelets", 3, "20000")], **known)
    assert [line.say for line in bedside.lines].count(Say.LAB_WARNING) == int(said)


# --- care -------------------------------------------------------------------------------------------------------------

CARE = {
    1: {Say.ACETAMINOPHEN, Say.HYDRATION, Say.MONITORING, Say.ICU_ALERT},
    2: {Say.ICU_TRANSFER},
    3: {Say.ICU_NOW},
    4: {Say.ICU_NOW, Say.VENTILATION},
}


@pytest.mark.parametrize("grade", list(CARE))
def test_each_grade_has_its_care(grade: int) -> None:
    every = set().union(*CARE.values())
    assert Bedside(phases=[(20, grade)]).says & every == CARE[grade]


def test_the_next_grading_is_due_within_12_hours() -> None:
    regrade = Bedside().advice.regrade
    assert regrade is not None
    assert regrade.by == ago(-12)


def test_where_oxygen_comes_first_the_next_grading_is_a_matter_of_minutes() -> None:
    low = OxygenSaturation(time=ago(0), reference="Observation/s", percent=Decimal(86))
    bedside = Bedside(phases=[(20, 1)], more={"saturations": (low,)})
    assert bedside.advice.regrade is None
    assert "apply oxygen and regrade in minutes" in bedside.cards[0]["detail"]
    assert "Regrade by" not in bedside.words


def test_acetaminophen_is_not_offered_without_a_fever_now() -> None:
    bedside = Bedside(phases=[(30, 1), (13, 0)], drugs=[given("acetaminophen", 5)])
    assert (bedside.assessment.grade, bedside.assessment.episode and bedside.assessment.episode.state) == (1, "waived")
    assert Say.ACETAMINOPHEN not in bedside.says


@pytest.mark.parametrize(("group", "offered"), [("antipyretic", False), ("antibiotic", True)])
def test_s_mgt_1a_acetaminophen_is_not_offered_with_an_allergy_to_an_antipyretic(group: str, offered: bool) -> None:
    bedside = Bedside(phases=[(20, 1)], allergies=[allergy("any", group)])
    assert (Say.ACETAMINOPHEN in bedside.says) is offered


def test_s_mgt_1a_acetaminophen_is_not_offered_for_a_fever_that_tocilizumab_hides() -> None:
    bedside = Bedside(phases=[(30, 1), (13, 0)], drugs=tocilizumab(5))
    assert (bedside.assessment.grade, bedside.course.antipyretic) == (1, None)
    assert Say.ACETAMINOPHEN not in bedside.says


def test_s_mgt_1x_at_grade_1_there_is_no_treatment_to_speak_of() -> None:
    assert Bedside(phases=[(20, 1)]).advice.treatment is None
    assert Bedside(phases=[(20, 2)]).advice.treatment is not None


def test_at_grade_1_after_tocilizumab_the_dose_is_said_and_that_the_peak_was_higher() -> None:
    bedside = Bedside(phases=[(30, 3), (8, 1)], drugs=tocilizumab(20))
    assert bedside.assessment.grade == 1
    assert bedside.values(Say.BELOW_PEAK) == {"peak": 3}
    assert bedside.values(Say.TOCILIZUMAB_GIVEN)["doses"] == 1


@pytest.mark.parametrize("grade", [1, 2, 3, 4])
def test_at_its_peak_no_higher_grade_is_said(grade: int) -> None:
    assert Say.BELOW_PEAK not in Bedside(phases=[(20, grade)]).says


@pytest.mark.parametrize(("hours", "said"), [(20, False), (72, False), (73, True)])
def test_fever_of_more_than_72_hours_at_grade_1_is_said(hours: float, said: bool) -> None:
    assert (Say.LONG_FEVER in Bedside(phases=[(hours, 1)], therapy_days=6).says) is said


def test_at_grade_2_a_long_fever_is_not_said() -> None:
    assert Say.LONG_FEVER not in Bedside(phases=[(80, 2)], therapy_days=6).says


@pytest.mark.parametrize(
    ("product", "window", "say"),
    [
        ("teclistamab", "step-up", Say.HOLD_NEXT_DOSE),
        ("tarlatamab", "early-doses", Say.HOLD_NEXT_DOSE),
        ("blinatumomab", "blinatumomab", Say.STOP_INFUSION),
        ("tisagenlecleucel", "car-t", None),
    ],
)
def test_a_bispecific_antibody_is_held_or_its_infusion_stopped(product: str, window: str, say: Say | None) -> None:
    bedside = Bedside(product=product, window=window, therapy_days=2)
    assert {Say.HOLD_NEXT_DOSE, Say.STOP_INFUSION} & bedside.says == ({say} if say else set())


def on_oxygen(device: str, flow: str) -> dict[str, tuple[Any, ...]]:
    support = OxygenSupport(time=ago(0), reference="Observation/o2", device=device, flow=Decimal(flow))
    return {"oxygen": (support,)}


@pytest.mark.parametrize(
    ("product", "device", "flow", "said"),
    [
        ("mosunetuzumab", "nasal-cannula", "6", True),
        ("mosunetuzumab", "nasal-cannula", "5.9", False),
        ("mosunetuzumab", "nasal-cannula", "6.1", False),
        ("mosunetuzumab", "simple-mask", "6", False),
        ("teclistamab", "nasal-cannula", "6", False),
    ],
)
def test_at_exactly_6_l_per_min_the_label_of_mosunetuzumab_is_named(
    product: str, device: str, flow: str, said: bool
) -> None:
    bedside = Bedside(phases=[(20, 1)], product=product, window="step-up", more=on_oxygen(device, flow))
    assert (Say.FLOW_NOTE in bedside.says) is said


def test_every_product_that_the_protocol_names_is_a_product_that_is_known() -> None:
    known = {meaning.display for meaning in content().value_sets["therapies"].meanings}
    assert {*content().protocol.early_steroid_products, *content().protocol.flow_note_products} <= known


# --- no grade ---------------------------------------------------------------------------------------------------------


def test_low_pressure_without_fever_asks_for_other_causes_and_gives_no_grade() -> None:
    bedside = Bedside(phases=[(20, 2)], fever="37.4")
    assert (bedside.assessment.status, bedside.assessment.grade) == ("no-crs", 0)
    assert bedside.says == {Say.SEPSIS_PROMPT}
    assert bedside.values(Say.SEPSIS_PROMPT) == {"signs": "SBP 85", "known": True}


def test_where_fever_is_not_known_it_is_not_said_that_there_is_no_crs() -> None:
    bedside = replace(Bedside(phases=[(20, 2)], fever="37.4"), gaps={"temperatures": Gap("not read")})
    assert bedside.assessment.status == "indeterminate"
    assert bedside.values(Say.SEPSIS_PROMPT)["known"] is False
    assert "no CRS" not in bedside.words
    assert "cannot be graded: measure the temperature" in bedside.words


def test_without_any_sign_there_is_nothing_to_say() -> None:
    bedside = Bedside(phases=[(20, 0)])
    assert bedside.lines == ()
    assert bedside.cards == []

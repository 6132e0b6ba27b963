"""Tocilizumab: when it is drafted, how much, and why not when it is not."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.assessment import Criterion
from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Cause, Flag, Gap, OxygenSaturation, OxygenSupport, Unused
from cds_service.crs.treatment import Draft
from tests.bedside import (
    Bedside,
    ago,
    allergy,
    born,
    content,
    culture,
    diagnosis,
    given,
    ordered,
    score,
    tocilizumab,
    weight,
)

Phases = list[tuple[float, int]]


def draft(bedside: Bedside) -> Draft | None:
    return bedside.drafts.get("tocilizumab")


def dose(bedside: Bedside) -> Decimal | None:
    found = draft(bedside)
    return found.dose.mg if found is not None and found.dose is not None else None


@pytest.mark.parametrize("grade", [2, 3, 4])
def test_a_first_dose_is_drafted_and_recommended_from_grade_2_on(grade: int) -> None:
    found = draft(Bedside(phases=[(20, grade)]))
    assert found is not None
    assert found.dose is not None
    assert (found.dose.mg, found.recommended, found.condition) == (640, True, "")


@pytest.mark.parametrize("grade", [0, 1])
def test_no_dose_is_drafted_below_grade_2(grade: int) -> None:
    assert draft(Bedside(phases=[(20, grade)])) is None


@pytest.mark.parametrize("grade", [2, 3, 4])
@pytest.mark.parametrize(
    ("kilograms", "milligrams"), [("29.9", "358.8"), ("30.0", "240"), ("20", "240"), ("16", "192")]
)
def test_the_dose_by_weight_is_the_same_rule_at_every_grade(grade: int, kilograms: str, milligrams: str) -> None:
    child = Bedside(phases=[(20, grade)], birth_date=born(9), weights=[weight(kilograms)])
    assert dose(child) == Decimal(milligrams)


def test_the_sentence_has_the_arithmetic_the_time_and_the_number_of_the_dose() -> None:
    values = Bedside().values(Say.TOCILIZUMAB)
    assert values["arithmetic"] == "8 mg/kg × 80 kg (measured 2 days ago) = 640 mg; cap 800 mg not reached"
    assert (values["minutes"], values["number"], values["maximum"]) == (60, 1, 2)


@pytest.mark.parametrize(
    ("weights", "reason"),
    [
        ([], "no weight is charted"),
        ([weight("70", 31)], "31 days old"),
        ([weight("70", how="stated")], "only stated"),
        ([weight("80", 3), weight("176", 1)], "contradict"),
        ([weight("19", 1)], "not plausible"),
    ],
)
def test_without_a_usable_weight_there_is_the_rule_and_no_dose(weights: list[Any], reason: str) -> None:
    bedside = Bedside(weights=weights)
    assert draft(bedside) is None
    values = bedside.values(Say.TOCILIZUMAB_NO_WEIGHT)
    assert reason in values["reason"]
    assert values["rule"] == "8 mg/kg from 30 kg, 12 mg/kg under 30 kg; at most 800 mg"
    assert {Say.STATUS_NO_DOSE, Say.TOCILIZUMAB_CAUTIONS} <= bedside.says


@pytest.mark.parametrize("weights", [[weight("70", 8)], [weight("31", 1)]])
def test_a_weight_to_confirm_gives_a_dose_that_is_not_recommended(weights: list[Any]) -> None:
    bedside = Bedside(weights=weights)
    found = draft(bedside)
    assert found is not None
    assert not found.recommended
    assert "confirm" in bedside.values(Say.TOCILIZUMAB)["confirm"]


# --- allergy, record, order -------------------------------------------------------------------------------------------


def test_an_allergy_leaves_no_dose() -> None:
    bedside = Bedside(phases=[(20, 4)], allergies=[allergy("tocilizumab")])
    assert draft(bedside) is None
    assert bedside.values(Say.ALLERGY) == {"drug": "tocilizumab"}
    assert Say.REFRACTORY_OPTIONS in bedside.says


def test_an_allergy_to_another_drug_does_not_matter() -> None:
    assert draft(Bedside(allergies=[allergy("cefepime")])) is not None


@pytest.mark.parametrize(
    ("known_since", "say"),
    [(None, Say.RESERVATION), (23, Say.RESERVATION), (24, Say.RECORD_UNKNOWN), (29 * 24, Say.RECORD_UNKNOWN)],
)
def test_doses_that_may_have_been_given_and_were_not_read_leave_no_dose(known_since: float | None, say: Say) -> None:
    gap = Gap("not all pages", ago(known_since) if known_since is not None else None)
    bedside = Bedside(gaps={"drugs": gap})
    assert draft(bedside) is None
    assert {Say.RESERVATION, Say.RECORD_UNKNOWN} & bedside.says == {say}
    assert "not all pages" in bedside.values(say)["reason"]


def test_doses_of_the_thirty_days_of_the_label_are_all_that_must_be_known() -> None:
    assert draft(Bedside(gaps={"drugs": Gap("not all pages", ago(30 * 24))})) is not None


@pytest.mark.parametrize(("kind", "words"), [("allergies", "allergies not read"), ("orders", "active orders not read")])
def test_allergies_and_orders_that_were_not_read_are_to_be_checked_and_nothing_is_recommended(
    kind: str, words: str
) -> None:
    bedside = Bedside(phases=[(20, 3)], gaps={kind: Gap("not read")})
    assert [draft.recommended for draft in bedside.drafts.values()] == [True, False, False]
    assert bedside.values(Say.CHECK_FIRST)["items"] == words


@pytest.mark.parametrize(
    ("agent", "cause", "checked"),
    [
        ("tocilizumab", Cause.DOUBTFUL_DOSE, True),
        ("dexamethasone", Cause.DOUBTFUL_DOSE, True),
        ("acetaminophen", Cause.DOUBTFUL_DOSE, False),
        ("tocilizumab", Cause.UNUSABLE, False),
    ],
)
def test_a_charted_dose_that_could_not_be_used_is_to_be_checked(agent: str, cause: Cause, checked: bool) -> None:
    reason = f"{agent}: its time cannot be read"
    bedside = Bedside(phases=[(20, 3)], unused=[Unused("MedicationAdministration/1", reason, cause, agent)])
    assert bedside.drafts["tocilizumab"].recommended is not checked
    assert (Say.CHECK_FIRST in bedside.says) is checked
    if checked:
        assert f"Check before ordering: {reason}." in bedside.words.replace("*", "")


def test_an_active_order_that_is_not_given_leaves_no_second_draft() -> None:
    bedside = Bedside(orders=[ordered("tocilizumab", 1, "il6-blocker", "Tyenne 560 mg")])
    assert draft(bedside) is None
    assert bedside.values(Say.TOCILIZUMAB_ORDERED)["name"] == "Tyenne 560 mg"


def test_an_active_order_does_not_hide_that_it_is_too_early() -> None:
    bedside = Bedside(drugs=tocilizumab(5), orders=[ordered("tocilizumab", 1, "il6-blocker")])
    assert draft(bedside) is None
    assert {Say.TOCILIZUMAB_ORDERED, Say.TOCILIZUMAB_TOO_EARLY, Say.TOCILIZUMAB_GIVEN} <= bedside.says


def test_an_active_order_does_not_hide_that_the_limit_is_reached() -> None:
    bedside = Bedside(drugs=tocilizumab(15, 9), orders=[ordered("tocilizumab", 1, "il6-blocker")])
    assert {Say.TOCILIZUMAB_ORDERED, Say.TOCILIZUMAB_LIMIT} <= bedside.says


# --- the repeat dose --------------------------------------------------------------------------------------------------

EXCLUDED = [culture("negative", 3)]


def after_one_dose(hours: float, phases: Phases | None = None, **known: Any) -> Bedside:
    known = {"cultures": EXCLUDED, "therapy_days": 6} | known
    return Bedside(phases=phases or [(hours + 10, 2)], drugs=[*tocilizumab(hours), *known.pop("drugs", ())], **known)


@pytest.mark.parametrize(
    ("hours", "drafted"), [(0.1, False), (7.9, False), (8, False), (20, False), (71, False), (71.9, False), (72, True)]
)
def test_without_improvement_a_second_dose_is_drafted_from_72_hours_on(hours: float, drafted: bool) -> None:
    assert (draft(after_one_dose(hours)) is not None) is drafted


def test_the_second_dose_is_numbered_and_what_was_given_is_said() -> None:
    bedside = after_one_dose(74)
    values = bedside.values(Say.TOCILIZUMAB)
    assert (values["number"], values["maximum"], values["label_maximum"]) == (2, 2, 4)
    assert bedside.drafts["tocilizumab"].recommended
    assert Say.TOCILIZUMAB_GIVEN in bedside.says
    assert "dose 2 of 2 in this protocol" in bedside.words


@pytest.mark.parametrize(
    ("hours", "say"),
    [
        (7.9, Say.TOCILIZUMAB_TOO_EARLY),
        (8, Say.TOCILIZUMAB_WAIT),
        (20, Say.TOCILIZUMAB_WAIT),
        (71.9, Say.TOCILIZUMAB_WAIT),
    ],
)
@pytest.mark.parametrize("grade", [2, 3, 4])
def test_before_72_hours_the_label_is_named_and_nothing_is_drafted(hours: float, say: Say, grade: int) -> None:
    bedside = after_one_dose(hours, [(hours + 10, grade)])
    assert draft(bedside) is None
    assert say in bedside.says


@pytest.mark.parametrize(
    ("hours", "say"),
    [
        (7.9, Say.TOCILIZUMAB_TOO_EARLY),
        (8, Say.TOCILIZUMAB_DETERIORATED),
        (20, Say.TOCILIZUMAB_DETERIORATED),
        (71.9, Say.TOCILIZUMAB_DETERIORATED),
    ],
)
def test_who_gets_worse_gets_the_label_option_named_from_8_hours_on_and_no_draft(hours: float, say: Say) -> None:
    bedside = after_one_dose(hours, [(hours + 10, 2), (2, 3)])
    assert draft(bedside) is None
    values = bedside.values(say)
    assert (values["before"], values["now"], values["worse"]) == (2, 3, True)
    assert "orse since the last dose (grade 2 then, 3 now)" in bedside.words.replace("*", "")


@pytest.mark.parametrize(("hours", "drafted"), [(11.9, False), (12, True), (12.1, True), (30, True)])
@pytest.mark.parametrize("worse", [True, False])
def test_s_mgt_2c_a_hospital_may_repeat_sooner_for_who_gets_worse_and_for_no_one_else(
    hours: float, drafted: bool, worse: bool
) -> None:
    sooner = replace(content().protocol, repeat_when_worse=timedelta(hours=12))
    phases: Phases = [(hours + 10, 2), (2, 3)] if worse else [(hours + 10, 2)]
    bedside = after_one_dose(hours, phases, protocol=sooner)
    assert (draft(bedside) is not None) is (drafted and worse)


@pytest.mark.parametrize(("grade", "reasons"), [(2, True), (3, False), (4, False)])
def test_the_label_is_for_crs_of_grade_3_and_4(grade: int, reasons: bool) -> None:
    assert (Say.OFF_LABEL in Bedside(phases=[(20, grade)]).says) is reasons


def test_who_gets_worse_and_waited_72_hours_gets_a_second_dose() -> None:
    assert draft(after_one_dose(73, [(80, 2), (5, 3)])) is not None


def test_who_improved_gets_no_second_dose() -> None:
    bedside = after_one_dose(80, [(90, 3), (30, 2)])
    assert draft(bedside) is None
    assert Say.TOCILIZUMAB_IMPROVED in bedside.says


@pytest.mark.parametrize(
    ("cultures", "words"),
    [
        ([], "No negative blood culture is charted"),
        ([culture("drawn", 20)], "No negative blood culture is charted"),
        ([culture("negative", 5), culture("positive", 30)], "A blood culture is positive (14 Jan 06:00)"),
    ],
)
def test_a_second_dose_waits_until_infection_is_excluded(cultures: list[Any], words: str) -> None:
    bedside = after_one_dose(74, cultures=cultures)
    assert draft(bedside) is None
    assert Say.TOCILIZUMAB_INFECTION in bedside.says
    assert words in bedside.words


def test_a_second_dose_waits_when_cultures_could_not_be_read() -> None:
    bedside = after_one_dose(74, gaps={"cultures": Gap("the FHIR server did not answer")})
    assert draft(bedside) is None
    assert "Blood cultures could not all be read" in bedside.words


@pytest.mark.parametrize(
    "known",
    [
        {"diagnoses": [diagnosis("icans", 5)]},
        {"diagnoses": [diagnosis("icans-suspected", 5, "Confusion")]},
        {"scores": [score("6", 2)]},
        {"scores": [score("6", 20)]},
    ],
)
def test_no_repeat_with_icans(known: dict[str, Any]) -> None:
    bedside = after_one_dose(74, **known)
    assert draft(bedside) is None
    assert Say.TOCILIZUMAB_ICANS_REPEAT in bedside.says


@pytest.mark.parametrize(
    ("known", "condition"),
    [
        ({"scores": []}, "only if ICANS absent"),
        (
            {"cultures": [culture("negative", 20), culture("drawn", 2)]},
            "only if newer culture negative",
        ),
        (
            {"phases": [(60, 2)], "scores": []},
            "only if not improved since the last dose, ICANS absent",
        ),
    ],
)
def test_what_the_record_does_not_tell_is_a_condition_of_the_second_dose(known: dict[str, Any], condition: str) -> None:
    found = draft(after_one_dose(74, **known))
    assert found is not None
    assert (found.condition, found.recommended) == (condition, False)


def test_a_first_dose_never_waits_for_cultures_or_for_a_score() -> None:
    found = draft(Bedside(scores=[], cultures=[culture("drawn", 1)]))
    assert found is not None
    assert (found.condition, found.recommended) == ("", True)


# --- limits -----------------------------------------------------------------------------------------------------------


def test_after_two_doses_there_is_no_third_by_the_protocol() -> None:
    bedside = Bedside(phases=[(100, 2)], drugs=tocilizumab(95, 20), cultures=EXCLUDED, therapy_days=6)
    assert draft(bedside) is None
    assert Say.TOCILIZUMAB_LIMIT in bedside.says
    assert Say.TOCILIZUMAB_LABEL_LIMIT not in bedside.says


@pytest.mark.parametrize(
    ("doses", "say"), [(3, None), (4, Say.TOCILIZUMAB_LABEL_LIMIT), (5, Say.TOCILIZUMAB_LABEL_LIMIT)]
)
def test_the_label_counts_doses_of_all_episodes(doses: int, say: Say | None) -> None:
    bedside = Bedside(
        phases=[(300, 2), (250, 0), (20, 2)],
        drugs=tocilizumab(*(290 - 9 * number for number in range(doses))),
        therapy_days=14,
    )
    assert bedside.assessment.episode is not None
    assert bedside.assessment.episode.reopened
    assert (draft(bedside) is None) is (say is not None)
    if say:
        assert bedside.values(say)["label_doses"] == doses


def test_a_new_episode_starts_with_dose_1_and_asks_for_infection_first() -> None:
    bedside = Bedside(phases=[(300, 3), (250, 0), (20, 2)], drugs=tocilizumab(290, 200), therapy_days=14)
    assert bedside.values(Say.TOCILIZUMAB)["number"] == 1
    assert Say.REOPENED in bedside.says
    assert not bedside.drafts["tocilizumab"].recommended


def test_the_least_interval_holds_across_episodes() -> None:
    bedside = Bedside(phases=[(300, 3), (250, 0), (4, 2)], drugs=tocilizumab(290, 5), therapy_days=14)
    assert draft(bedside) is None
    assert Say.TOCILIZUMAB_TOO_EARLY in bedside.says


def test_a_prophylactic_dose_counts_and_what_came_after_it_is_worse() -> None:
    bedside = Bedside(phases=[(60, 0), (6, 3)], drugs=tocilizumab(30))
    assert draft(bedside) is None
    values = bedside.values(Say.TOCILIZUMAB_DETERIORATED)
    assert (values["before"], values["now"], values["doses"]) == (0, 3, 1)


def test_an_old_dose_of_another_illness_counts_for_thirty_days() -> None:
    assert Bedside(drugs=tocilizumab(29 * 24), cultures=EXCLUDED).values(Say.TOCILIZUMAB)["number"] == 2
    assert Bedside(drugs=tocilizumab(31 * 24)).values(Say.TOCILIZUMAB)["number"] == 1


# --- doubt ------------------------------------------------------------------------------------------------------------


def test_a_low_saturation_without_oxygen_gives_a_dose_only_if_oxygen_is_required() -> None:
    low = tuple(OxygenSaturation(time=ago(0), reference="Observation/s", percent=Decimal(86)) for _ in range(1))
    bedside = Bedside(phases=[(20, 1)], more={"saturations": low})
    found = draft(bedside)
    assert found is not None
    assert (found.condition, found.recommended) == ("only if oxygen is required", False)
    assert bedside.values(Say.TOCILIZUMAB)["oxygen"] is True
    assert "Apply oxygen and regrade first." in bedside.words


def test_a_low_saturation_beside_a_low_pressure_sets_no_condition() -> None:
    low = OxygenSaturation(time=ago(0), reference="Observation/s", percent=Decimal(86))
    bedside = Bedside(phases=[(20, 2)], more={"saturations": (low,)})
    found = draft(bedside)
    assert found is not None
    assert found.condition == ""
    assert bedside.values(Say.TOCILIZUMAB)["oxygen"] is False


def test_c16_a_low_saturation_on_a_vasopressor_sets_no_condition() -> None:
    low = OxygenSaturation(time=ago(0), reference="Observation/s", percent=Decimal(86))
    bedside = Bedside(phases=[(20, 3)], more={"saturations": (low,)})
    assert bedside.drafts["tocilizumab"].condition == ""


def test_4_4_a_doubtful_pressure_beside_oxygen_gives_a_dose() -> None:
    oxygen = OxygenSupport(time=ago(0), reference="Observation/o2", device="nasal-cannula", flow=Decimal(2))
    bedside = Bedside(phases=[(20, 1), (3, 2), (2, 1)], more={"oxygen": (oxygen,)})
    assert bedside.assessment.finding(Criterion.HYPOTENSION).doubts
    assert (bedside.assessment.grade, Say.RESERVATION in bedside.says) == (2, False)
    assert draft(bedside) is not None


def test_4_4_a_doubtful_vasopressor_is_grade_3_and_gives_a_dose() -> None:
    (infusion,) = Bedside(phases=[(5, 3)]).timeline.vasoactives
    doubtful = replace(infusion, flags=(Flag.ASSUMED_ZONE,))
    bedside = Bedside(phases=[(20, 1)], more={"vasoactives": (doubtful,)})
    assert bedside.assessment.finding(Criterion.HYPOTENSION).doubts
    assert (bedside.assessment.grade, Say.RESERVATION in bedside.says) == (3, False)
    assert draft(bedside) is not None


def test_s_pit_ster_3_crs_that_began_after_a_prophylactic_dose_is_not_refractory() -> None:
    assert not Bedside(phases=[(60, 0), (6, 3)], drugs=tocilizumab(30)).patient.refractory
    assert Bedside(phases=[(60, 1), (6, 3)], drugs=tocilizumab(30)).patient.refractory


def test_a_single_low_pressure_followed_by_normal_ones_gives_no_dose() -> None:
    bedside = Bedside(phases=[(20, 1), (3, 2), (2, 1)])
    assert bedside.assessment.grade == 2
    assert bedside.assessment.status == "provisional"
    assert draft(bedside) is None
    assert {Say.RESERVATION, Say.STATUS_RESERVATION} <= bedside.says


def test_an_onset_that_is_masked_gives_no_drug() -> None:
    bedside = Bedside(phases=[(20, 0), (6, 3)], fever="36.9", drugs=[given("acetaminophen", 5)])
    assert (bedside.assessment.grade, bedside.assessment.status) == (3, "provisional")
    assert set(bedside.drafts) == {"blood-cultures"}
    assert bedside.values(Say.RESERVATION)["reason"].startswith("no fever is documented; fever may be masked by")
    assert bedside.cards[2]["summary"].startswith("CRS grade 3: no drug drafted: no fever is documented")


# --- cautions ---------------------------------------------------------------------------------------------------------


def test_icans_does_not_forbid_the_first_dose_and_is_said_with_what_it_rests_on() -> None:
    bedside = Bedside(phases=[(20, 3)], scores=[score("6", 1)])
    assert draft(bedside) is not None
    assert "ICANS present (ICE 6, 11:00): tocilizumab does not treat ICANS" in bedside.words.replace("*", "")


def test_icans_and_a_positive_culture_are_said_beside_a_label_option_too() -> None:
    bedside = after_one_dose(20, scores=[score("6", 1)], cultures=[culture("positive", 3)])
    assert {Say.TOCILIZUMAB_WAIT, Say.TOCILIZUMAB_ICANS, Say.POSITIVE_CULTURE} <= bedside.says


def test_a_positive_culture_is_said_and_the_first_dose_not_recommended() -> None:
    bedside = Bedside(cultures=[culture("positive", 3)])
    found = draft(bedside)
    assert found is not None
    assert not found.recommended
    assert "A blood culture is positive (09:00): weigh serious infection" in bedside.words.replace("*", "")


@pytest.mark.parametrize(
    ("known", "reasons"),
    [
        ({"phases": [(20, 3)]}, None),
        ({}, "grade 2"),
        ({"product": "teclistamab", "window": "step-up"}, "grade 2, CRS after a bispecific antibody"),
        (
            {"phases": [(20, 3)], "birth_date": born(1), "weights": [weight("10", 1)]},
            "age under 2 years",
        ),
        ({"phases": [(20, 3)], "birth_date": born(2), "weights": [weight("12", 1)]}, None),
    ],
)
def test_use_outside_the_label_is_said_and_does_not_forbid(known: dict[str, Any], reasons: str | None) -> None:
    bedside = Bedside(**known)
    assert draft(bedside) is not None
    if reasons is None:
        assert Say.OFF_LABEL not in bedside.says
    else:
        assert bedside.values(Say.OFF_LABEL)["reasons"] == reasons


def test_late_crs_is_drafted_and_not_recommended() -> None:
    bedside = Bedside(therapy_days=41, diagnoses=[diagnosis("crs", 20)])
    assert Say.LATE_CRS in bedside.says
    found = draft(bedside)
    assert found is not None
    assert not found.recommended


def test_protocol_and_label_are_compared_whenever_a_dose_is_offered() -> None:
    values = Bedside().values(Say.LABEL_AND_PROTOCOL)
    assert (values["maximum"], values["repeat"], values["label_maximum"], values["interval"]) == (2, "72 h", 4, "8 h")

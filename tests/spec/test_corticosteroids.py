"""Corticosteroids: at once at grade 3 and 4, at grade 2 when refractory, never twice, no adult doses in a child."""

from dataclasses import replace
from datetime import date
from typing import Any

import pytest

from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Gap
from tests.bedside import (
    Bedside,
    ago,
    allergy,
    born,
    content,
    culture,
    dexamethasone,
    diagnosis,
    given,
    ordered,
    score,
    tocilizumab,
    weight,
)

EXCLUDED = [culture("negative", 3)]


def steroids(bedside: Bedside) -> dict[str, bool]:
    """Steroid orders that are drafted, and whether they are recommended."""
    drafts = bedside.drafts.items()
    return {name: draft.recommended for name, draft in drafts if draft.order.group == "corticosteroid"}


@pytest.mark.parametrize(
    ("grade", "drafted"),
    [(1, {}), (2, {}), (3, {"dexamethasone-10": True}), (4, {"dexamethasone-20": True})],
)
def test_the_dose_follows_the_grade_and_grade_1_and_2_get_none_at_first(grade: int, drafted: dict[str, bool]) -> None:
    assert steroids(Bedside(phases=[(20, grade)])) == drafted


def test_at_grade_2_it_is_said_why_there_is_none() -> None:
    assert Say.STEROID_NOT_YET in Bedside().says


@pytest.mark.parametrize(
    ("grade", "regimen"),
    [(3, "10 mg IV every 6 h for 1 to 3 days"), (4, "20 mg IV every 6 h for 3 days, then reassess")],
)
def test_dose_interval_duration_and_the_day_to_stop_or_reassess_are_said(grade: int, regimen: str) -> None:
    values = Bedside(phases=[(20, grade)]).values(Say.STEROID)
    assert (values["regimen"], values["until"]) == (regimen, ago(-72))


@pytest.mark.parametrize("product", ["axicabtagene ciloleucel", "brexucabtagene autoleucel"])
def test_after_some_products_earlier_steroids_are_named_and_not_drafted(product: str) -> None:
    bedside = Bedside(product=product)
    assert Say.STEROID_EARLY_PRODUCT in bedside.says
    assert steroids(bedside) == {}


def test_after_other_products_they_are_not_named() -> None:
    assert Say.STEROID_EARLY_PRODUCT not in Bedside(product="tisagenlecleucel").says


# --- refractory grade 2 -----------------------------------------------------------------------------------------------


def test_grade_2_without_improvement_at_72_hours_keeps_the_steroid_for_the_second_dose() -> None:
    bedside = Bedside(phases=[(90, 2)], drugs=tocilizumab(74), cultures=EXCLUDED, therapy_days=6)
    assert "tocilizumab" in bedside.drafts
    assert steroids(bedside) == {}
    assert Say.STEROID_WITH_SECOND_DOSE in bedside.says


def test_refractory_grade_2_after_two_doses_gets_a_draft_that_is_not_recommended() -> None:
    bedside = Bedside(phases=[(150, 2)], drugs=tocilizumab(145, 73), therapy_days=8)
    assert steroids(bedside) == {"dexamethasone-10": False}
    assert {Say.STEROID_REFRACTORY, Say.REFRACTORY_OPTIONS, Say.WIDEN_WORKUP} <= bedside.says


@pytest.mark.parametrize("known", [{"cultures": []}, {"cultures": EXCLUDED, "scores": [score("6", 1)]}])
def test_refractory_grade_2_whose_second_dose_is_withheld_gets_the_same(known: dict[str, Any]) -> None:
    bedside = Bedside(phases=[(90, 2)], drugs=tocilizumab(74), therapy_days=6, **known)
    assert "tocilizumab" not in bedside.drafts
    assert steroids(bedside) == {"dexamethasone-10": False}


@pytest.mark.parametrize(("hours", "drafted"), [(71.9, {}), (72, {"dexamethasone-10": False})])
def test_refractory_means_72_hours_after_the_last_dose(hours: float, drafted: dict[str, bool]) -> None:
    bedside = Bedside(phases=[(160, 2)], drugs=tocilizumab(150, hours), therapy_days=8)
    assert steroids(bedside) == drafted


def test_shortly_after_the_second_dose_nothing_more_is_offered() -> None:
    bedside = Bedside(phases=[(100, 2)], drugs=tocilizumab(80, 2), therapy_days=6)
    assert set(bedside.drafts) == {"blood-cultures"}
    assert {Say.REFRACTORY_OPTIONS, Say.WIDEN_WORKUP} & bedside.says == set()


def test_grade_2_that_improved_gets_none() -> None:
    assert steroids(Bedside(phases=[(100, 3), (30, 2)], drugs=tocilizumab(90), therapy_days=6)) == {}


# --- never twice ------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grade", [3, 4])
@pytest.mark.parametrize("agent", ["dexamethasone", "methylprednisolone"])
def test_a_steroid_that_is_given_leaves_no_second_regimen(grade: int, agent: str) -> None:
    bedside = Bedside(phases=[(20, grade)], drugs=[given(agent, 5)])
    assert steroids(bedside) == {}
    values = bedside.values(Say.STEROID_RUNNING)
    assert (values["present"], values["given"]) == (agent, True)


def test_a_steroid_that_is_ordered_leaves_no_second_regimen() -> None:
    bedside = Bedside(phases=[(20, 3)], orders=[ordered("dexamethasone", 30, "corticosteroid")])
    assert steroids(bedside) == {}
    assert bedside.values(Say.STEROID_RUNNING)["given"] is False


def test_t61_an_order_charted_twice_is_one_order() -> None:
    order = ordered("dexamethasone", 30, "corticosteroid")
    once, twice = (Bedside(phases=[(20, 3)], orders=[order] * times) for times in (1, 2))
    assert twice.advice == once.advice
    assert Say.STEROID_TWO not in twice.says


@pytest.mark.parametrize("charted", [("10", "20"), ("20", "10"), ("10", None), (None, "10")])
def test_t61_of_two_doses_at_one_time_the_higher_or_unknown_one_counts(charted: tuple[str | None, ...]) -> None:
    bedside = Bedside(phases=[(20, 4)], drugs=[given("dexamethasone", 3, mg) for mg in charted])
    assert steroids(bedside) == {}
    assert Say.STEROID_RUNNING in bedside.says


def test_a_steroid_given_long_ago_does_not_stand_in_the_way() -> None:
    assert steroids(Bedside(phases=[(20, 3)], drugs=[given("dexamethasone", 25)])) == {"dexamethasone-10": True}


@pytest.mark.parametrize(("known_since", "drafted"), [(None, False), (23, False), (24, True)])
def test_steroids_that_may_have_been_given_and_were_not_read_leave_no_draft(
    known_since: float | None, drafted: bool
) -> None:
    gap = Gap("not all pages", None if known_since is None else ago(known_since))
    bedside = Bedside(phases=[(20, 3)], gaps={"drugs": gap})
    assert bool(steroids(bedside)) is drafted


def test_an_allergy_to_dexamethasone_leaves_no_draft() -> None:
    bedside = Bedside(phases=[(20, 3)], allergies=[allergy("dexamethasone")])
    assert steroids(bedside) == {}
    assert bedside.values(Say.ALLERGY) == {"drug": "dexamethasone"}
    assert "tocilizumab" in bedside.drafts


# --- children ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("birth_date", "kilograms", "adult"),
    [
        (born(17, days=300), "70", False),
        (born(18, days=0), "70", True),
        (born(4), "16", False),
        (None, "49.9", False),
        (None, "50", True),
        (None, "70", True),
    ],
)
@pytest.mark.parametrize("grade", [3, 4])
def test_fixed_adult_doses_are_for_adults(birth_date: date | None, kilograms: str, adult: bool, grade: int) -> None:
    bedside = Bedside(phases=[(20, grade)], birth_date=birth_date, weights=[weight(kilograms)])
    assert bool(steroids(bedside)) is adult
    assert (Say.STEROID_CHILD in bedside.says) is not adult
    assert "tocilizumab" in bedside.drafts


@pytest.mark.parametrize(
    ("birth_date", "weights", "words"),
    [
        (born(6), [weight("20")], "Under 18 years: the protocol's fixed adult"),
        (None, [weight("40")], "Age not known and weight under 50 kg: the protocol's fixed adult"),
        (None, [], "Neither age nor weight is known: the protocol's fixed adult"),
    ],
)
def test_it_is_said_why_adult_doses_do_not_apply(birth_date: date | None, weights: list[Any], words: str) -> None:
    bedside = Bedside(phases=[(20, 3)], birth_date=birth_date, weights=weights)
    assert words in bedside.words
    assert "Ask a paediatric specialist" in bedside.words


def test_refractory_grade_2_in_a_child_gets_no_draft_either() -> None:
    bedside = Bedside(
        phases=[(150, 2)],
        drugs=tocilizumab(145, 73),
        therapy_days=8,
        birth_date=born(12),
        weights=[weight("40")],
    )
    assert steroids(bedside) == {}
    assert Say.STEROID_CHILD in bedside.says


# --- what comes after -------------------------------------------------------------------------------------------------


def test_other_drugs_are_named_when_tocilizumab_is_used_up_and_never_drafted() -> None:
    bedside = Bedside(phases=[(150, 4)], drugs=tocilizumab(145, 73), therapy_days=8)
    assert "siltuximab or anakinra" in bedside.words
    assert {draft.order.agent for draft in bedside.drafts.values()} <= {"dexamethasone", "blood-culture"}


@pytest.mark.parametrize("phases", [[(150, 3), (20, 2)], [(150, 3), (20, 1)]])
def test_they_are_not_named_after_an_improvement(phases: list[tuple[float, int]]) -> None:
    assert Say.REFRACTORY_OPTIONS not in Bedside(phases=phases, drugs=tocilizumab(145, 73), therapy_days=8).says


def test_late_crs_gets_no_recommended_steroid() -> None:
    bedside = Bedside(phases=[(20, 3)], therapy_days=41, diagnoses=[diagnosis("crs", 20)])
    assert steroids(bedside) == {"dexamethasone-10": False}


# --- what comes after both (S-REF-1) ----------------------------------------------------------------------------------


def options_are_named(bedside: Bedside) -> bool:
    return Say.REFRACTORY_OPTIONS in bedside.says


@pytest.mark.parametrize(("doses", "named"), [((145,), False), ((145, 80), True), ((145, 110, 80), True)])
def test_s_ref_1_options_are_named_once_no_further_tocilizumab_is_left(doses: tuple[float, ...], named: bool) -> None:
    assert options_are_named(Bedside(phases=[(150, 3)], drugs=tocilizumab(*doses), therapy_days=8)) is named


@pytest.mark.parametrize(
    ("icans", "repeat_with_icans", "named"),
    [(False, False, False), (True, False, True), (True, True, False), (False, True, False)],
)
def test_s_ref_1_icans_leaves_no_further_tocilizumab_where_the_protocol_says_so(
    icans: bool, repeat_with_icans: bool, named: bool
) -> None:
    bedside = Bedside(
        phases=[(90, 3)],
        drugs=tocilizumab(80),
        therapy_days=6,
        diagnoses=[diagnosis("icans", 5)] if icans else [],
        protocol=replace(content().protocol, repeat_with_icans=repeat_with_icans),
    )
    assert options_are_named(bedside) is named


def test_s_ref_1_icans_before_any_tocilizumab_names_no_options() -> None:
    bedside = Bedside(phases=[(40, 3)], drugs=dexamethasone("10", 30, 20, 10), diagnoses=[diagnosis("icans", 5)])
    assert not options_are_named(bedside)


@pytest.mark.parametrize(("hours", "named"), [(23.9, False), (24, True), (24.1, True)])
def test_s_ref_1_a_steroid_fails_when_nothing_is_better_after_a_day(hours: float, named: bool) -> None:
    steroid = dexamethasone("10", hours, 12, 4)
    bedside = Bedside(phases=[(150, 3)], drugs=[*tocilizumab(145, 40), *steroid], therapy_days=8)
    assert options_are_named(bedside) is named


@pytest.mark.parametrize(
    ("phases", "named"),
    [
        ([(150, 4), (20, 3)], False),  # better since the steroid, the same since the last tocilizumab
        ([(150, 3)], True),
    ],
)
def test_s_ref_1_a_steroid_that_helps_has_not_failed(phases: list[tuple[float, int]], named: bool) -> None:
    drugs = [*tocilizumab(145, 10), *dexamethasone("10", 30, 20, 6)]
    assert options_are_named(Bedside(phases=phases, drugs=drugs, therapy_days=8)) is named


def test_s_ref_1_a_steroid_fails_at_once_when_it_gets_worse() -> None:
    drugs = [*tocilizumab(145, 5), *dexamethasone("10", 10, 4)]
    assert options_are_named(Bedside(phases=[(150, 2), (8, 3)], drugs=drugs, therapy_days=8))
    assert not options_are_named(Bedside(phases=[(150, 3)], drugs=drugs, therapy_days=8))

"""Corticosteroids that are running: which, since when, what came of them, and what replaces them (S-MGT-3c, 3d, 4c)."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.regimen import Regimen
from cds_service.crs.response import Response
from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Gap, OxygenSupport
from tests.bedside import (
    Bedside,
    ago,
    allergy,
    born,
    content,
    culture,
    dexamethasone,
    given,
    ordered,
    tocilizumab,
    weight,
)


def steroids(bedside: Bedside) -> dict[str, str]:
    """Steroid drafts, and what each replaces in words; none of them may be pre-selected when it replaces another."""
    found = {}
    for name, draft in bedside.drafts.items():
        if draft.order.group == "corticosteroid":
            found[name] = draft.replaces.words if draft.replaces is not None else ""
            assert draft.replaces is None or not draft.recommended
    return found


def order_of(mg: str | None, hours: float = 5, agent: str = "dexamethasone") -> dict[str, Any]:
    return {"orders": [ordered(agent, hours, "corticosteroid", mg=mg)]}


# --- which is running -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("doses", "agent", "mg", "since"),
    [
        (dexamethasone("10", 22, 16, 10, 4), "dexamethasone", "10", 22),
        ([*dexamethasone("10", 22, 16), *dexamethasone("20", 10, 4)], "dexamethasone", "20", 10),
        ([*dexamethasone("20", 30), given("methylprednisolone", 5, "1000")], "methylprednisolone", "1000", 5),
        (dexamethasone("10", 60, 30, 6), "dexamethasone", "10", 30),
        (dexamethasone("10", 54, 30, 6), "dexamethasone", "10", 54),
        ([*dexamethasone("10", 22, 10, 4), *dexamethasone("20", 16)], "dexamethasone", "10", 10),
        ([*dexamethasone("20", 22, 16, 4), *dexamethasone("10", 4)], "dexamethasone", "20", 22),
    ],
)
def test_a_regimen_begins_with_its_first_dose_at_that_dose_without_a_day_between(
    doses: Any, agent: str, mg: str, since: float
) -> None:
    steroid = Bedside(phases=[(20, 3)], drugs=doses).course.steroid
    assert steroid is not None
    assert (steroid.agent, str(steroid.dose_mg), steroid.since) == (agent, mg, ago(since))


def test_a_course_charted_over_time_makes_no_pause_of_the_doses_charted_in_it() -> None:
    over_time = replace(given("dexamethasone", 80, "10"), until=ago(28))
    steroid = Bedside(phases=[(20, 3)], drugs=[over_time, *dexamethasone("10", 60, 6)]).course.steroid
    assert steroid is not None
    assert steroid.since == ago(80)


@pytest.mark.parametrize(
    ("agent", "mg", "weaker", "at_least"),
    [
        ("methylprednisolone", "250", True, False),
        ("methylprednisolone", "999", True, False),
        ("methylprednisolone", "1000", False, True),
        ("methylprednisolone", "1001", False, True),
        ("methylprednisolone", None, False, False),
        ("dexamethasone", "20", False, False),
    ],
)
def test_s_mgt_4c_a_regimen_is_compared_with_the_dose_an_order_begins_with(
    agent: str, mg: str | None, weaker: bool, at_least: bool
) -> None:
    regimen = Regimen(agent=agent, name=agent, dose_mg=None if mg is None else Decimal(mg), since=ago(5))
    order = content().protocol.orders["methylprednisolone"]
    assert (regimen.is_weaker_than(order), regimen.is_at_least(order)) == (weaker, at_least)


def test_the_grade_card_names_it_at_any_grade() -> None:
    bedside = Bedside(phases=[(30, 3), (8, 1)], drugs=dexamethasone("10", 20, 14, 8))
    values = bedside.values(Say.STEROID_GIVEN)
    assert (values["present"], values["since"], values["last"]) == ("dexamethasone 10 mg", ago(20), ago(8))
    assert values["response"] == Response.IMPROVED.value


# --- grade 3: worse on 10 mg ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("phases", "drafted"),
    [
        ([(20, 3)], {}),
        ([(20, 2), (2, 3)], {"dexamethasone-20-taper": "dexamethasone 10 mg"}),
        ([(20, 4), (2, 3)], {}),
    ],
)
def test_s_mgt_3c_worse_on_10_mg_at_grade_3_is_20_mg_instead(phases: Any, drafted: dict[str, str]) -> None:
    assert steroids(Bedside(phases=phases, drugs=[*tocilizumab(10), *dexamethasone("10", 10, 4)])) == drafted


def test_s_mgt_3d_the_taper_is_named_in_words_and_without_steps() -> None:
    bedside = Bedside(phases=[(20, 2), (2, 3)], drugs=[*tocilizumab(10), *dexamethasone("10", 10, 4)])
    assert "20 mg IV every 6 h for 3 days, then taper over 3 to 7 days" in bedside.words
    assert "stop dexamethasone 10 mg" in bedside.words


@pytest.mark.parametrize("mg", [None, "20"])
def test_at_grade_3_there_is_nothing_stronger_than_20_mg_nor_than_a_dose_that_is_not_known(mg: str | None) -> None:
    drugs = [given("dexamethasone", at, mg) for at in (10, 4)]
    bedside = Bedside(phases=[(20, 2), (2, 3)], drugs=[*tocilizumab(10), *drugs])
    assert steroids(bedside) == {}
    assert Say.STEROID_RUNNING in bedside.says


@pytest.mark.parametrize("phases", [[(20, 3)], [(20, 4)]])
def test_while_it_works_or_has_not_had_time_the_next_step_is_only_named(phases: Any) -> None:
    mg = "10" if phases[0][1] == 3 else "20"
    bedside = Bedside(phases=phases, drugs=[*tocilizumab(10), *dexamethasone(mg, 10, 4)])
    assert steroids(bedside) == {}
    assert Say.STEROID_NEXT in bedside.says


@pytest.mark.parametrize("mg", ["8", "10", "16", None])
@pytest.mark.parametrize(("grade", "order"), [(3, "dexamethasone-10"), (4, "dexamethasone-20")])
def test_s_mgt_3a_and_s_mgt_4a_a_premedication_is_no_treatment_and_no_reason_to_escalate(
    grade: int, order: str, mg: str | None
) -> None:
    bedside = Bedside(phases=[(24, 0), (3, grade)], drugs=[given("dexamethasone", 9, mg)])
    assert list(steroids(bedside)) == [order]
    assert "Given before CRS began: dexamethasone" in bedside.words


def test_n_10_another_corticosteroid_from_before_crs_is_for_review() -> None:
    drugs = [given("hydrocortisone", 9, "50", group="corticosteroid")]
    bedside = Bedside(phases=[(24, 0), (3, 3)], drugs=drugs)
    assert steroids(bedside) == {}
    assert Say.STEROID_RUNNING in bedside.says


# --- grade 4 ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("hours", "drafted"),
    [
        (23.9, {}),
        (24, {"methylprednisolone": "dexamethasone 20 mg"}),
        (40, {"methylprednisolone": "dexamethasone 20 mg"}),
    ],
)
def test_s_mgt_4c_no_improvement_on_20_mg_within_a_day_is_methylprednisolone(
    hours: float, drafted: dict[str, str]
) -> None:
    drugs = [*tocilizumab(hours), *dexamethasone("20", hours, hours - 12, 4)]
    assert steroids(Bedside(phases=[(60, 4)], drugs=drugs)) == drafted


def test_s_mgt_4c_worse_on_20_mg_does_not_wait_a_day() -> None:
    drugs = [*tocilizumab(10), *dexamethasone("20", 10, 4)]
    assert steroids(Bedside(phases=[(20, 3), (2, 4)], drugs=drugs)) == {"methylprednisolone": "dexamethasone 20 mg"}


def test_s_mgt_4c_better_on_20_mg_stays() -> None:
    drugs = [*tocilizumab(40), *dexamethasone("20", 40, 20, 4)]
    assert steroids(Bedside(phases=[(60, 4), (8, 3)], drugs=drugs)) == {}


def test_s_mgt_4c_whether_it_got_better_is_not_known_the_draft_says_so() -> None:
    drugs = [*tocilizumab(40), *dexamethasone("20", 40, 20, 4)]
    bedside = Bedside(phases=[(30, 4)], drugs=drugs, therapy_days=8)
    assert bedside.course.steroid is not None
    assert bedside.course.steroid.response is Response.NOT_KNOWN
    assert bedside.drafts["methylprednisolone"].condition == "only if not improved since"


def test_s_mgt_4c_where_it_is_known_that_it_got_worse_or_none_was_given_the_draft_has_no_condition() -> None:
    worse = Bedside(phases=[(20, 3), (2, 4)], drugs=[*tocilizumab(10), *dexamethasone("20", 10, 4)])
    assert worse.drafts["methylprednisolone"].condition == ""
    ordered_only = Bedside(phases=[(20, 3)], **order_of("8"))
    assert ordered_only.drafts["dexamethasone-10"].condition == ""


@pytest.mark.parametrize(
    ("mg", "drafted"), [("10", {"dexamethasone-20": "dexamethasone 10 mg"}), ("20", {}), (None, {})]
)
def test_s_mgt_4a_at_grade_4_a_lower_dose_is_replaced(mg: str | None, drafted: dict[str, str]) -> None:
    drugs = [given("dexamethasone", at, mg) for at in (10, 4)]
    assert steroids(Bedside(phases=[(20, 4)], drugs=[*tocilizumab(10), *drugs])) == drafted


def test_s_mgt_4d_the_whole_schedule_is_shown_with_dexamethasone_stopped() -> None:
    bedside = Bedside(phases=[(60, 4)], drugs=[*tocilizumab(40), *dexamethasone("20", 40, 20, 4)])
    schedule = (
        "1000 mg IV every 24 h for 3 days, then 250 mg every 12 h for 2 days, then 125 mg every 12 h for 2 days, "
    )
    assert f"{schedule}then 60 mg every 12 h for 2 days" in bedside.words
    assert "stop dexamethasone 20 mg" in bedside.words
    assert bedside.values(Say.STEROID_REPLACES)["until"] == ago(-9 * 24)


def test_s_mgt_4d_the_order_holds_all_four_stages() -> None:
    bedside = Bedside(phases=[(60, 4)], drugs=[*tocilizumab(40), *dexamethasone("20", 40, 20, 4)], **order_of("20", 45))
    (resource,) = [
        suggestion["actions"][0]["resource"]
        for card in bedside.cards
        for suggestion in card.get("suggestions", [])
        if "methylprednisolone" in suggestion["label"]
    ]
    stages = [
        (
            step["sequence"],
            step["doseAndRate"][0]["doseQuantity"]["value"],
            step["timing"]["repeat"]["period"],
            step["timing"]["repeat"]["boundsDuration"]["value"],
        )
        for step in resource["dosageInstruction"]
    ]
    assert stages == [(1, 1000, 24, 3), (2, 250, 12, 2), (3, 125, 12, 2), (4, 60, 12, 2)]
    assert sum(mg * (24 // period) * days for _, mg, period, days in stages) == 4740
    assert resource["note"] == [{"text": "Replaces dexamethasone 20 mg: stop that order when this one begins."}]
    assert resource["priorPrescription"] == {"reference": "MedicationRequest/dexamethasone-45"}


def test_on_methylprednisolone_nothing_is_drafted_and_what_is_left_is_named() -> None:
    drugs = [*tocilizumab(170, 90), *dexamethasone("20", 80, 60), given("methylprednisolone", 30, "1000")]
    drugs.append(given("methylprednisolone", 6, "1000"))
    bedside = Bedside(phases=[(180, 4)], drugs=drugs, therapy_days=9)
    assert steroids(bedside) == {}
    assert bedside.values(Say.STEROID_RUNNING)["drug"] == "methylprednisolone"
    assert Say.REFRACTORY_OPTIONS in bedside.says


# --- orders that wait -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("grade", "mg", "drafted"),
    [
        (3, "10", {}),
        (3, "8", {"dexamethasone-10": "dexamethasone 8 mg"}),
        (3, None, {}),
        (4, "10", {"dexamethasone-20": "dexamethasone 10 mg"}),
        (4, "20", {}),
    ],
)
def test_an_order_that_waits_counts_by_its_dose(grade: int, mg: str | None, drafted: dict[str, str]) -> None:
    assert steroids(Bedside(phases=[(20, grade)], **order_of(mg))) == drafted


def test_a_stronger_order_that_waits_already_leaves_no_second_draft() -> None:
    drugs = [*tocilizumab(10), *dexamethasone("10", 10, 4)]
    bedside = Bedside(phases=[(20, 2), (2, 3)], drugs=drugs, **order_of("20", 1))
    assert steroids(bedside) == {}
    assert bedside.values(Say.STEROID_TWO)["names"] == "dexamethasone 20 mg"


@pytest.mark.parametrize(
    ("hours", "mg", "drafted"),
    [
        (30, "10", True),
        (4, "10", True),
        (3.9, "10", False),
        (30, None, True),
        (1, "10", False),
        (30, "16", False),
    ],
)
def test_the_order_behind_the_doses_that_are_given_is_not_a_second_one(
    hours: float, mg: str | None, drafted: bool
) -> None:
    drugs = [*tocilizumab(10), *dexamethasone("10", 10, 4)]
    bedside = Bedside(phases=[(20, 2), (2, 3)], drugs=drugs, **order_of(mg, hours))
    assert bool(steroids(bedside)) is drafted


# --- who may not have it ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "patient",
    [
        {"birth_date": born(17), "weights": [weight("60")]},
        {"birth_date": None, "weights": [weight("49.9")]},
        {"birth_date": None, "weights": []},
    ],
)
@pytest.mark.parametrize("mg", ["10", "20"])
def test_n_09_no_adult_escalation_for_a_child(patient: dict[str, Any], mg: str) -> None:
    drugs = [*tocilizumab(40), *dexamethasone(mg, 40, 20, 4)]
    bedside = Bedside(phases=[(60, 4)], drugs=drugs, **patient)
    assert steroids(bedside) == {}
    assert Say.STEROID_CHILD in bedside.says
    assert Say.STEROID_NEXT not in bedside.says


def test_n_17_no_methylprednisolone_with_an_allergy_to_it() -> None:
    drugs = [*tocilizumab(40), *dexamethasone("20", 40, 20, 4)]
    bedside = Bedside(phases=[(60, 4)], drugs=drugs, allergies=[allergy("methylprednisolone")])
    assert steroids(bedside) == {}
    assert bedside.values(Say.ALLERGY) == {"drug": "methylprednisolone"}


def test_doses_that_may_not_all_be_read_leave_no_escalation() -> None:
    drugs = [*tocilizumab(40), *dexamethasone("20", 40, 20, 4)]
    assert steroids(Bedside(phases=[(60, 4)], drugs=drugs, gaps={"drugs": Gap("not all pages", ago(20))})) == {}


# --- grade 2 ----------------------------------------------------------------------------------------------------------


def with_oxygen(hours: float) -> dict[str, Any]:
    """A new sign at grade 2: worse than at the dose, at the same grade."""
    support = OxygenSupport(time=ago(hours), reference="Observation/o2", device="nasal-cannula", flow=Decimal(2))
    return {"oxygen": (support,)}


def test_s_mgt_2e_worse_with_the_second_dose_is_dexamethasone_too() -> None:
    bedside = Bedside(
        phases=[(90, 2)], drugs=tocilizumab(74), cultures=[culture("negative", 3)], therapy_days=6, more=with_oxygen(0)
    )
    assert "tocilizumab" in bedside.drafts
    assert steroids(bedside) == {"dexamethasone-10": ""}


def test_s_mgt_2e_worse_before_a_second_dose_may_be_given_names_it_only() -> None:
    bedside = Bedside(phases=[(20, 2)], drugs=tocilizumab(10), more=with_oxygen(0))
    assert steroids(bedside) == {}
    assert "Worse: consider dexamethasone 10 mg IV every 6 h for 1 to 3 days with the second dose" in bedside.words


def test_s_mgt_2e_worse_with_a_second_dose_ordered_is_dexamethasone_too() -> None:
    bedside = Bedside(
        phases=[(20, 2)],
        drugs=tocilizumab(10),
        more=with_oxygen(0),
        orders=[ordered("tocilizumab", 1, "il6-blocker")],
    )
    assert steroids(bedside) == {"dexamethasone-10": ""}


@pytest.mark.parametrize(("hours", "drafted"), [(71.9, {}), (72, {"dexamethasone-10": ""})])
def test_s_pit_ster_3_without_a_second_dose_a_steroid_is_offered_from_72_hours_on(
    hours: float, drafted: dict[str, str]
) -> None:
    assert steroids(Bedside(phases=[(90, 2)], drugs=tocilizumab(hours), therapy_days=6)) == drafted


@pytest.mark.parametrize(("doses", "drafted"), [((20,), False), ((95, 20), True), ((95, 50, 20), True)])
def test_s_pit_ster_3_who_gets_worse_waits_for_a_second_dose_only_while_one_is_left(
    doses: tuple[float, ...], drafted: bool
) -> None:
    bedside = Bedside(phases=[(100, 2)], drugs=tocilizumab(*doses), therapy_days=6, more=with_oxygen(0))
    assert bool(steroids(bedside)) is drafted


# --- what is said -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("grade", "ends"), [(3, False), (4, True)])
def test_s_mgt_3a_and_s_mgt_4a_whether_more_follows_the_last_day_is_said(grade: int, ends: bool) -> None:
    assert Bedside(phases=[(20, grade)]).values(Say.STEROID)["ends"] is ends


def test_s_mgt_4d_after_the_last_stage_the_schedule_ends() -> None:
    bedside = Bedside(phases=[(60, 4)], drugs=[*tocilizumab(40), *dexamethasone("20", 40, 20, 4)])
    assert bedside.values(Say.STEROID_REPLACES)["ends"] is True


def test_the_time_of_a_running_steroid_is_that_of_its_last_dose_and_of_an_order_its_own() -> None:
    running = Bedside(phases=[(20, 3)], drugs=dexamethasone("10", 16, 10, 4)).values(Say.STEROID_RUNNING)
    assert (running["time"], running["since"]) == (ago(4), ago(16))
    assert Bedside(phases=[(20, 3)], **order_of("10", 5)).values(Say.STEROID_RUNNING)["time"] == ago(5)


@pytest.mark.parametrize(("grade", "mg", "within"), [(3, "10", ""), (4, "20", "24 h")])
def test_s_mgt_3c_and_s_mgt_4c_what_would_come_next_is_said_with_its_time(grade: int, mg: str, within: str) -> None:
    drugs = [*tocilizumab(10), *dexamethasone(mg, 10, 4)]
    assert Bedside(phases=[(20, grade)], drugs=drugs).values(Say.STEROID_NEXT)["within"] == within


def test_n_10_of_two_orders_that_wait_the_newer_is_named_and_no_third_is_drafted() -> None:
    orders = [ordered("dexamethasone", hours, "corticosteroid", mg=mg) for hours, mg in ((9, "8"), (5, "6"))]
    bedside = Bedside(phases=[(20, 3)], orders=orders)
    assert steroids(bedside) == {}
    assert bedside.values(Say.STEROID_RUNNING)["present"] == "dexamethasone 6 mg"
    assert bedside.values(Say.STEROID_TWO)["names"] == "dexamethasone 8 mg"

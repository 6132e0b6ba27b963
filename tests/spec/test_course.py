"""The course: doses counted, orders that wait, the response to the last dose, cultures, neurotoxicity."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.course import Course
from cds_service.crs.cultures import Cultures
from cds_service.crs.neurotoxicity import Icans, neurotoxicity_of
from cds_service.crs.response import Response, response_since
from cds_service.crs.timeline import Gap, OxygenSupport, Temperature
from tests.bedside import Bedside, ago, allergy, content, culture, diagnosis, given, ordered, score, tocilizumab
from tests.spec.patients import SCALE, assessed, drug, febrile, patient, pressure

LOW_FLOW = tuple(
    OxygenSupport(time=ago(hours), reference="Observation/o2", device="nasal-cannula", flow=Decimal(3))
    for hours in (2, 1, 0)
)


def course(**known: Any) -> Course:
    return Bedside(**known).course


def test_without_any_treatment_the_course_is_empty() -> None:
    found = course()
    assert (found.doses, found.doses_for_label, found.last_dose, found.open_order) == ((), (), None, None)
    assert found.response is Response.NOT_KNOWN
    assert found.since_last_dose(ago(0)) is None
    assert found.cultures == Cultures()


def test_every_brand_and_route_counts_as_a_dose() -> None:
    drugs = [given("tocilizumab", 80, name="Actemra"), given("tocilizumab", 9, name="Tyenne subcutaneous")]
    found = course(phases=[(100, 2)], drugs=drugs)
    assert [drug.name for drug in found.doses] == ["Actemra", "Tyenne subcutaneous"]


def test_the_same_instant_charted_twice_is_one_dose() -> None:
    drugs = [given("tocilizumab", 9, name="400 mg vial"), given("tocilizumab", 9, name="200 mg vial")]
    assert len(course(drugs=drugs).doses) == 1


@pytest.mark.parametrize(("days", "counted"), [(0, 1), (29.9, 1), (30, 1), (30.1, 0)])
def test_doses_count_for_thirty_days(days: float, counted: int) -> None:
    found = course(drugs=tocilizumab(days * 24))
    assert len(found.doses_for_label) == len(found.doses) == counted


def test_an_earlier_episode_counts_for_the_label_and_not_for_the_protocol() -> None:
    found = course(phases=[(200, 2), (150, 0), (20, 2)], drugs=tocilizumab(190, 180, 9), therapy_days=9)
    assert len(found.doses_for_label) == 3
    assert [drug.time for drug in found.doses] == [ago(9)]
    assert found.last_dose is not None
    assert found.last_dose.time == ago(9)


@pytest.mark.parametrize(("hours", "counted"), [(20.1, 0), (20, 1), (19.9, 1)])
def test_4_5_a_dose_from_the_onset_of_this_episode_on_is_of_this_episode(hours: float, counted: int) -> None:
    found = course(phases=[(200, 2), (150, 0), (20, 2)], drugs=tocilizumab(hours), therapy_days=9)
    assert len(found.doses) == counted


def test_after_an_earlier_episode_the_response_is_to_doses_of_this_one_only() -> None:
    found = course(phases=[(200, 3), (150, 0), (20, 2)], drugs=tocilizumab(190), therapy_days=9)
    assert found.doses == ()
    assert found.response is Response.NOT_KNOWN
    assert found.since_last_dose(ago(0)) is None
    assert found.last_dose is not None


@pytest.mark.parametrize(
    ("phases", "response", "at_dose"),
    [
        ([(20, 2)], Response.UNCHANGED, 2),
        ([(20, 2), (6, 1)], Response.IMPROVED, 2),
        ([(20, 2), (6, 3)], Response.DETERIORATED, 2),
        ([(20, 3), (6, 4)], Response.DETERIORATED, 3),
        ([(20, 4), (6, 3)], Response.IMPROVED, 4),
        ([(20, 0), (6, 2)], Response.DETERIORATED, 0),
    ],
)
def test_the_response_is_the_grade_now_against_the_grade_at_the_dose(
    phases: list[tuple[float, int]], response: Response, at_dose: int
) -> None:
    found = course(phases=phases, drugs=tocilizumab(10))
    assert (found.response, found.grade_at_dose) == (response, at_dose)


def test_the_response_is_that_to_the_last_dose() -> None:
    found = course(phases=[(40, 2), (20, 3)], drugs=tocilizumab(30, 10))
    assert (found.response, found.grade_at_dose) == (Response.UNCHANGED, 3)


def test_a_dose_before_the_therapy_was_given_at_grade_0() -> None:
    found = course(phases=[(20, 2)], drugs=tocilizumab(30), therapy_days=1)
    assert (found.response, found.grade_at_dose) == (Response.DETERIORATED, 0)


def test_a_prophylactic_dose_under_premedication_was_given_at_grade_0() -> None:
    drugs = [given("dexamethasone", 11), *tocilizumab(10)]
    found = course(phases=[(20, 0), (6, 2)], drugs=drugs)
    assert (found.response, found.grade_at_dose) == (Response.DETERIORATED, 0)


def test_a_dose_does_not_mask_the_fever_that_was_not_there_when_it_was_given() -> None:
    fever = Temperature(time=ago(1), reference="Observation/t", celsius=Decimal("38.6"))
    found = course(phases=[(20, 2)], fever="36.8", drugs=tocilizumab(10), more={"temperatures": (fever,)})
    assert (found.response, found.grade_at_dose) == (Response.DETERIORATED, 0)


def test_a_dose_at_a_grade_with_a_masked_fever_was_given_for_crs() -> None:
    drugs = [given("dexamethasone", 11), *tocilizumab(10)]
    found = course(phases=[(20, 3)], fever="36.9", drugs=drugs)
    assert (found.response, found.grade_at_dose) == (Response.UNCHANGED, 3)


def test_a_dose_at_a_masked_fever_with_something_unknown_was_given_at_no_known_grade() -> None:
    drugs = [given("dexamethasone", 11), *tocilizumab(10)]
    found = course(phases=[(20, 0), (6, 2)], drugs=drugs, gaps={"oxygen": Gap("not read")})
    assert (found.response, found.grade_at_dose) == (Response.NOT_KNOWN, None)


def test_a_new_sign_at_the_same_grade_is_worse() -> None:
    found = course(phases=[(20, 2)], drugs=tocilizumab(10), more={"oxygen": LOW_FLOW})
    assert (found.response, found.grade_at_dose) == (Response.DETERIORATED, 2)


def test_a_second_vasopressor_at_the_same_grade_is_worse() -> None:
    more = Bedside(phases=[(5, 3)]).timeline.vasoactives
    vasopressin = tuple(replace(drug, agent="vasopressin", role="vasopressin") for drug in more)
    found = course(phases=[(20, 3)], drugs=tocilizumab(10), more={"vasoactives": vasopressin})
    assert found.grade_at_dose == 3
    assert found.response is Response.DETERIORATED


def on(device: str, flow: str | None, *hours: float) -> tuple[OxygenSupport, ...]:
    litres = Decimal(flow) if flow is not None else None
    return tuple(OxygenSupport(time=ago(at), reference="Observation/o2", device=device, flow=litres) for at in hours)


@pytest.mark.parametrize(
    ("flow", "response"), [("2", Response.DETERIORATED), (None, Response.NOT_KNOWN)], ids=["known", "flow not charted"]
)
def test_a_sign_that_was_known_at_the_dose_can_get_worse_though_another_was_not(
    flow: str | None, response: Response
) -> None:
    oxygen = (*on("nasal-cannula", flow, 11, 10), *on("simple-mask", None, 1, 0))
    bedside = Bedside(
        phases=[(20, 1)],
        drugs=tocilizumab(10),
        gaps={"vasoactives": Gap("not read")},
        more={"oxygen": oxygen},
    )
    assert (bedside.course.grade_at_dose, bedside.assessment.grade) == (2, 3)
    assert bedside.course.response is response


def test_what_is_missing_at_the_dose_is_no_lack_of_improvement() -> None:
    found = course(drugs=tocilizumab(10), gaps={"oxygen": Gap("not all pages", ago(4))})
    assert found.response in (Response.UNCHANGED, Response.NOT_KNOWN)
    hidden = course(drugs=tocilizumab(10), gaps={"oxygen": Gap("not read")})
    assert hidden.response is Response.NOT_KNOWN


def test_c13_a_sign_that_was_not_known_at_the_dose_is_neither_worse_nor_better_now() -> None:
    bedside = Bedside(
        phases=[(20, 1)],
        drugs=tocilizumab(10),
        gaps={"oxygen": Gap("not all pages", ago(4))},
        more={"oxygen": LOW_FLOW},
    )
    assert bedside.assessment.grade == 2
    assert (bedside.course.response, bedside.course.grade_at_dose) == (Response.NOT_KNOWN, 1)


def test_c13_a_dose_given_when_only_the_temperature_was_not_known_was_given_at_no_known_grade() -> None:
    found = course(phases=[(20, 0), (6, 2)], drugs=tocilizumab(10), gaps={"temperatures": Gap("one page", ago(9))})
    assert (found.response, found.grade_at_dose) == (Response.NOT_KNOWN, None)


def test_what_is_missing_now_is_no_improvement() -> None:
    bedside = Bedside(
        phases=[(20, 3), (6, 1)], drugs=tocilizumab(10), gaps={"pressures": Gap("not read"), "oxygen": Gap("not read")}
    )
    assert bedside.assessment.is_floor
    assert bedside.course.response is Response.NOT_KNOWN


def test_a_dose_at_an_instant_that_cannot_be_graded_gives_no_response() -> None:
    found = course(phases=[(20, 2)], drugs=tocilizumab(40))
    assert (found.response, found.grade_at_dose) == (Response.NOT_KNOWN, None)


@pytest.mark.parametrize(("order_at", "waits"), [(11, False), (10, False), (9, True)])
def test_an_order_newer_than_the_last_dose_is_still_open(order_at: float, waits: bool) -> None:
    orders = [ordered("tocilizumab", order_at, "il6-blocker")]
    assert (course(drugs=tocilizumab(10), orders=orders).open_order is not None) is waits


def test_the_newest_order_after_the_last_dose_is_the_open_one() -> None:
    orders = [ordered("tocilizumab", at, "il6-blocker", name=f"{at} h") for at in (20, 8, 3)]
    found = course(drugs=tocilizumab(30, 10), orders=orders).open_order
    assert found is not None
    assert found.name == "3 h"
    assert course(drugs=tocilizumab(30, 10), orders=orders[:1]).open_order is None


def test_an_order_without_any_dose_is_open() -> None:
    assert course(orders=[ordered("tocilizumab", 200, "il6-blocker")]).open_order is not None


@pytest.mark.parametrize(("hours", "running"), [(0, True), (12, True), (24, True), (24.1, False)])
def test_a_steroid_given_within_a_day_is_running_once_a_day_too(hours: float, running: bool) -> None:
    assert (course(drugs=[given("dexamethasone", hours)]).steroid is not None) is running


def test_a_steroid_that_is_ordered_is_known() -> None:
    found = course(orders=[ordered("methylprednisolone", 1, "corticosteroid")])
    assert found.steroid is None
    (waiting,) = found.steroid_orders
    assert (waiting.agent, waiting.last) == ("methylprednisolone", None)


@pytest.mark.parametrize(("hours", "active"), [(-0.1, False), (0, True), (12, True), (12.1, False)])
def test_an_antibiotic_is_active_for_twelve_hours_or_while_it_is_ordered(hours: float, active: bool) -> None:
    assert (course(drugs=[given("cefepime", hours)]).antibiotic is not None) is active
    assert course(orders=[ordered("cefepime", 40, "antibiotic")]).antibiotic is not None


def test_the_antibiotic_that_was_given_or_ordered_last_is_named() -> None:
    drugs = [given("cefepime", 6), given("meropenem", 2, group="antibiotic")]
    last = course(drugs=drugs).antibiotic
    assert last is not None
    assert last.name == "meropenem"
    orders = [ordered(name, hours, "antibiotic") for name, hours in (("cefepime", 6), ("meropenem", 2))]
    waiting = course(orders=orders).antibiotic
    assert waiting is not None
    assert waiting.name == "meropenem"


@pytest.mark.parametrize(
    ("step", "hours", "taken"),
    [("ordered", 0, True), ("drawn", 24, True), ("drawn", 24.1, False), ("negative", 2, False), ("positive", 2, False)],
)
def test_only_a_culture_ordered_or_drawn_in_the_look_back_is_taken(step: str, hours: float, taken: bool) -> None:
    assert (course(cultures=[culture(step, hours)]).cultures.taken is not None) is taken


@pytest.mark.parametrize(
    ("charted", "excluded"),
    [
        ([], False),
        ([("drawn", 70)], False),
        ([("negative", 2)], True),
        ([("negative", 72)], True),
        ([("negative", 72.1)], False),
        ([("negative", 2), ("positive", 30)], False),
        ([("negative", 2), ("positive", 72)], False),
        ([("negative", 2), ("positive", 72.1)], True),
        ([("positive", 2)], False),
        ([("negative", 20), ("drawn", 2)], True),
    ],
)
def test_infection_is_excluded_by_a_negative_result_and_no_positive_one(
    charted: list[tuple[str, float]], excluded: bool
) -> None:
    assert course(cultures=[culture(*item) for item in charted]).cultures.exclude_infection is excluded


def test_results_since_a_day_before_the_last_dose_count() -> None:
    found = course(phases=[(120, 2)], drugs=tocilizumab(100), cultures=[culture("negative", 110)], therapy_days=6)
    assert found.cultures.exclude_infection


def test_a_negative_result_excludes_nothing_when_others_could_not_be_read() -> None:
    found = course(cultures=[culture("negative", 2)], gaps={"cultures": Gap("not read")})
    assert not found.cultures.exclude_infection
    assert found.cultures.unread == "not read"


@pytest.mark.parametrize(("hours", "excluded"), [(124, True), (124.1, False)])
def test_c27_results_count_from_a_day_before_the_last_of_several_doses(hours: float, excluded: bool) -> None:
    cultures = [culture("negative", hours)]
    found = course(phases=[(160, 2)], drugs=tocilizumab(150, 100), cultures=cultures, therapy_days=8)
    assert found.cultures.exclude_infection is excluded


def test_c27_of_several_cultures_the_last_is_named() -> None:
    cultures = [culture("negative", 40), culture("drawn", 20), culture("ordered", 2)]
    found = course(cultures=cultures).cultures
    assert found.taken == found.pending == cultures[-1]


def test_c27_a_culture_charted_with_its_negative_result_is_not_pending() -> None:
    assert course(cultures=[culture("drawn", 20), culture("negative", 20)]).cultures.pending is None


def test_c27_a_culture_drawn_after_the_blood_of_the_negative_one_is_pending_though_before_its_result() -> None:
    cultures = [culture("drawn", 40), culture("negative", 20, drawn=60)]
    assert course(cultures=cultures).cultures.pending is cultures[0]


@pytest.mark.parametrize(("drawn", "excluded"), [(72, True), (72.1, False)])
def test_c27_a_late_result_of_blood_drawn_long_ago_excludes_nothing(drawn: float, excluded: bool) -> None:
    found = course(cultures=[culture("negative", 2, drawn=drawn)]).cultures
    assert found.exclude_infection is excluded


def test_a_culture_taken_after_the_negative_result_is_pending() -> None:
    assert course(cultures=[culture("drawn", 30), culture("negative", 20)]).cultures.pending is None
    later = course(cultures=[culture("negative", 20), culture("drawn", 2)]).cultures.pending
    assert later is not None
    assert later.time == ago(2)


@pytest.mark.parametrize(
    ("known", "icans"),
    [
        ({"scores": []}, Icans.NOT_RECORDED),
        ({"scores": [score("10", 0)]}, Icans.ABSENT),
        ({"scores": [score("10", 12)]}, Icans.ABSENT),
        ({"scores": [score("10", 12.1)]}, Icans.NOT_RECORDED),
        ({"scores": [score("9", 12)]}, Icans.PRESENT),
        ({"scores": [score("6", 14)]}, Icans.SUSPECTED),
        ({"scores": [score("6", 14), score("10", 1)]}, Icans.ABSENT),
        ({"scores": [score("6", 72)]}, Icans.SUSPECTED),
        ({"scores": [score("6", 72.1)]}, Icans.NOT_RECORDED),
        ({"scores": [score("6", -0.1)]}, Icans.NOT_RECORDED),
        ({"scores": [score("8", 1, "capd-score")]}, Icans.ABSENT),
        ({"scores": [score("9", 1, "capd-score")]}, Icans.PRESENT),
        ({"scores": [score("9", 1), score("10", 1)]}, Icans.PRESENT),
        ({"scores": [score("10", 1), score("9", 1)]}, Icans.PRESENT),
        ({"scores": [score("9", 1, "capd-score"), score("10", 1)]}, Icans.PRESENT),
        ({"scores": [score("10", 1, "capd-score")]}, Icans.PRESENT),
        ({"diagnoses": [diagnosis("icans", 0)]}, Icans.PRESENT),
        ({"diagnoses": [diagnosis("icans", 72)]}, Icans.PRESENT),
        ({"diagnoses": [diagnosis("icans", 72.1)]}, Icans.ABSENT),
        ({"diagnoses": [diagnosis("icans", -0.1)]}, Icans.ABSENT),
        ({"diagnoses": [diagnosis("icans-suspected", 5)]}, Icans.SUSPECTED),
        ({"scores": [], "diagnoses": [diagnosis("hlh", 5)]}, Icans.NOT_RECORDED),
        ({"scores": [score("3", 1, "crs-grade")]}, Icans.NOT_RECORDED),
    ],
)
def test_icans_is_a_coded_diagnosis_an_abnormal_score_or_a_finding_since_the_therapy(
    known: dict[str, Any], icans: Icans
) -> None:
    assert course(**known).neurotoxicity.icans is icans


@pytest.mark.parametrize("kind", ["icans", "icans-suspected"])
def test_s_pit_icans_1_of_several_signs_the_last_is_named(kind: str) -> None:
    found = course(diagnoses=[diagnosis(kind, 20, "confusion"), diagnosis(kind, 5, "seizure")]).neurotoxicity
    assert (found.figures["basis"], found.figures["since"]) == ("seizure", ago(5))


def test_allergies_are_no_part_of_the_course_and_block_by_agent() -> None:
    patient = Bedside(allergies=[allergy("dexamethasone")]).patient
    assert patient.allergic_to(patient.protocol.orders["dexamethasone-10"])
    assert not patient.allergic_to(patient.protocol.orders["tocilizumab"])


def test_without_a_grade_now_the_response_to_a_dose_is_not_known() -> None:
    ungraded = patient(pressure(84))
    assert response_since(ungraded, assessed(ungraded), SCALE, drug("tocilizumab", "5 h")) == (Response.NOT_KNOWN, None)


def test_where_no_icans_is_charted_there_is_nothing_that_it_rests_on() -> None:
    well = febrile()
    figures = neurotoxicity_of(well, assessed(well), content().protocol).figures
    assert (figures["basis"], figures["since"]) == ("", None)

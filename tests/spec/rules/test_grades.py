"""S-GRADE: the grade by fever, hypotension and hypoxia, each boundary below, at, above, and with something unknown."""

import pytest

from cds_service.crs.assessment import Criterion
from cds_service.crs.timeline import Fact
from tests.spec.patients import (
    afebrile,
    assessed,
    diagnosis,
    drug,
    febrile,
    infusion,
    known_since,
    outcome,
    oxygen,
    patient,
    pressure,
    room_air,
    saturation,
    temperature,
    unread,
)

Facts = tuple[Fact, ...]
NORMAL = (pressure(120), saturation(97), room_air())
NOREPINEPHRINE = infusion("norepinephrine")


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ((temperature("37.9"), *NORMAL), "no-crs 0"),
        ((temperature("38.0"), *NORMAL), "graded 1"),
        ((temperature("38.1"), *NORMAL), "graded 1"),
        (NORMAL, "indeterminate"),
        ((temperature("38.0"), pressure(120)), "provisional 1 or higher"),
    ],
)
def test_s_grade_1_fever_alone_is_grade_1(facts: Facts, grade: str) -> None:
    assert outcome(patient(*facts)) == grade


@pytest.mark.parametrize(
    ("age", "systolic", "grade"),
    [
        ("55 y", 91, "graded 1"),
        ("55 y", 90, "graded 1"),
        ("55 y", 89, "graded 2"),
        ("10 y", 90, "graded 1"),
        ("10 y", 89, "graded 2"),
        ("5 y", 80, "graded 1"),
        ("5 y", 79, "graded 2"),
        ("1 y", 72, "graded 1"),
        ("1 y", 71, "graded 2"),
        ("60 d", 70, "graded 1"),
        ("60 d", 69, "graded 2"),
        ("27 d", 60, "graded 1"),
        ("27 d", 59, "graded 2"),
        (None, 89, "provisional 2"),
    ],
)
def test_s_grade_2a_a_systolic_pressure_below_that_of_the_age_is_grade_2(
    age: str | None, systolic: int, grade: str
) -> None:
    assert outcome(febrile(pressure(systolic), age=age)) == grade


def test_s_grade_2a_an_unknown_pressure_is_a_floor_and_not_grade_1() -> None:
    assert outcome(patient(temperature("39.0"), saturation(97), room_air())) == "provisional 1 or higher"


@pytest.mark.parametrize(
    ("support", "grade"),
    [
        (oxygen("nasal-cannula", "5.9"), "graded 2"),
        (oxygen("nasal-cannula", "6"), "graded 2"),
        (oxygen("nasal-cannula", "6.0"), "graded 2"),
        (oxygen("nasal-cannula", "6.1"), "graded 3"),
        (oxygen("blow-by"), "graded 2"),
        (room_air(), "graded 1"),
        (oxygen("nasal-cannula"), "provisional 2 or higher"),
    ],
)
def test_s_grade_2b_and_s_grade_3b_low_flow_is_grade_2_up_to_6_l_per_min_and_above_it_grade_3(
    support: Fact, grade: str
) -> None:
    assert outcome(febrile(support)) == grade


def test_s_grade_2b_and_s_grade_3b_oxygen_that_is_not_known_is_a_floor() -> None:
    assert outcome(patient(temperature("39.0"), pressure(120), saturation(97))) == "provisional 1 or higher"


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ((pressure(86),), "graded 2"),
        ((oxygen("nasal-cannula", "2"),), "graded 2"),
        ((pressure(86), oxygen("nasal-cannula", "2")), "graded 2"),
        ((pressure(90), oxygen("nasal-cannula", "2")), "graded 2"),
        ((pressure(90), room_air()), "graded 1"),
    ],
)
def test_s_grade_2ab_either_suffices_and_both_are_no_more(facts: Facts, grade: str) -> None:
    assert outcome(febrile(*facts)) == grade


def test_s_grade_2ab_with_the_other_sign_unknown_it_is_a_floor() -> None:
    assert outcome(patient(temperature("39.0"), pressure(86))) == "provisional 2 or higher"


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ((pressure(118),), "graded 1"),
        ((NOREPINEPHRINE, pressure(118)), "graded 3"),
        ((NOREPINEPHRINE, pressure(80)), "graded 3"),
        ((infusion("norepinephrine", "5 h", "3 h"), pressure(118)), "graded 1"),
        ((NOREPINEPHRINE, infusion("vasopressin")), "graded 3"),
        ((infusion("vasopressin"),), "graded 3"),
        ((infusion("dobutamine"),), "graded 1"),
    ],
)
def test_s_grade_3a_one_running_vasopressor_is_grade_3_whatever_the_pressure(facts: Facts, grade: str) -> None:
    assert outcome(febrile(*facts)) == grade


def test_s_grade_3a_and_s_grade_4a_vasopressors_that_could_not_be_read_are_a_floor() -> None:
    assert outcome(febrile(pressure(120), gaps=unread("vasoactives"))) == "provisional 1 or higher"
    assert outcome(febrile(NOREPINEPHRINE, gaps=known_since("1 h", "vasoactives"))) == "provisional 3 or higher"


@pytest.mark.parametrize("flow", [None, "2", "5", "6", "15"])
@pytest.mark.parametrize(
    "device", ["simple-mask", "venturi", "non-rebreather", "partial-rebreather", "high-flow-nasal-cannula"]
)
def test_s_grade_3c_a_mask_or_a_high_flow_cannula_is_grade_3_whatever_the_flow(device: str, flow: str | None) -> None:
    assert outcome(febrile(oxygen(device, flow))) == "graded 3"


@pytest.mark.parametrize(
    ("support", "grade"),
    [
        (oxygen("nasal-cannula", "5"), "graded 2"),
        (oxygen("cpap"), "graded 4"),
        (oxygen("an unheard-of mask"), "provisional 1 or higher"),
        (oxygen("an unheard-of mask", "8"), "provisional 3"),
    ],
)
def test_s_grade_3c_what_is_no_face_mask_is_graded_by_what_it_is(support: Fact, grade: str) -> None:
    assert outcome(febrile(support)) == grade


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ((NOREPINEPHRINE,), "graded 3"),
        ((NOREPINEPHRINE, infusion("phenylephrine")), "graded 4"),
        ((NOREPINEPHRINE, infusion("phenylephrine"), infusion("epinephrine")), "graded 4"),
        ((NOREPINEPHRINE, infusion("vasopressin")), "graded 3"),
        ((NOREPINEPHRINE, infusion("phenylephrine"), infusion("vasopressin")), "graded 4"),
        ((NOREPINEPHRINE, infusion("norepinephrine", "1 h")), "graded 3"),
        ((NOREPINEPHRINE, infusion("dobutamine")), "graded 3"),
        ((NOREPINEPHRINE, infusion("phenylephrine", "4 h", "2 h")), "graded 3"),
    ],
)
def test_s_grade_4a_two_vasopressors_without_vasopressin_are_grade_4(facts: Facts, grade: str) -> None:
    assert outcome(febrile(*facts)) == grade


@pytest.mark.parametrize("device", ["cpap", "bilevel", "positive-pressure", "intubation", "ventilator"])
def test_s_grade_4b_positive_pressure_is_grade_4(device: str) -> None:
    assert outcome(febrile(oxygen(device))) == "graded 4"


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ((oxygen("non-rebreather"),), "graded 3"),
        ((oxygen("cpap"), diagnosis("home-positive-pressure")), "provisional 1"),
        ((oxygen("bilevel"), diagnosis("home-positive-pressure")), "graded 4"),
        ((oxygen("bilevel", when="4 h"),), "graded 4"),
        ((oxygen("bilevel", when="4 h 1 min"),), "provisional 1 or higher"),
    ],
)
def test_s_grade_4b_what_is_no_positive_pressure_for_hypoxia_is_not_and_what_is_stale_is_not_known(
    facts: Facts, grade: str
) -> None:
    assert outcome(febrile(*facts)) == grade


@pytest.mark.parametrize("celsius", ["38.0", "39.0", "40.5", "42.0"])
def test_s_grade_4_lit_no_fever_is_high_enough_for_grade_4(celsius: str) -> None:
    assert outcome(febrile(temperature(celsius))) == "graded 1"
    assert outcome(patient(temperature(celsius))) == "provisional 1 or higher"
    assert outcome(febrile(temperature(celsius), oxygen("ventilator"))) == "graded 4"


HYPOTENSION: dict[int, Facts] = {1: (), 2: (pressure(86),), 3: (NOREPINEPHRINE,)}
HYPOTENSION[4] = (NOREPINEPHRINE, infusion("phenylephrine"))
HYPOXIA: dict[int, Facts] = {1: (), 2: (oxygen("nasal-cannula", "2"),), 3: (oxygen("simple-mask"),)}
HYPOXIA[4] = (oxygen("ventilator"),)
PAIRS = [(hypotension, hypoxia) for hypotension in HYPOTENSION for hypoxia in HYPOXIA]


@pytest.mark.parametrize(("hypotension", "hypoxia"), PAIRS)
def test_s_grade_max_the_graver_sign_is_the_grade_and_not_the_sum(hypotension: int, hypoxia: int) -> None:
    assert outcome(febrile(*HYPOTENSION[hypotension], *HYPOXIA[hypoxia])) == f"graded {max(hypotension, hypoxia)}"


def test_s_grade_max_with_one_sign_unknown_the_other_is_a_floor_unless_nothing_is_graver() -> None:
    known = (temperature("39.0"), oxygen("ventilator"))
    assert outcome(patient(*known)) == "graded 4"
    assert outcome(patient(temperature("39.0"), oxygen("simple-mask"))) == "provisional 3 or higher"


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ((temperature("37.9"), pressure(80), oxygen("ventilator")), "no-crs 0"),
        ((temperature("38.0"), pressure(80), oxygen("ventilator")), "graded 4"),
        ((temperature("39.0", "25 h"), temperature("37.0"), pressure(80), *NORMAL[1:]), "provisional 2"),
        ((pressure(80), oxygen("ventilator")), "indeterminate"),
    ],
)
def test_s_grade_gate_signs_without_fever_in_the_episode_have_no_grade(facts: Facts, grade: str) -> None:
    assert outcome(patient(*facts)) == grade


@pytest.mark.parametrize(
    ("drugs", "state"),
    [
        ((drug("acetaminophen", "12 h"),), "waived"),
        ((drug("acetaminophen", "12 h 1 min"),), "met"),
        ((drug("acetaminophen", "2 h"),), "waived"),
        ((drug("tocilizumab", "13 d"),), "waived"),
        ((drug("tocilizumab", "14 d 1 min"),), "met"),
        ((drug("cefepime", "2 h"),), "met"),
        ((), "met"),
    ],
)
def test_s_grade_waive_a_drug_that_may_hide_fever_takes_its_place(drugs: Facts, state: str) -> None:
    timeline = patient(temperature("38.9", "11 h"), temperature("36.8", "30 min"), pressure(86), *drugs, *NORMAL[1:])
    assert assessed(timeline).finding(Criterion.FEVER).state == state
    assert outcome(timeline) == "graded 2"


def test_s_grade_waive_a_ventilated_patient_without_fever_after_tocilizumab_keeps_grade_4() -> None:
    course = (temperature("39.0", "2 d"), drug("tocilizumab", "40 h"), temperature("36.8"), oxygen("ventilator"))
    assert outcome(patient(*course, pressure(120))) == "graded 4"
    assert outcome(afebrile(oxygen("ventilator"))) == "no-crs 0"


def test_s_grade_waive_what_was_given_is_not_known_the_fever_is_not_known_either() -> None:
    assert outcome(afebrile(pressure(86), gaps=unread("drugs"))) == "indeterminate"

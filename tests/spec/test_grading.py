"""ASTCT 2019 grading, rule by rule (S-HEAD-1, S-GRADE-1 to 4b, -MAX, -GATE, -WAIVE) and the worked vignettes."""

from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

import pytest

from cds_service.crs.assessment import Criterion
from cds_service.crs.figures import shown, span
from cds_service.crs.grading import CONTEXT
from cds_service.crs.timeline import BodyWeight, Culture, Fact, LabResult, Timeline, Unused
from tests.spec.patients import (
    NOW,
    afebrile,
    ago,
    assessed,
    bolus,
    charted_grade,
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
    therapy,
    unread,
)

HYPOTENSION = {1: (), 2: (pressure(86),), 3: (infusion("norepinephrine"),)}
HYPOTENSION[4] = (infusion("norepinephrine"), infusion("phenylephrine"))
HYPOXIA = {1: (), 2: (oxygen("nasal-cannula", "2"),), 3: (oxygen("non-rebreather"),), 4: (oxygen("bilevel"),)}


@pytest.mark.parametrize("hypotension", [1, 2, 3, 4])
@pytest.mark.parametrize("hypoxia", [1, 2, 3, 4])
def test_s_grade_gate_without_fever_and_with_all_known_there_is_no_crs(hypotension: int, hypoxia: int) -> None:
    assert outcome(afebrile(*HYPOTENSION[hypotension], *HYPOXIA[hypoxia])) == "no-crs 0"


@pytest.mark.parametrize("hypotension", [1, 2, 3, 4])
@pytest.mark.parametrize("hypoxia", [1, 2, 3, 4])
def test_s_grade_waive_after_an_antipyretic_the_grade_stays_as_it_was(hypotension: int, hypoxia: int) -> None:
    facts = (temperature("38.9", "8 h"), temperature("36.9"), drug("acetaminophen", "7 h"))
    timeline = febrile(*facts, *HYPOTENSION[hypotension], *HYPOXIA[hypoxia])
    assert outcome(timeline) == f"graded {max(hypotension, hypoxia)}"


def test_n_25_grade_5_is_never_computed() -> None:
    agents = ("norepinephrine", "epinephrine", "phenylephrine", "dopamine", "vasopressin")
    worst = febrile(temperature("42"), pressure(30), oxygen("ventilator"), *(infusion(agent) for agent in agents))
    assert outcome(worst) == "graded 4"


def test_s_head_1_nothing_but_fever_hypotension_and_hypoxia_changes_the_grade() -> None:
    others = {
        "labs": tuple(
            LabResult(time=ago("2 h"), reference="Observation/l", test=test, item=test) for test in ("ferritin", "crp")
        ),
        "cultures": (Culture(time=ago("2 h"), reference="DiagnosticReport/c", step="positive"),),
        "weights": (BodyWeight(time=ago("2 h"), reference="Observation/w", kilograms=Decimal(70), how="measured"),),
        "diagnoses": (diagnosis("icans", "2 h"),),
    }
    for timeline, grade in ((febrile(), "graded 1"), (febrile(pressure(86)), "graded 2"), (afebrile(), "no-crs 0")):
        assert outcome(timeline) == grade
        assert outcome(replace(timeline, **others)) == grade


# Unknown is a value: what is missing makes a floor, or no grade at all.


@pytest.mark.parametrize(
    ("known", "grade"),
    [
        ((temperature("39.0"),), "provisional 1 or higher"),
        ((temperature("39.0"), pressure(120)), "provisional 1 or higher"),
        ((temperature("39.0"), pressure(86)), "provisional 2 or higher"),
        ((temperature("39.0"), infusion("norepinephrine")), "provisional 3 or higher"),
        ((temperature("39.0"), infusion("norepinephrine"), infusion("epinephrine")), "graded 4"),
        ((temperature("39.0"), room_air()), "provisional 1 or higher"),
        ((temperature("39.0"), oxygen("simple-mask")), "provisional 3 or higher"),
        ((temperature("37.0"),), "indeterminate"),
        ((temperature("37.0"), pressure(120)), "indeterminate"),
        ((temperature("37.0"), pressure(86)), "indeterminate"),
        ((temperature("37.0"), room_air()), "indeterminate"),
        ((pressure(86), room_air()), "indeterminate"),
        ((), "indeterminate"),
    ],
)
def test_n_14_a_grade_without_a_criterion_is_a_floor_and_without_fever_there_is_none(
    known: tuple[Fact, ...], grade: str
) -> None:
    assert outcome(patient(*known)) == grade


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ((infusion("norepinephrine"), infusion("epinephrine"), oxygen("oxygen helmet")), "graded 4"),
        ((infusion("norepinephrine"), infusion("epinephrine"), saturation(86)), "graded 4"),
        ((oxygen("bilevel"), pressure(120, "5 h")), "graded 4"),
        ((oxygen("bilevel", when="9 h", until="1 h"), pressure(120, "5 h")), "provisional 4"),
        ((infusion("norepinephrine"), infusion("epinephrine"), temperature("39", "40 h")), "provisional 4"),
        ((infusion("norepinephrine"), oxygen("oxygen helmet")), "provisional 3 or higher"),
    ],
)
def test_nothing_that_is_missing_can_raise_grade_4_and_one_sure_criterion_is_enough(
    facts: tuple[Fact, ...], grade: str
) -> None:
    assert outcome(febrile(*facts)) == grade


def test_what_is_missing_is_named_criterion_by_criterion_and_then_what_advice_needs() -> None:
    assessment = assessed(patient(gaps=unread("weights", "labs", "vasoactives")))
    assert assessment.missing == (
        "temperature in the last 12 h",
        "blood pressure in the last 4 h",
        "vasopressor infusions (the EHR did not answer)",
        "oxygen support in the last 4 h",
        "SpO2 in the last 4 h",
        "body weight (the EHR did not answer)",
        "laboratory results (the EHR did not answer)",
    )


@pytest.mark.parametrize("kind", [kind for kind in CONTEXT if kind != "drugs"])
def test_what_only_advice_needs_leaves_the_grade_alone_and_is_named(kind: str) -> None:
    for timeline, grade in ((febrile(gaps=unread(kind)), "graded 1"), (afebrile(gaps=unread(kind)), "no-crs 0")):
        assert outcome(timeline) == grade
        assert assessed(timeline).missing == (f"{CONTEXT[kind]} (the EHR did not answer)",)


def test_readings_that_were_not_used_are_listed_those_of_the_reader_first() -> None:
    refused = Unused("Observation/1", "status is entered-in-error")
    timeline = replace(febrile(pressure(120, "5 h"), infusion("norepinephrine", "9 h", "5 h")), unused=(refused,))
    assert [item.reason for item in assessed(timeline).unused] == [
        "status is entered-in-error",
        "norepinephrine was stopped 5 h ago",
        "BP 120 mmHg is 5 h old, the limit is 4 h",
    ]
    assert assessed(replace(timeline, therapies=())).unused == (refused,)


def test_doubts_and_notes_of_all_criteria_are_gathered() -> None:
    timeline = febrile(saturation(86), pressure(86), infusion("dobutamine"), age=None)
    assessment = assessed(timeline)
    assert assessment.doubts == (
        "the age is not known: the adult threshold was used",
        "SpO2 is low without oxygen: apply oxygen and regrade in minutes",
    )
    assert assessment.notes == ("dobutamine is running: not a vasopressor in ASTCT grading",)
    assert assessment.finding(Criterion.HYPOTENSION).doubts
    assert not assessment.finding(Criterion.FEVER).doubts


def test_the_instant_of_the_assessment_is_the_one_asked_for() -> None:
    timeline = febrile(pressure(84, "5 h"), temperature("38.6", "6 h"), room_air("6 h"))
    assert assessed(timeline).as_of == NOW
    assert outcome(timeline, NOW - timedelta(hours=4)) == "graded 2"
    assert outcome(timeline, NOW) == "provisional 1 or higher"


# Vignettes: worked patients of the clinical reference.

V12 = (
    temperature("38.9", "10 h 30 min"),
    drug("tocilizumab", "10 h"),
    drug("acetaminophen", "8 h 30 min"),
    temperature("36.8"),
)


@pytest.mark.parametrize(
    ("timeline", "grade"),
    [
        pytest.param(febrile(temperature("38.6"), pressure(124)), "graded 1", id="V01 fever alone"),
        pytest.param(febrile(temperature("38.0"), pressure(118)), "graded 1", id="V02a 100.4 F is 38.0"),
        pytest.param(
            febrile(temperature("37.94444444444444444444444444")), "no-crs 0", id="V02b 100.3 F is less than 38.0"
        ),
        pytest.param(febrile(temperature("39.2"), pressure(86)), "graded 2", id="V03 hypotension"),
        pytest.param(febrile(temperature("38.9"), oxygen("nasal-cannula", "3")), "graded 2", id="V04 low flow"),
        pytest.param(febrile(oxygen("nasal-cannula", "6.0")), "graded 2", id="V05 exactly 6 L/min"),
        pytest.param(febrile(oxygen("nasal-cannula", "7")), "graded 3", id="V06 7 L/min"),
        pytest.param(febrile(oxygen("simple-mask", "5")), "graded 3", id="V07 mask at 5 L/min"),
        pytest.param(
            febrile(temperature("39.5"), infusion("norepinephrine"), pressure(112), oxygen("nasal-cannula", "2")),
            "graded 3",
            id="V08 the example of ASTCT",
        ),
        pytest.param(
            febrile(infusion("norepinephrine"), infusion("vasopressin")), "graded 3", id="V09 vasopressin not counted"
        ),
        pytest.param(
            febrile(infusion("norepinephrine"), infusion("phenylephrine")), "graded 4", id="V10 two vasopressors"
        ),
        pytest.param(febrile(pressure(104), oxygen("bilevel", fio2=50)), "graded 4", id="V11 BiPAP"),
        pytest.param(febrile(*V12, pressure(84)), "graded 2", id="V12 waived after tocilizumab"),
        pytest.param(afebrile(temperature("37.4"), pressure(85)), "no-crs 0", id="V13 hypotension without fever"),
        pytest.param(febrile(pressure(80), age="6 y"), "graded 2", id="V14 child of 6"),
        pytest.param(febrile(pressure(85), age="9 y"), "graded 2", id="V15a child of 9"),
        pytest.param(febrile(infusion("norepinephrine"), pressure(88), age="4 y"), "graded 3", id="V16 child of 4"),
        pytest.param(
            febrile(temperature("38.6"), infusion("norepinephrine", "9 h", "5 h"), pressure(108)),
            "graded 1",
            id="V24 stopped five hours ago",
        ),
        pytest.param(febrile(saturation(86)), "provisional 2", id="V28 no oxygen yet"),
    ],
)
def test_vignettes(timeline: Timeline, grade: str) -> None:
    assert outcome(timeline) == grade


def test_a_ventilated_patient_whose_fever_is_masked_is_grade_4_and_not_without_crs() -> None:
    masked = (temperature("39.4", "30 h"), drug("tocilizumab", "28 h"), temperature("36.5"), oxygen("ventilator"))
    assert outcome(febrile(*masked)) == "graded 4"


def test_a_blinatumomab_patient_is_graded_while_the_infusion_runs() -> None:
    timeline = febrile(therapy("blinatumomab", "20 d", running=True), pressure(84))
    assert outcome(timeline) == "graded 2"


def test_a_charted_grade_is_evidence_of_crs_and_never_the_grade_itself() -> None:
    assert outcome(febrile(charted_grade(4, "2 h"))) == "graded 1"
    assert outcome(afebrile(charted_grade(4, "2 h"))) == "provisional 1"


def test_a_bolus_and_a_stale_record_are_a_floor() -> None:
    timeline = febrile(bolus("phenylephrine"), gaps=known_since("5 h", "vasoactives"))
    assert outcome(timeline) == "provisional 2 or higher"


# Figures as they are written for people.


@pytest.mark.parametrize(
    ("value", "text"),
    [
        ("38", "38"),
        ("38.0", "38.0"),
        ("38.50", "38.5"),
        ("38.00", "38"),
        ("37.99", "37.99"),
        ("37.999", "37.99"),
        ("37.94444444444444444444444444", "37.94"),
        ("-0.5", "-0.5"),
        ("1E+2", "100"),
        ("120", "120"),
        ("100.0", "100.0"),
    ],
)
def test_numbers_have_two_decimals_at_most_and_are_never_rounded_up(value: str, text: str) -> None:
    assert shown(Decimal(value)) == text


@pytest.mark.parametrize(
    ("minutes", "text"),
    [
        (0, "0 min"),
        (59.9, "59 min"),
        (119, "119 min"),
        (120, "2 h"),
        (47 * 60 + 59, "47 h"),
        (48 * 60, "2 days"),
        (71 * 60, "2 days"),
    ],
)
def test_a_span_of_time_is_written_in_the_unit_a_clinician_would_use(minutes: float, text: str) -> None:
    assert span(timedelta(minutes=minutes)) == text

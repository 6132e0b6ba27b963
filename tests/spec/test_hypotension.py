"""Hypotension: low for the age, or kept up by vasopressors (S-GRADE-2a, 3a, 4a; C14, C17, C25; DQ-50 to DQ-60)."""

from dataclasses import replace

import pytest

from cds_service.crs import hypotension as rules
from cds_service.crs.assessment import Criterion, Finding
from cds_service.crs.timeline import Fact, Flag, Timeline
from tests.spec.patients import (
    NOW,
    SCALE,
    afebrile,
    assessed,
    bolus,
    drug,
    febrile,
    infusion,
    known_since,
    ordered,
    outcome,
    patient,
    pressure,
    room_air,
    saturation,
    temperature,
    unread,
)


def hypotension(timeline: Timeline) -> Finding:
    return assessed(timeline).finding(Criterion.HYPOTENSION)


@pytest.mark.parametrize(
    ("age", "low", "normal"),
    [
        ("0 d", "59.9", "60"),
        ("27 d", "59.9", "60"),
        ("28 d", "69.9", "70"),
        ("100 d", "69.9", "70"),
        ("364 d", "69.9", "70"),
        ("365 d", "71.9", "72"),
        ("730 d", "71.9", "72"),  # the day before the second birthday
        ("731 d", "73.9", "74"),
        ("2 y", "73.9", "74"),
        ("6 y", "81.9", "82"),
        ("9 y", "87.9", "88"),
        ("10 y", "89.9", "90"),
        ("11 y", "89.9", "90"),
        ("17 y", "89.9", "90"),
        ("18 y", "89.9", "90"),
        ("90 y", "89.9", "90"),
        (None, "89.9", "90"),
    ],
)
def test_c25_systolic_pressure_is_low_below_the_threshold_of_the_age(age: str | None, low: str, normal: str) -> None:
    assert hypotension(febrile(pressure(low), age=age)).grade == 2
    assert hypotension(febrile(pressure(normal), age=age)).state == "not-met"
    assert hypotension(febrile(pressure(normal), age=age)).rule == f"not below {normal} mmHg, no vasopressor"


@pytest.mark.parametrize(
    ("systolic", "grade"), [(30, "graded 2"), (86, "graded 2"), (89, "graded 2"), (90, "graded 1"), (120, "graded 1")]
)
def test_s_grade_2a_hypotension_without_a_vasopressor_is_grade_2(systolic: int, grade: str) -> None:
    assert outcome(febrile(pressure(systolic))) == grade


def test_c25_without_an_age_the_adult_threshold_is_used_and_doubted() -> None:
    timeline = febrile(pressure(85), age=None)
    assert outcome(timeline) == "provisional 2"
    assert hypotension(timeline).doubts == ("the age is not known: the adult threshold was used",)
    assert outcome(febrile(pressure(90), age=None)) == "graded 1"
    assert outcome(febrile(infusion("norepinephrine"), age=None)) == "graded 3"


# 4.4: the lowest pressure of the last 4 hours.


@pytest.mark.parametrize(
    ("when", "grade"),
    [
        ("0 min", "graded 2"),
        ("4 h", "graded 2"),
        ("4 h 1 min", "graded 1"),
    ],
)
def test_4_4_a_low_pressure_counts_for_4_hours(when: str, grade: str) -> None:
    assert outcome(febrile(pressure(86, when), pressure(118, "3 min"))) == grade


def test_4_4_the_lowest_pressure_of_the_window_counts_and_the_latest_is_shown() -> None:
    finding = hypotension(febrile(pressure(84, "3 h"), pressure(88, "2 h"), pressure(102, "1 h")))
    assert finding.headline == "SBP 84"
    assert [evidence.display for evidence in finding.evidence] == ["BP 84 mmHg", "BP 102 mmHg"]


@pytest.mark.parametrize(
    ("when", "state", "grade"),
    [("4 h", "not-met", "graded 1"), ("4 h 1 min", "unknown", "provisional 1 or higher")],
)
def test_4_4_a_normal_pressure_older_than_4_hours_is_stale_and_the_grade_a_floor(
    when: str, state: str, grade: str
) -> None:
    timeline = febrile(pressure(120, when))
    assert (hypotension(timeline).state, outcome(timeline)) == (state, grade)


def test_t57_a_stale_pressure_is_named_with_its_age() -> None:
    finding = hypotension(febrile(pressure(120, "7 h")))
    assert [item.reason for item in finding.unused] == ["BP 120 mmHg is 7 h old, the limit is 4 h"]
    assert finding.missing == ("blood pressure in the last 4 h",)


def test_t57_only_the_last_stale_pressure_is_named() -> None:
    finding = hypotension(febrile(pressure(84, "9 h"), pressure(100, "8 h"), pressure(120, "4 h 1 min")))
    assert [item.reason for item in finding.unused] == ["BP 120 mmHg is 4 h old, the limit is 4 h"]


@pytest.mark.parametrize("when", ["4 h", "30 min", "-10 min"])
def test_t57_a_pressure_of_an_incomplete_record_that_is_not_old_is_not_called_stale(when: str) -> None:
    finding = hypotension(febrile(pressure(120, when), gaps=known_since("3 h", "pressures")))
    assert (finding.state, finding.rule, finding.unused) == ("unknown", "", ())


def test_n_14_no_pressure_is_unknown_and_never_normal() -> None:
    timeline = patient(temperature("39.0"), saturation(97), room_air())
    assert hypotension(timeline).state == "unknown"
    assert outcome(timeline) == "provisional 1 or higher"
    assert outcome(patient(temperature("37.0"), saturation(97), room_air())) == "indeterminate"


@pytest.mark.parametrize(
    ("gaps", "grade"),
    [
        (unread("pressures"), "provisional 1 or higher"),
        (known_since("3 h", "pressures"), "provisional 1 or higher"),
        (known_since("4 h", "pressures"), "graded 1"),
        (unread("vasoactives"), "provisional 1 or higher"),
        (known_since("23 h", "vasoactives"), "provisional 1 or higher"),
        (known_since("24 h", "vasoactives"), "graded 1"),
    ],
)
def test_dq_43_a_normal_pressure_in_an_incomplete_record_is_a_floor(gaps: dict, grade: str) -> None:
    assert outcome(febrile(gaps=gaps)) == grade


def test_a_low_pressure_with_vasopressors_not_known_is_grade_2_or_higher() -> None:
    assert outcome(febrile(pressure(84), gaps=unread("vasoactives"))) == "provisional 2 or higher"
    assert outcome(febrile(infusion("norepinephrine"), gaps=unread("vasoactives"))) == "provisional 3 or higher"


@pytest.mark.parametrize(
    ("gaps", "grade"),
    [
        (unread("vasoactives"), "provisional 4"),
        (known_since("59 min", "vasoactives"), "provisional 4"),
        (known_since("60 min", "vasoactives"), "graded 4"),
        (known_since("61 min", "vasoactives"), "graded 4"),
        (unread("pressures"), "graded 4"),
    ],
)
def test_dq_43_t45_two_vasopressors_are_in_doubt_where_a_stop_of_one_could_not_be_read(gaps: dict, grade: str) -> None:
    two = (infusion("norepinephrine", "1 h"), infusion("epinephrine", "20 min"))
    timeline = febrile(*two, gaps=gaps)
    assert outcome(timeline) == grade
    finding = hypotension(timeline)
    doubted = ("a vasopressor may be charted as stopped since, in what could not be read",)
    assert finding.doubts == (doubted if grade == "provisional 4" else ())
    assert bool(finding.missing) == bool(finding.doubts)
    assert not finding.floor


def test_dq_43_an_infusion_older_than_a_day_needs_no_more_than_the_last_day_to_be_read() -> None:
    two = (infusion("norepinephrine", "30 h"), infusion("epinephrine", "20 min"))
    assert outcome(febrile(*two, gaps=known_since("24 h", "vasoactives"))) == "graded 4"
    assert outcome(febrile(*two, gaps=known_since("23 h", "vasoactives"))) == "provisional 4"


# 4.4: one low value that later ones contradict.


@pytest.mark.parametrize(
    ("later", "grade"),
    [
        ((), "graded 2"),
        ((pressure(110, "50 min"),), "graded 2"),
        ((pressure(110, "50 min"), pressure(112, "41 min")), "graded 2"),
        ((pressure(110, "50 min"), pressure(112, "40 min")), "provisional 2"),
        ((pressure(110, "59 min"), pressure(112, "49 min")), "provisional 2"),
        ((pressure(110, "50 min"), pressure(112, "0 min")), "provisional 2"),
        ((pressure(110, "50 min"), pressure(112, "-10 min")), "graded 2"),
        ((pressure(88, "58 min"), pressure(110, "50 min"), pressure(112, "40 min")), "graded 2"),
        ((pressure(110, "50 min"), pressure(112, "45 min"), pressure(111, "40 min")), "provisional 2"),
        ((pressure(110, "50 min"), pressure(89, "40 min"), pressure(111, "30 min")), "graded 2"),
        ((pressure(110, "50 min"), pressure(112, "40 min"), bolus("phenylephrine", "55 min")), "graded 2"),
        ((pressure(110, "50 min"), pressure(112, "40 min"), drug("tocilizumab", "55 min")), "graded 2"),
        (
            (pressure(110, "50 min"), pressure(112, "40 min"), infusion("norepinephrine", "58 min", "45 min")),
            "graded 2",
        ),
        ((pressure(110, "50 min"), pressure(112, "40 min"), infusion("norepinephrine", "3 h", "1 h")), "graded 2"),
        (
            (pressure(110, "50 min"), pressure(112, "40 min"), infusion("norepinephrine", "3 h", "1 h 1 min")),
            "provisional 2",
        ),
        ((pressure(110, "50 min"), pressure(112, "40 min"), drug("acetaminophen", "55 min")), "provisional 2"),
        ((pressure(110, "50 min"), pressure(112, "40 min"), infusion("norepinephrine", "3 h", "2 h")), "provisional 2"),
        ((pressure(110, "50 min"), pressure(112, "40 min"), drug("tocilizumab", "-10 min")), "provisional 2"),
        ((pressure(110, "50 min"), pressure(112, "40 min"), infusion("norepinephrine", "-10 min")), "provisional 2"),
        # a rate of 0 is charted now: it ran until now
        ((pressure(110, "50 min"), pressure(112, "40 min"), infusion("norepinephrine", "0 min", "0 min")), "graded 2"),
    ],
)
def test_4_4_a_single_low_pressure_is_doubted_after_two_normal_ones_with_nothing_given(
    later: tuple[Fact, ...], grade: str
) -> None:
    assert outcome(febrile(pressure(86, "1 h"), *later)) == grade


@pytest.mark.parametrize(("third", "doubted"), [("31 min", False), ("30 min", True)])
def test_4_4_a_scale_may_ask_for_more_normal_readings_each_that_long_after_the_one_before(
    third: str, doubted: bool
) -> None:
    readings = (pressure(86, "1 h"), *(pressure(110, when) for when in ("50 min", "40 min", third)))
    finding = rules.hypotension(febrile(*readings), replace(SCALE, normal_readings=3), NOW)
    assert finding.doubts == (("a single low pressure, later readings normal",) if doubted else ())


def test_4_4_normal_readings_before_the_low_one_are_no_doubt() -> None:
    assert outcome(febrile(pressure(120, "3 h"), pressure(121, "2 h"), pressure(86, "30 min"))) == "graded 2"


def test_dq_33_a_low_pressure_charted_twice_is_still_a_single_one() -> None:
    later = (pressure(110, "50 min"), pressure(112, "40 min"))
    assert outcome(febrile(pressure(86, "1 h"), pressure(86, "1 h"), *later)) == "provisional 2"
    assert outcome(febrile(pressure(86, "1 h"), pressure(88, "1 h"), *later)) == "provisional 2"


def test_dq_34_of_two_pressures_at_one_instant_the_lower_counts() -> None:
    for pair in ((84, 104), (104, 84)):
        timeline = febrile(*(pressure(value, "30 min") for value in pair))
        assert hypotension(timeline).headline == "SBP 84"


@pytest.mark.parametrize(
    ("doubtful", "answer"),
    [((), "graded 4"), (("epinephrine",), "provisional 4"), (("norepinephrine", "epinephrine"), "provisional 4")],
)
def test_dq_39_grade_4_rests_on_two_vasopressors_beyond_doubt(doubtful: tuple[str, ...], answer: str) -> None:
    agents = ("norepinephrine", "epinephrine", "vasopressin")
    drips = [infusion(name, "2 h", None, *((Flag.ASSUMED_ZONE,) if name in doubtful else ())) for name in agents]
    assert outcome(febrile(*drips)) == answer


@pytest.mark.parametrize(
    ("certain", "answer"),
    [
        (("norepinephrine",), "provisional 4"),
        (("norepinephrine", "epinephrine"), "graded 4"),
        (("norepinephrine", "epinephrine", "dopamine"), "graded 4"),
    ],
)
def test_dq_39_beside_two_or_more_vasopressors_one_in_doubt_leaves_grade_4_as_it_is(
    certain: tuple[str, ...], answer: str
) -> None:
    doubtful = infusion("phenylephrine", "2 h", None, Flag.ASSUMED_ZONE)
    assert outcome(febrile(*(infusion(agent) for agent in certain), doubtful)) == answer


@pytest.mark.parametrize("flag", [Flag.UNIT_INFERRED, Flag.ASSUMED_ZONE])
def test_dq_06_and_dq_39_hypotension_that_rests_on_doubtful_readings_is_provisional(flag: Flag) -> None:
    assert outcome(febrile(pressure(86, "30 min", flag))) == "provisional 2"
    assert outcome(febrile(pressure(86, "30 min", flag), pressure(88, "1 h"))) == "graded 2"
    assert outcome(febrile(infusion("norepinephrine", "2 h", None, flag))) == "provisional 3"
    assert outcome(febrile(infusion("norepinephrine", "2 h", None, flag), infusion("vasopressin"))) == "graded 3"


# S-GRADE-3a, 4a: running vasopressors.


@pytest.mark.parametrize(
    ("agents", "grade", "rule"),
    [
        (("norepinephrine",), "graded 3", "S-GRADE-3a"),
        (("epinephrine",), "graded 3", "S-GRADE-3a"),
        (("dopamine",), "graded 3", "S-GRADE-3a"),
        (("vasopressin",), "graded 3", "S-GRADE-3a"),
        (("vasopressin", "vasopressin"), "graded 3", "S-GRADE-3a"),
        (("norepinephrine", "vasopressin"), "graded 3", "S-GRADE-3a"),
        (("norepinephrine", "norepinephrine"), "graded 3", "S-GRADE-3a"),
        (("norepinephrine", "norepinephrine", "vasopressin"), "graded 3", "S-GRADE-3a"),
        (("norepinephrine", "dobutamine"), "graded 3", "S-GRADE-3a"),
        (("norepinephrine", "milrinone", "dobutamine"), "graded 3", "S-GRADE-3a"),
        (("norepinephrine", "midodrine"), "graded 3", "S-GRADE-3a"),
        (("norepinephrine", "phenylephrine"), "graded 4", "S-GRADE-4a"),
        (("norepinephrine", "phenylephrine", "vasopressin"), "graded 4", "S-GRADE-4a"),
        (("norepinephrine", "epinephrine", "dopamine"), "graded 4", "S-GRADE-4a"),
        (("dopamine", "epinephrine"), "graded 4", "S-GRADE-4a"),
    ],
)
def test_s_grade_3a_and_4a_distinct_running_vasopressors_without_vasopressin_are_counted(
    agents: tuple[str, ...], grade: str, rule: str
) -> None:
    timeline = febrile(*(infusion(agent, f"{number + 1} h") for number, agent in enumerate(agents)))
    assert outcome(timeline) == grade
    assert hypotension(timeline).rules == (rule,)
    assert "grade" not in hypotension(timeline).rule


@pytest.mark.parametrize(
    ("agents", "rule"),
    [
        (("norepinephrine",), "a vasopressor, with or without vasopressin"),
        (("norepinephrine", "vasopressin"), "a vasopressor, with or without vasopressin"),
        (("norepinephrine", "epinephrine"), "several vasopressors, vasopressin not counted"),
        (("norepinephrine", "epinephrine", "dopamine"), "several vasopressors, vasopressin not counted"),
    ],
)
def test_s_grade_3a_and_4a_the_rule_that_was_met_is_said(agents: tuple[str, ...], rule: str) -> None:
    assert hypotension(febrile(*(infusion(agent) for agent in agents))).rule == rule


@pytest.mark.parametrize("agent", ["dobutamine", "milrinone", "midodrine", "ephedrine"])
def test_n_11_an_inotrope_alone_is_no_vasopressor_and_is_said(agent: str) -> None:
    timeline = febrile(infusion(agent))
    assert outcome(timeline) == "graded 1"
    assert hypotension(timeline).notes == (f"{agent} is running: not a vasopressor in ASTCT grading",)
    assert outcome(febrile(infusion(agent), pressure(86))) == "graded 2"


def test_c14_how_vasopressin_was_counted_is_said_where_it_decides() -> None:
    alone, both = febrile(infusion("vasopressin")), febrile(infusion("norepinephrine"), infusion("vasopressin"))
    assert hypotension(alone).notes == ("vasopressin alone is counted as one vasopressor",)
    assert hypotension(both).notes == ("vasopressin is not counted as a second vasopressor",)
    three = febrile(infusion("norepinephrine"), infusion("epinephrine"), infusion("vasopressin"))
    assert hypotension(three).notes == ()
    four = febrile(*(infusion(agent) for agent in ("norepinephrine", "epinephrine", "dopamine", "vasopressin")))
    assert hypotension(four).notes == ()
    assert hypotension(febrile(infusion("norepinephrine"))).notes == ()


@pytest.mark.parametrize("systolic", [60, 86, 118, 150])
def test_c17_on_a_vasopressor_the_number_does_not_matter(systolic: int) -> None:
    assert outcome(febrile(infusion("norepinephrine"), pressure(systolic))) == "graded 3"


def test_c17_on_a_vasopressor_only_the_last_pressure_of_the_window_is_shown() -> None:
    pressures = (pressure(84, "3 h"), pressure(88, "2 h"), pressure(118, "1 h"))
    for charted, shown in ((pressures, ["BP 118 mmHg"]), ([pressure(118, "4 h")], ["BP 118 mmHg"])):
        finding = hypotension(febrile(infusion("norepinephrine"), *charted))
        assert [evidence.display for evidence in finding.evidence] == ["norepinephrine", *shown]
    old = hypotension(febrile(infusion("norepinephrine"), pressure(118, "4 h 1 min")))
    assert [evidence.display for evidence in old.evidence] == ["norepinephrine"]


@pytest.mark.parametrize(("method", "shown"), [("", "BP 118 mmHg"), ("cuff", "BP 118 mmHg (cuff)")])
def test_how_a_pressure_was_measured_is_shown_where_it_is_charted(method: str, shown: str) -> None:
    finding = hypotension(febrile(replace(pressure(118), method=method)))
    assert [evidence.display for evidence in finding.evidence] == [shown]


def test_on_a_vasopressor_no_pressure_is_needed() -> None:
    timeline = patient(temperature("39.0"), saturation(97), room_air(), infusion("norepinephrine"))
    assert outcome(timeline) == "graded 3"


@pytest.mark.parametrize(
    ("stopped", "grade", "noted"),
    [
        (None, "graded 3", False),
        ("-30 min", "graded 3", False),  # charted to end later
        ("0 min", "graded 1", True),
        ("59 min", "graded 1", True),
        ("60 min", "graded 1", True),
        ("61 min", "graded 1", False),
        ("23 h", "graded 1", False),
    ],
)
def test_dq_52_and_dq_53_a_stopped_vasopressor_does_not_count_and_is_said_for_an_hour(
    stopped: str | None, grade: str, noted: bool
) -> None:
    timeline = febrile(infusion("norepinephrine", "30 h", stopped))
    assert outcome(timeline) == grade
    assert any("was stopped" in note for note in hypotension(timeline).notes) is noted


@pytest.mark.parametrize(("stopped", "listed"), [("5 h", True), ("24 h", True), ("24 h 1 min", False)])
def test_dq_52_a_vasopressor_stopped_of_late_is_listed_as_not_used(stopped: str, listed: bool) -> None:
    unused = hypotension(febrile(infusion("norepinephrine", "30 h", stopped))).unused
    assert [item.reason.startswith("norepinephrine was stopped") for item in unused] == ([True] if listed else [])


def test_a_change_of_bag_is_no_stop() -> None:
    timeline = febrile(infusion("norepinephrine", "5 h", "20 min"), infusion("norepinephrine", "20 min"))
    finding = hypotension(timeline)
    assert (finding.grade, finding.notes, finding.unused) == (3, (), ())


def test_of_several_rates_of_a_stopped_vasopressor_only_the_last_is_listed() -> None:
    rates = (infusion("norepinephrine", "5 h", "4 h"), infusion("norepinephrine", "4 h", "50 min"))
    finding = hypotension(febrile(*rates))
    assert finding.notes == ("norepinephrine was stopped 50 min ago: check the pressure again",)
    assert [item.reason for item in finding.unused] == ["norepinephrine was stopped 50 min ago"]


@pytest.mark.parametrize(
    ("facts", "noted"),
    [
        ((infusion("norepinephrine", "24 h"),), False),
        ((infusion("norepinephrine", "24 h 1 min"),), True),
        ((infusion("norepinephrine", "6 d"),), True),
        ((infusion("norepinephrine", "6 d", "5 h"), infusion("norepinephrine", "5 h")), False),
        ((infusion("norepinephrine", "6 d"), infusion("norepinephrine", "-10 min")), True),
        ((infusion("norepinephrine", "6 d"), infusion("epinephrine", "5 h", "4 h")), True),
    ],
)
def test_dq_51_an_infusion_without_an_update_for_a_day_counts_and_is_to_be_confirmed(
    facts: tuple[Fact, ...], noted: bool
) -> None:
    finding = hypotension(febrile(*facts))
    assert finding.grade == 3
    assert any("without a rate update: confirm" in note for note in finding.notes) is noted


def test_dq_50_an_infusion_that_starts_later_does_not_run() -> None:
    assert outcome(febrile(infusion("norepinephrine", "-10 min"))) == "graded 1"
    assert outcome(febrile(infusion("norepinephrine", "0 min"))) == "graded 3"


@pytest.mark.parametrize(
    ("when", "grade"), [("0 min", "graded 2"), ("4 h", "graded 2"), ("4 h 1 min", "graded 1"), ("-10 min", "graded 1")]
)
def test_dq_56_a_push_dose_vasopressor_is_evidence_of_hypotension_not_a_running_one(when: str, grade: str) -> None:
    timeline = febrile(bolus("phenylephrine", when))
    assert outcome(timeline) == grade


def test_dq_56_a_bolus_outweighs_the_doubt_of_later_normal_pressures_and_is_shown() -> None:
    finding = hypotension(febrile(bolus("phenylephrine")))
    assert finding.headline == "phenylephrine bolus"
    assert finding.rule == "a vasopressor bolus, none running"
    assert "phenylephrine bolus" in [evidence.display for evidence in finding.evidence]
    twice = hypotension(febrile(bolus("phenylephrine", "2 h"), bolus("epinephrine", "1 h")))
    assert twice.headline == "epinephrine bolus"
    low = hypotension(febrile(bolus("phenylephrine", "55 min"), pressure(84, "1 h")))
    assert low.headline == "SBP 84"


def test_dq_56_a_bolus_beside_an_infusion_is_no_second_vasopressor() -> None:
    assert outcome(febrile(infusion("norepinephrine"), bolus("phenylephrine"))) == "graded 3"


def test_dq_60_a_bolus_of_another_vasoactive_drug_does_not_count_and_is_said() -> None:
    timeline = febrile(bolus("ephedrine", "1 h"))
    assert outcome(timeline) == "graded 1"
    assert hypotension(timeline).notes == ("ephedrine bolus 60 min ago: not a vasopressor in ASTCT grading",)
    assert hypotension(febrile(bolus("ephedrine", "5 h"))).notes == ()


@pytest.mark.parametrize(
    ("facts", "noted"),
    [
        ((ordered("norepinephrine"),), True),
        ((ordered("vasopressin"),), True),
        ((ordered("dobutamine"),), False),
        ((ordered("norepinephrine"), infusion("norepinephrine")), False),
        ((ordered("norepinephrine", "0 min"),), True),
        ((ordered("norepinephrine", "-10 min"),), False),
    ],
)
def test_an_order_is_no_infusion_and_is_said(facts: tuple[Fact, ...], noted: bool) -> None:
    finding = hypotension(febrile(*facts))
    assert any("is ordered, not charted as running" in note for note in finding.notes) is noted
    assert (finding.grade == 3) is (len(facts) > 1)


def test_s_grade_gate_hypotension_without_fever_is_no_crs_whatever_keeps_it_up() -> None:
    assert outcome(afebrile(pressure(80))) == "no-crs 0"
    assert outcome(afebrile(infusion("norepinephrine"), infusion("epinephrine"))) == "no-crs 0"

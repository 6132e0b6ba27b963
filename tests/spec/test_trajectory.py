"""The trajectory: the grade over time, and that it is nothing but the grade at each instant."""

from dataclasses import replace
from datetime import date, datetime, timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.crs.assessment import Assessment, Status
from cds_service.crs.timeline import Fact, Timeline
from cds_service.crs.trajectory import AFTER, Trajectory, trajectory
from tests.spec.patients import (
    NOW,
    SCALE,
    ago,
    assessed,
    drug,
    febrile,
    infusion,
    known_since,
    patient,
    pressure,
    room_air,
    saturation,
    temperature,
    therapy,
)
from tests.spec.timelines import stable, timelines, watched


def course(timeline: Timeline) -> Trajectory:
    return trajectory(timeline, SCALE, NOW)


def told(timeline: Timeline) -> list[str]:
    """When each grade began, in words: `3 h ago: graded 1`."""
    said: list[str] = []
    for step in course(timeline).steps:
        words = f"{step.status.value} {step.grade}{'+' if step.is_floor else ''}"
        if not said or said[-1].partition(": ")[2] != words:
            said.append(f"{(NOW - step.since).total_seconds() / 3600:g} h ago: {words}")
    return said


def essence(assessment: Assessment) -> tuple[object, ...]:
    rules = [(finding.state, finding.grade, finding.rules) for finding in assessment.findings]
    return assessment.status, assessment.grade, assessment.is_floor, rules


ROUND: tuple[Fact, ...] = (temperature("36.8", "6 h"), pressure(120, "6 h"), saturation(97, "6 h"), room_air("6 h"))


def test_the_grade_rises_at_the_instant_of_the_fever_and_of_the_low_pressure() -> None:
    later = (temperature("39.0", "5 h"), pressure(118, "3 h"), room_air("3 h"), pressure(84, "1 h"), room_air("1 h"))
    steps = course(patient(*ROUND, *later)).steps
    assert [(step.since, step.grade) for step in steps if step.since >= ago("6 h")] == [
        (ago("6 h"), 0),
        (ago("5 h"), 1),
        (ago("1 h"), 2),
    ]
    assert steps[-1].until == NOW


def test_a_vasopressor_counts_from_its_start_until_its_end() -> None:
    rounds = [fact for when in ("9 h", "7 h", "5 h", "3 h", "1 h") for fact in (pressure(118, when), room_air(when))]
    timeline = patient(temperature("39.0", "9 h"), *rounds, infusion("norepinephrine", "6 h", "2 h"))
    grades = {step.since: step.grade for step in course(timeline).steps}
    assert (grades[ago("6 h")], grades[ago("2 h")]) == (3, 1)


def test_t57_the_grade_is_a_floor_from_the_instant_after_readings_go_stale() -> None:
    timeline = patient(temperature("39.0", "6 h"), pressure(118, "6 h"), saturation(97, "6 h"), room_air("6 h"))
    told_of = {step.since: (step.status, step.is_floor) for step in course(timeline).steps}
    assert told_of[ago("6 h")] == (Status.GRADED, False)
    assert told_of[ago("2 h") + AFTER] == (Status.PROVISIONAL, True)
    assert course(timeline).steps[-1].grade == 1


def test_without_any_reading_nothing_is_known_at_any_instant() -> None:
    assert {(step.status, step.grade) for step in course(patient()).steps} == {(Status.INDETERMINATE, None)}


def test_before_a_therapy_nobody_is_graded_and_without_one_there_is_now_alone() -> None:
    steps = course(patient(therapy("axi-cel", "2 d"), temperature("39.0", "5 d"))).steps
    assert steps[0].since == ago("2 d")
    nobody = course(replace(febrile(), therapies=()))
    assert [(step.since, step.until, step.status) for step in nobody.steps] == [(NOW, NOW, Status.NOT_ELIGIBLE)]


def test_a_whole_course_rises_is_treated_and_resolves() -> None:
    facts: list[Fact] = [temperature("39.4", "70 h"), drug("tocilizumab", "63 h"), *watched(60)]
    facts += [pressure(118, "70 h"), room_air("70 h"), pressure(84, "67 h"), infusion("norepinephrine", "66 h", "61 h")]
    said = told(patient(*facts))
    assert said[:4] == [
        "72 h ago: indeterminate None",
        "70 h ago: graded 1",
        "67 h ago: graded 2",
        "66 h ago: graded 3",
    ]
    assert said[-1].endswith("no-crs 0")


def test_a_floor_ends_at_the_instant_from_which_on_all_is_known() -> None:
    rounds = [fact for when in ("6 h", "2 h") for fact in (temperature("39.0", when), pressure(120, when))]
    airs = (room_air("6 h"), room_air("2 h"))
    timeline = patient(*rounds, *airs, gaps=known_since("27 h", "vasoactives"))
    floors = {step.since: step.is_floor for step in course(timeline).steps}
    assert (floors[ago("6 h")], floors[ago("3 h")]) == (True, False)


def test_the_threshold_of_the_age_changes_at_the_birthday() -> None:
    """At 9 years a systolic of 89 is not low, at 10 it is (C25)."""
    timeline = patient(temperature("39.0", "13 h"), pressure(89, "13 h"), room_air("13 h"))
    timeline = replace(timeline, birth_date=date(NOW.year - 10, NOW.month, NOW.day))
    grades = {step.since: step.grade for step in course(timeline).steps}
    assert (grades[ago("13 h")], grades[ago("12 h")]) == (1, 2)


def test_of_a_record_with_very_many_instants_the_newest_are_graded_and_it_is_said(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    timeline = febrile(temperature("39.0", "2 h"), temperature("39.0", "3 h"))
    every = course(timeline)
    assert every.complete
    monkeypatch.setattr("cds_service.crs.trajectory.MOST_INSTANTS", len(every.assessments))
    assert course(timeline) == every
    monkeypatch.setattr("cds_service.crs.trajectory.MOST_INSTANTS", 3)
    assert course(timeline) == Trajectory(assessments=every.assessments[-3:], complete=False)


instants = st.one_of(
    st.integers(0, 4 * 24 * 60).map(lambda minutes: NOW - timedelta(minutes=minutes)),
    st.integers(0, 8 * 24).map(lambda quarters: NOW - timedelta(minutes=30 * quarters)),
)
near = st.sampled_from((timedelta(), AFTER, -AFTER))


@stable
@given(timelines(), instants, near)
def test_at_any_instant_the_step_says_what_grading_says(timeline: Timeline, at: datetime, moved: timedelta) -> None:
    at = min(at + moved, NOW)
    steps = [step for step in course(timeline).steps if step.since <= at]
    if steps:
        assert essence(steps[-1].assessment) == essence(assessed(timeline, at))


@stable
@given(timelines())
def test_the_steps_follow_each_other_without_a_hole_and_end_with_the_grade_of_now(timeline: Timeline) -> None:
    steps = course(timeline).steps
    assert [step.until for step in steps[:-1]] == [step.since for step in steps[1:]]
    assert steps[-1].until == NOW
    assert essence(steps[-1].assessment) == essence(assessed(timeline))

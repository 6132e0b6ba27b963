"""How the record is arranged changes nothing: order, duplicates, and when all of it happened (T61)."""

from dataclasses import fields, replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from cds_service.crs.advice import Advice, advise
from cds_service.crs.assessment import Assessment
from cds_service.crs.grading import assess
from cds_service.crs.timeline import Timeline
from tests.bedside import content
from tests.spec.courses import courses
from tests.spec.patients import (
    KINDS,
    NOW,
    SCALE,
    assessed,
    born,
    therapy,
)
from tests.spec.timelines import essence, in_order, moved, stable, timelines


@stable
@given(timelines(), st.integers(1, 3))
def test_t61_the_order_of_facts_and_duplicates_change_nothing(timeline: Timeline, every: int) -> None:
    mixed = {}
    for kind in KINDS.values():
        backwards = [*reversed(getattr(timeline, kind))]
        twice = [replace(fact, reference="Other/feed") for fact in backwards[::every]]
        mixed[kind] = in_order((*twice, *backwards))
    ours, theirs = assessed(timeline), assessed(replace(timeline, **mixed))
    assert essence_without_references(theirs) == essence_without_references(ours)


def essence_without_references(answer: Assessment) -> Any:
    status, grade, floor, episode, exposed, findings = essence(answer)
    return status, grade, floor, episode, exposed and (exposed.since, exposed.day, exposed.late), findings


@stable
@given(timelines(), st.integers(-5, 5))
def test_moving_all_times_and_now_changes_nothing(timeline: Timeline, steps: int) -> None:
    """By four years at a time, so that birthdays stay where they are."""
    by = timedelta(days=1461 * steps)
    assert assessed(moved(timeline, by), NOW + by) == moved(assessed(timeline), by)


@stable
@given(timelines(complete=True), st.integers(-100_000, 100_000))
def test_moving_all_times_and_now_by_minutes_changes_nothing_after_antibodies(timeline: Timeline, minutes: int) -> None:
    """Cells are counted by calendar days, antibodies by hours."""
    timeline = replace(timeline, therapies=(therapy("blinatumomab", "5 d", running=True),), birth_date=born("55 y"))
    by = timedelta(minutes=minutes)
    ours, theirs = assessed(timeline), assessed(moved(timeline, by), NOW + by)
    assert essence(theirs)[:3] == essence(ours)[:3]
    assert essence(theirs)[-1] == essence(ours)[-1]


def advised(timeline: Timeline, now: datetime = NOW) -> tuple[Assessment, Advice]:
    assessment = assess(timeline, SCALE, now)
    return assessment, advise(timeline, assessment, SCALE, content().protocol)


@stable
@given(courses(), st.integers(1, 3))
def test_t61_exact_duplicates_and_their_order_change_nothing_in_the_advice(timeline: Timeline, every: int) -> None:
    """Each kind is sorted by time: what is charted at one time may come in any order, and twice."""
    kinds = [item.name for item in fields(timeline) if item.init and item.name not in ("birth_date", "gaps", "unused")]
    mixed = {}
    for kind in kinds:
        backwards = [*reversed(getattr(timeline, kind))]
        mixed[kind] = in_order((*backwards[::every], *backwards))
    (ours, our_advice), (theirs, their_advice) = advised(timeline), advised(replace(timeline, **mixed))
    assert (essence(theirs), decided(their_advice)) == (essence(ours), decided(our_advice))


def decided(advice: Advice) -> Any:
    """What is drafted and what is said. Which of two names charted at one time is shown does not count."""
    parts = [part for part in (advice.infection, advice.treatment) if part is not None]
    drafts = [(item.order, item.dose, item.recommended, item.condition) for part in parts for item in part.drafts]
    lines = [line.say for part in parts for line in (*part.lines, *part.cautions, *part.status)]
    return drafts, lines, [line.say for line in (*advice.care, *advice.prompts)]


@stable
@given(courses(), st.integers(-30, 300))
def test_moving_all_times_and_now_by_whole_days_changes_nothing_but_the_times(timeline: Timeline, days: int) -> None:
    """The birth date stays: these patients had their birthday 40 days ago, and no other falls among the days."""
    by = timedelta(days=days)
    later = replace(moved(timeline, by), birth_date=timeline.birth_date)
    assert advised(later, NOW + by) == moved(advised(timeline), by)

"""What holds for the grade of every patient, whatever is charted."""

from collections.abc import Callable
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from cds_service.crs.assessment import State, Status
from cds_service.crs.timeline import FOREVER, Fact, Timeline
from tests.spec.patients import (
    NOW,
    SCALE,
    ago,
    assessed,
    bolus,
    infusion,
    oxygen,
    pressure,
    saturation,
    temperature,
)
from tests.spec.timelines import facts, stable, timelines, whens, with_facts


@stable
@given(timelines())
def test_every_answer_is_one_that_a_clinician_can_be_given(timeline: Timeline) -> None:
    answer = assessed(timeline)
    assert (answer.grade is None) == (answer.status in (Status.NOT_ELIGIBLE, Status.INDETERMINATE))
    assert (answer.grade == 0) == (answer.status is Status.NO_CRS)
    assert answer.grade in (None, 0, 1, 2, 3, 4)
    if answer.status is Status.NOT_ELIGIBLE:
        assert answer.findings == ()
        return
    assert [finding.criterion for finding in answer.findings] == ["fever", "hypotension", "hypoxia"]
    for finding in answer.findings[1:]:
        assert (finding.state is State.MET) == (finding.grade is not None)
        assert finding.state is not State.WAIVED
        assert finding.floor <= bool(finding.missing)
        assert finding.floor or finding.state is not State.UNKNOWN
    for finding in answer.findings:
        if finding.state in (State.MET, State.WAIVED):
            assert finding.headline
            assert finding.rule
            assert finding.rules
            assert finding.evidence
    if answer.status in (Status.PROVISIONAL, Status.INDETERMINATE):
        assert answer.missing or answer.doubts
    if answer.grade:
        assert answer.grade == max([1, *(finding.grade or 0 for finding in answer.findings)])
    if answer.grade and answer.episode and answer.episode.peak_grade:
        assert answer.episode.peak_grade >= answer.grade


@stable
@given(timelines())
def test_n_13_and_n_14_no_crs_is_said_only_of_a_normal_temperature_with_nothing_missing_or_masked(
    timeline: Timeline,
) -> None:
    answer = assessed(timeline)
    if answer.status is not Status.NO_CRS:
        return
    recent = [reading for reading in timeline.temperatures if ago("12 h") <= reading.time <= NOW]
    assert recent
    assert all(reading.celsius < 38 for reading in recent)
    assert all(finding.state is not State.UNKNOWN for finding in answer.findings)
    assert answer.episode is not None
    if any(finding.state is State.MET for finding in answer.findings):
        hides = {group: NOW - window for group, window in SCALE.masking.items()}
        assert not [dose for dose in timeline.drugs if dose.time >= hides.get(dose.group, FOREVER)]


WORSE: tuple[Fact, ...] = (
    infusion("norepinephrine", "0 min"),
    infusion("vasopressin", "0 min"),
    infusion("phenylephrine", "0 min"),
    bolus("phenylephrine", "0 min"),
    pressure(40, "0 min"),
    temperature("39.5", "0 min"),
    oxygen("bilevel", when="0 min"),
    saturation(70, "0 min"),
)


@stable
@given(timelines(), st.sampled_from(WORSE))
def test_a_worse_sign_never_lowers_the_grade(timeline: Timeline, worse: Fact) -> None:
    before, after = assessed(timeline), assessed(with_facts(timeline, worse))
    assert (after.grade or 0) >= (before.grade or 0)


SUPPORT = (
    oxygen("nasal-cannula", "2", "0 min"),
    oxygen("nasal-cannula", "6", "0 min"),
    oxygen("nasal-cannula", "6.1", "0 min"),
    oxygen("simple-mask", "6.1", "0 min"),
    oxygen("non-rebreather", "15", "0 min"),
    oxygen("bilevel", None, "0 min"),
)


@stable
@given(timelines(), st.lists(st.integers(0, len(SUPPORT) - 1), min_size=2, max_size=2))
def test_more_oxygen_support_never_lowers_the_grade(timeline: Timeline, steps: list[int]) -> None:
    less, more = (assessed(with_facts(timeline, SUPPORT[step])).grade or 0 for step in sorted(steps))
    assert less <= more


@stable
@given(timelines(), st.sampled_from(sorted(facts)), st.integers(1, 10_000), st.data())
def test_t58_facts_of_the_future_change_nothing(
    timeline: Timeline, kind: str, minutes: int, data: st.DataObject
) -> None:
    fact = data.draw(facts[kind])
    ahead = NOW + timedelta(minutes=minutes)
    later = replace(fact, time=ahead)
    if getattr(fact, "until", None) is not None:
        later = replace(later, until=max(ahead, fact.until))
    assert assessed(with_facts(timeline, later)) == assessed(timeline)
    assert assessed(with_facts(timeline, replace(timeline.therapies[0], time=ahead))) == assessed(timeline)


def worsened(timeline: Timeline, kind: str, name: str, change: Callable[[Decimal], Decimal]) -> Timeline:
    """The timeline with one number of every fact of a kind changed, where it is charted."""
    charted = [(fact, getattr(fact, name)) for fact in getattr(timeline, kind)]
    return replace(
        timeline,
        **{kind: tuple(fact if was is None else replace(fact, **{name: change(was)}) for fact, was in charted)},
    )


@stable
@given(timelines(), st.sampled_from((1, 5, 30)))
def test_a_lower_pressure_never_lowers_the_grade(timeline: Timeline, by: int) -> None:
    lower = worsened(timeline, "pressures", "systolic", lambda was: was - by)
    assert (assessed(lower).grade or 0) >= (assessed(timeline).grade or 0)


@stable
@given(timelines(), st.sampled_from((Decimal("0.1"), Decimal(1), Decimal(3))))
def test_a_higher_fever_never_lowers_the_grade(timeline: Timeline, by: Decimal) -> None:
    """Only fevers are raised: where a normal temperature is charted, a fever would be another course."""
    higher = worsened(timeline, "temperatures", "celsius", lambda was: was + by if was >= SCALE.fever else was)
    assert (assessed(higher).grade or 0) >= (assessed(timeline).grade or 0)


@stable
@given(timelines(), st.sampled_from((Decimal("0.1"), Decimal(4), Decimal(40))))
def test_more_flow_through_the_same_devices_never_lowers_the_grade(timeline: Timeline, by: Decimal) -> None:
    more = worsened(timeline, "oxygen", "flow", lambda was: was + by if was else was)
    assert (assessed(more).grade or 0) >= (assessed(timeline).grade or 0)


@stable
@given(timelines(), st.sampled_from(("norepinephrine", "epinephrine", "vasopressin", "dobutamine")), whens)
def test_a_further_drug_that_runs_never_lowers_the_grade(timeline: Timeline, agent: str, since: str) -> None:
    more = with_facts(timeline, infusion(agent, since))
    assert (assessed(more).grade or 0) >= (assessed(timeline).grade or 0)

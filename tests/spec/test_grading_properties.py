"""What holds for every patient, whatever is charted: generated timelines, the same ones in every run."""

from collections.abc import Sequence
from dataclasses import replace
from datetime import datetime, timedelta
from typing import Any

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cds_service.crs.assessment import Assessment, State, Status
from cds_service.crs.timeline import FOREVER, Fact, Flag, Gap, OxygenSupport, Therapy, Timeline
from tests.spec import test_decision_table as decisions
from tests.spec.patients import (
    KINDS,
    MASKING,
    NOW,
    SCALE,
    WINDOWS,
    ago,
    assessed,
    bolus,
    born,
    charted_grade,
    diagnosis,
    drug,
    febrile,
    infusion,
    ordered,
    outcome,
    oxygen,
    patient,
    pressure,
    room_air,
    saturation,
    temperature,
    therapy,
)

stable = settings(derandomize=True, max_examples=150, deadline=None)

PRESSORS = ("norepinephrine", "epinephrine", "vasopressin", "dobutamine", "ephedrine")
DEVICES = ("", "", "room-air", "nasal-cannula", "simple-mask", "high-flow-nasal-cannula", "blow-by", "cpap", "bilevel")
FLAGS = (Flag.UNIT_INFERRED, Flag.ASSUMED_ZONE, Flag.PRELIMINARY, Flag.AIRWAY_ONLY)

boundaries = ("0 min", "4 h", "12 h", "24 h", "48 h", "3 d", "4 h 1 min", "12 h 1 min", "24 h 1 min")
whens = st.one_of(
    st.sampled_from(boundaries),
    st.integers(0, 16).map(lambda quarters: f"{15 * quarters} min"),
    st.integers(0, 130).map(lambda hours: f"{hours} h"),
)
flags = st.lists(st.sampled_from(FLAGS), max_size=1)


@st.composite
def supports(draw: st.DrawFn) -> OxygenSupport:
    """Oxygen support of any kind, at an instant or over time."""
    device = draw(st.sampled_from((*DEVICES, "oxygen helmet", "ventilator", "intubation")))
    flow = draw(st.sampled_from((None, None, "0", "2", "6", "6.1")))
    fio2 = draw(st.sampled_from((None, None, 21, 40)))
    if not device and flow is None and fio2 is None:
        flow = "2"
    made = oxygen(device, flow, draw(whens), *draw(flags), fio2=fio2)
    hours = draw(st.sampled_from((None, None, None, 0, 1, 9, 1000)))
    return made if hours is None else replace(made, until=made.time + timedelta(hours=hours))


@st.composite
def infusions(draw: st.DrawFn) -> Fact:
    agent = draw(st.sampled_from(PRESSORS))
    if draw(st.integers(0, 4)) == 0:
        return bolus(agent, draw(whens))
    made = infusion(agent, draw(whens), None, *draw(flags))
    hours = draw(st.sampled_from((None, None, 0, 1, 5, 30)))
    return made if hours is None else replace(made, until=made.time + timedelta(hours=hours))


@st.composite
def doses(draw: st.DrawFn) -> Therapy:
    product = draw(st.sampled_from(("axi-cel", "axi-cel", *WINDOWS)))
    days = draw(st.sampled_from(("2 d", "5 d", "7 d", "30 d", "31 d", "60 d", "95 d")))
    return therapy(product, days, running=draw(st.booleans()))


celsius = st.sampled_from(("36.5", "37.0", "37.9", "38.0", "38.1", "39.5"))
mmhg = st.sampled_from((59, 69, 81, 89, 90, 91, 120, 120))
percent = st.sampled_from((80, 89, 90, 97, 97))

facts = {
    "temperatures": st.builds(lambda value, when, more: temperature(value, when, *more), celsius, whens, flags),
    "pressures": st.builds(lambda value, when, more: pressure(value, when, *more), mmhg, whens, flags),
    "saturations": st.builds(saturation, percent, whens),
    "oxygen": supports(),
    "vasoactives": infusions(),
    "drugs": st.builds(drug, st.sampled_from((*MASKING, "cefepime")), whens),
    "orders": st.builds(ordered, st.sampled_from(PRESSORS), whens),
    "diagnoses": st.builds(diagnosis, st.sampled_from(("crs", "icans", "home-positive-pressure")), whens),
    "scores": st.builds(charted_grade, st.integers(0, 4), whens),
}
several = {"temperatures": 8, "pressures": 5, "saturations": 3, "oxygen": 5, "vasoactives": 3}
ages = st.sampled_from((None, "20 d", "100 d", "6 y", "55 y", "55 y"))
reasons = st.sampled_from((Gap("late"), Gap("late", ago("3 h")), Gap("late", ago("30 h"))))
gaps = st.one_of(st.just({}), st.dictionaries(st.sampled_from(sorted(KINDS.values())), reasons, max_size=2))


@st.composite
def timelines(draw: st.DrawFn, *, complete: bool = False) -> Timeline:
    """A patient of whom anything may be charted; `complete` without gaps."""
    therapies = draw(st.lists(doses(), min_size=1, max_size=2))
    charted = [fact for kind in facts for fact in draw(st.lists(facts[kind], max_size=several.get(kind, 1)))]
    if draw(st.booleans()):
        hours = draw(st.sampled_from((26, 30, 60)))
        charted += watched(hours)
    missing = {} if complete else draw(gaps)
    return patient(*therapies, *charted, age=draw(ages), gaps=missing)


def watched(hours: int) -> list[Fact]:
    """All normal, every four hours, so that an episode may resolve."""
    times = [f"{hour} h" for hour in range(hours, -1, -4)]
    return [fact for when in times for fact in (temperature("36.8", when), pressure(118, when), room_air(when))]


def with_facts(timeline: Timeline, *more: Fact) -> Timeline:
    """The timeline with more facts, each in its place."""
    for fact in more:
        kind = KINDS[type(fact)]
        timeline = replace(timeline, **{kind: in_order((*getattr(timeline, kind), fact))})
    return timeline


def in_order(charted: Sequence[Fact]) -> tuple[Fact, ...]:
    return tuple(sorted(charted, key=lambda fact: fact.time))


def essence(assessment: Assessment) -> Any:
    """What of an assessment must not depend on how the facts are arranged."""
    findings = [(item.criterion, item.state, item.grade, item.floor, item.missing) for item in assessment.findings]
    return assessment.status, assessment.grade, assessment.is_floor, assessment.episode, assessment.exposure, findings


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
@given(timelines(), st.integers(1, 3))
def test_t_61_the_order_of_facts_and_duplicates_change_nothing(timeline: Timeline, every: int) -> None:
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


STATED = ("temperatures", "pressures", "oxygen", "vasoactives", "drugs")
"""Without these a lower grade says itself that it is provisional; without the others it names what is missing."""


@stable
@given(timelines(complete=True), st.sampled_from([kind for kind in KINDS.values() if kind != "therapies"]))
@example(febrile(drug("tocilizumab", "2 d"), temperature("37.0"), pressure(84)), "drugs")
def test_n_14_what_cannot_be_had_never_lowers_the_grade_silently(timeline: Timeline, kind: str) -> None:
    damaged = replace(timeline, **{kind: ()}, gaps={kind: Gap("the EHR did not answer")})
    never_silently_lower(timeline, damaged, kind)


@stable
@given(
    timelines(complete=True),
    st.sampled_from(("temperatures", "pressures", "oxygen", "saturations", "drugs")),
    st.sampled_from(("2 h", "5 h", "13 h", "25 h", "49 h", "4 d")),
)
def test_n_14_a_page_that_was_cut_never_lowers_the_grade_silently(timeline: Timeline, kind: str, since: str) -> None:
    kept = tuple(fact for fact in getattr(timeline, kind) if fact.time >= ago(since) or getattr(fact, "until", None))
    cut = replace(timeline, **{kind: kept}, gaps={kind: Gap("only one page was sent", ago(since))})
    never_silently_lower(timeline, cut, kind)


def never_silently_lower(timeline: Timeline, damaged: Timeline, kind: str) -> None:
    before, after = assessed(timeline), assessed(damaged)
    if (after.grade or 0) < (before.grade or 0):
        assert any(damaged.gaps[kind].reason in words for words in after.missing)
        if kind in STATED:
            assert after.status in (Status.PROVISIONAL, Status.INDETERMINATE)


@stable
@given(timelines(), st.integers(-5, 5))
def test_moving_all_times_and_now_changes_nothing(timeline: Timeline, steps: int) -> None:
    """By four years at a time, so that birthdays stay where they are."""
    by = timedelta(days=1461 * steps)
    assert essence(assessed(moved(timeline, by), NOW + by)) == essence_moved(assessed(timeline), by)


@stable
@given(timelines(complete=True), st.integers(-100_000, 100_000))
def test_moving_all_times_and_now_by_minutes_changes_nothing_after_antibodies(timeline: Timeline, minutes: int) -> None:
    """Cells are counted by calendar days, antibodies by hours."""
    timeline = replace(timeline, therapies=(therapy("blinatumomab", "5 d", running=True),), birth_date=born("55 y"))
    by = timedelta(minutes=minutes)
    ours, theirs = assessed(timeline), assessed(moved(timeline, by), NOW + by)
    assert essence(theirs)[:3] == essence(ours)[:3]
    assert essence(theirs)[-1] == essence(ours)[-1]


def moved(value: Any, by: timedelta) -> Any:
    """The same in another time, however deep a date stands in it."""
    if isinstance(value, datetime):
        return value if value == FOREVER else value + by
    if isinstance(value, Timeline | Fact | Gap):
        fields = value.__dataclass_fields__
        return replace(value, **{name: moved(getattr(value, name), by) for name in fields})
    if isinstance(value, tuple):
        return tuple(moved(item, by) for item in value)
    if isinstance(value, dict):
        return {key: moved(item, by) for key, item in value.items()}
    return value + by if hasattr(value, "toordinal") else value


def essence_moved(answer: Assessment, by: timedelta) -> Any:
    status, grade, floor, episode, exposed, findings = essence(answer)
    if episode is not None:
        names = ("onset", "last_fever")
        episode = replace(episode, **{name: moved(getattr(episode, name), by) for name in names})
    if exposed is not None:
        exposed = replace(exposed, therapy=moved(exposed.therapy, by), since=exposed.since + by)
    return status, grade, floor, episode, exposed, findings


@stable
@given(timelines(), st.sampled_from(sorted(facts)), st.integers(1, 10_000), st.data())
def test_t_58_facts_of_the_future_change_nothing(
    timeline: Timeline, kind: str, minutes: int, data: st.DataObject
) -> None:
    fact = data.draw(facts[kind])
    ahead = NOW + timedelta(minutes=minutes)
    later = replace(fact, time=ahead)
    if getattr(fact, "until", None) is not None:
        later = replace(later, until=max(ahead, fact.until))
    assert assessed(with_facts(timeline, later)) == assessed(timeline)
    assert assessed(with_facts(timeline, replace(timeline.therapies[0], time=ahead))) == assessed(timeline)


# The decision table again, each of its classes with many patients in it.


def hours(low: int, high: int) -> st.SearchStrategy[str]:
    """Any minute of some hours: `hours(0, 4)` from now to four hours ago."""
    return st.integers(60 * low + (1 if low else 0), 60 * high).map(lambda minutes: f"{minutes} min")


def readings(make: Any, values: Sequence[Any], when: st.SearchStrategy[str], least: int = 1) -> Any:
    return st.lists(st.builds(make, st.sampled_from(values), when), min_size=least, max_size=4)


nothing: st.SearchStrategy[list[Fact]] = st.just([])
below = ("36.0", "37.5", "37.9", "37.999")
above = ("38.0", "38.1", "40.2")
older = readings(temperature, below, hours(12, 70))
low = st.lists(hours(0, 4), min_size=2, max_size=4, unique=True).flatmap(
    lambda times: st.tuples(*(st.builds(pressure, st.sampled_from((40, 86, "89.9")), st.just(when)) for when in times))
)
DRAWN: dict[str, dict[str, Any]] = {
    "FEVER": {
        "missing": nothing,
        "stale normal": older,
        "stale fever": readings(temperature, above, hours(24, 71)),
        "below": readings(temperature, below, hours(0, 12)),
        "at": readings(temperature, ("38.0", "38.00"), hours(0, 12)),
        "above": readings(temperature, above, hours(0, 12)),
    },
    "PRESSURE": {
        "missing": nothing,
        "stale": readings(pressure, (60, 84, 120), hours(4, 70)),
        "normal": readings(pressure, (90, "90.1", 135), hours(0, 4)),
        "low": low.map(list),
    },
    "OXYGEN": {
        "missing": nothing,
        "SpO2 alone": readings(saturation, (90, 97), hours(0, 4)),
        "air": st.builds(lambda when: [room_air(when)], hours(0, 4)),
        "air, SpO2 86": st.builds(lambda air, when: [room_air(air), saturation(86, when)], hours(0, 4), hours(0, 4)),
        "6 L/min": st.builds(
            lambda flow, when: [oxygen("nasal-cannula", flow, when)], st.sampled_from(("0.5", "3", "6.0")), hours(0, 4)
        ),
        "6.1 L/min": st.builds(
            lambda flow, when: [oxygen("nasal-cannula", flow, when)], st.sampled_from(("6.01", "7", "15")), hours(0, 4)
        ),
        "mask": st.builds(
            lambda device, when: [oxygen(device, None, when)],
            st.sampled_from(("simple-mask", "venturi", "non-rebreather", "high-flow-nasal-cannula")),
            hours(0, 4),
        ),
        "BiPAP": st.builds(
            lambda device, when: [oxygen(device, None, when)],
            st.sampled_from(("bilevel", "cpap", "ventilator", "intubation")),
            hours(0, 4),
        ),
        "unknown device": st.builds(lambda when: [oxygen("oxygen helmet", None, when)], hours(0, 4)),
    },
    "ANTIPYRETIC": {"none": nothing, "given": readings(drug, ("acetaminophen",), hours(0, 12))},
}
LINES = {
    "none": (),
    "one": ("norepinephrine", "norepinephrine"),
    "one and vasopressin": ("epinephrine", "vasopressin"),
    "vasopressin": ("vasopressin",),
    "two": ("norepinephrine", "phenylephrine"),
    "not known": (),
}
noise = st.lists(
    st.one_of(
        st.builds(infusion, st.sampled_from(("dobutamine", "milrinone")), hours(0, 20)),
        st.builds(infusion, st.sampled_from(("norepinephrine", "epinephrine")), st.just("30 h"), hours(0, 20)),
        st.builds(oxygen, st.sampled_from(("bilevel", "simple-mask", "room-air")), st.none(), hours(4, 20)),
        st.builds(drug, st.just("cefepime"), hours(0, 20)),
        st.builds(ordered, st.sampled_from(("norepinephrine", "vasopressin")), hours(0, 20)),
        st.builds(saturation, st.integers(90, 100), hours(0, 4)),
    ),
    max_size=3,
)


@settings(stable, max_examples=400)
@given(
    st.sampled_from(list(decisions.FEVER)),
    st.sampled_from(list(decisions.PRESSURE)),
    st.sampled_from(list(decisions.PRESSORS)),
    st.sampled_from(list(decisions.OXYGEN)),
    st.sampled_from(list(decisions.ANTIPYRETIC)),
    st.data(),
)
def test_every_patient_of_a_class_of_the_decision_table_is_graded_as_it_says(
    fever: str, systolic: str, pressors: str, support: str, antipyretic: str, data: st.DataObject
) -> None:
    charted = [
        *data.draw(DRAWN["FEVER"][fever]),
        *data.draw(DRAWN["PRESSURE"][systolic]),
        *data.draw(DRAWN["OXYGEN"][support]),
        *data.draw(DRAWN["ANTIPYRETIC"][antipyretic]),
        *(infusion(agent, data.draw(hours(0, 70))) for agent in LINES[pressors]),
        *data.draw(noise),
    ]
    missing = {"vasoactives": Gap("the EHR did not answer")} if pressors == "not known" else {}
    right = decisions.expected(fever, systolic, pressors, support, antipyretic, "day 3")
    assert outcome(patient(*charted, gaps=missing)) == right

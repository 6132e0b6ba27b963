"""Any patient: timelines of which anything may be charted, generated, the same ones in every run."""

from collections.abc import Sequence
from dataclasses import fields, is_dataclass, replace
from datetime import date, timedelta
from typing import Any

from hypothesis import settings
from hypothesis import strategies as st

from cds_service.crs.assessment import Assessment
from cds_service.crs.timeline import FOREVER, Fact, Flag, Gap, OxygenSupport, Therapy, Timeline
from tests.spec.patients import (
    KINDS,
    MASKING,
    WINDOWS,
    ago,
    bolus,
    charted_grade,
    diagnosis,
    drug,
    infusion,
    ordered,
    oxygen,
    patient,
    pressure,
    room_air,
    saturation,
    temperature,
    therapy,
)

stable = settings(derandomize=True, database=None, max_examples=120, deadline=None)

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


def moved(value: Any, by: timedelta) -> Any:
    """The same at another time, however deep a date stands in it."""
    if isinstance(value, date):
        return value if value == FOREVER else value + by
    if is_dataclass(value) and not isinstance(value, type):
        return replace(
            value, **{item.name: moved(getattr(value, item.name), by) for item in fields(value) if item.init}
        )
    if isinstance(value, tuple | list):
        return type(value)(moved(item, by) for item in value)
    return {key: moved(item, by) for key, item in value.items()} if isinstance(value, dict) else value

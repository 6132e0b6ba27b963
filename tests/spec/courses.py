"""Any course of CRS under treatment: weight, age, doses, steroids, cultures, scores, allergies, gaps, generated.

A course is told as phases, `(hours ago, grade)`, each with one of the ways in which that grade can come about. What
is usual is drawn more often than what is rare, so that many courses come as far as a repeat dose or a second steroid.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import date, timedelta
from decimal import Decimal
from typing import Any, TypeVar

from hypothesis import strategies as st

from cds_service.crs.timeline import (
    FOREVER,
    BloodPressure,
    BodyWeight,
    Cause,
    Drug,
    DrugOrder,
    Fact,
    Gap,
    OxygenSaturation,
    OxygenSupport,
    Temperature,
    Therapy,
    Timeline,
    Unused,
    Vasoactive,
)
from tests.bedside import ago, allergy, born, culture, diagnosis, given, ordered, score, weight
from tests.spec.patients import ROLES

T = TypeVar("T")
Phases = Sequence[tuple[float, int]]


@dataclass(frozen=True)
class Sign:
    """What is charted at each look at the patient, and the infusions that run meanwhile."""

    systolic: int = 118
    percent: int = 97
    device: str = "room-air"
    flow: str | None = None
    infusions: tuple[str, ...] = ()


SIGNS: Mapping[int, tuple[Sign, ...]] = {
    0: (Sign(),),
    1: (Sign(), Sign(infusions=("dobutamine",))),
    2: (
        Sign(systolic=84),
        Sign(device="nasal-cannula", flow="2"),
        Sign(systolic=84, device="nasal-cannula", flow="6"),
        Sign(percent=85),
    ),
    3: (
        Sign(infusions=("norepinephrine",)),
        Sign(infusions=("vasopressin",)),
        Sign(infusions=("norepinephrine", "vasopressin", "dobutamine")),
        Sign(infusions=("norepinephrine", "norepinephrine")),
        Sign(device="nasal-cannula", flow="6.1"),
        Sign(device="simple-mask", flow="5"),
    ),
    4: (Sign(infusions=("norepinephrine", "phenylephrine")), Sign(device="bilevel"), Sign(device="ventilator")),
}
THERAPIES = {
    "axicabtagene ciloleucel": "car-t",
    "ciltacabtagene autoleucel": "car-t",
    "teclistamab": "step-up",
    "blinatumomab": "blinatumomab",
}


def mostly(usual: st.SearchStrategy[T], *rare: st.SearchStrategy[T]) -> st.SearchStrategy[T]:
    """The usual in four of five draws, more or less: what is drawn first is also what a failure shrinks to."""
    return st.integers(0, 4).flatmap(lambda number: usual if number < 4 else st.one_of(*rare))


grades = st.sampled_from((2, 3, 4, 2, 3, 4, 1))
doses_at = st.sampled_from((0.0, 5.0, 7.99, 8.0, 8.01, 20.0, 71.9, 72.0, 73.0, 77.0, 150.0, 719.9, 720.1))


@st.composite
def steroids(draw: st.DrawFn) -> Sequence[Drug]:
    """A course of a corticosteroid every six hours, ended or going on."""
    agent, mg = draw(
        st.sampled_from((("dexamethasone", "10"), ("dexamethasone", "20")))
        | st.tuples(
            st.sampled_from(("dexamethasone", "methylprednisolone")), st.sampled_from(("4", "16", "1000", None))
        )
    )
    last = draw(st.sampled_from((1.0, 3.0, 23.9, 24.0, 24.1, 49.0)))
    found = [given(agent, last + 6 * number, mg) for number in range(draw(st.sampled_from((1, 4, 12))))]
    return [replace(found[0], until=FOREVER), *found[1:]] if draw(st.integers(0, 5)) == 5 else found


STORIES = ("first", "better", "worse", "repeat", "steroid", "limit", "prophylaxis", "again", "any")


@st.composite
def stories(draw: st.DrawFn, story: str) -> tuple[Phases, Sequence[float], Sequence[Drug]]:
    """The phases of the course, how many hours ago tocilizumab was given, and the corticosteroids."""
    grade, start = draw(grades), draw(st.sampled_from((80, 100, 200)))
    none: Sequence[Drug] = []
    other = mostly(st.just(none), steroids(), steroids())
    match story:
        case "first":
            return [(draw(st.sampled_from((20, 1, 3, 76, 100))), grade)], [], draw(other)
        case "repeat":
            return [(start, grade)], [draw(st.sampled_from((72.0, 73.0, 77.0, 71.99)))], draw(other)
        case "better":
            before, dose = draw(st.sampled_from((3, 4))), draw(st.sampled_from((8.0, 20.0, 72.0, 77.0)))
            now = draw(mostly(st.just(before - 1), st.integers(0, 1)))
            return [(start, before), (draw(st.sampled_from((4, 4.1))), now)], [dose], draw(other)
        case "worse":
            dose, since = draw(st.sampled_from((8.0, 20.0, 72.0, 77.0, 5.0, 7.99))), draw(st.sampled_from((4, 4.1, 2)))
            return [(start, grade), (since, min(4, grade + 1))], [dose], draw(other)
        case "steroid":
            before, now = draw(st.sampled_from(((4, 4), (2, 3), (3, 3), (3, 4), (3, 2))))
            usual = [given("dexamethasone", 3 + 6 * number, "20" if before == 4 else "10") for number in range(8)]
            running = draw(mostly(st.just(usual), st.just(usual[:1]), steroids()))
            return [(start, before), (2, now)], draw(st.lists(doses_at, max_size=1)), running
        case "limit":
            doses = [150.0, draw(doses_at.filter(lambda hours: hours < 150))]
            return [(200, grade)], doses, draw(other)
        case "prophylaxis":
            return [(start, grade)], [start + draw(st.sampled_from((1.0, 30.0)))], draw(other)
        case "again":
            doses = draw(st.sampled_from(([290.0], [290.0, 280.0, 270.0, 260.0])))
            return [(300, 2), (230, 0), (20, grade)], doses, draw(other)
    times = draw(st.lists(st.sampled_from((1, 3, 9, 30, 76, 150, 400)), min_size=1, max_size=3, unique=True))
    phases = [(at, draw(st.integers(0, 4))) for at in sorted(times, reverse=True)]
    return phases, draw(st.lists(doses_at | st.floats(0, 800), max_size=5, unique=True)), draw(other)


@st.composite
def bodies(draw: st.DrawFn) -> tuple[date | None, Sequence[BodyWeight]]:
    """Birth date and weights: those that fit each other, and any others."""
    years, kilograms = draw(
        mostly(
            st.sampled_from(((40, "80"), (18, "62.5"), (90, "100.01"))),
            st.sampled_from(((17, "70"), (9, "29.99"), (9, "30"), (1, "9.4"), (0, "6"), (None, "50"), (None, "49.9"))),
            st.tuples(st.none() | st.integers(0, 90), st.decimals("3", "180", places=2).map(str)),
        )
    )
    usual = st.just([weight(kilograms)])
    several = st.builds(weight, st.sampled_from((kilograms, "80", "70", "176")), DAYS, HOW)
    older = st.builds(lambda days: [weight(kilograms, days)], DAYS)
    charted = draw(mostly(usual, older, st.lists(several, max_size=3)))
    return born(years) if years is not None else None, charted


DAYS = st.sampled_from((0.1, 3.0, 3.1, 7.1, 30.0, 30.1, -0.1))
HOW = st.sampled_from(("measured", "unspecified", "stated", "estimated"))
hours = st.sampled_from((1.0, 3.0, 11.9, 12.1, 23.9, 24.1, 50.0, 71.9, 72.1, 100.0))
steps = st.sampled_from(("negative", "drawn", "ordered", "positive"))
cultures = mostly(
    st.builds(lambda at: [culture("negative", at)], hours),
    st.lists(st.builds(culture, steps, hours), max_size=4),
)
scores = mostly(
    st.just([score("10", 3)]),
    st.just([]),
    st.lists(st.builds(score, st.sampled_from(("10", "9", "0")), hours), max_size=2),
    st.lists(st.builds(score, st.sampled_from(("8", "9")), hours, st.just("capd-score")), max_size=2),
)
diagnoses = mostly(
    st.just([]),
    st.builds(
        lambda kind, at: [diagnosis(kind, at, f"charted {kind}, grade 5")],
        st.sampled_from(("icans", "icans-suspected", "crs", "home-positive-pressure")),
        hours,
    ),
)
allergies = mostly(
    st.just([]),
    st.lists(st.builds(allergy, st.sampled_from(("tocilizumab", "dexamethasone", "methylprednisolone"))), max_size=2),
)
ORDERED = {
    "tocilizumab": "il6-blocker",
    "dexamethasone": "corticosteroid",
    "methylprednisolone": "corticosteroid",
    "cefepime": "antibiotic",
}


def an_order(agent: str) -> st.SearchStrategy[DrugOrder]:
    return st.builds(ordered, st.just(agent), st.just(0.5) | hours, st.just(ORDERED[agent]))


orders = mostly(st.just([]), st.lists(st.sampled_from(sorted(ORDERED)).flatmap(an_order), min_size=1, max_size=3))
OTHERS = {
    "acetaminophen": "antipyretic",
    "cefepime": "antibiotic",
    "micafungin": "antifungal",
    "anakinra": "il1-blocker",
    "siltuximab": "il6-pathway",
}
others = mostly(
    st.just([]),
    st.lists(
        st.builds(lambda agent, at: given(agent, at, group=OTHERS[agent]), st.sampled_from(sorted(OTHERS)), hours),
        max_size=3,
    ),
)
KINDS = (
    *("temperatures", "pressures", "oxygen", "saturations", "vasoactives", "therapies", "diagnoses", "scores"),
    *("drugs", "orders", "allergies", "cultures", "weights", "labs"),
)
gaps = mostly(
    st.just({}),
    st.dictionaries(
        st.sampled_from(KINDS) | st.just("drugs"),
        st.builds(
            Gap,
            st.just("the EHR did not answer"),
            st.sampled_from((None, 25, 3, 25, 800)).map(lambda at: at and ago(at)),
        ),
        max_size=2,
    ),
)
unreadable = mostly(
    st.just(()),
    st.sampled_from(("tocilizumab", "dexamethasone")).map(
        lambda agent: (
            Unused("MedicationAdministration/unread", f"{agent}: its time cannot be read", Cause.DOUBTFUL_DOSE, agent),
        )
    ),
    st.just((Unused("MedicationAdministration/not-done", "tocilizumab: the status is not-done"),)),
)


@st.composite
def courses(draw: st.DrawFn, story: str = "", *, complete: bool = False) -> Timeline:
    """A patient under treatment; `complete` without gaps and without records that cannot be read."""
    phases, dosed, steroid = draw(stories(story or draw(st.sampled_from(STORIES))))
    birth_date, weights = draw(bodies())
    drugs = [given("tocilizumab", at, "640", name=draw(st.sampled_from(("Actemra", "Tyenne")))) for at in dosed]
    product = draw(mostly(st.just("axicabtagene ciloleucel"), st.sampled_from(sorted(THERAPIES))))
    since = timedelta(hours=draw(st.sampled_from((10, 30, 100))))
    cooled = draw(mostly(st.just(0.0), st.just(max([0.0, *dosed])), st.just(1000.0)))
    facts: dict[str, Sequence[Fact]] = {
        **_watched(draw, phases, dosed, cooled),
        "therapies": [
            Therapy(
                time=ago(phases[0][0]) - since,
                reference="MedicationAdministration/therapy",
                product=product,
                window=THERAPIES[product],
                until=FOREVER if product == "blinatumomab" else None,
            )
        ],
        "drugs": [*drugs, *steroid, *draw(others)],
        "orders": draw(orders),
        "weights": weights,
        "cultures": draw(cultures),
        "scores": draw(scores),
        "diagnoses": draw(diagnoses),
        "allergies": draw(allergies),
    }
    return Timeline(
        birth_date=birth_date,
        gaps={} if complete else draw(gaps),
        unused=() if complete else draw(unreadable),
        **{kind: tuple(sorted(found, key=lambda fact: fact.time)) for kind, found in facts.items()},  # type: ignore[arg-type]
    )


def _watched(draw: st.DrawFn, phases: Phases, dosed: Sequence[float], cooled: float) -> dict[str, Sequence[Any]]:
    """What was charted every eleven hours, at doses, and of late more often. No fever for the last `cooled` hours."""
    found: dict[str, list[Any]] = {name: [] for name in KINDS[:5]}
    ends = [*(since for since, _ in phases[1:]), -1.0]
    for (since, grade), end in zip(phases, ends, strict=True):
        sign = draw(st.sampled_from(SIGNS[grade][:1] * 3 + SIGNS[grade]))
        regular = {float(at) for at in (0, 1, 3, *range(8, 400, 11), *dosed) if end < at < since}
        for at in sorted({float(since), *regular}):
            charted = {"time": ago(at), "reference": f"Observation/{at}"}
            celsius = "38.6" if grade and at >= cooled else "36.9"
            found["temperatures"].append(Temperature(celsius=Decimal(celsius), **charted))
            found["pressures"].append(BloodPressure(systolic=Decimal(sign.systolic), **charted))
            found["saturations"].append(OxygenSaturation(percent=Decimal(sign.percent), **charted))
            flow = Decimal(sign.flow) if sign.flow else None
            found["oxygen"].append(OxygenSupport(device=sign.device, flow=flow, **charted))
        for line, agent in enumerate(sign.infusions):
            found["vasoactives"].append(
                Vasoactive(
                    time=ago(since),
                    reference=f"MedicationAdministration/{agent}-{line}-{since}",
                    agent=agent,
                    role=ROLES.get(agent, "vasopressor"),
                    until=ago(end) if end >= 0 else FOREVER,
                )
            )
    return found

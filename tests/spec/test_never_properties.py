"""No course whatever produces an order that N-01 to N-27 forbid; and the courses tried come to every decision."""

from collections import Counter
from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import timedelta
from decimal import Decimal
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crs.advice import advise
from cds_service.crs.grading import assess
from cds_service.crs.protocol import Protocol, Stage, Step, WeightBand
from cds_service.crs.timeline import Gap, Timeline
from cds_service.crs.treatment import Draft
from tests.bedside import NOW, Bedside, ago, allergy, born, content, culture, ordered, score, tocilizumab, weight
from tests.bedside import given as given_drug
from tests.spec.cases import Case
from tests.spec.courses import STORIES, courses
from tests.spec.forbidden import forbidden
from tests.spec.timelines import stable

SHIPPED = content().protocol
Change = Callable[[tuple[Draft, ...]], tuple[Draft, ...]]


def case(timeline: Timeline, protocol: Protocol = SHIPPED) -> Case:
    """What the service would answer."""
    assessment = assess(timeline, content().scale, NOW)
    return Case(timeline, assessment, advise(timeline, assessment, content().scale, protocol))


@settings(stable, max_examples=300)
@given(courses())
def test_n_01_to_n_27_no_course_produces_an_order_that_is_forbidden(timeline: Timeline) -> None:
    assert forbidden(case(timeline)) == []


# The property must not pass because nothing is ever drafted, nor because its rules overlook what they look for.

DECISIONS = (
    *("no-crs", "indeterminate", "not-eligible", "provisional", "grade 1", "grade 2", "grade 3", "grade 4"),
    *("tocilizumab drafted", "repeat drafted", "dexamethasone-10 drafted", "dexamethasone-20 drafted"),
    *("blood-cultures drafted", "reservation", "record-unknown", "allergy", "check-first", "refractory-options"),
    *("tocilizumab-no-weight", "tocilizumab-ordered", "tocilizumab-too-early", "tocilizumab-wait"),
    *("tocilizumab-deteriorated", "tocilizumab-improved", "tocilizumab-infection", "tocilizumab-icans-repeat"),
    *("tocilizumab-limit", "tocilizumab-label-limit", "tocilizumab-icans", "status-confirm"),
    *("dexamethasone-20-taper drafted", "methylprednisolone drafted", "steroid-replaces", "steroid-two"),
    *("steroid", "steroid-refractory", "steroid-with-second-dose", "steroid-child", "steroid-running"),
)


def reached(found: Case) -> set[str]:
    """The decisions that a case came to, by name."""
    names = {say.value for say in found.says}
    names |= {f"grade {found.assessment.grade}", found.assessment.status.value}
    names |= {f"{draft.order.id} drafted" for draft in found.drafts}
    return names | {"repeat drafted" for _ in found.repeats}


def test_the_courses_tried_come_to_every_decision() -> None:
    counts: Counter[str] = Counter()

    @settings(stable, max_examples=100)
    @given(st.tuples(*map(courses, STORIES)))
    def collect(patients: tuple[Timeline, ...]) -> None:
        for timeline in patients:
            counts.update(reached(case(timeline)))

    collect()
    assert [name for name in DECISIONS if not counts[name]] == []


def of(order: str, **changes: Any) -> dict[str, Any]:
    """The orders with one that is changed."""
    return {"orders": {**SHIPPED.orders, order: replace(SHIPPED.orders[order], **changes)}}


def step(grade: int, *orders: str) -> dict[str, Any]:
    """The steps with other orders at one grade."""
    return {"steps": {**SHIPPED.steps, grade: Step(orders=orders, considers_repeat=False)}}


EVER, NEVER = timedelta(days=999), timedelta(0)
EIGHT = WeightBand(mg_per_kg=Decimal(8))
NEGATIVE = [culture("negative", 3)]


def treated(*hours: float, **known: Any) -> Bedside:
    """Grade 2 for a week, tocilizumab given so many hours ago, infection excluded."""
    return Bedside(phases=[(180, 2)], drugs=tocilizumab(*hours), cultures=NEGATIVE, therapy_days=8, **known)


def severe(**known: Any) -> Bedside:
    return Bedside(phases=[(20, 3)], **known)


CARELESS: Mapping[str, tuple[dict[str, Any], Bedside]] = {
    "N-01: one more": ({"maximum_doses": 9, "label_maximum_doses": 9}, treated(170, 90)),
    "N-02": ({"minimum_interval": NEVER, "repeat_after": NEVER}, treated(7.9)),
    "a repeat before 72 hours": ({"repeat_after": timedelta(hours=71)}, treated(71.5)),
    "N-03: no usable weight": ({"weight_limit": EVER}, Bedside(weights=[weight("80", 30.1)])),
    "N-03: 80 kg": ({"weight_jump": Decimal(9)}, Bedside(weights=[weight("80", 3), weight("97", 1)])),
    "N-03: 50 kg": (
        {"plausible_weights": SHIPPED.plausible_weights[-1:]},
        severe(birth_date=born(4), weights=[weight("50")]),
    ),
    "N-04, N-05: 800.08": (of("tocilizumab", maximum_mg=None), Bedside(weights=[weight("100.01")])),
    "N-04, N-05: 239.2": (
        of("tocilizumab", weight_bands=(EIGHT,)),
        Bedside(birth_date=born(9), weights=[weight("29.9")]),
    ),
    "N-06": (of("tocilizumab", route="subcutaneous"), Bedside()),
    "N-07: a repeat": ({"ice_normal": Decimal(0)}, treated(73, scores=[score("9", 3)])),
    "N-07: silently": ({"ice_normal": Decimal(0)}, Bedside(scores=[score("9", 3)])),
    "N-08: a corticosteroid": (step(2, "tocilizumab", "dexamethasone-10"), Bedside()),
    "N-09: an adult dose at 17": (of("dexamethasone-10", adults_only=False), severe(birth_date=born(17))),
    "N-09: an adult dose without": (
        {"adult_kg_without_age": Decimal(0)},
        severe(birth_date=None, weights=[weight("49.9")]),
    ),
    "N-10: a second regimen": ({"steroid_active": NEVER}, severe(drugs=[given_drug("dexamethasone", 23.9)])),
    "N-11": (step(3, "tocilizumab", "dexamethasone-20"), severe()),
    "methylprednisolone before": (step(4, "tocilizumab", "methylprednisolone"), Bedside(phases=[(20, 4)])),
    "10 mg of dexamethasone at": (step(4, "tocilizumab", "dexamethasone-10"), Bedside(phases=[(20, 4)])),
    "40 mg of dexamethasone": (of("dexamethasone-10", stages=(Stage(mg=Decimal(40)),)), severe()),
    "N-15: no cultures": ({"cultures": EVER}, Bedside(cultures=[culture("drawn", 24.1)])),
    "N-15: no antibiotics": ({"antibiotics": EVER}, Bedside(drugs=[given_drug("cefepime", 12.1)])),
    "N-20": (of("dexamethasone-10", agent="anakinra"), severe()),
}


@pytest.mark.parametrize("said", CARELESS)
def test_the_rules_notice_a_protocol_without_the_limit(said: str) -> None:
    changes, bedside = CARELESS[said]
    assert forbidden(case(bedside.timeline)) == []
    assert any(said in words for words in forbidden(case(bedside.timeline, replace(SHIPPED, **changes))))


WEAK = severe(drugs=[given_drug("dexamethasone", 3, "4")])
"""Less than the protocol gives at this grade: its dose replaces the present one."""
OVERLOOKED: Mapping[str, tuple[Bedside, dict[str, Any]]] = {
    "N-01: doses given are not all known": (Bedside(), {"gaps": {"drugs": Gap("late", ago(719))}}),
    "N-01: one is ordered": (Bedside(), {"orders": (ordered("tocilizumab", 1, "il6-blocker"),)}),
    "N-10: what was given": (severe(), {"gaps": {"drugs": Gap("late", ago(23))}}),
    "N-10: a second regimen": (severe(), {"orders": (ordered("dexamethasone", 1, "corticosteroid"),)}),
    "N-10: it replaces dexamethasone 4 mg": (WEAK, {"drugs": (given_drug("methylprednisolone", 3, "60"),)}),
    "N-10: it replaces one of two": (WEAK, {"orders": (ordered("methylprednisolone", 1, "corticosteroid"),)}),
    "N-17: allergic": (Bedside(), {"allergies": (allergy("tocilizumab"),)}),
    "N-17: allergic to it": (severe(), {"allergies": (allergy("dexamethasone"),)}),
    "although no fever": (Bedside(), {"temperatures": ()}),
    "although infection": (treated(73), {"cultures": (culture("positive", 71),)}),
    "N-12": (Bedside(), {"pressures": ()}),
    "S-INF-1": (Bedside(), {"cultures": (culture("ordered", 1),)}),
}


@pytest.mark.parametrize("said", OVERLOOKED)
def test_the_rules_notice_advice_that_overlooked_a_fact(said: str) -> None:
    bedside, facts = OVERLOOKED[said]
    advised = case(bedside.timeline)
    assert forbidden(advised) == []
    overlooked = Case(replace(bedside.timeline, **facts), advised.assessment, advised.advice)
    assert any(said in words for words in forbidden(overlooked))


@pytest.mark.parametrize(
    ("grade", "said"), [(5, "N-25: grade 5"), (1, "N-08: a drug at grade 1"), (None, "a draft without a grade")]
)
def test_the_rules_notice_drafts_that_do_not_fit_the_grade(grade: int | None, said: str) -> None:
    advised = case(Bedside().timeline)
    assert said in forbidden(replace(advised, assessment=replace(advised.assessment, grade=grade)))


@pytest.mark.parametrize(
    ("bedside", "change", "said"),
    [
        (severe(), lambda drafts: drafts * 2, "N-10: two corticosteroids"),
        (
            WEAK,
            lambda drafts: tuple(replace(draft, recommended=True) for draft in drafts),
            "N-10: a replacement that is selected before anybody has stopped the present one",
        ),
        (
            WEAK,
            lambda drafts: tuple(replace(draft, replaces=None) for draft in drafts),
            "N-10: a second regimen beside the one charted",
        ),
    ],
)
def test_n_10_the_rules_notice_a_second_corticosteroid(bedside: Bedside, change: Change, said: str) -> None:
    advised = case(bedside.timeline)
    treatment = advised.advice.treatment
    assert treatment is not None
    assert forbidden(advised) == []
    changed = replace(advised.advice, treatment=replace(treatment, drafts=change(treatment.drafts)))
    assert said in forbidden(replace(advised, advice=changed))

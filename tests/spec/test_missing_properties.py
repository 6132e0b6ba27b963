"""What cannot be had never lowers a grade, nor adds a draft, without saying so (N-14)."""

from dataclasses import replace

from hypothesis import example, given, settings
from hypothesis import strategies as st

from cds_service.crs.assessment import Status
from cds_service.crs.timeline import Gap, Timeline
from tests.spec.courses import courses
from tests.spec.patients import (
    KINDS,
    ago,
    assessed,
    drug,
    febrile,
    pressure,
    temperature,
)
from tests.spec.test_never_properties import case
from tests.spec.timelines import stable, timelines

STATED = ("temperatures", "pressures", "oxygen", "vasoactives", "drugs")
"""Without these a lower grade says itself that it is provisional; without the others it names what is missing."""


@stable
@given(timelines(complete=True), st.sampled_from([kind for kind in KINDS.values() if kind != "therapies"]))
@example(febrile(drug("tocilizumab", "2 d"), temperature("37.0"), pressure(84)), "drugs")
def test_n_14_what_cannot_be_had_never_lowers_the_grade_silently(timeline: Timeline, kind: str) -> None:
    damaged = replace(timeline, **{kind: ()}, gaps={kind: Gap("the EHR did not answer")})
    assert_never_silently_lower(timeline, damaged, kind)


@stable
@given(
    timelines(complete=True),
    st.sampled_from(("temperatures", "pressures", "oxygen", "saturations", "drugs")),
    st.sampled_from(("2 h", "5 h", "13 h", "25 h", "49 h", "4 d")),
)
def test_n_14_a_page_that_was_cut_never_lowers_the_grade_silently(timeline: Timeline, kind: str, since: str) -> None:
    kept = tuple(fact for fact in getattr(timeline, kind) if fact.time >= ago(since) or getattr(fact, "until", None))
    cut = replace(timeline, **{kind: kept}, gaps={kind: Gap("only one page was sent", ago(since))})
    assert_never_silently_lower(timeline, cut, kind)


def assert_never_silently_lower(timeline: Timeline, damaged: Timeline, kind: str) -> None:
    before, after = assessed(timeline), assessed(damaged)
    if (after.grade or 0) < (before.grade or 0):
        assert any(damaged.gaps[kind].reason in words for words in after.missing)
        if kind in STATED:
            assert after.status in (Status.PROVISIONAL, Status.INDETERMINATE)


BESIDE = ("drugs", "orders", "allergies", "cultures", "scores", "diagnoses", "weights", "labs")
"""What advice looks at beside the criteria of the grade."""


@settings(stable, max_examples=150)
@given(courses(complete=True), st.sampled_from(BESIDE))
def test_n_14_what_cannot_be_had_never_adds_a_draft_that_is_recommended(timeline: Timeline, kind: str) -> None:
    """A draft that only appears because an allergy, an order or a result was not read must say what to check."""
    damaged = replace(timeline, **{kind: ()}, gaps={kind: Gap("the EHR did not answer")})
    before, after = case(timeline), case(damaged)
    if after.assessment.grade != before.assessment.grade:
        return
    known = {draft.order.id for draft in before.drafts}
    assert [draft.order.id for draft in after.drafts if draft.recommended and draft.order.id not in known] == []

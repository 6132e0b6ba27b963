"""The grader and a second one, made of tables, agree on every patient; and what is lost is never lost in silence.

`CRS_TESTS_PATIENTS` says how many patients are tried: few by default, 50,000 in CI, a million by `make hard`.
"""

import os
from collections.abc import Iterator
from dataclasses import replace
from datetime import datetime, timedelta

from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crs.timeline import Gap, Timeline
from tests.spec import second_grader
from tests.spec.patients import KINDS, NOW, ago, assessed, outcome
from tests.spec.timelines import stable, timelines

PATIENTS = int(os.environ.get("CRS_TESTS_PATIENTS", "5000"))
QUARTERS = (0, 1, 2, 4, 7, 10, 16, 17, 24, 40, 48, 49, 72, 96, 97, 120, 160, 192, 193, 240, 288, -1, -16, -48, -96)
"""When each record is looked at, in quarters of an hour before NOW: each time it is another patient."""
many = settings(stable, max_examples=PATIENTS // len(QUARTERS), derandomize=PATIENTS <= 50_000)


def instants() -> Iterator[datetime]:
    return (NOW - quarter * timedelta(minutes=15) for quarter in QUARTERS)


@many
@given(timelines())
def test_the_second_grader_gives_every_patient_the_same_grade(timeline: Timeline) -> None:
    for now in instants():
        assert outcome(timeline, now) == second_grader.grade(timeline, now), f"at {now}"


LOST = sorted(set(KINDS.values()) - {"orders"})


@many
@given(timelines(complete=True), st.sampled_from(LOST), st.sampled_from((None, "2 h", "5 h", "13 h", "25 h", "4 d")))
def test_t65_n_14_no_patient_is_silently_graded_lower_when_data_is_lost(
    timeline: Timeline, kind: str, since: str | None
) -> None:
    """The second grader says the true grade; the answer to the damaged record states it, or says what was lost."""
    start = ago(since) if since else None
    kept = tuple(fact for fact in getattr(timeline, kind) if start and (fact.time >= start or _lasts(fact, start)))
    damaged = replace(timeline, **{kind: kept}, gaps={kind: Gap("the EHR did not answer", start)})
    for now in instants():
        truth, answer = second_grader.grade(timeline, now), assessed(damaged, now)
        stated = answer.grade or 0
        if stated < _number(truth):
            assert any("the EHR did not answer" in words for words in answer.missing), (
                f"{truth} became {stated} at {now}"
            )


def _lasts(fact: object, start: datetime) -> bool:
    until = getattr(fact, "until", None)
    return until is not None and until >= start


def _number(said: str) -> int:
    return next((int(word) for word in said.split() if word.isdigit()), 0)

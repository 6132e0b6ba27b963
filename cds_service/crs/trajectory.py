"""The trajectory: the grade over time, by the functions that grade one instant, asked at each at which it can change.

Hindsight: each instant is graded by what the record of today says was true then, and by nothing that came after it.
A reading that was entered late counts from its time of measurement, what was corrected counts as corrected, and what
cannot be read now is missing at every instant for which it is needed. So a step may differ from what was answered at
the time. The end of an infusion, of oxygen or of a course says nothing before it is reached.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime, time, timedelta
from itertools import groupby, pairwise

from cds_service.crs.assessment import Assessment, Finding, Status
from cds_service.crs.grading import assess
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Fact, Therapy, Timeline

MOST_INSTANTS = 2000
"""Of a record with more the newest are graded, and the trajectory begins later."""
AFTER = datetime.resolution
"""A window holds its last instant: what leaves it is gone by so much later."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Step:
    """A stretch in which the grade and the rules it rests on stay the same, `assessment` as it was at its start.

    It ends before `until`; the last step holds `until` too, which is now.
    """

    since: datetime
    until: datetime
    assessment: Assessment

    @property
    def status(self) -> Status:
        """How far the grade could be trusted."""
        return self.assessment.status

    @property
    def grade(self) -> int | None:
        """0 to 4, None when it cannot be given."""
        return self.assessment.grade

    @property
    def is_floor(self) -> bool:
        """True when what is missing could raise the grade."""
        return self.assessment.is_floor

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why it is provisional although the data is there."""
        return self.assessment.doubts

    @property
    def deciding(self) -> tuple[Finding, ...]:
        """The findings whose rules were met."""
        return tuple(finding for finding in self.assessment.findings if finding.rules and finding.headline)


@dataclass(frozen=True, slots=True, kw_only=True)
class Trajectory:
    """The assessment at each instant at which it can change, oldest first; the last is that of now.

    `complete` is false where the record holds more instants than are graded.
    """

    assessments: tuple[Assessment, ...]
    complete: bool

    @property
    def steps(self) -> tuple[Step, ...]:
        """The stretches of one grade, oldest first, without a hole between them."""
        begun = [next(same) for _, same in groupby(self.assessments, key=_said)]
        ends = [*(later.as_of for later in begun[1:]), self.assessments[-1].as_of]
        return tuple(
            Step(since=first.as_of, until=until, assessment=first) for first, until in zip(begun, ends, strict=True)
        )


def trajectory(timeline: Timeline, scale: Scale, now: datetime) -> Trajectory:
    """The grade from the first therapy to `now` (aware, UTC); at `now` alone where no therapy is known."""
    first = min((therapy.time for therapy in timeline.therapies), default=now)
    instants = sorted({at.astimezone(UTC) for at in _changes(timeline, scale, now) if first <= at < now})
    return Trajectory(
        assessments=tuple(assess(timeline, scale, at, peak=False) for at in (*instants[1 - MOST_INSTANTS :], now)),
        complete=len(instants) < MOST_INSTANTS,
    )


def _said(assessment: Assessment) -> tuple[object, ...]:
    """What makes two assessments one step."""
    rules = tuple((finding.state, finding.rules) for finding in assessment.findings)
    return assessment.status, assessment.grade, assessment.is_floor, rules


def _changes(timeline: Timeline, scale: Scale, now: datetime) -> Iterator[datetime]:
    """When a fact begins or ends to be true, or goes stale; when a gap ends, and when another threshold is that of
    the age."""
    fever = (scale.fever_current, scale.fever_establishing)
    pressure, oxygen = (scale.pressure_window,), (scale.oxygen_window,)
    masking = [(drug, (scale.masking[drug.group],)) for drug in timeline.drugs if drug.group in scale.masking]
    facts: list[tuple[Fact, tuple[timedelta, ...]]] = [
        *((reading, fever) for reading in timeline.temperatures),
        *((reading, pressure) for reading in (*timeline.pressures, *timeline.vasoactives)),
        *((reading, oxygen) for reading in (*timeline.saturations, *timeline.oxygen)),
        *((fact, ()) for fact in (*timeline.diagnoses, *timeline.scores, *timeline.therapies)),
        *masking,
    ]
    for fact, windows in facts:
        for at in (fact.time, getattr(fact, "until", None)):
            if at is not None and at <= now:
                yield from (at, at + AFTER, *(at + window + AFTER for window in windows))
    for therapy in timeline.therapies:
        yield from _ends_of_window(therapy, scale)
    needed = (*fever, *pressure, *oxygen, scale.vasoactive_history, max(scale.masking.values()))
    for gap in timeline.gaps.values():
        if gap.known_since is not None:
            yield from (gap.known_since + window for window in needed)
    yield from _other_thresholds(timeline, scale, now)


def _ends_of_window(therapy: Therapy, scale: Scale) -> Iterator[datetime]:
    """When CRS of a therapy is looked for no longer, under each of the conditions of its window."""
    window = scale.therapy_windows[therapy.window]
    for days in (window.days, window.late_days):
        if days is not None:
            yield _midnight_after(therapy, days)
    for hours in (window.hours, window.later_hours):
        if hours is not None:
            yield from (therapy.time + hours + AFTER, _midnight_after(therapy, 0) + hours)


def _midnight_after(therapy: Therapy, days: int) -> datetime:
    day = therapy.time.date() + timedelta(days=days + 1)
    return datetime.combine(day, time.min, tzinfo=therapy.time.tzinfo).astimezone(UTC)


def _other_thresholds(timeline: Timeline, scale: Scale, now: datetime) -> Iterator[datetime]:
    """The midnights since the first therapy with which another systolic threshold holds (C25)."""
    if timeline.birth_date is None or not timeline.therapies:
        return
    first = min(therapy.time for therapy in timeline.therapies).astimezone(UTC).date()
    days = [
        datetime.combine(first + timedelta(days=day), time.min, UTC) for day in range((now.date() - first).days + 1)
    ]
    for before, day in pairwise(days):
        thresholds = {
            scale.systolic_threshold(timeline.age_in_days(at), timeline.age_in_years(at)) for at in (before, day)
        }
        if len(thresholds) > 1:
            yield day

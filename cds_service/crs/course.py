"""The course so far, rebuilt from the record at each call: what was given, what came of it, what else is known."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cds_service.crs.assessment import Assessment
from cds_service.crs.cultures import Cultures, cultures_of
from cds_service.crs.neurotoxicity import Neurotoxicity, neurotoxicity_of
from cds_service.crs.protocol import Protocol
from cds_service.crs.regimen import Regimen, regimens_of
from cds_service.crs.response import Response, response_since
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Drug, DrugOrder, Score, Timeline

IL6_BLOCKER = "il6-blocker"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What happened, as far as advice needs it: `doses` in this episode, `doses_for_label` in the label's count.

    `response` and `grade_at_dose` are those of the last tocilizumab dose of this episode, `charted_grade` is the last
    CRS grade that a clinician charted since the therapy.
    """

    doses: tuple[Drug, ...]
    doses_for_label: tuple[Drug, ...]
    open_order: DrugOrder | None
    response: Response
    grade_at_dose: int | None
    steroid: Regimen | None
    steroid_orders: tuple[Regimen, ...]
    cultures: Cultures
    antibiotic: Drug | DrugOrder | None
    antifungal: Drug | DrugOrder | None
    antipyretic: Drug | None
    neurotoxicity: Neurotoxicity
    charted_grade: Score | None

    @property
    def last_dose(self) -> Drug | None:
        """The last tocilizumab of any episode: the least interval counts from it."""
        return self.doses_for_label[-1] if self.doses_for_label else None

    @property
    def treated(self) -> bool:
        """True once tocilizumab was given in this episode, or while a corticosteroid is running (S-PIT-MON-1)."""
        return bool(self.doses) or (self.steroid is not None and not self.steroid.before_crs)

    def since_last_dose(self, now: datetime) -> timedelta | None:
        """Time since the last tocilizumab of this episode, None without one."""
        return now - self.doses[-1].time if self.doses else None


def course_of(timeline: Timeline, assessment: Assessment, scale: Scale, protocol: Protocol) -> Course:
    """Rebuild the course from the timeline. Doses are counted by ingredient, any brand and route (N-01)."""
    now = assessment.as_of
    for_label = _doses(timeline, now - protocol.label_count, now)
    doses = _in_episode(for_label, assessment)
    response, grade_at_dose = Response.NOT_KNOWN, None
    if doses:
        response, grade_at_dose = response_since(timeline, assessment, scale, doses[-1])
    steroid, steroid_orders = regimens_of(timeline, assessment, scale, protocol)
    return Course(
        doses=doses,
        doses_for_label=for_label,
        open_order=_open_order(timeline, for_label),
        response=response,
        grade_at_dose=grade_at_dose,
        steroid=steroid,
        steroid_orders=steroid_orders,
        cultures=cultures_of(timeline, protocol, doses, now),
        antibiotic=_recent(timeline, "antibiotic", protocol.antibiotics, now) or _ordered(timeline, "antibiotic"),
        antifungal=_recent(timeline, "antifungal", protocol.antibiotics, now) or _ordered(timeline, "antifungal"),
        antipyretic=_recent(timeline, "antipyretic", scale.masking["antipyretic"], now),
        neurotoxicity=neurotoxicity_of(timeline, assessment, protocol),
        charted_grade=_charted_grade(timeline, assessment),
    )


def _doses(timeline: Timeline, since: datetime, now: datetime) -> tuple[Drug, ...]:
    """Administrations of an IL-6 receptor blocker; the same instant charted twice is one dose (DQ-33)."""
    given = [drug for drug in timeline.drugs if drug.group == IL6_BLOCKER and since <= drug.time <= now]
    return tuple({drug.time: drug for drug in given}.values())


def _in_episode(doses: tuple[Drug, ...], assessment: Assessment) -> tuple[Drug, ...]:
    """Doses of this episode: all, prophylactic ones too, until an earlier episode has resolved (4.3; 4.5, point 5)."""
    episode = assessment.episode
    if episode is None or not episode.reopened or episode.onset is None:
        return doses
    return tuple(drug for drug in doses if drug.time >= episode.onset)


def _open_order(timeline: Timeline, doses: tuple[Drug, ...]) -> DrugOrder | None:
    """An order newer than the last dose: not yet charted as given, it blocks a second draft."""
    orders = [order for order in timeline.orders if order.group == IL6_BLOCKER]
    waiting = [order for order in orders if not doses or order.time > doses[-1].time]
    return waiting[-1] if waiting else None


def _recent(timeline: Timeline, group: str, window: timedelta, now: datetime) -> Drug | None:
    given = [drug for drug in timeline.drugs if drug.group == group and drug.time <= now]
    recent = [drug for drug in given if drug.last_true(now) >= now - window]
    return recent[-1] if recent else None


def _ordered(timeline: Timeline, group: str) -> DrugOrder | None:
    orders = [order for order in timeline.orders if order.group == group]
    return orders[-1] if orders else None


def _charted_grade(timeline: Timeline, assessment: Assessment) -> Score | None:
    since = assessment.exposure.since if assessment.exposure else assessment.as_of
    grades = [score for score in timeline.scores if score.instrument == "crs-grade"]
    charted = [score for score in grades if since <= score.time <= assessment.as_of]
    return charted[-1] if charted else None

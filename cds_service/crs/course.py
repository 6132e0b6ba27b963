"""The course so far: tocilizumab and steroids given, cultures, neurotoxicity, and the response to the last dose."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cds_service.crs.assessment import Assessment
from cds_service.crs.grading import assess
from cds_service.crs.protocol import Protocol
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Culture, Diagnosis, Drug, DrugOrder, Score, Timeline

IL6_BLOCKER = "il6-blocker"


class Response(StrEnum):
    """The grade now against the grade at the last tocilizumab dose (C13)."""

    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    DETERIORATED = "deteriorated"
    NOT_KNOWN = "not known"


class Icans(StrEnum):
    """Neurotoxicity: a coded diagnosis or an abnormal score is `present`, a finding alone `suspected`."""

    ABSENT = "absent"
    NOT_RECORDED = "not recorded"
    SUSPECTED = "suspected"
    PRESENT = "present"


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What happened in this episode, as far as advice needs it."""

    doses: tuple[Drug, ...]
    doses_for_label: tuple[Drug, ...]
    last_dose: Drug | None
    open_order: DrugOrder | None
    response: Response
    steroid: Drug | None
    steroid_order: DrugOrder | None
    culture: Culture | None
    infection_excluded: bool
    antibiotic: Drug | DrugOrder | None
    antifungal: Drug | DrugOrder | None
    icans: Icans
    icans_reason: Score | Diagnosis | None
    score: Score | None

    def since_last_dose(self, now: datetime) -> timedelta | None:
        """Time since the last tocilizumab, None without one."""
        return None if self.last_dose is None else now - self.last_dose.time


def course_of(timeline: Timeline, assessment: Assessment, scale: Scale, protocol: Protocol) -> Course:
    """Rebuild the course from the timeline. Doses are counted by ingredient, any brand and route (N-01)."""
    now = assessment.as_of
    doses = _doses(timeline, now - protocol.label_count, now)
    episode = assessment.episode
    in_episode = doses
    if episode is not None and episode.reopened and episode.onset is not None:
        in_episode = tuple(drug for drug in doses if drug.time >= episode.onset)
    last = doses[-1] if doses else None
    icans, reason = _icans(timeline, assessment, protocol)
    culture = _culture(timeline, protocol, now)
    return Course(
        doses=in_episode,
        doses_for_label=doses,
        last_dose=last,
        open_order=_open_order(timeline, last),
        response=_response(timeline, assessment, scale, last),
        steroid=_recent(timeline, "corticosteroid", protocol.steroid_active, now),
        steroid_order=_ordered(timeline, "corticosteroid"),
        culture=culture,
        infection_excluded=_infection_excluded(timeline, protocol, last, now),
        antibiotic=_recent(timeline, "antibiotic", protocol.antibiotics, now) or _ordered(timeline, "antibiotic"),
        antifungal=_recent(timeline, "antifungal", protocol.antibiotics, now) or _ordered(timeline, "antifungal"),
        icans=icans,
        icans_reason=reason,
        score=_score(timeline, protocol, now),
    )


def _doses(timeline: Timeline, since: datetime, now: datetime) -> tuple[Drug, ...]:
    """Administrations of an IL-6 receptor blocker; the same instant charted twice is one dose (DQ-33)."""
    given = [drug for drug in timeline.drugs if drug.group == IL6_BLOCKER and since <= drug.time <= now]
    return tuple({drug.time: drug for drug in given}.values())


def _open_order(timeline: Timeline, last: Drug | None) -> DrugOrder | None:
    """An order newer than the last dose: not yet charted as given, it blocks a second draft."""
    orders = [order for order in timeline.orders if order.group == IL6_BLOCKER]
    waiting = [order for order in orders if last is None or order.time > last.time]
    return waiting[-1] if waiting else None


def _response(timeline: Timeline, assessment: Assessment, scale: Scale, last: Drug | None) -> Response:
    if last is None or assessment.grade is None:
        return Response.NOT_KNOWN
    at_dose = assess(timeline, scale, last.time).grade
    if not at_dose:
        return Response.NOT_KNOWN
    if assessment.grade < at_dose:
        return Response.IMPROVED
    return Response.DETERIORATED if assessment.grade > at_dose else Response.UNCHANGED


def _recent(timeline: Timeline, group: str, window: timedelta, now: datetime) -> Drug | None:
    given = [drug for drug in timeline.drugs if drug.group == group and drug.time <= now]
    recent = [drug for drug in given if drug.last_true(now) >= now - window]
    return recent[-1] if recent else None


def _ordered(timeline: Timeline, group: str) -> DrugOrder | None:
    orders = [order for order in timeline.orders if order.group == group]
    return orders[-1] if orders else None


def _culture(timeline: Timeline, protocol: Protocol, now: datetime) -> Culture | None:
    recent = [fact for fact in timeline.cultures if now - protocol.cultures <= fact.time <= now]
    return recent[-1] if recent else None


def _infection_excluded(timeline: Timeline, protocol: Protocol, last: Drug | None, now: datetime) -> bool:
    """A negative blood culture and no positive one; a pending culture excludes nothing (C27)."""
    since = now - protocol.negative_cultures
    if last is not None:
        since = min(since, last.time - protocol.cultures)
    results = {fact.step for fact in timeline.cultures if since <= fact.time <= now}
    return "negative" in results and "positive" not in results


def _score(timeline: Timeline, protocol: Protocol, now: datetime) -> Score | None:
    scores = [score for score in timeline.scores if score.instrument in ("ice-score", "capd-score")]
    recent = [score for score in scores if now - protocol.scores <= score.time <= now]
    return recent[-1] if recent else None


def _icans(timeline: Timeline, assessment: Assessment, protocol: Protocol) -> tuple[Icans, Score | Diagnosis | None]:
    """Neurotoxicity since the therapy; what was charted before it has another cause."""
    now = assessment.as_of
    since = assessment.exposure.since if assessment.exposure else now
    facts = [fact for fact in timeline.diagnoses if since <= fact.time <= now]
    coded = [fact for fact in facts if fact.kind == "icans"]
    score = _score(timeline, protocol, now)
    if coded:
        return Icans.PRESENT, coded[-1]
    if score is not None and _abnormal(score, protocol):
        return Icans.PRESENT, score
    findings = [fact for fact in facts if fact.kind == "icans-suspected"]
    if findings:
        return Icans.SUSPECTED, findings[-1]
    return (Icans.ABSENT, score) if score is not None else (Icans.NOT_RECORDED, None)


def _abnormal(score: Score, protocol: Protocol) -> bool:
    if score.instrument == "ice-score":
        return score.value < protocol.ice_normal
    return score.value >= protocol.capd_suspicious

"""The course so far: tocilizumab and steroids given, cultures, neurotoxicity, and the response to the last dose."""

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from enum import StrEnum

from cds_service.crs.assessment import Assessment, Criterion, EpisodeState, State, Status
from cds_service.crs.grading import assess
from cds_service.crs.hypotension import PRESSORS
from cds_service.crs.protocol import Protocol
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Culture, Diagnosis, Drug, DrugOrder, Score, Timeline

IL6_BLOCKER = "il6-blocker"


class Response(StrEnum):
    """The grade now against the grade at the last tocilizumab dose of this episode (C13)."""

    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    DETERIORATED = "deteriorated"
    NOT_KNOWN = "not known"


class Icans(StrEnum):
    """Neurotoxicity: a coded diagnosis or an abnormal score is `present`, a finding or an older score `suspected`."""

    ABSENT = "absent"
    NOT_RECORDED = "not recorded"
    SUSPECTED = "suspected"
    PRESENT = "present"


@dataclass(frozen=True, slots=True, kw_only=True)
class Cultures:
    """Blood cultures: one `taken` (ordered or drawn) in the look-back, and the results that a repeat dose depends on.

    `pending` was ordered or drawn after the last negative result. `unread` says why a result may be missing here.
    """

    taken: Culture | None = None
    negative: Culture | None = None
    positive: Culture | None = None
    pending: Culture | None = None
    unread: str = ""

    @property
    def exclude_infection(self) -> bool:
        """A negative result and no positive one; a pending culture alone excludes nothing (C27)."""
        return self.negative is not None and self.positive is None and not self.unread


@dataclass(frozen=True, slots=True, kw_only=True)
class Course:
    """What happened, as far as advice needs it: `doses` in this episode, `doses_for_label` in the label's count."""

    doses: tuple[Drug, ...]
    doses_for_label: tuple[Drug, ...]
    open_order: DrugOrder | None
    response: Response
    grade_at_dose: int | None
    steroid: Drug | None
    steroid_order: DrugOrder | None
    cultures: Cultures
    antibiotic: Drug | DrugOrder | None
    antifungal: Drug | DrugOrder | None
    icans: Icans
    icans_reason: Score | Diagnosis | None
    score: Score | None

    @property
    def last_dose(self) -> Drug | None:
        """The last tocilizumab of any episode: the least interval counts from it."""
        return self.doses_for_label[-1] if self.doses_for_label else None

    def since_last_dose(self, now: datetime) -> timedelta | None:
        """Time since the last tocilizumab of this episode, None without one."""
        return now - self.doses[-1].time if self.doses else None


def course_of(timeline: Timeline, assessment: Assessment, scale: Scale, protocol: Protocol) -> Course:
    """Rebuild the course from the timeline. Doses are counted by ingredient, any brand and route (N-01)."""
    now = assessment.as_of
    for_label = _doses(timeline, now - protocol.label_count, now)
    doses = _in_episode(for_label, assessment)
    response, grade_at_dose = _response(timeline, assessment, scale, doses[-1] if doses else None)
    icans, reason = _icans(timeline, assessment, protocol)
    return Course(
        doses=doses,
        doses_for_label=for_label,
        open_order=_open_order(timeline, for_label),
        response=response,
        grade_at_dose=grade_at_dose,
        steroid=_recent(timeline, "corticosteroid", protocol.steroid_active, now),
        steroid_order=_ordered(timeline, "corticosteroid"),
        cultures=_cultures(timeline, protocol, doses, now),
        antibiotic=_recent(timeline, "antibiotic", protocol.antibiotics, now) or _ordered(timeline, "antibiotic"),
        antifungal=_recent(timeline, "antifungal", protocol.antibiotics, now) or _ordered(timeline, "antifungal"),
        icans=icans,
        icans_reason=reason,
        score=_score(timeline, now - protocol.scores, now),
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


def _response(
    timeline: Timeline, assessment: Assessment, scale: Scale, last: Drug | None
) -> tuple[Response, int | None]:
    """The response, and the grade at the last dose.

    What is missing now is no improvement, what was missing then no lack of it.
    """
    if last is None or assessment.grade is None:
        return Response.NOT_KNOWN, None
    others = tuple(drug for drug in timeline.drugs if (drug.group, drug.time) != (last.group, last.time))
    then = assess(replace(timeline, drugs=others), scale, last.time)
    grade = 0 if _before_crs(then) else then.grade
    if grade is None:
        return Response.NOT_KNOWN, None
    if _worse(timeline, then, assessment) or (assessment.grade > grade and not then.is_floor):
        return Response.DETERIORATED, grade
    if assessment.grade < grade:
        return (Response.NOT_KNOWN if assessment.is_floor else Response.IMPROVED), grade
    return (Response.NOT_KNOWN if then.is_floor else Response.UNCHANGED), grade


def _before_crs(then: Assessment) -> bool:
    """True for a prophylactic dose: given before the therapy, or while nothing but a masked fever could be CRS."""
    if then.status is Status.NOT_ELIGIBLE:
        return True
    masked = then.episode is not None and then.episode.state is EpisodeState.MASKED_ONSET
    return masked and then.grade is None and not any(finding.floor for finding in then.findings)


def _worse(timeline: Timeline, then: Assessment, now: Assessment) -> bool:
    """A new sign, a further vasopressor, or a sign that stands for a higher grade than all of them did (C13)."""
    for finding in now.findings:
        before = next((item for item in then.findings if item.criterion is finding.criterion), None)
        if finding.criterion is Criterion.FEVER or finding.state is not State.MET or before is None:
            continue
        if before.state is State.NOT_MET:
            return True
        if before.state is State.MET and not before.floor and (finding.grade or 0) > (then.grade or 0):
            return True
    return len(_pressors(timeline, now.as_of)) > len(_pressors(timeline, then.as_of))


def _pressors(timeline: Timeline, instant: datetime) -> set[str]:
    return {drug.agent for drug in timeline.vasoactives if drug.role in PRESSORS and drug.runs_at(instant)}


def _recent(timeline: Timeline, group: str, window: timedelta, now: datetime) -> Drug | None:
    given = [drug for drug in timeline.drugs if drug.group == group and drug.time <= now]
    recent = [drug for drug in given if drug.last_true(now) >= now - window]
    return recent[-1] if recent else None


def _ordered(timeline: Timeline, group: str) -> DrugOrder | None:
    orders = [order for order in timeline.orders if order.group == group]
    return orders[-1] if orders else None


def _cultures(timeline: Timeline, protocol: Protocol, doses: tuple[Drug, ...], now: datetime) -> Cultures:
    """What is known of blood cultures, for the look-back and, for results, since shortly before the last dose."""
    since = now - protocol.negative_cultures
    if doses:
        since = min(since, doses[-1].time - protocol.cultures)
    charted = [fact for fact in timeline.cultures if fact.time <= now]
    taken = [fact for fact in charted if fact.step in ("ordered", "drawn")]
    recent = [fact for fact in taken if fact.time >= now - protocol.cultures]
    results = {fact.step: fact for fact in charted if fact.time >= since}
    negative = results.get("negative")
    later = [fact for fact in taken if negative is not None and fact.time > negative.time]
    return Cultures(
        taken=recent[-1] if recent else None,
        negative=negative,
        positive=results.get("positive"),
        pending=later[-1] if later else None,
        unread="" if timeline.known("cultures", since) else timeline.gaps["cultures"].reason,
    )


def _score(timeline: Timeline, since: datetime, now: datetime) -> Score | None:
    scores = [score for score in timeline.scores if score.instrument in ("ice-score", "capd-score")]
    recent = [score for score in scores if since <= score.time <= now]
    return recent[-1] if recent else None


def _icans(timeline: Timeline, assessment: Assessment, protocol: Protocol) -> tuple[Icans, Score | Diagnosis | None]:
    """Neurotoxicity since the therapy; what was charted before it has another cause."""
    now = assessment.as_of
    since = assessment.exposure.since if assessment.exposure else now
    facts = [fact for fact in timeline.diagnoses if since <= fact.time <= now]
    coded = [fact for fact in facts if fact.kind == "icans"]
    score = _score(timeline, since, now)
    current = score is not None and score.time >= now - protocol.scores
    if coded:
        return Icans.PRESENT, coded[-1]
    if score is not None and abnormal(score, protocol):
        return (Icans.PRESENT if current else Icans.SUSPECTED), score
    findings = [fact for fact in facts if fact.kind == "icans-suspected"]
    if findings:
        return Icans.SUSPECTED, findings[-1]
    return (Icans.ABSENT, score) if current else (Icans.NOT_RECORDED, None)


def abnormal(score: Score, protocol: Protocol) -> bool:
    """True for a score that stands for neurotoxicity: ICE below its maximum, CAPD from its cut-off on."""
    if score.instrument == "ice-score":
        return score.value < protocol.ice_normal
    return score.value >= protocol.capd_suspicious

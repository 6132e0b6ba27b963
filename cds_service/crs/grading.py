"""ASTCT 2019 grading of cytokine release syndrome (S-GRADE-1 to 4b, S-GRADE-MAX, S-GRADE-GATE, S-GRADE-WAIVE).

Only fever, hypotension and hypoxia are graded (S-HEAD-1). The literal "fever and/or" of grade 4 is not implemented
and cannot be configured: fever alone is grade 1 (C1, N-12). Grade 5 is never computed (N-25).
"""

from collections.abc import Sequence
from datetime import datetime

from cds_service.crs.assessment import HIGHEST, Assessment, Episode, EpisodeState, Finding, State, Status
from cds_service.crs.eligibility import exposure
from cds_service.crs.episode import episode_at
from cds_service.crs.fever import fever
from cds_service.crs.hypotension import hypotension
from cds_service.crs.hypoxia import hypoxia
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Timeline


def assess(timeline: Timeline, scale: Scale, now: datetime, *, peak: bool = True) -> Assessment:
    """Grade the patient at `now` (aware, UTC). Facts after `now` are not looked at.

    Without `peak` the highest grade since the onset is left out: it takes most of the time, and decides nothing.
    """
    exposed = exposure(timeline, scale, now)
    context = _context_missing(timeline)
    if exposed is None:
        return Assessment(
            status=Status.NOT_ELIGIBLE, grade=None, as_of=now, unused=timeline.unused, context_missing=context
        )
    episode = episode_at(timeline, scale, exposed.since, now, peak=peak)
    findings = (
        fever(timeline, scale, episode, now),
        hypotension(timeline, scale, now),
        hypoxia(timeline, scale, now),
    )
    status, grade = _grade(episode, *findings)
    return Assessment(
        status=status,
        grade=grade,
        as_of=now,
        exposure=exposed,
        episode=episode,
        findings=findings,
        unused=(*timeline.unused, *(item for finding in findings for item in finding.unused)),
        notes=tuple(words for finding in findings for words in finding.notes),
        context_missing=context,
    )


def _grade(episode: Episode, fever_finding: Finding, *domains: Finding) -> tuple[Status, int | None]:
    """The more severe of hypotension and hypoxia (S-GRADE-MAX), behind the gate of fever (S-GRADE-GATE)."""
    worst = max((finding.grade for finding in domains if finding.grade), default=None)
    if episode.state in (EpisodeState.OPEN, EpisodeState.WAIVED):
        sure = not fever_finding.doubts and _sure(domains, worst)
        return (Status.GRADED if sure else Status.PROVISIONAL), worst or 1
    if episode.state is EpisodeState.MASKED_ONSET:
        return (Status.PROVISIONAL, worst) if worst else (Status.INDETERMINATE, None)
    if fever_finding.state is State.NOT_MET and not any(finding.floor for finding in domains):
        return Status.NO_CRS, 0
    return Status.INDETERMINATE, None


def _sure(domains: Sequence[Finding], worst: int | None) -> bool:
    """True when neither a doubt nor a floor could change the grade: for the highest, one sure criterion is enough."""
    if worst == HIGHEST:
        return any(finding.grade == worst and not finding.doubts for finding in domains)
    return not any(finding.floor or finding.doubts for finding in domains)


CONTEXT = {
    "birth_date": "the patient's age",
    "weights": "body weight",
    "drugs": "medications given",
    "administrations": "older medication administrations",
    "orders": "active orders",
    "labs": "laboratory results",
    "cultures": "blood cultures",
    "scores": "ICE or CAPD score",
    "diagnoses": "diagnoses",
    "allergies": "allergies",
    "therapies": "T-cell engaging therapies",
}
"""What advice needs beside the criteria, by the name of the kind, in words."""


def _context_missing(timeline: Timeline) -> tuple[str, ...]:
    return tuple(f"{words} ({timeline.gaps[kind].reason})" for kind, words in CONTEXT.items() if kind in timeline.gaps)

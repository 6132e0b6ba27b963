"""The response to treatment: the grade now against the grade when a drug was given, from the same timeline (C13)."""

from dataclasses import replace
from datetime import datetime
from enum import StrEnum

from cds_service.crs.assessment import Assessment, Criterion, EpisodeState, State, Status
from cds_service.crs.grading import assess
from cds_service.crs.hypotension import running_pressors
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Drug, Timeline


class Response(StrEnum):
    """The grade now against the grade at a dose."""

    IMPROVED = "improved"
    UNCHANGED = "unchanged"
    DETERIORATED = "deteriorated"
    NOT_KNOWN = "not known"


def response_since(timeline: Timeline, assessment: Assessment, scale: Scale, dose: Drug) -> tuple[Response, int | None]:
    """The response since a dose, and the grade at that time (None where it cannot be told).

    What is missing now is no improvement, what was missing then no lack of it.
    """
    if assessment.grade is None:
        return Response.NOT_KNOWN, None
    others = tuple(drug for drug in timeline.drugs if (drug.group, drug.time) != (dose.group, dose.time))
    then = assess(replace(timeline, drugs=others), scale, dose.time)
    grade = 0 if _before_crs(then) else then.grade
    if grade is None:
        return Response.NOT_KNOWN, None
    if _worse(timeline, then, grade, assessment) or (assessment.grade > grade and not then.is_floor):
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


def _worse(timeline: Timeline, then: Assessment, grade: int, now: Assessment) -> bool:
    """A new sign, a further vasopressor, or a sign that stands for a higher grade than all of them did then (C13)."""
    for finding in now.findings:
        before = next((item for item in then.findings if item.criterion is finding.criterion), None)
        if finding.criterion is Criterion.FEVER or finding.state is not State.MET or before is None:
            continue
        if before.state is State.NOT_MET:
            return True
        if before.state is State.MET and not before.floor and (finding.grade or 0) > grade:
            return True
    return len(_agents(timeline, now.as_of)) > len(_agents(timeline, then.as_of))


def _agents(timeline: Timeline, instant: datetime) -> set[str]:
    return {drug.agent for drug in running_pressors(timeline, instant)}

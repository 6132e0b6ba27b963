"""When to grade again (S-DX-1, S-MGT-1c)."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from cds_service.crs.assessment import Assessment
from cds_service.crs.figures import shown, span
from cds_service.crs.protocol import Protocol
from cds_service.crs.sentences import Line, Say
from cds_service.crs.timeline import Score


@dataclass(frozen=True, slots=True, kw_only=True)
class Regrading:
    """`by` is the time of the next grading: the protocol's interval after the last one that a clinician charted, or
    after this one where none is. `overdue_by` is how long that time has passed; None when it has not."""

    by: datetime
    charted: Score | None = None
    overdue_by: timedelta | None = None


def regrading(assessment: Assessment, charted: Score | None, protocol: Protocol) -> Regrading:
    """When the next grading is due; exactly at that time it is not overdue yet."""
    now = assessment.as_of
    if charted is None:
        return Regrading(by=now + protocol.regrade)
    due = charted.time + protocol.regrade
    if now > due:
        return Regrading(by=due, charted=charted, overdue_by=now - due)
    return Regrading(by=due, charted=charted)


def charted_line(assessment: Assessment, found: Regrading) -> tuple[Line, ...]:
    """The grade that was charted last, whether it is older than the protocol allows, and whether it is still true."""
    if found.charted is None:
        return ()
    values = {
        "grade": shown(found.charted.value),
        "time": found.charted.time,
        "ago": span(assessment.as_of - found.charted.time),
        "now": assessment.grade,
        "differs": found.charted.value != assessment.grade,
        "overdue": found.overdue_by is not None,
    }
    return (Line(Say.CHARTED_GRADE, values),)

"""Laboratory beside treatment: what is missing, and results that speak against tocilizumab (S-LAB-1, S-PIT-MON)."""

from datetime import datetime

from cds_service.crs.figures import shown
from cds_service.crs.sentences import Line, Say
from cds_service.crs.timeline import LabResult
from cds_service.crs.treatment import Patient, Treatment, hours


def missing_labs(patient: Patient) -> tuple[Line, ...]:
    """The tests of the baseline without a result in the window, by name.

    Once treatment has begun, the daily ones only, and of the others those that never had a result in this episode.
    """
    protocol, now = patient.protocol, patient.assessment.as_of
    recent = _done(patient, now - protocol.labs)
    missing = [item for item in protocol.baseline_labs if item not in recent]
    if patient.course.treated:
        episode = patient.assessment.episode
        onset = episode.onset if episode is not None and episode.onset is not None else now
        before = _done(patient, onset - protocol.labs)
        missing = [item for item in missing if item in protocol.daily_labs or item not in before]
    if not missing:
        return ()
    names = ", ".join(protocol.baseline_labs[item] for item in missing)
    gap = patient.timeline.gaps.get("labs")
    values = {
        "tests": names,
        "window": hours(protocol.labs),
        "treated": patient.course.treated,
        "unread": gap.reason if gap is not None else "",
    }
    return (Line(Say.BASELINE_LABS, values),)


def _done(patient: Patient, since: datetime) -> set[str]:
    """Items of the baseline with a result; a panel is done by itself, or by all members that stand for it."""
    labs = [lab for lab in patient.timeline.labs if since <= lab.time <= patient.assessment.as_of]
    tests, members = {lab.test for lab in labs}, patient.protocol.laboratory.members
    incomplete = {item for item, parts in members.items() if not (f"{item}-panel" in tests or parts <= tests)}
    return {lab.item for lab in labs} - incomplete


def laboratory_warnings(patient: Patient) -> Treatment:
    """Neutrophils, platelets, ALT and AST beyond the protocol's limits: a warning, never a block (S-PIT-MON-2)."""
    limits = patient.protocol.laboratory
    found = [_judged(patient, test) for test in (*limits.below, *limits.times_upper_limit)]
    warned = [line for line in found if line is not None and line.say is Say.LAB_WARNING]
    names = ", ".join(str(line.values["name"]) for line in warned)
    status = (Line(Say.STATUS_LABS, {"names": names}),) if warned else ()
    return Treatment(cautions=tuple(line for line in found if line is not None), status=status)


def _judged(patient: Patient, test: str) -> Line | None:
    """The newest result of a test against its limit: a warning, or that it cannot be evaluated and why; else None."""
    now, limits = patient.assessment.as_of, patient.protocol.laboratory
    results = [lab for lab in patient.timeline.labs if lab.test == test and now - limits.window <= lab.time <= now]
    if not results:
        return None
    newest = results[-1]
    if test in limits.below:
        limit = limits.below[test]
        return _line(newest, exceeded=newest.below(limit), limit=f"below {shown(limit)}/µL")
    times = limits.times_upper_limit[test]
    upper = newest.upper_limit if newest.upper_limit is not None else limits.upper_limits.get(test)
    if upper is None:
        return _line(newest, exceeded=None, limit="no upper limit of normal is charted")
    below = newest.below(times * upper)
    beyond = None if below is None else not below
    return _line(newest, exceeded=beyond, limit=f"{shown(times)} times the upper limit of {shown(upper)} U/L or more")


def _line(result: LabResult, *, exceeded: bool | None, limit: str) -> Line | None:
    """A warning beyond the limit, and where the record does not tell that it does not."""
    if exceeded is False:
        return None
    values: dict[str, object] = {"name": result.name, "charted": result.charted, "time": result.time, "limit": limit}
    return Line(Say.LAB_WARNING if exceeded else Say.LAB_NOT_EVALUATED, values)

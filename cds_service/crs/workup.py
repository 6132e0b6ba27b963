"""Around the treatment: infection first, baseline laboratory, neurotoxicity scores (S-INF, S-LAB, S-NEURO, S-PIT)."""

from datetime import timedelta

from cds_service.crs.course import Icans
from cds_service.crs.sentences import Line, Say
from cds_service.crs.treatment import Draft, Patient, Treatment


def infection(patient: Patient) -> Treatment:
    """Cultures and antibiotics, at any grade, before or with tocilizumab (S-INF-1, S-INF-2, S-PIT-INF-2, N-15)."""
    protocol, course = patient.protocol, patient.course
    lines: list[Line] = []
    drafts: tuple[Draft, ...] = ()
    if course.culture is not None:
        lines.append(Line(Say.CULTURES_DONE, {"step": course.culture.step, "time": course.culture.time}))
    elif "cultures" in patient.timeline.gaps:
        lines.append(Line(Say.CULTURES_UNKNOWN, {"reason": patient.timeline.gaps["cultures"].reason}))
        drafts = (Draft(order=protocol.orders[protocol.culture_order], recommended=False),)
    else:
        order = protocol.orders[protocol.culture_order]
        drafts = (Draft(order=order),)
        lines.append(Line(Say.CULTURES, {"quantity": order.quantity}))
    if course.antibiotic is not None:
        lines.append(Line(Say.ANTIBIOTICS_ACTIVE, {"name": course.antibiotic.name, "time": course.antibiotic.time}))
    else:
        lines.append(Line(Say.ANTIBIOTICS, {"unknown": "drugs" in patient.timeline.gaps}))
    if patient.grade >= 2:
        lines.append(Line(Say.BEFORE_TOCILIZUMAB))
    return Treatment(drafts=drafts, lines=tuple(lines))


def monitoring(patient: Patient, *, steroid_drafted: bool) -> tuple[Line, ...]:
    """Baseline laboratory that is missing, the neurotoxicity score for the age, antifungals with steroids."""
    lines = []
    missing = missing_labs(patient)
    if missing:
        lines.append(Line(Say.BASELINE_LABS, {"tests": ", ".join(missing), "window": _hours(patient.protocol.labs)}))
    lines.append(_neurology(patient))
    steroid = steroid_drafted or patient.course.steroid is not None
    if steroid and patient.course.antifungal is None:
        lines.append(Line(Say.ANTIFUNGAL))
    return tuple(lines)


def missing_labs(patient: Patient) -> list[str]:
    """The items of the baseline without a result in the window, by name (S-LAB-1)."""
    since = patient.assessment.as_of - patient.protocol.labs
    tests = {lab.test for lab in patient.timeline.labs if since <= lab.time <= patient.assessment.as_of}
    return [name for item, name in patient.protocol.baseline_labs.items() if item not in tests]


def _neurology(patient: Patient) -> Line:
    """ICE or CAPD by age, with its time, or the prompt that none is recorded (S-NEURO-1, S-PIT-ICANS-4, C26)."""
    years = patient.timeline.age_in_years(patient.assessment.as_of)
    window = _hours(patient.protocol.scores)
    score = patient.course.score
    if score is not None and patient.course.icans is not Icans.NOT_RECORDED:
        instrument = "ICE" if score.instrument == "ice-score" else "CAPD"
        return Line(Say.SCORE_CHARTED, {"instrument": instrument, "value": score.value, "time": score.time})
    values = {"window": window, "years": patient.protocol.ice_from_years}
    if years is None:
        return Line(Say.SCORE_BY_AGE, values)
    return Line(Say.ICE if years >= patient.protocol.ice_from_years else Say.CAPD, values)


def _hours(window: timedelta) -> str:
    return f"{int(window.total_seconds() // 3600)} h"

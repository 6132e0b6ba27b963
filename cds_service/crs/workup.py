"""Around the treatment: infection first, baseline laboratory, neurotoxicity (S-INF, S-LAB, S-NEURO, S-PIT)."""

from datetime import datetime, timedelta

from cds_service.crs.assessment import Criterion, State
from cds_service.crs.course import Icans, abnormal
from cds_service.crs.fever import fevers
from cds_service.crs.figures import shown
from cds_service.crs.sentences import Line, Say
from cds_service.crs.timeline import Therapy
from cds_service.crs.tocilizumab import INSTRUMENTS, NEUROTOXIC, neurotoxicity
from cds_service.crs.treatment import Draft, Patient, Treatment, hours


def infection(patient: Patient, *, tocilizumab_drafted: bool) -> Treatment:
    """Cultures and antibiotics, at any grade, before or with tocilizumab (S-INF-1, S-INF-2, S-PIT-INF-2, N-15)."""
    drafts, lines = _cultures(patient)
    antibiotic = patient.course.antibiotic
    if antibiotic is not None:
        lines.append(Line(Say.ANTIBIOTICS_ACTIVE, {"name": antibiotic.name, "time": antibiotic.time}))
    else:
        lines.append(Line(Say.ANTIBIOTICS, {"unknown": "drugs" in patient.timeline.gaps}))
    if tocilizumab_drafted and not patient.course.doses and (drafts or antibiotic is None):
        lines.append(Line(Say.BEFORE_TOCILIZUMAB))
    if patient.refractory:
        lines.append(Line(Say.WIDEN_WORKUP))
    return Treatment(drafts=drafts, lines=tuple(lines))


def _cultures(patient: Patient) -> tuple[tuple[Draft, ...], list[Line]]:
    """A draft unless one was ordered or drawn in the look-back; a result alone may be of an older sample."""
    cultures = patient.course.cultures
    order = patient.protocol.orders[patient.protocol.culture_order]
    result = cultures.positive or cultures.negative
    lines = [] if result is None else [Line(Say.CULTURE_RESULT, {"result": result.step, "time": result.time})]
    if cultures.taken is not None:
        taken = {"step": cultures.taken.step, "time": cultures.taken.time}
        return (), [*lines, Line(Say.CULTURES_DONE, taken)]
    if "cultures" in patient.timeline.gaps:
        lines.append(Line(Say.CULTURES_UNKNOWN, {"reason": patient.timeline.gaps["cultures"].reason}))
        return (Draft(order=order, recommended=False),), lines
    values = {"quantity": order.quantity, "window": hours(patient.protocol.cultures)}
    return (Draft(order=order, recommended=result is None),), [*lines, Line(Say.CULTURES, values)]


def monitoring(patient: Patient, *, steroid_drafted: bool) -> tuple[Line, ...]:
    """Baseline laboratory that is missing, neurotoxicity, antifungals with steroids."""
    lines = []
    missing = missing_labs(patient)
    if missing:
        lines.append(Line(Say.BASELINE_LABS, {"tests": ", ".join(missing), "window": hours(patient.protocol.labs)}))
    lines += _neurology(patient)
    if (steroid_drafted or patient.course.steroid is not None) and patient.course.antifungal is None:
        lines.append(Line(Say.ANTIFUNGAL))
    return tuple(lines)


def missing_labs(patient: Patient) -> list[str]:
    """The items of the baseline without a result in the window, by name (S-LAB-1)."""
    since = patient.assessment.as_of - patient.protocol.labs
    items = {lab.item for lab in patient.timeline.labs if since <= lab.time <= patient.assessment.as_of}
    return [name for item, name in patient.protocol.baseline_labs.items() if item not in items]


def _neurology(patient: Patient) -> list[Line]:
    """ICE or CAPD with its time, or the prompt for the one of that age (S-NEURO-1, S-PIT-ICANS-1, 3, 4; C26)."""
    lines = []
    years = patient.timeline.age_in_years(patient.assessment.as_of)
    score = patient.course.score
    values = {"window": hours(patient.protocol.scores), "years": patient.protocol.ice_from_years}
    if score is not None:
        charted = {"instrument": INSTRUMENTS[score.instrument], "value": shown(score.value), "time": score.time}
        lines.append(Line(Say.SCORE_CHARTED, charted | {"abnormal": abnormal(score, patient.protocol)}))
    elif years is None:
        lines.append(Line(Say.SCORE_BY_AGE, values))
    else:
        lines.append(Line(Say.ICE if years >= patient.protocol.ice_from_years else Say.CAPD, values))
    if patient.course.icans in NEUROTOXIC and patient.course.icans_reason is not score:
        lines.append(Line(Say.ICANS, neurotoxicity(patient)))
    if patient.course.icans is not Icans.PRESENT and icans_risk(patient):
        protocol = patient.protocol
        figures = {"celsius": shown(protocol.icans_risk_fever), "window": hours(protocol.icans_risk_window)}
        lines.append(Line(Say.ICANS_RISK, figures))
    return lines


def icans_risk(patient: Patient) -> bool:
    """High fever with low pressure soon after CAR-T cells predicts severe ICANS (S-PIT-ICANS-3)."""
    exposure, now = patient.assessment.exposure, patient.assessment.as_of
    if exposure is None or not patient.after_cells:
        return False
    if now - _latest_start(exposure.therapy) > patient.protocol.icans_risk_window:
        return False
    unstable = patient.assessment.finding(Criterion.HYPOTENSION).state is State.MET
    hot = fevers(patient.timeline, patient.scale, exposure.therapy.time, now)
    return unstable and any(reading.celsius >= patient.protocol.icans_risk_fever for reading in hot)


def _latest_start(therapy: Therapy) -> datetime:
    """A date without a time is read as the end of that day: the widest window (DQ-38)."""
    return therapy.time + timedelta(days=1) if therapy.whole_day else therapy.time

"""Tocilizumab: the draft, and why there is none when there is none (S-MGT-2a to 2d, 3a, 3e, 4a, 4e; N-01 to N-07)."""

from cds_service.crs.dosing import NoWeight, UsableWeight, dose, dose_rule
from cds_service.crs.figures import shown, span
from cds_service.crs.neurotoxicity import Icans
from cds_service.crs.protocol import Order
from cds_service.crs.response import Response
from cds_service.crs.sentences import Line, Say
from cds_service.crs.treatment import Draft, Patient, Treatment, hours, together


def advice(patient: Patient, order: Order) -> Treatment:
    """The draft at this grade if every limit allows one, else why there is none; then what was given."""
    history = Treatment(lines=given(patient))
    withheld = _withheld(patient, order)
    if withheld is not None:
        return together(withheld, history)
    usable, cautions = patient.weight, _cautions(patient)
    if isinstance(usable, NoWeight):
        rule: dict[str, object] = {"reason": usable.reason, "rule": dose_rule(order)}
        return together(_because(Say.TOCILIZUMAB_NO_WEIGHT, Say.STATUS_NO_DOSE, rule), history, cautions)
    return together(_draft(patient, order, usable), history, cautions)


def _draft(patient: Patient, order: Order, usable: UsableWeight) -> Treatment:
    computed = dose(order, usable.weight, patient.assessment.as_of)
    condition = _condition(patient)
    values = _figures(patient) | {
        "arithmetic": computed.arithmetic,
        "minutes": order.over_minutes,
        "confirm": usable.confirm,
        "condition": condition,
        "oxygen": patient.needs_oxygen_first,
    }
    infected = patient.course.cultures.positive is not None
    considered = bool(patient.course.doses) and patient.step.considers_repeat
    hesitant = condition or usable.confirm or patient.infection_first or patient.to_check or infected or considered
    return Treatment(
        drafts=(Draft(order=order, dose=computed, recommended=not hesitant, condition=condition),),
        lines=(Line(Say.TOCILIZUMAB, values),),
        status=(Line(Say.STATUS_CONFIRM, {"confirm": usable.confirm}),) if usable.confirm else (),
    )


def given(patient: Patient) -> tuple[Line, ...]:
    """Tocilizumab that was given: what, how much, when, and how many doses that makes."""
    last = patient.course.last_dose
    if last is None:
        return ()
    return (Line(Say.TOCILIZUMAB_GIVEN, _figures(patient) | {"name": last.name}),)


def _withheld(patient: Patient, order: Order) -> Treatment | None:
    """The first limit that forbids a draft now, in the order a clinician would ask; None when none does."""
    if patient.allergic_to(order):
        return _because(Say.ALLERGY, Say.STATUS_ALLERGY, {"drug": order.text})
    limit = _limit(patient)
    waiting = patient.course.open_order
    if waiting is not None:
        values = {"name": waiting.name, "time": waiting.time}
        return together(_because(Say.TOCILIZUMAB_ORDERED, Say.STATUS_ORDERED, values), limit or Treatment())
    if limit is not None or patient.reservation:
        return limit or Treatment()
    unread = patient.doses_unread(patient.protocol.label_count)
    if unread:
        return _because(Say.RECORD_UNKNOWN, Say.STATUS_UNKNOWN, {"drug": order.text, "reason": unread})
    return _no_repeat(patient) if patient.course.doses else None


def _limit(patient: Patient) -> Treatment | None:
    """The limits that hold whatever the response: number of doses, least interval (N-01, N-02)."""
    values = _figures(patient)
    if patient.label_used_up:
        return _because(Say.TOCILIZUMAB_LABEL_LIMIT, Say.STATUS_LABEL_LIMIT, values)
    if patient.doses_used_up:
        return _because(Say.TOCILIZUMAB_LIMIT, Say.STATUS_LIMIT, values)
    return _because(Say.TOCILIZUMAB_TOO_EARLY, Say.STATUS_TOO_EARLY, values) if patient.too_early else None


def _no_repeat(patient: Patient) -> Treatment | None:
    """Why no repeat dose: improvement, 72 h not over, ICANS, infection not excluded (C2, C4, C5, C27); None if due."""
    course, values = patient.course, _figures(patient)
    if course.response is Response.IMPROVED:
        return _because(Say.TOCILIZUMAB_IMPROVED, Say.STATUS_IMPROVED, values)
    if not _repeat_is_due(patient):
        worse = course.response is Response.DETERIORATED
        reason = (
            _because(Say.TOCILIZUMAB_DETERIORATED, Say.STATUS_WORSE, values)
            if worse
            else _because(Say.TOCILIZUMAB_WAIT, Say.STATUS_WAIT, values)
        )
        return together(reason, _warnings(patient))
    if patient.icans_forbids_repeat:
        icans = values | course.neurotoxicity.figures
        return _because(Say.TOCILIZUMAB_ICANS_REPEAT, Say.STATUS_ICANS, icans)
    if not course.cultures.exclude_infection:
        positive = course.cultures.positive
        found = {"positive": positive.time if positive else None, "unread": course.cultures.unread}
        return _because(Say.TOCILIZUMAB_INFECTION, Say.STATUS_INFECTION, values | found)
    return None


def _repeat_is_due(patient: Patient) -> bool:
    """True after the protocol's time without improvement, or sooner when worse where the protocol says so (C2b)."""
    waited = patient.course.since_last_dose(patient.assessment.as_of)
    if waited is None:
        return False
    sooner = patient.protocol.repeat_when_worse
    if sooner is not None and patient.course.response is Response.DETERIORATED and waited >= sooner:
        return True
    return waited >= patient.protocol.repeat_after


def _because(say: Say, status: Say, values: dict[str, object]) -> Treatment:
    return Treatment(lines=(Line(say, values),), status=(Line(status, values),))


def _condition(patient: Patient) -> str:
    """What must hold before the draft is right, in words, where the record does not say that it does."""
    course = patient.course
    conditions = ["oxygen is required"] if patient.needs_oxygen_first else []
    if course.doses:
        if course.response is Response.NOT_KNOWN:
            conditions.append("not improved since the last dose")
        if course.neurotoxicity.icans is Icans.NOT_RECORDED:
            conditions.append("ICANS absent")
        if course.cultures.pending is not None:
            conditions.append("newer culture negative")
    return f"only if {', '.join(conditions)}" if conditions else ""


def _figures(patient: Patient) -> dict[str, object]:
    """The numbers and times that sentences on tocilizumab name."""
    course, protocol, last = patient.course, patient.protocol, patient.course.last_dose
    figures: dict[str, object] = {
        "number": len(course.doses) + 1,
        "doses": len(course.doses),
        "label_doses": len(course.doses_for_label),
        "maximum": protocol.maximum_doses,
        "label_maximum": protocol.label_maximum_doses,
        "repeat": hours(protocol.repeat_after),
        "interval": hours(protocol.minimum_interval),
        "days": span(protocol.label_count),
        "before": course.grade_at_dose,
        "now": patient.grade,
        "worse": course.response is Response.DETERIORATED,
    }
    if last is None:
        return figures
    return figures | {
        "mg": f"{shown(last.dose_mg)} mg" if last.dose_mg is not None else "",
        "time": last.time,
        "ago": span(patient.assessment.as_of - last.time),
        "by_label": last.time + protocol.minimum_interval,
        "by_protocol": last.time + protocol.repeat_after,
    }


def _warnings(patient: Patient) -> Treatment:
    """What speaks against tocilizumab in this patient's record (N-07, N-17)."""
    course, cautions, status = patient.course, [], []
    if course.neurotoxicity.possible:
        cautions.append(Line(Say.TOCILIZUMAB_ICANS, course.neurotoxicity.figures))
        status.append(Line(Say.STATUS_WITH_ICANS, course.neurotoxicity.figures))
    if course.cultures.positive is not None:
        cautions.append(Line(Say.POSITIVE_CULTURE, {"time": course.cultures.positive.time}))
        status.append(Line(Say.STATUS_POSITIVE_CULTURE))
    return Treatment(cautions=tuple(cautions), status=tuple(status))


def _cautions(patient: Patient) -> Treatment:
    reasons = _off_label(patient)
    off_label = (Line(Say.OFF_LABEL, {"reasons": ", ".join(reasons)}),) if reasons else ()
    general = (Line(Say.TOCILIZUMAB_CAUTIONS), Line(Say.LABEL_AND_PROTOCOL, _figures(patient)))
    return together(_warnings(patient), Treatment(cautions=(*off_label, *general)))


def _off_label(patient: Patient) -> list[str]:
    """The label is for severe or life-threatening CRS after CAR-T cells from two years of age (C28)."""
    years = patient.timeline.age_in_years(patient.assessment.as_of)
    reasons = []
    if patient.grade < 3:
        reasons.append("grade 2")
    if not patient.after_cells:
        reasons.append("CRS after a bispecific antibody")
    if years is not None and years < patient.protocol.label_minimum_years:
        reasons.append(f"age under {patient.protocol.label_minimum_years} years")
    return reasons

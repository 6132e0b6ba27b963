"""An order of tocilizumab: dose, route, time, number, and what in the record speaks against it (N-01 to N-08, N-17)."""

from decimal import Decimal

from cds_service.crs.course import IL6_BLOCKER
from cds_service.crs.dosing import Dose, NoWeight, UsableWeight, dose
from cds_service.crs.figures import shown, span
from cds_service.crs.laboratory import laboratory_warnings
from cds_service.crs.protocol import Order
from cds_service.crs.response import Response
from cds_service.crs.review.remarks import Remark, Review, Severity, remark, worst_first
from cds_service.crs.sentences import Say
from cds_service.crs.session import Session, SessionOrder
from cds_service.crs.treatment import Draft, Patient, hours

PER_KILOGRAM = ("mg/kg", "mg/kg/dose")
SUBCUTANEOUS = "subcutaneous"


def review(patient: Patient, order: SessionOrder, session: Session) -> Review | None:
    """What speaks against the order; None when nothing does."""
    plan = next(item for item in patient.protocol.orders.values() if item.agent == order.agent)
    forbidden = [*_limits(patient), *_allergy(patient, plan)]
    found = [*forbidden, *_route(order), *_dose(patient, order, plan, session)]
    correctable = bool(found) and not forbidden and not _out_of_place(patient)
    found += [*_out_of_place(patient), *_repeat(patient), *_record(patient), *_duplicates(patient, order, session)]
    cultures, additions = _cultures(patient, session)
    found += cultures
    if not found:
        return None
    return Review(
        order=order,
        remarks=worst_first(found),
        correction=_correction(patient, plan) if correctable else None,
        additions=additions,
    )


def _correction(patient: Patient, plan: Order) -> Draft | None:
    usable = patient.weight
    if isinstance(usable, NoWeight):
        return None
    return Draft(order=plan, dose=dose(plan, usable.weight, patient.assessment.as_of), recommended=not usable.confirm)


def _limits(patient: Patient) -> list[Remark]:
    """Number of doses and least interval (N-01, N-02)."""
    course, protocol, now = patient.course, patient.protocol, patient.assessment.as_of
    found = []
    last = course.last_dose
    if last is not None and patient.too_early:
        values = {
            "ago": span(now - last.time),
            "interval": hours(protocol.minimum_interval),
            "by_label": last.time + protocol.minimum_interval,
        }
        found.append(remark(Severity.CRITICAL, Say.ORDER_TOO_EARLY, values))
    counts: dict[str, object] = {
        "doses": len(course.doses),
        "maximum": protocol.maximum_doses,
        "label_doses": len(course.doses_for_label),
        "label_maximum": protocol.label_maximum_doses,
        "days": span(protocol.label_count),
    }
    if patient.label_used_up:
        found.append(remark(Severity.CRITICAL, Say.ORDER_LABEL_LIMIT, counts))
    elif patient.doses_used_up:
        found.append(remark(Severity.CRITICAL, Say.ORDER_LIMIT, counts))
    unread = patient.doses_unread(protocol.label_count)
    if unread:
        found.append(remark(Severity.WARNING, Say.ORDER_DOSES_UNKNOWN, {"reason": unread}))
    return found


def _allergy(patient: Patient, plan: Order) -> list[Remark]:
    return [remark(Severity.CRITICAL, Say.ORDER_ALLERGY, {"drug": plan.text})] if patient.allergic_to(plan) else []


def _route(order: SessionOrder) -> list[Remark]:
    """Subcutaneous tocilizumab is not for CRS (N-06)."""
    return [remark(Severity.CRITICAL, Say.ORDER_SUBCUTANEOUS)] if order.route == SUBCUTANEOUS else []


def _dose(patient: Patient, order: SessionOrder, plan: Order, session: Session) -> list[Remark]:
    """The dose against the weight (N-03 to N-05). An order that has none yet is passed over until it is signed."""
    usable = patient.weight
    if order.amount is None and not session.signing:
        return []
    if isinstance(usable, NoWeight):
        return [*_over_maximum(order, plan), remark(Severity.CRITICAL, Say.ORDER_NO_WEIGHT, {"reason": usable.reason})]
    computed = dose(plan, usable.weight, patient.assessment.as_of)
    values: dict[str, object] = {
        "ordered": f"{shown(order.amount)} {order.unit}".strip() if order.amount is not None else "",
        "arithmetic": computed.arithmetic,
        "mg": shown(computed.mg),
    }
    if order.amount is None:
        return [remark(Severity.WARNING, Say.ORDER_DOSE_UNKNOWN, values)]
    if order.unit.replace(" ", "").casefold() in PER_KILOGRAM or _is_slip(order, plan):
        return [remark(Severity.WARNING, Say.ORDER_PER_KILOGRAM, values)]
    if order.mg is None:
        return [remark(Severity.WARNING, Say.ORDER_UNIT, values)]
    return _over_maximum(order, plan) or _against_weight(patient, order.mg, plan, usable, computed, values)


def _is_slip(order: SessionOrder, plan: Order) -> bool:
    """8 mg or 12 mg: the dose per kilogram in the field of the dose."""
    return order.mg is not None and any(order.mg == band.mg_per_kg for band in plan.weight_bands)


def _over_maximum(order: SessionOrder, plan: Order) -> list[Remark]:
    if order.mg is None or plan.maximum_mg is None or order.mg <= plan.maximum_mg:
        return []
    values = {"ordered": f"{shown(order.mg)} mg", "maximum": shown(plan.maximum_mg)}
    return [remark(Severity.CRITICAL, Say.ORDER_OVER_MAXIMUM, values)]


def _against_weight(
    patient: Patient, mg: Decimal, plan: Order, usable: UsableWeight, computed: Dose, values: dict[str, object]
) -> list[Remark]:
    tolerance = patient.protocol.dose_tolerance
    if _near(mg, computed.mg, tolerance):
        return []
    for band in plan.weight_bands:
        if _near(mg, band.mg_per_kg * usable.weight.kilograms, tolerance):
            return [remark(Severity.WARNING, Say.ORDER_WRONG_BAND, values | {"band": shown(band.mg_per_kg)})]
    return [remark(Severity.WARNING, Say.ORDER_OVER if mg > computed.mg else Say.ORDER_UNDER, values)]


def _near(mg: Decimal, expected: Decimal, tolerance: Decimal) -> bool:
    return abs(mg - expected) <= tolerance * expected


def _out_of_place(patient: Patient) -> list[Remark]:
    """Tocilizumab where the protocol has none: without CRS, without a grade, at a grade that gets none (N-08)."""
    grade = patient.assessment.grade
    if grade is None:
        return [remark(Severity.WARNING, Say.ORDER_NOT_GRADED)]
    if grade == 0:
        return [remark(Severity.WARNING, Say.ORDER_NO_CRS)]
    offered = (patient.protocol.orders[name].group for name in patient.step.orders)
    return [] if IL6_BLOCKER in offered else [remark(Severity.WARNING, Say.ORDER_GRADE_TOO_LOW, {"grade": grade})]


def _repeat(patient: Patient) -> list[Remark]:
    """A further dose: improvement, the protocol's time, ICANS, infection not excluded (C2, C4, C27)."""
    course, protocol = patient.course, patient.protocol
    waited = course.since_last_dose(patient.assessment.as_of)
    if waited is None or not patient.grade:
        return []
    found = []
    if course.response is Response.IMPROVED:
        found.append(remark(Severity.WARNING, Say.ORDER_IMPROVED))
    elif protocol.minimum_interval <= waited < protocol.repeat_after and course.response is not Response.DETERIORATED:
        values = {"repeat": hours(protocol.repeat_after), "by_protocol": course.doses[-1].time + protocol.repeat_after}
        found.append(remark(Severity.WARNING, Say.ORDER_NOT_DUE, values))
    if not course.cultures.exclude_infection:
        found.append(remark(Severity.WARNING, Say.ORDER_INFECTION))
    return found


def _record(patient: Patient) -> list[Remark]:
    """ICANS, a positive culture, laboratory (N-07, N-17, S-PIT-MON-2)."""
    course, found = patient.course, []
    if course.neurotoxicity.possible:
        repeat = bool(course.doses) and patient.icans_forbids_repeat
        say = Say.ORDER_REPEAT_WITH_ICANS if repeat else Say.ORDER_WITH_ICANS
        found.append(remark(Severity.WARNING, say, course.neurotoxicity.figures))
    if course.cultures.positive is not None:
        found.append(remark(Severity.WARNING, Say.ORDER_POSITIVE_CULTURE, {"time": course.cultures.positive.time}))
    warned = [line for line in laboratory_warnings(patient).cautions if line.say is Say.LAB_WARNING]
    return found + [remark(Severity.WARNING, Say.ORDER_LABORATORY, line.values) for line in warned]


def _duplicates(patient: Patient, order: SessionOrder, session: Session) -> list[Remark]:
    found = []
    if session.others(order, IL6_BLOCKER):
        found.append(remark(Severity.WARNING, Say.ORDER_TWICE))
    waiting = patient.course.open_order
    if waiting is not None:
        found.append(remark(Severity.WARNING, Say.ORDER_WAITING, {"name": waiting.name, "time": waiting.time}))
    return found


def _cultures(patient: Patient, session: Session) -> tuple[list[Remark], tuple[Draft, ...]]:
    """Cultures come before or with the first dose (S-PIT-INF-2); a draft unless one is in the session."""
    course = patient.course
    if course.cultures.taken is not None or course.doses or session.holds("culture") or not patient.grade:
        return [], ()
    orders = [patient.protocol.orders[name] for name in patient.protocol.infection_orders]
    known = "cultures" not in patient.timeline.gaps
    drafts = tuple(Draft(order=order, recommended=known) for order in orders if order.kind == "service")
    values = {"window": hours(patient.protocol.cultures), "known": known}
    return [remark(Severity.WARNING, Say.ORDER_NO_CULTURES, values)], drafts

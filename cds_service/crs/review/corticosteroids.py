"""An order of a corticosteroid: too early, not the dose of the grade, a second regimen, a child (S-PIT-STER, N-09)."""

from cds_service.crs.corticosteroids import order_now
from cds_service.crs.dosing import dose, regimen
from cds_service.crs.figures import shown
from cds_service.crs.protocol import Order
from cds_service.crs.regimen import CORTICOSTEROID, Regimen
from cds_service.crs.response import Response
from cds_service.crs.review.remarks import Remark, Review, Severity, remark, worst_first
from cds_service.crs.sentences import Say
from cds_service.crs.session import Session, SessionOrder
from cds_service.crs.treatment import Draft, Patient


def review(patient: Patient, order: SessionOrder, session: Session) -> Review | None:
    """What speaks against the order; None when nothing does, or when there is no CRS for which it could be."""
    if not patient.grade:
        return None
    plans = [plan for plan in patient.protocol.orders.values() if plan.group == CORTICOSTEROID]
    known = [plan for plan in plans if plan.agent == order.agent]
    adult_dose = _adult_dose(patient, order, known)
    found = [*_allergy(patient, known), *adult_dose, *_second_regimen(patient, order, session)]
    correction = None
    if known and not adult_dose:
        early = _too_early(patient)
        found += early
        if not early:
            expected = _other_dose(patient, order)
            if expected is not None:
                found.append(remark(Severity.WARNING, Say.ORDER_STEROID_DOSE, _words(order, expected)))
                correction = Draft(order=expected, dose=dose(expected, None, patient.assessment.as_of))
    if session.signing and patient.course.antifungal is None and not _has_antifungal(session):
        found.append(remark(Severity.INFO, Say.ORDER_ANTIFUNGAL))
    if not found:
        return None
    return Review(order=order, remarks=worst_first(found), correction=correction)


def _allergy(patient: Patient, plans: list[Order]) -> list[Remark]:
    if plans and patient.allergic_to(plans[0]):
        return [remark(Severity.CRITICAL, Say.ORDER_ALLERGY, {"drug": plans[0].text})]
    return []


def _adult_dose(patient: Patient, order: SessionOrder, plans: list[Order]) -> list[Remark]:
    """A fixed adult dose for a child, or for someone who may be one (N-09)."""
    adult = [plan.stages[0].mg for plan in plans if plan.adults_only]
    if not adult or patient.is_adult() is True or order.mg is None or order.mg < min(adult):
        return []
    values = {"drug": order.name, "mg": shown(order.mg), "adult_years": patient.scale.adult_years}
    return [remark(Severity.CRITICAL, Say.ORDER_ADULT_DOSE, values)]


def _second_regimen(patient: Patient, order: SessionOrder, session: Session) -> list[Remark]:
    """Two regimens together (N-10): another drug, or another dose of the same one."""
    course = patient.course
    present = [course.steroid] if course.steroid is not None and not course.steroid.before_crs else []
    names = [item.words for item in (*present, *course.steroid_orders) if _differs(item, order)]
    names += [item.name for item in session.others(order, CORTICOSTEROID)]
    if not names:
        return []
    return [remark(Severity.WARNING, Say.ORDER_TWO_STEROIDS, {"names": ", ".join(dict.fromkeys(names))})]


def _differs(present: Regimen, order: SessionOrder) -> bool:
    unknown = present.dose_mg is None or order.mg is None
    return present.agent != order.agent or (not unknown and present.dose_mg != order.mg)


def _too_early(patient: Patient) -> list[Remark]:
    """Grade 1, or grade 2 before any tocilizumab (S-PIT-STER-2). A course that is running is not begun too early."""
    course = patient.course
    if course.steroid is not None or course.doses or order_now(patient) is not None:
        return []
    return [remark(Severity.WARNING, Say.ORDER_STEROID_EARLY, {"grade": patient.grade})]


def _other_dose(patient: Patient, order: SessionOrder) -> Order | None:
    """The protocol's order, when this is another drug or dose and CRS is not on the way down."""
    expected = order_now(patient)
    steroid = patient.course.steroid
    if expected is None or (steroid is not None and steroid.response is Response.IMPROVED):
        return None
    if expected.adults_only and patient.is_adult() is not True:
        return None
    if patient.allergic_to(expected):
        return None
    same_dose = order.mg is None or any(order.mg == stage.mg for stage in expected.stages)
    same_time = order.every_hours is None or any(order.every_hours == stage.every_hours for stage in expected.stages)
    return None if order.agent == expected.agent and same_dose and same_time else expected


def _words(order: SessionOrder, expected: Order) -> dict[str, object]:
    amount = f" {shown(order.amount)} {order.unit}" if order.amount is not None else ""
    every = f" every {shown(order.every_hours)} h" if order.every_hours is not None else ""
    first = expected.stages[0]
    return {
        "ordered": f"{order.name}{amount}{every}",
        "drug": expected.text,
        "regimen": regimen(expected, first.mg, expected.short_route),
    }


def _has_antifungal(session: Session) -> bool:
    return any(item.group == "antifungal" for item in session.orders)

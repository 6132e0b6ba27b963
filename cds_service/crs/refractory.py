"""What comes after tocilizumab and corticosteroids: text only, never an order (S-REF-1, S-REF-2, N-20)."""

from cds_service.crs.course import IL6_BLOCKER
from cds_service.crs.sentences import Line, Say
from cds_service.crs.treatment import Patient


def refractory_options(patient: Patient) -> tuple[Line, ...]:
    """Named when tocilizumab is not possible, or no further dose is and CRS does not respond."""
    return (Line(Say.REFRACTORY_OPTIONS),) if _impossible(patient) or _no_response(patient) else ()


def _impossible(patient: Patient) -> bool:
    orders = (patient.protocol.orders[name] for name in patient.step.orders)
    return any(order.group == IL6_BLOCKER and patient.allergic_to(order) for order in orders)


def _no_response(patient: Patient) -> bool:
    """CRS that goes on after the last dose there is, or after the first where ICANS forbids another."""
    course = patient.course
    no_more = bool(course.doses) and (patient.doses_used_up or patient.icans_forbids_repeat)
    return no_more and (patient.refractory or (course.steroid is not None and patient.has_failed(course.steroid)))

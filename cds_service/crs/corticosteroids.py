"""Corticosteroids by grade, and what comes after them (S-MGT-2e, 2f, 3a, 4a; S-PIT-STER; S-REF; N-08 to N-10, N-20)."""

from datetime import timedelta
from decimal import Decimal

from cds_service.crs.course import IL6_BLOCKER, Response
from cds_service.crs.dosing import dose
from cds_service.crs.figures import shown
from cds_service.crs.protocol import Order
from cds_service.crs.sentences import Line, Say
from cds_service.crs.treatment import Draft, Patient, Treatment

CORTICOSTEROID = "corticosteroid"


def corticosteroids(patient: Patient, *, tocilizumab_drafted: bool) -> Treatment:
    """The draft at this grade: at once at grade 3 and 4, at grade 2 only when it is refractory."""
    order = _order(patient)
    if order is None:
        return Treatment()
    at_once = order.id in patient.step.orders
    if not at_once and not patient.refractory:
        return Treatment(lines=(Line(Say.STEROID_NOT_YET), *_early_product(patient)))
    if patient.reservation or patient.needs_oxygen_first:
        return Treatment()
    withheld = _withheld(patient, order)
    if withheld is not None:
        return withheld
    values = _figures(patient, order)
    if at_once:
        return Treatment(drafts=(_draft(patient, order),), lines=(Line(Say.STEROID, values),))
    if tocilizumab_drafted and patient.course.response is not Response.DETERIORATED:
        return Treatment(lines=(Line(Say.STEROID_WITH_SECOND_DOSE, values),))
    return Treatment(drafts=(_draft(patient, order, refractory=True),), lines=(Line(Say.STEROID_REFRACTORY, values),))


def _order(patient: Patient) -> Order | None:
    names = (*patient.step.orders, *patient.step.refractory)
    orders = (patient.protocol.orders[name] for name in names)
    return next((order for order in orders if order.group == CORTICOSTEROID), None)


def _draft(patient: Patient, order: Order, *, refractory: bool = False) -> Draft:
    hesitant = refractory or patient.to_check or patient.infection_first
    return Draft(order=order, dose=dose(order, None, patient.assessment.as_of), recommended=not hesitant)


def _withheld(patient: Patient, order: Order) -> Treatment | None:
    """An allergy, a child, a steroid that is running or ordered already (N-09, N-10, N-17); None for none of them."""
    if patient.allergic_to(order):
        values: dict[str, object] = {"drug": order.text}
        return Treatment(lines=(Line(Say.ALLERGY, values),), status=(Line(Say.STATUS_ALLERGY, values),))
    if order.adults_only and patient.is_adult() is not True:
        return Treatment(lines=(Line(Say.STEROID_CHILD, _child(patient)),), status=(Line(Say.STATUS_CHILD),))
    running = patient.course.steroid or patient.course.steroid_order
    if running is None:
        return None
    found = {"name": running.name, "time": running.time, "given": patient.course.steroid is not None}
    return Treatment(
        lines=(Line(Say.STEROID_RUNNING, _figures(patient, order) | found),),
        status=(Line(Say.STATUS_STEROID_RUNNING, found),),
    )


def _figures(patient: Patient, order: Order) -> dict[str, object]:
    _, longest = order.days or (0, 0)
    return {
        "drug": order.text,
        "mg": shown(order.fixed_mg or Decimal(0)),
        "hours": order.every_hours,
        "duration": order.length,
        "until": patient.assessment.as_of + timedelta(days=longest),
    }


def _child(patient: Patient) -> dict[str, object]:
    return {
        "years": patient.timeline.age_in_years(patient.assessment.as_of),
        "adult_years": patient.scale.adult_years,
        "adult_kg": shown(patient.protocol.adult_kg_without_age),
        "weight_known": patient.is_adult() is not None,
    }


def _early_product(patient: Patient) -> tuple[Line, ...]:
    """Guidelines differ on early steroids for some products: said, not acted on (C3)."""
    exposure = patient.assessment.exposure
    if exposure is None or exposure.therapy.product not in patient.protocol.early_steroid_products:
        return ()
    return (Line(Say.STEROID_EARLY_PRODUCT, {"product": exposure.therapy.product}),)


def refractory_options(patient: Patient) -> tuple[Line, ...]:
    """Options when tocilizumab is used up or not possible: text only, never an order (S-REF-1, S-REF-2, N-20)."""
    used_up = len(patient.course.doses) >= patient.protocol.maximum_doses and patient.refractory
    orders = (patient.protocol.orders[name] for name in patient.step.orders)
    impossible = any(order.group == IL6_BLOCKER and patient.allergic_to(order) for order in orders)
    return (Line(Say.REFRACTORY_OPTIONS),) if used_up or impossible else ()

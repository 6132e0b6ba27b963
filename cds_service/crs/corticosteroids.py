"""Corticosteroids by grade and course (S-MGT-2e, 2f, 3a, 3c, 3d, 4a, 4c, 4d; S-PIT-STER; N-08 to N-10).

At once at grade 3 and 4, at grade 2 only when CRS does not respond. A stronger regimen replaces the present one.
"""

from datetime import timedelta

from cds_service.crs.dosing import dose, regimen
from cds_service.crs.figures import shown, span
from cds_service.crs.protocol import Escalates, Order
from cds_service.crs.regimen import CORTICOSTEROID, Regimen
from cds_service.crs.response import Response
from cds_service.crs.sentences import Line, Say
from cds_service.crs.treatment import Draft, Patient, Treatment


def advice(patient: Patient, *, tocilizumab_drafted: bool) -> Treatment:
    """The draft at this grade and in this course, else why there is none."""
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
    if patient.course.steroid is not None or patient.course.steroid_orders:
        return _beside_another(patient, order)
    if not at_once and _waits_for_second_dose(patient, tocilizumab_drafted=tocilizumab_drafted):
        worse = {"worse": patient.course.response is Response.DETERIORATED}
        return Treatment(lines=(Line(Say.STEROID_WITH_SECOND_DOSE, _figures(patient, order) | worse),))
    return _first(patient, order, refractory=not at_once)


def order_now(patient: Patient) -> Order | None:
    """The protocol's order at this grade and in this course, whoever may have it; None where there is none."""
    order = _order(patient)
    if order is None or (order.id not in patient.step.orders and not patient.refractory):
        return None
    present, following = patient.course.steroid, _following(patient)
    if present is None:
        return order
    stronger = _stronger(patient, order, present)
    went_on = following is not None and (_switched(present, order, following) or present.is_at_least(following))
    if stronger is None and went_on:
        return following
    return stronger or order


def _switched(present: Regimen, order: Order, following: Order) -> bool:
    """True when the present regimen is the drug that follows the one of this grade."""
    return present.agent == following.agent != order.agent


def _order(patient: Patient) -> Order | None:
    names = (*patient.step.orders, *patient.step.refractory)
    orders = (patient.protocol.orders[name] for name in names)
    return next((order for order in orders if order.group == CORTICOSTEROID), None)


def _waits_for_second_dose(patient: Patient, *, tocilizumab_drafted: bool) -> bool:
    """At grade 2 a steroid goes with the second dose, and only when CRS got worse (S-MGT-2e).

    Without a second dose it is offered once the protocol's time for one has passed, or none is left (S-PIT-STER-3).
    """
    course, now = patient.course, patient.assessment.as_of
    worse = course.response is Response.DETERIORATED
    second_dose = tocilizumab_drafted or course.open_order is not None
    if second_dose:
        return not worse
    waited = course.since_last_dose(now)
    due = waited is not None and waited >= patient.protocol.repeat_after
    return not due and not patient.doses_used_up


def _first(patient: Patient, order: Order, *, refractory: bool) -> Treatment:
    hesitant = refractory or patient.to_check or patient.infection_first
    draft = Draft(order=order, dose=dose(order, None, patient.assessment.as_of), recommended=not hesitant)
    say = Say.STEROID_REFRACTORY if refractory else Say.STEROID
    return Treatment(drafts=(draft,), lines=(Line(say, _figures(patient, order)),))


def _beside_another(patient: Patient, order: Order) -> Treatment:
    """One regimen at a time: the stronger one replaces the one that is running, anything else is for review (N-10)."""
    course = patient.course
    waiting = course.steroid_orders
    present = course.steroid or waiting[-1]
    stronger = _stronger(patient, order, present)
    if stronger is None or len(waiting) > (0 if course.steroid else 1):
        return _review(patient, order, present)
    return _withheld(patient, stronger) or _replacement(patient, stronger, present)


def _stronger(patient: Patient, order: Order, present: Regimen) -> Order | None:
    """The dose of this grade where less, or a premedication, was given; else the escalation when its time has come."""
    premedication = present.before_crs and present.agent == order.agent
    if premedication or present.is_weaker_than(order):
        return order
    escalation = patient.step.escalation
    if escalation is None or present.last is None or not present.is_at_least(order):
        return None
    following = patient.protocol.orders[escalation.order]
    if present.is_at_least(following):
        return None
    if escalation.when is Escalates.WORSE:
        return following if present.response is Response.DETERIORATED else None
    return following if patient.has_failed(present) else None


def _replacement(patient: Patient, order: Order, present: Regimen) -> Treatment:
    """A stronger regimen instead of the present one. It is never pre-selected: the present order must be stopped."""
    unsure = present.last is not None and present.response is Response.NOT_KNOWN
    condition = "only if not improved since" if unsure else ""
    draft = Draft(
        order=order,
        dose=dose(order, None, patient.assessment.as_of),
        recommended=False,
        condition=condition,
        replaces=present,
    )
    values = _figures(patient, order) | _present(patient, present) | {"condition": condition}
    return Treatment(
        drafts=(draft,),
        lines=(Line(Say.STEROID_REPLACES, values),),
        status=(Line(Say.STATUS_STEROID_REPLACES, values),),
    )


def _review(patient: Patient, order: Order, present: Regimen) -> Treatment:
    """What is given or ordered already, the protocol's dose, and what would come next."""
    following = _following(patient)
    named = following if following is not None and _switched(present, order, following) else order
    values = _figures(patient, named) | _present(patient, present)
    lines = [Line(Say.STEROID_RUNNING, values | {"enough": present.is_at_least(named)})]
    others = [item for item in patient.course.steroid_orders if item is not present]
    if others:
        lines.append(Line(Say.STEROID_TWO, {"names": ", ".join(item.words for item in others)}))
    elif following is not None and present.is_at_least(order) and not present.is_at_least(following):
        worse = patient.step.escalation is not None and patient.step.escalation.when is Escalates.WORSE
        within = {"within": "" if worse else span(patient.protocol.steroid_response)}
        lines.append(Line(Say.STEROID_NEXT, _figures(patient, following) | within))
    return Treatment(lines=tuple(lines), status=(Line(Say.STATUS_STEROID_RUNNING, values),))


def _following(patient: Patient) -> Order | None:
    """The order that may replace the one of this grade, where the patient may have it."""
    escalation = patient.step.escalation
    following = patient.protocol.orders[escalation.order] if escalation is not None else None
    return following if following is not None and _withheld(patient, following) is None else None


def given(patient: Patient) -> tuple[Line, ...]:
    """The corticosteroid that is running: what, how much, since when (grade card, any grade)."""
    steroid = patient.course.steroid
    return (Line(Say.STEROID_GIVEN, _present(patient, steroid)),) if steroid is not None else ()


def _withheld(patient: Patient, order: Order) -> Treatment | None:
    """An allergy, or a child (N-09, N-17); None for neither."""
    if patient.allergic_to(order):
        values: dict[str, object] = {"drug": order.text}
        return Treatment(lines=(Line(Say.ALLERGY, values),), status=(Line(Say.STATUS_ALLERGY, values),))
    if order.adults_only and patient.is_adult() is not True:
        return Treatment(lines=(Line(Say.STEROID_CHILD, _child(patient)),), status=(Line(Say.STATUS_CHILD),))
    return None


def _figures(patient: Patient, order: Order) -> dict[str, object]:
    return {
        "drug": order.text,
        "regimen": regimen(order, order.stages[0].mg, order.short_route),
        "until": patient.assessment.as_of + timedelta(days=order.last_day) if order.last_day else None,
        "ends": bool(order.afterwards) or len(order.stages) > 1,
    }


def _present(patient: Patient, present: Regimen) -> dict[str, object]:
    return {
        "present": present.words,
        "since": present.since,
        "last": present.last,
        "time": present.last or present.since,
        "given": present.last is not None,
        "ago": span(patient.assessment.as_of - present.since),
        "response": present.response.value,
        "before": present.before_crs,
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

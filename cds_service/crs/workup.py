"""Around the treatment: infection first, antifungals, neurotoxicity, regrading (S-INF, S-NEURO, S-PIT, S-DX-1)."""

from cds_service.crs.assessment import Criterion, State
from cds_service.crs.dosing import NoWeight, dose, regimen
from cds_service.crs.figures import shown
from cds_service.crs.laboratory import laboratory_warnings, missing_labs
from cds_service.crs.neurotoxicity import INSTRUMENTS, Icans, abnormal, severe_icans_risk
from cds_service.crs.protocol import Order
from cds_service.crs.sentences import Line, Say
from cds_service.crs.treatment import Draft, Patient, Treatment, hours, together

ANTIBIOTIC_ALLERGIES = ("antibiotic", "beta-lactam")
"""Groups of which an allergy to one keeps every antibiotic from being drafted (N-21)."""


def infection(patient: Patient, *, tocilizumab_drafted: bool) -> Treatment:
    """Cultures and antibiotics, at any grade, before or with tocilizumab (S-INF-1, S-INF-2, S-PIT-INF-2, N-15)."""
    orders = [patient.protocol.orders[name] for name in patient.protocol.infection_orders]
    cultures = [_cultures(patient, order) for order in orders if order.kind == "service"]
    found = together(*cultures, _antibiotics(patient, [order for order in orders if order.kind == "medication"]))
    lines = list(found.lines)
    if tocilizumab_drafted and not patient.course.doses and (found.drafts or patient.course.antibiotic is None):
        lines.append(Line(Say.BEFORE_TOCILIZUMAB))
    if patient.refractory or _fever_after_tocilizumab(patient):
        lines.append(Line(Say.WIDEN_WORKUP))
    return Treatment(drafts=found.drafts, lines=tuple(lines))


def _fever_after_tocilizumab(patient: Patient) -> bool:
    """Fever that goes on although tocilizumab was given (S-PIT-INF-3)."""
    waited = patient.course.since_last_dose(patient.assessment.as_of)
    febrile = patient.assessment.finding(Criterion.FEVER).state is State.MET
    return febrile and waited is not None and waited >= patient.protocol.persistent_fever


def _cultures(patient: Patient, order: Order) -> Treatment:
    """A draft unless one was ordered or drawn in the look-back; a result alone may be of an older sample."""
    cultures = patient.course.cultures
    result = cultures.positive or cultures.negative
    lines = []
    if result is not None:
        lines.append(Line(Say.CULTURE_RESULT, {"result": result.step, "time": result.time, "drawn": result.drawn}))
    if cultures.taken is not None:
        lines.append(Line(Say.CULTURES_DONE, {"step": cultures.taken.step, "time": cultures.taken.time}))
        return Treatment(lines=tuple(lines))
    if "cultures" in patient.timeline.gaps:
        lines.append(Line(Say.CULTURES_UNKNOWN, {"reason": patient.timeline.gaps["cultures"].reason}))
        return Treatment(drafts=(Draft(order=order, recommended=False),), lines=tuple(lines))
    lines.append(Line(Say.CULTURES, {"quantity": order.quantity, "window": hours(patient.protocol.cultures)}))
    return Treatment(drafts=(Draft(order=order, recommended=result is None),), lines=tuple(lines))


def _antibiotics(patient: Patient, orders: list[Order]) -> Treatment:
    """Empiric antibiotics unless one is active: the hospital's own where its protocol names them, else by its policy.

    None is drafted where allergies or drugs given are not known, or an allergy to an antibiotic is charted (N-21).
    """
    active = patient.course.antibiotic
    if active is not None:
        return Treatment(lines=(Line(Say.ANTIBIOTICS_ACTIVE, {"name": active.name, "time": active.time}),))
    unread = bool({"drugs", "orders", "allergies"} & set(patient.timeline.gaps))
    allergic = any(allergy.group in ANTIBIOTIC_ALLERGIES for allergy in patient.timeline.allergies)
    drafted = [] if unread or allergic else [draft for order in orders for draft in _antibiotic(patient, order)]
    if not drafted:
        values = {"unknown": "drugs" in patient.timeline.gaps, "allergic": allergic}
        return Treatment(lines=(Line(Say.ANTIBIOTICS, values),))
    named = [f"{d.order.text} {regimen(d.order, d.dose.mg, d.order.short_route)}" for d in drafted if d.dose]
    return Treatment(drafts=tuple(drafted), lines=(Line(Say.ANTIBIOTICS_OF_PROTOCOL, {"regimens": "; ".join(named)}),))


def _antibiotic(patient: Patient, order: Order) -> list[Draft]:
    """The draft, never pre-selected: whether an allergy was asked for is not in the record. None in a child, or by
    weight without one."""
    if order.adults_only and patient.is_adult() is not True:
        return []
    usable = patient.weight
    weight = None if isinstance(usable, NoWeight) else usable.weight
    if order.weight_bands and weight is None:
        return []
    return [Draft(order=order, dose=dose(order, weight, patient.assessment.as_of), recommended=False)]


def monitoring(patient: Patient, *, steroid_drafted: bool) -> tuple[Line, ...]:
    """Laboratory that is missing, neurotoxicity, antifungals with steroids, what to think of beside CRS."""
    lines = [*missing_labs(patient), *_neurology(patient)]
    if patient.grade == 1 and patient.course.treated:
        lines += laboratory_warnings(patient).cautions
    if (steroid_drafted or patient.course.steroid is not None) and patient.course.antifungal is None:
        lines.append(Line(Say.ANTIFUNGAL))
    exposure = patient.assessment.exposure
    hlh = [fact for fact in patient.timeline.diagnoses if fact.kind == "hlh"]
    if exposure is not None and any(exposure.since <= fact.time <= patient.assessment.as_of for fact in hlh):
        lines.append(Line(Say.HYPERINFLAMMATION))
    return tuple(lines)


def _neurology(patient: Patient) -> list[Line]:
    """ICE or CAPD with its time, or the prompt for the one of that age (S-NEURO-1, S-PIT-ICANS-1, 3, 4; C26)."""
    lines = []
    years = patient.timeline.age_in_years(patient.assessment.as_of)
    protocol, neurotoxicity = patient.protocol, patient.course.neurotoxicity
    score = neurotoxicity.score
    values = {"window": hours(protocol.scores), "years": protocol.ice_from_years}
    if score is not None:
        charted = {"instrument": INSTRUMENTS[score.instrument], "value": shown(score.value), "time": score.time}
        lines.append(Line(Say.SCORE_CHARTED, charted | {"abnormal": abnormal(score, protocol)}))
    elif years is None:
        lines.append(Line(Say.SCORE_BY_AGE, values))
    else:
        lines.append(Line(Say.ICE if years >= protocol.ice_from_years else Say.CAPD, values))
    if neurotoxicity.possible and neurotoxicity.reason is not score:
        lines.append(Line(Say.ICANS, neurotoxicity.figures))
    at_risk = severe_icans_risk(patient.timeline, patient.assessment, patient.scale, protocol)
    if neurotoxicity.icans is not Icans.PRESENT and at_risk:
        figures = {"celsius": shown(protocol.icans_risk_fever), "window": hours(protocol.icans_risk_window)}
        lines.append(Line(Say.ICANS_RISK, figures))
    return lines

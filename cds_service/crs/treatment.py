"""Tocilizumab and corticosteroids: what is drafted, and the sentence for every draft that is not."""

from dataclasses import dataclass
from datetime import timedelta
from decimal import Decimal

from cds_service.crs.assessment import Assessment, Criterion
from cds_service.crs.course import Course, Icans, Response
from cds_service.crs.dosing import Dose, NoWeight, UsableWeight, dose, dose_rule, usable_weight
from cds_service.crs.figures import shown, span
from cds_service.crs.hypoxia import NO_OXYGEN_YET
from cds_service.crs.protocol import Order, Protocol, Step
from cds_service.crs.scale import Scale
from cds_service.crs.sentences import Line, Say
from cds_service.crs.timeline import Timeline


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An order offered as a draft. `recommended` is false when a condition or a doubt stands before it."""

    order: Order
    dose: Dose | None = None
    recommended: bool = True
    condition: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """Drafts and the lines that go with them."""

    drafts: tuple[Draft, ...] = ()
    lines: tuple[Line, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Patient:
    """Everything treatment looks at, at one instant."""

    timeline: Timeline
    assessment: Assessment
    course: Course
    protocol: Protocol
    scale: Scale

    @property
    def grade(self) -> int:
        """The grade; advice is only asked for a grade of 1 or more."""
        return self.assessment.grade or 0

    @property
    def step(self) -> Step:
        """The protocol's step at this grade."""
        return self.protocol.steps[self.grade]

    @property
    def weight(self) -> UsableWeight | NoWeight:
        """The weight for dosing."""
        return usable_weight(self.timeline, self.protocol, self.assessment.as_of)

    @property
    def needs_oxygen_first(self) -> bool:
        """True when the grade rests on a low saturation before anyone gave oxygen (C16)."""
        others = [f for f in self.assessment.findings if f.criterion is not Criterion.HYPOXIA]
        alone = all((finding.grade or 0) < 2 for finding in others)
        return alone and NO_OXYGEN_YET in self.assessment.finding(Criterion.HYPOXIA).doubts

    @property
    def rests_on_one_low_pressure(self) -> bool:
        """True when a grade of 2 rests only on a pressure that is in doubt (clinical 4.4)."""
        hypoxia = self.assessment.finding(Criterion.HYPOXIA).grade or 0
        return self.grade == 2 and hypoxia < 2 and self.assessment.rests_on_doubt(Criterion.HYPOTENSION)

    @property
    def refractory(self) -> bool:
        """No improvement after tocilizumab at the time the protocol waits for, or worse (S-PIT-STER-3)."""
        waited = self.course.since_last_dose(self.assessment.as_of)
        if waited is None or self.course.response is Response.IMPROVED:
            return False
        return self.course.response is Response.DETERIORATED or waited >= self.protocol.repeat_after

    def is_adult(self) -> bool | None:
        """Adult by age; without an age by weight, None when neither is known (N-09)."""
        years = self.timeline.age_in_years(self.assessment.as_of)
        if years is not None:
            return years >= self.scale.adult_years
        weight = self.weight
        if isinstance(weight, NoWeight):
            return None
        return weight.weight.kilograms >= self.protocol.adult_kg_without_age


def tocilizumab(patient: Patient, order: Order) -> Treatment:
    """The tocilizumab draft at this grade, if any limit allows one (S-MGT-2a to 2d, 3a, 3e, 4a, 4e; N-01 to N-07)."""
    objection = _objection(patient, order)
    history = _history(patient)
    if objection is not None:
        return Treatment(lines=(*objection, *history))
    usable = patient.weight
    lines = [*history]
    if isinstance(usable, NoWeight):
        no_weight = Line(Say.TOCILIZUMAB_NO_WEIGHT, {"reason": usable.reason, "rule": dose_rule(order)})
        return Treatment(lines=(no_weight, *lines))
    computed = dose(order, usable.weight, patient.assessment.as_of)
    second = bool(patient.course.doses)
    say = Say.TOCILIZUMAB_SECOND if second else Say.TOCILIZUMAB
    condition = ""
    if patient.needs_oxygen_first:
        say, condition = Say.TOCILIZUMAB_IF_OXYGEN, "only if oxygen is required"
    values: dict[str, object] = {
        "arithmetic": computed.arithmetic,
        "minutes": order.over_minutes,
        "number": len(patient.course.doses) + 1,
        "maximum": patient.protocol.maximum_doses,
        "label_maximum": patient.protocol.label_maximum_doses,
        "label_hours": span(patient.protocol.minimum_interval),
        "confirm": usable.confirm,
    }
    draft = Draft(order=order, dose=computed, recommended=not (condition or usable.confirm), condition=condition)
    return Treatment(drafts=(draft,), lines=(Line(say, values), *lines, *_cautions(patient)))


def _objection(patient: Patient, order: Order) -> tuple[Line, ...] | None:
    """The first limit that forbids a draft now, in the order a clinician would ask."""
    course, protocol, timeline = patient.course, patient.protocol, patient.timeline
    if any(allergy.agent == order.agent for allergy in timeline.allergies):
        return (Line(Say.TOCILIZUMAB_ALLERGY),)
    if not timeline.known("drugs", patient.assessment.as_of - protocol.label_count):
        return (Line(Say.TOCILIZUMAB_RECORD_UNKNOWN, {"reason": timeline.gaps["drugs"].reason}),)
    if course.open_order is not None:
        return (Line(Say.TOCILIZUMAB_ORDERED, {"name": course.open_order.name, "time": course.open_order.time}),)
    if len(course.doses_for_label) >= protocol.label_maximum_doses:
        return (Line(Say.TOCILIZUMAB_LABEL_LIMIT, {"given": len(course.doses_for_label)}),)
    if len(course.doses) >= protocol.maximum_doses:
        values = {"maximum": protocol.maximum_doses, "label_maximum": protocol.label_maximum_doses}
        return (Line(Say.TOCILIZUMAB_LIMIT, values),)
    if patient.assessment.episode is not None and patient.assessment.episode.onset is None:
        return (Line(Say.TOCILIZUMAB_NOT_OFFERED, {"reason": "the onset of fever is not documented"}),)
    if patient.rests_on_one_low_pressure:
        reason = "; ".join(patient.assessment.finding(Criterion.HYPOTENSION).doubts)
        return (Line(Say.TOCILIZUMAB_NOT_OFFERED, {"reason": reason}),)
    return _too_early(patient) if course.last_dose is not None else None


def _too_early(patient: Patient) -> tuple[Line, ...] | None:
    """Whether a further dose must wait: floor of 8 h, 72 h without improvement, infection, ICANS (C2, C4, C5, C27)."""
    course, protocol = patient.course, patient.protocol
    waited = course.since_last_dose(patient.assessment.as_of) or timedelta()
    values = {
        "ago": span(waited),
        "repeat": span(protocol.repeat_after),
        "label_hours": span(protocol.minimum_interval),
        "label_maximum": protocol.label_maximum_doses,
    }
    if waited < protocol.minimum_interval:
        return (Line(Say.TOCILIZUMAB_TOO_EARLY, values),)
    if course.response is Response.IMPROVED:
        return (Line(Say.TOCILIZUMAB_IMPROVED, values),)
    if waited < protocol.repeat_after:
        worse = course.response is Response.DETERIORATED
        return (Line(Say.TOCILIZUMAB_DETERIORATED if worse else Say.TOCILIZUMAB_WAIT, values),)
    if course.icans in (Icans.PRESENT, Icans.SUSPECTED):
        return (Line(Say.TOCILIZUMAB_ICANS_REPEAT, {"icans": course.icans.value}),)
    if not course.infection_excluded:
        return (Line(Say.TOCILIZUMAB_INFECTION, values),)
    return None


def _history(patient: Patient) -> tuple[Line, ...]:
    """Tocilizumab given: when, what, how much, and when the next dose becomes possible."""
    last = patient.course.last_dose
    if last is None:
        return ()
    values = {
        "name": last.name,
        "mg": f"{shown(last.dose_mg)} mg" if last.dose_mg is not None else "",
        "time": last.time,
        "given": len(patient.course.doses),
        "given_for_label": len(patient.course.doses_for_label),
        "next_by_protocol": last.time + patient.protocol.repeat_after,
        "next_by_label": last.time + patient.protocol.minimum_interval,
        "maximum": patient.protocol.maximum_doses,
        "label_maximum": patient.protocol.label_maximum_doses,
        "days": span(patient.protocol.label_count),
    }
    return (Line(Say.TOCILIZUMAB_GIVEN, values),)


def _cautions(patient: Patient) -> tuple[Line, ...]:
    lines = []
    course = patient.course
    if course.icans in (Icans.PRESENT, Icans.SUSPECTED):
        lines.append(Line(Say.TOCILIZUMAB_ICANS, {"icans": course.icans.value}))
    reasons = _off_label(patient)
    if reasons:
        lines.append(Line(Say.OFF_LABEL, {"reasons": ", ".join(reasons)}))
    lines.append(Line(Say.TOCILIZUMAB_CAUTIONS))
    return tuple(lines)


def _off_label(patient: Patient) -> list[str]:
    """The label is for severe or life-threatening CRS after CAR-T cells from two years of age (C28)."""
    years = patient.timeline.age_in_years(patient.assessment.as_of)
    exposure = patient.assessment.exposure
    reasons = []
    if patient.grade < 3:
        reasons.append("grade 2")
    if exposure is not None and exposure.therapy.window != "car-t":
        reasons.append("CRS after a bispecific antibody")
    if years is not None and years < patient.protocol.label_minimum_years:
        reasons.append(f"age under {patient.protocol.label_minimum_years} years")
    return reasons


def corticosteroids(patient: Patient) -> Treatment:
    """The corticosteroid draft at this grade (S-MGT-2e, 2f, 3a, 4a; S-PIT-STER; N-08 to N-10)."""
    orders = [patient.protocol.orders[name] for name in (*patient.step.orders, *patient.step.refractory)]
    steroids = [order for order in orders if order.group == "corticosteroid"]
    if not steroids:
        return Treatment()
    order = steroids[0]
    at_once = order.id in patient.step.orders
    lines = list(_early_product(patient))
    if not at_once and not patient.refractory:
        return Treatment(lines=(Line(Say.STEROID_NOT_YET), *lines))
    if patient.rests_on_one_low_pressure or patient.needs_oxygen_first:
        return Treatment(lines=tuple(lines))
    if patient.is_adult() is not True and order.adults_only:
        return Treatment(lines=(Line(Say.STEROID_CHILD, {"unknown": patient.is_adult() is None}), *lines))
    running = patient.course.steroid or patient.course.steroid_order
    values = {"mg": shown(order.fixed_mg or Decimal(0)), "hours": order.every_hours, "duration": order.duration}
    if running is not None:
        given = patient.course.steroid is not None
        found = {"name": running.name, "time": running.time, "given": given}
        return Treatment(lines=(Line(Say.STEROID_RUNNING, values | found), *lines))
    second = bool(patient.course.doses) and len(patient.course.doses) < patient.protocol.maximum_doses
    say = Say.STEROID if at_once else Say.STEROID_REFRACTORY
    draft = Draft(order=order, dose=dose(order, None, patient.assessment.as_of), recommended=at_once)
    if not at_once and second and patient.course.response is not Response.DETERIORATED:
        return Treatment(lines=(Line(Say.STEROID_WITH_SECOND_DOSE, values), *lines))
    return Treatment(drafts=(draft,), lines=(Line(say, values), *lines))


def _early_product(patient: Patient) -> tuple[Line, ...]:
    """Guidelines differ on early steroids for some products: said, not acted on (C3)."""
    exposure = patient.assessment.exposure
    if patient.grade != 2 or exposure is None:
        return ()
    if exposure.therapy.product not in patient.protocol.early_steroid_products:
        return ()
    return (Line(Say.STEROID_EARLY_PRODUCT, {"product": exposure.therapy.product}),)


def refractory_options(patient: Patient) -> tuple[Line, ...]:
    """Options when tocilizumab and steroids did not help: text only, never an order (S-REF-1, S-REF-2, N-20)."""
    exhausted = len(patient.course.doses) >= patient.protocol.maximum_doses
    allergic = any(allergy.agent == "tocilizumab" for allergy in patient.timeline.allergies)
    steroid = patient.course.steroid is not None
    if patient.grade >= 2 and (
        (exhausted and patient.course.response is not Response.IMPROVED) or (allergic and steroid)
    ):
        return (Line(Say.REFRACTORY_OPTIONS),)
    return ()

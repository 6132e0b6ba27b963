"""Advice: what to consider at this grade and in this course (S-MGT-1 to 4, S-INF, S-LAB, S-NEURO, S-PIT).

Advice names sentences (`Say`) and the values in them; the words stand in `cards/text/`. It drafts, it never decides:
an order is left out whenever a limit forbids it (N-01 to N-27), and a sentence says why.
"""

from dataclasses import dataclass

from cds_service.crs import corticosteroids, tocilizumab
from cds_service.crs.assessment import Assessment, Criterion, State
from cds_service.crs.course import IL6_BLOCKER, course_of
from cds_service.crs.hypoxia import latest_flow
from cds_service.crs.laboratory import laboratory_warnings
from cds_service.crs.protocol import Protocol
from cds_service.crs.refractory import refractory_options
from cds_service.crs.regimen import CORTICOSTEROID
from cds_service.crs.regrading import Regrading, charted_line, regrading
from cds_service.crs.scale import Scale
from cds_service.crs.sentences import Line, Say
from cds_service.crs.timeline import Timeline
from cds_service.crs.treatment import Patient, Treatment, hours, together
from cds_service.crs.workup import infection, monitoring

TREATED_FROM = 2
"""The first grade with a card for treatment; the care of grade 1 stands on the card of the grade (N-08)."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to consider: `care` on the grade card, `infection` first, then `treatment`; a prompt without a grade.

    `regrade` is None where it is a matter of minutes.
    """

    care: tuple[Line, ...] = ()
    infection: Treatment | None = None
    treatment: Treatment | None = None
    prompts: tuple[Line, ...] = ()
    regrade: Regrading | None = None

    @property
    def lines(self) -> tuple[Line, ...]:
        """Every sentence that was said."""
        offered = [part for part in (self.infection, self.treatment) if part is not None]
        said = [line for part in offered for line in (*part.lines, *part.cautions, *part.status)]
        return (*self.care, *said, *self.prompts)


def advise(timeline: Timeline, assessment: Assessment, scale: Scale, protocol: Protocol) -> Advice:
    """Advice for an assessment. Without a grade of 1 or more: at most the prompt to look for another cause."""
    if not assessment.grade:
        return Advice(prompts=_prompts(assessment))
    course = course_of(timeline, assessment, scale, protocol)
    patient = Patient(timeline=timeline, assessment=assessment, course=course, protocol=protocol, scale=scale)
    due = regrading(assessment, course.charted_grade, protocol)
    treatment = _treatment(patient) if patient.grade >= TREATED_FROM else None
    drafted = treatment or Treatment()
    work_up = infection(patient, tocilizumab_drafted=drafted.drafts_of(IL6_BLOCKER))
    extra = monitoring(patient, steroid_drafted=drafted.drafts_of(CORTICOSTEROID))
    return Advice(
        care=_care(patient, due),
        infection=together(work_up, Treatment(lines=extra)),
        treatment=treatment,
        regrade=None if patient.needs_oxygen_first else due,
    )


def _treatment(patient: Patient) -> Treatment:
    """Tocilizumab, corticosteroids, and what comes after them; nothing where the step offers neither (N-08)."""
    orders = [patient.protocol.orders[name] for name in patient.step.orders]
    drugs = together(*(tocilizumab.advice(patient, order) for order in orders if order.group == IL6_BLOCKER))
    steroids = corticosteroids.advice(patient, tocilizumab_drafted=bool(drugs.drafts))
    before = Treatment()
    if patient.reservation:
        reason = {"reason": patient.reservation}
        before = Treatment(lines=(Line(Say.RESERVATION, reason),), status=(Line(Say.STATUS_RESERVATION, reason),))
    options = Treatment(lines=refractory_options(patient))
    found = together(before, drugs, steroids, options, laboratory_warnings(patient))
    if not found.drafts or not patient.to_check:
        return found
    items = {"items": "; ".join(patient.to_check)}
    check = Treatment(lines=(Line(Say.CHECK_FIRST, items),), status=(Line(Say.STATUS_CHECK_FIRST, items),))
    return together(check, found)


def _care(patient: Patient, due: Regrading) -> tuple[Line, ...]:
    """What was given, the care of the grade, and what is special about this therapy and episode."""
    return (
        *charted_line(patient.assessment, due),
        *tocilizumab.given(patient),
        *corticosteroids.given(patient),
        *_of_grade(patient),
        *_of_therapy(patient),
        *_of_episode(patient),
    )


def _of_grade(patient: Patient) -> list[Line]:
    """The care of the step. An antipyretic is for a fever, and not offered where one was given or is an allergy."""
    febrile = patient.assessment.finding(Criterion.FEVER).state is State.MET
    antipyretic = patient.course.antipyretic
    allergic = any(allergy.group == "antipyretic" for allergy in patient.timeline.allergies)
    lines = []
    for key in patient.step.care:
        if key != Say.ACETAMINOPHEN:
            lines.append(Line(Say(key)))
        elif antipyretic is not None:
            lines.append(Line(Say.ANTIPYRETIC_GIVEN, {"name": antipyretic.name, "time": antipyretic.time}))
        elif febrile and not allergic:
            lines.append(Line(Say.ACETAMINOPHEN))
    return lines


def _of_therapy(patient: Patient) -> list[Line]:
    exposure = patient.assessment.exposure
    if exposure is None:
        return []
    lines = []
    product = {"product": exposure.therapy.product}
    advice = patient.scale.therapy_windows[exposure.therapy.window].advice
    if advice:
        lines.append(Line(Say(advice), product))
    if exposure.late:
        lines.append(Line(Say.LATE_CRS, {"day": exposure.day}))
    if exposure.therapy.product in patient.protocol.flow_note_products and _at_low_flow_limit(patient):
        lines.append(Line(Say.FLOW_NOTE, product | {"flow": patient.scale.low_flow_maximum}))
    return lines


def _at_low_flow_limit(patient: Patient) -> bool:
    """Grade 2 by exactly the highest low flow, where one label draws the line differently (C24)."""
    flow = latest_flow(patient.timeline, patient.scale, patient.assessment.as_of)
    return flow == patient.scale.low_flow_maximum and patient.assessment.finding(Criterion.HYPOXIA).grade == 2


def _of_episode(patient: Patient) -> list[Line]:
    episode = patient.assessment.episode
    if episode is None:
        return []
    lines = [Line(Say.REOPENED)] if episode.reopened else []
    if episode.peak_grade is not None and episode.peak_grade > patient.grade:
        lines.append(Line(Say.BELOW_PEAK, {"peak": episode.peak_grade}))
    if patient.grade == 1 and episode.onset is not None:
        febrile = patient.assessment.finding(Criterion.FEVER).state is State.MET
        if febrile and patient.assessment.as_of - episode.onset > patient.protocol.long_fever:
            lines.append(Line(Say.LONG_FEVER, {"hours": hours(patient.protocol.long_fever)}))
    return lines


def _prompts(assessment: Assessment) -> tuple[Line, ...]:
    """Hypotension or hypoxia without a grade: look for sepsis and other causes (C21, S-GRADE-GATE)."""
    met = [
        finding.headline
        for finding in assessment.findings
        if finding.criterion is not Criterion.FEVER and finding.state is State.MET
    ]
    if not met:
        return ()
    known = assessment.finding(Criterion.FEVER).state is not State.UNKNOWN
    return (Line(Say.SEPSIS_PROMPT, {"signs": " and ".join(met), "known": known}),)

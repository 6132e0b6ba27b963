"""Advice: what to consider at this grade and in this course (S-MGT-1 to 4, S-INF, S-LAB, S-NEURO, S-PIT).

Advice names sentences (`Say`) and the values in them; the words stand in `cards/text/`. It drafts, it never decides:
an order is left out whenever a limit forbids it (N-01 to N-27), and a sentence says why.
"""

from dataclasses import dataclass
from datetime import datetime

from cds_service.crs.assessment import Assessment, Criterion, State
from cds_service.crs.course import course_of
from cds_service.crs.hypoxia import latest_flow
from cds_service.crs.protocol import Protocol
from cds_service.crs.scale import Scale
from cds_service.crs.sentences import Line, Say
from cds_service.crs.timeline import Timeline
from cds_service.crs.treatment import Patient, Treatment, corticosteroids, refractory_options, tocilizumab
from cds_service.crs.workup import infection, monitoring


@dataclass(frozen=True, slots=True, kw_only=True)
class Advice:
    """What to consider: `care` on the grade card, `infection` first, then `treatment`; a prompt without a grade."""

    care: tuple[Line, ...] = ()
    infection: Treatment | None = None
    treatment: Treatment | None = None
    prompts: tuple[Line, ...] = ()
    regrade_by: datetime | None = None


def advise(timeline: Timeline, assessment: Assessment, scale: Scale, protocol: Protocol) -> Advice:
    """Advice for an assessment. Without a grade of 1 or more: at most the prompt to look for another cause."""
    if not assessment.grade:
        return Advice(prompts=_prompts(assessment))
    course = course_of(timeline, assessment, scale, protocol)
    patient = Patient(timeline=timeline, assessment=assessment, course=course, protocol=protocol, scale=scale)
    treatment = _treatment(patient) if assessment.grade >= 2 else None
    steroid_drafted = treatment is not None and any(d.order.group == "corticosteroid" for d in treatment.drafts)
    work_up = infection(patient)
    extra = monitoring(patient, steroid_drafted=steroid_drafted)
    return Advice(
        care=_care(patient),
        infection=Treatment(drafts=work_up.drafts, lines=(*work_up.lines, *extra)),
        treatment=treatment,
        regrade_by=assessment.as_of + protocol.regrade,
    )


def _treatment(patient: Patient) -> Treatment:
    parts = []
    for name in patient.step.orders:
        order = patient.protocol.orders[name]
        if order.group == "il6-blocker":
            parts.append(tocilizumab(patient, order))
    parts.append(corticosteroids(patient))
    options = refractory_options(patient)
    differs = Line(
        Say.LABEL_AND_PROTOCOL,
        {
            "maximum": patient.protocol.maximum_doses,
            "repeat": _hours(patient.protocol.repeat_after.total_seconds()),
            "label_maximum": patient.protocol.label_maximum_doses,
            "label_hours": _hours(patient.protocol.minimum_interval.total_seconds()),
        },
    )
    return Treatment(
        drafts=tuple(draft for part in parts for draft in part.drafts),
        lines=(*(line for part in parts for line in part.lines), *options, differs),
    )


def _hours(seconds: float) -> str:
    return f"{int(seconds // 3600)} h"


def _care(patient: Patient) -> tuple[Line, ...]:
    lines = [Line(Say(key)) for key in patient.step.care]
    exposure, episode = patient.assessment.exposure, patient.assessment.episode
    if exposure is not None:
        advice = patient.scale.therapy_windows[exposure.therapy.window].advice
        if advice:
            lines.append(Line(Say(advice), {"product": exposure.therapy.product}))
        if exposure.late:
            lines.append(Line(Say.LATE_CRS, {"day": exposure.day}))
        if exposure.therapy.product in patient.protocol.flow_note_products and _at_low_flow_limit(patient):
            lines.append(Line(Say.FLOW_NOTE, {"product": exposure.therapy.product}))
    if episode is not None and episode.reopened:
        lines.append(Line(Say.REOPENED))
    if episode is not None and episode.onset is not None and patient.grade == 1:
        febrile_for = patient.assessment.as_of - episode.onset
        met = patient.assessment.finding(Criterion.FEVER).state is State.MET
        if met and febrile_for > patient.protocol.long_fever:
            lines.append(Line(Say.LONG_FEVER, {"hours": _hours(patient.protocol.long_fever.total_seconds())}))
    return tuple(lines)


def _at_low_flow_limit(patient: Patient) -> bool:
    """Exactly the highest low flow, where one label draws the line differently (C24)."""
    return latest_flow(patient.timeline, patient.scale, patient.assessment.as_of) == patient.scale.low_flow_maximum


def _prompts(assessment: Assessment) -> tuple[Line, ...]:
    """Hypotension or hypoxia without a grade: look for sepsis and other causes (C21, S-GRADE-GATE)."""
    met = [
        finding.headline
        for finding in assessment.findings
        if finding.criterion is not Criterion.FEVER and finding.state is State.MET
    ]
    return (Line(Say.SEPSIS_PROMPT, {"signs": " and ".join(met)}),) if met else ()

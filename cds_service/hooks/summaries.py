"""The one line of each card, and its short phrases. Plain text: it is escaped where it goes into a detail."""

from cds_service.crs.advice import Advice
from cds_service.crs.assessment import Assessment, Criterion, Finding, State, Status
from cds_service.crs.course import IL6_BLOCKER
from cds_service.crs.figures import shown
from cds_service.crs.sentences import Say
from cds_service.crs.treatment import Draft, Treatment
from cds_service.fhir.orders import dose_words
from cds_service.hooks.wording import MAXIMUM_SUMMARY, Clock, Wording, within

NOTHING = "no order is drafted at this grade"


def grade_summary(assessment: Assessment, clock: Clock) -> str:
    """`CRS grade N: …`, as a floor where data is missing, with the reason in one line."""
    fever = assessment.finding(Criterion.FEVER)
    met = [f for f in assessment.findings if f.criterion is not Criterion.FEVER and f.state is State.MET]
    met.sort(key=lambda finding: -(finding.grade or 0))
    words = [finding.headline for finding in met]
    title = f"CRS grade {assessment.grade}"
    if assessment.is_floor:
        title += " or higher"
        words += [_not_known(finding) for finding in assessment.findings if finding.floor and finding.missing]
    elif assessment.status is Status.PROVISIONAL:
        title += " (provisional)"
    time = f" {clock(fever.evidence[0].time)}" if fever.state is State.MET and fever.evidence else ""
    body = ", ".join(words)
    ending = f"{fever.headline}{time}"
    return within(f"{title}: {body}; {ending}" if body else f"{title}: {ending}")


def _not_known(finding: Finding) -> str:
    """What is missing, short: "no oxygen" would read as if none were given."""
    return f"{finding.missing[0].partition(' (')[0]} not known"


def ungraded_summary(assessment: Assessment) -> str:
    """Why there is no grade, and which signs there are."""
    signs = ", ".join(finding.headline for finding in assessment.findings if finding.grade is not None)
    if assessment.status is Status.NO_CRS:
        return within(f"{signs} without fever: no CRS grade; consider sepsis and other causes")
    fever = assessment.finding(Criterion.FEVER)
    unread = next((finding for finding in assessment.findings if finding.missing), None)
    why = _not_known(unread) if unread is not None else "; ".join(fever.doubts)
    return within(f"CRS not graded: {why}; {signs or fever.headline}")


def infection_summary(grade: int | None, advice: Advice) -> tuple[str, bool]:
    """The summary, and whether something is to be done: cultures, antibiotics, or both."""
    offered = advice.infection or Treatment()
    needed = ["blood cultures"] if offered.drafts else []
    if any(line.say is Say.ANTIBIOTICS for line in offered.lines):
        needed.append("antibiotics")
    if not needed:
        return f"CRS grade {grade}: cultures and antibiotics are charted; monitoring", False
    with_drug = advice.treatment is not None and advice.treatment.drafts_of(IL6_BLOCKER)
    before = ", before or with tocilizumab" if with_drug else ""
    return f"CRS grade {grade}: consider {' and '.join(needed)} now{before}", True


def treatment_summary(grade: int | None, treatment: Treatment, wording: Wording, clock: Clock) -> str:
    """As much as fits of what is drafted, what is not, and what speaks against it; the grade card says it all."""
    offers = " and ".join(map(_short, treatment.drafts))
    phrases = wording.phrases(treatment.status, clock)
    first, *others = ([f"consider {offers}"] if offers else []) + phrases or [NOTHING]
    summary = f"CRS grade {grade}: {first}"
    for words in others:
        longer = f"{summary}; {words}"
        summary = longer if len(longer) <= MAXIMUM_SUMMARY else summary
    return summary


def treatment_words(treatment: Treatment, wording: Wording, clock: Clock) -> str:
    """The same for the grade card: whole orders, and nothing left out, because some clients show one card at a time."""
    offers = "; ".join(map(offer, treatment.drafts))
    phrases = wording.phrases(treatment.status, clock)
    return "; ".join(([f"consider {offers}"] if offers else []) + phrases or [NOTHING])


def _short(draft: Draft) -> str:
    mg = f" {shown(draft.dose.mg)} mg {draft.order.short_route}" if draft.dose is not None else ""
    first = draft.order.stages[0] if draft.order.stages else None
    every = f" every {first.every_hours} h" if first is not None and first.every_hours is not None else ""
    condition = f" {draft.condition}" if draft.condition else ""
    return f"{draft.order.text}{mg}{every}{condition}"


def offer(draft: Draft) -> str:
    """The draft in one line: `tocilizumab 656 mg intravenous over 60 min, once`."""
    mg = draft.dose.mg if draft.dose is not None else None
    words = dose_words(draft.order, mg)
    condition = f" ({draft.condition})" if draft.condition else ""
    instead = f", instead of {draft.replaces.agent_words}" if draft.replaces is not None else ""
    return f"{draft.order.text} {words}{instead}{condition}" if mg is not None else f"{words}{condition}"

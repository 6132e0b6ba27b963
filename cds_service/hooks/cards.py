"""Cards: an assessment and advice as CDS Hooks cards. Texts come from content, this module builds the objects.

At most three cards on patient-view: the grade, infection first, then the treatment orders (S-PIT-INF-2).
"""

from dataclasses import dataclass
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from cds_service.crs.advice import Advice
from cds_service.crs.assessment import Assessment, Criterion, EpisodeState, Exposure, Finding, State, Status
from cds_service.crs.course import IL6_BLOCKER
from cds_service.crs.figures import shown
from cds_service.crs.sentences import Say
from cds_service.crs.treatment import Draft, Treatment
from cds_service.fhir import orders
from cds_service.hooks.call import HookCall
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.wording import Clock, within

Card = dict[str, Any]
SHOWN_UNUSED = 6
TOPICS = "http://example.org/fhir/CodeSystem/crs-topic"
"""Some EHRs remember an override by the topic: each names the grade, so that a higher grade is shown again (7.2)."""
TEMPLATES = {"CRSinfection": "infection.md.j2", "CRStreatment": "treatment.md.j2"}


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything a card is written with."""

    call: HookCall
    service_id: str
    knowledge: Knowledge
    assessment: Assessment
    clock: Clock

    @property
    def footer(self) -> dict[str, object]:
        """What every detail names: who grades, who treats, in which zone."""
        content = self.knowledge.content
        known = content.knowledge
        return {
            "scale": content.scale.title,
            "protocol": f"{content.protocol.title} {content.protocol.version} ({known['version'].rpartition('+')[2]})",
            "offset": self.clock.offset,
        }


def cards(desk: Desk, advice: Advice) -> list[Card]:
    """The cards of an answer, [] when there is nothing to say (clinical 7.2)."""
    if desk.assessment.status is Status.NOT_ELIGIBLE:
        return []
    if desk.assessment.grade:
        return _graded(desk, advice)
    if advice.prompts or desk.assessment.status is Status.INDETERMINATE:
        return [_ungraded(desk, advice)]
    return []


def _graded(desk: Desk, advice: Advice) -> list[Card]:
    found = [_grade_card(desk, advice)]
    if advice.infection is not None:
        summary, needed = _infection_summary(desk, advice)
        severity = indicator(desk.assessment) if needed else "info"
        found.append(_order_card(desk, "CRSinfection", summary, advice.infection, severity))
    if advice.treatment is not None:
        words = _treatment_words(desk, advice.treatment, brief=True)
        summary = f"CRS grade {desk.assessment.grade}: {'; '.join(words)}"
        found.append(_order_card(desk, "CRStreatment", summary, advice.treatment, indicator(desk.assessment)))
    return found


def _infection_summary(desk: Desk, advice: Advice) -> tuple[str, bool]:
    """The summary, and whether something is to be done: cultures, antibiotics, or both."""
    title = f"CRS grade {desk.assessment.grade}"
    offered = advice.infection or Treatment()
    needed = ["blood cultures"] if offered.drafts else []
    if any(line.say is Say.ANTIBIOTICS for line in offered.lines):
        needed.append("antibiotics")
    if not needed:
        return f"{title}: cultures and antibiotics are charted; monitoring", False
    with_drug = advice.treatment is not None and advice.treatment.drafts_of(IL6_BLOCKER)
    before = ", before or with tocilizumab" if with_drug else ""
    return f"{title}: consider {' and '.join(needed)} now{before}", True


def _grade_card(desk: Desk, advice: Advice) -> Card:
    assessment = desk.assessment
    detail = desk.knowledge.wording.detail(
        "grade.md.j2",
        rows=rows(assessment, desk.clock),
        treatment="; ".join(_treatment_words(desk, advice.treatment)) if advice.treatment is not None else "",
        drafted=advice.treatment is not None and bool(advice.treatment.drafts),
        care=desk.knowledge.wording.lines(advice.care, desk.clock),
        regrade_by=desk.clock(advice.regrade_by) if advice.regrade_by else "",
        episode=_episode_words(desk),
        exposure=_exposure_words(assessment.exposure),
        **_reservations(assessment),
        **desk.footer,
    )
    summary = grade_summary(assessment, desk.clock)
    return _card(desk, f"CRSgrade{assessment.grade}", summary, detail, indicator(assessment))


def _treatment_words(desk: Desk, treatment: Treatment, *, brief: bool = False) -> list[str]:
    """What is drafted and what is not: in summaries in short, on the grade card with the whole dose, in plain words."""
    words = []
    if treatment.drafts:
        offers = [_short(draft) if brief else _offer(draft) for draft in treatment.drafts]
        words.append("consider " + (" and ".join(offers) if brief else "; ".join(offers)))
    return words + desk.knowledge.wording.phrases(treatment.status, desk.clock)


def _short(draft: Draft) -> str:
    mg = f" {shown(draft.dose.mg)} mg IV" if draft.dose is not None else ""
    every = f" every {draft.order.every_hours} h" if draft.order.every_hours else ""
    condition = f" {draft.condition}" if draft.condition else ""
    return f"{draft.order.text}{mg}{every}{condition}"


def _offer(draft: Draft) -> str:
    condition = f" ({draft.condition})" if draft.condition else ""
    mg = draft.dose.mg if draft.dose is not None else None
    words = orders.dose_words(draft.order, mg)
    return f"{draft.order.text} {words}{condition}" if mg is not None else f"{words}{condition}"


def indicator(assessment: Assessment) -> str:
    """Clinical 7.3: grade 3 and 4 critical, grade 2 and anything provisional warning, grade 1 info."""
    if (assessment.grade or 0) >= 3:
        return "critical"
    return "warning" if assessment.grade == 2 or assessment.status is Status.PROVISIONAL else "info"


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


def rows(assessment: Assessment, clock: Clock) -> list[dict[str, object]]:
    """The table of the deciding readings: what, when, which rule it met."""
    return [_row(finding, clock) for finding in assessment.findings]


def _row(finding: Finding, clock: Clock) -> dict[str, object]:
    first, *others = finding.evidence or (None,)
    reading = first.display if first else "not known"
    for item in others:
        if item is not None:
            same_time = first is not None and item.time == first.time
            reading += f"; {item.display}" + ("" if same_time else f" ({clock(item.time)})")
    return {
        "criterion": finding.criterion.value,
        "reading": reading,
        "when": clock.ago(first.time) if first else "",
        "rule": finding.rule or finding.state.value.replace("-", " "),
    }


def _reservations(assessment: Assessment) -> dict[str, object]:
    unused = assessment.unused
    return {
        "doubts": assessment.doubts,
        "missing": assessment.missing,
        "notes": assessment.notes,
        "unused": unused[:SHOWN_UNUSED],
        "more_unused": max(0, len(unused) - SHOWN_UNUSED),
    }


def _order_card(desk: Desk, topic: str, summary: str, offered: Treatment, severity: str) -> Card:
    lines = desk.knowledge.wording.lines((*offered.lines, *offered.cautions), desk.clock)
    template = TEMPLATES[topic]
    detail = desk.knowledge.wording.detail(template, lines=lines, drafted=bool(offered.drafts), **desk.footer)
    topic = f"{topic}{desk.assessment.grade}"
    card = _card(desk, topic, summary, detail, severity)
    if offered.drafts:
        card["suggestions"] = [_suggestion(desk, topic, draft) for draft in offered.drafts]
        card["selectionBehavior"] = "any"
    return card


def _suggestion(desk: Desk, topic: str, draft: Draft) -> dict[str, Any]:
    mg = draft.dose.mg if draft.dose is not None else None
    description = _offer(draft)
    resource = orders.draft(
        draft.order,
        mg,
        patient_id=desk.call.context.patientId,
        encounter_id=desk.call.context.encounterId,
        user=desk.call.context.userId,
        intent=desk.knowledge.intent,
        reason=f"Cytokine release syndrome, {desk.knowledge.content.scale.title} grade {desk.assessment.grade}",
    )
    suggestion: dict[str, Any] = {
        "label": f"Draft {description}",
        "uuid": _uuid(desk, topic, draft.order.id),
        "actions": [{"type": "create", "description": f"Draft order: {description}", "resource": resource}],
    }
    if draft.recommended and desk.assessment.status is Status.GRADED:
        suggestion["isRecommended"] = True
    return suggestion


def _ungraded(desk: Desk, advice: Advice) -> Card:
    """No grade, and something to say: a sign without fever, or data without which no grade can be given."""
    assessment = desk.assessment
    detail = desk.knowledge.wording.detail(
        "ungraded.md.j2",
        rows=rows(assessment, desk.clock),
        prompts=desk.knowledge.wording.lines(advice.prompts, desk.clock),
        exposure=_exposure_words(assessment.exposure),
        **_reservations(assessment),
        **desk.footer,
    )
    signs = [finding for finding in assessment.findings if finding.grade is not None]
    pressor = any((finding.grade or 0) >= 3 for finding in signs)
    fever_unknown = assessment.finding(Criterion.FEVER).state is State.UNKNOWN
    severity = "warning" if pressor or (signs and fever_unknown) else "info"
    return _card(desk, "CRSnotgraded", _ungraded_summary(assessment), detail, severity)


def _ungraded_summary(assessment: Assessment) -> str:
    signs = ", ".join(finding.headline for finding in assessment.findings if finding.grade is not None)
    if assessment.status is Status.NO_CRS:
        return within(f"{signs} without fever: no CRS grade; consider sepsis and other causes")
    fever = assessment.finding(Criterion.FEVER)
    unread = next((finding for finding in assessment.findings if finding.missing), None)
    why = _not_known(unread) if unread is not None else "; ".join(fever.doubts)
    return within(f"CRS not graded: {why}; {signs or fever.headline}")


def _episode_words(desk: Desk) -> str:
    episode = desk.assessment.episode
    if episode is None or episode.onset is None:
        return "No fever is documented in this episode."
    state = {EpisodeState.WAIVED: ", fever waived since treatment"}.get(episode.state, "")
    peak = f", peak grade {episode.peak_grade}" if episode.peak_grade else ""
    return f"Onset {desk.clock(episode.onset)}{peak}{state}."


def _exposure_words(exposure: Exposure | None) -> str:
    return f"Day {exposure.day} after {exposure.therapy.product}." if exposure is not None else ""


def _card(desk: Desk, topic: str, summary: str, detail: str, severity: str) -> Card:
    return {
        "uuid": _uuid(desk, topic),
        "summary": within(summary),
        "detail": detail,
        "indicator": severity,
        "source": {
            "label": f"{desk.knowledge.content.scale.title} grading, {desk.knowledge.content.protocol.title}",
            "topic": {"system": TOPICS, "code": topic, "display": topic.replace("CRS", "CRS ")},
        },
        "overrideReasons": [dict(reason) for reason in desk.knowledge.content.override_reasons],
    }


def _uuid(desk: Desk, *names: str) -> str:
    """New for each answer, and derived from it: the same call asked again gives the same identifiers."""
    call: UUID = uuid5(NAMESPACE_URL, f"urn:crs-cds:{desk.service_id}:{desk.call.hookInstance}")
    return str(uuid5(call, ":".join(names)))

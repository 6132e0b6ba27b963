"""Cards: an assessment and advice as CDS Hooks cards. Texts come from content, this module builds the objects.

At most three cards on patient-view: the grade, infection first, then the treatment orders (S-PIT-INF-2).
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from uuid import NAMESPACE_URL, UUID, uuid5

from cds_service.crs.advice import Advice
from cds_service.crs.assessment import Assessment, Criterion, EpisodeState, Exposure, Finding, State, Status
from cds_service.crs.timeline import Unused
from cds_service.crs.treatment import Draft, Treatment
from cds_service.fhir import orders
from cds_service.hooks.call import HookCall
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.summaries import (
    grade_summary,
    infection_summary,
    offer,
    treatment_summary,
    treatment_words,
    ungraded_summary,
)
from cds_service.hooks.wording import Clock, within

Card = dict[str, Any]
SHOWN_UNUSED = 6
SHOWN_REFERENCE = 60
TOPICS = "http://example.org/fhir/CodeSystem/crs-topic"


@dataclass(frozen=True, slots=True, kw_only=True)
class Desk:
    """Everything a card is written with."""

    call: HookCall
    service_id: str
    knowledge: Knowledge
    assessment: Assessment
    clock: Clock

    @classmethod
    def of(cls, call: HookCall, service_id: str, knowledge: Knowledge, assessment: Assessment, now: datetime) -> "Desk":
        """The desk for the cards of a call that is answered at `now`, in the site's time zone."""
        clock = Clock(now, knowledge.zone)
        return cls(call=call, service_id=service_id, knowledge=knowledge, assessment=assessment, clock=clock)

    @property
    def footer(self) -> dict[str, object]:
        """What every detail names: who grades, who treats, in which zone."""
        content = self.knowledge.content
        known = content.knowledge
        return {
            "tables": self.knowledge.profile.tables,
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
    grade = desk.assessment.grade
    if advice.infection is not None:
        summary, needed = infection_summary(grade, advice)
        severity = indicator(desk.assessment) if needed else "info"
        found.append(_order_card(desk, "infection", summary, advice.infection, severity))
    if advice.treatment is not None:
        summary = treatment_summary(grade, advice.treatment, desk.knowledge.wording, desk.clock)
        found.append(_order_card(desk, "treatment", summary, advice.treatment, indicator(desk.assessment)))
    return found


def _grade_card(desk: Desk, advice: Advice) -> Card:
    assessment, treatment = desk.assessment, advice.treatment
    wording = desk.knowledge.wording
    detail = wording.detail(
        "grade.md.j2",
        rows=rows(assessment, desk.clock),
        treatment=treatment_words(treatment, wording, desk.clock) if treatment is not None else "",
        drafted=treatment is not None and bool(treatment.drafts),
        care=wording.lines(advice.care, desk.clock),
        regrade_by=desk.clock(advice.regrade.by) if advice.regrade else "",
        overdue=advice.regrade is not None and advice.regrade.overdue_by is not None,
        episode=_episode_words(desk),
        exposure=_exposure_words(assessment.exposure),
        **_reservations(assessment),
        **desk.footer,
    )
    severity = indicator(assessment)
    if severity == "info" and _overdue_after_grade_2(advice):
        severity = "warning"
    made = card(desk, "grade", grade_summary(assessment, desk.clock), detail, severity)
    links = _links(desk)
    return {**made, "links": links} if links else made


def _links(desk: Desk) -> list[dict[str, str]]:
    """To the course of the patient, where the EHR knows the app and its cards may have such a link (C-24, C-25)."""
    course, call = desk.knowledge.course, desk.call
    if course is None or not desk.knowledge.profile.smart_links:
        return []
    return course.links(call.fhirServer, call.hookInstance)


def _overdue_after_grade_2(advice: Advice) -> bool:
    """Clinical 7.3: an overdue regrading warns where the grade charted last was 2 or more."""
    regrade = advice.regrade
    if regrade is None or regrade.overdue_by is None or regrade.charted is None:
        return False
    return regrade.charted.value >= 2


def indicator(assessment: Assessment) -> str:
    """Clinical 7.3: grade 3 and 4 critical, grade 2 and anything provisional warning, grade 1 info."""
    if (assessment.grade or 0) >= 3:
        return "critical"
    return "warning" if assessment.grade == 2 or assessment.status is Status.PROVISIONAL else "info"


def rows(assessment: Assessment, clock: Clock) -> list[dict[str, object]]:
    """The table of the deciding readings: what, when, which rule it met; what it stands for only beside a grade."""
    return [_row(finding, clock, graded=bool(assessment.grade)) for finding in assessment.findings]


def _row(finding: Finding, clock: Clock, *, graded: bool) -> dict[str, object]:
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
        "rule": _met(finding, graded=graded) or finding.state.value.replace("-", " "),
    }


def _met(finding: Finding, *, graded: bool) -> str:
    if finding.grade is None or not graded:
        return finding.rule
    return f"{finding.rule}: {finding.grade_words or f'grade {finding.grade}'}"


def _reservations(assessment: Assessment) -> dict[str, object]:
    unused = set_aside(assessment.unused)
    return {
        "doubts": assessment.doubts,
        "missing": assessment.missing,
        "notes": assessment.notes,
        "unused": unused[:SHOWN_UNUSED],
        "more_unused": max(0, len(unused) - SHOWN_UNUSED),
    }


def set_aside(unused: Sequence[Unused]) -> list[dict[str, str]]:
    """Each reason once, with how many resources it is said of: a flood of one kind must not hide another (T41, T63)."""
    found: dict[str, list[str]] = defaultdict(list)
    for item in unused:
        found[item.reason].append(item.reference[:SHOWN_REFERENCE])
    return [
        {"reason": reason, "where": first if not others else f"{len(others) + 1} resources, one of them {first}"}
        for reason, (first, *others) in found.items()
    ]


def _order_card(desk: Desk, topic: str, summary: str, offered: Treatment, severity: str) -> Card:
    lines = desk.knowledge.wording.lines((*offered.lines, *offered.cautions), desk.clock)
    detail = desk.knowledge.wording.detail(f"{topic}.md.j2", lines=lines, drafted=bool(offered.drafts), **desk.footer)
    made = card(desk, topic, summary, detail, severity)
    if offered.drafts:
        made["suggestions"] = [suggestion(desk, topic, draft) for draft in offered.drafts]
    return selectable(desk, made)


def selectable(desk: Desk, made: Card) -> Card:
    """A card with suggestions says how many can be taken; where it is one, one is recommended at most (cds-resp-1)."""
    if "suggestions" not in made:
        return made
    behavior = desk.knowledge.profile.selection
    if behavior == "at-most-one":
        for offered in [item for item in made["suggestions"] if "isRecommended" in item][1:]:
            del offered["isRecommended"]
    made["selectionBehavior"] = behavior
    return made


def suggestion(desk: Desk, topic: str, draft: Draft) -> dict[str, Any]:
    """A draft as a suggestion that creates it."""
    mg = draft.dose.mg if draft.dose is not None else None
    description = offer(draft)
    resource = orders.draft(
        draft.order,
        mg,
        replaces=draft.replaces,
        patient_id=desk.call.context.patientId,
        encounter_id=desk.call.context.encounterId,
        user=desk.call.context.userId,
        intent=desk.knowledge.profile.intent,
        systems=desk.knowledge.profile.systems,
        reason=f"Cytokine release syndrome, {desk.knowledge.content.scale.title} grade {desk.assessment.grade}",
    )
    offered: dict[str, Any] = {
        "label": f"Draft {description}",
        "uuid": uuid_for(desk, topic, draft.order.id),
        "actions": [{"type": "create", "description": f"Draft order: {description}", "resource": resource}],
    }
    if draft.recommended and desk.assessment.status is Status.GRADED:
        offered["isRecommended"] = True
    return offered


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
    return card(desk, "notgraded", ungraded_summary(assessment), detail, severity)


def _episode_words(desk: Desk) -> str:
    episode = desk.assessment.episode
    if episode is None or episode.onset is None:
        return "No fever is documented in this episode."
    state = {EpisodeState.WAIVED: ", fever waived since treatment"}.get(episode.state, "")
    peak = f", peak grade {episode.peak_grade}" if episode.peak_grade else ""
    return f"Onset {desk.clock(episode.onset)}{peak}{state}."


def _exposure_words(exposure: Exposure | None) -> str:
    return f"Day {exposure.day} after {exposure.therapy.product}." if exposure is not None else ""


def card(desk: Desk, topic: str, summary: str, detail: str, severity: str, *, about: str = "") -> Card:
    """A card. Some EHRs remember an override by the topic: it names the grade, so a higher one is shown again (7.2)."""
    grade = desk.assessment.grade or 0
    reasons = [dict(reason) for reason in desk.knowledge.content.override_reasons]
    return {
        "uuid": uuid_for(desk, topic, *([about] if about else [])),
        "summary": within(summary),
        "detail": detail,
        "indicator": severity,
        "source": {
            "label": f"{desk.knowledge.content.scale.title} grading, {desk.knowledge.content.protocol.title}",
            **({"url": desk.knowledge.about_url} if desk.knowledge.about_url else {}),
            "topic": {
                "system": TOPICS,
                "code": topic_code(topic, grade),
                "display": f"CRS {topic} {grade or ''}".strip(),
            },
        },
        **({"overrideReasons": reasons} if desk.knowledge.profile.override_reasons else {}),
    }


def topic_code(topic: str, grade: int) -> str:
    """The code of a topic at a grade: letters and digits only, as some EHRs ask."""
    return f"CRS{topic}{grade or ''}"


def topic_of(made: Card) -> str:
    """The code of a card's topic."""
    code: str = made["source"]["topic"]["code"]
    return code


def quiet(made: Card, outcome: str, time: str, hours: int) -> Card:
    """A grade card that was answered before: still there, and no more than information (clinical 7.2)."""
    said = (
        f"Shown before and {outcome} at {time}. In full again when the grade or the advice changes, or after {hours} h."
    )
    return {**made, "indicator": "info", "detail": f"{said}\n\n{made['detail']}"}


def uuid_for(desk: Desk, *names: str) -> str:
    """An identifier: new for each answer, and derived from it: the same call asked again gives the same identifiers."""
    call: UUID = uuid5(NAMESPACE_URL, f"urn:crs-cds:{desk.service_id}:{desk.call.hookInstance}")
    return str(uuid5(call, ":".join(names)))

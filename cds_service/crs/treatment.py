"""What treatment is offered with: drafts and lines, and the patient at one instant as the treatments look at it."""

from dataclasses import dataclass
from datetime import timedelta
from functools import cached_property

from cds_service.crs.assessment import Assessment, Criterion
from cds_service.crs.course import Course
from cds_service.crs.dosing import Dose, NoWeight, UsableWeight, usable_weight
from cds_service.crs.hypoxia import NO_OXYGEN_YET
from cds_service.crs.neurotoxicity import after_cells
from cds_service.crs.protocol import Order, Protocol, Step
from cds_service.crs.regimen import Regimen
from cds_service.crs.response import Response
from cds_service.crs.scale import Scale
from cds_service.crs.sentences import Line
from cds_service.crs.timeline import Cause, Timeline

CHECKED_BEFORE_ORDERING = {"allergies": "allergies not read", "orders": "active orders not read"}
"""What should be known before a draft is signed, by the name of the kind, in words."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Draft:
    """An order offered as a draft. `recommended` is false when a condition or a doubt stands before it.

    `replaces` is the regimen that is to be stopped when this one begins (N-10).
    """

    order: Order
    dose: Dose | None = None
    recommended: bool = True
    condition: str = ""
    replaces: Regimen | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Treatment:
    """Drafts with their lines, cautions that come last, and in a few words (`status`) what is withheld or doubted."""

    drafts: tuple[Draft, ...] = ()
    lines: tuple[Line, ...] = ()
    cautions: tuple[Line, ...] = ()
    status: tuple[Line, ...] = ()

    def drafts_of(self, group: str) -> bool:
        """True when an order of the group is drafted."""
        return any(draft.order.group == group for draft in self.drafts)


def together(*parts: Treatment) -> Treatment:
    """Several treatments as one."""
    return Treatment(
        drafts=tuple(draft for part in parts for draft in part.drafts),
        lines=tuple(line for part in parts for line in part.lines),
        cautions=tuple(line for part in parts for line in part.cautions),
        status=tuple(line for part in parts for line in part.status),
    )


@dataclass(frozen=True, kw_only=True)
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

    @cached_property
    def weight(self) -> UsableWeight | NoWeight:
        """The weight for dosing."""
        return usable_weight(self.timeline, self.protocol, self.assessment.as_of)

    @property
    def after_cells(self) -> bool:
        """True after CAR-T cells, false after a bispecific antibody."""
        exposure = self.assessment.exposure
        return exposure is not None and after_cells(exposure)

    @property
    def needs_oxygen_first(self) -> bool:
        """True when the grade rests on a low saturation before anyone gave oxygen (C16)."""
        others = [f for f in self.assessment.findings if f.criterion is not Criterion.HYPOXIA]
        alone = all(finding.grade is None for finding in others)
        return alone and NO_OXYGEN_YET in self.assessment.finding(Criterion.HYPOXIA).doubts

    @property
    def reservation(self) -> str:
        """Why no drug at all is drafted though the step names one, in words; empty when drugs may be.

        Doses given are not known, the onset is masked, or the pressure is in doubt (4.4; 4.5, point 6; N-02, N-10).
        """
        unread = self.doses_unread(self.protocol.steroid_active)
        if unread:
            return f"doses already given cannot be read ({unread}), check the administration record first"
        episode, hypotension = self.assessment.episode, self.assessment.finding(Criterion.HYPOTENSION)
        if episode is None or episode.onset is None:
            return "; ".join(("no fever is documented", *self.assessment.finding(Criterion.FEVER).doubts))
        alone = self.grade == 2 and self.assessment.finding(Criterion.HYPOXIA).grade is None
        return "; ".join(hypotension.doubts) if alone else ""

    @property
    def infection_first(self) -> bool:
        """True when another cause is likelier than usual: late, or after CRS had resolved (7.1; 4.5, point 5)."""
        exposure, episode = self.assessment.exposure, self.assessment.episode
        return (exposure is not None and exposure.late) or (episode is not None and episode.reopened)

    @property
    def refractory(self) -> bool:
        """No improvement after tocilizumab at the time the protocol waits for, or worse (S-PIT-STER-3).

        CRS that began after a prophylactic dose is a first presentation.
        """
        waited = self.course.since_last_dose(self.assessment.as_of)
        if waited is None or self.course.response is Response.IMPROVED or self.course.grade_at_dose == 0:
            return False
        return self.course.response is Response.DETERIORATED or waited >= self.protocol.repeat_after

    @property
    def label_used_up(self) -> bool:
        """True when the label allows no further dose of tocilizumab (N-01)."""
        return len(self.course.doses_for_label) >= self.protocol.label_maximum_doses

    @property
    def doses_used_up(self) -> bool:
        """True when the protocol allows no further dose of tocilizumab in this episode (N-01)."""
        return len(self.course.doses) >= self.protocol.maximum_doses

    @property
    def too_early(self) -> bool:
        """True while the least interval since the last tocilizumab is not over (N-02)."""
        last = self.course.last_dose
        return last is not None and self.assessment.as_of - last.time < self.protocol.minimum_interval

    @property
    def icans_forbids_repeat(self) -> bool:
        """True when no dose may follow the first because of possible ICANS (C4)."""
        return self.course.neurotoxicity.possible and not self.protocol.repeat_with_icans

    @property
    def to_check(self) -> tuple[str, ...]:
        """What should be checked before a draft is signed, in words.

        Allergies or orders that were not read, and what was charted of a drug of this step and could not be used.
        """
        unread = [words for kind, words in CHECKED_BEFORE_ORDERING.items() if kind in self.timeline.gaps]
        agents = {self.protocol.orders[name].agent for name in self.step.orders}
        doses = [item for item in self.timeline.unused if item.cause is Cause.DOUBTFUL_DOSE and item.about in agents]
        return (*unread, *(item.reason for item in doses))

    def has_failed(self, steroid: Regimen) -> bool:
        """CRS is worse since the corticosteroid, or no better at the time the protocol waits for."""
        if steroid.response is Response.IMPROVED:
            return False
        waited = self.assessment.as_of - steroid.since
        return steroid.response is Response.DETERIORATED or waited >= self.protocol.steroid_response

    def doses_unread(self, window: timedelta) -> str:
        """Why drugs given within the window are not all known, empty when they are."""
        known = self.timeline.known("drugs", self.assessment.as_of - window)
        return "" if known else self.timeline.gaps["drugs"].reason

    def allergic_to(self, order: Order) -> bool:
        """True when an allergy to the ordered agent is charted (N-17)."""
        return any(allergy.agent == order.agent for allergy in self.timeline.allergies)

    def is_adult(self) -> bool | None:
        """Adult by age; without an age by weight, None when neither is known (N-09)."""
        years = self.timeline.age_in_years(self.assessment.as_of)
        if years is not None:
            return years >= self.scale.adult_years
        weight = self.weight
        if isinstance(weight, NoWeight):
            return None
        return weight.weight.kilograms >= self.protocol.adult_kg_without_age


def hours(window: timedelta) -> str:
    """A window of content in whole hours: `72 h`."""
    return f"{window // timedelta(hours=1)} h"

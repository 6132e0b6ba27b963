"""The flowsheet: what the picture of a course and its table both show, entry by entry, in the same words."""

from bisect import bisect_right
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta, tzinfo
from functools import singledispatchmethod

from cds_service.crs.assessment import Assessment, Criterion, State, Status
from cds_service.crs.figures import shown
from cds_service.crs.hypotension import is_pressor
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import (
    BloodPressure,
    Culture,
    Drug,
    Fact,
    FactT,
    MeanPressure,
    OxygenSaturation,
    OxygenSupport,
    Temperature,
    Therapy,
    Timeline,
    Vasoactive,
)
from cds_service.crs.trajectory import Step, Trajectory, trajectory
from cds_service.hooks.wording import one_line

TREATMENTS = {
    "il6-blocker": "anticytokine",
    "il6-pathway": "anticytokine",
    "il1-blocker": "anticytokine",
    "corticosteroid": "corticosteroid",
    "antipyretic": "antipyretic",
}
"""What a group of drugs is called on the flowsheet; others are not drawn."""
BEFORE = timedelta(hours=12)
"""How much is shown before the first reading, where the therapy was long before it."""
CRITERIA: dict[type[Fact], Criterion] = {
    Temperature: Criterion.FEVER,
    Drug: Criterion.FEVER,
    BloodPressure: Criterion.HYPOTENSION,
    Vasoactive: Criterion.HYPOTENSION,
    OxygenSaturation: Criterion.HYPOXIA,
    OxygenSupport: Criterion.HYPOXIA,
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """One line: when, what, its value, the resource it comes from, and the rule or remark that belongs to it.

    `until` is the end of what lasted, FOREVER of what goes on.
    """

    time: datetime
    what: str
    value: str
    reference: str = ""
    remarks: tuple[str, ...] = ()
    until: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Flowsheet:
    """A patient's record and its trajectory, from `begins` to `now`, in the zone of the site."""

    timeline: Timeline
    trajectory: Trajectory
    scale: Scale
    zone: tzinfo
    begins: datetime
    now: datetime

    @classmethod
    def of(cls, timeline: Timeline, scale: Scale, zone: tzinfo, now: datetime) -> "Flowsheet":
        """The flowsheet at `now` (aware); its trajectory is worked out here."""
        return cls(
            timeline=timeline,
            trajectory=trajectory(timeline, scale, now),
            scale=scale,
            zone=zone,
            begins=_begins(timeline, now),
            now=now,
        )

    @property
    def entries(self) -> list[Entry]:
        """Everything that is drawn, the newest first."""
        found = [self.entry(fact) for fact in self._facts()]
        found += [self.step(step) for step in self.trajectory.steps if step.until > self.begins]
        return sorted(found, key=lambda entry: (entry.time, entry.what), reverse=True)

    def since_begin(self, facts: Sequence[FactT]) -> list[FactT]:
        """Those of the facts that show: what began before `begins` and lasts beyond it shows too."""
        return [fact for fact in facts if fact.time <= self.now and self._last(fact) >= self.begins]

    def when(self, time: datetime) -> str:
        """A time in the site's zone, with its day."""
        return time.astimezone(self.zone).strftime("%-d %b %H:%M")

    def span(self, entry: Entry) -> str:
        """When an entry was true, in words."""
        if entry.until is None or entry.until == entry.time:
            return self.when(entry.time)
        return f"{self.when(entry.time)} to {'now' if entry.until >= self.now else self.when(entry.until)}"

    @property
    def zone_words(self) -> str:
        """The zone of all times, with its distance from UTC at `now`."""
        offset = f"UTC{self.now.astimezone(self.zone).isoformat(timespec='minutes')[-6:]}"
        return offset if str(self.zone) in ("UTC", offset) else f"{self.zone} ({offset})"

    def title(self, entry: Entry) -> str:
        """All of an entry in one line: what is shown where the pointer is."""
        said = (f"{entry.what} {entry.value}", self.span(entry), *entry.remarks, entry.reference)
        return "; ".join(one_line(part) for part in said if part)

    def step(self, step: Step) -> Entry:
        """A step of the trajectory: grade, what it rests on, what is missing."""
        rests = tuple(f"{item.headline} ({', '.join(item.rules)})" for item in step.deciding)
        missing = tuple(f"not known: {words}" for words in _missing(step.assessment))
        return Entry(
            time=max(step.since, self.begins),
            until=step.until,
            what="CRS",
            value=grade_words(step.assessment),
            remarks=(*rests, *missing, *step.doubts),
        )

    def entry(self, fact: Fact) -> Entry:
        """A fact as a line."""
        what, value = self._said(fact)
        return Entry(
            time=fact.time,
            until=getattr(fact, "until", None),
            what=what,
            value=value,
            reference=fact.reference,
            remarks=(*self._rules(fact), *fact.flags),
        )

    def _facts(self) -> Iterator[Fact]:
        known = self.timeline
        drugs = [drug for drug in known.drugs if drug.group in TREATMENTS]
        yield from known.therapies
        for facts in (known.temperatures, known.pressures, known.means, known.saturations, known.oxygen):
            yield from self.since_begin(facts)
        yield from self.since_begin(known.vasoactives)
        yield from self.since_begin(drugs)
        yield from self.since_begin(known.cultures)

    def _last(self, fact: Fact) -> datetime:
        until: datetime | None = getattr(fact, "until", None)
        return fact.time if until is None else until

    def _rules(self, fact: Fact) -> tuple[str, ...]:
        """The rules that it met at its own time, as evidence of its criterion."""
        graded = self.trajectory.assessments
        place = bisect_right(graded, fact.time, key=lambda assessment: assessment.as_of)
        if place == 0 or type(fact) not in CRITERIA:
            return ()
        criterion = CRITERIA[type(fact)]
        met = (
            finding
            for finding in graded[place - 1].findings
            if finding.criterion is criterion and finding.state in (State.MET, State.WAIVED)
        )
        return tuple(
            f"{finding.criterion}: {finding.rule} ({', '.join(finding.rules)})"
            for finding in met
            if any(item.reference == fact.reference for item in finding.evidence)
        )

    @singledispatchmethod
    def _said(self, fact: Fact) -> tuple[str, str]:
        raise TypeError(type(fact).__name__)

    @_said.register
    def _(self, fact: Temperature) -> tuple[str, str]:
        return "temperature", f"{shown(fact.celsius)} °C" + (f" {fact.site}" if fact.site else "")

    @_said.register
    def _(self, fact: BloodPressure) -> tuple[str, str]:
        diastolic = f"/{shown(fact.diastolic)}" if fact.diastolic is not None else ""
        return "blood pressure", f"{shown(fact.systolic)}{diastolic} mmHg" + (f" {fact.method}" if fact.method else "")

    @_said.register
    def _(self, fact: MeanPressure) -> tuple[str, str]:
        return "mean pressure", f"{shown(fact.mmhg)} mmHg" + (f" {fact.method}" if fact.method else "")

    @_said.register
    def _(self, fact: OxygenSaturation) -> tuple[str, str]:
        return "SpO2", f"{shown(fact.percent)} %"

    @_said.register
    def _(self, fact: OxygenSupport) -> tuple[str, str]:
        device = self.scale.devices.get(fact.device or "")
        amounts = [f"{shown(fact.flow)} L/min"] if fact.flow is not None else []
        amounts += [f"FiO2 {shown(fact.fio2)} %"] if fact.fio2 is not None else []
        return "oxygen", " ".join([device.display if device else fact.device_text, *amounts]).strip()

    @_said.register
    def _(self, fact: Vasoactive) -> tuple[str, str]:
        what = "vasopressor" if is_pressor(fact) else "vasoactive drug, not counted"
        return what, f"{fact.agent} {fact.rate}{' bolus' if fact.bolus else ''}".strip()

    @_said.register
    def _(self, fact: Therapy) -> tuple[str, str]:
        return "T-cell therapy", fact.product

    @_said.register
    def _(self, fact: Drug) -> tuple[str, str]:
        return TREATMENTS[fact.group], fact.name

    @_said.register
    def _(self, fact: Culture) -> tuple[str, str]:
        return "blood culture", fact.step


def grade_words(assessment: Assessment) -> str:
    """Grade and status in a few words: `grade 2 or higher, provisional`."""
    match assessment.status:
        case Status.NOT_ELIGIBLE:
            return "not looked for: no T-cell therapy within its time"
        case Status.INDETERMINATE:
            return "grade not known"
        case Status.NO_CRS:
            return "grade 0, no CRS"
    floor = " or higher" if assessment.is_floor else ""
    provisional = ", provisional" if assessment.status is Status.PROVISIONAL else ""
    return f"grade {assessment.grade}{floor}{provisional}"


def _missing(assessment: Assessment) -> tuple[str, ...]:
    return tuple(words for finding in assessment.findings for words in finding.missing)


def _begins(timeline: Timeline, now: datetime) -> datetime:
    """The first T-cell therapy, or some hours before the first reading since then; always some hours ago."""
    therapy = min((fact.time for fact in timeline.therapies), default=None)
    kinds = (timeline.temperatures, timeline.pressures, timeline.saturations, timeline.oxygen, timeline.vasoactives)
    times = (fact.time for facts in kinds for fact in facts if therapy is None or fact.time >= therapy)
    first = min(times, default=now) - BEFORE
    return first if therapy is None else min(max(first, therapy), now - BEFORE)

"""A patient at the bedside in a few words: facts for tests of the clinical core, without FHIR.

Times are hours before NOW. `Bedside` charts a course of grades (`phases`), hourly at the end, so that responses to
treatment can be tested: `Bedside(phases=[(80, 2), (8, 3)])` was grade 2 from 80 hours ago and is grade 3 since 8 hours
ago.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal
from functools import cache, cached_property
from typing import Any

from cds_service.content.load import Content, load
from cds_service.crs.advice import Advice, advise
from cds_service.crs.assessment import Assessment
from cds_service.crs.course import Course, course_of
from cds_service.crs.grading import assess
from cds_service.crs.protocol import Protocol
from cds_service.crs.sentences import Line, Say
from cds_service.crs.timeline import (
    FOREVER,
    Allergy,
    BloodPressure,
    BodyWeight,
    Culture,
    Diagnosis,
    Drug,
    DrugOrder,
    Gap,
    LabResult,
    OxygenSaturation,
    OxygenSupport,
    Score,
    Temperature,
    Therapy,
    Timeline,
    Unused,
    Vasoactive,
)
from cds_service.crs.treatment import Draft, Patient
from cds_service.hooks.call import HookCall
from cds_service.hooks.cards import Desk, cards
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.wording import Clock

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)


@cache
def content() -> Content:
    """The installed content."""
    return load()


@cache
def knowledge() -> Knowledge:
    """The installed knowledge, for UTC."""
    return Knowledge.of(content(), UTC)


def ago(hours: float) -> datetime:
    """So many hours before NOW."""
    return NOW - timedelta(hours=hours)


def born(years: int, days: int = 40) -> date:
    """A birth date that makes a patient that old, with a birthday so many days ago."""
    day = NOW.date() - timedelta(days=days)
    return day.replace(year=day.year - years)


def weight(kilograms: str, days: float = 2, how: str = "measured") -> BodyWeight:
    return BodyWeight(
        time=ago(days * 24), reference=f"Observation/weight-{days}", kilograms=Decimal(kilograms), how=how
    )


def given(agent: str, hours: float, mg: str | None = None, *, group: str = "", name: str = "") -> Drug:
    groups = {
        "tocilizumab": "il6-blocker",
        "dexamethasone": "corticosteroid",
        "methylprednisolone": "corticosteroid",
        "acetaminophen": "antipyretic",
        "cefepime": "antibiotic",
        "micafungin": "antifungal",
    }
    return Drug(
        time=ago(hours),
        reference=f"MedicationAdministration/{agent}-{hours}",
        agent=agent,
        group=group or groups[agent],
        name=name or agent,
        dose_mg=Decimal(mg) if mg else None,
    )


def tocilizumab(*hours: float) -> tuple[Drug, ...]:
    """Doses of 640 mg, so many hours ago."""
    return tuple(given("tocilizumab", at, "640") for at in hours)


def ordered(agent: str, hours: float, group: str, name: str = "", mg: str | None = None) -> DrugOrder:
    return DrugOrder(
        time=ago(hours),
        reference=f"MedicationRequest/{agent}-{hours}",
        agent=agent,
        group=group,
        name=name or agent,
        dose_mg=Decimal(mg) if mg else None,
    )


def culture(step: str, hours: float, drawn: float | None = None) -> Culture:
    taken = None if drawn is None else ago(drawn)
    return Culture(time=ago(hours), reference=f"DiagnosticReport/{step}-{hours}", step=step, drawn=taken)


def score(value: str, hours: float, instrument: str = "ice-score") -> Score:
    return Score(
        time=ago(hours), reference=f"Observation/{instrument}-{hours}", instrument=instrument, value=Decimal(value)
    )


def diagnosis(kind: str, hours: float, display: str = "") -> Diagnosis:
    return Diagnosis(time=ago(hours), reference=f"Condition/{kind}", kind=kind, display=display or kind)


def allergy(agent: str, group: str = "") -> Allergy:
    return Allergy(time=NOW, reference=f"AllergyIntolerance/{agent}", agent=agent, group=group)


def lab(
    test: str, hours: float, value: str | None = None, *, upper: str | None = None, item: str = "", comparator: str = ""
) -> LabResult:
    """A result in cells/µL or U/L; `test` is also the item of the baseline unless that is named."""
    return LabResult(
        time=ago(hours),
        reference=f"Observation/{test}-{hours}",
        test=f"{test}-panel" if test in content().protocol.laboratory.members else test,
        item=item or test,
        name=test,
        value=Decimal(value) if value else None,
        comparator=comparator,
        upper_limit=Decimal(upper) if upper else None,
        charted=f"{comparator}{value}" if value else "",
    )


def dexamethasone(mg: str, *hours: float) -> tuple[Drug, ...]:
    """Doses of dexamethasone, so many hours ago."""
    return tuple(given("dexamethasone", at, mg) for at in hours)


def cards_of(assessment: Assessment, advice: Advice) -> list[dict[str, Any]]:
    """The cards as JSON, as patient-view answers."""
    call = HookCall.model_validate(
        {
            "hook": "patient-view",
            "hookInstance": "bedside",
            "context": {"userId": "Practitioner/p", "patientId": "bedside"},
        }
    )
    desk = Desk(
        call=call,
        service_id="crs-patient-view",
        knowledge=knowledge(),
        assessment=assessment,
        clock=Clock(NOW, UTC),
    )
    return cards(desk, advice)


@dataclass(frozen=True, kw_only=True)
class Bedside:
    """An adult of 50 years and 80 kg, three days after CAR-T cells, ICE score normal, unless said otherwise.

    Grade 1 is a temperature of 38.6 (`fever`), grade 2 a pressure of 85 beside it, grade 3 norepinephrine, grade 4
    phenylephrine as well; grade 0 is free of all.
    """

    phases: Sequence[tuple[float, int]] = ((20, 2),)
    fever: str = "38.6"
    birth_date: date | None = field(default_factory=lambda: born(50))
    weights: Sequence[BodyWeight] = field(default_factory=lambda: (weight("80"),))
    drugs: Sequence[Drug] = ()
    orders: Sequence[DrugOrder] = ()
    cultures: Sequence[Culture] = ()
    scores: Sequence[Score] = field(default_factory=lambda: (score("10", 3),))
    labs: Sequence[LabResult] = ()
    diagnoses: Sequence[Diagnosis] = ()
    allergies: Sequence[Allergy] = ()
    gaps: dict[str, Gap] = field(default_factory=dict)
    unused: Sequence[Unused] = ()
    product: str = "axicabtagene ciloleucel"
    window: str = "car-t"
    therapy_days: float = 3
    protocol: Protocol = field(default_factory=lambda: content().protocol)
    more: dict[str, tuple[Any, ...]] = field(default_factory=dict)

    @cached_property
    def timeline(self) -> Timeline:
        """The facts in order of time; `more` is added to what the phases chart."""
        facts: dict[str, list[Any]] = {
            "temperatures": [],
            "pressures": [],
            "saturations": [],
            "oxygen": [],
            "vasoactives": list(self._infusions()),
        }
        first = self.phases[0][0]
        for hour in {*range(13), *range(15, int(first), 3), *(since for since, _ in self.phases)}:
            if hour > first:
                continue
            grade = self._grade_at(hour)
            at = {"time": ago(hour), "reference": f"Observation/hour-{hour}"}
            facts["temperatures"].append(Temperature(celsius=Decimal(self.fever if grade else "36.8"), **at))
            facts["pressures"].append(BloodPressure(systolic=Decimal(85 if grade == 2 else 118), **at))
            facts["saturations"].append(OxygenSaturation(percent=Decimal(97), **at))
            facts["oxygen"].append(OxygenSupport(device="room-air", **at))
        for name in ("weights", "drugs", "orders", "cultures", "scores", "labs", "diagnoses", "allergies"):
            facts[name] = list(getattr(self, name))
        for name, added in self.more.items():
            facts[name] += added
        therapy = Therapy(
            time=ago(self.therapy_days * 24),
            reference="MedicationAdministration/therapy",
            product=self.product,
            window=self.window,
        )
        ordered_facts = {name: tuple(sorted(known, key=lambda fact: fact.time)) for name, known in facts.items()}
        return Timeline(
            birth_date=self.birth_date,
            therapies=(therapy,),
            gaps=self.gaps,
            unused=tuple(self.unused),
            **ordered_facts,
        )

    def _grade_at(self, hour: float) -> int:
        return next((grade for since, grade in reversed(self.phases) if hour <= since), 0)

    def _infusions(self) -> Sequence[Vasoactive]:
        ends = [*(since for since, _ in self.phases[1:]), None]
        found = []
        for (since, grade), end in zip(self.phases, ends, strict=True):
            for agent in ("norepinephrine", "phenylephrine")[: max(0, grade - 2)]:
                until = FOREVER if end is None else ago(end)
                reference = f"MedicationAdministration/{agent}-{since}"
                found.append(
                    Vasoactive(time=ago(since), reference=reference, agent=agent, role="vasopressor", until=until)
                )
        return found

    @cached_property
    def assessment(self) -> Assessment:
        return assess(self.timeline, content().scale, NOW)

    @cached_property
    def course(self) -> Course:
        return course_of(self.timeline, self.assessment, content().scale, self.protocol)

    @cached_property
    def patient(self) -> Patient:
        return Patient(
            timeline=self.timeline,
            assessment=self.assessment,
            course=self.course,
            protocol=self.protocol,
            scale=content().scale,
        )

    @cached_property
    def advice(self) -> Advice:
        return advise(self.timeline, self.assessment, content().scale, self.protocol)

    @cached_property
    def drafts(self) -> dict[str, Draft]:
        """All that is drafted, by the id of the order."""
        advice = self.advice
        offered = [part for part in (advice.infection, advice.treatment) if part is not None]
        return {draft.order.id: draft for part in offered for draft in part.drafts}

    @cached_property
    def lines(self) -> tuple[Line, ...]:
        """All that advice says, on any card."""
        return self.advice.lines

    @cached_property
    def says(self) -> set[Say]:
        return {line.say for line in self.lines}

    def values(self, say: Say) -> dict[str, Any]:
        """The values of the one line that says it."""
        (line,) = {id(line): line for line in self.lines if line.say is say}.values()
        return dict(line.values)

    @cached_property
    def cards(self) -> list[dict[str, Any]]:
        """The cards as JSON."""
        return cards_of(self.assessment, self.advice)

    @cached_property
    def words(self) -> str:
        """Everything that can be read on the cards."""
        return "\n".join(f"{card['summary']}\n{card['detail']}" for card in self.cards)

"""Patients as small tables: facts with the time since they were charted, and the outcome of grading in one phrase.

Every patient had CAR-T cells three days ago unless a therapy is among the facts. `febrile` and `afebrile` fill what a
row does not name with a normal reading, `patient` fills in nothing.
"""

import re
from collections.abc import Mapping
from dataclasses import replace
from datetime import UTC, date, datetime, timedelta
from decimal import Decimal

from cds_service.content.files import data_folder, read_toml
from cds_service.content.scales import ScaleFile, scale
from cds_service.crs.assessment import Assessment
from cds_service.crs.grading import assess
from cds_service.crs.timeline import (
    FOREVER,
    BloodPressure,
    Diagnosis,
    Drug,
    DrugOrder,
    Fact,
    Flag,
    Gap,
    OxygenSaturation,
    OxygenSupport,
    Score,
    Temperature,
    Therapy,
    Timeline,
    Vasoactive,
)

NOW = datetime(2026, 1, 15, 12, tzinfo=UTC)
SCALE = scale(ScaleFile.model_validate(read_toml(data_folder("cards") / "scales" / "astct-2019.toml")))

MASKING = {
    "acetaminophen": "antipyretic",
    "tocilizumab": "il6-blocker",
    "dexamethasone": "corticosteroid",
    "anakinra": "il1-blocker",
    "siltuximab": "il6-pathway",
}
ROLES = {
    "vasopressin": "vasopressin",
    "dobutamine": "inotrope",
    "milrinone": "inotrope",
    "ephedrine": "other",
    "midodrine": "other",
}
WINDOWS = {"axi-cel": "car-t", "blinatumomab": "blinatumomab", "teclistamab": "step-up", "tarlatamab": "early-doses"}
KINDS: Mapping[type[Fact], str] = {
    Temperature: "temperatures",
    BloodPressure: "pressures",
    OxygenSaturation: "saturations",
    OxygenSupport: "oxygen",
    Vasoactive: "vasoactives",
    Drug: "drugs",
    DrugOrder: "orders",
    Therapy: "therapies",
    Diagnosis: "diagnoses",
    Score: "scores",
}
UNITS = {"d": timedelta(days=1), "h": timedelta(hours=1), "min": timedelta(minutes=1)}


def ago(words: str) -> datetime:
    """`4 h 1 min` before NOW; `-10 min` is ahead of it."""
    parts = re.findall(r"(-?\d+) (d|h|min)", words)
    assert " ".join(f"{number} {unit}" for number, unit in parts) == words
    return NOW - sum((int(number) * UNITS[unit] for number, unit in parts), timedelta())


def born(age: str | None) -> date | None:
    """The birth date of somebody who is `27 d` or `10 y` old today; None for an age that is not known."""
    if age is None:
        return None
    number, unit = age.split()
    return NOW.date() - timedelta(days=int(number)) if unit == "d" else date(NOW.year - int(number), 1, 15)


def temperature(celsius: str, when: str = "1 h", *flags: Flag) -> Temperature:
    return Temperature(time=ago(when), reference=f"Observation/t-{when}", celsius=Decimal(celsius), flags=flags)


def pressure(systolic: int | str, when: str = "30 min", *flags: Flag) -> BloodPressure:
    return BloodPressure(time=ago(when), reference=f"Observation/p-{when}", systolic=Decimal(systolic), flags=flags)


def saturation(percent: int | str, when: str = "30 min") -> OxygenSaturation:
    return OxygenSaturation(time=ago(when), reference=f"Observation/s-{when}", percent=Decimal(percent))


def oxygen(
    device: str = "",
    flow: str | None = None,
    when: str = "30 min",
    *flags: Flag,
    fio2: int | None = None,
    until: str | None = None,
    lasts: bool = False,
) -> OxygenSupport:
    """Oxygen support; a device that the scale does not know is one that the reader did not recognise."""
    known = device in SCALE.devices
    end = FOREVER if lasts else ago(until) if until is not None else None
    return OxygenSupport(
        time=ago(when),
        reference=f"Observation/o-{when}",
        flags=flags,
        device=device if known else None,
        device_text="" if known else device,
        flow=None if flow is None else Decimal(flow),
        fio2=None if fio2 is None else Decimal(fio2),
        until=end,
    )


def room_air(when: str = "30 min") -> OxygenSupport:
    return oxygen("room-air", when=when)


def infusion(agent: str, started: str = "2 h", stopped: str | None = None, *flags: Flag) -> Vasoactive:
    """A continuous infusion, running unless it was stopped."""
    return Vasoactive(
        time=ago(started),
        reference=f"MedicationAdministration/{agent}-{started}",
        flags=flags,
        agent=agent,
        role=ROLES.get(agent, "vasopressor"),
        until=FOREVER if stopped is None else ago(stopped),
    )


def bolus(agent: str, when: str = "1 h") -> Vasoactive:
    return replace(infusion(agent, when, when), bolus=True)


def drug(agent: str, when: str, until: str | None = None) -> Drug:
    return Drug(
        time=ago(when),
        reference=f"MedicationAdministration/{agent}-{when}",
        agent=agent,
        group=MASKING.get(agent, "antibiotic"),
        name=agent,
        until=None if until is None else ago(until),
    )


def ordered(agent: str, when: str = "1 h") -> DrugOrder:
    role = ROLES.get(agent, "vasopressor")
    return DrugOrder(time=ago(when), reference=f"MedicationRequest/{agent}", agent=agent, group=role, name=agent)


def therapy(product: str, when: str, until: str | None = None, *, running: bool = False) -> Therapy:
    return Therapy(
        time=ago(when),
        reference=f"MedicationAdministration/{product}-{when}",
        product=product,
        window=WINDOWS[product],
        until=FOREVER if running else None if until is None else ago(until),
    )


def diagnosis(kind: str, when: str = "1 d") -> Diagnosis:
    return Diagnosis(time=ago(when), reference=f"Condition/{kind}", kind=kind, display=kind)


def charted_grade(value: int, when: str = "1 d") -> Score:
    return Score(time=ago(when), reference=f"Observation/g-{when}", instrument="crs-grade", value=Decimal(value))


def patient(*facts: Fact, age: str | None = "55 y", gaps: Mapping[str, Gap] | None = None) -> Timeline:
    """A patient of whom nothing is known but these facts, and the CAR-T cells."""
    if not any(isinstance(fact, Therapy) for fact in facts):
        facts = (therapy("axi-cel", "3 d"), *facts)
    kinds = {
        name: tuple(sorted((fact for fact in facts if isinstance(fact, kind)), key=lambda fact: fact.time))
        for kind, name in KINDS.items()
    }
    return Timeline(birth_date=born(age), gaps=gaps or {}, **kinds)  # type: ignore[arg-type]


def febrile(*facts: Fact, age: str | None = "55 y", gaps: Mapping[str, Gap] | None = None) -> Timeline:
    """39 °C an hour ago, and everything else normal unless a fact says otherwise."""
    return _filled(temperature("39.0"), facts, age, gaps)


def afebrile(*facts: Fact, age: str | None = "55 y", gaps: Mapping[str, Gap] | None = None) -> Timeline:
    """37 °C an hour ago, and everything else normal unless a fact says otherwise."""
    return _filled(temperature("37.0"), facts, age, gaps)


def _filled(reading: Temperature, facts: tuple[Fact, ...], age: str | None, gaps: Mapping[str, Gap] | None) -> Timeline:
    normal = (reading, pressure(120), saturation(97), room_air())
    named = {type(fact) for fact in facts}
    return patient(*facts, *(fact for fact in normal if type(fact) not in named), age=age, gaps=gaps)


def unread(*kinds: str) -> dict[str, Gap]:
    """Kinds of facts that could not be had."""
    return {kind: Gap("the EHR did not answer") for kind in kinds}


def known_since(when: str, *kinds: str) -> dict[str, Gap]:
    """Kinds of facts of which only those since then could be had."""
    return {kind: Gap("only one page was sent", ago(when)) for kind in kinds}


def assessed(timeline: Timeline, now: datetime = NOW) -> Assessment:
    return assess(timeline, SCALE, now)


def outcome(timeline: Timeline, now: datetime = NOW) -> str:
    """`graded 2`, `provisional 1 or higher`, `no-crs 0`, `indeterminate`, `not-eligible`."""
    assessment = assessed(timeline, now)
    words = [assessment.status.value]
    if assessment.grade is not None:
        words.append(str(assessment.grade))
    return " ".join(words) + (" or higher" if assessment.is_floor else "")

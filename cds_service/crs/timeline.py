"""The timeline: what is known of a patient, as dated facts with their units in their names.

Times are aware datetimes (a date alone: the start of that day in the site's zone), numbers that decide are Decimal.
What could not be used is not dropped: it stands in `unused` with its reason. What could not be had stands in `gaps`.
"""

from bisect import bisect_left, bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime
from decimal import Decimal
from enum import StrEnum
from typing import TypeVar

FOREVER = datetime.max.replace(tzinfo=UTC)
"""The end of something that has not ended."""


class Flag(StrEnum):
    """What a clinician should know of a reading that was used all the same."""

    PRELIMINARY = "preliminary"
    UNIT_INFERRED = "unit inferred"
    FROM_FRACTION = "charted as a fraction"
    UPPER_END_OF_RANGE = "upper end of a charted range"
    COMPARATOR = "charted as a limit, not a value"
    ISSUED_TIME = "time of issue, no time of measurement"
    ASSUMED_ZONE = "charted without a time zone"
    STANDING = "standing"
    NAME_ONLY = "recognised by name only"
    AIRWAY_ONLY = "charted for airway protection or a procedure"

    @property
    def uncertain(self) -> bool:
        """True when a grade that rests on such a reading is provisional (DQ-02, DQ-39)."""
        return self in {Flag.UNIT_INFERRED, Flag.ASSUMED_ZONE}


@dataclass(frozen=True, slots=True, kw_only=True)
class Fact:
    """Something true at `time` according to the resource `reference` (`Observation/123`)."""

    time: datetime
    reference: str
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Lasting(Fact):
    """Something that may have lasted: from `time` to `until` (FOREVER while it goes on), None without a duration."""

    until: datetime | None = None

    def last_true(self, instant: datetime) -> datetime:
        """The latest time, up to `instant`, at which this is charted to be so."""
        return self.time if self.until is None else min(self.until, instant)


@dataclass(frozen=True, slots=True, kw_only=True)
class Temperature(Fact):
    """Body temperature in degrees Celsius, exact; `site` as charted, e.g. `oral`."""

    celsius: Decimal
    site: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class BloodPressure(Fact):
    """Systolic (and, for display, diastolic) pressure in mmHg; `method` is `invasive`, `cuff` or empty."""

    systolic: Decimal
    diastolic: Decimal | None = None
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class MeanPressure(Fact):
    """Mean arterial pressure in mmHg as charted: shown, and in no rule; `method` as of a BloodPressure."""

    mmhg: Decimal
    method: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class OxygenSaturation(Fact):
    """Oxygen saturation in percent."""

    percent: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class OxygenSupport(Lasting):
    """What was charted at once about oxygen: device class (an id of the scale), flow in L/min, FiO2 in percent.

    `device_text` names a device that no rule knows.
    """

    device: str | None = None
    device_text: str = ""
    flow: Decimal | None = None
    fio2: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Vasoactive(Fact):
    """A vasoactive drug given: `role` is `vasopressor`, `vasopressin`, `inotrope` or `other`.

    A continuous infusion runs from `time` to `until` (FOREVER while it runs); a `bolus` has no duration.
    """

    agent: str
    role: str
    until: datetime = FOREVER
    rate: str = ""
    bolus: bool = False

    def runs_at(self, instant: datetime) -> bool:
        """True for a continuous infusion that has started and not ended (DQ-50 to DQ-55)."""
        return not self.bolus and self.time <= instant < self.until


@dataclass(frozen=True, slots=True, kw_only=True)
class BodyWeight(Fact):
    """Body weight in kg; `how` is `measured`, `unspecified`, `stated` or `estimated`."""

    kilograms: Decimal
    how: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Therapy(Lasting):
    """A T-cell engaging therapy: `product` for people, `window` names its eligibility window in the scale."""

    product: str
    window: str
    whole_day: bool = False


@dataclass(frozen=True, slots=True, kw_only=True)
class Drug(Lasting):
    """A drug given, at once or as an infusion or course.

    `agent` is the ingredient, `group` its role (`il6-blocker`, `antipyretic`, …), `name` what the record calls it.
    """

    agent: str
    group: str
    name: str
    dose_mg: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class DrugOrder(Fact):
    """An order that is active, on hold or draft: it blocks a duplicate, it is never proof that a drug was given."""

    agent: str
    group: str
    name: str
    dose_mg: Decimal | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Culture(Fact):
    """A step of a blood culture: `ordered`, `drawn` (result pending), `negative` or `positive`, known from `time` on.

    `drawn` is when the blood was taken, None where that is not charted.
    """

    step: str
    drawn: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class LabResult(Fact):
    """A laboratory result: `test` is its id in the value set, `item` the part of the baseline it belongs to.

    `value`, and `upper_limit` of normal as the report gives it, are in the unit of content: cells/µL, or U/L; None
    where there is no number in a known unit. `charted` is what the record says, in words, with why it is no number.
    """

    test: str
    item: str
    name: str = ""
    value: Decimal | None = None
    comparator: str = ""
    upper_limit: Decimal | None = None
    charted: str = ""

    def below(self, threshold: Decimal) -> bool | None:
        """Whether the true value is below the threshold; None when the record does not tell (DQ-13, S-PIT-MON-2)."""
        if self.value is None:
            return None
        if self.comparator in ("<", "<="):
            below = self.value <= threshold if self.comparator == "<" else self.value < threshold
            return True if below else None
        if self.comparator in (">", ">="):
            return False if self.value >= threshold else None
        return self.value < threshold


@dataclass(frozen=True, slots=True, kw_only=True)
class Score(Fact):
    """A charted score: `instrument` is `ice-score`, `capd-score` or `crs-grade`."""

    instrument: str
    value: Decimal


@dataclass(frozen=True, slots=True, kw_only=True)
class Diagnosis(Fact):
    """A coded or named condition: `kind` is its id in the value set, e.g. `crs`, `icans`; time is its onset."""

    kind: str
    display: str


@dataclass(frozen=True, slots=True, kw_only=True)
class Allergy(Fact):
    """A charted allergy to an agent the protocol would offer, or to one of its group."""

    agent: str
    group: str = ""


class Cause(StrEnum):
    """Why a reading was not used, where more depends on it than a line on the card."""

    UNUSABLE = "unusable"
    OTHER_PATIENT = "of another patient"
    UNRECOGNISED = "not recognised"
    DOUBTFUL_DOSE = "a dose that may have been given"


@dataclass(frozen=True, slots=True)
class Unused:
    """A reading that was seen and not used, and why, in words and by its `cause`.

    `about` is the `system|code` of what was not recognised, and the agent of a dose that may have been given.
    """

    reference: str
    reason: str
    cause: Cause = Cause.UNUSABLE
    about: str = ""


@dataclass(frozen=True, slots=True)
class Gap:
    """Facts of one kind that are not all known: complete only from `known_since` on (None: not known at all)."""

    reason: str
    known_since: datetime | None = None


@dataclass(frozen=True, slots=True, kw_only=True)
class Timeline:
    """All facts of one patient, each kind sorted by time. `gaps` is keyed by the kind, the name of the field."""

    birth_date: date | None = None
    temperatures: tuple[Temperature, ...] = ()
    pressures: tuple[BloodPressure, ...] = ()
    means: tuple[MeanPressure, ...] = ()
    saturations: tuple[OxygenSaturation, ...] = ()
    oxygen: tuple[OxygenSupport, ...] = ()
    vasoactives: tuple[Vasoactive, ...] = ()
    weights: tuple[BodyWeight, ...] = ()
    therapies: tuple[Therapy, ...] = ()
    drugs: tuple[Drug, ...] = ()
    orders: tuple[DrugOrder, ...] = ()
    cultures: tuple[Culture, ...] = ()
    labs: tuple[LabResult, ...] = ()
    scores: tuple[Score, ...] = ()
    diagnoses: tuple[Diagnosis, ...] = ()
    allergies: tuple[Allergy, ...] = ()
    unused: tuple[Unused, ...] = ()
    gaps: Mapping[str, Gap] = field(default_factory=dict)
    lasting_oxygen: tuple[OxygenSupport, ...] = field(init=False, repr=False, compare=False)
    """The oxygen supports that are charted with an end: one may still be true long after it was charted."""

    def __post_init__(self) -> None:
        object.__setattr__(self, "lasting_oxygen", tuple(item for item in self.oxygen if item.until is not None))

    def known(self, kind: str, since: datetime) -> bool:
        """True when all facts of the kind from `since` on are here."""
        gap = self.gaps.get(kind)
        return gap is None or (gap.known_since is not None and gap.known_since <= since)

    def age_in_years(self, instant: datetime) -> int | None:
        """Completed years, or None without a birth date."""
        if self.birth_date is None:
            return None
        today = instant.date()
        had_birthday = (today.month, today.day) >= (self.birth_date.month, self.birth_date.day)
        return today.year - self.birth_date.year - (not had_birthday)

    def age_in_days(self, instant: datetime) -> int | None:
        """Completed days, or None without a birth date."""
        return None if self.birth_date is None else (instant.date() - self.birth_date).days


FactT = TypeVar("FactT", bound=Fact)


def between(facts: Sequence[FactT], start: datetime, end: datetime) -> Sequence[FactT]:
    """The facts with `start <= time <= end` of facts that are sorted by time, found without looking at all of them."""
    return facts[bisect_left(facts, start, key=_time) : bisect_right(facts, end, key=_time)]


def _time(fact: Fact) -> datetime:
    return fact.time

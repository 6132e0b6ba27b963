"""What grading answers: a status, a grade, the findings it rests on, and what is not known."""

from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cds_service.crs.figures import span
from cds_service.crs.timeline import Fact, FactT, Therapy, Timeline, Unused

HIGHEST = 4
"""The highest grade that is computed; 5 is for people alone (N-25)."""


class Status(StrEnum):
    """How far the grade can be trusted."""

    GRADED = "graded"
    PROVISIONAL = "provisional"
    NO_CRS = "no-crs"
    NOT_ELIGIBLE = "not-eligible"
    INDETERMINATE = "indeterminate"


class State(StrEnum):
    """A criterion with three values and one exception (fever, after antipyretic or anticytokine therapy)."""

    MET = "met"
    NOT_MET = "not-met"
    UNKNOWN = "unknown"
    WAIVED = "waived"


class Criterion(StrEnum):
    """The three criteria of ASTCT grading."""

    FEVER = "fever"
    HYPOTENSION = "hypotension"
    HYPOXIA = "hypoxia"


class EpisodeState(StrEnum):
    """Where the episode of CRS stands (clinical 4.5)."""

    CLOSED = "closed"
    OPEN = "open"
    WAIVED = "waived"
    MASKED_ONSET = "masked-onset"
    RESOLVED = "resolved"


@dataclass(frozen=True, slots=True)
class Evidence:
    """One reading as it is shown: its resource, what it says, and when it was true."""

    reference: str
    display: str
    time: datetime


def evidence(fact: Fact, words: str, *remarks: str, time: datetime | None = None) -> Evidence:
    """A fact as it is shown: what it says, and in brackets what to know of it."""
    extras = ", ".join((*remarks, *fact.flags))
    return Evidence(fact.reference, f"{words} ({extras})" if extras else words, time or fact.time)


def too_old(fact: Fact, words: str, age: timedelta, limit: timedelta) -> Unused:
    """A reading that is older than its window: shown with its age, and not used (T57)."""
    return Unused(fact.reference, f"{words} is {span(age)} old, the limit is {span(limit)}")


def contradicting(reading: FactT, readings: Iterable[FactT], met: Callable[[FactT], bool]) -> list[FactT]:
    """Readings of the same instant that do not meet what the deciding one meets: the worse counts, said so (T61)."""
    return [other for other in readings if other.time == reading.time and not met(other)]


def doubtful(facts: Sequence[Fact], what: str) -> tuple[str, ...]:
    """Why a finding that rests on these facts alone is provisional: each of them is doubtful (DQ-02, DQ-39)."""
    doubts = [[flag for flag in fact.flags if flag.uncertain] for fact in facts]
    if not doubts or not all(doubts):
        return ()
    named = dict.fromkeys(flag for flags in doubts for flag in flags)
    return (f"{what} rests on a reading that is doubtful ({', '.join(named)})",)


def unknown(timeline: Timeline, kind: str, words: str) -> str:
    """What is missing, in words, and why where the facts of that kind could not all be had."""
    gap = timeline.gaps.get(kind)
    return f"{words} ({gap.reason})" if gap else words


@dataclass(frozen=True, slots=True, kw_only=True)
class Finding:
    """One criterion: its state, the grade it stands for alone, and the readings it rests on.

    `grade_words` say the grade where more than its number is to be said. `headline` is what the summary of a card says
    of the finding, `rule` what was met in words, without the grade: that it stands for one holds only in CRS; `rules`
    are the rule IDs.
    `missing` is what is not known, `floor` whether that could raise the grade, `doubts` why a grade that rests on this
    finding is provisional all the same, `notes` what else a clinician should see.
    """

    criterion: Criterion
    state: State
    grade: int | None = None
    grade_words: str = ""
    headline: str = ""
    rule: str = ""
    rules: tuple[str, ...] = ()
    evidence: tuple[Evidence, ...] = ()
    missing: tuple[str, ...] = ()
    floor: bool = False
    doubts: tuple[str, ...] = ()
    notes: tuple[str, ...] = ()
    unused: tuple[Unused, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Episode:
    """An episode of CRS: `onset` is its first fever, `peak_grade` the highest grade since.

    `reopened` says that an earlier episode since the therapy had resolved, `fevers_known` is false when there may have
    been a fever since the therapy that is not in the record at hand.
    """

    state: EpisodeState
    onset: datetime | None = None
    reopened: bool = False
    last_fever: datetime | None = None
    peak_grade: int | None = None
    fevers_known: bool = True


@dataclass(frozen=True, slots=True, kw_only=True)
class Exposure:
    """The therapy that makes a patient eligible, and the day since it (day 0 is the day of infusion)."""

    therapy: Therapy
    since: datetime
    day: int
    late: bool


@dataclass(frozen=True, slots=True, kw_only=True)
class Assessment:
    """The answer of grading at one instant. `grade` None: not eligible, or it cannot be graded."""

    status: Status
    grade: int | None
    as_of: datetime
    exposure: Exposure | None = None
    episode: Episode | None = None
    findings: tuple[Finding, ...] = ()
    unused: tuple[Unused, ...] = ()
    notes: tuple[str, ...] = ()
    context_missing: tuple[str, ...] = ()

    @property
    def missing(self) -> tuple[str, ...]:
        """What is not known, in words."""
        return (*(words for finding in self.findings for words in finding.missing), *self.context_missing)

    @property
    def is_floor(self) -> bool:
        """True when what is missing could raise the grade: it is to be read as `grade N or higher`."""
        return 1 <= (self.grade or 0) < HIGHEST and any(finding.floor for finding in self.findings)

    @property
    def doubts(self) -> tuple[str, ...]:
        """Why the grade is provisional although the data is there."""
        return tuple(words for finding in self.findings for words in finding.doubts)

    def finding(self, criterion: Criterion) -> Finding:
        """The finding of one criterion; an eligible patient has all three."""
        return next(finding for finding in self.findings if finding.criterion is criterion)

"""What a site sees: alert burden, acceptance and speed, counted from the records of a stretch of time.

Cards are counted once however often the same call came, and by the last feedback each got (T80).
"""

from collections import Counter, defaultdict
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import date, datetime, time, timedelta, tzinfo
from math import ceil
from typing import NamedTuple

from cds_service.errors import InvalidRequest
from cds_service.store.records import (
    CANARY_CLIENT,
    NOT_ELIGIBLE,
    AnswerRecord,
    FeedbackRecord,
    Outcome,
    Reason,
    Response,
)

DAYS = 30
"""Of a report when no first day is named."""

Cell = str | int | float
Shown = tuple[str, str]
"""A card that was shown: the client that got it and its UUID."""


class Column(NamedTuple):
    """Of a table: its name for machines and its words for people."""

    name: str
    words: str


@dataclass(frozen=True, slots=True)
class Table:
    """Some figures of one kind. The first `labels` cells of a row say what the others are of."""

    name: str
    title: str
    caption: str
    labels: int
    columns: tuple[Column, ...]
    rows: Sequence[tuple[Cell, ...]]


@dataclass(frozen=True, slots=True)
class Report:
    """All figures of a stretch of time: from `since`, and before `until`."""

    since: datetime
    until: datetime
    tables: tuple[Table, ...]

    def table(self, name: str) -> Table:
        """The table of a name."""
        return next(table for table in self.tables if table.name == name)


def period(first: date | None, last: date | None, now: datetime, zone: tzinfo) -> tuple[datetime, datetime]:
    """From the start of the first day to the end of the last, in the site's zone. Raises InvalidRequest."""
    last = last or now.astimezone(zone).date()
    try:
        first = first or last - timedelta(days=DAYS - 1)
        since, until = (datetime.combine(day, time(), zone) for day in (first, last + timedelta(days=1)))
    except OverflowError as error:
        raise InvalidRequest("from and to: these days are too far away") from error
    if first > last:
        raise InvalidRequest(f"from: {first} is after {last}, the last day of the report", expression="from")
    return since, until


def report(
    answers: Iterable[AnswerRecord], feedback: Iterable[FeedbackRecord], since: datetime, until: datetime
) -> Report:
    """The figures of these answers and of the feedback to their cards. Days are those of the zone of `since`."""
    last = _last(feedback)
    count = _Count(last, since.tzinfo)
    for answer in answers:
        count.add(answer)
    unmatched = sum(not entry.matched and since <= entry.received_at < until for entry in last.values())
    return Report(since, until, count.tables(unmatched))


def _last(feedback: Iterable[FeedbackRecord]) -> dict[Shown, FeedbackRecord]:
    ordered = sorted(feedback, key=lambda entry: (entry.at, entry.received_at))
    return {(entry.client, entry.card): entry for entry in ordered}


@dataclass(slots=True)
class _Cards:
    """What became of cards."""

    shown: int = 0
    accepted: int = 0
    overridden: int = 0
    suppressed: int = 0

    @property
    def cells(self) -> tuple[int, ...]:
        silent = self.shown - self.accepted - self.overridden
        return self.shown, self.accepted, self.overridden, silent, self.suppressed


_CARDS = (
    Column("shown", "Shown"),
    Column("accepted", "Accepted"),
    Column("overridden", "Overridden"),
    Column("withoutFeedback", "No feedback"),
    Column("suppressed", "Suppressed"),
)


@dataclass(slots=True)
class _Count:
    """The records counted so far."""

    last: Mapping[Shown, FeedbackRecord]
    zone: tzinfo | None
    answers: int = 0
    canaries: int = 0
    unavailable: int = 0
    seen: set[Shown] = field(default_factory=set)
    levels: Counter[tuple[str, str]] = field(default_factory=Counter)
    cards: _Cards = field(default_factory=_Cards)
    topics: dict[str, _Cards] = field(default_factory=lambda: defaultdict(_Cards))
    protocols: dict[tuple[str, str, str], _Cards] = field(default_factory=lambda: defaultdict(_Cards))
    by_protocol: Counter[tuple[str, str, str]] = field(default_factory=Counter)
    patients: dict[date, set[tuple[str, str]]] = field(default_factory=lambda: defaultdict(set))
    shown: Counter[date] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    not_offered: int = 0
    times: dict[str, list[int]] = field(default_factory=lambda: defaultdict(list))

    def add(self, answer: AnswerRecord) -> None:
        """Count an answer and its cards. Those for the invented patients of the canary are counted apart (T96)."""
        if answer.client == CANARY_CLIENT:
            self.canaries += 1
            return
        day = answer.at.astimezone(self.zone).date()
        protocol = (answer.protocol_id, answer.protocol_version, answer.protocol_hash[:8])
        self.answers += 1
        self.unavailable += answer.outcome is Outcome.UNAVAILABLE
        self.levels[answer.hook, _level(answer)] += 1
        self.by_protocol[protocol] += 1
        self.times[answer.hook].append(answer.milliseconds)
        if answer.status not in (None, NOT_ELIGIBLE) or any(card.shown for card in answer.cards):
            self.patients[day].add((answer.client, answer.patient))
        for card in answer.cards:
            of = (self.cards, self.topics[card.topic], self.protocols[protocol])
            if not card.shown:
                for cards in of:
                    cards.suppressed += 1
            elif (answer.client, card.uuid) not in self.seen:
                self.seen.add((answer.client, card.uuid))
                self.shown[day] += 1
                said = self.last.get((answer.client, card.uuid))
                self._shown(said, of)
                offered = {uuid for uuid, _ in card.suggestions}
                self.not_offered += len(set(said.accepted) - offered) if said is not None else 0

    def _shown(self, said: FeedbackRecord | None, of: Iterable[_Cards]) -> None:
        """Count a card and the last feedback it got."""
        for cards in of:
            cards.shown += 1
            cards.accepted += said is not None and said.outcome is Response.ACCEPTED
            cards.overridden += said is not None and said.outcome is Response.OVERRIDDEN
        if said is not None and said.outcome is Response.OVERRIDDEN:
            self.reasons.update(said.reasons or (Reason(),))

    def tables(self, unmatched: int) -> tuple[Table, ...]:
        """Every table, the summary first."""
        return (
            self._summary(unmatched),
            Table(
                "answers",
                "Answers by hook and grade",
                "Each answer of the service; without a grade, why there is none.",
                2,
                (Column("hook", "Hook"), Column("grade", "Grade or status"), Column("answers", "Answers")),
                [(*key, number) for key, number in sorted(self.levels.items())],
            ),
            Table(
                "topics",
                "What became of cards",
                "By topic. A card that was ignored brings no feedback.",
                1,
                (Column("topic", "Topic"), *_CARDS),
                [(topic, *cards.cells) for topic, cards in sorted(self.topics.items())],
            ),
            self._reasons(),
            Table(
                "protocols",
                "By protocol version",
                "Which knowledge spoke, with the beginning of its content's hash.",
                3,
                (
                    *(Column("protocol", "Protocol"), Column("version", "Version"), Column("hash", "Content")),
                    *(Column("answers", "Answers"), *_CARDS),
                ),
                [(*key, number, *self.protocols[key].cells) for key, number in sorted(self.by_protocol.items())],
            ),
            self._times(),
            Table(
                "days",
                "Cards shown per patient-day",
                "A patient-day is a day on which an answer was given for a patient with a T-cell engaging therapy.",
                1,
                (
                    Column("day", "Day"),
                    Column("patients", "Patients"),
                    Column("shown", "Cards shown"),
                    Column("perPatientDay", "Cards per patient"),
                ),
                [(str(day), len(who), *self._burden(day)) for day, who in sorted(self.patients.items())],
            ),
        )

    def _burden(self, day: date) -> tuple[int, float]:
        return self.shown[day], _ratio(self.shown[day], len(self.patients[day]))

    def _summary(self, unmatched: int) -> Table:
        days = sum(map(len, self.patients.values()))
        shown, accepted, overridden, silent, suppressed = self.cards.cells
        figures: tuple[tuple[str, Cell], ...] = (
            ("answers", self.answers),
            ("answers that could not be given, because data could not be had", self.unavailable),
            ("patients", len(set().union(*self.patients.values()))),
            ("patient-days", days),
            ("cards shown", shown),
            ("cards shown per patient-day", _ratio(shown, days)),
            ("cards accepted", accepted),
            ("cards overridden", overridden),
            ("cards without feedback", silent),
            ("cards suppressed, because the same was answered before", suppressed),
            ("feedback to a card that was not shown", unmatched),
            ("accepted suggestions that their card did not offer", self.not_offered),
            ("answers for invented patients of the canary, in no other figure", self.canaries),
        )
        columns = (Column("figure", "Figure"), Column("value", "Value"))
        return Table("summary", "In short", "All figures of this time together.", 1, columns, figures)

    def _reasons(self) -> Table:
        columns = (Column("reason", "Reason"), Column("code", "Code"), Column("system", "System"))
        rows = [
            (reason.display or reason.code or "none of the list", reason.code, reason.system, number)
            for reason, number in self.reasons.most_common()
        ]
        caption = "Reasons given with the last feedback to each card."
        return Table("reasons", "Why cards were overridden", caption, 3, (*columns, Column("cards", "Cards")), rows)

    def _times(self) -> Table:
        centiles = (Column("median", "Median"), Column("p95", "95th centile"), Column("p99", "99th centile"))
        rows: list[tuple[Cell, ...]] = [
            (hook, len(times), *(_centile(times, part) for part in (50, 95, 99)))
            for hook, times in sorted(self.times.items())
        ]
        columns = (Column("hook", "Hook"), Column("answers", "Answers"), *centiles)
        return Table("times", "Response times", "In milliseconds, within the service.", 1, columns, rows)


def _level(answer: AnswerRecord) -> str:
    return f"grade {answer.grade}" if answer.grade is not None else answer.status or answer.outcome.value


def _ratio(part: int, whole: int) -> float:
    return round(part / whole, 2) if whole else 0.0


def _centile(values: list[int], part: int) -> int:
    """The least value that `part` of 100 do not exceed."""
    return sorted(values)[ceil(len(values) * part / 100) - 1]

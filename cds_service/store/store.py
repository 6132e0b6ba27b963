"""The store: answers and feedback are added, read back for one patient or for a stretch of time, and purged."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from concurrent.futures import Future
from contextlib import contextmanager, suppress
from datetime import UTC, datetime, timedelta
from hashlib import sha256
from itertools import groupby
from json import dumps
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar

from sqlalchemy import Column, ColumnElement, Connection, Engine, Select, Table, and_, delete, false, func, select
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.store.chain import Head, Verdict, answer_entry, append, append_purge, feedback_entry, verify
from cds_service.store.database import BUSY_SECONDS, database, new_engine, reaching, sqlite_file, writing
from cds_service.store.patience import PATIENCE_SECONDS, Patience
from cds_service.store.records import (
    NOT_ELIGIBLE,
    AnswerRecord,
    Counts,
    FeedbackRecord,
    Firing,
    Outcome,
    Reaction,
    Response,
)
from cds_service.store.rows import answer_record, answer_row, card_rows, feedback_record, feedback_row
from cds_service.store.tables import answers, cards, feedback, used_tokens

READERS = 4
"""Questions that a process asks the database at once; it writes one after the other."""
BATCH = 500
"""Rows that are written or read at once."""
DELIVERY_SECONDS = 30.0
"""How long a delivery of many records may take; nobody waits for it."""
FORGET = timedelta(hours=1)
"""How often a process that runs for months removes used tokens that are of no use any more."""
LOCK = 7_271_977_402
"""Names the chain among the advisory locks of PostgreSQL."""

R = TypeVar("R")


class _Waiting:
    """An answer that a request waits to be kept."""

    def __init__(self, record: AnswerRecord) -> None:
        self.record = record
        self.kept: Future[None] = Future()


class Store:
    """Answers and feedback in a database whose tables are there (`schema.migrate`).

    Every method raises StoreUnavailable when the database cannot be reached or refuses; those that a request waits for
    raise it within a moment (`Patience`). Times are UTC; a stretch of time holds its first instant and not its last.
    """

    def __init__(self, engine: Engine, patience_seconds: float) -> None:
        self._engine = engine
        self.reading = Patience(READERS, patience_seconds)
        self.writing = Patience(1, patience_seconds)
        self.counting = Patience(1, patience_seconds)
        self._lock = Lock()
        self._waiting: list[_Waiting] = []
        self._forget_at = datetime.min.replace(tzinfo=UTC)

    @classmethod
    def open(cls, url: str, patience_seconds: float = PATIENCE_SECONDS) -> "Store":
        """The store at a database URL; opened after a fork. Nothing is connected before it is used."""
        return cls(new_engine(database(url)), patience_seconds)

    @property
    def folder(self) -> Path | None:
        """Where the file of the database is, None when it is none."""
        file = sqlite_file(self._engine.url)
        return file.parent if file is not None else None

    def close(self) -> None:
        """Let go of the connections."""
        self.reading.close()
        self.writing.close()
        self.counting.close()
        self._engine.dispose()

    def ready(self, *, at_once: bool = False) -> None:
        """Returns when the tables can be read and a write would be taken: not by a file that is locked or read-only."""
        self.reading.run(self._readable, at_once=at_once)
        self.writing.run(self._writable, at_once=at_once)

    def add_answer(self, record: AnswerRecord) -> None:
        """Keep an answer with its cards; it is durable on return. One that is kept already is not kept twice."""
        waiting = _Waiting(record)
        with self._lock:
            self._waiting.append(waiting)
        try:
            self.writing.run(lambda: self._add_with_others(waiting))
        finally:
            with self._lock, suppress(ValueError):
                self._waiting.remove(waiting)

    def deliver(self, records: Sequence[AnswerRecord]) -> None:
        """Keep answers that had to wait, all or none: the same, tried although the store was away."""
        self.writing.run(lambda: self._add_answers(records), at_once=True, seconds=DELIVERY_SECONDS)

    def add_feedback(self, records: Sequence[FeedbackRecord]) -> int:
        """Keep feedback, all or none; it is durable on return. How many entries are matched to a card.

        An entry that is kept already is not kept twice (T80). One whose card was never shown to its client is kept as
        unmatched, and the client is not told (T78, T79).
        """
        return self.writing.run(lambda: self._add_feedback(records), at_once=True, seconds=BUSY_SECONDS)

    def of_others(self, uuids: Collection[str], client: str) -> int:
        """How many of the cards were shown to other clients and never to this one (T79)."""
        return self.reading.run(lambda: self._of_others(uuids, client))

    def use_once(self, issuer: str, jti: str, until: datetime, now: datetime) -> bool:
        """Whether the token `jti` of an issuer is used for the first time; from then on it is used (T19).

        It is remembered `until` an instant at which nobody accepts it any more. Of calls at once one is the first, in
        whatever process. After the first use of each hour those of before are forgotten; nobody waits for that.
        """
        digest = sha256(dumps([issuer, jti]).encode()).hexdigest()
        first = self.writing.run(lambda: self._use_once(digest, until))
        if now >= self._forget_at:
            self._forget_at = now + FORGET
            self.writing.beside(lambda: self.forget_tokens(now))
        return first

    def forget_tokens(self, now: datetime) -> int:
        """Remove used tokens that nobody accepts any more at `now`. How many."""
        with reaching(), writing(self._engine).begin() as connection:
            return connection.execute(delete(used_tokens).where(used_tokens.c.until < now)).rowcount

    def reactions(self, patient: str, since: datetime) -> list[Reaction]:
        """The latest feedback to each card shown for a patient (a pseudonym), newest first."""
        return self.reading.run(lambda: self._reactions(patient, since))

    def latest_answers(self, patient: str, since: datetime) -> list[AnswerRecord]:
        """The answers for a patient (a pseudonym), newest first."""
        query = select(answers).where(answers.c.patient == patient, answers.c.at >= since)
        return list(self._answers(query.order_by(answers.c.at.desc(), answers.c.id)))

    def answers(self, since: datetime, until: datetime) -> Iterator[AnswerRecord]:
        """The answers of a stretch of time, oldest first, as of one instant."""
        query = select(answers).where(_within(answers.c.at, since, until))
        return self._answers(query.order_by(answers.c.at, answers.c.id))

    def feedback(self, since: datetime, until: datetime | None = None) -> Iterator[FeedbackRecord]:
        """The feedback received in a stretch of time, oldest first."""
        shown = (
            select(cards.c.uuid)
            .join_from(cards, answers)
            .where(cards.c.uuid == feedback.c.card, cards.c.shown, answers.c.client == feedback.c.client)
        )
        query = select(feedback, shown.exists().label("matched"))
        query = query.where(_within(feedback.c.received_at, since, until))
        query = query.order_by(feedback.c.received_at, feedback.c.digest)
        with reaching(), self._engine.connect() as connection:
            for row in _stream(connection, query).mappings():
                yield feedback_record(row)

    def count(self, since: datetime, until: datetime) -> Counts:
        """How many answers and entries of feedback there are in a stretch of time."""
        with reaching(), self._engine.connect() as connection:
            return Counts(
                answers=_count(connection, answers.c.at, since, until),
                feedback=_count(connection, feedback.c.received_at, since, until),
            )

    def firing(self, since: datetime) -> list[Firing]:
        """How often each service answered each client since an instant, and with a card.

        It is counted apart from what calls need: however long it takes, the store is not left alone for it.
        """
        return self.counting.run(lambda: self._firing(since))

    def purge(self, before: datetime) -> Counts:
        """Remove what is older, for good: SQLite overwrites it. How much was removed."""
        with self._changing() as connection:
            old = select(answers.c.id).where(answers.c.at < before)
            connection.execute(delete(cards).where(cards.c.answer.in_(old)))
            gone = Counts(
                answers=connection.execute(delete(answers).where(answers.c.at < before)).rowcount,
                feedback=connection.execute(delete(feedback).where(feedback.c.received_at < before)).rowcount,
            )
            if gone != Counts(answers=0, feedback=0):
                append_purge(connection, before)
        if sqlite_file(self._engine.url) is not None:
            self._empty_log()
        return gone

    def verify(self, known: Head | None = None) -> Verdict:
        """Whether any record was changed, removed or added by hand (T87); `known` is a head of before."""
        with reaching(), self._engine.connect() as connection:
            if connection.dialect.name == "postgresql":  # SQLite reads as of one instant by itself
                connection = connection.execution_options(isolation_level="REPEATABLE READ")
            return verify(connection, known)

    def clock(self) -> datetime | None:
        """What time it is for the database; None for a file, which has no clock of its own."""
        if self._engine.dialect.name == "sqlite":
            return None
        with reaching(), self._engine.connect() as connection:
            now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            return now

    @contextmanager
    def _changing(self) -> Iterator[Connection]:
        """A transaction that adds records to the chain or removes them, one at a time whatever the database."""
        with reaching(), writing(self._engine).begin() as connection:
            if connection.dialect.name == "postgresql":
                connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
            yield connection

    def _add_with_others(self, waiting: "_Waiting") -> None:
        """Keep every answer that waits in one transaction: under load the disk is waited for once, not for each."""
        if not waiting.kept.done():
            with self._lock:
                taken, self._waiting = self._waiting, []
            try:
                self._add_answers([item.record for item in taken])
            except Exception as error:
                for item in taken:
                    item.kept.set_exception(error)
            else:
                for item in taken:
                    item.kept.set_result(None)
        waiting.kept.result(0)

    def _add_answers(self, records: Sequence[AnswerRecord]) -> None:
        with self._changing() as connection:
            for batch in _batches(records):
                known = _known(connection, answers.c.id, {record.id for record in batch})
                fresh = {record.id: record for record in batch if record.id not in known}
                rows = [(answer_row(record), list(card_rows(record))) for record in fresh.values()]
                if rows:
                    connection.execute(answers.insert(), [answer for answer, _ in rows])
                if any(shown for _, shown in rows):
                    connection.execute(cards.insert(), [card for _, shown in rows for card in shown])
                append(connection, [answer_entry(answer, shown) for answer, shown in rows])

    def _add_feedback(self, records: Sequence[FeedbackRecord]) -> int:
        matched = 0
        with self._changing() as connection:
            for batch in _batches(records):
                shown = _shown(connection, {record.card for record in batch})
                matched += sum((record.card, record.client) in shown for record in batch)
                rows = {row["digest"]: row for row in map(feedback_row, batch)}
                known = _known(connection, feedback.c.digest, rows)
                fresh = [row for digest, row in rows.items() if digest not in known]
                if fresh:
                    connection.execute(feedback.insert(), fresh)
                append(connection, [feedback_entry(row) for row in fresh])
        return matched

    def _of_others(self, uuids: Collection[str], client: str) -> int:
        others, mine = set[str](), set[str]()
        with reaching(), self._engine.connect() as connection:
            for batch in _batches(sorted(uuids)):
                for uuid, shown_to in _shown(connection, batch):
                    (mine if shown_to == client else others).add(uuid)
        return len(others - mine)

    def _use_once(self, digest: str, until: datetime) -> bool:
        with reaching(), writing(self._engine).begin() as connection:
            insert = _insert_new(connection, used_tokens).returning(used_tokens.c.digest)
            return connection.execute(insert, {"digest": digest, "until": until}).first() is not None

    def _reactions(self, patient: str, since: datetime) -> list[Reaction]:
        query = (
            select(cards.c.uuid, cards.c.topic, cards.c.grade, cards.c.advice)
            .add_columns(feedback.c.outcome, feedback.c.at, feedback.c.received_at)
            .join_from(answers, cards, and_(cards.c.answer == answers.c.id, cards.c.shown))
            .join(feedback, and_(feedback.c.card == cards.c.uuid, feedback.c.client == answers.c.client))
            .where(answers.c.patient == patient, feedback.c.at >= since, feedback.c.received_at >= since)
            .order_by(feedback.c.at.desc(), feedback.c.received_at.desc(), answers.c.at.desc())
        )
        latest: dict[str, Reaction] = {}
        with reaching(), self._engine.connect() as connection:
            for uuid, topic, grade, advice, outcome, at, received_at in connection.execute(query):
                reaction = Reaction(
                    card=uuid,
                    topic=topic,
                    grade=grade,
                    advice=advice,
                    outcome=Response(outcome),
                    at=min(at, received_at),
                )
                latest.setdefault(uuid, reaction)
        return list(latest.values())

    def _firing(self, since: datetime) -> list[Firing]:
        eligible = answers.c.status != NOT_ELIGIBLE  # not so where there is no status
        shown = and_(eligible, answers.c.outcome == Outcome.GRADED.value)
        counts = (func.count(), func.count().filter(eligible), func.count().filter(shown))
        names = (answers.c.service, answers.c.client)
        query = select(*names, *counts).where(answers.c.at >= since).group_by(*names)
        with reaching(), self._engine.connect() as connection:
            return [
                Firing(service=service, client=client, answers=number, eligible=of_them, shown=with_card)
                for service, client, number, of_them, with_card in connection.execute(query)
            ]

    def _readable(self) -> None:
        with reaching(), self._engine.connect() as connection:
            connection.execute(select(answers.c.id).limit(1)).first()

    def _writable(self) -> None:
        with reaching(), writing(self._engine).begin() as connection:
            connection.execute(delete(used_tokens).where(false()))

    def _empty_log(self) -> None:
        """Write SQLite's log into the file and cut it: until then it holds what was removed."""
        with reaching():
            connection = self._engine.raw_connection()
            try:
                connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
            finally:
                connection.close()

    def _answers(self, query: Select[Any]) -> Iterator[AnswerRecord]:
        with reaching(), self._engine.connect() as connection:
            for rows in _stream(connection, query).mappings().partitions():
                shown = select(cards).where(cards.c.answer.in_([row["id"] for row in rows]))
                found = connection.execute(shown.order_by(cards.c.answer, cards.c.position)).mappings()
                of_answer = {answer: list(group) for answer, group in groupby(found, lambda row: str(row["answer"]))}
                for row in rows:
                    yield answer_record(row, of_answer.get(row["id"], ()))


def _insert_new(connection: Connection, table: Table) -> sqlite.Insert | postgresql.Insert:
    """An insert that leaves out rows whose key is there."""
    insert = sqlite.insert if connection.dialect.name == "sqlite" else postgresql.insert
    return insert(table).on_conflict_do_nothing()


def _known(connection: Connection, column: Column[str], keys: Collection[str]) -> set[str]:
    """Which of the keys are there."""
    return set(connection.execute(select(column).where(column.in_(keys))).scalars())


def _shown(connection: Connection, uuids: Collection[str]) -> set[tuple[str, str]]:
    """Which of the cards were shown, each with the client that got it."""
    query = select(cards.c.uuid, answers.c.client).join_from(cards, answers).where(cards.c.uuid.in_(uuids))
    return {(uuid, client) for uuid, client in connection.execute(query.where(cards.c.shown))}


def _stream(connection: Connection, query: Select[Any]) -> Any:
    return connection.execution_options(yield_per=BATCH).execute(query)


def _within(column: ColumnElement[datetime], since: datetime, until: datetime | None) -> ColumnElement[bool]:
    return column >= since if until is None else and_(column >= since, column < until)


def _count(connection: Connection, column: ColumnElement[datetime], since: datetime, until: datetime) -> int:
    return connection.execute(select(func.count()).where(_within(column, since, until))).scalar_one()


def _batches(records: Sequence[R]) -> Iterable[Sequence[R]]:
    return (records[start : start + BATCH] for start in range(0, len(records), BATCH))

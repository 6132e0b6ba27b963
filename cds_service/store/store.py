"""The store: answers and feedback are added, read back for one patient or for a stretch of time, and purged."""

from collections.abc import Collection, Iterable, Iterator, Sequence
from dataclasses import replace
from datetime import datetime
from hashlib import sha256
from itertools import groupby
from json import dumps
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Select, Table, and_, delete, func, select
from sqlalchemy.dialects import postgresql, sqlite

from cds_service.store.database import database, new_engine, reaching, sqlite_file, writing
from cds_service.store.records import AnswerRecord, Counts, FeedbackRecord, Reaction, Response
from cds_service.store.rows import anonymous, answer_record, answer_row, card_rows, feedback_record, feedback_row
from cds_service.store.tables import answers, cards, feedback, used_tokens

BATCH = 500
"""Rows that are written or read at once."""


class Store:
    """Answers and feedback in a database whose tables are there (`schema.migrate`).

    Every method raises StoreUnavailable when the database cannot be reached or refuses. Times are UTC; a stretch of
    time holds its first instant and not its last.
    """

    def __init__(self, engine: Engine) -> None:
        self._engine = engine

    @classmethod
    def open(cls, url: str) -> "Store":
        """The store at a database URL; opened after a fork. Nothing is connected before it is used."""
        return cls(new_engine(database(url)))

    def close(self) -> None:
        """Let go of the connections."""
        self._engine.dispose()

    def ready(self) -> None:
        """Returns when the tables can be read."""
        with reaching(), self._engine.connect() as connection:
            connection.execute(select(answers.c.id).limit(1)).first()

    def add_answer(self, record: AnswerRecord) -> None:
        """Keep an answer with its cards; it is durable on return."""
        with reaching(), writing(self._engine).begin() as connection:
            connection.execute(answers.insert(), answer_row(record) | {"assessment": anonymous(record.assessment)})
            if record.cards:
                connection.execute(cards.insert(), list(card_rows(record)))

    def add_feedback(self, records: Sequence[FeedbackRecord]) -> int:
        """Keep feedback, all or none; it is durable on return. How many entries were matched to a card.

        An entry that is kept already is not kept twice (T80). One whose card was never shown to its client is kept as
        unmatched, and the client is not told (T78, T79).
        """
        matched = 0
        with reaching(), writing(self._engine).begin() as connection:
            for batch in _batches(records):
                shown = _shown(connection, {record.card for record in batch})
                rows = [
                    feedback_row(replace(record, matched=(record.card, record.client) in shown)) for record in batch
                ]
                connection.execute(_insert_new(connection, feedback), rows)
                matched += sum(row["matched"] for row in rows)
        return matched

    def use_once(self, issuer: str, jti: str, until: datetime) -> bool:
        """Whether the token `jti` of an issuer is used for the first time; from then on it is used (T19).

        It is remembered `until` an instant at which nobody accepts it any more. Of calls at once one is the first, in
        whatever process.
        """
        digest = sha256(dumps([issuer, jti]).encode()).hexdigest()
        with reaching(), writing(self._engine).begin() as connection:
            insert = _insert_new(connection, used_tokens).returning(used_tokens.c.digest)
            return connection.execute(insert, {"digest": digest, "until": until}).first() is not None

    def forget_tokens(self, now: datetime) -> int:
        """Remove used tokens that nobody accepts any more at `now`. How many."""
        with reaching(), writing(self._engine).begin() as connection:
            return connection.execute(delete(used_tokens).where(used_tokens.c.until < now)).rowcount

    def reactions(self, patient: str, since: datetime) -> list[Reaction]:
        """The latest feedback to each card shown for a patient (a pseudonym), newest first."""
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
        query = select(feedback).where(_within(feedback.c.received_at, since, until))
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

    def purge(self, before: datetime) -> Counts:
        """Remove what is older, for good: SQLite overwrites it. How much was removed."""
        with reaching(), writing(self._engine).begin() as connection:
            old = select(answers.c.id).where(answers.c.at < before)
            connection.execute(delete(cards).where(cards.c.answer.in_(old)))
            gone = Counts(
                answers=connection.execute(delete(answers).where(answers.c.at < before)).rowcount,
                feedback=connection.execute(delete(feedback).where(feedback.c.received_at < before)).rowcount,
            )
        if sqlite_file(self._engine.url) is not None:
            self._empty_log()
        return gone

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


def _batches(records: Sequence[FeedbackRecord]) -> Iterable[Sequence[FeedbackRecord]]:
    return (records[start : start + BATCH] for start in range(0, len(records), BATCH))

"""What was answered and said in a stretch of time: read for reports and exports, counted, and removed when it is old.

A stretch of time holds its first instant and not its last.
"""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Connection, Engine, Result, Select, and_, delete, func, select

from cds_service.store.batches import BATCH
from cds_service.store.chain import append_purge, linking
from cds_service.store.database import connected, reaching, sqlite_file
from cds_service.store.records import AnswerRecord, Counts, FeedbackRecord
from cds_service.store.rows import answer_records, feedback_record
from cds_service.store.tables import answers, cards, feedback


def answers_within(engine: Engine, since: datetime, until: datetime) -> Iterator[AnswerRecord]:
    """The answers of a stretch of time, oldest first, as of one instant."""
    query = select(answers).where(_within(answers.c.at, since, until)).order_by(answers.c.at, answers.c.id)
    with connected(engine) as connection:
        for rows in _stream(connection, query).mappings().partitions():
            yield from answer_records(connection, rows)


def feedback_within(engine: Engine, since: datetime, until: datetime | None) -> Iterator[FeedbackRecord]:
    """The feedback received in a stretch of time, oldest first."""
    shown = (
        select(cards.c.uuid)
        .join_from(cards, answers)
        .where(cards.c.uuid == feedback.c.card, cards.c.shown, answers.c.client == feedback.c.client)
    )
    query = select(feedback, shown.exists().label("matched"))
    query = query.where(_within(feedback.c.received_at, since, until))
    query = query.order_by(feedback.c.received_at, feedback.c.digest)
    with connected(engine) as connection:
        for row in _stream(connection, query).mappings():
            yield feedback_record(row)


def count(engine: Engine, since: datetime, until: datetime) -> Counts:
    """How many answers and entries of feedback there are in a stretch of time."""
    with connected(engine) as connection:
        return Counts(
            answers=_count(connection, answers.c.at, since, until),
            feedback=_count(connection, feedback.c.received_at, since, until),
        )


def purge(engine: Engine, before: datetime) -> Counts:
    """Remove what is older, for good: SQLite overwrites it. How much was removed."""
    with linking(engine) as connection:
        old = select(answers.c.id).where(answers.c.at < before)
        connection.execute(delete(cards).where(cards.c.answer.in_(old)))
        gone = Counts(
            answers=connection.execute(delete(answers).where(answers.c.at < before)).rowcount,
            feedback=connection.execute(delete(feedback).where(feedback.c.received_at < before)).rowcount,
        )
        if gone != Counts(answers=0, feedback=0):
            append_purge(connection, before)
    if sqlite_file(engine.url) is not None:
        _empty_log(engine)
    return gone


def _empty_log(engine: Engine) -> None:
    """Write SQLite's log into the file and cut it: until then it holds what was removed."""
    with reaching():
        connection = engine.raw_connection()
        try:
            connection.cursor().execute("PRAGMA wal_checkpoint(TRUNCATE)")
        finally:
            connection.close()


def _stream(connection: Connection, query: Select[Any]) -> Result[Any]:
    return connection.execute(query.execution_options(yield_per=BATCH))


def _within(column: ColumnElement[datetime], since: datetime, until: datetime | None) -> ColumnElement[bool]:
    return column >= since if until is None else and_(column >= since, column < until)


def _count(connection: Connection, column: ColumnElement[datetime], since: datetime, until: datetime) -> int:
    return connection.execute(select(func.count()).where(_within(column, since, until))).scalar_one()

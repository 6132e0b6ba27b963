"""What a hook call asks of the store: the reactions to earlier cards are read, and its answer is added.

A patient-view that shows cards reads once (`reactions`); every call writes once (`Together.add`, which ends in
`add_answers`). A caller that proves who it is has its token used before (`single_use.first_use`).
"""

from collections.abc import Callable, Sequence
from concurrent.futures import Future
from contextlib import suppress
from datetime import datetime
from threading import Lock

from sqlalchemy import Engine, and_, bindparam, select

from cds_service.store.batches import batches, known
from cds_service.store.chain import answer_entry, append, linking
from cds_service.store.database import connected
from cds_service.store.patience import Patience
from cds_service.store.records import AnswerRecord, Reaction, Response
from cds_service.store.rows import answer_row, card_rows
from cds_service.store.tables import answers, cards, feedback

_REACTIONS = (
    select(cards.c.uuid, cards.c.topic, cards.c.grade, cards.c.advice)
    .add_columns(feedback.c.outcome, feedback.c.at, feedback.c.received_at)
    .join_from(answers, cards, and_(cards.c.answer == answers.c.id, cards.c.shown))
    .join(feedback, and_(feedback.c.card == cards.c.uuid, feedback.c.client == answers.c.client))
    .where(answers.c.patient == bindparam("patient"))
    .where(feedback.c.at >= bindparam("since"), feedback.c.received_at >= bindparam("since"))
    .order_by(feedback.c.at.desc(), feedback.c.received_at.desc(), answers.c.at.desc())
)


def reactions(engine: Engine, patient: str, since: datetime) -> list[Reaction]:
    """The latest feedback to each card shown for a patient (a pseudonym), newest first."""
    asked = {"patient": patient, "since": since}
    latest: dict[str, Reaction] = {}
    with connected(engine) as connection:
        for uuid, topic, grade, advice, outcome, at, received_at in connection.execute(_REACTIONS, asked):
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


def add_answers(engine: Engine, records: Sequence[AnswerRecord]) -> None:
    """Keep answers with their cards, all or none. One that is kept already is not kept twice."""
    with linking(engine) as connection:
        for batch in batches(records):
            there = known(connection, answers.c.id, {record.id for record in batch})
            fresh = {record.id: record for record in batch if record.id not in there}
            rows = [(answer_row(record), list(card_rows(record))) for record in fresh.values()]
            if rows:
                connection.execute(answers.insert(), [answer for answer, _ in rows])
            if any(shown for _, shown in rows):
                connection.execute(cards.insert(), [card for _, shown in rows for card in shown])
            append(connection, [answer_entry(answer, shown) for answer, shown in rows])


class _Waiting:
    """An answer that a request waits to be kept."""

    def __init__(self, record: AnswerRecord) -> None:
        self.record = record
        self.kept: Future[None] = Future()


class Together:
    """Answers that come at once are kept in one transaction: the disk is waited for once under load, not for each."""

    def __init__(self, patience: Patience, keep: Callable[[Sequence[AnswerRecord]], None]) -> None:
        self._patience = patience
        self._keep = keep
        self._lock = Lock()
        self._waiting: list[_Waiting] = []

    def add(self, record: AnswerRecord) -> None:
        """Keep an answer; it is durable on return. Raises StoreUnavailable when it is not, or not in time."""
        waiting = _Waiting(record)
        with self._lock:
            self._waiting.append(waiting)
        try:
            self._patience.run(lambda: self._keep_all(waiting))
        finally:
            with self._lock, suppress(ValueError):
                self._waiting.remove(waiting)

    def _keep_all(self, waiting: _Waiting) -> None:
        """Keep every answer that waits, unless another's turn has kept this one already."""
        if not waiting.kept.done():
            with self._lock:
                taken, self._waiting = self._waiting, []
            try:
                self._keep([item.record for item in taken])
            except Exception as error:
                for item in taken:
                    item.kept.set_exception(error)
            else:
                for item in taken:
                    item.kept.set_result(None)
        waiting.kept.result(0)

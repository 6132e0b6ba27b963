"""The store: answers and feedback are added, read back for one patient or for a stretch of time, and purged."""

from collections.abc import Collection, Iterator, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path

from sqlalchemy import Engine, delete, false, func, select

from cds_service.store.calls import Together, add_answers, reactions
from cds_service.store.chain import Head, Verdict, verify
from cds_service.store.database import BUSY_SECONDS, connected, database, new_engine, sqlite_file, transaction
from cds_service.store.feedback import add_feedback, of_others
from cds_service.store.firing import firing
from cds_service.store.history import answers_within, count, feedback_within, purge
from cds_service.store.patience import PATIENCE_SECONDS, Patience
from cds_service.store.records import AnswerRecord, Counts, FeedbackRecord, Firing, Reaction
from cds_service.store.single_use import first_use, forget
from cds_service.store.tables import answers, used_tokens

READERS = 4
"""Questions that a process asks the database at once; it writes one after the other."""
DELIVERY_SECONDS = 30.0
"""How long a delivery of many records may take; nobody waits for it."""
FORGET = timedelta(hours=1)
"""How often a process that runs for months removes used tokens that are of no use any more."""


class Store:
    """Answers and feedback in a database whose tables are there (`schema.migrate`).

    Every method raises StoreUnavailable when the database cannot be reached or refuses; those that a request waits for
    raise it within a moment (`Patience`). Times are UTC; a stretch of time holds its first instant and not its last.
    What is asked of the database stands in a module for each subject; here is who waits for it, and how long.
    """

    def __init__(self, engine: Engine, patience_seconds: float) -> None:
        self._engine = engine
        self.reading = Patience(READERS, patience_seconds)
        self.writing = Patience(1, patience_seconds)
        self.counting = Patience(1, patience_seconds)
        self._together = Together(self.writing, lambda records: add_answers(engine, records))
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

    def clock(self) -> datetime | None:
        """What time it is for the database; None for a file, which has no clock of its own."""
        if self._engine.dialect.name == "sqlite":
            return None
        with connected(self._engine) as connection:
            now: datetime = connection.execute(select(func.clock_timestamp())).scalar_one()
            return now

    def reactions(self, patient: str, since: datetime) -> list[Reaction]:
        """The latest feedback to each card shown for a patient (a pseudonym), newest first."""
        return self.reading.run(lambda: reactions(self._engine, patient, since))

    def add_answer(self, record: AnswerRecord) -> None:
        """Keep an answer with its cards; it is durable on return. One that is kept already is not kept twice."""
        self._together.add(record)

    def deliver(self, records: Sequence[AnswerRecord]) -> None:
        """Keep answers that had to wait, all or none: the same, tried although the store was away."""
        self.writing.run(lambda: add_answers(self._engine, records), at_once=True, seconds=DELIVERY_SECONDS)

    def use_once(self, issuer: str, jti: str, until: datetime, now: datetime) -> bool:
        """Whether the token `jti` of an issuer is used for the first time; from then on it is used (T19).

        It is remembered `until` an instant at which nobody accepts it any more. Of calls at once one is the first, in
        whatever process. After the first use of each hour those of before are forgotten; nobody waits for that.
        """
        first = self.writing.run(lambda: first_use(self._engine, issuer, jti, until))
        if now >= self._forget_at:
            self._forget_at = now + FORGET
            self.writing.beside(lambda: self.forget_tokens(now))
        return first

    def forget_tokens(self, now: datetime) -> int:
        """Remove used tokens that nobody accepts any more at `now`. How many."""
        return forget(self._engine, now)

    def add_feedback(self, records: Sequence[FeedbackRecord]) -> int:
        """Keep feedback, all or none; it is durable on return. How many entries are matched to a card.

        An entry that is kept already is not kept twice (T80). One whose card was never shown to its client is kept as
        unmatched, and the client is not told (T78, T79).
        """
        return self.writing.run(lambda: add_feedback(self._engine, records), at_once=True, seconds=BUSY_SECONDS)

    def of_others(self, uuids: Collection[str], client: str) -> int:
        """How many of the cards were shown to other clients and never to this one (T79)."""
        return self.reading.run(lambda: of_others(self._engine, uuids, client))

    def firing(self, since: datetime) -> list[Firing]:
        """How often each service answered each client since an instant, and with a card.

        It is counted apart from what calls need: however long it takes, the store is not left alone for it.
        """
        return self.counting.run(lambda: firing(self._engine, since))

    def answers(self, since: datetime, until: datetime) -> Iterator[AnswerRecord]:
        """The answers of a stretch of time, oldest first, as of one instant."""
        return answers_within(self._engine, since, until)

    def feedback(self, since: datetime, until: datetime | None = None) -> Iterator[FeedbackRecord]:
        """The feedback received in a stretch of time, oldest first."""
        return feedback_within(self._engine, since, until)

    def count(self, since: datetime, until: datetime) -> Counts:
        """How many answers and entries of feedback there are in a stretch of time."""
        return count(self._engine, since, until)

    def purge(self, before: datetime) -> Counts:
        """Remove what is older, for good: SQLite overwrites it. How much was removed."""
        return purge(self._engine, before)

    def verify(self, known: Head | None = None) -> Verdict:
        """Whether any record was changed, removed or added by hand (T87); `known` is a head of before."""
        return verify(self._engine, known)

    def _readable(self) -> None:
        with connected(self._engine) as connection:
            connection.execute(select(answers.c.id).limit(1)).first()

    def _writable(self) -> None:
        with transaction(self._engine) as connection:
            connection.execute(delete(used_tokens).where(false()))

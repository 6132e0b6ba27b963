"""The chain of records: whether any was changed, removed or added by hand is found out by walking it (T87).

Each record has a link with the digest of its content and a hash over that and the hash of the link before. A purge is
a link too: it says what may be absent. There is one chain for a store, and one writer at a time appends to it. No key
is needed to check it, so an auditor need not be able to recognise patients. Who can write to the database could make a
new chain from some record on; its head would be another, so heads are to be kept elsewhere (docs/records.md).
"""

from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from datetime import UTC, datetime
from enum import StrEnum
from hashlib import sha256
from typing import Any

import orjson
from sqlalchemy import Connection, Engine, Table, delete, func, select

from cds_service.store.batches import BATCH
from cds_service.store.database import connected, transaction
from cds_service.store.rows import Row, answer_records, answer_row, card_rows, feedback_record, feedback_row
from cds_service.store.tables import answers, cards, feedback, links

LOCK = 7_271_977_402
"""Names the chain among the advisory locks of PostgreSQL."""
FIRST = "0" * 64
"""What stands for the hash before the first link."""


_NEWEST = select(links.c.position, links.c.hash).order_by(links.c.position.desc()).limit(1)


class Kind(StrEnum):
    """Of what a link is."""

    ANSWER = "answer"
    FEEDBACK = "feedback"
    PURGE = "purge"


@dataclass(frozen=True, slots=True, kw_only=True)
class Entry:
    """What is to be linked. `at`: what decides when it is purged; of a purge, before when it removed."""

    kind: Kind
    record: str
    """Id of an answer, digest of feedback; of a purge the position of the link from which the chain is kept."""
    at: datetime
    digest: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Head:
    """The newest link: kept elsewhere, it proves that everything up to it is still as it was."""

    position: int
    hash: str

    def __str__(self) -> str:
        return f"{self.position}:{self.hash}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Verdict:
    """What came out of walking the chain: its head, how many records stand in it, and every fault in one sentence."""

    head: Head
    records: int
    purged_before: datetime | None
    faults: Sequence[str]


def answer_entry(answer: Row, shown: Sequence[Row]) -> Entry:
    """The entry of an answer with its cards, as their rows are written."""
    return Entry(kind=Kind.ANSWER, record=answer["id"], at=answer["at"], digest=_digest([answer, *shown]))


def feedback_entry(row: Row) -> Entry:
    """The entry of feedback, as its row is written."""
    return Entry(kind=Kind.FEEDBACK, record=row["digest"], at=row["received_at"], digest=_digest([row]))


@contextmanager
def linking(engine: Engine) -> Iterator[Connection]:
    """A transaction that adds records to the chain or removes them, one at a time whatever the database."""
    with transaction(engine) as connection:
        if connection.dialect.name == "postgresql":
            connection.execute(select(func.pg_advisory_xact_lock(LOCK)))
        yield connection


def append(connection: Connection, entries: Sequence[Entry]) -> None:
    """Link the entries, in a transaction that is `linking`."""
    head = head_of(connection)
    rows = []
    for entry in entries:
        head = _next(head, entry)
        rows.append(_members(entry) | {"position": head.position, "hash": head.hash})
    if rows:
        connection.execute(links.insert(), rows)


def append_purge(connection: Connection, before: datetime) -> None:
    """Link a purge of what is older, and remove the links at the beginning whose records are gone, but for the last.

    That one is what the chain is then held by; the link of the purge says which it is.
    """
    kept = select(func.min(links.c.position)).where(links.c.kind != Kind.PURGE, links.c.at >= before)
    first_kept = connection.execute(kept).scalar() or head_of(connection).position + 1
    holding = max([first_kept - 1, *(purge.holding for purge in _purges(connection))])
    connection.execute(delete(links).where(links.c.position < holding))
    append(connection, [Entry(kind=Kind.PURGE, record=str(holding), at=before)])


def head_of(connection: Connection) -> Head:
    """The newest link."""
    row = connection.execute(_NEWEST).first()
    return Head(position=row.position, hash=row.hash) if row is not None else Head(position=0, hash=FIRST)


def verify(engine: Engine, known: Head | None = None) -> Verdict:
    """Walk the chain as of one instant. `known`: a head of before that must still stand in it."""
    with connected(engine) as connection:
        if connection.dialect.name == "postgresql":  # SQLite reads as of one instant by itself
            connection = connection.execution_options(isolation_level="REPEATABLE READ")
        return _verdict(connection, known)


def _verdict(connection: Connection, known: Head | None) -> Verdict:
    purges = _purges(connection)
    head = _held(connection, purges[-1].holding if purges else 0)
    faults = list(_beginning(connection, head.position))
    heads, records = {head}, 0
    for link, entry, found in _walk(connection, head.position):
        if link != _next(head, entry):
            faults.append(f"link {link.position}: it, or one before it, was changed or removed")
        head = link
        if head == known:
            heads.add(head)
        if entry.kind is Kind.PURGE:
            continue
        if found is not None:
            records += 1
            if found != entry:
                faults.append(f"link {head.position}: the record of {entry.kind} {entry.record} was changed")
        elif not any(purge.position > head.position and entry.at < purge.before for purge in purges):
            faults.append(f"link {head.position}: the record of {entry.kind} {entry.record} was removed")
    faults += _unlinked(connection)
    if known is not None and known not in heads:
        faults.append(f"the head {known} does not stand in the chain: a purge removed it, or the chain was made anew")
    before = max((purge.before for purge in purges), default=None)
    return Verdict(head=head, records=records, purged_before=before, faults=faults)


@dataclass(frozen=True, slots=True, kw_only=True)
class _Purge:
    """The link of a purge: its position, before when it removed, and which link the chain is held by since."""

    position: int
    before: datetime
    holding: int


def _purges(connection: Connection) -> list[_Purge]:
    found = connection.execute(select(links).where(links.c.kind == Kind.PURGE).order_by(links.c.position))
    return [_Purge(position=row.position, before=row.at, holding=int(row.record)) for row in found]


def _held(connection: Connection, holding: int) -> Head:
    """The head from which the walk begins: the link before that one is gone, or there is none."""
    row = connection.execute(select(links.c.hash).where(links.c.position == holding)).first()
    return Head(position=holding, hash=row.hash if row is not None else FIRST)


def _beginning(connection: Connection, holding: int) -> Iterator[str]:
    first = connection.execute(select(func.min(links.c.position))).scalar()
    if first is not None and first != max(holding, 1):
        yield "the chain does not begin where the last purge left it: links were removed or added"


def _walk(connection: Connection, after: int) -> Iterator[tuple[Head, Entry, Entry | None]]:
    """Each link after a position: with its entry, and with the one its record would have now, None when it is gone."""
    query = select(links).order_by(links.c.position).limit(BATCH)
    while rows := connection.execute(query.where(links.c.position > after)).mappings().all():
        ids = [row["record"] for row in rows if row["kind"] == Kind.ANSWER]
        digests = [row["record"] for row in rows if row["kind"] == Kind.FEEDBACK]
        now = {entry.record: entry for entry in (*_answers(connection, ids), *_feedback(connection, digests))}
        for row in rows:
            entry = Entry(kind=Kind(row["kind"]), record=row["record"], at=row["at"], digest=row["digest"])
            yield Head(position=row["position"], hash=row["hash"]), entry, now.get(entry.record)
        after = rows[-1]["position"]


def _answers(connection: Connection, ids: Sequence[str]) -> Iterator[Entry]:
    rows = connection.execute(select(answers).where(answers.c.id.in_(ids))).mappings().all()
    for record in answer_records(connection, rows):
        yield answer_entry(answer_row(record), list(card_rows(record)))


def _feedback(connection: Connection, digests: Sequence[str]) -> Iterator[Entry]:
    for row in connection.execute(select(feedback).where(feedback.c.digest.in_(digests))).mappings():
        entry = feedback_entry(feedback_row(feedback_record(row)))
        yield Entry(kind=entry.kind, record=row["digest"], at=entry.at, digest=entry.digest)


def _unlinked(connection: Connection) -> Iterable[str]:
    """A fault for each kind of record of which some stand in no link."""
    for kind, table, key in (("answer", answers, "id"), ("feedback", feedback, "digest")):
        number = _without(connection, table, key)
        if number:
            yield f"{number} records of {kind} stand in no link: they were added by hand"
    number = connection.execute(
        select(func.count()).select_from(cards).where(cards.c.answer.not_in(select(answers.c.id)))
    ).scalar_one()
    if number:
        yield f"{number} cards belong to no answer: they were added by hand"


def _without(connection: Connection, table: Table, key: str) -> int:
    linked = select(links.c.record).where(links.c.record == table.c[key]).exists()
    return connection.execute(select(func.count()).select_from(table).where(~linked)).scalar_one()


def _next(head: Head, entry: Entry) -> Head:
    position = head.position + 1
    return Head(position=position, hash=_digest([head.hash, position, _members(entry)]))


def _members(entry: Entry) -> Row:
    return {"kind": entry.kind.value, "record": entry.record, "at": entry.at, "digest": entry.digest}


def _digest(content: Sequence[Any]) -> str:
    """SHA-256 over the content as JSON in one spelling, its times in UTC."""
    return sha256(orjson.dumps(_spelled(content), option=orjson.OPT_SORT_KEYS)).hexdigest()


def _spelled(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.astimezone(UTC)
    if isinstance(value, dict):
        return {name: _spelled(item) for name, item in value.items()}
    return [_spelled(item) for item in value] if isinstance(value, list | tuple) else value

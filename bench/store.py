"""What the store takes: answers appended in a second, statements of a hook call, bytes of a record.

Answers are appended to one chain, one transaction after the other, so this bounds how many calls a second all workers
that share a store can answer together. Requests that wait in one worker share a transaction.
"""

import multiprocessing
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, replace
from datetime import UTC, datetime, timedelta
from multiprocessing.connection import Connection
from pathlib import Path
from threading import Thread
from typing import Any
from uuid import uuid4

from sqlalchemy import Engine, create_engine, event, text

from cds_service.store.database import database
from cds_service.store.records import NOT_ELIGIBLE, AnswerRecord
from cds_service.store.schema import migrate
from cds_service.store.store import Store
from cds_service.web.settings import Settings
from tests.postgres import database_in, installed, running_postgres

PATIENCE_SECONDS = 60.0
WRITERS = ((1, 1), (1, 24), (4, 24))
"""Processes, and threads in each of them that append at once."""
_SIZE = {
    "sqlite": "SELECT page_count * page_size FROM pragma_page_count(), pragma_page_size()",
    "postgresql": "SELECT sum(pg_total_relation_size(oid)) FROM pg_class WHERE relkind = 'r' AND relnamespace = 2200",
}


@dataclass(frozen=True, slots=True, kw_only=True)
class Appended:
    """Answers that so many processes with so many threads each append in a second."""

    database: str
    processes: int
    threads: int
    rate: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Cost:
    """What one patient-view asks of a database: statements beside BEGIN and COMMIT, and bytes that stay."""

    database: str
    answer: str
    statements: int
    bytes: float


def samples(state: Path) -> dict[str, AnswerRecord]:
    """An answer with cards and one for a patient who is not eligible, as a service has kept them."""
    store = Store.open(Settings(state_folder=state).store_url)
    kept = list(store.answers(datetime.now(UTC) - timedelta(days=1), datetime.now(UTC)))
    store.close()
    graded = next(record for record in kept if record.cards)
    return {"eligible, grade 3": graded, "not eligible": next(item for item in kept if item.status == NOT_ELIGIBLE)}


@contextmanager
def databases(folder: Path) -> Iterator[dict[str, list[str]]]:
    """Two empty databases of each kind; of PostgreSQL where it is installed, with its disk waited for as in use."""
    found = {"SQLite": [f"sqlite:///{folder / name}.db" for name in ("rate", "size")]}
    if installed() is None:
        yield found
        return
    with running_postgres(fsync="on") as server:
        yield found | {"PostgreSQL": [database_in(server), database_in(server)]}


def appended(kind: str, url: str, record: AnswerRecord, seconds: float) -> Iterator[Appended]:
    """How many answers are appended in a second, by one writer and by many."""
    migrate(url)
    for processes, threads in WRITERS:
        numbers = _written(url, record, processes, threads, seconds)
        yield Appended(database=kind, processes=processes, threads=threads, rate=sum(numbers) / seconds)


def costs(kind: str, url: str, records: dict[str, AnswerRecord], number: int) -> Iterator[Cost]:
    """Statements of an answer of each kind, and the bytes of so many of them."""
    migrate(url)
    engine, store = create_engine(database(url)), Store.open(url, PATIENCE_SECONDS)
    for name, record in records.items():
        before = _bytes(engine)
        store.deliver([_another(record) for _ in range(number)])
        size = (_bytes(engine) - before) / number
        statements = 0

        def count(_: Any, __: Any, statement: str, *___: Any) -> None:
            nonlocal statements
            statements += not statement.startswith("BEGIN")

        event.listen(Engine, "before_cursor_execute", count)
        if record.cards:
            store.reactions(record.patient, record.at)
        store.add_answer(_another(record))
        event.remove(Engine, "before_cursor_execute", count)
        yield Cost(database=kind, answer=name, statements=statements, bytes=size)
    store.close()
    engine.dispose()


def _bytes(engine: Engine) -> int:
    with engine.connect() as connection:
        return int(connection.execute(text(_SIZE[engine.dialect.name])).scalar_one())


def _another(record: AnswerRecord) -> AnswerRecord:
    """The same for another patient, in another call."""
    cards = tuple(replace(card, uuid=str(uuid4())) for card in record.cards)
    return replace(record, id=str(uuid4()), hook_instance=str(uuid4()), patient=uuid4().hex * 2, cards=cards)


def _written(url: str, record: AnswerRecord, processes: int, threads: int, seconds: float) -> Sequence[int]:
    fork = multiprocessing.get_context("fork")
    writers = []
    for _ in range(processes):
        mine, theirs = fork.Pipe(duplex=False)
        given = (url, record, threads, seconds, theirs)
        writers.append((fork.Process(target=_write, args=given, daemon=True), mine))
    try:
        for process, _ in writers:
            process.start()
        return [_number(numbers, seconds) for _, numbers in writers]
    finally:
        for process, _ in writers:
            process.kill()
            process.join(PATIENCE_SECONDS)


def _number(numbers: Connection, seconds: float) -> int:
    if not numbers.poll(seconds + PATIENCE_SECONDS):
        raise SystemExit("the store takes no answers")
    number: int = numbers.recv()
    return number


def _write(url: str, record: AnswerRecord, threads: int, seconds: float, numbers: Connection) -> None:
    """A process that appends for so many seconds; it sends how many answers were kept within them."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    store = Store.open(url, PATIENCE_SECONDS)
    store.ready()
    end = time.monotonic() + seconds
    kept = [0] * threads

    def append(place: int) -> None:
        while time.monotonic() < end:
            store.add_answer(_another(record))
            kept[place] += 1

    writing = [Thread(target=append, args=(place,)) for place in range(threads)]
    for thread in writing:
        thread.start()
    for thread in writing:
        thread.join()
    numbers.send(sum(kept))
    store.close()

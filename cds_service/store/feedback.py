"""Feedback as it is received: kept, and matched with the cards that its client was shown (T78-T80)."""

from collections.abc import Collection, Sequence

from sqlalchemy import Connection, Engine, select

from cds_service.store.batches import batches, known
from cds_service.store.chain import append, feedback_entry, linking
from cds_service.store.database import connected
from cds_service.store.records import FeedbackRecord
from cds_service.store.rows import feedback_row
from cds_service.store.tables import answers, cards, feedback


def add_feedback(engine: Engine, records: Sequence[FeedbackRecord]) -> int:
    """Keep feedback, all or none, each entry once (T80). How many are matched to a card."""
    matched = 0
    with linking(engine) as connection:
        for batch in batches(records):
            shown = _shown(connection, {record.card for record in batch})
            matched += sum((record.card, record.client) in shown for record in batch)
            rows = {row["digest"]: row for row in map(feedback_row, batch)}
            there = known(connection, feedback.c.digest, rows)
            fresh = [row for digest, row in rows.items() if digest not in there]
            if fresh:
                connection.execute(feedback.insert(), fresh)
            append(connection, [feedback_entry(row) for row in fresh])
    return matched


def of_others(engine: Engine, uuids: Collection[str], client: str) -> int:
    """How many of the cards were shown to other clients and never to this one (T79)."""
    others, mine = set[str](), set[str]()
    with connected(engine) as connection:
        for batch in batches(sorted(uuids)):
            for uuid, shown_to in _shown(connection, batch):
                (mine if shown_to == client else others).add(uuid)
    return len(others - mine)


def _shown(connection: Connection, uuids: Collection[str]) -> set[tuple[str, str]]:
    """Which of the cards were shown, each with the client that got it."""
    query = select(cards.c.uuid, answers.c.client).join_from(cards, answers).where(cards.c.uuid.in_(uuids))
    return {(uuid, client) for uuid, client in connection.execute(query.where(cards.c.shown))}

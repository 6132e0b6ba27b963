"""Records for other systems: one flat row for each answer, card and entry of feedback, oldest first."""

from collections.abc import Iterator
from datetime import datetime
from typing import Any

from cds_service.store.records import AnswerRecord, FeedbackRecord
from cds_service.store.rows import answer_row, card_rows, feedback_row
from cds_service.store.store import Store

COLUMNS = (
    *("record", "id", "at", "service", "hook", "hook_instance", "client", "patient", "encounter", "outcome"),
    *("reason", "status", "grade", "assessment", "protocol_id", "protocol_version", "protocol_hash", "milliseconds"),
    *("answer", "position", "uuid", "topic", "advice", "indicator", "suggestions", "shown"),
    *("card", "accepted", "reasons", "comment", "received_at", "matched"),
)
"""Every member that a row can have; `record` says of what it is."""


def export(store: Store, since: datetime, until: datetime) -> Iterator[dict[str, Any]]:
    """The rows of a stretch of time: each answer followed by its cards, then the feedback received."""
    for answer in store.answers(since, until):
        yield from _answer(answer)
    for entry in store.feedback(since, until):
        yield _feedback(entry)


def _answer(record: AnswerRecord) -> Iterator[dict[str, Any]]:
    yield answer_row(record) | {"record": "answer", "at": record.at.isoformat()}
    for card in card_rows(record):
        yield {"record": "card", **card}


def _feedback(record: FeedbackRecord) -> dict[str, Any]:
    row = feedback_row(record) | {"record": "feedback", "matched": record.matched}
    del row["digest"]
    return row | {"at": record.at.isoformat(), "received_at": record.received_at.isoformat()}

"""Records as rows of the tables, and back."""

from collections.abc import Iterator, Mapping, Sequence, Sized
from dataclasses import asdict, fields
from datetime import UTC
from hashlib import sha256
from itertools import groupby
from json import dumps
from typing import Any

from sqlalchemy import Connection, RowMapping, select

from cds_service.store.records import AnswerRecord, CardRecord, FeedbackRecord, Outcome, Reason, Response
from cds_service.store.tables import cards

Row = dict[str, Any]


def answer_row(record: AnswerRecord) -> Row:
    """The answer without its cards, and of its assessment only what is kept."""
    row = _members(record)
    del row["cards"]
    return row | {"outcome": record.outcome.value, "assessment": anonymous(record.assessment)}


def card_rows(record: AnswerRecord) -> Iterator[Row]:
    """A row for each card of an answer, in their order."""
    for position, card in enumerate(record.cards):
        suggestions = [list(pair) for pair in card.suggestions]
        yield _members(card) | {"answer": record.id, "position": position, "suggestions": suggestions}


def feedback_row(record: FeedbackRecord) -> Row:
    """The entry as it was received, with the digest of what the client sent."""
    row = _members(record)
    del row["matched"]
    row |= {
        "outcome": record.outcome.value,
        "at": record.at.astimezone(UTC),
        "accepted": list(record.accepted),
        "reasons": [asdict(reason) for reason in record.reasons],
    }
    sent = {name: value for name, value in row.items() if name not in ("service", "received_at")}
    return row | {"digest": sha256(dumps(sent, default=str, sort_keys=True).encode()).hexdigest()}


def answer_records(connection: Connection, rows: Sequence[RowMapping]) -> Iterator[AnswerRecord]:
    """The answers of rows, each with its cards, which are read."""
    of_answers = select(cards).where(cards.c.answer.in_([row["id"] for row in rows]))
    found = connection.execute(of_answers.order_by(cards.c.answer, cards.c.position)).mappings()
    shown = {answer: list(group) for answer, group in groupby(found, lambda row: str(row["answer"]))}
    for row in rows:
        members = dict(row) | {"outcome": Outcome(row["outcome"])}
        yield AnswerRecord(**members, cards=tuple(map(_card_record, shown.get(row["id"], ()))))


def _card_record(row: RowMapping) -> CardRecord:
    members = {field.name: row[field.name] for field in fields(CardRecord)}
    return CardRecord(**members | {"suggestions": tuple((uuid, order) for uuid, order in row["suggestions"])})


def feedback_record(row: RowMapping) -> FeedbackRecord:
    """The entry of a row; it is matched only if the row says so."""
    members = {field.name: row[field.name] for field in fields(FeedbackRecord) if field.name in row}
    reasons = tuple(Reason(**reason) for reason in row["reasons"])
    taken = {"outcome": Response(row["outcome"]), "accepted": tuple(row["accepted"]), "reasons": reasons}
    return FeedbackRecord(**members | taken)


def anonymous(assessment: Mapping[str, Any]) -> Row:
    """What of an assessment is kept: codes, grades, times, and how many things are missing or not used.

    References and words may hold ids and text of the record. What is kept already stays as it is.
    """
    if not assessment:
        return {}
    kept = {name: assessment[name] for name in ("status", "grade", "asOf", "episode") if name in assessment}
    kept["findings"] = [_finding(finding) for finding in assessment.get("findings", ())]
    return kept | {name: _number(assessment.get(name, ())) for name in ("missing", "unused")}


def _number(things: int | Sized) -> int:
    return things if isinstance(things, int) else len(things)


def _finding(finding: Mapping[str, Any]) -> Row:
    kept = {name: finding[name] for name in ("criterion", "state", "grade") if name in finding}
    return kept | {"evidence": [{"time": item["time"]} for item in finding.get("evidence", ())]}


def _members(record: AnswerRecord | CardRecord | FeedbackRecord) -> Row:
    return {field.name: getattr(record, field.name) for field in fields(record)}

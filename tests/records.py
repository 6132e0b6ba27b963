"""Records of invented answers and feedback, to be changed at will."""

from datetime import timedelta
from typing import Any

from cds_service.store.records import UNCHECKED_CLIENT, AnswerRecord, CardRecord, FeedbackRecord, Outcome, Response
from tests.server import NOW

PATIENT = "pseudonym-of-a-patient"
HOUR = timedelta(hours=1)


def card(uuid: str = "card-1", **members: Any) -> CardRecord:
    """A treatment card at grade 2 that offers tocilizumab."""
    usual: dict[str, Any] = {
        "topic": "treatment",
        "grade": 2,
        "advice": "tocilizumab 656 mg",
        "indicator": "warning",
        "suggestions": ((f"{uuid}-suggestion", "tocilizumab"),),
    }
    return CardRecord(uuid=uuid, **usual | members)


def answer(*cards: CardRecord, **members: Any) -> AnswerRecord:
    """An answer of patient-view with these cards, an hour ago."""
    usual: dict[str, Any] = {
        "at": NOW - HOUR,
        "service": "crs-patient-view",
        "hook": "patient-view",
        "hook_instance": "instance",
        "client": UNCHECKED_CLIENT,
        "patient": PATIENT,
        "outcome": Outcome.GRADED,
        "status": "graded",
        "grade": 2,
        "assessment": {"status": "graded", "grade": 2, "findings": [], "missing": [], "unused": []},
        "protocol_id": "supplied-crs",
        "protocol_version": "1.0.0+0f3ada51",
        "protocol_hash": "0f3ada51c2",
        "milliseconds": 20,
    }
    return AnswerRecord(cards=cards, **usual | members)


def said(outcome: Response, uuid: str = "card-1", **members: Any) -> FeedbackRecord:
    """Feedback to a card, of half an hour ago."""
    usual: dict[str, Any] = {
        "service": "crs-patient-view",
        "client": UNCHECKED_CLIENT,
        "at": NOW - HOUR / 2,
        "received_at": NOW,
    }
    return FeedbackRecord(card=uuid, outcome=outcome, **usual | members)

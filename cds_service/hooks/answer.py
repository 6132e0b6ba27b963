"""The answer of a service: the response, and what it came from, for whoever records or explains it."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

import structlog

from cds_service.crs.sentences import Line
from cds_service.hooks.assessment_json import EXTENSION, assessment_json
from cds_service.hooks.cards import Card, Desk
from cds_service.hooks.evaluate import Reading

log = structlog.get_logger()


@dataclass(frozen=True, slots=True, kw_only=True)
class Answer:
    """One answer: `lines` are the sentences that the rules said, `cards` those of the response."""

    desk: Desk
    reading: Reading
    lines: tuple[Line, ...]
    cards: list[Card]

    @property
    def response(self) -> dict[str, Any]:
        """The body of the answer: cards, and the machine-readable assessment beside them."""
        knowledge = self.desk.knowledge.content.knowledge
        return {"cards": self.cards, "extension": {EXTENSION: assessment_json(self.reading.assessment, knowledge)}}


def answered(desk: Desk, reading: Reading, lines: Iterable[Line], cards: list[Card]) -> Answer:
    """The answer, and a line in the log that holds no patient data."""
    log.info(
        "answered",
        service=desk.service_id,
        hook_instance=desk.call.hookInstance,
        status=reading.assessment.status.value,
        cards=len(cards),
        needs={key: supply.state.value for key, supply in reading.supplies.items()},
    )
    return Answer(desk=desk, reading=reading, lines=tuple(lines), cards=cards)

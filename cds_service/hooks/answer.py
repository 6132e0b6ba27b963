"""The response of a service: cards, and the machine-readable assessment beside them."""

from typing import Any

import structlog

from cds_service.hooks.assessment_json import EXTENSION, assessment_json
from cds_service.hooks.cards import Card, Desk
from cds_service.hooks.evaluate import Reading

log = structlog.get_logger()


def answer(desk: Desk, reading: Reading, cards: list[Card]) -> dict[str, Any]:
    """The response, and a line in the log that holds no patient data."""
    log.info(
        "answered",
        service=desk.service_id,
        hook_instance=desk.call.hookInstance,
        status=reading.assessment.status.value,
        cards=len(cards),
        needs={key: supply.state.value for key, supply in reading.supplies.items()},
    )
    return {
        "cards": cards,
        "extension": {EXTENSION: assessment_json(reading.assessment, desk.knowledge.content.knowledge)},
    }

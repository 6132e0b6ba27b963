"""patient-view: the chart opens, and cards say the grade, what comes first, and what treatment the protocol offers."""

from datetime import datetime
from typing import Any

from cds_service.crs.advice import advise
from cds_service.hooks.answer import Answer
from cds_service.hooks.call import HookCall, read_call
from cds_service.hooks.cards import Desk, cards
from cds_service.hooks.evaluate import Access, evaluated
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.offers import offers


def answer_patient_view(body: Any, service_id: str, knowledge: Knowledge, access: Access, now: datetime) -> Answer:
    """The answer to a patient-view call at `now`. Raises the errors of the contract, never hides one as no cards."""
    call = read_call(body, "patient-view", HookCall)
    content = knowledge.content
    with evaluated(call.question, knowledge, access, now) as reading, access.watch.stage("cards"):
        desk = Desk.of(call, service_id, knowledge, reading.assessment, now)
        advice = advise(reading.timeline, reading.assessment, content.scale, content.protocol)
        return Answer(
            desk=desk,
            reading=reading,
            lines=advice.lines,
            cards=cards(desk, advice),
            offers=offers(reading.assessment, advice),
        )

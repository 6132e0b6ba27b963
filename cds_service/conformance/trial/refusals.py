"""Wrong calls: each is refused with 4xx and JSON, never with 5xx, HTML or a stack trace (H-4, H-6, H-7)."""

import json
import uuid
from collections.abc import Iterator
from typing import Any

from cds_service.conformance.trial.answers import prefetch_for
from cds_service.conformance.trial.calls import Json
from cds_service.conformance.trial.conversation import Conversation, Listed
from cds_service.conformance.trial.wire import OutOfTime, Unanswered

OTHER_HOOK = {"patient-view": "order-sign"}
"""A hook that the service of a hook does not answer; `patient-view` for all others."""

NO_OBJECTS: tuple[Any, ...] = ([], "text", 1, None)


def call_wrongly(talk: Conversation, service: Listed) -> None:
    """Make every wrong call of a service."""
    talk.tell(f"{service.id}, wrong calls")
    sound = talk.call(service, prefetch_for(talk, service) if talk.patient.fhir is None else None)
    for what, body in _wrong(service, sound):
        where = f"{service.id}, {what}"
        reply = talk.post("H-7", where, talk.url(service.id), body)
        if reply is not None:
            talk.refused(where, reply)
    _wrong_method(talk, service)


def call_nobody(talk: Conversation, service: Listed) -> None:
    """Call a service that does not exist."""
    where = "a service that does not exist"
    talk.tell(where)
    reply = talk.post("H-7", where, talk.url(f"conformance-{uuid.uuid4().hex[:8]}"), talk.call(service, None))
    if reply is not None:
        talk.refused(where, reply)


def _wrong(service: Listed, sound: Json) -> Iterator[tuple[str, Any]]:
    yield "a body that is not JSON", b"{not json"
    yield "no body", b""
    for value in NO_OBJECTS:
        yield f"a body that is no object: {json.dumps(value)}", value
    for name in ("hook", "hookInstance", "context"):
        yield f"without `{name}`", {key: value for key, value in sound.items() if key != name}
    yield "an empty context", sound | {"context": {}}
    yield "a context that is no object", sound | {"context": "text"}
    for name in service.context:
        partial = {key: value for key, value in service.context.items() if key != name}
        yield f"without `context.{name}`", sound | {"context": partial}
    yield "another hook", sound | {"hook": OTHER_HOOK.get(service.hook, "patient-view")}


def _wrong_method(talk: Conversation, service: Listed) -> None:
    where = f"{service.id}, GET in place of POST"
    try:
        talk.refused(where, talk.wire.get(talk.url(service.id)))
    except OutOfTime:
        raise
    except Unanswered as silence:
        talk.results.found("H-7", where, str(silence))

"""Feedback: a sound call about a card that nobody has seen, and wrong ones (F-2, F-9). A service need not offer it."""

import uuid
from typing import Any

from cds_service.conformance.trial.conversation import Conversation, Listed

NOT_OFFERED = {404, 405, 501}


def give_feedback(talk: Conversation, service: Listed) -> None:
    """Report a card that was accepted, one that was overridden; then bodies of a wrong shape."""
    where = f"{service.id}, feedback"
    talk.tell(where)
    url = f"{talk.url(service.id)}/feedback"
    reply = talk.post("F-2", where, url, _sound(talk))
    if reply is None:
        talk.results.met("feedback")
        return
    if reply.status in NOT_OFFERED:
        talk.results.note(f"{service.id} offers no feedback (HTTP {reply.status}), which is allowed")
        return
    talk.results.met("feedback")
    if not 200 <= reply.status < 300:
        talk.results.found("F-2", where, f"HTTP {reply.status} to sound feedback")
        return
    for what, body in _wrong(talk).items():
        answer = talk.post("F-9", f"{where} {what}", url, body)
        if answer is not None:
            talk.refused(f"{where} {what}", answer, rule="F-9")


def _entry(talk: Conversation, **members: Any) -> dict[str, Any]:
    said_at = talk.now.strftime("%Y-%m-%dT%H:%M:%SZ")
    return {"card": str(uuid.uuid4()), "outcome": "overridden", "outcomeTimestamp": said_at, **members}


def _sound(talk: Conversation) -> dict[str, Any]:
    accepted = _entry(talk, outcome="accepted", acceptedSuggestions=[{"id": str(uuid.uuid4())}])
    reason = {"reason": {"code": "conformance", "system": "https://conformance.example/reasons", "display": "Test"}}
    return {"feedback": [accepted, _entry(talk, overrideReason=reason), _entry(talk)]}


def _wrong(talk: Conversation) -> dict[str, Any]:
    return {
        "that is not JSON": b"{not json",
        "that is an array": [_entry(talk)],
        "without its list": {"card": str(uuid.uuid4())},
        "without a card": {"feedback": [{"outcome": "overridden"}]},
        "with an unknown outcome": {"feedback": [_entry(talk, outcome="liked")]},
    }

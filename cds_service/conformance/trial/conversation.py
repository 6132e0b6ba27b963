"""What every part of a conversation needs: the wire, the service's address, the patient, and where findings go."""

import re
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any

from cds_service.conformance.assessment import ASSESSMENT
from cds_service.conformance.call import Call
from cds_service.conformance.faults import Level
from cds_service.conformance.judge import assessment_faults, operation_outcome_faults, response_faults
from cds_service.conformance.results import Results
from cds_service.conformance.trial.calls import Json, Patient, call, context, draft_ids
from cds_service.conformance.trial.wire import OutOfTime, Reply, Unanswered, Wire

_MARKUP = re.compile(rb"<(!doctype|html|body|h1|pre)\b", re.IGNORECASE)
_TRACE = re.compile(
    rb"Traceback \(most recent|File \"[^\"]{1,300}\", line \d|\bat [\w.$]{1,200}\([\w.]{1,100}(:\d+)?\)"
)


@dataclass(frozen=True, slots=True)
class Listed:
    """A service of the discovery document that can be called."""

    id: str
    hook: str
    templates: Mapping[str, str]
    context: Json


@dataclass
class Conversation:
    """One test of one service while it runs. `now` is its instant; `tell` hears what is being tried."""

    wire: Wire
    base: str
    patient: Patient
    now: datetime
    results: Results
    tell: Callable[[str], None]
    record: dict[str, Any] = field(default_factory=dict)
    """What the FHIR server answered to a query, None where it gave nothing: services ask for the same."""

    def url(self, service_id: str) -> str:
        """The address of a service."""
        return f"{self.base}/cds-services/{service_id}"

    def listed(self, entry: Json) -> Listed | None:
        """An entry of discovery as far as it can be called, None when it cannot."""
        hook, service_id, templates = entry.get("hook"), entry.get("id"), entry.get("prefetch")
        called = context(hook, self.patient) if isinstance(hook, str) else None
        if called is None or not isinstance(service_id, str) or not re.fullmatch(r"[A-Za-z0-9._~-]+", service_id):
            return None
        named = templates.items() if isinstance(templates, dict) else ()
        return Listed(service_id, str(hook), {k: v for k, v in named if isinstance(v, str)}, called)

    def call(self, service: Listed, prefetch: Json | None) -> Json:
        """A sound call of a service."""
        return call(service.hook, service.context, self.patient, prefetch)

    def post(self, rule: str, where: str, url: str, body: Any, headers: Mapping[str, str] = {}) -> Reply | None:
        """The answer; without one, `rule` is broken and None comes back. Raises OutOfTime."""
        try:
            return self.wire.post(url, body, headers)
        except OutOfTime:
            raise
        except Unanswered as silence:
            self.results.found(rule, where, str(silence))
            return None

    def answered(self, where: str, reply: Reply, service: Listed) -> bool:
        """Judge a 200 answer to a sound call; whether it could be read."""
        try:
            body = reply.json()
        except Unanswered as fault:
            self.results.found("G-1", where, str(fault))
            return False
        if not _is_json(reply.kind):
            said = f"the Content-Type is {reply.kind or 'absent'}, not application/json"
            self.results.found("G-1", where, said, Level.SHOULD)
        self._judge(where, body, service)
        return True

    def _judge(self, where: str, body: Any, service: Listed) -> None:
        own = isinstance(body, dict) and isinstance(body.get("extension"), dict) and ASSESSMENT in body["extension"]
        asked = Call(
            patient_id=self.patient.id,
            encounter_id=service.context.get("encounterId"),
            draft_ids=draft_ids(service.context),
            intent=None,
            selection=None,
        )
        faults = response_faults(body, asked)
        if own:
            self.results.met("own.answer")
            faults += assessment_faults(body, hook=service.hook)
        self.results.judged(where, faults, own=own)
        _meet(self.results, body, own=own)

    def refused(self, where: str, reply: Reply, rule: str = "H-6") -> None:
        """Judge the answer to a wrong call: 4xx (`rule`), a JSON body that says why, no trace, no token."""
        self.results.met("error")
        if reply.status < 400:
            said = f"was answered with HTTP {reply.status}: a wrong call should be refused with 4xx"
            self.results.found(rule, where, said, Level.SHOULD)
        elif reply.status >= 500:
            self.results.found("H-7", where, f"was answered with HTTP {reply.status}: the caller is at fault, so 4xx")
        else:
            self.described(where, reply)

    def described(self, where: str, reply: Reply) -> None:
        """Judge the body of an error."""
        if _MARKUP.search(reply.body) or reply.kind == "text/html":
            self.results.found("H-7", where, f"HTTP {reply.status} came with HTML, not with JSON")
        elif _TRACE.search(reply.body):
            self.results.found("H-7", where, f"HTTP {reply.status} shows a stack trace")
        else:
            try:
                faults = operation_outcome_faults(reply.json())
            except Unanswered as fault:
                self.results.found("H-4", where, f"HTTP {reply.status}: {fault}")
                return
            self.results.judged(where, faults)


def _is_json(kind: str) -> bool:
    return kind == "application/json" or kind.endswith("+json")


def _meet(results: Results, body: Any, *, own: bool) -> None:
    """Which parts of an answer were there to be judged."""
    results.met("json")
    cards = _objects(body, "cards")
    suggestions = [one for card in cards for one in _objects(card, "suggestions")]
    actions = [one for suggestion in suggestions for one in _objects(suggestion, "actions")]
    links = [one for card in cards for one in _objects(card, "links")]
    parts = {"card": cards, "suggestion": suggestions, "action": actions, "link": links}
    results.met(*(part for part, there in parts.items() if there))
    if own and actions:
        results.met("own.order")


def _objects(value: Any, name: str) -> list[Json]:
    items = value.get(name) if isinstance(value, dict) else None
    return [item for item in items if isinstance(item, dict)] if isinstance(items, list) else []

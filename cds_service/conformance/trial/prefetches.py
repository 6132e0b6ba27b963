"""The ways in which a prefetch can lack data: absent, null, empty Bundles, OperationOutcomes (P-4, P-7, P-9)."""

from cds_service.conformance.faults import Level
from cds_service.conformance.trial.calls import Json, Patient, call, empty, nulls, outcomes
from cds_service.conformance.trial.conversation import Conversation, Listed


def call_without_data(talk: Conversation, service: Listed) -> None:
    """Call the service with each of them, and no FHIR server: 200 or 412, and never any other error."""
    if not service.templates:
        return
    talk.tell(f"{service.id}, prefetch")
    talk.results.met("prefetch")
    cases: list[tuple[str, str, Json | None]] = [
        ("P-4", "prefetch absent", None),
        ("P-7", "prefetch null", nulls(service.templates)),
        ("P-7", "prefetch of empty Bundles", empty(service.templates)),
        ("P-9", "prefetch of OperationOutcomes", outcomes(service.templates)),
    ]
    for rule, what, prefetch in cases:
        _try(talk, service, rule, what, prefetch)


def _try(talk: Conversation, service: Listed, rule: str, what: str, prefetch: Json | None) -> None:
    where = f"{service.id}, {what}"
    body = call(service.hook, service.context, Patient(talk.patient.id), prefetch)
    reply = talk.post(rule, where, talk.url(service.id), body)
    if reply is None:
        return
    if reply.status == 200:
        talk.answered(where, reply, service)
    elif reply.status == 412:
        if rule == "P-7":
            said = "HTTP 412: null and empty Bundles say that there is no data, not that it could not be had"
            talk.results.found(rule, where, said, Level.SHOULD)
        talk.described(where, reply)
    else:
        talk.results.found(rule, where, f"HTTP {reply.status}: must be 200, or 412 where needed data cannot be had")

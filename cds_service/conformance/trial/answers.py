"""Sound calls of a service, and the same with what clients may add: the answers are judged card by card."""

from collections.abc import Mapping

from cds_service.conformance.trial.calls import Json, nulls, query, read
from cds_service.conformance.trial.conversation import Conversation, Listed

SLOW_SECONDS = 0.5
UNKNOWN = {"com.example.conformance": {"nested": [1, True]}}


def prefetch_for(talk: Conversation, service: Listed) -> Json | None:
    """The prefetch from the FHIR server where there is one, else null for every key; None without templates."""
    if not service.templates:
        return None
    if talk.patient.fhir is None:
        return nulls(service.templates)
    queries = {key: query(template, service.context) for key, template in service.templates.items()}
    for asked in set(filter(None, queries.values())) - talk.record.keys():
        talk.record[asked] = read(talk.wire, talk.patient.fhir, asked)
    got = {key: talk.record[asked] for key, asked in queries.items() if asked and talk.record[asked] is not None}
    lacking = [key for key in service.templates if key not in got]
    if lacking:
        talk.results.note(f"{service.id}: the FHIR server gave nothing for {', '.join(lacking)}")
    return got


def call_soundly(talk: Conversation, service: Listed) -> int | None:
    """Make a sound call and judge the answer (R-, H-1, S-1, C-). Returns its status if it is one to build on."""
    where = f"{service.id}, sound call"
    talk.tell(where)
    talk.results.met("call")
    body = talk.call(service, prefetch_for(talk, service))
    reply = talk.post("H-1", where, talk.url(service.id), body)
    if reply is None:
        return None
    if reply.status == 200:
        if not talk.answered(where, reply, service):
            return None
    elif reply.status == 412:
        talk.described(where, reply)
        talk.results.note(f"{service.id} answered 412 to a sound call: it lacks data that it needs")
    else:
        why = "it wants the token of a client that it trusts" if reply.status in (401, 403) else "not 200"
        talk.results.found("H-1", where, f"HTTP {reply.status} to a sound call: {why}")
        return None
    quickest = min(reply.seconds, *(_again(talk, service, body, reply.status)))
    if quickest > SLOW_SECONDS:
        talk.results.found("R-9", where, f"took {quickest:.1f} s")
    return reply.status


def _again(talk: Conversation, service: Listed, body: Json, status: int) -> list[float]:
    """The same call with what clients may add: the seconds that each took."""
    added = body | {"extension": UNKNOWN, "unknownMember": 1}
    added["context"] = body["context"] | {"extension": UNKNOWN, "unknownMember": "1"}
    charset = {"Content-Type": "application/json; charset=utf-8"}
    variants: list[tuple[str, str, Json, Mapping[str, str]]] = [
        ("R-8", "with `extension` and unknown members", added, {}),
        ("R-12", "with a charset in the Content-Type", body, charset),
    ]
    seconds = []
    for rule, what, sent, headers in variants:
        reply = talk.post(rule, f"{service.id}, {what}", talk.url(service.id), sent, headers)
        if reply is None:
            continue
        seconds.append(reply.seconds)
        if reply.status != status:
            said = f"HTTP {reply.status}; without it, HTTP {status}"
            talk.results.found(rule, f"{service.id}, {what}", said)
    return seconds or [float("inf")]

"""Discovery: the list of services, and what in it can be called."""

from typing import Any
from urllib.parse import urlsplit

from cds_service.conformance.faults import Level
from cds_service.conformance.judge import discovery_faults
from cds_service.conformance.trial.conversation import Conversation, Listed
from cds_service.conformance.trial.wire import Unanswered, Unreachable
from cds_service.errors import InvalidInput

DISCOVERY = "discovery"


def discover(talk: Conversation) -> list[Listed]:
    """The services that can be called. Raises InvalidInput when there is nothing at the address."""
    talk.tell(DISCOVERY)
    _security(talk)
    talk.results.met("discovery")
    body = _body(talk)
    if not isinstance(body, dict):
        return []
    entries = [entry for entry in body.get("services") or () if isinstance(entry, dict)]
    _met(talk, entries)
    services = []
    for entry in entries:
        service = talk.listed(entry)
        if service is None:
            talk.results.note(f"not called, for want of an id or a hook of the library: {entry.get('id')}")
        else:
            services.append(service)
    return services


def _security(talk: Conversation) -> None:
    url = urlsplit(talk.base)
    if url.hostname in ("localhost", "127.0.0.1", "::1"):
        return
    talk.results.met("security")
    if url.scheme == "http":
        said = "the service is called over http: that is for tests only"
        talk.results.found("SEC-1", DISCOVERY, said)


def _body(talk: Conversation) -> Any:
    """The document, judged; None when it cannot be had."""
    results = talk.results
    try:
        reply = talk.wire.get(f"{talk.base}/cds-services")
    except Unreachable as error:
        raise InvalidInput(f"{talk.base}: {error}. Is the service running there?") from error
    except Unanswered as silence:
        results.found("D-1", DISCOVERY, str(silence))
        return None
    if reply.status != 200:
        results.found("D-1", DISCOVERY, _why(reply.status))
        return None
    try:
        body = reply.json()
    except Unanswered as fault:
        results.found("D-2", DISCOVERY, str(fault))
        return None
    if reply.kind != "application/json":
        said = f"the Content-Type is {reply.kind or 'absent'}, not application/json"
        results.found("G-1", DISCOVERY, said, Level.SHOULD)
    faults = discovery_faults(body)
    results.judged(DISCOVERY, faults)
    return body if isinstance(body, dict) and isinstance(body.get("services"), list) else None


def _why(status: int) -> str:
    if 300 <= status < 400:
        return f"HTTP {status} leads to another address: redirects are not followed, give that address itself"
    if status in (401, 403):
        return f"HTTP {status}: the service wants the token of a client that it trusts: give --key and --issuer"
    return f"HTTP {status}, not 200"


def _met(talk: Conversation, entries: list[dict[str, Any]]) -> None:
    talk.results.met("json")
    if entries:
        talk.results.met("entry")
    if any(entry.get("prefetch") for entry in entries):
        talk.results.met("template")

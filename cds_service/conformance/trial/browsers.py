"""Browser clients: the preflight is answered without a token, and every answer has the headers (X-1)."""

from collections.abc import Mapping

from cds_service.conformance.trial.conversation import Conversation, Listed
from cds_service.conformance.trial.wire import OutOfTime, Reply, Unanswered

ORIGIN = "https://conformance.example"


def call_from_browser(talk: Conversation, service: Listed) -> None:
    """Ask as a browser does, for discovery and for a service; then make a call that is refused."""
    talk.tell("browser clients")
    talk.results.met("browser")
    discovery = f"{talk.base}/cds-services"
    _preflight(talk, "preflight of discovery", discovery, "GET", "authorization")
    _preflight(talk, f"preflight of {service.id}", talk.url(service.id), "POST", "authorization,content-type")
    _answer(talk, "discovery", "GET", discovery, None)
    _answer(talk, "an error", "POST", talk.url(service.id), b"{not json")


def _preflight(talk: Conversation, where: str, url: str, method: str, names: str) -> None:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": names}
    reply = _ask(talk, where, "OPTIONS", url, None, asked)
    if reply is None:
        return
    if not 200 <= reply.status < 300:
        _found(talk, where, f"HTTP {reply.status}: browsers need 200 or 204, without a token")
        return
    allowed = reply.headers.get("Access-Control-Allow-Headers", "").lower()
    lacking = [name for name in names.split(",") if name not in allowed]
    if _allows(talk, where, reply) and lacking:
        _found(talk, where, f"Access-Control-Allow-Headers lacks {', '.join(lacking)}")


def _answer(talk: Conversation, where: str, method: str, url: str, body: bytes | None) -> None:
    reply = _ask(talk, where, method, url, body, {"Content-Type": "application/json"} if body else {})
    if reply is not None:
        _allows(talk, where, reply)


def _ask(
    talk: Conversation, where: str, method: str, url: str, body: bytes | None, headers: Mapping[str, str]
) -> Reply | None:
    try:
        return talk.wire.ask(method, url, body, {"Origin": ORIGIN, **headers})
    except OutOfTime:
        raise
    except Unanswered as silence:
        _found(talk, where, str(silence))
        return None


def _allows(talk: Conversation, where: str, reply: Reply) -> bool:
    origin = reply.headers.get("Access-Control-Allow-Origin")
    if origin not in ("*", ORIGIN):
        _found(talk, where, f"Access-Control-Allow-Origin is {origin or 'absent'}: a browser shows nothing of it")
        return False
    if origin == "*" and reply.headers.get("Access-Control-Allow-Credentials"):
        _found(talk, where, "Access-Control-Allow-Credentials beside `*`")
    return True


def _found(talk: Conversation, where: str, said: str) -> None:
    talk.results.found("X-1", f"browser, {where}", said)

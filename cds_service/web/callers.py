"""Who calls: asked before a request is read any further, and before its body is (T13 to T24)."""

from collections.abc import Callable, Mapping
from dataclasses import replace
from datetime import datetime
from hmac import compare_digest

import structlog
from flask import Flask, g, request

from cds_service.clients.admission import Admission
from cds_service.clients.switches import Switches
from cds_service.errors import Forbidden, Unauthenticated
from cds_service.hooks.remembering import Caller
from cds_service.store.records import CANARY_AGENT, CANARY_CLIENT, UNCHECKED_CLIENT
from cds_service.web.observing import called_by
from cds_service.web.settings import Settings
from cds_service.web.smart.app import CALLBACK, LAUNCH

DISCOVERY = "/cds-services"
OPEN = frozenset({"/about", "/healthz", "/openapi.json", "/readyz"})
"""What anybody may read: it tells of the service and never of patients or clients."""
SIGNED_IN_ELSEWHERE = frozenset({LAUNCH, CALLBACK})
"""Where browsers come of themselves: who they are, and of which patient they may see a grade, is proved to the EHR."""

log = structlog.get_logger()


def check_callers(
    app: Flask,
    settings: Settings,
    callers: Mapping[str, Caller],
    admission: Admission | None,
    switches: Switches,
    clock: Callable[[], datetime],
) -> None:
    """Let nobody in who may not: clients to the CDS routes, anybody to what is OPEN, users of the EHR
    to the app, operators to the rest.

    `callers` are the known ones by the id of their client. Without `admission` every client is the unchecked one. A
    preflight of a browser carries no token and gets none of this (X-1).
    """

    @app.before_request
    def prove() -> None:
        address = request.url_rule.rule if request.url_rule is not None else None
        if request.method == "OPTIONS" or address in OPEN:
            return
        g.now = clock()
        if is_cds_route():
            g.caller = _client()
            called_by(g.caller.client)
        elif address is not None and address not in SIGNED_IN_ELSEWHERE:
            _operator(settings)

    def _client() -> Caller:
        client = CANARY_CLIENT if request.user_agent.string == CANARY_AGENT else UNCHECKED_CLIENT
        if admission is not None:
            try:
                client = admission.admit(request.headers.get("Authorization"), _called(settings), g.now).id
            except Unauthenticated as refused:
                log.warning("call refused", reason=refused.reason)
                raise
        known, off = callers[client], switches.off(client)
        return replace(known, services_off=known.services_off | off) if off else known


def caller() -> Caller:
    """Who sent this request to a CDS route."""
    known: Caller = g.caller
    return known


def now() -> datetime:
    """The instant of this request."""
    instant: datetime = g.now
    return instant


def is_cds_route() -> bool:
    """Whether this request is one of CDS Hooks: it is answered in its forms."""
    return f"{request.path}/".startswith(f"{DISCOVERY}/")


def _called(settings: Settings) -> tuple[str, ...]:
    """The address of this request as clients know it, never as the request says (T15); for feedback, its service's too.

    Whether the audience of feedback is the service or its feedback is not said by the specification; clients do both.
    """
    address = f"{settings.public_url}{request.path.rstrip('/')}"
    return (address, address.removesuffix("/feedback"))


def _operator(settings: Settings) -> None:
    """Raises Unauthenticated unless the request has the key of operators, Forbidden when there is none to have."""
    if settings.operator_key is None:
        if settings.auth == "required":
            raise Forbidden("this address is for operators: set CRS_CDS_OPERATOR_KEY and send it as Bearer or password")
        return
    given = request.authorization
    secret = None
    if given is not None and given.type in ("bearer", "basic"):
        secret = given.token if given.type == "bearer" else given.password
    if not compare_digest((secret or "").encode(), settings.operator_key.get_secret_value().encode()):
        log.warning("key refused")
        raise Unauthenticated("operator key")

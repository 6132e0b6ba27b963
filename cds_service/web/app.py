"""The Flask application: what it is made of, in the order in which a request meets it."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from threading import Event

from flask import Flask

from cds_service.clients.admission import Admission
from cds_service.clients.smart.registrations import Registration
from cds_service.clients.switches import Switches
from cds_service.clients.trusted import TrustedClient
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.remembering import Caller
from cds_service.hooks.services import SERVICES
from cds_service.store.memory import Memory
from cds_service.store.records import CANARY_CLIENT, UNCHECKED_CLIENT
from cds_service.web.answers import answer_errors
from cds_service.web.callers import check_callers
from cds_service.web.cors import allow_browsers
from cds_service.web.observing import Observer, Spans, no_spans
from cds_service.web.places import Places, bound_load
from cds_service.web.readiness import Check, writable
from cds_service.web.routes import serve_description, serve_figures, serve_health, serve_hooks
from cds_service.web.settings import Settings
from cds_service.web.smart.routes import serve_smart
from cds_service.web.state import open_memory
from cds_service.web.wiring import callers_of, fhir_access, launched, linked, token_admission

THREADS = 24
"""Requests that a worker answers at once, more than may wait for one FHIR server (T89). Each may ask for all needs in
parallel without waiting for another's."""
WAITING = 16
"""Calls that may wait for one of those to be answered; more are refused at once (T89)."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of production: read once for each request."""
    return datetime.now(UTC)


def create_app(
    settings: Settings,
    knowledge: Knowledge,
    clock: Clock = utc_now,
    clients: Sequence[TrustedClient] = (),
    registrations: Sequence[Registration] = (),
) -> Flask:
    """The application for checked settings, knowledge, clients and registrations of the app.

    `clock` gives the instant of each request.
    """
    app = _without_routes(settings)
    observer = _observer(settings)
    observer.watch(app)
    app.extensions["crs-cds"] = access = fhir_access(settings, THREADS * len(knowledge.needs), observer)
    app.extensions["crs-cds-memory"] = memory = open_memory(settings, observer.lost)
    app.extensions["crs-cds-stopping"] = stopping = Event()
    bound_load(app, Places(THREADS, WAITING))
    off = frozenset(settings.services_off)
    knowledge = linked(knowledge, settings, registrations)
    unchecked = Caller(client=UNCHECKED_CLIENT, knowledge=knowledge, access=access, memory=memory, services_off=off)
    admission = token_admission(settings, clients, unchecked, observer) if settings.auth == "required" else None
    switches = Switches(settings.state_folder, [known.id for known in SERVICES])
    check_callers(app, settings, callers_of(clients, unchecked), admission, switches, clock)
    calling = [UNCHECKED_CLIENT, CANARY_CLIENT] if admission is None else [client.id for client in clients]
    serve_hooks(app, knowledge.needs, memory.store, observer, settings.maximum_body_bytes)
    serve_smart(app, launched(settings, registrations, unchecked, switches), observer)
    serve_health(app, _checks(settings, memory, admission), stopping, knowledge.content.knowledge)
    serve_description(app, knowledge.content)
    serve_figures(app, memory, observer, calling, settings.zone)
    answer_errors(app)
    allow_browsers(app, settings.cors_origins)
    return app


def _without_routes(settings: Settings) -> Flask:
    app = Flask(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.maximum_body_bytes + 1  # a chunked body is cut there, not refused
    return app


def _observer(settings: Settings) -> Observer:
    from cds_service.web.metrics import Metrics  # after the fork: it looks once whether processes share metrics

    return Observer(Metrics(), _spans(settings))


def _spans(settings: Settings) -> Spans:
    if not settings.tracing:
        return no_spans
    from cds_service.web.tracing import exported_spans  # its packages are an extra

    return exported_spans()


def _checks(settings: Settings, memory: Memory, admission: Admission | None) -> dict[str, Check]:
    """What must be well for the service to be ready, by name."""
    checks: dict[str, Check] = {
        "store": memory.store.ready,
        "stateFolder": partial(writable, settings.state_folder),
        "disk": memory.roomy,
    }
    return checks if admission is None else checks | {"keys": admission.ready}

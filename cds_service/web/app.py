"""The Flask application: its routes, and what they are wired with."""

from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from threading import Event

import orjson
from flask import Flask, Response, request

from cds_service.clients.switches import Switches
from cds_service.clients.trusted import TrustedClient
from cds_service.errors import Unavailable
from cds_service.fhir.strict_json import parse
from cds_service.hooks.feedback import take_feedback
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.remembering import Caller, answer_and_remember
from cds_service.hooks.services import SERVICES, discovery, service
from cds_service.store.records import CANARY_CLIENT, UNCHECKED_CLIENT
from cds_service.web.about import About
from cds_service.web.answers import answer, answer_errors, page, refusal
from cds_service.web.body import read_body
from cds_service.web.callers import caller, check_callers, now
from cds_service.web.cors import allow_browsers
from cds_service.web.observing import Observer, Spans, no_spans
from cds_service.web.page import HTML, JSON
from cds_service.web.places import Places, bound_load
from cds_service.web.readiness import OK, Check, findings, writable
from cds_service.web.report import FORMATS, count, day, form, written
from cds_service.web.settings import Settings
from cds_service.web.state import open_memory
from cds_service.web.wiring import callers_of, fhir_access, token_admission

THREADS = 24
"""Requests that a worker answers at once, more than may wait for one FHIR server (T89). Each may ask for all needs in
parallel without waiting for another's."""
WAITING = 16
"""Calls that may wait for one of those to be answered; more are refused at once (T89)."""
OPENAPI = files("cds_service.web").joinpath("openapi.json").read_bytes()
"""What every route takes and answers, written by hand and kept equal to the routes by the tests."""

Clock = Callable[[], datetime]


def utc_now() -> datetime:
    """The clock of production: read once for each request."""
    return datetime.now(UTC)


def create_app(
    settings: Settings, knowledge: Knowledge, clock: Clock = utc_now, clients: Sequence[TrustedClient] = ()
) -> Flask:
    """The application for checked settings, knowledge and clients. `clock` gives the instant of each request."""
    app = Flask(__name__, static_folder=None)
    app.url_map.strict_slashes = False
    app.url_map.merge_slashes = False
    app.config["MAX_CONTENT_LENGTH"] = settings.maximum_body_bytes + 1  # a chunked body is cut there, not refused
    from cds_service.web.metrics import TYPE, Metrics  # after the fork: it looks once whether processes share metrics

    observer = Observer(Metrics(), _spans(settings))
    observer.watch(app)
    app.extensions["crs-cds"] = access = fhir_access(settings, THREADS * len(knowledge.needs), observer)
    app.extensions["crs-cds-memory"] = memory = open_memory(settings, observer.lost)
    app.extensions["crs-cds-stopping"] = stopping = Event()
    bound_load(app, Places(THREADS, WAITING))
    unchecked = Caller(
        client=UNCHECKED_CLIENT,
        knowledge=knowledge,
        access=access,
        memory=memory,
        services_off=frozenset(settings.services_off),
    )
    admission = token_admission(settings, clients, unchecked, observer) if settings.auth == "required" else None
    switches = Switches(settings.state_folder, [known.id for known in SERVICES])
    check_callers(app, settings, callers_of(clients, unchecked), admission, switches, clock)
    calling = [UNCHECKED_CLIENT, CANARY_CLIENT] if admission is None else [client.id for client in clients]
    checks: dict[str, Check] = {
        "store": memory.store.ready,
        "stateFolder": partial(writable, settings.state_folder),
        "disk": memory.roomy,
        **({"keys": admission.ready} if admission is not None else {}),
    }
    described = About.of(knowledge.content)

    @app.get("/cds-services")
    def discover() -> Response:
        return answer(orjson.dumps(discovery(knowledge.needs, caller().services_off)))

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        known = service(service_id)
        body = parse(read_body(settings.maximum_body_bytes))
        given = answer_and_remember(known, body, caller(), now())
        observer.answered(known.id, given)
        return answer(orjson.dumps(given.response))

    @app.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        known = service(service_id)
        body = parse(read_body(settings.maximum_body_bytes))
        return answer(orjson.dumps(take_feedback(body, known.id, caller().client, memory.store, now())))

    @app.get("/healthz")
    def healthy() -> Response:
        return answer(b'{"status":"ok"}')

    @app.get("/readyz")
    def ready() -> Response:
        if stopping.is_set():
            raise Unavailable("this service is being stopped: send calls to another")
        found = findings(checks)
        wrong = [f"{name}: {said}" for name, said in found.items() if said != OK]
        known = {"checks": found, "protocol": knowledge.content.knowledge}
        if wrong:
            return refusal(Unavailable(f"this service is not ready: {'; '.join(wrong)}"), **known)
        return answer(orjson.dumps({"status": "ok", **known}))

    @app.get("/about")
    def about() -> Response:
        kind = request.accept_mimetypes.best_match((JSON, HTML), JSON)
        return page(described.page if kind == HTML else described.document, kind)

    @app.get("/openapi.json")
    def openapi() -> Response:
        return answer(OPENAPI)

    @app.get("/report")
    def report() -> Response:
        first, last = (day(name, request.args.get(name)) for name in ("from", "to"))
        counted = count(memory.store, first, last, now(), settings.zone)
        kind = form(request.args.get("format")) or request.accept_mimetypes.best_match(FORMATS.values(), HTML)
        return page(written(counted, kind), kind)

    @app.get("/metrics")
    def metrics() -> Response:
        response = answer(observer.exposition(memory, calling, now()))
        response.content_type = TYPE
        return response

    answer_errors(app)
    allow_browsers(app, settings.cors_origins)
    return app


def _spans(settings: Settings) -> Spans:
    if not settings.tracing:
        return no_spans
    from cds_service.web.tracing import exported_spans  # its packages are an extra

    return exported_spans()

"""The Flask application: its routes, and what they are wired with."""

from collections.abc import Callable, Sequence
from concurrent.futures import Future, ThreadPoolExecutor
from contextvars import copy_context
from dataclasses import replace
from datetime import UTC, datetime
from functools import partial
from importlib.resources import files
from threading import Event
from typing import Any, TypeVar

import orjson
from flask import Flask, Response, request

from cds_service.clients.admission import Admission
from cds_service.clients.key_sets import MAXIMUM_BYTES, READ_SECONDS
from cds_service.clients.switches import Switches
from cds_service.clients.trusted import TrustedClient
from cds_service.errors import (
    Unavailable,
)
from cds_service.fhir.client import Connections, read_document
from cds_service.fhir.strict_json import parse
from cds_service.fhir.watch import Watch
from cds_service.hooks.evaluate import Access
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

THREADS = 24
"""Requests that a worker answers at once, more than may wait for one FHIR server (T89). Each may ask for all needs in
parallel without waiting for another's."""
WAITING = 16
"""Calls that may wait for one of those to be answered; more are refused at once (T89)."""
OPENAPI = files("cds_service.web").joinpath("openapi.json").read_bytes()
"""What every route takes and answers, written by hand and kept equal to the routes by the tests."""

_Result = TypeVar("_Result")
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

    spans: Spans = no_spans
    if settings.tracing:
        from cds_service.web.tracing import exported_spans  # its packages are an extra

        spans = exported_spans()
    observer = Observer(Metrics(), spans)
    observer.watch(app)
    app.extensions["crs-cds"] = access = _access(settings, knowledge, observer)
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
    canary = replace(unchecked, client=CANARY_CLIENT)
    callers = {known.client: known for known in (unchecked, canary)} | {
        client.id: _caller(client, unchecked) for client in clients
    }
    admission, calling = None, [UNCHECKED_CLIENT, CANARY_CLIENT]
    if settings.auth == "required":
        admission, calling = _admission(settings, clients, unchecked, observer), [client.id for client in clients]
    switches = Switches(settings.state_folder, [known.id for known in SERVICES])
    check_callers(app, settings, callers, admission, switches, clock)
    checks: dict[str, Check] = {
        "store": memory.store.ready,
        "stateFolder": partial(writable, settings.state_folder),
        "disk": memory.roomy,
    }
    if admission is not None:
        checks["keys"] = admission.ready
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


def _caller(client: TrustedClient, unchecked: Caller) -> Caller:
    """What the calls of a trusted client may do: its FHIR servers and no others, and its form of answers."""
    known = unchecked.knowledge
    profile = known.profile if client.profile is None else known.content.clients[client.profile]
    return replace(
        unchecked,
        client=client.id,
        knowledge=replace(known, profile=profile),
        access=replace(unchecked.access, allow_list=client.fhir_servers),
        services_off=unchecked.services_off | client.services_off,
    )


def _admission(
    settings: Settings, clients: Sequence[TrustedClient], unchecked: Caller, observer: Observer
) -> Admission:
    def read(client: TrustedClient) -> bytes:
        connections = unchecked.access.connections
        return read_document(str(client.jku), client.jku_networks, connections, READ_SECONDS, MAXIMUM_BYTES)

    use_once = unchecked.memory.store.use_once
    pace, fail_open = settings.calls_per_minute, settings.jti_fail_open
    return Admission(clients, read, use_once, pace, observer.saw_token, fail_open=fail_open)


class _Pool(ThreadPoolExecutor):
    """Threads that know for which request they work: its id stands in their log lines, its span in their traces."""

    def submit(self, work: Callable[..., _Result], /, *given: Any, **named: Any) -> Future[_Result]:
        return super().submit(copy_context().run, work, *given, **named)


def _access(settings: Settings, knowledge: Knowledge, watch: Watch) -> Access:
    """One pool of connections and threads for all requests."""
    return Access(
        connections=Connections(settings.ca_bundle),
        executor=_Pool(max_workers=THREADS * len(knowledge.needs), thread_name_prefix="fhir"),
        allow_list=settings.fhir_servers,
        deadline_seconds=settings.deadline_seconds,
        one_phase=settings.one_phase,
        watch=watch,
    )

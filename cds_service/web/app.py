"""The Flask application: routes, limits, CORS, and one place where errors become answers."""

from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from http import HTTPStatus
from importlib.resources import files
from threading import Event

import orjson
import structlog
from flask import Flask, Response, request
from gunicorn.http.errors import ParseException
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from cds_service.clients.admission import Admission
from cds_service.clients.key_sets import MAXIMUM_BYTES, READ_SECONDS
from cds_service.clients.switches import Switches
from cds_service.clients.trusted import TrustedClient
from cds_service.errors import (
    BodyTooLarge,
    CdsError,
    InvalidRequest,
    MethodNotAllowed,
    Unauthenticated,
    Unavailable,
    UnknownService,
    UnsupportedMediaType,
    operation_outcome,
)
from cds_service.fhir.client import Connections, read_document
from cds_service.fhir.strict_json import parse
from cds_service.hooks.evaluate import Access
from cds_service.hooks.feedback import take_feedback
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.remembering import Caller, answer_and_remember
from cds_service.hooks.services import SERVICES, discovery, service
from cds_service.store.records import UNCHECKED_CLIENT
from cds_service.web.about import About
from cds_service.web.callers import caller, check_callers, is_cds_route, now
from cds_service.web.cors import allow_browsers
from cds_service.web.page import HTML, JSON, POLICY
from cds_service.web.places import Places, bound_load
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
TOO_LARGE = "the body is larger than this service reads"

log = structlog.get_logger()
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
    app.extensions["crs-cds"] = access = _access(settings, knowledge)
    app.extensions["crs-cds-memory"] = memory = open_memory(settings)
    app.extensions["crs-cds-stopping"] = stopping = Event()
    bound_load(app, Places(THREADS, WAITING))
    unchecked = Caller(
        client=UNCHECKED_CLIENT,
        knowledge=knowledge,
        access=access,
        memory=memory,
        services_off=frozenset(settings.services_off),
    )
    callers = {unchecked.client: unchecked} | {client.id: _caller(client, unchecked) for client in clients}
    admission = _admission(settings, clients, unchecked) if settings.auth == "required" else None
    switches = Switches(settings.state_folder, [known.id for known in SERVICES])
    check_callers(app, settings, callers, admission, switches, clock)
    described = About.of(knowledge.content)

    @app.get("/cds-services")
    def discover() -> Response:
        return _answer(orjson.dumps(discovery(knowledge.needs, caller().services_off)))

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        known = service(service_id)
        body = parse(_body(settings.maximum_body_bytes))
        return _answer(orjson.dumps(answer_and_remember(known, body, caller(), now()).response))

    @app.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        known = service(service_id)
        body = parse(_body(settings.maximum_body_bytes))
        return _answer(orjson.dumps(take_feedback(body, known.id, caller().client, memory.store, now())))

    @app.get("/healthz")
    def healthy() -> Response:
        return _answer(b'{"status":"ok"}')

    @app.get("/readyz")
    def ready() -> Response:
        if stopping.is_set():
            raise Unavailable("this service is being stopped: send calls to another")
        memory.ready()
        return _answer(orjson.dumps({"status": "ok", "protocol": knowledge.content.knowledge}))

    @app.get("/about")
    def about() -> Response:
        kind = request.accept_mimetypes.best_match((JSON, HTML), JSON)
        return _page(described.page if kind == HTML else described.document, kind)

    @app.get("/openapi.json")
    def openapi() -> Response:
        return _answer(OPENAPI)

    @app.get("/report")
    def report() -> Response:
        first, last = (day(name, request.args.get(name)) for name in ("from", "to"))
        counted = count(memory.store, first, last, now(), settings.zone)
        kind = form(request.args.get("format")) or request.accept_mimetypes.best_match(FORMATS.values(), HTML)
        return _page(written(counted, kind), kind)

    _answer_errors(app)
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


def _admission(settings: Settings, clients: Sequence[TrustedClient], unchecked: Caller) -> Admission:
    def read(client: TrustedClient) -> bytes:
        connections = unchecked.access.connections
        return read_document(str(client.jku), client.jku_networks, connections, READ_SECONDS, MAXIMUM_BYTES)

    use_once = unchecked.memory.store.use_once
    return Admission(clients, read, use_once, settings.calls_per_minute, fail_open=settings.jti_fail_open)


def _access(settings: Settings, knowledge: Knowledge) -> Access:
    """One pool of connections and threads for all requests."""
    return Access(
        connections=Connections(settings.ca_bundle),
        executor=ThreadPoolExecutor(max_workers=THREADS * len(knowledge.needs), thread_name_prefix="fhir"),
        allow_list=settings.fhir_servers,
        deadline_seconds=settings.deadline_seconds,
        one_phase=settings.one_phase,
    )


def _body(maximum: int) -> bytes:
    """The request body. Raises the error that says why it is not plain JSON of the length that is read."""
    if request.mimetype not in ("application/json", "application/fhir+json"):
        raise UnsupportedMediaType("send the body with Content-Type: application/json")
    if request.headers.get("Content-Encoding", "identity") != "identity":
        raise UnsupportedMediaType("compressed bodies are not read: send the body without Content-Encoding")
    try:
        body = request.get_data(cache=False)
    except (OSError, ParseException) as error:
        raise InvalidRequest("the body ends early, or its chunks are malformed") from error
    if not body:
        raise InvalidRequest("the body is empty: send a JSON object")
    if len(body) > maximum:
        raise BodyTooLarge(TOO_LARGE)
    if len(body) < (request.content_length or 0):
        raise InvalidRequest("the body is shorter than its Content-Length")
    return body


def _answer(body: bytes, status: int = HTTPStatus.OK, mimetype: str = "application/json") -> Response:
    response = Response(body, status=status, mimetype=mimetype)
    response.headers["Cache-Control"] = "no-store"
    response.headers["X-Content-Type-Options"] = "nosniff"
    return response


def _page(body: bytes, mimetype: str) -> Response:
    """What a browser may show, in the form it asked for."""
    response = _answer(body, mimetype=mimetype)
    response.headers["Content-Security-Policy"] = POLICY
    response.vary.add("Accept")
    return response


def _answer_errors(app: Flask) -> None:
    """Every error becomes JSON: OperationOutcome on CDS routes, problem+json elsewhere; never HTML, never a trace."""

    @app.errorhandler(CdsError)
    def refused(error: CdsError) -> Response:
        log.info("refused", status=int(error.status), reason=type(error).__name__)
        return _error(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if isinstance(error, RequestEntityTooLarge):
            return _error(BodyTooLarge(TOO_LARGE))
        if error.code == HTTPStatus.METHOD_NOT_ALLOWED:
            response = _error(MethodNotAllowed(f"this address does not take {request.method}"))
            response.headers.update({name: value for name, value in error.get_headers() if name == "Allow"})
            return response
        if error.code == HTTPStatus.NOT_FOUND:
            return _error(UnknownService("there is nothing at this address: GET /cds-services lists the services"))
        return _error(InvalidRequest("the request cannot be read: send plain JSON over HTTP"))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        log.error("failed", reason=type(error).__name__, where=_where(error))
        return _error(CdsError("the service failed on this request; nothing was graded. Its log says where"))


def _where(error: Exception) -> str:
    """File and line of the failure, without values: a message may hold patient data."""
    trace = error.__traceback__
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "unknown"


def _error(error: CdsError) -> Response:
    response = _described(error)
    if error.retry_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_seconds)
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer" if is_cds_route() else 'Basic realm="crs-cds", charset="UTF-8"'
    return response


def _described(error: CdsError) -> Response:
    if is_cds_route():
        return _answer(orjson.dumps(operation_outcome(error)), error.status, "application/fhir+json")
    problem = {
        "type": "about:blank",
        "title": error.status.phrase,
        "status": int(error.status),
        "detail": error.message,
    }
    return _answer(orjson.dumps(problem), error.status, "application/problem+json")

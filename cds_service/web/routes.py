"""The routes of the application, one function for each subject."""

from collections.abc import Collection, Mapping
from datetime import tzinfo
from importlib.resources import files
from threading import Event

import orjson
from flask import Flask, Response, request

from cds_service.content.load import Content
from cds_service.errors import Unavailable
from cds_service.fhir.needs import Need
from cds_service.fhir.strict_json import parse
from cds_service.hooks.feedback import take_feedback
from cds_service.hooks.remembering import answer_and_remember
from cds_service.hooks.services import discovery, service
from cds_service.store.memory import Memory
from cds_service.store.store import Store
from cds_service.web.about import About
from cds_service.web.answers import answer, page, refusal
from cds_service.web.body import read_body
from cds_service.web.callers import caller, now
from cds_service.web.observing import Observer
from cds_service.web.page import HTML, JSON
from cds_service.web.readiness import OK, Check, findings
from cds_service.web.report import FORMATS, count, day, form, written

OPENAPI = files("cds_service.web").joinpath("openapi.json").read_bytes()
"""What every route takes and answers, written by hand and kept equal to the routes by the tests."""


def serve_hooks(app: Flask, needs: tuple[Need, ...], store: Store, observer: Observer, maximum_body_bytes: int) -> None:
    """CDS Hooks: discovery, the calls of each service, and feedback to its cards."""

    @app.get("/cds-services")
    def discover() -> Response:
        return answer(orjson.dumps(discovery(needs, caller().services_off)))

    @app.post("/cds-services/<service_id>")
    def call(service_id: str) -> Response:
        known = service(service_id)
        body = parse(read_body(maximum_body_bytes))
        given = answer_and_remember(known, body, caller(), now())
        observer.answered(known.id, given)
        response = answer(orjson.dumps(given.response))
        response.call_on_close(lambda: given)  # what was read is let go of when the answer is sent, not before
        return response

    @app.post("/cds-services/<service_id>/feedback")
    def feedback(service_id: str) -> Response:
        known = service(service_id)
        body = parse(read_body(maximum_body_bytes))
        return answer(orjson.dumps(take_feedback(body, known.id, caller().client, store, now())))


def serve_health(app: Flask, checks: Mapping[str, Check], stopping: Event, knowledge: Mapping[str, str]) -> None:
    """Whether the process lives, and whether calls should be sent to it: not while it is `stopping`.

    `knowledge` names the content with which it would answer.
    """

    @app.get("/healthz")
    def healthy() -> Response:
        return answer(b'{"status":"ok"}')

    @app.get("/readyz")
    def ready() -> Response:
        if stopping.is_set():
            raise Unavailable("this service is being stopped: send calls to another")
        found = findings(checks)
        wrong = [f"{name}: {said}" for name, said in found.items() if said != OK]
        known = {"checks": found, "protocol": knowledge}
        if wrong:
            return refusal(Unavailable(f"this service is not ready: {'; '.join(wrong)}"), **known)
        return answer(orjson.dumps({"status": "ok", **known}))


def serve_description(app: Flask, content: Content) -> None:
    """What the service is and rests on, and how it is called."""
    described = About.of(content)

    @app.get("/about")
    def about() -> Response:
        kind = request.accept_mimetypes.best_match((JSON, HTML), JSON)
        return page(described.page if kind == HTML else described.document, kind)

    @app.get("/openapi.json")
    def openapi() -> Response:
        return answer(OPENAPI)


def serve_figures(app: Flask, memory: Memory, observer: Observer, clients: Collection[str], zone: tzinfo) -> None:
    """What operators look at: the report of a stretch of days of the `zone`, and metrics, of `clients` by name."""

    @app.get("/report")
    def report() -> Response:
        first, last = (day(name, request.args.get(name)) for name in ("from", "to"))
        counted = count(memory.store, first, last, now(), zone)
        kind = form(request.args.get("format")) or request.accept_mimetypes.best_match(FORMATS.values(), HTML)
        return page(written(counted, kind), kind)

    @app.get("/metrics")
    def metrics() -> Response:
        response = answer(observer.exposition(memory, clients, now()))
        response.content_type = observer.metrics.content_type
        return response

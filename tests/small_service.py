"""A small CDS service that is not ours: sound as it stands, with a switch for each way to break it.

It knows nothing of CRS. `Small.broken` names the switch; the tests say what each must be found as.
"""

import json
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from copy import deepcopy
from dataclasses import dataclass
from threading import Thread
from typing import Any

from flask import Flask, Response, request
from werkzeug.serving import make_server

from tests.server import HOST, SECONDS, Quiet

Json = dict[str, Any]
TEMPLATES = {
    "patient": "Patient/{{context.patientId}}",
    "problems": "Condition?patient={{context.patientId}}&_sort=-recorded-date",
}
SERVICE = {
    "id": "walk-more",
    "hook": "order-sign",
    "title": "Walk more",
    "description": "Reminds of walking.",
    "prefetch": TEMPLATES,
}
CARD: Json = {
    "uuid": "8f14e45f-ceea-467f-9575-000000000001",
    "summary": "Walking is good for this patient",
    "detail": "Half an hour a day.",
    "indicator": "info",
    "source": {
        "label": "Walking society",
        "url": "https://walk.example/",
        "topic": {"system": "https://walk.example/topics", "code": "walk"},
    },
    "selectionBehavior": "any",
    "suggestions": [
        {
            "label": "Order a walk",
            "uuid": "8f14e45f-ceea-467f-9575-000000000002",
            "actions": [
                {
                    "type": "create",
                    "description": "Order a walk",
                    "resource": {
                        "resourceType": "ServiceRequest",
                        "status": "draft",
                        "intent": "proposal",
                        "code": {"text": "walk"},
                        "subject": {"reference": "Patient/somebody"},
                    },
                }
            ],
        },
        {
            "label": "Drop the medicine",
            "uuid": "8f14e45f-ceea-467f-9575-000000000003",
            "actions": [{"type": "delete", "description": "Drop the medicine"}],
        },
    ],
    "overrideReasons": [{"system": "https://walk.example/reasons", "code": "no", "display": "Does not walk"}],
    "links": [{"label": "Maps", "url": "https://walk.example/maps", "type": "absolute"}],
}
CORS = {"Access-Control-Allow-Origin": "*"}
PREFLIGHT = CORS | {"Access-Control-Allow-Headers": "authorization, content-type"}
TRACE = 'Traceback (most recent call last):\n  File "walk.py", line 7, in walk\nKeyError: "hook"'
TOKEN = "eyJhbGciOiJSUzM4NCJ9.eyJpc3MiOiJ4In0.c2ln"


class Refused(Exception):
    """A wrong call, with its status."""

    def __init__(self, status: int, words: str = "this is no sound call") -> None:
        super().__init__(words)
        self.status, self.words = status, words


@dataclass
class Small:
    """The running service: where it is, how it is broken, and a last word on its answers."""

    base: str = ""
    broken: str = ""
    document: Callable[[Json], Any] = lambda document: document
    answer: Callable[[Json], Any] = lambda answer: answer

    def mend(self) -> None:
        """Be sound again."""
        self.broken = ""
        self.document = self.answer = lambda body: body


@contextmanager
def small_service() -> Iterator[Small]:
    """Such a service, running."""
    small = Small()
    http = make_server(HOST, 0, _app(small), threaded=True, request_handler=Quiet)
    small.base = f"http://{HOST}:{http.server_port}"
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield small
    finally:
        http.shutdown()
        thread.join(SECONDS)
        http.server_close()


def _app(small: Small) -> Flask:
    app = Flask(__name__)

    @app.before_request
    def preflight() -> Response | None:
        if request.method != "OPTIONS":
            return None
        if small.broken == "preflight wants a token":
            return Response(status=401)
        names = CORS if small.broken == "preflight forgets the headers" else PREFLIGHT
        return Response(status=204, headers=names)

    @app.get("/cds-services")
    def discover() -> Response:
        if small.broken == "redirect":
            return Response(status=301, headers={"Location": "/elsewhere", **CORS})
        if small.broken == "discovery as HTML":
            return Response("<html><body>Welcome</body></html>", mimetype="text/html", headers=CORS)
        return _json(small.document({"services": [deepcopy(SERVICE)]}))

    @app.post("/cds-services/<name>")
    def call(name: str) -> Response:
        if name != SERVICE["id"]:
            raise Refused(404)
        body = _sound(small)
        card = deepcopy(CARD)
        [order] = [entry["resource"] for entry in body["context"]["draftOrders"]["entry"]]
        card["suggestions"][1]["actions"][0]["resourceId"] = f"MedicationRequest/{order['id']}"
        if small.broken == "slow":
            time.sleep(0.6)
        return _json(small.answer({"cards": [card]}))

    @app.post("/cds-services/<name>/feedback")
    def feedback(name: str) -> Response:
        if small.broken == "no feedback":
            raise Refused(404)
        entries = (_body() or {}).get("feedback") if isinstance(_body(), dict) else None
        sound = isinstance(entries, list) and all(
            isinstance(entry.get("card"), str) and entry.get("outcome") in ("accepted", "overridden")
            for entry in entries
        )
        if small.broken == "feedback refused":
            raise Refused(400)
        if small.broken == "feedback crashes" and not sound:
            raise Refused(500)
        if not sound and small.broken != "feedback of any shape":
            raise Refused(400)
        return _json({})

    @app.errorhandler(Refused)
    def refused(error: Refused) -> Response:
        return _refusal(small, error)

    @app.errorhandler(405)
    def wrong_method(_: Exception) -> Response:
        return _refusal(small, Refused(405))

    return app


def _body() -> Any:
    try:
        return json.loads(request.get_data())
    except ValueError:
        return None


def _sound(small: Small) -> Json:
    """The body of a sound call. Raises Refused for another, and for what the broken service cannot take."""
    body, broken = _body(), small.broken
    if broken == "no charset" and "charset" in request.headers["Content-Type"]:
        raise Refused(415)
    if not isinstance(body, dict):
        raise Refused(500 if broken == "crash on what is no JSON" else 400)
    context = body.get("context")
    members = isinstance(context, dict) and {"userId", "patientId", "draftOrders"} <= context.keys()
    if not members or body.get("hook") != "order-sign" or not body.get("hookInstance"):
        raise Refused(400)
    if broken == "crash on every call":
        raise Refused(500)
    if broken == "no extension" and "extension" in body:
        raise Refused(400)
    prefetch = body.get("prefetch")
    if broken == "prefetch required" and prefetch is None:
        raise Refused(400)
    kinds = {value["resourceType"] for value in (prefetch or {}).values() if value}
    if (broken, *kinds) in {("crash on empty Bundles", "Bundle"), ("crash on outcomes", "OperationOutcome")}:
        raise Refused(500)
    return body


def _refusal(small: Small, error: Refused) -> Response:
    headers = {} if small.broken == "errors without CORS" else CORS
    if small.broken == "wrong calls are answered" and error.status == 400 and "feedback" not in request.path:
        return _json({"cards": []})
    if small.broken == "errors as HTML":
        return Response("<!doctype html><h1>Bad</h1>", error.status, headers, mimetype="text/html")
    if small.broken == "errors as text":
        return Response(error.words, error.status, headers, mimetype="text/plain")
    words = {"errors with a trace": TRACE, "errors with a token": f"got {TOKEN}"}.get(small.broken, error.words)
    issue = {"severity": "error", "code": "invalid", "diagnostics": words}
    return _json({"resourceType": "OperationOutcome", "issue": [issue]}, error.status, headers)


def _json(body: Any, status: int = 200, headers: Json = CORS) -> Response:
    return Response(json.dumps(body), status, headers, mimetype="application/json")

"""The routes of the demo chart: its page and files, its stories and their clock, Markdown as HTML."""

from collections.abc import Callable
from datetime import datetime
from http import HTTPStatus
from importlib.resources import files

import orjson
from flask import Blueprint, Response, request
from markdown_it import MarkdownIt

from cds_service.errors import InvalidRequest, UnknownService
from cds_service.fhir.stories import Story
from cds_service.fhir.strict_json import parse
from cds_service.web.answers import answer
from cds_service.web.body import read_body
from cds_service.web.demo.told import MINUTES_AFTER, MINUTES_BEFORE, Shelf
from cds_service.web.page import HTML

PAGE = files("cds_service.web.demo").joinpath("chart.html").read_bytes()
MAXIMUM_BODY_BYTES = 100_000
POLICY = "; ".join(
    (
        "default-src 'none'",
        "script-src 'self'",
        "style-src 'self'",
        "connect-src 'self'",
        "img-src 'self'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""Scripts and styles are files of this package; nothing is loaded from elsewhere and nothing inline is run."""
_MARKDOWN = MarkdownIt("commonmark", {"html": False, "breaks": True}).enable("table").disable(["image", "link"])
"""What cards use. Markup of the record stays text, and a card's links are its own members."""


def demo_blueprint(shelf: Shelf, clock: Callable[[], datetime], timezone: str, fhir_base: str) -> Blueprint:
    """The demo chart, wherever the blueprint is registered. Times are shown in the `timezone` of the service."""
    blueprint = Blueprint("demo", __name__, static_folder="static")

    @blueprint.get("/")
    def chart() -> Response:
        page = answer(PAGE, mimetype=HTML)
        page.headers["Content-Security-Policy"] = POLICY
        return page

    @blueprint.get("/stories")
    def stories() -> Response:
        return answer(
            orjson.dumps({"stories": shelf.listed(), "timezone": timezone, "fhirServer": fhir_base, "user": shelf.user})
        )

    @blueprint.get("/stories/<name>")
    def story(name: str) -> Response:
        return answer(orjson.dumps(shelf.describe(_found(name))))

    @blueprint.put("/stories/<name>/clock")
    def turn(name: str) -> Response:
        shelf.turn(_found(name), _minutes(parse(read_body(MAXIMUM_BODY_BYTES))), clock())
        return Response(status=HTTPStatus.NO_CONTENT)

    @blueprint.post("/markdown")
    def markdown() -> Response:
        text = request.get_data(cache=False).decode("utf-8", "replace")
        return answer(_MARKDOWN.render(text).encode(), mimetype=HTML)

    def _found(name: str) -> Story:
        found = shelf.find(name)
        if found is None:
            raise UnknownService("there is no story of that name: GET /demo/stories lists them")
        return found

    return blueprint


def _minutes(body: object) -> int:
    minutes = body.get("minutes") if isinstance(body, dict) else None
    if type(minutes) is not int or not -MINUTES_BEFORE <= minutes <= MINUTES_AFTER:
        raise InvalidRequest(
            f"minutes: it must be a whole number from -{MINUTES_BEFORE} to {MINUTES_AFTER}", expression="minutes"
        )
    return minutes

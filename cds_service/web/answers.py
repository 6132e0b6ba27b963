"""Answers: their headers, and the one place where errors become answers."""

from collections.abc import Mapping
from http import HTTPStatus
from typing import Any

import orjson
from flask import Flask, Response, request
from werkzeug.exceptions import HTTPException, RequestEntityTooLarge

from cds_service.errors import (
    BodyTooLarge,
    CdsError,
    InvalidRequest,
    MethodNotAllowed,
    Unauthenticated,
    UnknownService,
    operation_outcome,
)
from cds_service.web.body import TOO_LARGE
from cds_service.web.callers import is_cds_route
from cds_service.web.logs import cause
from cds_service.web.observing import ended, failed_at
from cds_service.web.page import POLICY

KEPT_BY_NOBODY = {"Cache-Control": "no-store", "X-Content-Type-Options": "nosniff"}


def answer(body: bytes, status: int = HTTPStatus.OK, mimetype: str = "application/json") -> Response:
    """A body that nobody keeps, and nobody takes for another kind than it is."""
    return Response(body, status, KEPT_BY_NOBODY, mimetype)


def page(body: bytes, mimetype: str) -> Response:
    """What a browser may show, in the form it asked for."""
    response = answer(body, mimetype=mimetype)
    response.headers["Content-Security-Policy"] = POLICY
    response.vary.add("Accept")
    return response


def answer_errors(app: Flask) -> None:
    """Every error becomes JSON: OperationOutcome on CDS routes, problem+json elsewhere; never HTML, never a trace."""

    @app.errorhandler(CdsError)
    def refused(error: CdsError) -> Response:
        return refusal(error)

    @app.errorhandler(HTTPException)
    def http_error(error: HTTPException) -> Response:
        if isinstance(error, RequestEntityTooLarge):
            return refusal(BodyTooLarge(TOO_LARGE))
        if error.code == HTTPStatus.METHOD_NOT_ALLOWED:
            response = refusal(MethodNotAllowed(f"this address does not take {request.method}"))
            response.headers.update({name: value for name, value in error.get_headers() if name == "Allow"})
            return response
        if error.code == HTTPStatus.NOT_FOUND:
            return refusal(UnknownService("there is nothing at this address: GET /cds-services lists the services"))
        return refusal(InvalidRequest("the request cannot be read: send plain JSON over HTTP"))

    @app.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        failed_at(**cause(error))
        return refusal(CdsError("the service failed on this request; nothing was graded. Its log says where"))


def refusal(error: CdsError, **known: Any) -> Response:
    """The error as an answer, `known` beside it where the form of the answer allows for it."""
    ended(error)
    response = _described(error, known)
    if error.retry_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_seconds)
    if isinstance(error, Unauthenticated):
        response.headers["WWW-Authenticate"] = "Bearer" if is_cds_route() else 'Basic realm="crs-cds", charset="UTF-8"'
    return response


def _described(error: CdsError, known: Mapping[str, Any]) -> Response:
    if is_cds_route():
        return answer(orjson.dumps(operation_outcome(error)), error.status, "application/fhir+json")
    problem = {
        "type": "about:blank",
        "title": error.status.phrase,
        "status": int(error.status),
        "detail": error.message,
        **known,
    }
    return answer(orjson.dumps(problem), error.status, "application/problem+json")

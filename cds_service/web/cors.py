"""CORS on every answer, also on errors: without it a browser client sees only "network error" (X-1, T76)."""

from collections.abc import Sequence
from http import HTTPStatus

from flask import Flask, Response, request

ALLOWED = {
    "Access-Control-Allow-Methods": "GET, POST, OPTIONS",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Accept",
    "Access-Control-Max-Age": "600",
}


def allow_browsers(app: Flask, origins: Sequence[str]) -> None:
    """Let browser clients of these origins call; never with credentials. Headers already set are left alone."""

    @app.before_request
    def preflight() -> Response | None:
        """A browser asks first and shows no error to its page unless that is answered, at any address."""
        asked = request.method == "OPTIONS" and "Access-Control-Request-Method" in request.headers
        return Response(status=HTTPStatus.NO_CONTENT) if asked else None

    @app.after_request
    def add(response: Response) -> Response:
        if "Access-Control-Allow-Origin" in response.headers:
            return response
        if "*" in origins:
            response.headers["Access-Control-Allow-Origin"] = "*"
        else:
            response.vary.add("Origin")
            origin = request.headers.get("Origin")
            if origin not in origins:
                return response
            response.headers["Access-Control-Allow-Origin"] = origin
        response.headers.update(ALLOWED)
        return response

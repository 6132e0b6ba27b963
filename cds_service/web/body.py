"""The request body, read strictly: plain JSON of the length that is read, or the error that says why not."""

from flask import request
from gunicorn.http.errors import ParseException

from cds_service.errors import BodyTooLarge, InvalidRequest, UnsupportedMediaType

TOO_LARGE = "the body is larger than this service reads"


def read_body(maximum: int) -> bytes:
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

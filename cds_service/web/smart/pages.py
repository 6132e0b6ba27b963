"""Pages of the app: the course of a patient, or one sentence that says why there is none."""

from collections.abc import Sequence
from http import HTTPStatus
from urllib.parse import urlencode

from flask import Response

from cds_service.clients.smart.registrations import Registration
from cds_service.crs.assessment import Status
from cds_service.errors import CdsError
from cds_service.fhir.names import name_of
from cds_service.hooks.evaluate import Reading
from cds_service.hooks.knowledge import Knowledge
from cds_service.web.answers import answer
from cds_service.web.course import course_page
from cds_service.web.page import HTML, page, policy

UNTOLD = {"Referrer-Policy": "no-referrer"}
"""The address of a page holds a code: no other page is told of it."""
NO_THERAPY = "no T-cell engaging therapy is on record for this patient in the time in which CRS is looked for"


def course(reading: Reading, knowledge: Knowledge) -> bytes:
    """The course of a patient, with the name that the record has for them: the EHR may show the page by itself.

    Of a patient without a therapy there is none: what was read is only what tells that.
    """
    if reading.assessment.status is Status.NOT_ELIGIBLE:
        return page("launch.html", {"said": NO_THERAPY, "again": None})
    patients = reading.supplies["patient"].resources if "patient" in reading.supplies else ()
    who = next((name_of(item) for item in patients if item.get("resourceType") == "Patient"), "")
    return course_page(reading, knowledge.content.scale, knowledge.zone, reading.assessment.as_of, who=who)


def refused(error: CdsError, registration: Registration | None) -> Response:
    """Why there is no course, with a way to begin again where it is known at which EHR."""
    again = f"launch?{urlencode({'iss': registration.iss})}" if registration is not None else None
    body = page("launch.html", {"said": error.message, "again": again})
    response = framed(body, registration, error.status)
    if error.retry_seconds is not None:
        response.headers["Retry-After"] = str(error.retry_seconds)
    return response


def framed(body: bytes, registration: Registration | None, status: int = HTTPStatus.OK) -> Response:
    """A page that may be shown in a frame of the EHR's own pages, if its registration names them."""
    ancestors: Sequence[str] = registration.frame_ancestors if registration is not None else ()
    response = answer(body, status, HTML)
    response.headers["Content-Security-Policy"] = policy(ancestors)
    response.headers.update(UNTOLD)
    return response

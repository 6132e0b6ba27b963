"""Every error this service raises on purpose, each with the HTTP status and the FHIR issue code it becomes.

CdsError
├── InvalidRequest          400 structure   the body is not a hook call
├── MissingData             412 processing  grading is impossible: needed data cannot be had
├── PatientMismatch         422 invariant   the prefetch holds another patient
├── LaunchRefused           400 login       a SMART launch that cannot go on
├── Unauthenticated         401 login       no token or key that proves who calls
├── Forbidden               403 forbidden   who calls may not do that here
├── UnknownService          404 not-found   no service of that id
├── MethodNotAllowed        405 not-supported
├── BodyTooLarge            413 too-costly
├── UnsupportedMediaType    415 not-supported
├── TooManyCalls            429 throttled   this client calls more often than it may
├── Unavailable             503 transient   a part this service needs is down
│   ├── StoreUnavailable    503 transient   answers and feedback cannot be kept or read
│   ├── SwitchedOff         503 transient   the service is switched off by its operator
│   └── Overloaded          503 transient   more calls come in than can be answered
├── FhirServerError         (the embedded FHIR server of demo and tests)
│   ├── FhirBadRequest      400 invalid
│   ├── FhirNotFound        404 not-found
│   ├── FhirGone            410 deleted
│   └── FhirNotAcceptable   406 not-supported
└── Refused                 (start-up and command line: never an HTTP answer)
    ├── InvalidContent      cards/ is not usable: every fault is listed
    ├── InvalidSettings     the configuration is not usable
    └── InvalidInput        a file or argument of a command is not usable
"""

from http import HTTPStatus
from typing import Any, ClassVar


class CdsError(Exception):
    """An error with one plain sentence for its caller: what, where, why and what to do. Never holds patient data."""

    status: ClassVar[HTTPStatus] = HTTPStatus.INTERNAL_SERVER_ERROR
    issue: ClassVar[str] = "exception"
    retry_seconds: int | None = None
    """When the same call may come again, where that can help."""

    def __init__(self, message: str, *, expression: str | None = None, retry_seconds: int | None = None) -> None:
        super().__init__(message)
        self.message = message
        self.expression = expression
        self.retry_seconds = retry_seconds or self.retry_seconds


class InvalidRequest(CdsError):
    """The request body is not a hook call that this service understands; `expression` is the path of the fault."""

    status = HTTPStatus.BAD_REQUEST
    issue = "structure"


class MissingData(CdsError):
    """Grading is impossible because needed data can neither be read from the prefetch nor be fetched."""

    status = HTTPStatus.PRECONDITION_FAILED
    issue = "processing"


class PatientMismatch(CdsError):
    """The Patient in the prefetch is not the patient of the hook's context."""

    status = HTTPStatus.UNPROCESSABLE_ENTITY
    issue = "invariant"


class LaunchRefused(CdsError):
    """A launch of the SMART app cannot go on: its user reads why."""

    status = HTTPStatus.BAD_REQUEST
    issue = "login"


class Unauthenticated(CdsError):
    """No token or key that proves who calls: the caller is told nothing else, `reason` is for the log."""

    status = HTTPStatus.UNAUTHORIZED
    issue = "login"

    def __init__(self, reason: str, *, expression: str | None = None) -> None:
        super().__init__("this address needs a valid token or key in the header Authorization", expression=expression)
        self.reason = reason


class Forbidden(CdsError):
    """Who calls may not do that here."""

    status = HTTPStatus.FORBIDDEN
    issue = "forbidden"


class UnknownService(CdsError):
    """There is no CDS service of that id."""

    status = HTTPStatus.NOT_FOUND
    issue = "not-found"


class MethodNotAllowed(CdsError):
    """The route exists and does not take this HTTP method."""

    status = HTTPStatus.METHOD_NOT_ALLOWED
    issue = "not-supported"


class BodyTooLarge(CdsError):
    """The body is larger than this service reads."""

    status = HTTPStatus.REQUEST_ENTITY_TOO_LARGE
    issue = "too-costly"


class UnsupportedMediaType(CdsError):
    """The body is not JSON, or is compressed."""

    status = HTTPStatus.UNSUPPORTED_MEDIA_TYPE
    issue = "not-supported"


class TooManyCalls(CdsError):
    """This client calls more often than it may."""

    status = HTTPStatus.TOO_MANY_REQUESTS
    issue = "throttled"


class Unavailable(CdsError):
    """A part this service needs is down; the same call may succeed later."""

    status = HTTPStatus.SERVICE_UNAVAILABLE
    issue = "transient"
    retry_seconds = 5


class StoreUnavailable(Unavailable):
    """The database of answers and feedback cannot be reached, or refuses."""


class SwitchedOff(Unavailable):
    """The service is switched off by its operator, for this client or for all."""

    retry_seconds = 300


class Overloaded(Unavailable):
    """More calls come in than this service can answer."""


class FhirServerError(CdsError):
    """The embedded FHIR server cannot carry out a request."""


class FhirBadRequest(FhirServerError):
    """The request is not one that the embedded FHIR server can carry out."""

    status = HTTPStatus.BAD_REQUEST
    issue = "invalid"


class FhirNotFound(FhirServerError):
    """There is no such resource or resource type."""

    status = HTTPStatus.NOT_FOUND
    issue = "not-found"


class FhirGone(FhirServerError):
    """There was such a resource."""

    status = HTTPStatus.GONE
    issue = "deleted"


class FhirNotUnique(FhirServerError):
    """More than one resource meets the condition of a create."""

    status = HTTPStatus.PRECONDITION_FAILED
    issue = "multiple-matches"


class FhirNotAcceptable(FhirServerError):
    """The client takes no form of JSON."""

    status = HTTPStatus.NOT_ACCEPTABLE
    issue = "not-supported"


class Refused(CdsError):
    """A command or the start of the service is refused."""


class InvalidContent(Refused):
    """`cards/` has faults: each in a sentence, and all of them in the message, one a line."""

    def __init__(self, message: str, faults: tuple[str, ...] = ()) -> None:
        super().__init__(message)
        self.faults = faults or (message,)


class InvalidSettings(Refused):
    """A setting is missing or wrong."""


class InvalidInput(Refused):
    """A file or argument given to a command cannot be used."""


def operation_outcome(error: CdsError) -> dict[str, Any]:
    """The error as a FHIR OperationOutcome (H-4)."""
    issue: dict[str, Any] = {"severity": "error", "code": error.issue, "details": {"text": error.message}}
    if error.expression is not None:
        issue["expression"] = [error.expression]
    return {"resourceType": "OperationOutcome", "issue": [issue]}

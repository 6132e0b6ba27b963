"""The repository of `cds_service.fhir.memory` as a FHIR R4 server over HTTP, for the demo and the tests.

One view takes every path and method under the blueprint, so that also an unknown one is answered as FHIR asks: with an
OperationOutcome and the CORS headers, never with HTML or a redirect.
"""

import json
from collections.abc import Callable
from datetime import datetime
from http import HTTPMethod, HTTPStatus
from typing import Any, NoReturn
from urllib.parse import urlencode

from flask import Blueprint, Response, current_app, request, url_for
from werkzeug.exceptions import HTTPException
from werkzeug.http import http_date

from cds_service.errors import (
    CdsError,
    FhirBadRequest,
    FhirNotAcceptable,
    FhirNotFound,
    MethodNotAllowed,
    UnsupportedMediaType,
    operation_outcome,
)
from cds_service.fhir.memory import Page, Repository, addressed
from cds_service.fhir.search import SEARCH_PARAMETERS, Resource, supported

FHIR_JSON = "application/fhir+json"
_FORM = "application/x-www-form-urlencoded"
_ACCEPTED = frozenset({FHIR_JSON, "application/json", "application/json+fhir", "application/*", "*/*"})
_CORS = {
    "Access-Control-Allow-Origin": "*",
    "Access-Control-Allow-Headers": "Authorization, Content-Type, Accept, Prefer",
    "Access-Control-Allow-Methods": "GET, POST, PUT, DELETE, OPTIONS",
}
_INTERACTIONS = ("read", "create", "update", "delete", "search-type")


def fhir_blueprint(repository: Repository) -> Blueprint:
    """A FHIR R4 server over the repository, wherever the blueprint is registered."""
    blueprint = Blueprint("fhir", __name__)

    @blueprint.route("/", defaults={"path": ""}, methods=list(HTTPMethod), strict_slashes=False)
    @blueprint.route("/<path:path>", methods=list(HTTPMethod), strict_slashes=False)
    def interaction(path: str) -> Response:
        return _interaction(repository, tuple(filter(None, path.split("/"))))

    blueprint.register_error_handler(CdsError, _refused)
    blueprint.register_error_handler(HTTPException, _http_fault)
    blueprint.register_error_handler(Exception, _defect)
    blueprint.after_request(_with_cors)
    return blueprint


def capability_statement(base: str) -> Resource:
    """What this server can do, from the table of search parameters."""
    rest = {
        "mode": "server",
        "resource": [_capability(resource_type) for resource_type in SEARCH_PARAMETERS],
        "interaction": [{"code": "transaction"}, {"code": "batch"}],
    }
    return {
        "resourceType": "CapabilityStatement",
        "status": "active",
        "date": "2026-11-22",
        "kind": "instance",
        "implementation": {"description": "Embedded FHIR server for demo and tests", "url": base},
        "fhirVersion": "4.0.1",
        "format": [FHIR_JSON, "application/json"],
        "rest": [rest],
    }


def _capability(resource_type: str) -> dict[str, Any]:
    parameters = supported(resource_type).items()
    return {
        "type": resource_type,
        "interaction": [{"code": code} for code in _INTERACTIONS],
        "versioning": "versioned",
        "readHistory": False,
        "updateCreate": True,
        "conditionalCreate": False,
        "searchParam": [{"name": name, "type": parameter.kind} for name, parameter in parameters],
    }


def _interaction(repository: Repository, path: tuple[str, ...]) -> Response:
    if request.method == "OPTIONS":
        return Response(status=HTTPStatus.NO_CONTENT, mimetype=FHIR_JSON)
    if not _accepts_json():
        raise FhirNotAcceptable(f"This server answers in {FHIR_JSON} only.")
    offered = _offered(path)
    method = "GET" if request.method == "HEAD" else request.method
    if method in offered:
        return offered[method](repository, *path)
    answer = _refused(MethodNotAllowed(f"This path takes {' and '.join(offered)}, not {method}."))
    answer.headers["Allow"] = ", ".join(offered)
    return answer


def _offered(path: tuple[str, ...]) -> dict[str, Callable[..., Response]]:
    """The interactions of a path, by method."""
    match path:
        case ():
            return {"POST": _transaction}
        case ("metadata",):
            return {"GET": _metadata}
        case (_,):
            return {"GET": _search, "POST": _create}
        case (_, "_search"):
            return {"POST": _search}
        case (_, _):
            return {"GET": _read, "PUT": _update, "DELETE": _delete}
    raise FhirNotFound("This server has nothing at this path.")


def _metadata(_repository: Repository, _path: str) -> Response:
    return _answer(capability_statement(_base()))


def _transaction(repository: Repository) -> Response:
    return _answer(repository.transaction(_body()))


def _search(repository: Repository, resource_type: str, *_: str) -> Response:
    query = [*request.args.items(multi=True), *_form()]
    preferences = request.headers.get("Prefer", "").lower().replace(";", ",").split(",")
    strict = "handling=strict" in {preference.strip() for preference in preferences}
    page = repository.search(resource_type, query, base=_base(), strict=strict)
    return _answer(_searchset(f"{_base()}/{resource_type}", page))


def _create(repository: Repository, resource_type: str) -> Response:
    supported(resource_type)
    return _kept(repository.create(addressed(_body(), resource_type)), HTTPStatus.CREATED)


def _read(repository: Repository, resource_type: str, resource_id: str) -> Response:
    return _kept(repository.read(resource_type, resource_id), HTTPStatus.OK)


def _update(repository: Repository, resource_type: str, resource_id: str) -> Response:
    supported(resource_type)
    kept, created = repository.update(addressed(_body(), resource_type, resource_id))
    return _kept(kept, HTTPStatus.CREATED if created else HTTPStatus.OK)


def _delete(repository: Repository, resource_type: str, resource_id: str) -> Response:
    repository.delete(resource_type, resource_id)
    return Response(status=HTTPStatus.NO_CONTENT, mimetype=FHIR_JSON)


def _searchset(address: str, page: Page) -> Resource:
    def link(relation: str, query: list[tuple[str, str]]) -> dict[str, str]:
        return {"relation": relation, "url": f"{address}?{urlencode(query)}" if query else address}

    links = [link("self", page.query)]
    if page.next_offset is not None:
        same = [(name, value) for name, value in page.query if name != "_offset"]
        links.append(link("next", [*same, ("_offset", str(page.next_offset))]))
    bundle: Resource = {"resourceType": "Bundle", "type": "searchset", "total": page.total, "link": links}
    if page.resources:
        bundle["entry"] = [
            {"fullUrl": f"{address}/{resource['id']}", "resource": resource, "search": {"mode": "match"}}
            for resource in page.resources
        ]
    return bundle


def _base() -> str:
    return url_for(".interaction", path="", _external=True).rstrip("/")


def _accepts_json() -> bool:
    asked = request.headers.get("Accept") or "*/*"
    return not _ACCEPTED.isdisjoint(media.partition(";")[0].strip().lower() for media in asked.split(","))


def _form() -> list[tuple[str, str]]:
    if request.method == "POST" and request.mimetype != _FORM and request.get_data():
        raise UnsupportedMediaType(f"The body of a search is {_FORM}.")
    return list(request.form.items(multi=True))


def _body() -> Any:
    def refuse(constant: str) -> NoReturn:
        raise ValueError(constant)

    try:
        return json.loads(request.get_data(), parse_constant=refuse)
    except (ValueError, RecursionError):
        raise FhirBadRequest("The body is not JSON.") from None


def _kept(resource: Resource, status: HTTPStatus) -> Response:
    answer = _answer(resource, status)
    place, meta = f"{resource['resourceType']}/{resource['id']}", resource["meta"]
    answer.headers["ETag"] = f'W/"{meta["versionId"]}"'
    answer.headers["Last-Modified"] = http_date(datetime.fromisoformat(meta["lastUpdated"]))
    if request.method in {"POST", "PUT"}:
        answer.headers["Location"] = f"{_base()}/{place}/_history/{meta['versionId']}"
    return answer


def _answer(body: Resource, status: int = HTTPStatus.OK) -> Response:
    return Response(json.dumps(body, default=float), status, mimetype=FHIR_JSON)


def _refused(error: CdsError) -> Response:
    return _answer(operation_outcome(error), error.status)


def _http_fault(error: HTTPException) -> Response:
    return _answer(
        operation_outcome(FhirBadRequest(error.description or error.name)), error.code or HTTPStatus.BAD_REQUEST
    )


def _defect(error: Exception) -> Response:
    current_app.logger.error("The FHIR server failed: %s", type(error).__name__, exc_info=error)
    return _refused(CdsError("The FHIR server failed; its log says where."))


def _with_cors(answer: Response) -> Response:
    answer.headers.update(_CORS)
    return answer

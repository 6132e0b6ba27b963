"""GET /openapi.json describes every route as it is, and no call that it allows or forbids breaks the service.

`CRS_TESTS_CALLS` says how many calls are generated: few by default, 3,000 in CI, 20,000 by `make hard`.
"""

import json
import os
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import schemathesis
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from jsonschema import Draft202012Validator
from openapi_spec_validator import validate
from schemathesis import Case, GenerationMode
from schemathesis.checks import not_a_server_error
from schemathesis.specs.openapi.checks import (
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
    status_code_conformance,
)

import cds_service
from cds_service.hooks.services import SERVICES
from cds_service.web.callers import OPEN, SIGNED_IN_ELSEWHERE
from tests.answers import PATIENT
from tests.conftest import MakeApp
from tests.server import hook_call
from tests.smart import registration

Json = dict[str, Any]
DOCUMENT: Json = json.loads(Path(cds_service.__file__).with_name("web").joinpath("openapi.json").read_text("utf-8"))
CALLS = int(os.environ.get("CRS_TESTS_CALLS", "200"))
CHECKS = [
    not_a_server_error,
    status_code_conformance,
    content_type_conformance,
    response_headers_conformance,
    response_schema_conformance,
]
BODIES = [path for path, methods in DOCUMENT["paths"].items() if "post" in methods]
PLAIN = [path for path in DOCUMENT["paths"] if path not in BODIES]
generated = settings(
    max_examples=max(2, CALLS // (3 * len(BODIES))),
    derandomize=CALLS <= 3000,
    database=None,
    deadline=None,
    suppress_health_check=list(HealthCheck),
)


def routes(client: FlaskClient) -> set[tuple[str, str]]:
    """Every route with its method; the one of all services as that of each."""
    found = set()
    for rule in client.application.url_map.iter_rules():
        path = re.sub(r"<(?:\w+:)?service_id>", "{service}", rule.rule)
        names = [service.id for service in SERVICES] if path == "/cds-services/{service}" else ["{service}"]
        methods = (rule.methods or set()) - {"HEAD", "OPTIONS"}
        found |= {(path.replace("{service}", name), method.lower()) for name in names for method in methods}
    return found


def test_the_document_is_valid_and_served(client: FlaskClient) -> None:
    validate(DOCUMENT)
    served = client.get("/openapi.json")
    assert (served.status_code, served.mimetype) == (200, "application/json")
    assert served.get_json() == DOCUMENT
    assert DOCUMENT["info"]["version"] == cds_service.__version__


def test_the_document_has_the_routes_and_no_others(client: FlaskClient) -> None:
    described = {(path, method) for path, methods in DOCUMENT["paths"].items() for method in methods}
    assert described == routes(client)


def test_t24_the_document_says_which_addresses_are_for_operators() -> None:
    for path, methods in DOCUMENT["paths"].items():
        for described in methods.values():
            closed = path not in OPEN | SIGNED_IN_ELSEWHERE and not path.startswith("/cds-services")
            assert ({"operator": []} in described.get("security", [])) is closed, path
            references = {described["responses"].get(status, {}).get("$ref", "") for status in ("401", "403")}
            ours = {f"#/components/responses/{name}" for name in ("NotOperator", "NoOperatorKey")}
            assert (references == ours) is closed, path


def test_the_document_names_the_services_and_about_links_to_it(client: FlaskClient) -> None:
    parameter = DOCUMENT["paths"]["/cds-services/{service}/feedback"]["post"]["parameters"][0]
    assert parameter["schema"]["enum"] == [service.id for service in SERVICES]
    calls = DOCUMENT["components"]["schemas"]
    for service in SERVICES:
        reference = DOCUMENT["paths"][f"/cds-services/{service.id}"]["post"]["requestBody"]["content"]
        name = reference["application/json"]["schema"]["$ref"].rpartition("/")[2]
        assert calls[name]["allOf"][1]["properties"]["hook"]["const"] == service.hook
    assert client.get(client.get("/about").get_json()["openapi"]).get_json() == DOCUMENT
    assert 'href="openapi.json"' in client.get("/about", headers={"Accept": "text/html"}).text


def test_a_whole_answer_is_as_the_document_says(client: FlaskClient, filled: Json) -> None:
    answer = client.post("/cds-services/crs-patient-view", json=hook_call(PATIENT, prefetch=filled)).get_json()
    assert len(answer["cards"]) == 3
    schema = {"$ref": "#/components/schemas/Answer", "components": DOCUMENT["components"]}
    assert [fault.message for fault in Draft202012Validator(schema).iter_errors(answer)] == []


@pytest.mark.parametrize("mode", list(GenerationMode))
@pytest.mark.parametrize("path", BODIES)
def test_t32_t35_no_call_that_is_generated_breaks_the_service(
    client: FlaskClient, path: str, mode: GenerationMode
) -> None:
    statuses = tried(client, path, "POST", mode)
    assert statuses & ({200, 412} if mode is GenerationMode.POSITIVE else {400})


@pytest.mark.parametrize("path", [path for path in BODIES if path.startswith("/cds-services/crs-")])
def test_t37_no_prefetch_that_is_generated_breaks_the_service(client: FlaskClient, filled: Json, path: str) -> None:
    """A complete prefetch, of which some values are generated: so that the calls come as far as a grade."""

    def fill(case: Case) -> None:
        generated = case.body.get("prefetch") or {}
        case.body["prefetch"] = filled | dict(zip(sorted(filled), generated.values(), strict=False))
        case.body["context"]["patientId"] = PATIENT

    assert 200 in tried(client, path, "POST", GenerationMode.POSITIVE, fill)


@pytest.mark.parametrize("path", PLAIN)
def test_no_query_that_is_generated_breaks_the_service(make_app: MakeApp, path: str) -> None:
    app = make_app(public_url="https://cds.example", registrations=[registration()])
    modes = GenerationMode if DOCUMENT["paths"][path]["get"].get("parameters") else [GenerationMode.POSITIVE]
    for mode in modes:
        assert tried(app, path, "GET", mode) <= {200, 400}


def tried(
    client: FlaskClient, path: str, method: str, mode: GenerationMode, change: Callable[[Case], object] = bool
) -> set[int]:
    """The statuses of generated calls, each checked against the document."""
    schema = schemathesis.openapi.from_wsgi("/openapi.json", client.application)
    statuses = set()

    @generated
    @given(schema[path][method].as_strategy(generation_mode=mode))
    def call(case: Case) -> None:
        change(case)
        response = case.call()
        case.validate_response(response, checks=CHECKS)
        statuses.add(response.status_code)

    call()
    return statuses

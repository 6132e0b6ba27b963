"""CORS: on every route, every method and every error, or a browser client sees only "network error" (X-1, T76)."""

import pytest
from flask.testing import FlaskClient

from tests.answers import SERVICE
from tests.conftest import MakeApp
from tests.contract.test_hook_call import call

EHR, OTHER = "https://ehr.example", "https://evil.example"
PREFLIGHT = {
    "Origin": EHR,
    "Access-Control-Request-Method": "POST",
    "Access-Control-Request-Headers": "authorization,content-type",
}
ROUTES = [
    "/cds-services",
    SERVICE,
    f"{SERVICE}/",
    f"{SERVICE}/feedback",
    "/cds-services/none",
    "/healthz",
    "/about",
    "/report",
    "/nothing",
]


@pytest.mark.parametrize("path", ROUTES)
def test_x1_preflight_succeeds_everywhere_without_a_token_and_without_a_redirect(
    client: FlaskClient, path: str
) -> None:
    answer = client.options(path, headers=PREFLIGHT)
    assert answer.status_code == 204
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert {"GET", "POST", "OPTIONS"} == set(answer.headers["Access-Control-Allow-Methods"].split(", "))
    allowed = answer.headers["Access-Control-Allow-Headers"].lower().split(", ")
    assert {"authorization", "content-type"} <= set(allowed)
    assert "Access-Control-Allow-Credentials" not in answer.headers


@pytest.mark.parametrize(
    ("method", "path", "body", "status"),
    [
        ("GET", "/cds-services", None, 200),
        ("POST", SERVICE, call(), 200),
        ("POST", SERVICE, {}, 400),
        ("POST", "/cds-services/none", {}, 404),
        ("GET", SERVICE, None, 405),
        ("POST", SERVICE, call(prefetch={}), 412),
        ("GET", "/nothing", None, 404),
        ("GET", "/readyz", None, 200),
        ("GET", "/about", None, 200),
        ("GET", "/report", None, 200),
        ("POST", "/about", {}, 405),
    ],
)
def test_x1_every_answer_and_every_error_has_the_headers(
    client: FlaskClient, method: str, path: str, body: object, status: int
) -> None:
    answer = client.open(path, method=method, json=body)
    assert answer.status_code == status
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    assert answer.headers.getlist("Access-Control-Allow-Origin") == ["*"]


def test_x1_also_415_413_422_and_500(make_app: MakeApp) -> None:
    def broken() -> None:
        raise RuntimeError

    small = make_app(maximum_body_bytes=10)
    mismatch = call()
    mismatch["prefetch"]["patient"] = {"resourceType": "Patient", "id": "p2"}
    answers = {
        415: small.post(SERVICE, data="x", content_type="text/plain"),
        413: small.post(SERVICE, json=call()),
        422: make_app().post(SERVICE, json=mismatch),
        500: make_app(clock=broken).post(SERVICE, json=call()),
    }
    for status, answer in answers.items():
        assert (answer.status_code, answer.headers["Access-Control-Allow-Origin"]) == (status, "*")


def test_t76_a_list_of_origins_names_the_one_that_asks_and_no_other(make_app: MakeApp) -> None:
    client = make_app(cors_origins=f"{EHR},https://other.example:8443")
    answer = client.get("/cds-services", headers={"Origin": EHR})
    assert answer.headers["Access-Control-Allow-Origin"] == EHR
    assert "Origin" in answer.headers["Vary"]
    for origin in (OTHER, f"{EHR}.evil.example", "null", EHR.upper(), f"{EHR}/"):
        refused = client.get("/cds-services", headers={"Origin": origin})
        assert "Access-Control-Allow-Origin" not in refused.headers
        assert "Origin" in refused.headers["Vary"]
    preflight = client.options(SERVICE, headers=PREFLIGHT | {"Origin": OTHER})
    assert "Access-Control-Allow-Headers" not in preflight.headers


def test_t76_no_origins_means_no_browser_clients(make_app: MakeApp) -> None:
    answer = make_app(cors_origins="").get("/cds-services", headers={"Origin": EHR})
    assert "Access-Control-Allow-Origin" not in answer.headers


def test_options_without_a_preflight_names_the_methods_and_an_unknown_address_stays_unknown(
    client: FlaskClient,
) -> None:
    assert set(client.options(SERVICE).headers["Allow"].split(", ")) == {"OPTIONS", "POST"}
    assert client.options("/nothing").status_code == 404

"""The sign-in of the demo chart: it gives a code to the course app of the demo only, and a token for a code once."""

import json
from base64 import urlsafe_b64encode
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.clients.smart.authorization import challenge
from cds_service.clients.smart.endpoints import endpoints
from cds_service.web.demo.sign_in import CLIENT, SignIn, sign_in_blueprint

BASE = "http://127.0.0.1:5000"
VERIFIER = "v" * 43
ABOUT = {"patient": "a-patient", "appContext": '{"hookInstance": "b"}'}


def launch_of(about: Any) -> str:
    return urlsafe_b64encode(json.dumps(about).encode()).decode().rstrip("=")


ASKED = {
    "response_type": "code",
    "client_id": CLIENT,
    "redirect_uri": f"{BASE}/smart/callback",
    "scope": "launch patient/Observation.rs",
    "state": "a state",
    "aud": f"{BASE}/fhir",
    "launch": launch_of(ABOUT),
    "code_challenge": challenge(VERIFIER),
    "code_challenge_method": "S256",
}


@pytest.fixture
def browser(client: FlaskClient) -> FlaskClient:
    """A browser at an application with the sign-in."""
    client.application.register_blueprint(sign_in_blueprint(SignIn(BASE)))
    return client


def code_of(browser: FlaskClient, **asked: str) -> str:
    answered = browser.get("/demo/authorize", query_string=ASKED | asked)
    assert answered.status_code == 302
    back = urlsplit(answered.headers["Location"])
    assert f"{back.scheme}://{back.netloc}{back.path}" == f"{BASE}/smart/callback"
    given = parse_qs(back.query)
    assert given["state"] == ["a state"]
    return given["code"][0]


def token(browser: FlaskClient, code: str, verifier: str = VERIFIER) -> TestResponse:
    return browser.post("/demo/token", data={"code": code, "code_verifier": verifier})


def test_the_app_is_told_where_to_sign_in_and_takes_it(browser: FlaskClient) -> None:
    document = browser.get("/fhir/.well-known/smart-configuration").get_json()
    found = endpoints(document, SignIn(BASE).registration)
    assert (found.authorization, found.token) == (f"{BASE}/demo/authorize", f"{BASE}/demo/token")
    assert found.version_2


def test_a_code_becomes_a_token_for_the_patient_of_the_launch_once(browser: FlaskClient) -> None:
    code = code_of(browser)
    granted = token(browser, code).get_json()
    assert {name: granted[name] for name in ABOUT} == ABOUT
    assert (granted["token_type"], granted["scope"]) == ("Bearer", ASKED["scope"])
    assert granted["access_token"]
    again = token(browser, code)
    assert (again.status_code, again.get_json()) == (400, {"error": "invalid_grant"})


def test_a_code_is_worth_nothing_to_another_and_is_gone_when_it_was_tried(browser: FlaskClient) -> None:
    code = code_of(browser)
    assert token(browser, code, "w" * 43).status_code == 400
    assert token(browser, code).status_code == 400
    assert token(browser, "no code of ours").status_code == 400


@pytest.mark.parametrize(
    "asked",
    [
        {"client_id": "another"},
        {"redirect_uri": "https://evil.example/callback"},
        {"aud": "https://evil.example/fhir"},
        {"response_type": "token"},
        {"code_challenge": ""},
        {"code_challenge_method": "plain"},
        {"launch": ""},
        {"launch": "no base64!"},
        {"launch": launch_of(["a"])},
        {"launch": launch_of({"patient": "a"})},
    ],
)
def test_nothing_else_is_sent_anywhere(browser: FlaskClient, asked: dict[str, str]) -> None:
    refused = browser.get("/demo/authorize", query_string=ASKED | asked)
    assert refused.status_code == 400
    assert "Location" not in refused.headers

"""The SMART app within: its cookie, its time, what it does while a part is down, and hostile token endpoints."""

import json
import socket
from collections.abc import Iterator
from datetime import datetime, timedelta
from http.cookies import SimpleCookie
from typing import Any
from urllib.parse import urlsplit

import pytest
import requests
from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from cds_service.clients.smart.authorization import challenge
from cds_service.clients.smart.launches import LIFE, Launch, Seal
from cds_service.clients.switches import Switch, write_switches
from cds_service.errors import StoreUnavailable
from cds_service.fhir.addresses import fhir_server
from cds_service.store.store import Store
from tests.answers import NOT_ELIGIBLE, PATIENT
from tests.conftest import MakeApp
from tests.hostile import hostile, whole
from tests.server import NOW, SECONDS, Fhir
from tests.smart import Ehr, ehr, query_of, registration

PUBLIC = "https://cds.example"
LAUNCH, CALLBACK = "/smart/launch", "/smart/callback"
GRADED = "<strong>Grade 3</strong>"


class Clock:
    """The clock of the service."""

    def __init__(self) -> None:
        self.now = NOW

    def __call__(self) -> datetime:
        return self.now


@pytest.fixture
def hospital(story_server: Fhir) -> Iterator[Ehr]:
    with ehr(story_server.repository, patient=PATIENT, redirect_uris=[f"{PUBLIC}{CALLBACK}"]) as running:
        yield running


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def app(make_app: MakeApp, hospital: Ehr, clock: Clock) -> FlaskClient:
    """The app at the EHR, with a clock that the test moves."""
    return make_app(clock=clock, public_url=PUBLIC, registrations=[registration(hospital.base)])


def begun(app: FlaskClient, hospital: Ehr) -> str:
    """Open the app and sign in: the address within the service that the browser is sent back to."""
    sent = app.get(LAUNCH, query_string={"iss": hospital.base})
    assert sent.status_code == 302, sent.text
    back = requests.get(sent.headers["Location"], allow_redirects=False, timeout=SECONDS).headers["Location"]
    assert back.startswith(f"{PUBLIC}{CALLBACK}?")
    return back.removeprefix(PUBLIC)


def opened(app: FlaskClient, hospital: Ehr) -> TestResponse:
    return app.get(begun(app, hospital))


def cookie_of(make_app: MakeApp, hospital: Ehr, public_url: str, **members: Any) -> Any:
    """The cookie that a launch sets."""
    app = make_app(public_url=public_url, registrations=[registration(hospital.base, **members)])
    [header] = app.get(LAUNCH, query_string={"iss": hospital.base}).headers.getlist("Set-Cookie")
    [cookie] = SimpleCookie(header.replace("; Partitioned", "")).values()
    return cookie, "Partitioned" in header


def test_the_launch_is_kept_by_the_browser_alone_for_a_short_time(make_app: MakeApp, hospital: Ehr) -> None:
    cookie, partitioned = cookie_of(make_app, hospital, PUBLIC)
    assert (cookie["httponly"], cookie["secure"], cookie["samesite"], cookie["path"]) == (True, True, "Lax", "/smart")
    assert (cookie["max-age"], cookie["domain"], partitioned) == ("600", "", False)
    assert "hospital" not in cookie.value


def test_the_cookie_follows_the_public_address(make_app: MakeApp, hospital: Ehr) -> None:
    cookie, _ = cookie_of(make_app, hospital, "https://cds.example/crs")
    assert (cookie["path"], cookie["secure"]) == ("/crs/smart", True)
    cookie, _ = cookie_of(make_app, hospital, "http://127.0.0.1:5000")
    assert (cookie["path"], cookie["secure"]) == ("/smart", "")


def test_in_a_frame_of_the_ehr_the_cookie_is_of_that_frame_alone(make_app: MakeApp, hospital: Ehr) -> None:
    cookie, partitioned = cookie_of(make_app, hospital, PUBLIC, frame_ancestors=("https://ehr.example",))
    assert (cookie["samesite"], cookie["secure"], partitioned) == ("None", True, True)


def test_a_page_is_framed_only_by_the_pages_that_the_registration_names(make_app: MakeApp, hospital: Ehr) -> None:
    frames = ("https://ehr.example", "https://portal.example:8443")
    app = make_app(public_url=PUBLIC, registrations=[registration(hospital.base, frame_ancestors=frames)])
    page = opened(app, hospital)
    assert GRADED in page.text
    assert f"frame-ancestors {' '.join(frames)}" in page.headers["Content-Security-Policy"]
    again = opened(app, hospital)
    assert again.headers["Content-Security-Policy"] == page.headers["Content-Security-Policy"]
    unknown = app.get(LAUNCH, query_string={"iss": "https://other.example"})
    assert "frame-ancestors 'none'" in unknown.headers["Content-Security-Policy"]
    assert "frame-ancestors 'none'" in app.get("/about").headers["Content-Security-Policy"]


@pytest.mark.parametrize(("seconds", "status"), [(-1, 200), (0, 200), (1, 400)])
def test_a_launch_may_come_back_within_its_time(
    app: FlaskClient, hospital: Ehr, clock: Clock, seconds: int, status: int
) -> None:
    back = begun(app, hospital)
    clock.now = NOW + LIFE + timedelta(seconds=seconds)
    assert app.get(back).status_code == status


def test_what_one_installation_sealed_another_does_not_open() -> None:
    launch = Launch.new("hospital")
    sealed = Seal(b"one" * 11).sealed(launch, NOW)
    assert Seal(b"one" * 11).opened(sealed, NOW) == launch
    for text in (sealed[:-1], sealed[:20] + "A" + sealed[21:], "", "\u00e9", "gAAAA"):
        assert Seal(b"one" * 11).opened(text, NOW) is None
    assert Seal(b"two" * 11).opened(sealed, NOW) is None
    assert launch.state not in repr(launch)
    assert launch.verifier not in repr(launch)


def test_states_and_verifiers_are_long_and_never_the_same() -> None:
    made = [Launch.new("hospital") for _ in range(100)]
    assert len({launch.state for launch in made} | {launch.verifier for launch in made}) == 200
    assert all(len(launch.state) == 43 and 43 <= len(launch.verifier) <= 128 for launch in made)


def test_the_challenge_is_that_of_the_example_in_its_specification() -> None:
    assert challenge("dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk") == "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM"


def test_without_a_registration_there_is_no_app(make_app: MakeApp) -> None:
    app = make_app(public_url=PUBLIC)
    for address in (LAUNCH, CALLBACK):
        page = app.get(address, query_string={"iss": "https://ehr.example/fhir"})
        assert (page.status_code, page.mimetype) == (404, "text/html")


def test_t95_an_app_that_is_opened_too_often_at_one_ehr_waits_and_at_no_other(
    make_app: MakeApp, hospital: Ehr, story_server: Fhir
) -> None:
    with ehr(story_server.repository, patient=PATIENT) as other:
        known = [registration(hospital.base), registration(other.base, id="other")]
        app = make_app(public_url=PUBLIC, registrations=known, calls_per_minute=1)
        statuses = [app.get(LAUNCH, query_string={"iss": at}) for at in (hospital.base, hospital.base, other.base)]
        assert [page.status_code for page in statuses] == [302, 429, 302]
        assert int(statuses[1].headers["Retry-After"]) > 0


def test_the_app_is_off_while_the_grading_is(app: FlaskClient, hospital: Ehr) -> None:
    back = begun(app, hospital)
    folder = app.application.extensions["crs-cds-memory"].store.folder
    write_switches(folder, [Switch(service="crs-patient-view", since=NOW)])
    for page in (app.get(back), app.get(LAUNCH, query_string={"iss": hospital.base})):
        assert page.status_code == 503
        assert "The grading is switched off" in page.text
    write_switches(folder, [Switch(service="crs-patient-view", client="another", since=NOW)])
    assert GRADED in app.get(back).text


def test_t19_while_the_store_cannot_tell_whether_a_launch_was_used_there_is_no_course(
    app: FlaskClient, hospital: Ehr, monkeypatch: pytest.MonkeyPatch
) -> None:
    def away(*_: object) -> bool:
        raise StoreUnavailable("the store is away")

    monkeypatch.setattr(Store, "use_once", away)
    page = opened(app, hospital)
    assert (page.status_code, page.headers["Retry-After"]) == (503, "5")
    assert hospital.forms == []


def test_a_patient_without_a_therapy_has_no_grade_and_the_page_says_so(app: FlaskClient, hospital: Ehr) -> None:
    hospital.patient = NOT_ELIGIBLE
    page = opened(app, hospital)
    assert page.status_code == 200
    assert "No T-cell engaging therapy is on record" in page.text
    assert "grade" not in page.text.lower()


@pytest.mark.parametrize("name", ["iss", "launch", "code", "state", "error"])
def test_a_parameter_that_stands_twice_or_is_too_long_is_refused(app: FlaskClient, hospital: Ehr, name: str) -> None:
    address = LAUNCH if name in ("iss", "launch") else CALLBACK
    for value in (["a", "b"], ["a" * 4097]):
        state = query_of(begun(app, hospital))["state"]
        usual = {"iss": hospital.base} if address == LAUNCH else {"state": state, "code": "x"}
        page = app.get(address, query_string=usual | {name: value})
        assert page.status_code == 400
        assert f"{name.capitalize()} stands twice in the address, or is too long" in page.text


def test_a_failure_of_the_service_is_a_page_without_its_cause(
    app: FlaskClient, hospital: Ehr, monkeypatch: pytest.MonkeyPatch
) -> None:
    back = begun(app, hospital)
    monkeypatch.setattr("cds_service.web.smart.routes.course", lambda *_: 1 / 0)
    page = app.get(back)
    assert (page.status_code, page.mimetype) == (500, "text/html")
    assert "The service failed on this request" in page.text
    assert "ZeroDivision" not in page.text


def answering(connection: socket.socket, head: bytes, body: bytes) -> None:
    """Read the form that was announced, then answer."""
    length = int(head.lower().split(b"content-length:")[1].split(b"\r\n")[0])
    received = b""
    while len(received) < length:
        received += connection.recv(length - len(received))
    connection.sendall(body)


GRANT = {"access_token": "a-token-of-this-test", "token_type": "Bearer", "patient": PATIENT}
JSON = {"Content-Type": "application/json"}


@pytest.mark.parametrize(
    ("answer", "status"),
    [
        (whole(b"", {"Location": "https://evil.example/token"}, "307 Temporary Redirect"), 400),
        (whole(b'{"error":"invalid_grant"}', JSON, "400 Bad Request"), 400),
        (whole(b'{"error":"invalid_client"}', JSON, "401 Unauthorized"), 400),
        (whole(b"<html>", {"Content-Type": "text/html"}), 400),
        (whole(b"[]", JSON), 400),
        (whole(b'{"access_token": "x", "access_token": "y"}', JSON), 400),
        (whole(json.dumps(GRANT | {"x": "y" * 70_000}).encode(), JSON), 400),
        (whole(b"", JSON, "503 Service Unavailable"), 503),
        (b"", 503),
    ],
)
def test_t05_t53_a_token_endpoint_that_answers_anything_else_gives_no_course_and_is_asked_once(
    make_app: MakeApp, hospital: Ehr, answer: bytes, status: int
) -> None:
    def respond(connection: socket.socket, head: bytes) -> None:
        answering(connection, head, answer)
        connection.shutdown(socket.SHUT_RDWR)

    with hostile(respond) as token_server:
        pinned = {"token_endpoint": fhir_server(token_server.base)}
        app = make_app(public_url=PUBLIC, registrations=[registration(hospital.base, **pinned)])
        page = opened(app, hospital)
        assert (page.status_code, page.mimetype) == (status, "text/html"), page.text
        assert len(token_server.heads) == 1


def test_t51_a_token_endpoint_that_never_answers_is_given_up(make_app: MakeApp, hospital: Ehr) -> None:
    with hostile(lambda *_: None) as token_server:
        pinned = {"token_endpoint": fhir_server(token_server.base)}
        app = make_app(public_url=PUBLIC, registrations=[registration(hospital.base, **pinned)])
        page = opened(app, hospital)
        assert page.status_code == 503
        assert "does not answer" in page.text


def test_t05_the_token_goes_to_the_fhir_server_that_was_registered_and_nowhere_else(
    make_app: MakeApp, hospital: Ehr, fhir: Fhir
) -> None:
    """The EHR grants a token for its own FHIR server; what it says of another one is not heeded."""
    hospital.answer = {"fhirServer": fhir.base, "iss": fhir.base, "aud": fhir.base}
    app = make_app(public_url=PUBLIC, fhir_servers=fhir.base, registrations=[registration(hospital.base)])
    assert GRADED in opened(app, hospital).text
    assert fhir.asked == []


def test_the_address_of_the_sign_in_is_that_of_the_ehr_with_one_query(app: FlaskClient, hospital: Ehr) -> None:
    sent = app.get(LAUNCH, query_string={"iss": hospital.base, "launch": "a b&state=evil#x"})
    parts = urlsplit(sent.headers["Location"])
    assert f"{parts.scheme}://{parts.netloc}{parts.path}" == f"{hospital.origin}/authorize"
    assert "launch=a+b%26state%3Devil%23x" in parts.query
    assert (parts.fragment, parts.query.count("state=")) == ("", 1)
    assert sent.data == b""

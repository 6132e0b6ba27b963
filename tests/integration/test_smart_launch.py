"""The SMART app from end to end: the production server, an EHR that signs users in, and a browser between them."""

import json
import re
from collections.abc import Iterator
from contextlib import ExitStack
from pathlib import Path
from typing import Any
from urllib.parse import urlencode

import pytest
import requests

from cds_service.fhir.survey import SMART_1, SMART_2, scopes
from cds_service.hooks.knowledge import Knowledge
from tests.answers import PATIENT
from tests.callers import key
from tests.conftest import MakeApp
from tests.hostile import hostile
from tests.server import HOST, Fhir, Service, free_port, hook_call, service_process
from tests.smart import CLIENT, Browser, Ehr, ehr, query_of, registration, written

GRADED = "<strong>Grade 3</strong>"
SECRET = "a secret: of + this / test"
PAGE = {"Cache-Control": "no-store", "Referrer-Policy": "no-referrer", "X-Content-Type-Options": "nosniff"}


REGISTERED = ("hospital", "old", "secret", "key", "pinned", "front")


@pytest.fixture(scope="module")
def ehrs(story_server: Fhir) -> Iterator[dict[str, Ehr]]:
    """EHRs with every story, each with another kind of registration; `front` has its users sign in at `hospital`."""
    with ExitStack() as end:
        known = {name: end.enter_context(ehr(story_server.repository, patient=PATIENT)) for name in REGISTERED}
        known["old"].version_2 = False
        known["secret"].secret, known["key"].key = SECRET, key("ES384", "app")
        known["pinned"].document = dict.fromkeys(("authorization_endpoint", "token_endpoint"), "https://evil.example/x")
        known["front"].document = endpoints(known["hospital"])
        known["front"].tokens = known["hospital"].tokens
        known["hospital"].also.append(known["front"].base)
        yield known


def endpoints(at: Ehr) -> dict[str, str]:
    """The endpoints of an EHR."""
    return {"authorization_endpoint": f"{at.origin}/authorize", "token_endpoint": f"{at.origin}/token"}


@pytest.fixture(scope="module")
def running(ehrs: dict[str, Ehr], tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service with two workers, registered at all of them."""
    folder, port = tmp_path_factory.mktemp("smart"), free_port()
    base = f"http://{HOST}:{port}"
    (folder / "secret").write_text(f"{SECRET}\n")
    (folder / "key.pem").write_bytes(key("ES384", "app").pem)
    members: dict[str, dict[str, Any]] = {
        "secret": {"secret_file": "secret"},
        "key": {"key_file": "key.pem", "key_id": key("ES384", "app").kid},
        "pinned": endpoints(ehrs["pinned"]),
        "front": {"authorization_servers": [ehrs["hospital"].origin]},
    }
    entries = [
        {"id": name, "iss": known.base, "client_id": CLIENT} | members.get(name, {}) for name, known in ehrs.items()
    ]
    for known in ehrs.values():
        known.redirect_uris.append(f"{base}/smart/callback")
    settings = {"CRS_CDS_PUBLIC_URL": base, "CRS_CDS_SMART_REGISTRATIONS": str(written(folder, *entries))}
    servers = ",".join(known.base for known in ehrs.values())
    with service_process(folder / "log", servers, workers=2, port=port, **settings) as service:
        yield service


@pytest.fixture
def service(running: Service, ehrs: dict[str, Ehr]) -> Iterator[Service]:
    """The same, with EHRs that were asked nothing yet and behave."""
    yield running
    for known in ehrs.values():
        known.reset()


@pytest.fixture
def hospital(ehrs: dict[str, Ehr]) -> Ehr:
    """The EHR where the app is a public client."""
    return ehrs["hospital"]


def opened(service: Service, hospital: Ehr, browser: Browser | None = None, **query: str) -> requests.Response:
    """The page at the end of a launch."""
    user = browser or Browser()
    return user.get(user.sign_in(f"{service.base}/smart/launch", iss=hospital.base, **query))


def shown(page: requests.Response) -> str:
    """The text of the course, which nobody keeps or frames."""
    assert page.status_code == 200, page.text
    assert page.headers["Content-Type"].startswith("text/html")
    assert PAGE.items() <= dict(page.headers).items()
    assert "frame-ancestors 'none'" in page.headers["Content-Security-Policy"]
    return page.text


def refused(page: requests.Response, words: str, status: int = 400) -> str:
    """The text of a page that says why there is no course."""
    assert (page.status_code, page.headers["Content-Type"]) == (status, "text/html; charset=utf-8"), page.text
    assert PAGE.items() <= dict(page.headers).items()
    assert words in page.text
    assert "<script" not in page.text
    return page.text


@pytest.mark.parametrize(("name", "syntax"), [("hospital", SMART_2), ("old", SMART_1)])
def test_the_app_opens_from_a_chart_and_shows_the_grade_of_its_patient(
    service: Service, ehrs: dict[str, Ehr], knowledge: Knowledge, name: str, syntax: str
) -> None:
    at = ehrs[name]
    context = at.new_launch()
    assert GRADED in shown(opened(service, at, launch=context))
    [asked], [form] = at.asked, at.forms
    assert asked["scope"].split() == ["launch", *scopes(knowledge.needs)[syntax]]
    assert asked["launch"] == context
    assert asked["redirect_uri"] == f"{service.base}/smart/callback"
    assert asked["aud"] == at.base
    assert set(form) == {"grant_type", "code", "redirect_uri", "code_verifier", "client_id"}


def test_the_app_opens_by_itself_and_asks_for_a_patient(service: Service, hospital: Ehr) -> None:
    assert GRADED in shown(opened(service, hospital))
    [asked] = hospital.asked
    assert asked["scope"].startswith("launch/patient ")
    assert "launch" not in asked
    assert not {"openid", "fhirUser"} & set(asked["scope"].split())


def test_the_app_grades_as_the_hook_does(service: Service, hospital: Ehr) -> None:
    page = shown(opened(service, hospital))
    [token] = hospital.tokens
    granted = {"access_token": token, "token_type": "Bearer", "expires_in": 300}
    call = hook_call(PATIENT, fhirServer=hospital.base, fhirAuthorization=granted | {"scope": "", "subject": ""})
    cards = service.call(call).json()["cards"]
    assert cards[0]["summary"].startswith("CRS grade 3: norepinephrine running")
    assert GRADED in page
    assert "norepinephrine" in page


def test_a_confidential_app_proves_itself_with_its_secret(service: Service, ehrs: dict[str, Ehr]) -> None:
    at = ehrs["secret"]
    assert GRADED in shown(opened(service, at))
    at.secret = "another one"
    refused(opened(service, at), "The EHR gave no access for this sign-in")
    at.secret = SECRET
    assert "client_id" not in at.forms[0]
    assert SECRET not in service.log.read_text()


def test_a_confidential_app_proves_itself_with_its_key(service: Service, ehrs: dict[str, Ehr]) -> None:
    at = ehrs["key"]
    assert GRADED in shown(opened(service, at))
    at.key = key("ES384", "another")
    refused(opened(service, at), "The EHR gave no access for this sign-in")
    at.key = key("ES384", "app")


def test_t77_the_host_of_a_request_leads_nowhere(service: Service, hospital: Ehr) -> None:
    for name in ("Host", "X-Forwarded-Host", "Forwarded"):
        headers = {name: "host=evil.example" if name == "Forwarded" else "evil.example"}
        url = f"{service.base}/smart/launch?{urlencode({'iss': hospital.base})}"
        begun = requests.get(url, headers=headers, allow_redirects=False, timeout=20)
        assert begun.headers["Location"].startswith(f"{hospital.origin}/authorize?")
        assert "evil" not in f"{begun.headers} {begun.text}"


@pytest.mark.parametrize("state", ["", "wrong", "\u00e9" * 43, None])
def test_a_state_that_is_not_the_browsers_own_is_refused_before_anything_is_asked(
    service: Service, hospital: Ehr, state: str | None
) -> None:
    browser = Browser()
    back = query_of(browser.sign_in(f"{service.base}/smart/launch", iss=hospital.base))
    given = {"code": back["code"]} | ({} if state is None else {"state": state})
    refused(browser.get(f"{service.base}/smart/callback", **given), "belongs to another")
    assert hospital.forms == []


def test_a_browser_that_began_no_launch_gets_no_course(service: Service, hospital: Ehr) -> None:
    back = Browser().sign_in(f"{service.base}/smart/launch", iss=hospital.base)
    stranger = Browser()
    refused(stranger.get(back), "was not begun in this browser")
    stranger.cookies.set("crs-cds-launch", "gAAAAABn" + "A" * 200, path="/smart")
    refused(stranger.get(back), "was not begun in this browser")
    other = Browser()
    other.sign_in(f"{service.base}/smart/launch", iss=hospital.base)
    refused(other.get(back), "belongs to another")
    assert hospital.forms == []


def test_a_page_that_is_loaded_again_says_so_and_leads_to_another_launch(service: Service, hospital: Ehr) -> None:
    browser = Browser()
    back = browser.sign_in(f"{service.base}/smart/launch", iss=hospital.base)
    shown(browser.get(back))
    for _ in range(5):  # whichever worker answers
        page = refused(browser.get(back), "was used before, nothing of it was kept")
    assert len(hospital.forms) == 1
    [link] = re.findall(r'href="([^"]+)"', page)
    assert link == f"launch?{urlencode({'iss': hospital.base})}"
    shown(browser.get(browser.sign_in(f"{service.base}/smart/{link}")))


def test_a_code_that_was_used_elsewhere_gives_no_course(service: Service, hospital: Ehr) -> None:
    browser = Browser()
    back = browser.sign_in(f"{service.base}/smart/launch", iss=hospital.base)
    hospital.codes.clear()
    refused(browser.get(back), "The EHR gave no access for this sign-in")


def test_an_error_of_the_ehr_is_said_and_nothing_of_it_is_repeated_but_its_code(
    service: Service, hospital: Ehr
) -> None:
    hospital.denied = "access_denied"
    page = refused(opened(service, hospital), "The EHR did not grant access (access_denied)")
    assert "alert" not in page
    hospital.denied = "<b>access</b>"
    page = refused(opened(service, hospital), "for a reason that is no code")
    assert "access</b>" not in page
    assert hospital.forms == []


@pytest.mark.parametrize(
    "iss",
    [
        "https://evil.example/fhir",
        "{base}/../fhir",
        "{base}/deeper",
        "{base}?x=1",
        "{base}#x",
        "{origin}",
        "{base}evil",
        "http://user@{rest}",
        "javascript:alert(1)",
        "<script>",
        "",
    ],
)
def test_t01_t06_an_iss_that_is_not_registered_is_refused_and_not_asked(
    service: Service, hospital: Ehr, iss: str
) -> None:
    rest = hospital.base.removeprefix("http://")
    given = iss.format(base=hospital.base, origin=hospital.origin, rest=rest)
    page = refused(Browser().get(f"{service.base}/smart/launch", iss=given), "not registered for the EHR")
    assert "href" not in page


def test_an_iss_is_known_in_other_spellings_and_passed_on_as_registered(service: Service, hospital: Ehr) -> None:
    spelled = hospital.base.replace("http", "HTTP") + "/"
    browser = Browser()
    shown(browser.get(browser.sign_in(f"{service.base}/smart/launch", iss=spelled)))
    assert hospital.asked[0]["aud"] == hospital.base


@pytest.mark.parametrize("name", ["authorization_endpoint", "token_endpoint"])
@pytest.mark.parametrize("where", ["{elsewhere}", "https://evil.example/x", "{origin}@evil.example/x", None, 7])
def test_t01_a_configuration_that_points_elsewhere_is_not_followed(
    make_app: MakeApp, story_server: Fhir, name: str, where: Any
) -> None:
    with hostile(lambda *_: None) as elsewhere, ehr(story_server.repository, patient=PATIENT) as at:
        named = where.format(elsewhere=elsewhere.base, origin=at.origin) if isinstance(where, str) else where
        at.document = {name: named}
        app = make_app(public_url="https://cds.example", registrations=[registration(at.base)])
        page = app.get("/smart/launch", query_string={"iss": at.base})
        assert page.status_code == 503
        assert "names a place that is not allowed" in page.text
        assert int(page.headers["Retry-After"]) > 0
        assert elsewhere.heads == []


@pytest.mark.parametrize("name", ["pinned", "front"])
def test_endpoints_that_are_pinned_or_on_a_server_that_is_named_are_used(
    service: Service, ehrs: dict[str, Ehr], name: str
) -> None:
    """`pinned` publishes others, `front` those of the server that its registration names."""
    assert GRADED in shown(opened(service, ehrs[name]))


@pytest.mark.parametrize(
    ("answer", "words"),
    [
        ({"patient": None}, "no patient"),
        ({"patient": "a/b"}, "no patient"),
        ({"patient": "../Patient"}, "no patient"),
        ({"access_token": None}, "no token"),
        ({"access_token": "with a space"}, "characters that no header may hold"),
        ({"token_type": "mac"}, "another kind than Bearer"),
        ({"token_type": None}, "no kind of token"),
        ({"expires_in": 0}, "no time left"),
    ],
)
def test_t12_a_token_that_cannot_be_used_is_refused_and_said(
    service: Service, hospital: Ehr, answer: dict[str, Any], words: str
) -> None:
    hospital.answer = answer
    refused(opened(service, hospital), words)


def test_what_was_not_granted_is_said_as_missing(service: Service, hospital: Ehr) -> None:
    hospital.withheld = frozenset({"patient/Observation.rs"})
    page = opened(service, hospital)
    refused(page, "CRS cannot be graded: temperature (the FHIR server does not permit it (HTTP 403))", 412)
    hospital.withheld = frozenset({"patient/AllergyIntolerance.rs", "patient/Condition.rs"})
    assert "diagnoses" in shown(opened(service, hospital))


def test_a_hostile_name_of_the_patient_is_text(service: Service, hospital: Ehr, story_server: Fhir) -> None:
    before = story_server.repository.read("Patient", PATIENT)
    story_server.repository.update({**before, "name": [{"family": "<script>alert(1)</script>"}]})
    try:
        page = shown(opened(service, hospital))
        assert "<script>alert" not in page
        assert f"<h1>CRS course: &lt;script&gt;alert(1)&lt;/script&gt;, born {before['birthDate']}</h1>" in page
    finally:
        story_server.repository.update(before)


def test_t11_codes_tokens_states_and_patients_stand_in_no_log_and_in_no_page(service: Service, hospital: Ehr) -> None:
    context = hospital.new_launch()
    browser = Browser()
    back = browser.sign_in(f"{service.base}/smart/launch", iss=hospital.base, launch=context)
    page = shown(browser.get(back))
    given, [form], [token] = query_of(back), hospital.forms, hospital.tokens
    secrets = [context, given["code"], given["state"], form["code_verifier"], token, browser.cookies["crs-cds-launch"]]
    log = service.log.read_text()
    assert '"route": "smart.callback"' in log
    assert '"client": "hospital"' in log
    for secret in secrets:
        assert secret not in log
        assert secret not in page
    assert form["code_verifier"] not in browser.cookies["crs-cds-launch"]


def test_nothing_of_a_launch_is_kept_but_that_it_was_used(service: Service, hospital: Ehr) -> None:
    shown(opened(service, hospital))
    [token] = hospital.tokens
    folder = Path(f"{service.log}.state")
    kept = b"".join(file.read_bytes() for file in folder.rglob("*") if file.is_file())
    assert token.encode() not in kept
    assert PATIENT.encode() not in kept


def test_the_hook_call_whose_card_was_followed_stands_in_the_log_and_nothing_else_of_its_context(
    service: Service, hospital: Ehr
) -> None:
    instance = "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea"
    for context, expected in (
        (json.dumps({"hookInstance": instance, "patient": PATIENT}), instance),
        (json.dumps({"hookInstance": f"{PATIENT} is ill"}), ""),
        ("{", ""),
        ({"hookInstance": instance}, ""),
        (None, ""),
    ):
        hospital.answer = {"appContext": context}
        shown(opened(service, hospital))
        lines = [json.loads(line) for line in service.log.read_text().splitlines() if '"smart.callback"' in line]
        assert (lines[-1]["hook_instance"], lines[-1]["outcome"]) == (expected, "graded")

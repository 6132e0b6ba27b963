"""What a client may do follows from its entry; what is for operators needs their key; what is off stays off."""

import base64
import json
import re
from collections.abc import Callable
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from cds_service.clients.pace import Pace
from cds_service.clients.switches import FILE, Switch, read_switches, write_switches
from cds_service.errors import InvalidSettings
from cds_service.fhir.addresses import fhir_server
from cds_service.store.memory import Memory
from cds_service.store.records import AnswerRecord, Outcome
from tests.answers import PATIENT
from tests.callers import AT, DISCOVERY, FEEDBACK, ISSUER, PUBLIC, SERVICE, bearer, key, token, trusted
from tests.conftest import MakeApp
from tests.server import NOW, Fhir, hook_call

Json = dict[str, Any]
OTHER = "https://other.example"
SIGN = "/cds-services/crs-order-sign"
KEY = "k" * 32
DAY = timedelta(days=1)


def of_hospital(url: str) -> dict[str, str]:
    return bearer(token(url))


def of_other(url: str) -> dict[str, str]:
    return bearer(token(url, by=key("ES384", "other"), iss=OTHER))


def two_clients(
    make_app: MakeApp, *, hospital: Json | None = None, other: Json | None = None, **settings: Any
) -> FlaskClient:
    """A service with two clients."""
    second = {"id": "other", "issuer": OTHER} | (other or {})
    clients = [trusted(**hospital or {}), trusted(key("ES384", "other"), **second)]
    return make_app(auth="required", public_url=PUBLIC, clients=clients, **settings)


def memory(client: FlaskClient) -> Memory:
    found: Memory = client.application.extensions["crs-cds-memory"]
    return found


def answers(client: FlaskClient) -> list[AnswerRecord]:
    return list(memory(client).store.answers(NOW - DAY, NOW + DAY))


def folder(client: FlaskClient) -> Path:
    """The state folder of an application of the tests."""
    return Path(str(memory(client).store._engine.url.database)).parent


# --- each client its own ----------------------------------------------------------------------------------------------


def test_t01_a_client_s_fhir_servers_are_called_for_its_calls_and_for_no_others(make_app: MakeApp, fhir: Fhir) -> None:
    client = two_clients(make_app, hospital={"fhir_servers": (fhir_server(fhir.base),)}, fhir_servers=fhir.base)
    body = hook_call(PATIENT, fhirServer=fhir.base)
    refused = client.post(SERVICE, json=body, headers=of_other(SERVICE))
    assert (refused.status_code, fhir.asked) == (412, [])
    answer = client.post(SERVICE, json=body, headers=of_hospital(SERVICE))
    assert answer.status_code == 200
    assert answer.get_json()["cards"]
    assert fhir.asked != []


def test_the_profile_of_a_client_writes_its_answers(make_app: MakeApp, filled: Json) -> None:
    client = two_clients(make_app, other={"profile": "oracle-health"})
    body = hook_call(PATIENT, prefetch=filled)
    for headers, shown in ((of_hospital(SERVICE), True), (of_other(SERVICE), False)):
        cards = client.post(SERVICE, json=body, headers=headers).get_json()["cards"]
        assert ("overrideReasons" in cards[0]) is shown


def test_records_name_the_client_and_two_clients_patients_are_two(make_app: MakeApp, filled: Json) -> None:
    client = two_clients(make_app)
    for headers in (of_hospital(SERVICE), of_other(SERVICE)):
        assert client.post(SERVICE, json=hook_call(PATIENT, prefetch=filled), headers=headers).status_code == 200
    found = {record.client: record.patient for record in answers(client)}
    assert set(found) == {"hospital", "other"}
    assert len(set(found.values())) == 2


def test_t79_feedback_belongs_to_the_client_that_got_the_card(make_app: MakeApp, filled: Json) -> None:
    client = two_clients(make_app)
    answer = client.post(SERVICE, json=hook_call(PATIENT, prefetch=filled), headers=of_hospital(SERVICE)).get_json()
    entry = {"card": answer["cards"][0]["uuid"], "outcome": "accepted", "outcomeTimestamp": "2026-11-22T11:59:00Z"}
    unknown = entry | {"card": "00000000-0000-0000-0000-000000000000"}
    said = []
    for sent, headers in ((unknown, of_other), (entry, of_other), (entry, of_hospital)):
        with capture_logs() as logs:
            found = client.post(FEEDBACK, json={"feedback": [sent]}, headers=headers(FEEDBACK))
        assert (found.status_code, found.get_json()) == (200, {"received": 1})
        said.append([line for line in logs if line["log_level"] == "error"])
    alarm = {"event": "feedback to cards of another client", "client": "other", "entries": 1, "log_level": "error"}
    assert said == [[], [alarm | {"service": "crs-patient-view"}], []]
    kept = {(item.client, item.card): item.matched for item in memory(client).store.feedback(NOW - DAY)}
    assert kept == {
        ("other", unknown["card"]): False,
        ("other", entry["card"]): False,
        ("hospital", entry["card"]): True,
    }


# --- their clocks -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("ahead", "status", "bucket"), [(61, 401, "-60.0"), (60, 200, "-60.0"), (59, 200, "-30.0"), (0, 200, "0.0")]
)
def test_t18_how_far_a_client_s_clock_is_ahead_is_measured_whether_or_not_it_is_let_in(
    make_app: MakeApp, ahead: int, status: int, bucket: str
) -> None:
    client = two_clients(make_app, operator_key=KEY)
    assert client.get(DISCOVERY, headers=bearer(token(DISCOVERY, iat=AT + ahead))).status_code == status
    assert ages(client, "hospital")[0] == (bucket, 1)


@pytest.mark.parametrize(("age", "status", "bucket"), [(359, 200, "3600.0"), (360, 401, "3600.0"), (5, 200, "5.0")])
def test_t17_how_old_a_token_is_is_measured_whether_or_not_it_is_let_in(
    make_app: MakeApp, age: int, status: int, bucket: str
) -> None:
    client = two_clients(make_app, operator_key=KEY)
    made = token(DISCOVERY, iat=AT - age, exp=AT - age + 300)
    assert client.get(DISCOVERY, headers=bearer(made)).status_code == status
    assert ages(client, "hospital")[0] == (bucket, 1)


def test_t18_what_nobody_proved_is_not_measured(make_app: MakeApp) -> None:
    client = two_clients(make_app, operator_key=KEY)
    forged = token(DISCOVERY, by=key("ES384", "other"), iat=AT + 600)
    for made in (forged, token(DISCOVERY, iat="soon")):
        assert client.get(DISCOVERY, headers=bearer(made)).status_code == 401
    assert ages(client, "hospital") == []


def ages(client: FlaskClient, of: str) -> list[tuple[str, float]]:
    """The buckets of the ages of a client's tokens that are not empty, the narrowest first."""
    text = client.get("/metrics", headers=bearer(KEY)).text
    found = re.findall(rf'crs_cds_token_age_seconds_bucket{{client="{of}",le="(.+?)"}} (.+)', text)
    return [(bound, float(number)) for bound, number in found if float(number)]


# --- operators --------------------------------------------------------------------------------------------------------


def basic(password: str, user: str = "operator") -> dict[str, str]:
    return {"Authorization": f"Basic {base64.b64encode(f'{user}:{password}'.encode()).decode()}"}


@pytest.mark.parametrize("auth", ["required", "off"])
@pytest.mark.parametrize("headers", [bearer(KEY), basic(KEY), basic(KEY, "")], ids=["Bearer", "Basic", "no user"])
def test_t24_the_key_of_operators_opens_the_report(make_app: MakeApp, auth: str, headers: dict[str, str]) -> None:
    client = make_app(auth=auth, public_url=PUBLIC, operator_key=KEY)
    assert client.get("/report", headers=headers).status_code == 200


@pytest.mark.parametrize("auth", ["required", "off"])
@pytest.mark.parametrize(
    "headers",
    [
        {},
        bearer(""),
        bearer(KEY[:-1]),
        bearer(KEY + "k"),
        bearer(KEY.upper()),
        basic("wrong"),
        basic("", KEY),
        {"Authorization": KEY},
        {"Authorization": f"Digest {KEY}"},
        {"Authorization": "Basic !!!"},
        {"Authorization": "Bearer \xfc\xfc"},
        bearer(token(SERVICE)),
    ],
    ids=lambda headers: str(headers)[:40],  # a signature is another in each worker
)
def test_t24_without_the_key_the_report_is_401_and_says_nothing(
    make_app: MakeApp, auth: str, headers: dict[str, str]
) -> None:
    client = make_app(auth=auth, public_url=PUBLIC, operator_key=KEY, clients=[trusted()])
    found = client.get("/report", headers=headers)
    assert (found.status_code, found.mimetype) == (401, "application/problem+json")
    assert found.headers["WWW-Authenticate"].startswith("Basic realm=")
    assert KEY not in found.text


def test_t24_where_no_key_is_set_the_report_is_closed_and_says_what_to_set(make_app: MakeApp) -> None:
    closed = make_app(auth="required", public_url=PUBLIC).get("/report", headers=bearer(KEY))
    assert closed.status_code == 403
    assert "CRS_CDS_OPERATOR_KEY" in closed.get_json()["detail"]
    assert make_app(auth="off").get("/report").status_code == 200


@pytest.mark.parametrize("url", ["/about", "/healthz", "/openapi.json", "/readyz"])
def test_t24_what_tells_nothing_of_patients_stays_open(make_app: MakeApp, url: str) -> None:
    assert make_app(auth="required", public_url=PUBLIC, operator_key=KEY).get(url).status_code == 200


def test_t24_an_address_that_somebody_adds_is_closed_until_it_is_opened(make_app: MakeApp) -> None:
    client = make_app(auth="required", public_url=PUBLIC, operator_key=KEY)
    client.application.add_url_rule("/patients", view_func=lambda: "all of them")
    assert client.get("/patients").status_code == 401
    assert client.get("/patients", headers=bearer(KEY)).text == "all of them"
    assert client.get("/nowhere").status_code == 404


def test_t24_the_key_of_operators_calls_no_hook(make_app: MakeApp) -> None:
    client = make_app(auth="required", public_url=PUBLIC, operator_key=KEY)
    assert client.get(DISCOVERY, headers=bearer(KEY)).status_code == 401


# --- switched off -----------------------------------------------------------------------------------------------------


def listed(client: FlaskClient, who: Callable[[str], dict[str, str]]) -> set[str]:
    return {item["id"] for item in client.get(DISCOVERY, headers=who(DISCOVERY)).get_json()["services"]}


ALL = {"crs-patient-view", "crs-order-select", "crs-order-sign"}


def off(service: str = "crs-patient-view", client: str | None = None) -> Switch:
    return Switch(service=service, client=client, since=NOW)


def test_a_service_that_is_off_is_not_listed_and_says_so_and_its_calls_are_on_record(
    make_app: MakeApp, filled: Json
) -> None:
    client = two_clients(make_app, other={"services_off": frozenset({"crs-patient-view"})})
    assert (listed(client, of_hospital), listed(client, of_other)) == (ALL, ALL - {"crs-patient-view"})
    body = hook_call(PATIENT, prefetch=filled)
    found = client.post(SERVICE, json=body, headers=of_other(SERVICE))
    [issue] = found.get_json()["issue"]
    assert (found.status_code, found.headers["Retry-After"]) == (503, "300")
    assert issue["details"]["text"] == "crs-patient-view is switched off by its operator: nothing was graded"
    [record] = answers(client)
    assert (record.client, record.outcome, record.reason) == ("other", Outcome.UNAVAILABLE, "SwitchedOff")
    assert (record.grade, record.cards) == (None, ())
    assert client.post(SERVICE, json=body, headers=of_hospital(SERVICE)).status_code == 200


def test_a_call_that_is_none_is_400_also_while_the_service_is_off(make_app: MakeApp) -> None:
    client = make_app(services_off="crs-patient-view")
    assert client.post(SERVICE, json={"hook": "patient-view"}).status_code == 400
    assert answers(client) == []


def test_feedback_to_cards_of_a_service_that_is_off_is_still_taken(make_app: MakeApp) -> None:
    client = make_app(services_off="crs-patient-view")
    assert client.post(FEEDBACK, json={"feedback": []}).status_code == 200


def test_the_setting_switches_off_for_all_clients(make_app: MakeApp) -> None:
    client = two_clients(make_app, services_off="crs-order-sign,crs-order-select")
    assert listed(client, of_hospital) == listed(client, of_other) == {"crs-patient-view"}


def test_a_service_is_switched_off_and_on_while_it_runs(make_app: MakeApp, filled: Json) -> None:
    client = two_clients(make_app)
    body = hook_call(PATIENT, prefetch=filled)
    states = ([], [off()], [off(client="other")], [off(client="other"), off("crs-order-sign")], [])
    seen = []
    for switches in states:
        write_switches(folder(client), switches)
        statuses = [
            client.post(SERVICE, json=body, headers=who(SERVICE)).status_code for who in (of_hospital, of_other)
        ]
        seen.append((*statuses, len(listed(client, of_hospital))))
    assert seen == [(200, 200, 3), (503, 503, 2), (200, 503, 3), (200, 503, 2), (200, 200, 3)]


@pytest.mark.parametrize(
    "text", ["[[off]", "off = 1", "[[off]]\n", "[[off]]\nservice = 1\n", "[[on]]\n", "\xff"], ids=str
)
def test_a_file_of_switches_that_cannot_be_read_switches_all_off(make_app: MakeApp, text: str) -> None:
    client = make_app()
    file = folder(client) / FILE
    file.write_bytes(text.encode("latin-1"))
    with capture_logs() as logs:
        assert client.get(DISCOVERY).get_json() == {"services": []}
    assert [line["event"] for line in logs if line["log_level"] == "error"] == ["everything is switched off"]
    assert client.post(SERVICE, json=hook_call(PATIENT)).status_code == 503
    with pytest.raises(InvalidSettings, match="put it right, or remove it"):
        read_switches(file.parent)
    file.unlink()
    assert len(client.get(DISCOVERY).get_json()["services"]) == 3


def test_switches_are_read_as_they_were_written(tmp_path: Path) -> None:
    switches = (off(), off("crs-order-sign", "other"))
    write_switches(tmp_path, switches)
    assert read_switches(tmp_path) == switches
    write_switches(tmp_path, ())
    assert read_switches(tmp_path) == ()


# --- how often --------------------------------------------------------------------------------------------------------


def test_t95_a_client_that_calls_too_often_waits_and_no_other_does(make_app: MakeApp) -> None:
    client = two_clients(make_app, calls_per_minute=2)
    statuses = [client.get(DISCOVERY, headers=of_hospital(DISCOVERY)).status_code for _ in range(3)]
    assert statuses == [200, 200, 429]
    found = client.get(DISCOVERY, headers=of_hospital(DISCOVERY))
    assert 0 < int(found.headers["Retry-After"]) <= 30
    assert found.get_json()["issue"][0]["code"] == "throttled"
    assert client.get(DISCOVERY, headers=of_other(DISCOVERY)).status_code == 200


def test_t95_bad_tokens_do_not_use_up_what_a_client_may_call(make_app: MakeApp) -> None:
    client = two_clients(make_app, calls_per_minute=1)
    for _ in range(5):
        forged = token(DISCOVERY, by=key("ES384", "other"), iss=ISSUER)
        assert client.get(DISCOVERY, headers=bearer(forged)).status_code == 401
    assert client.get(DISCOVERY, headers=of_hospital(DISCOVERY)).status_code == 200


def test_t95_a_token_that_came_too_early_may_come_again(make_app: MakeApp) -> None:
    client = two_clients(make_app, calls_per_minute=1)
    made = [token(DISCOVERY), token(DISCOVERY)]
    assert [client.get(DISCOVERY, headers=bearer(text)).status_code for text in made] == [200, 429]
    again = two_clients(make_app, calls_per_minute=1)
    assert again.get(DISCOVERY, headers=bearer(made[1])).status_code == 200


def test_t95_the_pace_fills_up_evenly() -> None:
    now = [0.0]
    pace = Pace(60, lambda: now[0])
    assert [pace.wait() for _ in range(60)] == [0.0] * 60
    assert pace.wait() == pytest.approx(1.0)
    now[0] = 0.75
    assert pace.wait() == pytest.approx(0.25)
    now[0] = 1.0
    assert (pace.wait(), pace.wait() > 0) == (0.0, True)
    now[0] = 1000.0
    assert [pace.wait() for _ in range(60)] == [0.0] * 60
    assert pace.wait() > 0


def test_the_service_that_starts_says_nothing_of_keys(make_app: MakeApp) -> None:
    with capture_logs() as logs:
        client = make_app(auth="required", public_url=PUBLIC, operator_key=KEY, clients=[trusted()])
        client.get("/report", headers=bearer("canary-of-a-key"))
        client.get("/report", headers=bearer(KEY))
    assert not any(secret in json.dumps(logs, default=str) for secret in (KEY, "canary-of-a-key"))

"""Tokens and patients in logs, errors and answers: nowhere (T05, T10, T11, A-5, A-6, S-1)."""

import json
import re
import socket
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
from structlog.testing import capture_logs

from tests.answers import PATIENT, SERVICE
from tests.conftest import MakeApp
from tests.hostile import Hostile, hostile, whole
from tests.server import HOST, SECONDS, STORIES, Fhir, Service, hook_call, service_process, stories

TOKEN = "canary-token-7e1b9c"
AUTHORIZATION = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.rs"}
Answer = Callable[[Any, bytes], None]

EVIL: dict[str, bytes] = {
    "401": whole(TOKEN.encode(), status="401 Unauthorized"),
    "500": whole(f"no {TOKEN} for {PATIENT}".encode(), status="500 Oops"),
    "html": whole(f"<html>{TOKEN} {PATIENT}</html>".encode()),
    "echo": whole(json.dumps({"resourceType": "OperationOutcome", "issue": [{"diagnostics": TOKEN}]}).encode()),
    "malformed header": b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon\r\n\r\n{}",
    "cut": b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{" + TOKEN.encode(),
    "duplicates": whole(f'{{"{TOKEN}": 1, "{TOKEN}": 2}}'.encode()),
    "number": whole(f'{{"resourceType": "{TOKEN}", "value": 1e999}}'.encode()),
}


@pytest.fixture
def evil_name(request: pytest.FixtureRequest) -> str:
    return str(request.param)


def answering(name: str) -> Answer:
    """Sends one of the evil answers, and ends the connection."""

    def answer(connection: Any, head: bytes) -> None:
        connection.sendall(EVIL[name])
        connection.close()

    return answer


def secrets() -> list[str]:
    """The token, and every patient's id and family name."""
    bundles = [story.bundle for story in stories()]
    patients = [item["resource"] for bundle in bundles for item in bundle["entry"]]
    patients = [patient for patient in patients if patient["resourceType"] == "Patient"]
    families = [name["family"] for patient in patients for name in patient.get("name", []) if "family" in name]
    return [TOKEN, *(patient["id"] for patient in patients), *families]


def test_a5_the_token_goes_with_every_query_to_the_fhir_server(make_app: MakeApp, fhir: Fhir) -> None:
    call = hook_call(PATIENT, fhirServer=fhir.base, fhirAuthorization=AUTHORIZATION)
    assert make_app(fhir_servers=fhir.base).post(SERVICE, json=call).status_code == 200
    assert len(fhir.asked) > 10
    assert {asked.headers["authorization"] for asked in fhir.asked} == {f"Bearer {TOKEN}"}


def test_a6_a_token_is_used_for_its_own_call_only(make_app: MakeApp, fhir: Fhir) -> None:
    client = make_app(fhir_servers=fhir.base)
    for token in ("one", "two", None):
        authorization = {"access_token": token} if token else None
        client.post(SERVICE, json=hook_call(PATIENT, fhirServer=fhir.base, fhirAuthorization=authorization))
        assert {asked.headers.get("authorization") for asked in fhir.asked} == {token and f"Bearer {token}"}
        fhir.reset()


def test_t05_a_redirecting_server_does_not_hand_the_token_on(make_app: MakeApp) -> None:
    with hostile(lambda connection, head: connection.close()) as canary:
        redirect = whole(b"", {"Location": f"{canary.base}/Patient/1"}, "302 Found")
        with hostile(lambda connection, head: connection.sendall(redirect)) as server:
            call = hook_call(PATIENT, fhirServer=server.base, fhirAuthorization=AUTHORIZATION)
            answer = make_app(fhir_servers=server.base).post(SERVICE, json=call)
        assert (answer.status_code, canary.heads) == (412, [])
        assert "HTTP 302" in answer.text


@pytest.mark.parametrize("evil_name", EVIL, indirect=True)
def test_t11_no_error_and_no_log_line_repeats_what_an_evil_server_says(make_app: MakeApp, evil_name: str) -> None:
    with hostile(answering(evil_name)) as server, capture_logs() as logs:
        call = hook_call(PATIENT, fhirServer=server.base, fhirAuthorization=AUTHORIZATION)
        answer = make_app(fhir_servers=server.base).post(SERVICE, json=call)
        assert TOKEN in b"".join(server.heads).decode(), "it was asked, with the token"
    assert answer.status_code == 412
    for secret in (TOKEN, PATIENT, server.base):
        assert secret not in answer.text
        assert secret not in json.dumps(logs, default=str)


@pytest.fixture
def both(tmp_path: Path, fhir: Fhir) -> Iterator[tuple[Service, Hostile, list[str]]]:
    """The production server, allowed to call the stories' server and an evil one, whose next answer can be chosen."""
    chosen = ["500"]
    with hostile(lambda connection, head: answering(chosen[0])(connection, head)) as server:
        servers = f"{fhir.base},{server.base}"
        with service_process(tmp_path / "log", servers, CRS_CDS_DEADLINE_SECONDS="2") as service:
            yield service, server, chosen


def test_t11_the_log_of_the_production_server_holds_no_token_and_no_patient(
    both: tuple[Service, Hostile, list[str]], fhir: Fhir
) -> None:
    service, server, chosen = both
    for story in stories()[:8]:
        call = hook_call(str(story.expect["patient"]), fhirServer=fhir.base, fhirAuthorization=AUTHORIZATION)
        assert service.call(call).status_code == 200
    for chosen[0] in EVIL:
        call = hook_call(PATIENT, fhirServer=server.base, fhirAuthorization=AUTHORIZATION)
        assert service.call(call).status_code == 412
    malformed = hook_call(PATIENT, fhirAuthorization={"access_token": TOKEN + " "})
    assert service.call(malformed).status_code == 400
    assert service.call(hook_call(f"{PATIENT}/{TOKEN}")).status_code == 400
    assert service.call(hook_call(PATIENT), service=TOKEN).status_code == 404
    malformed_http = f"GET /cds-services HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {TOKEN}\r\n\r\n"
    with socket.create_connection((HOST, int(service.base.rpartition(":")[2])), SECONDS) as connection:
        connection.sendall(malformed_http.encode())
        assert connection.recv(64).startswith(b"HTTP/1.1 400")
    log = service.log.read_text()
    assert log.count('"event":"answered"') + log.count('"event": "answered"') == 8
    assert [line for line in log.splitlines() if not line.startswith("{")] == [], "every line is JSON of our own"
    for secret in (*secrets(), server.base, fhir.base):
        assert secret not in log


def test_t11_no_cli_or_server_code_prints_a_request(fhir: Fhir) -> None:
    """An error's own `message` may be logged: it is one sentence of this service, which holds no data of a call."""
    source = "\n".join(path.read_text() for path in (STORIES.parent / "cds_service").rglob("*.py"))
    assert not re.search(r"log\.\w+\([^)]*(prefetch|token|patient|body|(?<!error\.)message)", source)

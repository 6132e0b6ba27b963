"""Every kind of call with canaries in all that is secret, and every output searched for them (T11).

That the logs of all other tests hold none is looked at where their service ends: `tests.server.service_process`.
"""

import base64
import json
import socket
from collections.abc import Iterator
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.fhir.memory import Repository
from cds_service.fhir.stories import load_story
from tests.contract.test_order_hooks import draft
from tests.hostile import hostile, whole
from tests.integration.test_cli import run
from tests.leaks import leaks
from tests.server import FAILING, HOST, NOW, SECONDS, STORIES, Service, fhir_server, service_process

ID, FAMILY, GIVEN, NUMBER = "canary-1d01", "canary-2a02", "canary-2b03", "canary-3c04"
BIRTH = "1951-02-17"
TOKEN, COMMENT, ORDER, USER, ENCOUNTER = "canary-4d05", "canary-5e06", "canary-6f07", "canary-7a08", "canary-8b09"
ADDRESS, MEMBER, CARD = "canary-9c10", "canary-ad11", "canary-ce12"
CLAIMS = json.dumps({"iss": "https://ehr.example", "sub": "canary-be12"}).encode()
JWT = f"eyJhbGciOiJFUzM4NCJ9.{base64.urlsafe_b64encode(CLAIMS).decode().rstrip('=')}.c2ln"
HEADERS = {"Authorization": f"Bearer {JWT}", "X-Request-ID": "leak scan"}
STORY = "grade-3-one-vasopressor"
HOOKS = {"crs-patient-view": "patient-view", "crs-order-select": "order-select", "crs-order-sign": "order-sign"}
Json = dict[str, Any]


def secret(output: bytes) -> list[str]:
    """What of the canaries stands in an output: as such, as a token, as a date of birth."""
    others = (JWT, JWT.split(".")[1], BIRTH)
    return leaks(output) + [word for word in others if word.encode() in output]


def bundle() -> Json:
    """The story, of a patient whose name, id, record number and date of birth are canaries."""
    text = json.dumps(load_story(STORIES, STORY).bundle).replace(f"{STORY}-patient", ID)
    found: Json = json.loads(text)
    [patient] = [entry["resource"] for entry in found["entry"] if entry["resource"]["resourceType"] == "Patient"]
    patient["name"] = [{"family": FAMILY, "given": [GIVEN], "text": f"{GIVEN} {FAMILY}"}]
    patient["birthDate"] = BIRTH
    patient["identifier"] = [{"system": "urn:mrn", "value": NUMBER}]
    return found


def hook_call(service: str, **members: Any) -> Json:
    order = draft(328.5) | {"id": ORDER, "subject": {"reference": f"Patient/{ID}"}, "note": [{"text": ORDER}]}
    session = {"draftOrders": {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order}]}}
    chosen = {"selections": [f"MedicationRequest/{ORDER}"]} if service == "crs-order-select" else {}
    context: Json = {"userId": f"Practitioner/{USER}", "patientId": ID, "encounterId": ENCOUNTER}
    if service != "crs-patient-view":
        context |= session | chosen
    return {"hook": HOOKS[service], "hookInstance": "leak-scan", "context": context} | members


@pytest.fixture
def scanned(tmp_path: Path) -> Iterator[tuple[Service, str, str]]:
    """A service at its lowest level of logs, its FHIR server with the patient, and one that echoes and fails."""
    answers = [
        whole(f"no {TOKEN} for {ID}".encode(), status="500 Oops"),
        whole(f"<html>{TOKEN} {ID}</html>".encode()),
        whole(json.dumps({"resourceType": "OperationOutcome", "issue": [{"diagnostics": TOKEN}]}).encode()),
        whole(TOKEN.encode(), status="401 Unauthorized"),
        b"HTTP/1.1 200 OK\r\nContent-Length: 200\r\n\r\n{" + TOKEN.encode(),
        b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon " + TOKEN.encode() + b"\r\n\r\n{}",
    ]

    def failing(connection: socket.socket, head: bytes) -> None:
        answers.append(answers.pop(0))
        connection.sendall(answers[-1])
        connection.close()

    with fhir_server(Repository(lambda: NOW)) as fhir, hostile(failing) as evil:
        charted = bundle()
        fhir.load(charted)
        servers = f"{fhir.base},{evil.base}"
        with service_process(tmp_path / "log", servers, CRS_CDS_MAXIMUM_BODY_BYTES="3000000") as service:
            yield service, fhir.base, evil.base


def every_kind_of_call(service: Service, fhir: str, evil: str) -> dict[int, int]:
    """How often each status was answered. No answer that is an error repeats anything."""
    authorization = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300, "scope": "patient/*.rs"}
    patient = {"resourceType": "Patient", "id": f"{ID}x", "name": [{"family": FAMILY}]}
    cards: list[Json] = []
    statuses: dict[int, int] = {}

    def seen(answer: requests.Response) -> requests.Response:
        statuses[answer.status_code] = statuses.get(answer.status_code, 0) + 1
        if answer.status_code >= 400:
            assert secret(answer.content) == []
        return answer

    for name in HOOKS:
        whole_call = hook_call(name, fhirServer=fhir, fhirAuthorization=authorization)
        answered = seen(service.call(whole_call, name, headers=HEADERS))
        cards += answered.json().get("cards", [])
        for server in (evil, "https://elsewhere.example/canary-cf13"):
            seen(service.call(whole_call | {"fhirServer": server}, name, headers=HEADERS))
        for wrong in (
            {"hook": MEMBER},
            {"hookInstance": [MEMBER]},
            {"context": {"patientId": f"{ID}/{MEMBER}"}},
            {"fhirAuthorization": authorization | {"access_token": f"{TOKEN} "}},
            {MEMBER: MEMBER, "prefetch": {"patient": patient}},
        ):
            seen(service.call(deepcopy(whole_call) | wrong, name, headers=HEADERS))
        seen(service.call(hook_call(name), name, headers=HEADERS))
        seen(service.call(whole_call, name, headers=HEADERS | {FAILING: "1"}))
        seen(service.call(whole_call | {"padding": MEMBER * 300_000}, name, headers=HEADERS))
        url = f"{service.base}/cds-services/{name}"
        for body in (f'{{"{MEMBER}": ', f'{{"{MEMBER}": 1, "{MEMBER}": 2}}', f'["{MEMBER}"]', f'"{MEMBER}\ud800"'):
            content = body.encode(errors="surrogatepass")
            json_type = HEADERS | {"Content-Type": "application/json"}
            seen(requests.post(url, data=content, headers=json_type, timeout=SECONDS))
        seen(requests.post(url, data=MEMBER, headers=HEADERS | {"Content-Type": "text/plain"}, timeout=SECONDS))
        seen(requests.get(f"{url}?{ADDRESS}={ID}", headers=HEADERS, timeout=SECONDS))
        said = {
            "outcome": "overridden",
            "outcomeTimestamp": NOW.isoformat(),
            "overrideReason": {"userComment": COMMENT},
        }
        entries = [said | {"card": card["uuid"]} for card in cards] + [said | {"card": CARD}]
        seen(requests.post(f"{url}/feedback", json={"feedback": entries}, headers=HEADERS, timeout=SECONDS))
        wrong_entry = [said | {"card": CARD, "outcome": MEMBER}]
        seen(requests.post(f"{url}/feedback", json={"feedback": wrong_entry}, headers=HEADERS, timeout=SECONDS))
    for path in (f"/{ADDRESS}", f"/cds-services/{ADDRESS}", f"/report?from={ADDRESS}", f"/about?{ADDRESS}"):
        seen(requests.get(f"{service.base}{path}", headers=HEADERS, timeout=SECONDS))
        seen(requests.post(f"{service.base}{path}", json={}, headers=HEADERS, timeout=SECONDS))
    return statuses


def malformed_http(service: Service) -> None:
    heads = (
        f"GET /{ADDRESS} HTTP/1.1\r\nHost: x\r\nAuthorization Bearer {JWT}\r\n\r\n",
        f"POST /cds-services/{ADDRESS} HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n{MEMBER}\r\n",
        f"{MEMBER} / HTTP/9.9\r\n\r\n",
    )
    for head in heads:
        with socket.create_connection((HOST, int(service.base.rpartition(":")[2])), SECONDS) as connection:
            connection.sendall(head.encode())
            connection.recv(1024)


def test_t11_no_output_holds_a_name_id_birth_date_token_or_comment_after_every_kind_of_call(
    scanned: tuple[Service, str, str],
) -> None:
    service, fhir, evil = scanned
    statuses = every_kind_of_call(service, fhir, evil)
    malformed_http(service)
    assert set(statuses) >= {200, 400, 404, 405, 412, 413, 415, 422, 500}, statuses
    for path in ("/metrics", "/readyz", "/about", "/openapi.json", "/cds-services"):
        assert secret(requests.get(f"{service.base}{path}", timeout=SECONDS).content) == [], path
    for form in ("html", "json", "csv"):
        assert secret(requests.get(f"{service.base}/report?format={form}", timeout=SECONDS).content) == [], form
    log = service.log.read_bytes()
    assert secret(log) == []
    lines = [json.loads(line) for line in log.splitlines()]
    assert [line["reason"] for line in lines if line["event"] == "failed"] == ["ValueError"] * len(HOOKS)
    assert any(line.get("logger", "").startswith("urllib3") for line in lines), "at the lowest level"

    state = Path(f"{service.log}.state")
    exported = run("records", "export", CRS_CDS_STATE_FOLDER=str(state))
    assert exported.returncode == 0, exported.stderr
    assert COMMENT in exported.stdout, "what a user wrote and the card it names are kept, and nowhere but in the store"
    kept = {path: path.read_bytes() for path in state.rglob("*") if path.is_file()}
    for content in (exported.stdout.encode(), *kept.values()):
        assert secret(content.replace(COMMENT.encode(), b"").replace(CARD.encode(), b"")) == []


@pytest.mark.parametrize("planted", [ID, TOKEN, f"{STORY}-patient", "Amsinck-Ferro", "GTV-77402", BIRTH, JWT])
def test_t11_the_scan_finds_what_is_planted(planted: str) -> None:
    assert secret(f"a line with {planted} in it".encode())

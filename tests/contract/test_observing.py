"""What is seen from outside: ids and lines of requests, and metrics (T11, T96)."""

import json
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families
from structlog.testing import capture_logs

from cds_service.web.logs import WITHHELD
from cds_service.web.metrics import MOST_CODES
from tests.answers import FAILED, NOT_ELIGIBLE, PATIENT, SERVICE
from tests.conftest import MakeApp
from tests.contract.test_feedback import overridden
from tests.contract.test_hook_call import call
from tests.server import NOW, ROOT, Fhir, hook_call, service_process

CANARY = "canary-3c7a"
Labels = dict[str, str]


def measured(client: FlaskClient, name: str) -> list[tuple[Labels, float]]:
    """The samples of a metric that are not 0."""
    text = client.get("/metrics").get_data(as_text=True)
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return [(sample.labels, sample.value) for sample in samples if sample.name == f"crs_cds_{name}" and sample.value]


def count(client: FlaskClient, name: str, /, **labels: str) -> float:
    """The sum of the samples with these labels among theirs."""
    return sum(value for found, value in measured(client, name) if found.items() >= labels.items())


# --- the id of a request ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("given", ["a", "7f0c-41", "A_b-9" * 12, "x" * 64])
def test_a_short_token_of_the_caller_is_the_id_of_its_request(client: FlaskClient, given: str) -> None:
    answer = client.post(SERVICE, json=call(), headers={"X-Request-ID": given})
    assert answer.headers["X-Request-ID"] == given


@pytest.mark.parametrize("given", ["", "x" * 65, "two words", 'x"y', "a/b", "é", "a.b@c", "x\ty"])
def test_anything_else_gets_an_id_of_this_service_and_is_not_repeated(client: FlaskClient, given: str) -> None:
    first, second = (client.get("/healthz", headers={"X-Request-ID": given}).headers["X-Request-ID"] for _ in range(2))
    assert first != second
    assert len(first) == len(second) == 32
    assert given not in ("", first)[1:]


@pytest.mark.parametrize(("path", "status"), [(SERVICE, 405), ("/nothing", 404), ("/readyz", 200), ("/about", 200)])
def test_every_answer_carries_an_id(client: FlaskClient, path: str, status: int) -> None:
    answer = client.get(path)
    assert (answer.status_code, len(answer.headers["X-Request-ID"])) == (status, 32)


def test_every_line_of_a_request_carries_its_id_also_those_of_other_threads(tmp_path: Path, fhir: Fhir) -> None:
    body = hook_call(PATIENT, fhirServer=fhir.base)
    with service_process(tmp_path / "log", fhir.base, CRS_CDS_LOG_LEVEL="debug") as service:
        assert service.call(body, headers={"X-Request-ID": "of-this-call"}).status_code == 200
    lines = [json.loads(line) for line in service.log.read_text().splitlines()]
    of_libraries = [line for line in lines if line.get("logger", "").startswith("urllib3")]
    assert len(of_libraries) >= len(fhir.asked), "urllib3 speaks of each of its queries at this level"
    assert {line["request_id"] for line in of_libraries} == {"of-this-call"}
    [answered] = [line for line in lines if line["event"] == "answered"]
    assert answered["request_id"] == "of-this-call"


# --- one line for each request ----------------------------------------------------------------------------------------


def line_of(client: FlaskClient, ask: Callable[[], Any]) -> dict[str, Any]:
    with capture_logs() as logs:
        ask()
    [line] = [line for line in logs if line["event"] != "feedback"]
    assert line.pop("milliseconds") >= 0
    return dict(line)


def test_an_answer_leaves_one_line(client: FlaskClient, filled: dict[str, Any]) -> None:
    filled["conditions"] = FAILED
    body = hook_call(PATIENT, prefetch=filled)
    assert line_of(client, lambda: client.post(SERVICE, json=body)) == {
        "event": "answered",
        "log_level": "info",
        "route": "call",
        "service": "crs-patient-view",
        "client": "unchecked",
        "status": 200,
        "outcome": "graded",
        "cards": 3,
        "hook_instance": body["hookInstance"],
        "needs": {"conditions": "error-reported"},
        "unrecognised": 0,
    }


def test_a_call_that_cannot_be_graded_leaves_one_line_with_the_needs_that_failed(client: FlaskClient) -> None:
    line = line_of(client, lambda: client.post(SERVICE, json=hook_call(PATIENT)))
    assert (line["event"], line["status"], line["outcome"]) == ("refused", 412, "MissingData")
    assert line["needs"]["therapies"] == "no-server"


def test_a_failure_of_the_service_leaves_one_line_with_its_class_and_place(make_app: MakeApp) -> None:
    def broken() -> Any:
        raise ValueError(CANARY)

    client = make_app(clock=broken)
    line = line_of(client, lambda: client.post(SERVICE, json=call()))
    assert (line["event"], line["log_level"], line["status"], line["reason"]) == ("failed", "error", 500, "ValueError")
    assert "test_observing.py:" in line["where"]
    assert CANARY not in json.dumps(line)


@pytest.mark.parametrize("path", ["/healthz", "/readyz", "/metrics"])
def test_probes_leave_a_line_at_the_lowest_level_only(client: FlaskClient, path: str) -> None:
    line = line_of(client, lambda: client.get(path))
    assert (line["event"], line["log_level"], line["status"]) == ("served", "debug", 200)


@pytest.mark.parametrize("path", [f"/cds-services/{CANARY}", f"/{CANARY}", f"/about?{CANARY}"])
def test_t11_no_line_and_no_metric_repeats_an_address(client: FlaskClient, path: str) -> None:
    for ask in (client.get, client.post):
        assert CANARY not in json.dumps(line_of(client, lambda ask=ask: ask(path)))
    assert CANARY not in client.get("/metrics").text


# --- what libraries log -----------------------------------------------------------------------------------------------


LIBRARY = f"""
import logging, sys
from cds_service.web.logs import configure_logs

configure_logs("debug")
library = logging.getLogger("some.library")
try:
    raise KeyError("{CANARY}")
except KeyError:
    library.exception("cannot read %s", "{CANARY}")
library.warning("made from {CANARY}")
library.log(35, "between levels %r", "{CANARY}")
"""


def test_t11_what_libraries_log_comes_without_values_messages_and_traces() -> None:
    ended = subprocess.run([sys.executable, "-c", LIBRARY], capture_output=True, text=True, check=True, cwd=ROOT)
    assert CANARY not in ended.stderr + ended.stdout
    first, second, third = map(json.loads, ended.stderr.splitlines())
    assert (first["event"], first["logger"], first["level"]) == ("cannot read %s", "some.library", "error")
    assert (first["reason"], first["where"]) == ("KeyError", "<string>:8")
    assert (second["event"], second["level"]) == (WITHHELD, "warning")
    assert (third["event"], third["level"]) == ("between levels %r", "warning")


# --- metrics ----------------------------------------------------------------------------------------------------------


def test_t96_answers_are_counted_by_service_client_outcome_grade_and_whether_a_card_was_shown(
    client: FlaskClient, filled: dict[str, Any]
) -> None:
    assert client.post(SERVICE, json=hook_call(PATIENT, prefetch=filled)).status_code == 200
    assert client.post(SERVICE, json=call()).status_code == 200
    assert client.post(SERVICE, json=call(hook="order-sign")).status_code == 400
    of = {"service": "crs-patient-view", "client": "unchecked"}
    assert count(client, "requests_total", route="call", outcome="graded", **of) == 1
    assert count(client, "requests_total", route="call", outcome="not-eligible", **of) == 1
    assert count(client, "requests_total", route="call", outcome="InvalidRequest", **of) == 1
    assert measured(client, "answers_total") == [(of | {"shown": "cards"}, 1), (of | {"shown": "nothing"}, 1)]
    assert measured(client, "grades_total") == [(of | {"grade": "3"}, 1), (of | {"grade": "none"}, 1)]
    assert count(client, "request_seconds_count", route="call", service="crs-patient-view") == 3


def test_t96_an_answer_whose_cards_were_all_held_back_is_not_counted_as_silent(
    client: FlaskClient, filled: dict[str, Any]
) -> None:
    body = hook_call(PATIENT, prefetch=filled)
    shown = client.post(SERVICE, json=body).get_json()["cards"]
    said = [overridden(card=card["uuid"]) for card in shown]
    assert client.post(f"{SERVICE}/feedback", json={"feedback": said}).status_code == 200
    again = client.post(SERVICE, json=body).get_json()["cards"]
    assert len(again) < len(shown)
    assert count(client, "answers_total", shown="nothing") == 0
    assert count(client, "requests_total", route="feedback", client="unchecked", outcome="served") == 1


def charted(numbers: range) -> dict[str, Any]:
    """Vital signs of the patient, each with a local code of its number and no name."""
    entries = [
        {
            "resource": {
                "resourceType": "Observation",
                "id": f"local-{number}",
                "status": "final",
                "subject": {"reference": f"Patient/{PATIENT}"},
                "effectiveDateTime": NOW.isoformat(),
                "code": {"coding": [{"system": "urn:local", "code": f"vital-{number}"}]},
                "valueQuantity": {"value": 1},
            }
        }
        for number in numbers
    ]
    return {"resourceType": "Bundle", "type": "searchset", "entry": entries}


def test_t69_codes_that_no_table_knows_are_counted_by_themselves_up_to_a_number(
    client: FlaskClient, filled: dict[str, Any]
) -> None:
    for most in (MOST_CODES - 1, MOST_CODES, MOST_CODES + 1, 2):
        body = hook_call(PATIENT, prefetch=filled | {"vitalSigns": charted(range(most))})
        line = line_of(client, lambda body=body: client.post(SERVICE, json=body))
        assert line["unrecognised"] == most
    codes = {labels["code"]: value for labels, value in measured(client, "unrecognised_total")}
    assert codes["vital-0"] == 4
    assert codes[f"vital-{MOST_CODES - 1}"] == 2
    assert codes["others"] == 1
    assert len(codes) == MOST_CODES + 1
    assert count(client, "unused_total", client="unchecked", cause="not recognised") == sum(codes.values())


def test_needs_are_counted_by_where_they_came_from(pulling: FlaskClient, fhir: Fhir, filled: dict[str, Any]) -> None:
    given = {"therapies": filled["therapies"], "conditions": FAILED}
    fhir.faults["Observation"] = ("403 Forbidden", "text/plain", "no")
    answer = pulling.post(SERVICE, json=hook_call(PATIENT, fhirServer=fhir.base, prefetch=given))
    assert answer.status_code == 412
    needs = {labels["need"]: labels["how"] for labels, _ in measured(pulling, "needs_total")}
    assert needs["therapies"] == "prefetch"
    assert needs["administrations"] == "fetched"
    assert needs["temperature"] == "not-permitted"
    assert needs["conditions"] == "error-reported"


def test_queries_are_counted_by_server_and_how_they_ended(pulling: FlaskClient, fhir: Fhir) -> None:
    server = fhir.base.removeprefix("http://").removesuffix("/fhir")
    assert pulling.post(SERVICE, json=hook_call(NOT_ELIGIBLE, fhirServer=fhir.base)).status_code == 200
    assert count(pulling, "fhir_seconds_count", server=server, result="answered") == len(fhir.asked) == 4
    assert measured(pulling, "fhir_server_left_alone") == []
    fhir.faults["fhir"] = ("500 Internal Server Error", "text/plain", "no")
    for _ in range(3):
        assert pulling.post(SERVICE, json=hook_call(NOT_ELIGIBLE, fhirServer=fhir.base)).status_code == 412
    assert count(pulling, "fhir_seconds_count", server=server, result="http-5xx") == 8
    assert count(pulling, "fhir_seconds_count", server=server, result="left-alone") == 4
    assert measured(pulling, "fhir_server_left_alone") == [({"server": server}, 1)]


def test_stages_are_measured(pulling: FlaskClient, fhir: Fhir) -> None:
    assert pulling.post(SERVICE, json=hook_call(PATIENT, fhirServer=fhir.base)).status_code == 200
    stages = {labels["stage"]: value for labels, value in measured(pulling, "stage_seconds_count")}
    assert stages == {"gather": 2, "need": 19, "read": 2, "assess": 1, "cards": 1, "store": 2}


def test_t11_no_label_is_a_patient_a_card_or_an_instance(pulling: FlaskClient, fhir: Fhir) -> None:
    body = hook_call(PATIENT, fhirServer=fhir.base)
    cards = pulling.post(SERVICE, json=body).get_json()["cards"]
    text = pulling.get("/metrics").text
    for secret in (
        PATIENT,
        body["hookInstance"],
        body["context"]["userId"],
        fhir.base,
        *(one["uuid"] for one in cards),
    ):
        assert secret not in text


def test_free_space_of_the_state_folder_is_measured(client: FlaskClient) -> None:
    [(_, free)] = measured(client, "state_free_bytes")
    assert free > 0

"""Errors: each an OperationOutcome with its status, never a trace, a value or an empty list of cards (H-4 to H-8)."""

import inspect
import json
from collections.abc import Iterator
from http import HTTPStatus
from typing import Any

import pytest
from structlog.testing import capture_logs

from cds_service import errors
from cds_service.conformance.judge import check_operation_outcome
from cds_service.errors import CdsError, Refused, operation_outcome
from cds_service.web.logs import ALLOWED, only_allowed
from tests.answers import SERVICE
from tests.conftest import MakeApp
from tests.contract.test_hook_call import CANARY, assert_refused, call


def answered() -> Iterator[type[CdsError]]:
    """Every class of error that is ever an HTTP answer."""
    for _, found in inspect.getmembers(errors, inspect.isclass):
        if issubclass(found, CdsError) and not issubclass(found, Refused):
            yield found


def test_h4_every_error_class_becomes_an_operation_outcome_with_its_status() -> None:
    classes = list(answered())
    assert len(classes) >= 9
    for found in classes:
        check_operation_outcome(operation_outcome(found("One plain sentence.", expression="context")))
        assert found.status >= HTTPStatus.BAD_REQUEST


@pytest.mark.parametrize("failure", [ValueError, KeyError, RuntimeError, RecursionError, MemoryError])
def test_h8_a_bug_is_500_without_trace_or_values_and_never_no_cards(
    make_app: MakeApp, failure: type[Exception]
) -> None:
    def broken() -> Any:
        raise failure(f"{CANARY} at bed 7")

    with capture_logs() as logs:
        answer = make_app(clock=broken).post(SERVICE, json=call())
    issue = assert_refused(answer, 500)
    assert issue["code"] == "exception"
    assert "cards" not in answer.get_json()
    assert failure.__name__ not in answer.text
    [line] = [line for line in logs if line["event"] == "failed"]
    assert line["reason"] == failure.__name__
    assert CANARY not in json.dumps(line)
    assert "test_errors.py:" in line["where"]


def test_h8_an_error_after_an_answer_does_not_change_the_next(make_app: MakeApp) -> None:
    instants = iter([None])
    client = make_app(clock=lambda: next(instants))
    assert client.post(SERVICE, json=call()).status_code == 500
    assert client.post(SERVICE, json=call()).status_code == 500
    assert client.get("/healthz").status_code == 200


@pytest.mark.parametrize(
    "patient",
    [
        {"resourceType": "Patient", "id": "p2", "name": [{"family": CANARY}]},
        {"resourceType": "Patient", "name": [{"family": CANARY}]},
        {"resourceType": "Patient", "id": "P1"},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": "p2"}}]},
    ],
    ids=["another", "without id", "other case", "in a Bundle"],
)
def test_t40_the_patient_of_another_is_422(make_app: MakeApp, patient: dict[str, Any]) -> None:
    body = call()
    body["prefetch"]["patient"] = patient
    issue = assert_refused(make_app().post(SERVICE, json=body), 422)
    assert (issue["code"], issue["expression"]) == ("invariant", ["prefetch.patient"])


@pytest.mark.parametrize(
    "patient",
    [
        None,
        {"resourceType": "Patient", "id": "p1"},
        {"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Patient", "id": "p1"}}]},
        {"resourceType": "Bundle", "entry": []},
        {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]},
        "<html>",
    ],
    ids=["null", "own", "own in a Bundle", "empty Bundle", "outcome", "HTML"],
)
def test_t40_anything_else_in_that_key_is_no_mismatch(make_app: MakeApp, patient: Any) -> None:
    body = call()
    body["prefetch"]["patient"] = patient
    assert make_app().post(SERVICE, json=body).status_code == 200


def test_t11_a_refusal_logs_its_kind_and_nothing_that_was_sent(make_app: MakeApp) -> None:
    with capture_logs() as logs:
        make_app().post(SERVICE, json=call(hook=CANARY))
        make_app().post(SERVICE, json=call())
    assert [line["event"] for line in logs] == ["refused", "answered"]
    assert logs[0].pop("milliseconds") >= 0
    assert logs[0] == {
        "event": "refused",
        "log_level": "info",
        "route": "call",
        "service": "crs-patient-view",
        "client": "unchecked",
        "status": 400,
        "outcome": "InvalidRequest",
    }
    assert "p1" not in json.dumps(logs, default=str)


def test_t11_a_member_that_is_not_on_the_list_never_reaches_the_log() -> None:
    line = dict.fromkeys(ALLOWED, 1) | {"patient": CANARY, "url": CANARY, "exception": CANARY}
    assert set(only_allowed(None, "info", line)) == ALLOWED


def test_an_error_of_the_framework_is_json_too(make_app: MakeApp) -> None:
    from werkzeug.exceptions import ImATeapot

    client = make_app()
    client.application.add_url_rule("/cds-services/tea", view_func=lambda: (_ for _ in ()).throw(ImATeapot()))
    assert_refused(client.get("/cds-services/tea"), 400)

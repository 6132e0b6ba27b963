"""`crs-cds fire` plays the EHR for every hook."""

import json
from pathlib import Path

import pytest

from cds_service.conformance.judge import check
from tests.answers import PATIENT
from tests.contract.test_order_hooks import culture_draft, draft
from tests.integration.test_cli import run
from tests.server import Fhir, Service


@pytest.fixture
def order_file(tmp_path: Path) -> Path:
    path = tmp_path / "order.json"
    path.write_text(json.dumps(draft(328.5)), encoding="utf-8")
    return path


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("pull", [True, False])
def test_an_order_is_chosen_or_signed_and_its_card_shown(
    service: Service, fhir: Fhir, order_file: Path, hook: str, pull: bool
) -> None:
    arguments = ["--patient", PATIENT, "--fhir", fhir.base, "--service", service.base, "--hook", hook]
    shown = run("fire", *arguments, "--draft", order_file, *(["--pull"] if pull else []))
    assert shown.returncode == 0, shown.stderr
    assert "328.5 mg is less than the dose by weight, 656 mg" in shown.stdout


def test_request_and_answer_are_printed_as_json(service: Service, fhir: Fhir, order_file: Path, tmp_path: Path) -> None:
    culture = tmp_path / "culture.json"
    culture.write_text(json.dumps(culture_draft()), encoding="utf-8")
    arguments = ["--patient", PATIENT, "--fhir", fhir.base, "--service", service.base, "--hook", "order-select"]
    shown = run("fire", *arguments, "--draft", order_file, "--draft", culture, "--json")
    found = json.loads(shown.stdout)
    assert found["request"]["context"]["selections"] == ["MedicationRequest/request-1", "ServiceRequest/culture-1"]
    check(found["answer"], patient_id=PATIENT, draft_ids=["MedicationRequest/request-1"], hook="order-select")


def test_an_order_that_cannot_be_read_is_one_plain_sentence(service: Service, tmp_path: Path) -> None:
    broken = tmp_path / "order.json"
    broken.write_text("{", encoding="utf-8")
    refused = run("fire", "--patient", PATIENT, "--service", service.base, "--hook", "order-sign", "--draft", broken)
    assert refused.returncode == 2
    assert "order.json" in refused.stderr

"""Every worked patient through the production server: prefetched by an EHR, and pulled by the service."""

from collections.abc import Iterator
from typing import Any

import pytest
import requests

from cds_service.fhir.memory import Repository
from tests.answers import assessment
from tests.chart import NOW
from tests.contract.validator import check
from tests.server import Fhir, Service, fhir_server, hook_call, prefetch, service_process
from tests.stories.vignettes import patient_id, vignette_bundle, vignettes

Json = dict[str, Any]
CASES = {name: case for name, case in vignettes().items() if not case.get("unread")}


@pytest.fixture(scope="module")
def vignette_server() -> Iterator[Fhir]:
    """A FHIR server that holds every worked patient."""
    with fhir_server(Repository(lambda: NOW)) as fhir:
        for case in CASES.values():
            bundle = vignette_bundle(case)
            for entry in bundle["entry"]:
                resource = entry["resource"]
                entry["request"] = {"method": "PUT", "url": f"{resource['resourceType']}/{resource['id']}"}
            fhir.repository.transaction(bundle | {"type": "transaction"})
        yield fhir


@pytest.fixture(scope="module")
def vignette_service(vignette_server: Fhir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The production server, allowed to call it."""
    log = tmp_path_factory.mktemp("vignettes") / "log"
    with service_process(log, vignette_server.base, NOW) as running:
        yield running


@pytest.fixture(scope="module")
def templates(vignette_service: Service) -> dict[str, str]:
    discovered = requests.get(f"{vignette_service.base}/cds-services", timeout=10).json()
    found: dict[str, str] = discovered["services"][0]["prefetch"]
    return found


@pytest.mark.parametrize("name", CASES)
def test_a_worked_patient_is_graded_the_same_prefetched_and_pulled(
    vignette_server: Fhir, vignette_service: Service, templates: dict[str, str], name: str
) -> None:
    case = CASES[name]
    who = patient_id(case)
    call = hook_call(who, fhirServer=vignette_server.base)
    pulled = vignette_service.call(call).json()
    filled = prefetch(vignette_server.base, templates, who)
    assert vignette_service.call(call | {"prefetch": filled}).json() == pulled
    check(pulled, patient_id=who)
    expect = case["expect"]
    assert (assessment(pulled)["status"], assessment(pulled)["grade"]) == (expect["status"], expect.get("grade"))
    drafted = sum(len(card.get("suggestions", [])) for card in pulled["cards"])
    assert drafted == len(expect.get("orders", []))

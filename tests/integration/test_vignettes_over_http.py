"""Every worked patient through the production server: prefetched by an EHR, and pulled by the service."""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import parse_qsl

import pytest
import requests

from cds_service.conformance.judge import check
from cds_service.fhir.memory import Repository
from tests.answers import assessment
from tests.chart import NOW
from tests.server import Fhir, Service, fhir_server, hook_call, service_process
from tests.stories.vignettes import patient_id, vignette_bundle, vignettes

Json = dict[str, Any]
CASES = {name: case for name, case in vignettes().items() if not case.get("unread")}


@pytest.fixture(scope="module")
def vignette_server() -> Iterator[Fhir]:
    """A FHIR server for one worked patient at a time."""
    with fhir_server(Repository(lambda: NOW)) as fhir:
        yield fhir


@contextmanager
def charted(case: Json, fhir: Fhir) -> Iterator[None]:
    """Within it the patient is on the server."""
    resources = [entry["resource"] for entry in vignette_bundle(case)["entry"]]
    for method in ("PUT", "DELETE"):
        asked = [{"method": method, "url": f"{one['resourceType']}/{one['id']}"} for one in resources]
        entries = [{"resource": one, "request": request} for one, request in zip(resources, asked, strict=True)]
        fhir.repository.transaction({"resourceType": "Bundle", "type": "transaction", "entry": entries})
        if method == "PUT":
            yield


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


def found(fhir: Fhir, template: str, who: str) -> Json:
    """What the server answers to a template, without going through a socket for each of so many."""
    path, _, query = template.replace("{{context.patientId}}", who).partition("?")
    if not query:
        return fhir.repository.read(*path.split("/"))
    page = fhir.repository.search(path, parse_qsl(query))
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": one} for one in page.resources]}


@pytest.mark.parametrize("name", CASES)
def test_a_worked_patient_is_graded_the_same_prefetched_and_pulled(
    vignette_server: Fhir, vignette_service: Service, templates: dict[str, str], name: str
) -> None:
    case = CASES[name]
    who = patient_id(case)
    call = hook_call(who, fhirServer=vignette_server.base)
    with charted(case, vignette_server):
        pulled = vignette_service.call(call).json()
        filled = {key: found(vignette_server, template, who) for key, template in templates.items()}
    assert vignette_service.call(call | {"prefetch": filled}).json() == pulled
    check(pulled, patient_id=who)
    expect = case["expect"]
    assert (assessment(pulled)["status"], assessment(pulled)["grade"]) == (expect["status"], expect.get("grade"))
    drafted = sum(len(card.get("suggestions", [])) for card in pulled["cards"])
    assert drafted == len(expect.get("orders", []))

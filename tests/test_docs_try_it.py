"""docs/try-it.md says what is so: its steps are taken, with the embedded FHIR server in place of the public one."""

import json
import os
import re
import shlex
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests

from cds_service.cli.demo import SANDBOX_USER
from cds_service.fhir.memory import Repository
from tests.integration.test_cli import run
from tests.server import ROOT, SECONDS, Fhir, Service, fhir_server, service_process

DOCUMENT = (ROOT / "docs" / "try-it.md").read_text(encoding="utf-8")
BLOCKS = re.findall(r"```sh\n(.*?)\n *```", DOCUMENT, re.DOTALL)
COMMANDS = [line.strip() for block in BLOCKS for line in block.splitlines()]
[ADDRESS] = re.findall(r"```text\n\s*(\S+)\n", DOCUMENT)
PUBLIC, HERE, PATIENT = "https://fhir.example.org/r4", "http://127.0.0.1:5000", "PATIENT"
STORY = "grade-3-one-vasopressor"
Step = Callable[..., str]


@pytest.fixture(scope="module")
def public() -> Iterator[Fhir]:
    """An empty FHIR server, in place of the public one."""
    with fhir_server(Repository(lambda: datetime.now(UTC))) as fhir:
        fhir.repository.update(SANDBOX_USER)
        yield fhir


@pytest.fixture(scope="module")
def served(public: Fhir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service as the document starts it for the sandbox: stories that are loaded are moved to the present."""
    log = tmp_path_factory.mktemp("service") / "log"
    with service_process(log, public.base, now=datetime.now(UTC), CRS_CDS_CLIENT_PROFILE="sandbox") as service:
        yield service


@pytest.fixture
def step(public: Fhir, served: Service) -> Step:
    """Take the step whose command begins so, and hand over what one sees."""

    def take(begin: str, patient: str = "", end: str = "") -> str:
        [command] = [line for line in COMMANDS if line.startswith(begin) and line.endswith(end) and PUBLIC in line]
        words = [word.replace(PUBLIC, public.base).replace(PATIENT, patient) for word in shlex.split(command)[1:]]
        served_here = ["--service", served.base] if "fire" in words else []
        ended = run(*words, *served_here)
        assert (ended.returncode, ended.stderr) == (0, ""), command
        return ended.stdout

    return take


def loaded(step: Step) -> str:
    """The id that the server gave the patient, as the document has one read it."""
    [line, removal] = step("crs-cds fixtures load").splitlines()
    assert removal.startswith("remove them again: ")
    return line.rpartition(" --patient ")[2]


def test_every_command_of_the_document_is_taken_here() -> None:
    settings = "CRS_CDS_AUTH=off CRS_CDS_FHIR_SERVERS=https://fhir.example.org/r4"
    assert [
        "make demo",
        f"crs-cds fire --patient {STORY}-patient --fhir {HERE}/fhir --service {HERE}",
        f"crs-cds doctor --fhir {PUBLIC}",
        f"crs-cds fixtures load --fhir {PUBLIC} --story {STORY} --tag my-test-1",
        f"{settings} crs-cds serve",
        f"crs-cds fire --fhir {PUBLIC} --patient PATIENT",
        f"crs-cds fire --fhir {PUBLIC} --patient PATIENT --pull",
        f"crs-cds fixtures remove --fhir {PUBLIC} --tag my-test-1",
        f"{settings.replace('off', 'off CRS_CDS_CLIENT_PROFILE=sandbox')} crs-cds serve",
    ] == COMMANDS


def test_each_step_against_a_public_server_shows_what_the_document_says(step: Step, public: Fhir) -> None:
    examined = step("crs-cds doctor")
    assert " no " not in examined.partition("scope, SMART v1")[0]
    assert "does not say which scopes it grants" in examined
    patient = loaded(step)
    assert loaded(step) == patient, "it is created once"
    seen = [step("crs-cds fire", patient, end) for end in ("PATIENT", "--pull")]
    for shown in seen:
        assert "graded, grade 3" in shown
        assert "CRS grade 3: norepinephrine running" in shown
    assert seen[0] == seen[1]
    assert re.fullmatch(r"removed \d+ resources with the tag my-test-1\n", step("crs-cds fixtures remove"))
    assert requests.get(f"{public.base}/Patient/{patient}", timeout=SECONDS).status_code == 410


def test_the_sandbox_finds_what_it_asks_for_with_the_parameters_of_the_document(
    step: Step, public: Fhir, served: Service
) -> None:
    patient = loaded(step)
    given = {name: value for name, [value] in parse_qs(urlsplit(ADDRESS).query).items()}
    fhir = given["fhirServiceUrl"].replace(PUBLIC, public.base)
    listed = given["serviceDiscoveryURL"].replace(HERE, served.base)
    assert (given["patientId"], given["hook"], given["screen"]) == (PATIENT, "patient-view", "patient-view")

    asking = requests.Session()
    asking.headers.update({"Accept": "application/json+fhir", "Origin": "http://127.0.0.1:8080"})
    assert _json(asking, "GET", f"{fhir}/metadata")["fhirVersion"] == "4.0.1"
    assert isinstance(_json(asking, "GET", f"{fhir}/Patient/{patient}")["name"][0]["given"], list)
    assert _json(asking, "GET", f"{fhir}/Practitioner/COREPRACTITIONER1")["id"] == "COREPRACTITIONER1"
    assert _json(asking, "GET", f"{fhir}/Condition?patient={patient}")["resourceType"] == "Bundle"

    _preflight(asking, listed, "GET", "authorization")
    [service] = [one for one in _json(asking, "GET", listed)["services"] if one["hook"] == given["hook"]]
    prefetch = {}
    for key, template in service["prefetch"].items():
        kind, _, query = template.replace("{{context.patientId}}", patient).partition("?")
        form = {"data": query, "headers": {"Content-Type": "application/x-www-form-urlencoded"}}
        asked = ("POST", f"{fhir}/{kind}/_search", form) if query else ("GET", f"{fhir}/{kind}", {})
        prefetch[key] = _json(asking, asked[0], asked[1], **asked[2])
    call = {
        "hook": given["hook"],
        "hookInstance": "d1577c69-dfbe-44ad-ba6d-3e05e953b2ea",
        "fhirServer": fhir,
        "context": {"patientId": patient, "userId": "Practitioner/COREPRACTITIONER1"},
        "prefetch": prefetch,
    }
    _preflight(asking, f"{listed}/{service['id']}", "POST", "authorization,content-type")
    cards = _json(asking, "POST", f"{listed}/{service['id']}", json=call)["cards"]
    assert cards[0]["summary"].startswith("CRS grade 3: norepinephrine running")


def _json(asking: requests.Session, method: str, url: str, **options: Any) -> Any:
    """What a browser page is given: the answer allows it, and is JSON."""
    answer = asking.request(method, url, timeout=SECONDS, **options)
    assert answer.status_code == 200, f"{url}: {answer.text}"
    assert answer.headers["Access-Control-Allow-Origin"] == "*"
    return json.loads(answer.content)


def _preflight(asking: requests.Session, url: str, method: str, headers: str) -> None:
    asked = {"Access-Control-Request-Method": method, "Access-Control-Request-Headers": headers}
    answer = asking.options(url, headers=asked, timeout=SECONDS)
    assert answer.ok
    assert set(headers.split(",")) <= set(answer.headers["Access-Control-Allow-Headers"].lower().split(", "))
    assert method in answer.headers["Access-Control-Allow-Methods"]


def test_the_files_that_the_document_links_to_exist() -> None:
    for target in re.findall(r"\]\(([^)#]+)", DOCUMENT):
        assert os.path.exists(Path(ROOT, "docs", target)), target

"""`crs-cds fire`: an EHR in one command: discovery, prefetch from a FHIR server, the hook, the cards."""

import uuid
from typing import Any
from urllib.parse import quote

import click
import requests
from rich.console import Console

from cds_service.cli.printing import grade_words, print_cards
from cds_service.errors import InvalidInput
from cds_service.fhir.client import new_session
from cds_service.hooks.assessment_json import EXTENSION

SECONDS = 30


@click.command()
@click.option("--patient", "patient_id", required=True, metavar="ID", help="Patient.id on the FHIR server.")
@click.option("--fhir", "fhir_url", metavar="URL", help="FHIR base URL; prefetch is filled from it.")
@click.option(
    "--service",
    "service_url",
    default="http://127.0.0.1:5000",
    show_default=True,
    metavar="URL",
    help="Base URL of the service.",
)
@click.option("--pull", is_flag=True, help="Send no prefetch: the service reads the FHIR server itself.")
def fire(patient_id: str, fhir_url: str | None, service_url: str, pull: bool) -> None:
    """Fire patient-view at a service as an EHR would, and show the cards."""
    session = new_session()
    answer = fire_hook(session, service_url, patient_id, fhir_url, pull=pull)
    console = Console()
    assessment = answer.get("extension", {}).get(EXTENSION, {})
    console.print(f"[bold]{patient_id}[/bold]: {grade_words(assessment)}")
    print_cards(console, answer.get("cards", []))
    for words in assessment.get("missing", []):
        console.print(f"  not known: {words}", markup=False)


def fire_hook(
    session: requests.Session, service_url: str, patient_id: str, fhir_url: str | None, *, pull: bool
) -> dict[str, Any]:
    """One patient-view call; returns the answer. Raises InvalidInput with the service's own words when it refuses."""
    base = service_url.rstrip("/")
    listed = _get(session, f"{base}/cds-services")
    found = next((item for item in listed.get("services", []) if item.get("hook") == "patient-view"), None)
    if found is None:
        raise InvalidInput(f"{base}/cds-services lists no service for patient-view")
    call: dict[str, Any] = {
        "hook": "patient-view",
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/COREPRACTITIONER1", "patientId": patient_id},
    }
    if fhir_url is not None:
        call["fhirServer"] = fhir_url.rstrip("/")
        if not pull:
            call["prefetch"] = fill(session, fhir_url, found.get("prefetch", {}), patient_id)
    try:
        response = session.post(f"{base}/cds-services/{found['id']}", json=call, timeout=SECONDS)
    except requests.RequestException as error:
        raise InvalidInput(f"{base} cannot be reached: start it with `crs-cds serve` or give --service") from error
    body: dict[str, Any] = response.json()
    if response.status_code != 200:
        texts = "; ".join(str(issue.get("details", {}).get("text", "")) for issue in body.get("issue", []))
        raise InvalidInput(f"the service answered HTTP {response.status_code}: {texts}")
    return body


def fill(session: requests.Session, fhir_url: str, templates: dict[str, str], patient_id: str) -> dict[str, Any]:
    """The prefetch, as an EHR obtains it: templates filled and sent. A key that cannot be had is left out."""
    filled = {}
    for key, template in templates.items():
        query = template.replace("{{context.patientId}}", quote(patient_id, safe=""))
        response = session.get(f"{fhir_url.rstrip('/')}/{query}", timeout=SECONDS)
        if response.status_code == 200:
            filled[key] = response.json()
    return filled


def _get(session: requests.Session, url: str) -> dict[str, Any]:
    try:
        response = session.get(url, timeout=SECONDS)
        response.raise_for_status()
        body: dict[str, Any] = response.json()
    except (requests.RequestException, ValueError) as error:
        raise InvalidInput(f"{url} gives no discovery document: is the service running there?") from error
    return body

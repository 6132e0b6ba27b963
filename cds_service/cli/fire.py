"""`crs-cds fire`: an EHR in one command: discovery, prefetch from a FHIR server, the hook, the cards."""

import json
from pathlib import Path

import click
from rich.console import Console

from cds_service.cli.ehr import fire_hook, service_option
from cds_service.cli.grade import read_json
from cds_service.cli.printing import grade_words, print_cards
from cds_service.cli.signing import Signing, signing
from cds_service.fhir.client import new_session
from cds_service.hooks.assessment_json import EXTENSION


@click.command()
@click.option("--patient", "patient_id", required=True, metavar="ID", help="Patient.id on the FHIR server.")
@click.option("--fhir", "fhir_url", metavar="URL", help="FHIR base URL; prefetch is filled from it.")
@service_option
@click.option("--pull", is_flag=True, help="Send no prefetch: the service reads the FHIR server itself.")
@click.option(
    "--hook",
    type=click.Choice(["patient-view", "order-select", "order-sign"]),
    default="patient-view",
    show_default=True,
)
@click.option(
    "--draft",
    "drafts",
    multiple=True,
    metavar="FILE",
    type=click.Path(path_type=Path),
    help="An order of the session, as a FHIR resource in JSON; may be given several times.",
)
@signing
@click.option("--json", "as_json", is_flag=True, help="Print the request and the answer as JSON.")
def fire(
    patient_id: str,
    fhir_url: str | None,
    service_url: str,
    pull: bool,
    hook: str,
    drafts: tuple[Path, ...],
    signing: Signing,
    as_json: bool,
) -> None:
    """Fire a hook at a service as an EHR would, and show the cards."""
    session = new_session()
    signing.sign(session, service_url)
    orders = [read_json(path) for path in drafts]
    call, answer = fire_hook(session, service_url, patient_id, fhir_url, pull=pull, hook=hook, orders=orders)
    if as_json:
        click.echo(json.dumps({"request": call, "answer": answer}, indent=2, ensure_ascii=False, default=str))
        return
    console = Console()
    assessment = answer.get("extension", {}).get(EXTENSION, {})
    console.print(f"[bold]{patient_id}[/bold]: {grade_words(assessment)}")
    print_cards(console, answer.get("cards", []))
    for words in assessment.get("missing", []):
        console.print(f"  not known: {words}", markup=False)

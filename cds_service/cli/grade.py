"""`crs-cds grade`."""

import json
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from cds_service.cli.printing import grade_words, print_cards
from cds_service.cli.serve import knowledge_of
from cds_service.errors import CdsError, InvalidInput
from cds_service.fhir.client import Connections
from cds_service.fhir.elements import Json, moment, objects
from cds_service.fhir.strict_json import parse
from cds_service.hooks.assessment_json import EXTENSION
from cds_service.hooks.evaluate import Access
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import service
from cds_service.web.logs import silence_logs
from cds_service.web.settings import read_settings


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path))
@click.option(
    "--at",
    "at",
    metavar="TIME",
    help="Instant to grade at, e.g. 2026-01-15T12:00:00Z. Default: the Bundle's timestamp, else now.",
)
@click.option("--patient", "patient_id", metavar="ID", help="Which patient, when the Bundle holds several.")
@click.option("--protocol", metavar="ID|FILE", help="Protocol to grade by. Default: CRS_CDS_PROTOCOL.")
@click.option("--json", "as_json", is_flag=True, help="Print the machine-readable assessment.")
def grade(bundle: Path, at: str | None, patient_id: str | None, protocol: str | None, as_json: bool) -> None:
    """Grade the patient of a FHIR Bundle: grade, evidence, orders."""
    silence_logs()
    body = read_bundle(bundle)
    now = instant_for(at, body)
    settings = read_settings()
    knowledge = knowledge_of(settings.model_copy(update={"protocol": protocol}) if protocol else settings)
    call = bundle_call(body, patient_id, knowledge) | {"hookInstance": f"grade-{bundle.name}"}
    with ThreadPoolExecutor(1) as executor:
        access = Access(connections=Connections(), executor=executor, allow_list=(), deadline_seconds=1.0)
        answer = service("crs-patient-view").answer(call, "crs-patient-view", knowledge, access, now).response
    assessment = answer["extension"][EXTENSION]
    if as_json:
        click.echo(json.dumps(assessment, indent=2, ensure_ascii=False))
        return
    console = Console()
    console.print(f"[bold]{bundle}[/bold] at {assessment['asOf']}: [bold]{grade_words(assessment)}[/bold]")
    print_cards(console, answer["cards"])
    if not answer["cards"]:
        for line in (*assessment["missing"], *(f"not used: {item['reason']}" for item in assessment["unused"])):
            console.print(f"  {line}", markup=False)


def read_bundle(path: Path) -> Json:
    """A Bundle from a file. Raises InvalidInput that says what is wrong with it."""
    body = read_json(path)
    if not isinstance(body, dict) or body.get("resourceType") != "Bundle":
        raise InvalidInput(f"{path} is not a FHIR Bundle: give a file whose resourceType is Bundle")
    return body


def read_json(path: Path) -> Any:
    """A JSON file, read as strictly as a request. Raises InvalidInput that says what is wrong with it."""
    try:
        return parse(path.read_bytes())
    except OSError as error:
        raise InvalidInput(f"{path} cannot be read: {error.strerror}") from error
    except CdsError as error:
        raise InvalidInput(f"{path}: {error.message}") from error


def instant_of(at: str) -> datetime:
    """The instant of an option `--at`. Raises InvalidInput when it is no time."""
    given = moment(at, UTC)
    if given is None:
        raise InvalidInput(f"--at {at!r} is not a time: write 2026-01-15T12:00:00Z")
    return given.time


def instant_for(at: str | None, bundle: Json) -> datetime:
    """The instant of `--at`, else that of the Bundle, else now. Raises InvalidInput when `--at` is no time."""
    if at is not None:
        return instant_of(at)
    stamped = moment(bundle.get("timestamp"), UTC)
    return stamped.time if stamped is not None else datetime.now(UTC)


def bundle_call(bundle: Json, patient_id: str | None, knowledge: Knowledge) -> dict[str, Any]:
    """The patient-view call for the patient of a Bundle. Raises InvalidInput when it does not tell which one."""
    resources = [entry["resource"] for entry in objects(bundle.get("entry")) if isinstance(entry.get("resource"), dict)]
    who = patient_id or _only_patient(resources)
    return patient_call(who) | {
        "prefetch": prefetch(resources, {need.key: need.resource_type for need in knowledge.needs}, who)
    }


def patient_call(patient_id: str) -> dict[str, Any]:
    """The patient-view call of the command line for a patient."""
    return {
        "hook": "patient-view",
        "hookInstance": "command-line",
        "context": {"userId": "Practitioner/command-line", "patientId": patient_id},
    }


def _only_patient(resources: Sequence[Json]) -> str:
    ids = [str(item.get("id")) for item in resources if item.get("resourceType") == "Patient"]
    if len(ids) != 1:
        raise InvalidInput(f"the Bundle holds {len(ids)} patients: name one with --patient ID")
    return ids[0]


def prefetch(resources: Sequence[Json], types: Mapping[str, str], patient_id: str) -> dict[str, Any]:
    """A Bundle's resources as a complete prefetch: each key gets all resources of its type."""
    filled: dict[str, Any] = {}
    for key, resource_type in types.items():
        of_type = [item for item in resources if item.get("resourceType") == resource_type]
        if resource_type == "Patient":
            filled[key] = next((item for item in of_type if item.get("id") == patient_id), None)
        else:
            entries = [{"resource": item} for item in of_type]
            filled[key] = {"resourceType": "Bundle", "type": "searchset", "entry": entries}
    filled["medications"] = {
        "resourceType": "Bundle",
        "type": "collection",
        "entry": [{"resource": item} for item in resources if item.get("resourceType") == "Medication"],
    }
    return filled

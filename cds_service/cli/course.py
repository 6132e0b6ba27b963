"""`crs-cds course`: the CRS course of a patient as a page, a picture, or JSON."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC, datetime
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

import click

from cds_service.cli.grade import bundle_call, instant_for, instant_of, patient_call, read_bundle
from cds_service.cli.serve import knowledge_of
from cds_service.crs.trajectory import Step, trajectory
from cds_service.errors import InvalidInput
from cds_service.fhir.addresses import FhirServer, fhir_server
from cds_service.fhir.client import Connections
from cds_service.hooks.assessment_json import instant
from cds_service.hooks.call import HookCall, read_call
from cds_service.hooks.evaluate import Access, Reading, evaluated
from cds_service.hooks.knowledge import Knowledge
from cds_service.plots.course import course_file
from cds_service.plots.flowsheet import Flowsheet
from cds_service.web.course import course_page
from cds_service.web.logs import silence_logs
from cds_service.web.settings import Settings, read_settings

SUFFIXES = (".html", ".svg", ".png")
SECONDS = 30


@click.command()
@click.argument("bundle", type=click.Path(path_type=Path), required=False)
@click.option("--patient", "patient_id", metavar="ID", help="Which patient: of --fhir, or of a Bundle of several.")
@click.option("--fhir", "fhir_url", metavar="URL", help="FHIR base URL to read the patient from, in place of a Bundle.")
@click.option(
    "--token", metavar="TOKEN", envvar="FHIR_TOKEN", show_envvar=True, help="Bearer token, where one is needed."
)
@click.option("--at", metavar="TIME", help="Instant of now, e.g. 2026-01-15T12:00:00Z. Default: as for grade.")
@click.option("--out", metavar="FILE", type=click.Path(dir_okay=False, path_type=Path), help="A .html, .svg or .png.")
@click.option("--json", "as_json", is_flag=True, help="Print the grade over time as JSON.")
def course(
    bundle: Path | None,
    patient_id: str | None,
    fhir_url: str | None,
    token: str | None,
    at: str | None,
    out: Path | None,
    as_json: bool,
) -> None:
    """Draw the CRS course of a patient: vital signs, support, treatment and the grade over time."""
    silence_logs()
    if out is None and not as_json:
        raise InvalidInput("say where to write with --out FILE, a .html, .svg or .png, or print with --json")
    if out is not None and out.suffix not in SUFFIXES:
        raise InvalidInput(f"--out {out}: the name of the file ends in {', '.join(SUFFIXES)}")
    settings = read_settings()
    knowledge = knowledge_of(settings)
    servers: tuple[FhirServer, ...] = ()
    if bundle is not None and fhir_url is None:
        body = read_bundle(bundle)
        now, call = instant_for(at, body), bundle_call(body, patient_id, knowledge)
    elif fhir_url is not None and bundle is None and patient_id is not None:
        now = instant_of(at) if at is not None else datetime.now(UTC)
        servers, call = _on_server(fhir_url, patient_id, token, settings)
    else:
        raise InvalidInput("give either a Bundle, or a patient and a FHIR server with --patient ID --fhir URL")
    reading = _read(call, knowledge, servers, settings, now)
    who = f"Patient/{call['context']['patientId']}"
    if out is not None:
        _write(out, _drawn(reading, knowledge, out.suffix, now, who))
    if as_json:
        click.echo(json.dumps(_document(reading, knowledge, now), indent=2, ensure_ascii=False))


def _on_server(
    url: str, patient_id: str, token: str | None, settings: Settings
) -> tuple[tuple[FhirServer, ...], dict[str, Any]]:
    """The server that is named, and the call that reads the patient there. Raises InvalidSettings for no FHIR URL."""
    server = fhir_server(url, plain_http=settings.plain_http)
    call = patient_call(patient_id) | {"fhirServer": server.base}
    return (server,), call | ({"fhirAuthorization": {"access_token": token, "token_type": "Bearer"}} if token else {})


def _read(
    call: dict[str, Any], knowledge: Knowledge, servers: tuple[FhirServer, ...], settings: Settings, now: datetime
) -> Reading:
    """Gathered, read and assessed as for a hook call. Raises MissingData where CRS cannot be graded at all."""
    with ThreadPoolExecutor(len(knowledge.needs)) as executor:
        access = Access(
            connections=Connections(settings.ca_bundle),
            executor=executor,
            allow_list=servers,
            deadline_seconds=SECONDS,
        )
        with evaluated(read_call(call, "patient-view", HookCall).question, knowledge, access, now) as reading:
            return reading


def _drawn(reading: Reading, knowledge: Knowledge, suffix: str, now: datetime, who: str) -> bytes:
    scale, zone = knowledge.content.scale, knowledge.zone
    if suffix == ".html":
        return course_page(reading, scale, zone, now, who=who)
    return course_file(Flowsheet.of(reading.timeline, scale, zone, now), suffix[1:], who)


def _write(out: Path, content: bytes) -> None:
    """The file, whole or not at all. Raises InvalidInput when it cannot be written."""
    try:
        with TemporaryDirectory(dir=out.parent, prefix=".crs-cds-") as folder:
            begun = Path(folder) / out.name
            begun.write_bytes(content)
            begun.replace(out)
    except OSError as error:
        raise InvalidInput(f"{out} cannot be written: {error.strerror}") from error
    click.echo(f"written to {out}", err=True)


def _document(reading: Reading, knowledge: Knowledge, now: datetime) -> dict[str, Any]:
    """The grade over time, oldest first."""
    found = trajectory(reading.timeline, knowledge.content.scale, now)
    return {
        "asOf": instant(now),
        "complete": found.complete,
        "steps": [_step(step) for step in found.steps],
        "protocol": dict(knowledge.content.knowledge),
    }


def _step(step: Step) -> dict[str, Any]:
    return {
        "from": instant(step.since),
        "until": instant(step.until),
        "status": step.status.value,
        "grade": step.grade,
        "orHigher": step.is_floor,
        "rules": list(dict.fromkeys(rule for finding in step.deciding for rule in finding.rules)),
        "missing": [words for finding in step.assessment.findings for words in finding.missing],
        "doubts": list(step.doubts),
    }

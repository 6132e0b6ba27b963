"""`crs-cds conformance`: a CDS Hooks 2.0.1 test of any service, on the terminal, as JSON, JUnit and a page."""

import json
import sys
from collections.abc import Callable, Sequence
from datetime import UTC, datetime
from pathlib import Path
from urllib.parse import urlsplit

import click
from rich.console import Console
from rich.table import Table
from rich.text import Text

from cds_service import __version__
from cds_service.cli.signing import UNSIGNED, Signing, signing
from cds_service.conformance.results import Outcome, Result, Results, count
from cds_service.conformance.trial.calls import NOBODY, Patient
from cds_service.conformance.trial.conversation import Conversation
from cds_service.conformance.trial.run import hold
from cds_service.conformance.trial.wire import Wire
from cds_service.conformance.written.document import Report, as_json
from cds_service.conformance.written.junit import junit
from cds_service.conformance.written.page import page
from cds_service.conformance.written.words import seen
from cds_service.errors import InvalidInput
from cds_service.fhir.client import new_session
from cds_service.fhir.deadline import Deadline, ending_by

STYLES = {Outcome.PASSED: "green", Outcome.FAILED: "bold red", Outcome.WARNING: "yellow", Outcome.NOT_APPLICABLE: "dim"}


@click.command()
@click.argument("url")
@click.option("--patient", "patient_id", metavar="ID", help="Patient.id to call about. Default: an invented one.")
@click.option("--fhir", "fhir_url", metavar="URL", help="FHIR base URL; prefetch is filled from it.")
@click.option("--hook", "hooks", multiple=True, metavar="HOOK", help="Only services of this hook; may be repeated.")
@signing
@click.option("--json", "as_document", is_flag=True, help="Print the report as JSON.")
@click.option("--junit", "junit_file", type=click.Path(path_type=Path), help="Write the report as JUnit XML.")
@click.option("--html", "html_file", type=click.Path(path_type=Path), help="Write the report as a page.")
def conformance(
    url: str,
    patient_id: str | None,
    fhir_url: str | None,
    hooks: tuple[str, ...],
    signing: Signing,
    as_document: bool,
    junit_file: Path | None,
    html_file: Path | None,
) -> None:
    """Test the CDS Hooks service at URL; exit status 1 when it breaks a SHALL.

    URL is the base URL, without /cds-services. The test takes at most a minute and keeps no patient data.
    """
    patient = Patient(patient_id or NOBODY, fhir_url and plain_url(fhir_url, "--fhir"))
    if fhir_url and not patient_id:
        raise InvalidInput("--fhir needs a patient whose record is read: give --patient ID too")
    base = plain_url(url, "URL").removesuffix("/cds-services")
    report = report_of(base, patient, hooks, secret=patient_id or "", signing=signing)
    for file, write in ((junit_file, junit), (html_file, page)):
        if file is not None:
            _write(file, write, report)
    if as_document:
        click.echo(json.dumps(as_json(report), indent=2, ensure_ascii=False))
    else:
        _print(report)
    sys.exit(1 if report.failed else 0)


def plain_url(url: str, name: str) -> str:
    """An http address without a trailing slash. Raises InvalidInput for what is none."""
    try:
        parts = urlsplit(url)
        sound = parts.scheme in ("http", "https") and parts.hostname and parts.port != 0 and url.isprintable()
    except ValueError:
        sound = False
    if not sound or any(sign in url for sign in "?#@ "):
        raise InvalidInput(f"{name} {url!r} is not an address: write it like https://cds.example.org")
    return url.rstrip("/")


def report_of(base: str, patient: Patient, hooks: tuple[str, ...], secret: str, signing: Signing = UNSIGNED) -> Report:
    """Hold the conversation and report. Progress goes to standard error."""
    now = datetime.now(UTC)
    results = Results(secret)
    with new_session() as session, Console(stderr=True).status("discovery") as status:
        signing.sign(session, base)
        wire = Wire.open(session, lambda seconds: ending_by(Deadline.after(seconds)))
        talk = Conversation(wire, base, patient, now, results, lambda words: status.update(Text(words)))
        hold(talk, hooks)
    return Report.of(results, base, now.isoformat(timespec="seconds"), __version__)


def _write(file: Path, write: Callable[[Report], bytes], report: Report) -> None:
    try:
        file.write_bytes(write(report))
    except OSError as error:
        raise InvalidInput(f"{file} cannot be written: {error.strerror}") from error


def _print(report: Report) -> None:
    console = Console()
    for title, results in report.groups:
        console.print(_table(title, [one for one in results if one.outcome is not Outcome.NOT_APPLICABLE]))
        left = [one.rule.id for one in results if one.outcome is Outcome.NOT_APPLICABLE]
        if left:
            console.print(Text(f"Not applicable: {', '.join(left)}", style=STYLES[Outcome.NOT_APPLICABLE]))
        counted = count(results)
        console.print(Text(", ".join(f"{counted[outcome]} {outcome}" for outcome in Outcome)))
    for note in report.notes:
        console.print(Text(f"Note: {note}"))
    verdict = "a SHALL is broken" if report.failed else "no SHALL is broken"
    console.print(Text(f"{report.url}: {verdict}", style="bold red" if report.failed else "bold green"))


def _table(title: str, results: Sequence[Result]) -> Table:
    table = Table("rule", "level", "result", "what it says, what was seen", title=title, title_justify="left")
    for result in results:
        words = Text("\n".join([result.rule.says, *(f"• {line}" for line in seen(result))]))
        outcome = Text(result.outcome, style=STYLES[result.outcome])
        table.add_row(Text(result.rule.id), Text(result.rule.level), outcome, words)
    return table

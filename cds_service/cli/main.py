"""`crs-cds`: the commands. Each is loaded when it is called, so that --help is quick."""

import gc
import sys
from importlib import import_module

import click

from cds_service import __version__
from cds_service.errors import CdsError

COMMANDS = {
    "serve": "cds_service.cli.serve:serve",
    "demo": "cds_service.cli.demo:demo",
    "grade": "cds_service.cli.grade:grade",
    "course": "cds_service.cli.course:course",
    "fire": "cds_service.cli.fire:fire",
    "keys": "cds_service.cli.keys:keys",
    "switch": "cds_service.cli.switch:switch",
    "explain": "cds_service.cli.explain:explain",
    "fixtures": "cds_service.cli.fixtures:fixtures",
    "doctor": "cds_service.cli.doctor:doctor",
    "prefetch": "cds_service.cli.prefetch:prefetch",
    "conformance": "cds_service.cli.conformance:conformance",
    "canary": "cds_service.cli.canary:canary",
    "content": "cds_service.cli.content:content",
    "report": "cds_service.cli.records:report",
    "records": "cds_service.cli.records:records",
}
SHORT_HELP = {
    "serve": "Run the service with the production server.",
    "demo": "Serve the stories with an embedded FHIR server and show their cards.",
    "grade": "Grade the patient of a FHIR Bundle.",
    "course": "Draw the CRS course of a patient as a page or a picture.",
    "fire": "Fire a hook at a service as an EHR would, and show the cards.",
    "keys": "Make a key to sign calls with, and the entry of its client.",
    "switch": "Switch services off and on, for one client or for all, without a restart.",
    "fixtures": "List, check, load and remove the stories on a FHIR server.",
    "doctor": "Try every query of the service on a FHIR server.",
    "prefetch": "Print prefetch queries and scopes to type into an EHR.",
    "conformance": "Test any CDS Hooks service against the specification.",
    "canary": "Send invented patients through a running service; fail when an answer is not as expected.",
    "explain": "Explain the answer to a hook request, step by step.",
    "content": "Check, show and compare the knowledge in cards/.",
    "report": "Report answers, cards, feedback and response times.",
    "records": "Export, purge or verify what was answered and said.",
}


class Commands(click.Group):
    """A group whose commands are imported when they are called."""

    def list_commands(self, _: click.Context) -> list[str]:
        """The names, in the order a newcomer needs them."""
        return list(COMMANDS)

    def get_command(self, _: click.Context, name: str) -> click.Command | None:
        """The command of a name, None for an unknown one."""
        if name not in COMMANDS:
            return None
        module, _sep, attribute = COMMANDS[name].partition(":")
        command: click.Command = getattr(import_module(module), attribute)
        return command

    def format_commands(self, _: click.Context, formatter: click.HelpFormatter) -> None:
        """The list of commands, without importing any."""
        with formatter.section("Commands"):
            formatter.write_dl(list(SHORT_HELP.items()))


@click.group(cls=Commands, context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="crs-cds")
def commands() -> None:
    """CDS Hooks service that grades cytokine release syndrome and offers the protocol's draft orders."""


def main() -> None:
    """Run a command; an error of this service is one plain sentence on standard error and exit status 2."""
    gc.disable()  # what a command loads stays; a server turns it on again when it is loaded
    try:
        commands(standalone_mode=True)
    except CdsError as error:
        click.echo(f"crs-cds: {error.message}", err=True)
        sys.exit(2)

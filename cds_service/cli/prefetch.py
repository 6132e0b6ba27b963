"""`crs-cds prefetch`: what is typed into an EHR that does not read discovery: keys, queries, scopes."""

import json

import click

from cds_service.cli.serve import knowledge_of
from cds_service.fhir.survey import scopes
from cds_service.web.settings import read_settings


@click.command()
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def prefetch(as_json: bool) -> None:
    """Print the prefetch keys with their queries, and the scopes, ready to paste into an EHR.

    They are those of this installation: codes that a site adds to its cards/ are in the queries.
    """
    needs = knowledge_of(read_settings()).needs
    if as_json:
        templates = {need.key: need.template for need in needs}
        click.echo(json.dumps({"prefetch": templates, "scopes": scopes(needs)}, indent=2))
        return
    for need in needs:
        click.echo(f"{need.key}: {need.title}\n{need.template}\n")
    for syntax, names in scopes(needs).items():
        click.echo(f"scopes, {syntax}: {' '.join(names)}")

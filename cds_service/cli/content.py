"""`crs-cds content`."""

from pathlib import Path

import click

from cds_service.content.load import load


@click.group()
def content() -> None:
    """Check the knowledge in cards/."""


@content.command()
@click.argument("folder", required=False, type=click.Path(exists=True, file_okay=False, path_type=Path))
def check(folder: Path | None) -> None:
    """Check a cards/ folder (the installed one by default) and report every fault at once."""
    loaded = load(folder)
    codes = sum(len(value_set.codes) for value_set in loaded.value_sets.values())
    click.echo(
        f"content is sound: {loaded.protocol.title} {loaded.protocol.version}, {loaded.scale.title}, "
        f"{len(loaded.protocol.orders)} orders, {codes} codes, {len(loaded.sentences)} sentences, "
        f"hash {loaded.hash[:8]}"
    )

"""`crs-cds switch`: services off and on while they run, by the file in the state folder that each call looks at."""

from datetime import UTC, datetime
from pathlib import Path

import click

from cds_service.clients.switches import Switch, read_switches, words, write_switches
from cds_service.errors import InvalidInput
from cds_service.hooks.services import SERVICES
from cds_service.web.settings import read_settings

_SERVICE = click.option(
    "--service", required=True, type=click.Choice([known.id for known in SERVICES]), help="Id of the service."
)
_CLIENT = click.option("--client", help="Id of the client; all clients if none is given.")
_CONFIG = click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML) of the service.")


@click.group()
def switch() -> None:
    """Switch services off and on, for one client or for all, without a restart."""


@switch.command()
@_SERVICE
@_CLIENT
@_CONFIG
def off(service: str, client: str | None, config: Path | None) -> None:
    """Let a service answer no more hooks: it is not listed, and calls get 503 with the reason."""
    folder = _folder(config)
    others = [one for one in read_switches(folder) if (one.service, one.client) != (service, client)]
    switches = [*others, Switch(service=service, client=client, since=datetime.now(UTC).replace(microsecond=0))]
    write_switches(folder, switches)
    _list(folder)


@switch.command()
@_SERVICE
@_CLIENT
@_CONFIG
def on(service: str, client: str | None, config: Path | None) -> None:
    """Let a service answer again."""
    folder = _folder(config)
    switches = read_switches(folder)
    others = [one for one in switches if (one.service, one.client) != (service, client)]
    if len(others) == len(switches):
        raise InvalidInput(f"{service} was not switched off here for {client or 'all clients'}")
    write_switches(folder, others)
    _list(folder)


@switch.command("list")
@_CONFIG
def listed(config: Path | None) -> None:
    """Say what is switched off here. What the settings and the file of clients switch off is not listed."""
    _list(_folder(config))


def _folder(config: Path | None) -> Path:
    """The state folder, which is there once the service was started."""
    folder = read_settings(config).state_folder
    if not folder.is_dir():
        raise InvalidInput(f"there is no state folder {folder}: set CRS_CDS_STATE_FOLDER to that of the service")
    return folder


def _list(folder: Path) -> None:
    for line in [words(one) for one in read_switches(folder)] or ["nothing is switched off"]:
        click.echo(line)

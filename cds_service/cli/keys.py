"""`crs-cds keys`: a key for tests and for clients that have none, and the entry that makes a service trust it."""

import os
from pathlib import Path

import click

from cds_service.clients.signing import SigningKey
from cds_service.errors import InvalidInput


@click.group()
def keys() -> None:
    """Keys to sign calls with."""


@keys.command()
@click.argument("file", type=click.Path(path_type=Path))
@click.option("--id", "client_id", default="test-client", show_default=True, help="Id of the client.")
@click.option("--issuer", required=True, help="Issuer that its tokens name.")
def new(file: Path, client_id: str, issuer: str) -> None:
    """Make a private key in FILE, and print the client's entry for CRS_CDS_TRUSTED_CLIENTS."""
    key = SigningKey.new()
    try:
        with os.fdopen(os.open(file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "wb") as written:
            written.write(key.pem)
    except OSError as error:
        raise InvalidInput(f"{file} cannot be made: {error.strerror}") from error
    members = ", ".join(f'{name} = "{value}"' for name, value in key.public_jwk.items())
    click.echo(f'[[client]]\nid = "{client_id}"\nissuer = "{issuer}"\nkeys = [{{ {members} }}]')

"""Options by which a command signs its calls, as the client that a service trusts."""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import UTC, datetime
from functools import wraps
from pathlib import Path
from typing import Any

import click
import requests

from cds_service.clients.signing import SigningKey
from cds_service.errors import InvalidInput

Command = Callable[..., None]
_OPTIONS = (
    click.option(
        "--key",
        "key_file",
        metavar="FILE",
        type=click.Path(path_type=Path),
        help="Private key (PEM or JWK) that signs.",
    ),
    click.option("--kid", help="Id of the key, where it is not the one that `crs-cds keys new` gives."),
    click.option("--issuer", help="Issuer of the token, as the service trusts it."),
    click.option("--tenant", help="Tenant of the token."),
    click.option(
        "--public-url", metavar="URL", help="URL the token is for, where the service has another than the one called."
    ),
)


@dataclass(frozen=True, slots=True, kw_only=True)
class Signing:
    """What was given to sign with; without a key nothing is signed."""

    key_file: Path | None = None
    kid: str | None = None
    issuer: str | None = None
    tenant: str | None = None
    public_url: str | None = None

    def sign(self, session: requests.Session, service_url: str) -> None:
        """Let a session sign each call of a service, for the URL by which the service is known.

        Other calls get no token, nor do preflights, which browsers send without one. Raises InvalidInput when the key
        cannot sign, or nobody is named whose key it is.
        """
        if self.key_file is None:
            return
        if self.issuer is None:
            raise InvalidInput("--key needs --issuer: the service finds the key by it")
        key, issuer = SigningKey.read(self.key_file, self.kid), self.issuer
        base, public = service_url.rstrip("/"), (self.public_url or service_url).rstrip("/")

        def signed(call: requests.PreparedRequest) -> requests.PreparedRequest:
            url = str(call.url)
            if url.startswith(f"{base}/cds-services") and call.method != "OPTIONS":
                token = key.token(issuer, public + url.removeprefix(base), datetime.now(UTC), self.tenant)
                call.headers["Authorization"] = f"Bearer {token}"
            return call

        session.auth = signed


UNSIGNED = Signing()


def signing(command: Command) -> Command:
    """The options; the command gets them as `signing`."""

    @wraps(command)
    def with_signing(
        key_file: Path | None,
        kid: str | None,
        issuer: str | None,
        tenant: str | None,
        public_url: str | None,
        **given: Any,
    ) -> None:
        of = Signing(key_file=key_file, kid=kid, issuer=issuer, tenant=tenant, public_url=public_url)
        command(signing=of, **given)

    for option in reversed(_OPTIONS):
        with_signing = option(with_signing)
    return with_signing

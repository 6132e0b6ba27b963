"""`crs-cds serve`."""

from datetime import UTC, datetime
from functools import partial
from importlib import import_module
from pathlib import Path

import click

from cds_service.clients.smart.registrations import Registration, read_registrations
from cds_service.clients.switches import read_switches
from cds_service.clients.trusted import Known, TrustedClient, read_trusted_clients
from cds_service.content.load import load
from cds_service.errors import InvalidSettings
from cds_service.fhir.addresses import base_url, fhir_server
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import SERVICES
from cds_service.web.settings import Settings, read_settings


def knowledge_of(settings: Settings) -> Knowledge:
    """The knowledge an installation is set to. Raises InvalidContent or InvalidSettings."""
    content = load(settings.content, settings.protocol)
    if settings.client_profile not in content.clients:
        known = ", ".join(sorted(content.clients))
        raise InvalidSettings(f"CRS_CDS_CLIENT_PROFILE {settings.client_profile!r} is not one of: {known}")
    return Knowledge.of(content, settings.zone, settings.client_profile, settings.about_url)


def clients_of(settings: Settings, knowledge: Knowledge) -> tuple[TrustedClient, ...]:
    """The clients that an installation trusts, none where callers are not checked. Raises InvalidSettings."""
    services = [known.id for known in SERVICES]
    for service in settings.services_off:
        if service not in services:
            raise InvalidSettings(f"CRS_CDS_SERVICES_OFF {service!r} is not one of: {', '.join(services)}")
    read_switches(settings.state_folder)
    if settings.auth == "off":
        return ()
    if settings.trusted_clients is None:
        raise InvalidSettings(
            "CRS_CDS_AUTH is `required`, and no client is trusted: name them in the file of CRS_CDS_TRUSTED_CLIENTS."
            " Set CRS_CDS_AUTH=off only on a closed network or behind a gateway that authenticates clients."
        )
    if settings.public_url is None:
        raise InvalidSettings(
            "CRS_CDS_AUTH is `required`: set CRS_CDS_PUBLIC_URL too, the URL by which clients call this service."
            " Their tokens are made for it, and for no other."
        )
    known = Known(profiles=knowledge.content.clients, services=services, plain_http=settings.plain_http)
    return read_trusted_clients(settings.trusted_clients, known)


def registrations_of(settings: Settings) -> tuple[Registration, ...]:
    """Where the app is registered, nowhere unless a file says so. Raises InvalidSettings."""
    if settings.smart_registrations is None:
        return ()
    if settings.public_url is None:
        raise InvalidSettings(
            "CRS_CDS_SMART_REGISTRATIONS is set: set CRS_CDS_PUBLIC_URL too, the URL by which browsers come back from"
            " the EHR's sign-in."
        )
    fhir_server(base_url(settings.public_url))  # codes come back there: plain HTTP is for this machine only
    return read_registrations(settings.smart_registrations)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML); outranks the environment.")
def serve(host: str, port: int, workers: int, config: Path | None) -> None:
    """Run the service with the production server (gunicorn, threads)."""
    settings = read_settings(config)
    for name in settings.without_effect:
        click.echo(f"{name} is set, and has no effect with CRS_CDS_AUTH={settings.auth}", err=True)
    knowledge = knowledge_of(settings)
    clients = clients_of(settings, knowledge)
    registrations = registrations_of(settings)
    if settings.tracing:
        import_module("cds_service.web.tracing")  # refuses before workers are forked when its packages are missing
    from cds_service.web.app import create_app
    from cds_service.web.logs import configure_logs
    from cds_service.web.serve import Server
    from cds_service.web.state import clock_warning, prepare_state

    prepare_state(settings, datetime.now(UTC))
    if warning := clock_warning(settings, datetime.now(UTC)):
        click.echo(warning, err=True)
    configure_logs(settings.log_level)
    click.echo(f"CDS Hooks discovery: http://{host}:{port}/cds-services", err=True)
    app = partial(create_app, settings, knowledge, clients=clients, registrations=registrations)
    Server(app, host, port, workers, settings.state_folder, settings.drain_seconds).run()

"""`crs-cds serve`."""

from datetime import UTC, datetime
from pathlib import Path

import click

from cds_service.content.load import load
from cds_service.errors import InvalidSettings
from cds_service.hooks.knowledge import Knowledge
from cds_service.web.settings import Settings, check_authentication, read_settings


def knowledge_of(settings: Settings) -> Knowledge:
    """The knowledge an installation is set to. Raises InvalidContent or InvalidSettings."""
    content = load(settings.content, settings.protocol)
    named = {"CRS_CDS_CLIENT_PROFILE": settings.client_profile}
    named |= {f"CRS_CDS_ISSUER_PROFILES {issuer}": profile for issuer, profile in settings.issuer_profiles.items()}
    for setting, profile in named.items():
        if profile not in content.clients:
            known = ", ".join(sorted(content.clients))
            raise InvalidSettings(f"{setting} {profile!r} is not one of: {known}")
    return Knowledge.of(content, settings.zone, settings.client_profile, settings.about_url)


@click.command()
@click.option("--host", default="127.0.0.1", show_default=True, help="Address to listen on.")
@click.option("--port", default=5000, show_default=True, help="Port to listen on.")
@click.option("--workers", default=1, show_default=True, type=click.IntRange(1, 64), help="Worker processes.")
@click.option("--config", type=click.Path(path_type=Path), help="Settings file (TOML); outranks the environment.")
def serve(host: str, port: int, workers: int, config: Path | None) -> None:
    """Run the service with the production server (gunicorn, threads)."""
    settings = read_settings(config)
    check_authentication(settings)
    for name in settings.without_effect:
        click.echo(f"{name} is set, and this version does not use it", err=True)
    knowledge = knowledge_of(settings)
    from cds_service.web.app import create_app
    from cds_service.web.logs import configure_logs
    from cds_service.web.serve import Server
    from cds_service.web.state import prepare_state

    prepare_state(settings, datetime.now(UTC))
    configure_logs()
    click.echo(f"CDS Hooks discovery: http://{host}:{port}/cds-services", err=True)
    Server(lambda: create_app(settings, knowledge), host, port, workers).run()

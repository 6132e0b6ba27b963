"""`crs-cds demo`: the stories on an embedded FHIR server, the service and a chart beside it, every card printed."""

import multiprocessing
import signal
import socket
import sys
import tempfile
import time
from pathlib import Path
from typing import Any

import click
import requests
from rich.console import Console

from cds_service.cli.ehr import fire_hook
from cds_service.cli.printing import grade_words, print_cards
from cds_service.cli.serve import knowledge_of
from cds_service.content.files import data_folder
from cds_service.errors import InvalidInput
from cds_service.fhir.client import new_session
from cds_service.fhir.memory import Repository
from cds_service.fhir.stories import Story, load_story, shifted, story_names
from cds_service.hooks.assessment_json import EXTENSION
from cds_service.web.settings import Settings, read_settings

HOST = "127.0.0.1"
START_SECONDS = 30
SANDBOX_USER = {"resourceType": "Practitioner", "id": "COREPRACTITIONER1", "name": [{"family": "Invented"}]}
"""The fixed user of the public CDS Hooks sandbox, which asks the FHIR server for it."""


@click.command()
@click.option("--once", is_flag=True, help="End after printing; exit status 1 if a grade is not the expected one.")
@click.option("--port", default=5000, show_default=True, help="Port to listen on; the next free one if it is taken.")
def demo(once: bool, port: int) -> None:
    """Serve the stories with an embedded FHIR R4 server and show their cards."""
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))  # so that the server below is stopped too
    folder = data_folder("fhir_fixtures")
    stories = [load_story(folder, name) for name in story_names(folder)]
    port = _free_port(port)
    state = tempfile.TemporaryDirectory(prefix="crs-cds-demo-")
    arguments = (stories, port, Path(state.name))
    server = multiprocessing.get_context("fork").Process(target=_serve, args=arguments, daemon=True)
    server.start()
    try:
        _await(f"http://{HOST}:{port}/readyz", server)
        wrong = _show(stories, f"http://{HOST}:{port}")
        if not once:
            _stay(port, server)
    finally:
        server.terminate()
        server.join(START_SECONDS)
        state.cleanup()
    sys.exit(1 if wrong else 0)


def _serve(stories: list[Story], port: int, state: Path) -> None:
    """The child process: the production server with the service, the embedded FHIR server and the demo chart."""
    from cds_service.web.app import create_app, utc_now
    from cds_service.web.demo.routes import demo_blueprint
    from cds_service.web.demo.sign_in import SignIn, sign_in_blueprint
    from cds_service.web.demo.told import Shelf
    from cds_service.web.fhir_server import fhir_blueprint
    from cds_service.web.logs import configure_logs
    from cds_service.web.serve import Server
    from cds_service.web.state import prepare_state

    base = read_settings().model_dump()
    here = f"http://{HOST}:{port}"
    own = {"auth": "off", "fhir_servers": (f"{here}/fhir",), "state_folder": state, "database_url": None}
    own |= {"operator_key": None, "services_off": (), "public_url": here}
    settings = Settings(**{**base, **own})
    prepare_state(settings, utc_now())
    knowledge = knowledge_of(settings)
    repository = Repository(utc_now)
    repository.update(SANDBOX_USER)
    for story in stories:
        repository.transaction(shifted(story.bundle, utc_now()))
    shelf = Shelf(stories, repository, knowledge.content.protocol, f"Practitioner/{SANDBOX_USER['id']}")
    chart = demo_blueprint(shelf, utc_now, settings.timezone, f"{here}/fhir")
    sign_in = SignIn(here)

    def make() -> Any:
        app = create_app(settings, knowledge, registrations=[sign_in.registration])
        app.register_blueprint(fhir_blueprint(repository), url_prefix="/fhir")
        app.register_blueprint(chart, url_prefix="/demo")
        app.register_blueprint(sign_in_blueprint(sign_in))
        return app

    configure_logs("warning")  # the cards are what is to be read here
    Server(make, HOST, port, 1, state).run()


def _show(stories: list[Story], base: str) -> list[str]:
    """Fire patient-view for each story and print what comes back; the names of those with another grade."""
    console = Console()
    session = new_session()
    wrong = []
    for story in stories:
        console.rule(f"[bold]{story.name}", align="left")
        console.print(story.sentence)
        _, answer = fire_hook(session, base, str(story.expect["patient"]), f"{base}/fhir", pull=False)
        assessment = answer["extension"][EXTENSION]
        print_cards(console, answer["cards"])
        expected = {"status": story.expect["status"], "grade": story.expect.get("grade")}
        if (assessment["status"], assessment["grade"]) != (expected["status"], expected["grade"]):
            wrong.append(story.name)
            console.print(f"[red]got {grade_words(assessment)}, expected {grade_words(expected)}[/red]")
    console.rule()
    console.print(f"{len(stories) - len(wrong)} of {len(stories)} stories have the expected grade.")
    return wrong


def _stay(port: int, server: multiprocessing.process.BaseProcess) -> None:
    base = f"http://{HOST}:{port}"
    console = Console()
    console.print(f"Demo chart   {base}/demo\nDiscovery    {base}/cds-services\nFHIR server  {base}/fhir")
    console.print("Open the demo chart in a browser. Stop with Ctrl-C.")
    try:
        while server.is_alive():
            server.join(1)
    except KeyboardInterrupt:
        console.print("stopped")


def _free_port(port: int) -> int:
    for candidate in range(port, port + 100):
        with socket.socket() as probe:
            probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
            try:
                probe.bind((HOST, candidate))
            except OSError:
                continue
            return candidate
    raise InvalidInput(f"no free port from {port} on: give another with --port")


def _await(url: str, server: multiprocessing.process.BaseProcess) -> None:
    """Wait until the server is ready."""
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and server.is_alive():
        try:
            if requests.get(url, timeout=1).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.05)
    raise InvalidInput("the demo server did not start: its message stands above")

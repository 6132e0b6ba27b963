"""What tests share: the servers, and the application in this process."""

import shutil
from collections.abc import Callable, Iterator, Sequence
from contextlib import ExitStack
from copy import deepcopy
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from xdist.remote import Producer

from cds_service.clients.smart.registrations import Registration
from cds_service.clients.trusted import TrustedClient
from cds_service.content.load import load
from cds_service.fhir.memory import Repository
from cds_service.hooks.knowledge import Knowledge
from cds_service.store.schema import migrate
from cds_service.store.store import Store
from cds_service.web.app import create_app
from cds_service.web.settings import Settings
from cds_service.web.state import prepare_state
from tests import warm
from tests.answers import PATIENT
from tests.hapi_server import load_stories, running_hapi
from tests.hazards_check import HazardsCheck
from tests.hazards_table import hazards
from tests.parallel import ByFile
from tests.postgres import database_in, running_postgres
from tests.server import NOW, Fhir, Service, fhir_server, prefetch, service_process, stories

pytest_plugins = ["pytester"]
MakeApp = Callable[..., FlaskClient]


def pytest_configure(config: pytest.Config) -> None:
    """Judge the rows of tests/hazards.toml at the end of the run."""
    config.pluginmanager.register(HazardsCheck(config, hazards()))


@pytest.hookimpl(optionalhook=True)  # planted bugs meet the tests without plugins
def pytest_xdist_make_scheduler(config: pytest.Config, log: Producer) -> ByFile:
    """Share the suite out by file."""
    return ByFile(config, log)


@pytest.fixture(scope="session", autouse=True)
def state(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A state folder with an empty store, to be copied; what runs without one of its own gets a copy too."""
    empty = tmp_path_factory.mktemp("empty-state")
    with pytest.MonkeyPatch.context() as environment:
        environment.setenv("CRS_CDS_STATE_FOLDER", str(empty))
        prepare_state(Settings(), NOW)
        shared = shutil.copytree(empty, tmp_path_factory.mktemp("state"), dirs_exist_ok=True)
        environment.setenv("CRS_CDS_STATE_FOLDER", str(shared))
        yield empty


@pytest.fixture(scope="session", autouse=True)
def _commands() -> Iterator[None]:
    """The process that commands are copies of, ended when all is done."""
    yield
    warm.end()


@pytest.fixture(scope="session")
def postgres() -> Iterator[str]:
    """A throw-away PostgreSQL: the URL of its databases, without a name."""
    with running_postgres() as server:
        yield server


@pytest.fixture(params=["sqlite", "postgresql"])
def new_database(request: pytest.FixtureRequest, tmp_path: Path) -> str:
    """The URL of an empty database, of each kind."""
    if request.param == "sqlite":
        return f"sqlite:///{tmp_path / 'store.db'}"
    return database_in(request.getfixturevalue("postgres"))


@pytest.fixture
def database(new_database: str) -> str:
    """The URL of a database with the tables of this version."""
    migrate(new_database)
    return new_database


@pytest.fixture
def store(database: str) -> Iterator[Store]:
    """An empty store, of which nobody loses patience on a busy machine."""
    opened = Store.open(database, patience_seconds=60)
    yield opened
    opened.close()


@pytest.fixture(scope="session")
def knowledge() -> Knowledge:
    """The installed knowledge, for UTC."""
    settings = Settings()
    return Knowledge.of(load(None, settings.protocol), settings.zone)


@pytest.fixture(scope="session")
def story_server() -> Iterator[Fhir]:
    """A FHIR server that holds every story, moved to NOW."""
    with fhir_server(Repository(lambda: NOW)) as fhir:
        for story in stories():
            fhir.load(story.bundle)
        yield fhir


@pytest.fixture(scope="session")
def hapi(pytestconfig: pytest.Config, tmp_path_factory: pytest.TempPathFactory) -> Iterator[str]:
    """The base of a HAPI FHIR server that holds every story, moved to NOW."""
    plugins = pytestconfig.pluginmanager
    terminal = plugins.getplugin("terminalreporter")  # one worker of several has none, and nobody waits for it alone

    def say(line: str) -> None:
        with plugins.getplugin("capturemanager").global_and_fixture_disabled():
            if terminal is not None:
                terminal.write_line(line)

    with running_hapi(tmp_path_factory.mktemp("hapi") / "log", say) as base:
        load_stories(base)
        yield base


@pytest.fixture
def fhir(story_server: Fhir) -> Iterator[Fhir]:
    """The same, with nothing asked yet and without faults."""
    story_server.reset()
    yield story_server
    story_server.reset()


@pytest.fixture(scope="module")
def service(story_server: Fhir, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The production server, allowed to call the FHIR server of the stories.

    One for each file: a server that saw its FHIR server fail in one file would leave it alone in the next.
    """
    log = tmp_path_factory.mktemp("service") / "log"
    with service_process(log, story_server.base) as running:
        yield running


@pytest.fixture
def make_app(knowledge: Knowledge, state: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[MakeApp]:
    """Makes applications in this process, at NOW, each with a store of its own; closes them at the end."""
    with ExitStack() as end:

        def make(
            clock: Any = lambda: NOW,
            clients: Sequence[TrustedClient] = (),
            registrations: Sequence[Registration] = (),
            **settings: Any,
        ) -> FlaskClient:
            own = shutil.copytree(state, tmp_path_factory.mktemp("app"), dirs_exist_ok=True)
            known = Settings(**{"auth": "off", "state_folder": own} | settings)
            app = create_app(known, knowledge, clock, clients, registrations)
            end.callback(app.extensions["crs-cds"].close)
            end.callback(app.extensions["crs-cds-memory"].close)
            return app.test_client()

        yield make


@pytest.fixture
def pulling(make_app: MakeApp, fhir: Fhir) -> FlaskClient:
    """An application that may call the FHIR server."""
    return make_app(fhir_servers=fhir.base)


@pytest.fixture(scope="session")
def _filled(story_server: Fhir, knowledge: Knowledge) -> dict[str, Any]:
    return prefetch(story_server.base, {need.key: need.template for need in knowledge.needs}, PATIENT)


@pytest.fixture
def filled(_filled: dict[str, Any], fhir: Fhir) -> dict[str, Any]:
    """The complete prefetch of one patient, to be changed at will. Vital signs stand under their own keys only."""
    return deepcopy(_filled) | {"vitalSigns": {"resourceType": "Bundle", "type": "searchset"}}


@pytest.fixture
def client(make_app: MakeApp) -> FlaskClient:
    """An application that may call no FHIR server."""
    return make_app()

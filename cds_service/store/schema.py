"""The schema of the database: brought up to date when the service starts, refused when it is newer than the code."""

import os
from collections.abc import Iterator
from contextlib import contextmanager
from fcntl import LOCK_EX, flock

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import URL, Connection, Engine, text

from cds_service.errors import InvalidInput, InvalidSettings, StoreUnavailable
from cds_service.store.database import connected, database, new_engine, reaching, sqlite_file, transaction

LOCK = 7_271_977_401
"""Names this service's migration among the advisory locks of PostgreSQL."""


def migrate(url: str) -> None:
    """Make or change the tables until they fit this version; however many services begin at once, each change is once.

    Raises StoreUnavailable, or InvalidSettings when a newer version has changed them already (T86).
    """
    parsed = database(url)
    with _alone(parsed), reaching():
        engine = new_engine(parsed)
        try:
            if sqlite_file(parsed) is not None:
                _keep_log(engine)
            with transaction(engine) as connection:
                _lock(connection)
                _known(connection)
                config = _config()
                config.attributes["connection"] = connection
                command.upgrade(config, "head")
        finally:
            engine.dispose()


def check(url: str) -> None:
    """Raises InvalidInput unless there is a store of this version: commands read one, and never make one."""
    parsed = database(url)
    file = sqlite_file(parsed)
    if file is not None and not file.is_file():
        raise InvalidInput(f"there is no store at {file}: it is made when the service starts")
    engine = new_engine(parsed)
    try:
        with connected(engine) as connection:
            if _known(connection) != _scripts().get_current_head():
                raise InvalidInput("the store is of an older version: start the service of this version once")
    finally:
        engine.dispose()


def _known(connection: Connection) -> str | None:
    """The revision of the database, None for a new one. Raises InvalidSettings when this version does not know it."""
    revision = MigrationContext.configure(connection).get_current_revision()
    if revision is not None and revision not in {script.revision for script in _scripts().walk_revisions()}:
        raise InvalidSettings(
            f"the database of CRS_CDS_DATABASE_URL has the revision {revision}, which this version does not know:"
            " a newer version has changed it. Install that version, or give another database."
        )
    return revision


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", "cds_service.store:migrations")
    return config


def _scripts() -> ScriptDirectory:
    return ScriptDirectory.from_config(_config())


def _lock(connection: Connection) -> None:
    if connection.dialect.name == "postgresql":
        connection.execute(text("SELECT pg_advisory_xact_lock(:lock)"), {"lock": LOCK})


def _keep_log(engine: Engine) -> None:
    """Readers and a writer do not wait for each other with a write-ahead log; the file remembers it."""
    connection = engine.raw_connection()
    try:
        connection.cursor().execute("PRAGMA journal_mode = WAL")
    finally:
        connection.close()


@contextmanager
def _alone(url: URL) -> Iterator[None]:
    """SQLite does not wait where the kind of its log is changed: whoever begins first locks a file beside it."""
    file = sqlite_file(url)
    if file is None:
        yield
        return
    try:
        descriptor = os.open(file.with_name(f"{file.name}.lock"), os.O_WRONLY | os.O_CREAT, 0o600)
        os.close(os.open(file, os.O_WRONLY | os.O_CREAT, 0o600))
    except OSError as error:
        raise StoreUnavailable(f"the store {file} cannot be made or written: {error.strerror}") from error
    try:
        flock(descriptor, LOCK_EX)
        yield
    finally:
        os.close(descriptor)

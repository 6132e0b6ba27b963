"""The connection to the database: SQLite as a file beside the service, or PostgreSQL by URL."""

import sqlite3
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import orjson
from sqlalchemy import URL, Connection, Engine, create_engine, event, make_url
from sqlalchemy.exc import ArgumentError, DataError, DBAPIError, IntegrityError
from sqlalchemy.exc import TimeoutError as NoConnection

from cds_service.errors import InvalidSettings, StoreUnavailable

BUSY_SECONDS = 5.0
"""How long a writer waits for another (SQLite), or for a connection of the pool."""
CONNECT_SECONDS = 3
LOST_MILLISECONDS = 10_000
"""A connection whose packets nobody receives any more is given up, so that its thread is free again."""
CONNECTIONS = 16
"""For one writer, a few readers, and reports and exports."""
UNREACHABLE = "the store of answers and feedback cannot be reached: try again later, and see CRS_CDS_DATABASE_URL"


def database(url: str) -> URL:
    """The parsed URL. Raises InvalidSettings for a database that this service does not use, never with the password."""
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise InvalidSettings("CRS_CDS_DATABASE_URL is not a database URL") from error
    if parsed.drivername in ("postgresql", "postgresql+psycopg"):
        return parsed.set(drivername="postgresql+psycopg")
    if parsed.drivername == "sqlite" and sqlite_file(parsed) is not None:
        return parsed
    raise InvalidSettings("CRS_CDS_DATABASE_URL: write sqlite:////folder/file.db or postgresql://user@host/database")


def sqlite_file(url: URL) -> Path | None:
    """The file of an SQLite database, None for another database or one without a file."""
    if url.get_backend_name() != "sqlite" or not url.database or url.database == ":memory:":
        return None
    return Path(url.database)


def new_engine(url: URL) -> Engine:
    """An engine of this process; make it after a fork. Nothing is connected yet; parameters never reach a message."""
    shared: dict[str, Any] = {
        "pool_size": CONNECTIONS,
        "max_overflow": 0,
        "pool_timeout": BUSY_SECONDS,
        "hide_parameters": True,
        "json_serializer": lambda value: orjson.dumps(value).decode(),
        "json_deserializer": orjson.loads,
    }
    if sqlite_file(url) is None:
        waits = {"connect_timeout": CONNECT_SECONDS, "tcp_user_timeout": LOST_MILLISECONDS}
        return create_engine(url, pool_pre_ping=True, connect_args=waits, **shared)
    engine = create_engine(url, connect_args={"timeout": BUSY_SECONDS}, **shared)
    event.listen(engine, "connect", _prepare_sqlite)
    event.listen(engine, "begin", _begin_sqlite)
    return engine


def _prepare_sqlite(connection: Any, _: object) -> None:
    connection.isolation_level = None  # BEGIN is written below, when and as it is meant
    connection.execute("PRAGMA foreign_keys = ON")
    connection.execute("PRAGMA synchronous = FULL")  # an acknowledged feedback survives a loss of power
    connection.execute("PRAGMA secure_delete = ON")  # what was purged is overwritten


def _begin_sqlite(connection: Connection) -> None:
    connection.exec_driver_sql(connection.get_execution_options().get("sqlite_begin", "BEGIN"))


@contextmanager
def reaching() -> Iterator[None]:
    """Raises StoreUnavailable for whatever the database or the way to it refuses; what we did wrong stays a bug."""
    try:
        yield
    except (IntegrityError, DataError):
        raise
    except (DBAPIError, NoConnection, sqlite3.Error) as error:
        raise StoreUnavailable(UNREACHABLE) from error


@contextmanager
def connected(engine: Engine) -> Iterator[Connection]:
    """A connection to read with. Raises as `reaching`."""
    with reaching(), engine.connect() as connection:
        yield connection


@contextmanager
def transaction(engine: Engine) -> Iterator[Connection]:
    """A transaction that writes: SQLite takes the lock as it begins, so that each waits its turn (T83).

    Raises as `reaching`.
    """
    with reaching(), engine.execution_options(sqlite_begin="BEGIN IMMEDIATE").begin() as connection:
        yield connection

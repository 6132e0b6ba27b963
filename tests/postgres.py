"""A throw-away PostgreSQL from the binaries of the machine: its own folder, a free loopback port, ended by its process.

Where none is installed, tests that need it are skipped and say so; with CRS_TESTS_POSTGRES=required they fail.
"""

import os
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from uuid import uuid4

import psycopg
import pytest

from tests.server import HOST, free_port

SECONDS = 30
USER = "postgres" if os.geteuid() == 0 else None
"""PostgreSQL refuses to run as root; Debian's package brings this user."""


def installed() -> Path | None:
    """The folder of the newest installed PostgreSQL."""
    found = sorted(Path("/usr/lib/postgresql").glob("*/bin"), key=lambda folder: int(folder.parent.name))
    return found[-1] if found else None


def binaries() -> Path:
    """The same; without one the test is skipped, or fails."""
    found = installed()
    if found is not None:
        return found
    if os.environ.get("CRS_TESTS_POSTGRES") == "required":
        pytest.fail("PostgreSQL is not installed, and CRS_TESTS_POSTGRES is `required`: apt-get install postgresql")
    pytest.skip("PostgreSQL is not installed: apt-get install postgresql")


@contextmanager
def running_postgres(fsync: str = "off") -> Iterator[str]:
    """The server: `postgresql://user@host:port`. It waits for the disk only if it is told to."""
    programs, port = binaries(), free_port()
    folder = tempfile.mkdtemp(prefix="crs-postgres-")
    try:
        if USER is not None:
            shutil.chown(folder, USER)
        made = [programs / "initdb", "-D", folder, "-U", "crs", "--auth=trust", "--no-sync", "-E", "UTF8", "--locale=C"]
        subprocess.run(made, check=True, capture_output=True, user=USER, cwd=folder)
        with Path(folder, "log").open("wb") as log:
            options = {"listen_addresses": HOST, "port": port, "unix_socket_directories": "", "fsync": fsync}
            given = [part for name, value in options.items() for part in ("-c", f"{name}={value}")]
            command = [programs / "postgres", "-D", folder, *given]
            server = subprocess.Popen(command, stdout=log, stderr=log, user=USER, cwd=folder)
        base = f"postgresql://crs@{HOST}:{port}"
        try:
            _await(base, server)
            yield base
        finally:
            server.send_signal(signal.SIGINT)
            server.wait(SECONDS)
    finally:
        shutil.rmtree(folder)


def database_in(server: str) -> str:
    """A new, empty database."""
    name = f"crs_{uuid4().hex}"
    with psycopg.connect(f"{server}/postgres", autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}"'.encode())
    return f"{server}/{name}"


def _await(base: str, server: subprocess.Popen[bytes]) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and server.poll() is None:
        try:
            psycopg.connect(f"{base}/postgres", connect_timeout=1).close()
        except psycopg.OperationalError:
            time.sleep(0.05)
        else:
            return
    raise AssertionError("the throw-away PostgreSQL did not start")

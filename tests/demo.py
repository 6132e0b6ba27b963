"""`crs-cds demo` in a process of its own, as a user starts it: on a free port, until it is ended by its process id."""

import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager

from tests.server import ROOT, START_SECONDS, clean_environment, free_port


@contextmanager
def running_demo() -> Iterator[str]:
    """The demo, once it has shown its stories and stays up; its base URL."""
    command = [sys.executable, "-m", "cds_service", "demo", "--port", str(free_port())]
    process = subprocess.Popen(
        command,
        cwd=ROOT,
        env=clean_environment(COLUMNS="200"),
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
    )
    try:
        assert process.stdout is not None
        chart = next(line for line in process.stdout if line.startswith("Demo chart"))
        yield chart.split()[-1].removesuffix("/demo")
    finally:
        process.terminate()
        process.communicate(timeout=START_SECONDS)

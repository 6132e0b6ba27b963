"""What is measured, each as a process of its own on a free loopback port, ended by its process id.

This service is started as a hospital starts it, by `crs-cds serve`, with a state folder of its own.
"""

import http.client
import os
import socket
import subprocess
import sys
import time
from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

ROOT = Path(__file__).parents[1]
HOST = "127.0.0.1"
START_SECONDS, STOP_SECONDS, INSTALL_SECONDS = 60, 20, 240
PEERS = ROOT / ".venv-peers"
PEERS_NEEDED = ROOT / "bench" / "peers.txt"
_READY = PEERS / ".ready"
CRS_CDS = (sys.executable, "-m", "cds_service")
"""The command `crs-cds` of the sources that are measured."""
TICKS = os.sysconf("SC_CLK_TCK")
"""Of processor time, in a second."""

CORES = frozenset(os.sched_getaffinity(0))
SERVER_CORES = frozenset({min(CORES)})
CLIENT_CORES = CORES - SERVER_CORES or CORES
"""A server has a core of its own, so that what calls it does not slow it down. A single core is shared."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Server:
    """A server that runs: its port, its process, and how long it took until it answered."""

    name: str
    port: int
    pid: int
    start_seconds: float

    def cpu_seconds(self) -> float:
        """Processor time of its processes so far."""
        return sum(_ticks(pid) for pid in (self.pid, *self._workers())) / TICKS

    def megabytes(self) -> float:
        """Resident memory of its largest worker; of the process itself when it has no workers."""
        return max(_kilobytes(pid) for pid in self._workers() or [self.pid]) / 1024

    def _workers(self) -> list[int]:
        children = Path(f"/proc/{self.pid}/task/{self.pid}/children")
        return [int(child) for child in children.read_text(encoding="ascii").split()]


@contextmanager
def service(
    state: Path,
    settings: Mapping[str, str] | None = None,
    *,
    name: str = "this service",
    workers: int = 1,
    cores: Collection[int] = SERVER_CORES,
) -> Iterator[Server]:
    """This service with its state in a folder; settings by their names without prefix, callers unchecked by default."""
    port = free_port()
    own = {"auth": "off", "drain_seconds": "0", "maximum_body_bytes": "50000000", "state_folder": str(state)}
    own |= {"public_url": f"http://{HOST}:{port}", **(settings or {})}
    environment = {key: value for key, value in os.environ.items() if not key.startswith("CRS_CDS_")}
    environment |= {f"CRS_CDS_{key.upper()}": value for key, value in own.items()}
    command = [*CRS_CDS, "serve", "--port", str(port), "--workers", str(workers)]
    with _running(name, command, port, "/readyz", cores, environment) as server:
        yield server


@contextmanager
def floor(state: Path) -> Iterator[Server]:
    """The bare Flask view, under the production server of this service."""
    state.mkdir()
    port = free_port()
    command = [sys.executable, "-m", "bench.floor", str(port), str(state)]
    with _running("floor", command, port) as server:
        yield server


@contextmanager
def peer(variant: str) -> Iterator[Server]:
    """HealthChain, `plain` or `typed`."""
    port = free_port()
    command = [str(PEERS / "bin" / "python"), "-m", "bench.peer", str(port), variant]
    with _running(f"HealthChain, {variant}", command, port) as server:
        yield server


def peers_installed() -> bool:
    """Whether the virtual environment of the peers is there."""
    return _READY.exists()


def install_peers() -> str | None:
    """Make the virtual environment of the peers where it is not there; the reason when that cannot be done."""
    if peers_installed():
        return None
    install = [str(PEERS / "bin" / "python"), "-m", "pip", "install", "--quiet", "--requirement", str(PEERS_NEEDED)]
    try:
        for command in ([sys.executable, "-m", "venv", str(PEERS)], install):
            subprocess.run(command, check=True, capture_output=True, timeout=INSTALL_SECONDS)
    except (OSError, subprocess.SubprocessError) as error:
        return f"HealthChain was not measured: it could not be installed ({type(error).__name__})"
    _READY.touch()
    return None


@contextmanager
def _running(
    name: str,
    command: list[str],
    port: int,
    path: str = "/",
    cores: Collection[int] = SERVER_CORES,
    environment: Mapping[str, str] | None = None,
) -> Iterator[Server]:
    """The process of a command from when it answers on a path; what it writes goes nowhere."""
    begun = time.monotonic()
    with on_cores(cores):  # which a process hands down to those that it starts
        process = subprocess.Popen(
            command, cwd=ROOT, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL
        )
    try:
        while not _answers(port, path):
            if process.poll() is not None or time.monotonic() > begun + START_SECONDS:
                raise SystemExit(f"{name} did not start: {' '.join(command)}")
            time.sleep(0.005)
        yield Server(name=name, port=port, pid=process.pid, start_seconds=time.monotonic() - begun)
    finally:
        process.terminate()
        try:
            process.wait(STOP_SECONDS)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait(STOP_SECONDS)


@contextmanager
def on_cores(cores: Collection[int]) -> Iterator[None]:
    """Within it this process, and what it starts, runs on these cores."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, cores)
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)


def free_port() -> int:
    """A port that nobody listens on."""
    with socket.socket() as probe:
        probe.bind((HOST, 0))
        port: int = probe.getsockname()[1]
        return port


def _answers(port: int, path: str) -> bool:
    """Whether somebody answers, be it that the path is not known."""
    connection = http.client.HTTPConnection(HOST, port, timeout=1)
    try:
        connection.request("GET", path, headers={"Connection": "close"})
        return connection.getresponse().status < 500
    except OSError:
        return False
    finally:
        connection.close()


def _ticks(pid: int) -> int:
    """Processor time in user and system mode, the 14th and 15th field; the second may hold spaces."""
    fields = Path(f"/proc/{pid}/stat").read_text(encoding="ascii").rpartition(")")[2].split()
    return int(fields[11]) + int(fields[12])


def _kilobytes(pid: int) -> int:
    lines = Path(f"/proc/{pid}/status").read_text(encoding="utf-8").splitlines()
    return next(int(line.split()[1]) for line in lines if line.startswith("VmRSS:"))

"""Calls to a server over connections that are kept open, each by a process of its own, and how long each call took.

The clients run on other cores than the server where there are some, and each prepares a body before it looks at the
clock, so that what is measured is the server and the way there.
"""

import gc
import http.client
import multiprocessing
import signal
import time
from collections.abc import Callable, Iterable, Mapping
from dataclasses import dataclass
from itertools import count, islice
from multiprocessing.connection import Connection
from multiprocessing.synchronize import Barrier
from statistics import median, quantiles

from bench.bodies import SERVICE, of_patient
from bench.servers import HOST, Server

CALL_SECONDS = 60
ROOM = 100_000
"""Patients that one client may open; each has others."""
_patients = count(step=ROOM)
_fork = multiprocessing.get_context("fork")


@dataclass(frozen=True, slots=True, kw_only=True)
class Case:
    """Calls of one kind: what is sent the n-th time, and what stands in each answer that is as it should be."""

    name: str
    body: Callable[[int], bytes]
    says: bytes
    path: str = SERVICE
    headers: Callable[[int], Mapping[str, str]] = lambda _: {}

    @classmethod
    def of_patients(cls, name: str, body: bytes, says: bytes, path: str = SERVICE) -> "Case":
        """A call that is always the same but for its patient."""
        return cls(name=name, body=lambda number: of_patient(body, number), says=says, path=path)


@dataclass(frozen=True, slots=True, kw_only=True)
class Effort:
    """How long calls are sent: so many over each connection, but no longer than so many seconds."""

    requests: int
    seconds: float


@dataclass(frozen=True, slots=True, kw_only=True)
class Load:
    """What came of it: seconds of each call, how long it all took, processor time of the server and of the clients."""

    times: tuple[float, ...]
    seconds: float
    server_cpu: float
    client_cpu: float

    @classmethod
    def together(cls, loads: Iterable["Load"]) -> "Load":
        """Several loads as one."""
        found = list(loads)
        return cls(
            times=tuple(taken for load in found for taken in load.times),
            seconds=sum(load.seconds for load in found),
            server_cpu=sum(load.server_cpu for load in found),
            client_cpu=sum(load.client_cpu for load in found),
        )

    @property
    def p50(self) -> float:
        """Seconds within which half of the calls were answered."""
        return median(self.times)

    @property
    def p99(self) -> float:
        """Seconds within which 99 of 100 were."""
        return quantiles(self.times, n=100, method="inclusive")[98]

    @property
    def rate(self) -> float:
        """Calls answered in a second."""
        return len(self.times) / self.seconds

    @property
    def cpu(self) -> float:
        """Processor seconds of the server for each call."""
        return self.server_cpu / len(self.times)


@dataclass(frozen=True, slots=True)
class _Sent:
    """What one client found: seconds of each call, seconds from the first to the last, its own processor time."""

    times: list[float]
    seconds: float
    cpu: float


def drive(server: Server, case: Case, effort: Effort, connections: int = 1) -> Load:
    """Send calls over so many connections at once, each the next as soon as the one before is answered."""
    together = _fork.Barrier(connections + 1)
    clients = []
    for first in islice(_patients, connections):
        mine, theirs = _fork.Pipe(duplex=False)
        given = (server.port, case, effort, first, together, theirs)
        clients.append((_fork.Process(target=_client, args=given, daemon=True), mine))
    try:
        for process, _ in clients:
            process.start()
        together.wait(CALL_SECONDS)
        before = server.cpu_seconds()
        sent = [_received(case, server, results, effort) for _, results in clients]
        server_cpu = server.cpu_seconds() - before
    finally:
        for process, _ in clients:
            process.kill()
            process.join(CALL_SECONDS)
    return Load(
        times=tuple(taken for client in sent for taken in client.times),
        seconds=max(client.seconds for client in sent),
        server_cpu=server_cpu,
        client_cpu=sum(client.cpu for client in sent),
    )


def _received(case: Case, server: Server, results: Connection, effort: Effort) -> _Sent:
    if not results.poll(effort.seconds + CALL_SECONDS):
        raise SystemExit(f"{case.name}: {server.name} does not answer")
    found = results.recv()
    if not isinstance(found, _Sent):
        raise SystemExit(f"{case.name}: {server.name} {found}")
    return found


def _client(port: int, case: Case, effort: Effort, first: int, together: Barrier, results: Connection) -> None:
    """The process of a client: it sends what it found, or in words what went wrong."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # who started it ends it
    gc.disable()
    together.wait(CALL_SECONDS)
    try:
        results.send(_calls(port, case, effort, first))
    except (OSError, http.client.HTTPException) as error:
        results.send(f"broke the connection: {type(error).__name__}")
    except ValueError as error:
        results.send(str(error))


def _calls(port: int, case: Case, effort: Effort, first: int) -> _Sent:
    """Raises ValueError for an answer that is not as it should be."""
    connection = http.client.HTTPConnection(HOST, port, timeout=CALL_SECONDS)
    times: list[float] = []
    cpu, start = time.process_time(), time.monotonic()
    for number in range(first, first + effort.requests):
        body, headers = case.body(number), {"Content-Type": "application/json", **case.headers(number)}
        begun = time.perf_counter()
        connection.request("POST", case.path, body, headers)
        response = connection.getresponse()
        answer = response.read()
        times.append(time.perf_counter() - begun)
        if response.status != 200 or case.says not in answer:
            raise ValueError(f"answered HTTP {response.status} without {case.says.decode()}")
        if time.monotonic() > start + effort.seconds:
            break
    return _Sent(times, time.monotonic() - start, time.process_time() - cpu)

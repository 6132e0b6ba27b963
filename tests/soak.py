"""Full load for some minutes: does the service leak memory, threads or file descriptors (T92), and what does it do when
five times as many calls come as it can answer (T89)?

`python -m tests.soak 600` (`make soak`) prints a line every ten seconds and fails on growth. On loopback only.
"""

import sys
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from statistics import median, quantiles
from threading import Event, Lock, Thread
from typing import Any

from tests.answers import PATIENT
from tests.chaos import chart, workers
from tests.server import Service, hook_call, service_process

WORKERS = 2
CLIENTS = 8
FLOOD = 5 * CLIENTS * WORKERS
EVERY_SECONDS = 10
LATE_DESCRIPTORS = 12
"""Those of connections to the store that are opened late: a pool grows when many calls meet. A leak is one a call."""
GROWTH = 1.05
"""What resident memory may come to after the first third, in which caches and pools fill."""
GOODPUT = 0.8


@dataclass(frozen=True, slots=True, kw_only=True)
class Use:
    """What the workers use together."""

    megabytes: float
    threads: int
    descriptors: int

    def __str__(self) -> str:
        return f"{self.megabytes:6.1f} MB, {self.threads} threads, {self.descriptors} descriptors"


def use(service: Service) -> Use:
    """What the workers use now."""
    kilobytes = threads = descriptors = 0
    for pid in workers(service):
        status = dict(
            line.split(":", 1) for line in Path(f"/proc/{pid}/status").read_text().splitlines() if ":" in line
        )
        kilobytes += int(status["VmRSS"].split()[0])
        threads += int(status["Threads"])
        descriptors += len(list(Path(f"/proc/{pid}/fd").iterdir()))
    return Use(megabytes=kilobytes / 1024, threads=threads, descriptors=descriptors)


class Load:
    """Clients that call as fast as they are answered, or `every` so many seconds; seconds of each answer by its status.

    `members` are those of every call beside its hook and patient.
    """

    def __init__(self, service: Service, members: dict[str, Any], clients: int, every: float = 0) -> None:
        self.taken: dict[int, list[float]] = {}
        self._every = every
        self._end, self._lock = Event(), Lock()
        self._threads = [Thread(target=self._work, args=(service, members, place)) for place in range(clients)]

    def __enter__(self) -> "Load":
        for thread in self._threads:
            thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._end.set()
        for thread in self._threads:
            thread.join(60)

    def rate(self, seconds: float, status: int = 200) -> float:
        """Answers of a status in a second, over so many seconds from now."""
        before = len(self.taken.get(status, ()))
        time.sleep(seconds)
        return (len(self.taken.get(status, ())) - before) / seconds

    def _work(self, service: Service, members: dict[str, Any], client: int) -> None:
        place = 0
        while not self._end.is_set():
            place += 1
            begun = time.monotonic()
            found = service.call(hook_call(PATIENT, hookInstance=f"{client}-{place}", **members))
            took = time.monotonic() - begun
            with self._lock:
                self.taken.setdefault(found.status_code, []).append(took)
            if self._every or found.status_code == 503:
                self._end.wait(max(0.1, self._every - took))


def soaked(folder: Path, filled: dict[str, Any], seconds: float, say: Any) -> list[Use]:
    """What the workers used, measured from time to time."""
    uses: list[Use] = []
    with (
        service_process(folder / "log", "", workers=WORKERS) as service,
        Load(service, {"prefetch": filled}, CLIENTS) as load,
    ):
        end = time.monotonic() + seconds
        while time.monotonic() < end:
            rate = load.rate(min(EVERY_SECONDS, seconds / 12))
            uses.append(use(service))
            say(f"{rate:6.1f} answers a second, {uses[-1]}")
    assert set(load.taken) == {200}, f"other answers came: {load.taken.keys()}"
    return uses


def grown(uses: list[Use]) -> str | None:
    """What grew after the first third, None when nothing did."""
    early, late = uses[len(uses) // 3 : 2 * len(uses) // 3], uses[2 * len(uses) // 3 :]
    for name, factor, more in (("megabytes", GROWTH, 0), ("threads", 1.0, 0), ("descriptors", 1.0, LATE_DESCRIPTORS)):
        before, after = (max(getattr(item, name) for item in part) for part in (early, late))
        if after > before * factor + more:
            return f"{name} grew from {before:.0f} to {after:.0f}"
    return None


def flooded(folder: Path, filled: dict[str, Any], seconds: float, say: Any) -> list[str]:
    """What is wrong when five times as many clients call as keep the service busy; says the figures."""
    faults = []
    with service_process(folder / "log", "", workers=WORKERS) as service:
        with Load(service, {"prefetch": filled}, CLIENTS) as usual:
            usual.rate(seconds / 4)
            capacity = usual.rate(seconds)
        with Load(service, {"prefetch": filled}, FLOOD) as flood:
            flood.rate(seconds / 4)
            goodput = flood.rate(seconds)
        refused = sorted(flood.taken.get(503, [0.0, 0.0]))
        late = quantiles(refused, n=20)[-1]
        begun = time.monotonic()
        again = service.call(hook_call(PATIENT, prefetch=filled))
        recovery = time.monotonic() - begun
    share = goodput / capacity
    say(f"capacity {capacity:.1f} answers a second; with {FLOOD} clients {goodput:.1f} ({share:.0%})")
    say(f"{len(refused)} refused, median {median(refused) * 1000:.0f} ms, p95 {late * 1000:.0f} ms")
    say(f"after the flood the next answer took {recovery:.2f} s")
    if set(flood.taken) - {200, 503}:
        faults.append(f"other answers came: {sorted(flood.taken)}")
    if share < GOODPUT:
        faults.append(f"only {share:.0%} of the capacity is left under a flood")
    if again.status_code != 200 or recovery > 5:
        faults.append("the service did not recover")
    return faults


def main() -> None:
    """As many seconds as the argument says."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 600.0

    def say(line: str) -> None:
        print(line, flush=True)  # noqa: T201

    filled = chart()
    with tempfile.TemporaryDirectory(prefix="crs-soak-") as folder:
        fault = grown(soaked(Path(folder), filled, seconds, say))
    with tempfile.TemporaryDirectory(prefix="crs-soak-") as folder:
        faults = [*([fault] if fault else []), *flooded(Path(folder), filled, min(seconds / 5, 20), say)]
    if faults:
        raise SystemExit("; ".join(faults))
    say("nothing grew")


if __name__ == "__main__":
    main()

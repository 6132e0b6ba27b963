"""How much is answered, and how soon, while what the service leans on is away: its EHR, its database, another's EHR.

`python -m tests.available 120` (`make available`) runs each of them for so many seconds beside the same load without
it, prints the figures, and fails when a call with all its data is not answered. On loopback only.
"""

import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from contextlib import AbstractContextManager, ExitStack, contextmanager, nullcontext
from dataclasses import dataclass
from pathlib import Path
from statistics import quantiles
from typing import Any

from cds_service.fhir.memory import Repository
from cds_service.fhir.stories import load_story
from tests.answers import PATIENT
from tests.chaos import chart, locked
from tests.hostile import Hostile
from tests.server import HOST, NOW, STORIES, fhir_server, free_port, service_process
from tests.soak import WORKERS, Load

CLIENTS = 4
EVERY_SECONDS = 0.2
ANSWERED = 0.999
Away = Callable[[Path], AbstractContextManager[object]]


@dataclass(frozen=True, slots=True, kw_only=True)
class Figures:
    """Calls of one load: how many, the share that was answered with 200, and within what time 95 % of these were."""

    calls: int
    answered: float
    p95: float

    def __str__(self) -> str:
        return f"{self.calls} calls, {self.answered:.2%} answered, p95 {self.p95 * 1000:.0f} ms"


def ehr_down(folder: Path, seconds: float) -> list[Figures]:
    """Calls with a complete prefetch, without a FHIR server and with one where nobody listens."""
    nobody = f"http://{HOST}:{free_port()}/fhir"
    filled = {"prefetch": chart()}
    return [
        _measured(folder / name, nobody, filled | more, seconds) for name, more in _named({}, {"fhirServer": nobody})
    ]


def database_away(folder: Path, seconds: float) -> list[Figures]:
    """Calls with a complete prefetch, with a database and with one that takes no write."""
    filled = {"prefetch": chart()}
    away: tuple[Away, ...] = (lambda _: nullcontext(), lambda state: locked(state / "crs-cds.db"))
    return [_measured(folder / name, "", filled, seconds, how) for name, how in _named(*away)]


def another_hangs(folder: Path, seconds: float) -> list[Figures]:
    """Calls that pull from their own EHR, alone and beside as many to another EHR that answers nothing."""
    story = next(path for path in sorted(STORIES.iterdir()) if path.is_dir() and PATIENT.startswith(path.name))
    with fhir_server(Repository(lambda: NOW)) as own, _hanging() as other:
        own.load(load_story(STORIES, story.name).bundle)
        both = f"{own.base},{other}"
        beside: tuple[dict[str, Any] | None, ...] = (None, {"fhirServer": other})
        mine = {"fhirServer": own.base}
        return [_measured(folder / name, both, mine, seconds, beside=them) for name, them in _named(*beside)]


def _named(*variants: Any) -> Iterator[tuple[str, Any]]:
    return zip(("usual", "then"), variants, strict=True)


@contextmanager
def _hanging() -> Iterator[str]:
    """An EHR that takes every query and never answers."""
    server = Hostile(lambda connection, _: connection.recv(1))
    try:
        yield server.base
    finally:
        server.close()


def _measured(
    folder: Path,
    fhir_servers: str,
    members: dict[str, Any],
    seconds: float,
    away: Away = lambda _: nullcontext(),
    beside: dict[str, Any] | None = None,
) -> Figures:
    folder.mkdir(parents=True)
    state = {"CRS_CDS_STATE_FOLDER": str(folder / "state")}
    with service_process(folder / "log", fhir_servers, workers=WORKERS, **state) as service, ExitStack() as held:
        with Load(service, members, CLIENTS, EVERY_SECONDS) as warm:
            warm.rate(seconds / 4)
        held.enter_context(away(folder / "state"))
        if beside is not None:
            held.enter_context(Load(service, beside, CLIENTS, EVERY_SECONDS))
        with Load(service, members, CLIENTS, EVERY_SECONDS) as load:
            time.sleep(seconds)
    calls = sum(map(len, load.taken.values()))
    good = load.taken.get(200, [])
    return Figures(calls=calls, answered=len(good) / calls, p95=quantiles(good, n=20)[-1])


KINDS = {"its EHR is down": ehr_down, "its database is away": database_away, "another EHR hangs": another_hangs}


def main() -> None:
    """As many seconds as the argument says."""
    seconds = float(sys.argv[1]) if len(sys.argv) > 1 else 120.0
    faults = []
    for name, measure in KINDS.items():
        with tempfile.TemporaryDirectory(prefix="crs-available-") as folder:
            usual, then = measure(Path(folder), seconds)
        print(f"{name}: {then}; else {usual}", flush=True)  # noqa: T201
        if then.answered < ANSWERED:
            faults.append(name)
    if faults:
        raise SystemExit(f"calls were not answered: {', '.join(faults)}")


if __name__ == "__main__":
    main()

"""`make bench`: everything that is measured, in under five minutes, on loopback only.

`python -m bench.run --json FILE` prints what it does and a table, and writes the figures, by default to
build/bench.json. `python -m bench.report` puts those into docs/performance.md and docs/capacity.md.
"""

import http.client
import json
import signal
import subprocess
import sys
import tempfile
import time
from argparse import ArgumentParser
from collections.abc import Callable, Sequence
from contextlib import ExitStack
from dataclasses import asdict, dataclass, replace
from datetime import UTC, datetime
from pathlib import Path
from statistics import median
from typing import Any

from bench import bodies
from bench.callers import Caller
from bench.growth import SIZES, growth
from bench.load import Case, Effort, Load, drive
from bench.machine import machine
from bench.pull import Pull, pulls
from bench.report import summary
from bench.servers import (
    CLIENT_CORES,
    CORES,
    CRS_CDS,
    HOST,
    ROOT,
    Server,
    floor,
    install_peers,
    on_cores,
    peer,
    peers_installed,
    service,
)
from bench.steps import steps
from bench.store import appended, costs, databases, samples

FIGURES = ROOT / "build" / "bench.json"
HELP_SECONDS = 60
GRADED, NOT_ELIGIBLE = b'"status":"graded"', b'"status":"not-eligible"'
AT_ONCE = 4
"""Connections that keep one worker busy."""
CARDS = 50
"""Patients whose cards feedback is given to."""

Figures = dict[str, Any]
Say = Callable[[str], object]


@dataclass(frozen=True, slots=True, kw_only=True)
class Plan:
    """How much is measured. Servers that are compared take turns in `rounds`, so that a slow minute meets them all."""

    warm_up: Effort
    rounds: int
    one: Effort
    many: Effort
    pulls: int
    growing: Effort
    sizes: Sequence[int]
    starts: int
    appending_seconds: float
    records: int
    checks: int


FULL = Plan(
    warm_up=Effort(requests=40, seconds=0.3),
    rounds=3,
    one=Effort(requests=200, seconds=1.0),
    many=Effort(requests=10_000, seconds=0.7),
    pulls=8,
    growing=Effort(requests=5, seconds=2),
    sizes=SIZES,
    starts=5,
    appending_seconds=1.5,
    records=2000,
    checks=300,
)
_TWO = Effort(requests=2, seconds=30)
TINY = Plan(
    warm_up=_TWO,
    rounds=1,
    one=_TWO,
    many=_TWO,
    pulls=1,
    growing=_TWO,
    sizes=(10, 30, 100),
    starts=1,
    appending_seconds=0.2,
    records=50,
    checks=2,
)
"""Whether it works; its figures say nothing."""


def measure(plan: Plan, peers: str | None, say: Say) -> Figures:
    """All figures. `peers`: why the peers are not measured, None when they are."""
    with tempfile.TemporaryDirectory(prefix="crs-cds-bench-") as folder, on_cores(CLIENT_CORES):
        state = Path(folder)
        figures: Figures = {"date": datetime.now(UTC).isoformat(timespec="minutes"), "machine": machine()}
        figures["peers"] = peers
        with service(state / "service") as own:
            say("patient-view, order-sign and feedback, beside the floor and the peers")
            figures["cases"] = _cases(own, state, plan, with_peers=peers is None)
            say("where the time goes")
            figures["steps"] = _steps(own, plan)
            say("callers who prove who they are")
            figures["authentication"] = _authentication(own, state, plan)
            say(f"{min(plan.sizes)} to {max(plan.sizes):,} Observations")
            figures["growth"] = _growth(own, plan)
        say("one worker and two")
        figures["workers"] = [_workers(state / f"workers-{number}", plan, number) for number in (1, 2)]
        say("pulling from FHIR servers that take 100 ms for each query")
        figures["pull"] = [_pull_row(each) for each in pulls(state / "pull", plan.pulls)]
        say("starts")
        figures["start"] = _starts(state / "start", plan)
        say("the store")
        figures["store"] = _store(state, plan)
    return figures


def _cases(own: Server, state: Path, plan: Plan, *, with_peers: bool) -> list[Figures]:
    """Each case with each server that it is for."""
    hundred = Case.of_patients("eligible, grade 3, 100 Observations", bodies.patient_view(100), GRADED)
    compared = [
        hundred,
        Case.of_patients("eligible, grade 3, 500 Observations", bodies.patient_view(500), GRADED),
        Case.of_patients("not eligible, 100 Observations", bodies.patient_view(100, eligible=False), NOT_ELIGIBLE),
    ]
    signed = Case.of_patients(
        "order-sign, grade 3, 100 Observations", bodies.order_sign(100), GRADED, "/cds-services/crs-order-sign"
    )
    with ExitStack() as running:
        others = [running.enter_context(floor(state / "floor"))]
        if with_peers:
            others += [running.enter_context(peer(variant)) for variant in ("plain", "typed")]
        rows = []
        for case in compared:
            scanned = replace(case, says=bodies.HIGHEST)
            rows += _rows({own: case} | dict.fromkeys(others, scanned), plan)
    return [*rows, *_rows({own: signed}, plan), *_rows({own: _feedback(own, hundred)}, plan)]


def _rows(cases: dict[Server, Case], plan: Plan) -> list[Figures]:
    """A row for each server, in their order."""
    for server, case in cases.items():
        drive(server, case, plan.warm_up)
    found: dict[Server, list[tuple[Load, Load]]] = {server: [] for server in cases}
    for _ in range(plan.rounds):
        for server, case in cases.items():
            found[server].append((drive(server, case, plan.one), drive(server, case, plan.many, AT_ONCE)))
    rows = []
    for server, loads in found.items():
        one, many = Load.together(one for one, _ in loads), Load.together(many for _, many in loads)
        row = {"case": cases[server].name, "server": server.name, "kilobytes": len(cases[server].body(1)) / 1000}
        row |= _milliseconds(one) | {"requests_per_second": many.rate, "cpu_ms": many.cpu * 1000}
        rows.append(row | {"megabytes": server.megabytes()})
    return rows


def _milliseconds(load: Load) -> Figures:
    return {"calls": len(load.times), "p50_ms": load.p50 * 1000, "p99_ms": load.p99 * 1000}


def _feedback(server: Server, opened: Case) -> Case:
    """Feedback to cards that the service has shown."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=HELP_SECONDS)
    cards = []
    for number in range(CARDS):
        connection.request("POST", opened.path, opened.body(number), {"Content-Type": "application/json"})
        cards += [card["uuid"] for card in json.loads(connection.getresponse().read())["cards"]]
    connection.close()
    return Case(
        name="feedback to a card",
        body=lambda number: bodies.feedback(cards[number % len(cards)], number),
        says=b'"received":1',
        path=f"{opened.path}/feedback",
    )


def _steps(own: Server, plan: Plan) -> Figures:
    """Milliseconds of each step of a call, by the number of Observations."""
    found = {}
    for number in (100, 500):
        case = Case.of_patients(f"steps, {number} Observations", bodies.patient_view(number), GRADED)
        found[str(number)] = {name: taken * 1000 for name, taken in steps(own, case, plan.one).items()}
    return found


def _authentication(own: Server, state: Path, plan: Plan) -> Figures:
    """What it adds to a call that its caller must prove who it is."""
    caller = Caller()
    with service(state / "required", caller.settings(state), name="authentication required") as required:
        without, checked = _rows({server: _with_token(caller, server) for server in (own, required)}, plan)
    return {
        "algorithm": caller.algorithm,
        "p50_ms": {"off": without["p50_ms"], "required": checked["p50_ms"]},
        "cpu_ms": {"off": without["cpu_ms"], "required": checked["cpu_ms"]},
        "added_ms": checked["p50_ms"] - without["p50_ms"],
        "signature_ms": caller.signature_seconds(plan.checks) * 1000,
    }


def _with_token(caller: Caller, server: Server) -> Case:
    """A token is made for each call whether it is looked at or not: so both servers are called at the same pace."""
    address = f"http://{HOST}:{server.port}{bodies.SERVICE}"
    case = Case.of_patients("a call with a token", bodies.patient_view(100), GRADED)
    return replace(case, headers=lambda _: caller.headers(address))


def _workers(state: Path, plan: Plan, number: int) -> Figures:
    """Calls a second when workers and clients share all cores."""
    case = Case.of_patients("workers", bodies.patient_view(100), GRADED)
    with service(state, workers=number, cores=CORES) as server, on_cores(CORES):
        drive(server, case, plan.warm_up, AT_ONCE * number)
        load = drive(server, case, replace(plan.many, seconds=plan.rounds * plan.many.seconds), AT_ONCE * number)
        return {
            "workers": number,
            "connections": AT_ONCE * number,
            "requests_per_second": load.rate,
            "cpu_ms": load.cpu * 1000,
            "client_cpu_ms": load.client_cpu / len(load.times) * 1000,
        }


def _pull_row(found: Pull) -> Figures:
    row = {"phases": found.phases, "patient": found.patient, "at_once": found.at_once, "calls": len(found.times)}
    row |= {"p50_ms": median(found.times) * 1000, "slowest_ms": max(found.times) * 1000}
    return row | {"overhead_ms": found.overhead * 1000, "cpu_ms": found.cpu * 1000}


def _growth(own: Server, plan: Plan) -> Figures:
    found = growth(own, plan.growing, plan.sizes)
    slope, intercept = found.line
    points = {str(number): seconds * 1000 for number, seconds in found.seconds.items()}
    return {"p50_ms": points, "slope_ms": slope * 1000, "intercept_ms": intercept * 1000, "r_squared": found.r_squared}


def _starts(state: Path, plan: Plan) -> Figures:
    """Seconds until a service is ready: when its state has to be made, and when it is there."""
    seconds = []
    for _ in range(1 + plan.starts):
        with service(state) as server:
            seconds.append(server.start_seconds)
    helped = []
    for _ in range(plan.starts):
        begun = time.perf_counter()
        subprocess.run([*CRS_CDS, "--help"], cwd=ROOT, check=True, capture_output=True, timeout=HELP_SECONDS)
        helped.append(time.perf_counter() - begun)
    return {"first_seconds": seconds[0], "seconds": median(seconds[1:]), "help_seconds": median(helped)}


def _store(state: Path, plan: Plan) -> Figures:
    """What the store takes, with records as the service has kept them above."""
    records = samples(state / "service")
    rates, cost = [], []
    with databases(state) as known:
        for kind, (for_rate, for_size) in known.items():
            rates += [
                asdict(found) for found in appended(kind, for_rate, records["not eligible"], plan.appending_seconds)
            ]
            cost += [asdict(found) for found in costs(kind, for_size, records, plan.records)]
    return {"appended": rates, "costs": cost}


def main() -> None:
    """Measure, print, write."""
    parser = ArgumentParser(prog="python -m bench.run", description=__doc__)
    parser.add_argument("--json", type=Path, default=FIGURES, help="where the figures are written")
    parser.add_argument("--tiny", action="store_true", help="two calls of each kind: whether it works, no figures")
    given = parser.parse_args()
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, lambda sent, _: sys.exit(128 + sent))  # what was started is ended
    begun = time.monotonic()

    def say(line: str) -> None:
        print(f"{time.monotonic() - begun:4.0f} s  {line}", flush=True)

    if given.tiny:
        peers = None if peers_installed() else "HealthChain was not measured: it is not installed"
    else:
        say("the peers, which are installed once")
        peers = install_peers()
    if peers is not None:
        say(peers)
    begun = time.monotonic()
    figures = measure(TINY if given.tiny else FULL, peers, say)
    given.json.parent.mkdir(parents=True, exist_ok=True)
    given.json.write_text(json.dumps(figures, indent=1), encoding="utf-8")
    say(f"done; the figures are in {given.json}")
    print(summary(figures))


if __name__ == "__main__":
    main()

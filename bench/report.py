"""The figures of a run as tables, and as parts of docs/performance.md and docs/capacity.md.

`python -m bench.report FILE` (build/bench.json) writes both, and the picture of growth.
"""

import json
import sys
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from math import ceil
from pathlib import Path
from typing import Any

from bench.growth import draw
from bench.servers import ROOT
from tests.made_parts import table, with_parts

Figures = dict[str, Any]
DOCS = ROOT / "docs"
PICTURE = DOCS / "images" / "growth.svg"
OWN, FLOOR = "this service", "floor"
CASES = ("eligible, grade 3, 100 Observations", "eligible, grade 3, 500 Observations", "not eligible, 100 Observations")


@dataclass(frozen=True, slots=True)
class Goal:
    """What is asked for, what was measured, in one unit, and whether that is enough."""

    words: str
    measured: float
    limit: float
    unit: str
    at_least: bool = False

    @property
    def met(self) -> bool:
        """Whether it is reached."""
        return self.measured >= self.limit if self.at_least else self.measured <= self.limit


def case(figures: Figures, name: str, server: str = OWN) -> Figures:
    """The row of a case with a server."""
    return next(row for row in figures["cases"] if (row["case"], row["server"]) == (name, server))


def floors(figures: Figures, row: Figures) -> float | None:
    """How many times the floor's p50 of the same case it took, None for a case that the floor does not know."""
    known = [other for other in figures["cases"] if (other["case"], other["server"]) == (row["case"], FLOOR)]
    return row["p50_ms"] / known[0]["p50_ms"] if known else None


def goals(figures: Figures) -> list[Goal]:
    """The goals of the project for its speed, with decision record and assessment on."""
    hundred, five_hundred, not_eligible = (case(figures, name) for name in CASES)
    ratios = [floors(figures, row) or 0 for row in (hundred, five_hundred, not_eligible)]
    checked = figures["authentication"]
    alone = [row["overhead_ms"] for row in figures["pull"] if row["at_once"] == 1]
    memory = max(row["megabytes"] for row in figures["cases"] if row["server"] == OWN)
    return [
        Goal("patient-view with 100 Observations, p50", ratios[0], 3, "floors"),
        Goal("patient-view with 500 Observations, p50", ratios[1], 3.5, "floors"),
        Goal("patient-view of a patient who is not eligible, p50", ratios[2], 2.5, "floors"),
        Goal("patient-view with 100 Observations, one core", hundred["requests_per_second"], 400, "calls/s", True),
        Goal("patient-view with 100 Observations, p99", hundred["p99_ms"] / hundred["p50_ms"], 4, "p50"),
        Goal("checking who calls, beyond the signature", checked["added_ms"] - checked["signature_ms"], 0.2, "ms"),
        Goal("a call that pulls, beyond the longest chain of queries", max(alone), 10, "ms"),
        Goal("from start to ready", figures["start"]["seconds"], 1.5, "s"),
        Goal("resident memory of a worker", memory, 130, "MB"),
        Goal("`crs-cds --help`", figures["start"]["help_seconds"], 0.3, "s"),
        Goal(
            "time against number of Observations, closeness to a line (R²)",
            figures["growth"]["r_squared"],
            0.99,
            "",
            True,
        ),
    ]


def summary(figures: Figures) -> str:
    """What is printed at the end of a run."""
    return "\n".join((_machine(figures), _cases(figures), _others(figures), _goals(figures)))


def performance(figures: Figures) -> dict[str, str]:
    """The parts of docs/performance.md."""
    return {
        "machine": _machine(figures),
        "goals": _goals(figures),
        "cases": _cases(figures),
        "others": _others(figures),
        "steps": _steps(figures),
        "pull": _pull(figures),
        "workers": _workers(figures),
        "growth": _growth(figures),
    }


def capacity(figures: Figures) -> dict[str, str]:
    """The parts of docs/capacity.md."""
    return {
        "machine": _machine(figures),
        "measured": _measured(figures),
        "needed": _needed(figures),
        "appended": _appended(figures),
    }


def number(value: float) -> str:
    """With as many digits as say something: 0.43, 4.3, 43, 4,300."""
    return f"{value:.2f}" if abs(value) < 1 else f"{value:.1f}" if abs(value) < 10 else f"{value:,.0f}"


def _machine(figures: Figures) -> str:
    known = figures["machine"]
    built = "with" if known["optimised_python"] else "without"
    python = f"Python {known['python']}, built {built} profile-guided optimisation"
    peers = "" if figures["peers"] is None else f" {figures['peers']}."
    return (
        f"`make bench`, {figures['date']}: {known['processor']}, {known['cores']} cores, {known['system']}, {python};"
        f" load of the machine before the run {known['load_before']}.{peers}\n"
    )


def _goals(figures: Figures) -> str:
    rows = []
    for goal in goals(figures):
        limit = f"{'at least' if goal.at_least else 'at most'} {goal.limit:g} {goal.unit}".strip()
        measured = f"{goal.measured:.4f}" if not goal.unit else f"{number(goal.measured)} {goal.unit}"
        rows.append([goal.words, limit, measured, "met" if goal.met else "**missed**"])
    return table(("what", "goal", "measured", ""), *rows)


def _cases(figures: Figures) -> str:
    rows = []
    for row in figures["cases"]:
        times = floors(figures, row)
        found = [number(row[name]) for name in ("kilobytes", "p50_ms", "p99_ms")]
        found += [number(times) if times is not None else "-"]
        found += [number(row[name]) for name in ("requests_per_second", "cpu_ms", "megabytes")]
        rows.append([row["case"], row["server"], *found])
    head = ("case", "server", "kB", "p50 ms", "p99 ms", "p50 in floors", "calls/s", "CPU ms a call", "MB")
    return table(head, *rows)


def _others(figures: Figures) -> str:
    checked, start = figures["authentication"], figures["start"]
    return table(
        ("what", "measured"),
        ("checking who calls adds to p50", f"{number(checked['added_ms'])} ms"),
        (f"of that, one {checked['algorithm']} signature alone", f"{number(checked['signature_ms'])} ms"),
        ("from `crs-cds serve` to ready", f"{number(start['seconds'])} s"),
        ("the same when its state folder is new", f"{number(start['first_seconds'])} s"),
        ("`crs-cds --help`", f"{number(start['help_seconds'])} s"),
    )


def _steps(figures: Figures) -> str:
    found = figures["steps"]
    whole = {name: sum(steps.values()) for name, steps in found.items()}
    rows = [
        [name, *(f"{number(steps[name])} ms, {steps[name] / whole[size]:.0%}" for size, steps in found.items())]
        for name in next(iter(found.values()))
    ]
    return table(("step", *(f"{size} Observations" for size in found)), *rows)


def _pull(figures: Figures) -> str:
    rows = []
    for row in figures["pull"]:
        found = [number(row[name]) for name in ("p50_ms", "slowest_ms", "overhead_ms", "cpu_ms")]
        rows.append([str(row["phases"]), row["patient"], str(row["at_once"]), *found])
    head = ("phases", "patient", "at once", "p50 ms", "slowest ms", "beyond the queries, ms", "CPU ms a call")
    return table(head, *rows)


def _workers(figures: Figures) -> str:
    names = ("requests_per_second", "cpu_ms", "client_cpu_ms")
    rows = [
        [str(row["workers"]), str(row["connections"]), *(number(row[name]) for name in names)]
        for row in figures["workers"]
    ]
    return table(("workers", "connections", "calls/s", "CPU ms a call", "CPU ms of the client a call"), *rows)


def _growth(figures: Figures) -> str:
    found = figures["growth"]
    points = table(
        ("Observations", *found["p50_ms"]), ("p50 ms", *(number(taken) for taken in found["p50_ms"].values()))
    )
    line = f"{found['slope_ms'] * 1000:.0f} µs for each Observation, and {number(found['intercept_ms'])} ms for a call"
    return f"The closest line: {line}; R² = {found['r_squared']:.4f}.\n\n{points}"


@dataclass(frozen=True, slots=True, kw_only=True)
class Assumed:
    """What is not measured but supposed, for arithmetic."""

    openings: int = 100_000
    """Charts opened in a hospital on a day."""
    hospitals: int = 1000
    peak: float = 5
    """Calls in the busiest minutes, in units of the mean of the day."""
    eligible: float = 0.01
    """Share of openings that are of patients with a T-cell engaging therapy."""
    use: float = 0.5
    """Share of a core, and of what the store takes, that is planned to be used at the peak."""


SUPPOSED = Assumed()


def _costs(figures: Figures) -> dict[str, float]:
    """Measured figures of the mean call, by the names that formulas use."""
    share = SUPPOSED.eligible

    def mixed(eligible: float, other: float) -> float:
        return share * eligible + (1 - share) * other

    pull = {row["patient"]: row for row in figures["pull"] if row["phases"] == 2 and row["at_once"] > 1}
    base = {row["patient"]: row for row in figures["pull"] if row["phases"] == 2 and row["at_once"] == 1}
    kind = figures["store"]["costs"][-1]["database"]
    stored = {row["answer"]: row for row in figures["store"]["costs"] if row["database"] == kind}
    eligible, other = "eligible, grade 3", "not eligible"
    return {
        "cpu": mixed(case(figures, CASES[0])["cpu_ms"], case(figures, CASES[2])["cpu_ms"]),
        "pulling": mixed(pull[eligible]["cpu_ms"], pull[other]["cpu_ms"]),
        "lasts": mixed(base[eligible]["p50_ms"], base[other]["p50_ms"]) / 1000,
        "kilobytes": case(figures, CASES[0])["kilobytes"],
        "bytes": mixed(stored[eligible]["bytes"], stored[other]["bytes"]),
        "statements": mixed(stored[eligible]["statements"], stored[other]["statements"]),
        "appended": max(row["rate"] for row in figures["store"]["appended"] if row["database"] == kind),
        "megabytes": max(row["megabytes"] for row in figures["cases"] if row["server"] == OWN),
    }


def _measured(figures: Figures) -> str:
    found, share = _costs(figures), f"{SUPPOSED.eligible:.0%} of patients eligible"
    return table(
        ("figure", "measured", "name"),
        (f"processor time of a call with a prefetch, {share}", f"{number(found['cpu'])} ms", "*c*"),
        ("the same when a small chart is pulled, 16 at once", f"{number(found['pulling'])} ms", "*p*"),
        ("how long a call that pulls lasts, with 100 ms a query", f"{number(found['lasts'])} s", "*t*"),
        ("size of a call with a prefetch", f"{number(found['kilobytes'])} kB", "*k*"),
        ("resident memory of a worker", f"{number(found['megabytes'])} MB", "*m*"),
        ("bytes that the record of an answer takes in the store", number(found["bytes"]), "*b*"),
        ("statements of a call to the store", number(found["statements"]), "*s*"),
        ("answers that one store takes in a second", number(found["appended"]), "*a*"),
    )


def _needed(figures: Figures) -> str:
    """Worked out for one hospital and for all."""
    found, supposed = _costs(figures), SUPPOSED

    def column(hospitals: int) -> Iterator[str]:
        day = supposed.openings * hospitals
        rate = day / 86_400 * supposed.peak
        yield f"{day:,}"
        yield f"{number(rate)} /s"
        for name in ("cpu", "pulling"):
            busy = rate * found[name] / 1000
            yield f"{number(busy)} cores, so {max(2, ceil(busy / supposed.use)):,} workers"
        yield f"{number(max(2, ceil(rate * found['pulling'] / 1000 / supposed.use)) * found['megabytes'] / 1000)} GB"
        yield number(rate * found["lasts"])
        yield f"{number(rate * found['kilobytes'] * 8 / 1000)} Mbit/s"
        yield f"{number(rate * found['statements'])} /s"
        yield f"{number(day * found['bytes'] / 1e9)} GB a day, {number(day * found['bytes'] * 365 / 1e12)} TB a year"
        yield str(ceil(rate / found["appended"] / supposed.use))

    words = (
        ("charts opened a day", "*D*"),
        ("calls at the peak", f"*r* = *D* / 86,400 × {supposed.peak:g}"),
        ("cores when the EHR prefetches", f"*r* × *c*; workers: / {supposed.use:g}, at least 2"),
        ("cores when everything is pulled", f"*r* × *p*; workers: / {supposed.use:g}, at least 2"),
        ("memory of those workers", "workers × *m*"),
        ("calls under way at once when all is pulled", "*r* × *t*"),
        ("network, to the service", "*r* × *k*"),
        ("statements to the store", "*r* × *s*"),
        ("records", "*D* × *b*"),
        ("stores", f"*r* / *a* / {supposed.use:g}"),
    )
    columns = zip(words, column(1), column(supposed.hospitals), strict=True)
    rows = [[what, formula, one, all_of_them] for (what, formula), one, all_of_them in columns]
    return table(("what", "how it is worked out", "one hospital", f"{supposed.hospitals:,} hospitals"), *rows)


def _appended(figures: Figures) -> str:
    rows = [
        [row["database"], str(row["processes"]), str(row["threads"]), number(row["rate"])]
        for row in figures["store"]["appended"]
    ]
    cost = [
        [row["database"], row["answer"], str(row["statements"]), number(row["bytes"])]
        for row in figures["store"]["costs"]
    ]
    return (
        table(("database", "processes that append", "threads in each", "answers/s"), *rows)
        + "\n"
        + table(("database", "answer", "statements of its call", "bytes of its record, with indexes"), *cost)
    )


def write(figures: Figures) -> None:
    """Put the figures into the documents."""
    made: dict[str, Callable[[Figures], dict[str, str]]] = {"performance.md": performance, "capacity.md": capacity}
    for name, parts in made.items():
        document = DOCS / name
        document.write_text(with_parts(document.read_text(encoding="utf-8"), parts(figures)), encoding="utf-8")
    draw({int(size): taken for size, taken in figures["growth"]["p50_ms"].items()}, PICTURE)


if __name__ == "__main__":
    write(json.loads(Path(sys.argv[1] if len(sys.argv) > 1 else ROOT / "build" / "bench.json").read_bytes()))

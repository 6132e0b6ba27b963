"""Mutation testing of the clinical core: `make mutants`, or `make mutants ARGS="fever dosing"` for some modules.

Each mutant lives in the memory of a forked process that runs the tests on it: no file is changed, and what is slow to
import is imported once. Says per module how many mutants were killed, names the survivors, and fails when too many
live. docs/mutants.md has the numbers and the survivors that are known.
"""

import os
import re
import sys
import tomllib
from collections.abc import Sequence
from pathlib import Path
from tempfile import TemporaryDirectory
from time import monotonic
from typing import Any

from cosmic_ray.plugins import get_operator, operator_names
from forks import Step, limit_for, prepare, start, tests
from mutation import Mutant, mutants_of

ROOT = Path(__file__).parent.parent
SOURCES = ROOT / "cds_service" / "crs"
LEAST = 90
"""Per cent of the mutants that must be killed."""
IMPORTED_ONCE = ("flask", "jinja2", "markdown_it", "orjson", "pydantic_settings", "requests", "structlog")


def main(modules: Sequence[str]) -> int:
    """Test the mutants of these modules, or of all; 1 when too few are killed."""
    with TemporaryDirectory(prefix="mutants-") as bytecode:
        prepare(ROOT, bytecode, IMPORTED_ONCE)
        return _test(modules)


def _test(modules: Sequence[str]) -> int:
    plan = tomllib.loads(Path(__file__).with_name("mutants.toml").read_text(encoding="utf-8"))
    names = re.compile("core/(?:" + "|".join(plan["operators"]) + ")")
    operators = [get_operator(name) for name in operator_names() if names.fullmatch(name)]
    known = (ROOT / "docs" / "mutants.md").read_text(encoding="utf-8")
    began = monotonic()
    limit = limit_for([_tests(plan["tests"])])
    found = killed = 0
    for module in modules or _modules():
        source = SOURCES.joinpath(*module.split(".")).with_suffix(".py").read_text(encoding="utf-8")
        mutants = list(mutants_of(module, source, operators))
        alive = survivors(mutants, _parts(plan, module), limit)
        found, killed = found + len(mutants), killed + len(mutants) - len(alive)
        _say(_summary(module, len(mutants), len(alive)))
        for row in sorted(mutant.row for mutant in alive):
            _say(f"    {'known' if row in known else 'NEW  '} {row}")
    _say(f"{_summary('all', found, found - killed)} in {(monotonic() - began) / 60:.0f} min")
    return int(100 * killed < LEAST * found)


def _modules() -> list[str]:
    """The modules of the core by name, those of a folder as `review.route`."""
    return sorted(".".join(path.relative_to(SOURCES).with_suffix("").parts) for path in SOURCES.rglob("[a-z]*.py"))


def survivors(mutants: Sequence[Mutant], parts: Sequence[Step], limit: int) -> list[Mutant]:
    """The mutants on which all tests pass within the limit, one process for each processor."""
    alive: list[Mutant] = []
    running: dict[int, Mutant] = {}
    waiting = list(reversed(mutants))
    while waiting or running:
        if waiting and len(running) < int(os.environ.get("JOBS", os.cpu_count() or 1)):
            mutant = waiting.pop()
            running[start([mutant.install, *parts], limit)] = mutant
        else:
            process, status = os.wait()
            mutant = running.pop(process)
            if status == 0:
                alive.append(mutant)
    return alive


def _parts(plan: dict[str, Any], module: str) -> list[Step]:
    """The tests of the module, or of its folder, file by file, then the others together."""
    folder, _, name = module.rpartition(".")
    first = plan["first"].get(module, [folder or f"test_{name}.py"])
    return [*(_tests([name]) for name in first), _tests([name for name in plan["tests"] if name not in first])]


def _tests(names: Sequence[str]) -> Step:
    return tests("--noconftest", *(f"tests/spec/{name}" for name in names))


def _summary(name: str, mutants: int, alive: int) -> str:
    killed = mutants - alive
    share = 100 * killed / mutants if mutants else 100
    return f"{name:16} {mutants:5} mutants {killed:5} killed {alive:4} survived {share:6.1f} %"


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

"""Tests in forked processes: what is slow to import is imported once, and what is changed ends with its process."""

import gc
import os
import resource
import sys
import traceback
from collections.abc import Callable, Iterable
from importlib import import_module
from pathlib import Path

import pytest
from hypothesis import Phase, settings

PYTEST = ("-x", "-q", "--tb=line", "-p", "no:cacheprovider")
BASELINE_SECONDS = 600
"""Of the processor, for all tests without a mutant."""
Step = Callable[[], object]


def prepare(root: Path, bytecode: str, modules: Iterable[str]) -> None:
    """Few generated patients, the same in each run and not made smaller; no plugins; nothing paid twice."""
    os.chdir(root)
    sys.path.insert(0, str(root))
    sys.pycache_prefix, sys.dont_write_bytecode = bytecode, False
    os.environ["PYTEST_DISABLE_PLUGIN_AUTOLOAD"] = "1"
    phases = (Phase.explicit, Phase.generate)
    settings.register_profile("mutants", max_examples=30, derandomize=True, database=None, deadline=None, phases=phases)
    settings.load_profile("mutants")
    for name in modules:
        import_module(name)
    pytest.main(["--version"])  # imports the parts of pytest
    gc.freeze()  # what is there now is no garbage in any process


def tests(*options: str) -> Step:
    """The step that runs tests up to the first failure."""
    return lambda: pytest.main([*PYTEST, *options])


def start(steps: Iterable[Step], limit: int, output: str | Path = os.devnull) -> int:
    """A process that goes step by step up to the first that fails: that raises, or returns anything but nothing or 0.

    It ends with 0 when none fails, and for at most `limit` seconds of the processor; what it says goes to the output.
    """
    process = os.fork()
    if process:
        return process
    resource.setrlimit(resource.RLIMIT_CPU, (limit, limit))
    said = os.open(output, os.O_WRONLY | os.O_CREAT | os.O_TRUNC)
    os.dup2(said, 1)
    os.dup2(said, 2)
    failed = True
    try:
        failed = any(step() for step in steps)
    except Exception:
        traceback.print_exc()
    finally:
        sys.stdout.flush()
        sys.stderr.flush()
        os._exit(failed)


def limit_for(steps: Iterable[Step]) -> int:
    """Go the steps without a mutant; the limit for one: three times the seconds of the processor that they took."""
    _, status, used = os.wait4(start(steps, BASELINE_SECONDS), 0)
    if status:
        sys.exit("The tests fail without any mutant: run them by themselves, e.g. make test, and correct that first.")
    return 10 + int(3 * used.ru_utime)

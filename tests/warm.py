"""Commands of `crs-cds` in processes of their own that need not load the program first, which takes most of their time.

One process has loaded it, and each command is run by a copy of that process, with an environment and a folder of its
own; its output and its exit status are those of the command. `python -m tests.warm` is that process: it reads a command
a line, and writes the exit status.
"""

import gc
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from functools import cache
from importlib import import_module
from pathlib import Path

from tests.server import ROOT

SECONDS = 120
"""No command takes longer, on however busy a machine."""


def run(arguments: Sequence[str], environment: Mapping[str, str], folder: Path) -> subprocess.CompletedProcess[str]:
    """Run `crs-cds` with these arguments and no other environment."""
    process = _process()
    assert process.stdin is not None
    assert process.stdout is not None
    with tempfile.TemporaryDirectory(prefix="crs-warm-") as place:
        output, errors = Path(place, "output"), Path(place, "errors")
        asked = [list(arguments), dict(environment), str(folder), str(output), str(errors)]
        process.stdin.write(f"{json.dumps(asked)}\n")
        process.stdin.flush()
        status = int(process.stdout.readline())
        return subprocess.CompletedProcess(arguments, status, output.read_text(), errors.read_text())


def end() -> None:
    """End the process, if there is one."""
    if _process.cache_info().currsize:
        _process().communicate(timeout=SECONDS)
        _process.cache_clear()


@cache
def _process() -> subprocess.Popen[str]:
    command = [sys.executable, "-m", "tests.warm"]
    return subprocess.Popen(command, cwd=ROOT, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True)


def _main() -> None:
    from cds_service.cli.main import COMMANDS, main

    for place in COMMANDS.values():
        import_module(place.partition(":")[0])
    gc.freeze()  # or each copy would look through all that is loaded when it ends, and have it copied
    for line in sys.stdin:
        child = os.fork()
        if child == 0:
            _become(*json.loads(line))
            return main()
        print(os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]), flush=True)  # noqa: T201 - it is what is read
    return None


def _become(arguments: list[str], environment: dict[str, str], folder: str, output: str, errors: str) -> None:
    """Be as a process that was started for this command."""
    signal.alarm(SECONDS)
    for name in set(os.environ) - set(environment):
        del os.environ[name]
    os.environ.update(environment)
    time.tzset()
    os.chdir(folder)
    sys.argv = ["crs-cds", *arguments]
    for stream, path, flags in ((0, os.devnull, os.O_RDONLY), (1, output, os.O_WRONLY), (2, errors, os.O_WRONLY)):
        opened = os.open(path, flags | os.O_CREAT)
        os.dup2(opened, stream)
        os.close(opened)


if __name__ == "__main__":
    _main()

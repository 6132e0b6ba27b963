"""The folder in which worker processes add up their metrics. prometheus_client is told of it by its own variable."""

import os
import shutil
from pathlib import Path

_VARIABLE = "PROMETHEUS_MULTIPROC_DIR"


def share_metrics(folder: Path) -> None:
    """Let the processes that are forked from now on add up their metrics in a folder, empty at first.

    Before prometheus_client is imported: it looks for the folder at its import.
    """
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(mode=0o700)
    os.environ[_VARIABLE] = str(folder)


def metrics_are_shared() -> bool:
    """Whether this process is one of several."""
    return _VARIABLE in os.environ


def forget_metrics(pid: int) -> None:
    """Leave out what a process that ended said of its present state."""
    from prometheus_client.multiprocess import mark_process_dead

    mark_process_dead(pid)  # type: ignore[no-untyped-call]

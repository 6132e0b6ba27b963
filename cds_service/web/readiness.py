"""GET /readyz: whether this process can do its work, check by check (T82, T84)."""

from collections.abc import Callable, Mapping
from pathlib import Path
from tempfile import TemporaryFile

from cds_service.errors import CdsError, Unavailable

OK = "ok"

Check = Callable[[], object]
"""Returns when all is well. Raises CdsError with one sentence that holds no password."""


def findings(checks: Mapping[str, Check]) -> dict[str, str]:
    """By the name of each check `ok`, or the sentence that says what is wrong."""
    return {name: _finding(check) for name, check in checks.items()}


def _finding(check: Check) -> str:
    try:
        check()
    except CdsError as error:
        return error.message
    return OK


def writable(folder: Path) -> None:
    """Raises Unavailable unless a file can be written in the state folder."""
    try:
        with TemporaryFile(dir=folder) as file:
            file.write(b"ready?")
    except OSError as error:
        raise Unavailable(f"nothing can be written in the state folder: {error.strerror}") from error

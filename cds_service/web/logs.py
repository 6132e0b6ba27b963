"""Logs: JSON lines on standard error, and only members that are known to hold no patient data and no secret (T11)."""

import logging
import sys
from collections.abc import MutableMapping
from types import TracebackType
from typing import Any, NoReturn

import structlog
from structlog.contextvars import merge_contextvars

ALLOWED = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "request_id",
        "route",
        "service",
        "client",
        "status",
        "outcome",
        "milliseconds",
        "hook_instance",
        "cards",
        "needs",
        "unrecognised",
        "of_others",
        "entries",
        "matched",
        "reason",
        "where",
        "logger",
    }
)
WITHHELD = "a message whose words may hold values"

log = structlog.get_logger()


def only_allowed(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every member that is not on the list."""
    return {name: value for name, value in event.items() if name in ALLOWED}


def configure_logs(lowest: str = "info") -> None:
    """Set up the logs of a running service; events below the `lowest` level are not written."""
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        processors=[
            merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_allowed,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # one write a line: workers share it
        cache_logger_on_first_use=True,
    )
    logging.basicConfig(handlers=[OfLibraries()], level=lowest.upper(), force=True)


class OfLibraries(logging.Handler):
    """What libraries log, the same way. Of a message only the pattern is written, of an exception its class and place.

    The values are left out: urllib3 puts the URL of a query into them, gunicorn the header it could not read. A message
    without values of its own may be one that was put together before, so it is not written either.
    """

    def emit(self, record: logging.LogRecord) -> None:
        """Write the record as an event of the level below or at its own."""
        level = min(max(record.levelno // 10 * 10, logging.DEBUG), logging.CRITICAL)
        said: dict[str, Any] = {"logger": record.name, "where": f"{record.pathname}:{record.lineno}"}
        if record.exc_info and record.exc_info[1] is not None:
            said |= cause(record.exc_info[1])
        log.log(level, str(record.msg) if record.args else WITHHELD, **said)


def cause(error: BaseException) -> dict[str, str]:
    """Class, file and line of a failure, without its message and without values: they may hold patient data."""
    return {"reason": type(error).__name__, "where": _place(error.__traceback__)}


def _place(trace: TracebackType | None) -> str:
    while trace is not None and trace.tb_next is not None:
        trace = trace.tb_next
    return f"{trace.tb_frame.f_code.co_filename}:{trace.tb_lineno}" if trace is not None else "unknown"


def silence_logs() -> None:
    """For commands whose output is for people. urllib3 warns with the URL of a query, which holds the patient's id."""
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)
    structlog.configure(processors=[_drop])


def _drop(_: Any, __: str, ___: MutableMapping[str, Any]) -> NoReturn:
    raise structlog.DropEvent

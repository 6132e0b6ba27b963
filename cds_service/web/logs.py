"""Logs: JSON lines on standard error, and only members that are known to hold no patient data and no secret (T11)."""

import logging
import sys
from collections.abc import MutableMapping
from typing import Any, NoReturn

import structlog

ALLOWED = frozenset(
    {
        "event",
        "level",
        "timestamp",
        "service",
        "client",
        "hook_instance",
        "status",
        "cards",
        "needs",
        "unrecognised",
        "of_others",
        "entries",
        "matched",
        "reason",
        "where",
        "milliseconds",
    }
)


def only_allowed(_: Any, __: str, event: MutableMapping[str, Any]) -> MutableMapping[str, Any]:
    """Drop every member that is not on the list."""
    return {name: value for name, value in event.items() if name in ALLOWED}


def configure_logs(lowest: int = logging.INFO) -> None:
    """Set structlog up for a running service; events below the `lowest` level are not written."""
    _silence_libraries()
    structlog.configure(
        wrapper_class=structlog.make_filtering_bound_logger(lowest),
        processors=[
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            only_allowed,
            structlog.processors.JSONRenderer(),
        ],
        logger_factory=structlog.WriteLoggerFactory(sys.stderr),  # one write a line: workers share it
        cache_logger_on_first_use=True,
    )


def silence_logs() -> None:
    """For commands whose output is for people."""
    _silence_libraries()
    structlog.configure(processors=[_drop])


def _silence_libraries() -> None:
    """urllib3 warns with the URL of a query, which holds the patient's id."""
    logging.getLogger("urllib3").setLevel(logging.CRITICAL)


def _drop(_: Any, __: str, ___: MutableMapping[str, Any]) -> NoReturn:
    raise structlog.DropEvent

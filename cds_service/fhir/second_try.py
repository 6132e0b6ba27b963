"""A second try of a query: for what another try can cure, and where it fits the one deadline of the hook (T49, T50).

All queries of a hook only read (GET), so each may be sent twice. The retries of an HTTP library wait as long as the
server says and know nothing of a deadline that several queries share.
"""

import random
import time
from collections.abc import Mapping
from datetime import UTC, datetime
from email.utils import parsedate_to_datetime

from cds_service.fhir.deadline import Deadline, FhirFailure, ServerInTrouble

CURABLE = (429, 502, 503, 504)
"""Too many requests, and what proxies say while a server restarts. 500 is not one: a fault repeats itself."""
PAUSE_SECONDS = (0.1, 0.3)
"""Somewhere between: queries that failed together do not come again together."""


def failure_of(status: int, headers: Mapping[str, str]) -> FhirFailure:
    """What an HTTP status other than 200 means, with the headers of the answer."""
    if status in (401, 403):
        return FhirFailure(f"the FHIR server does not permit it (HTTP {status})", kind="not-permitted")
    said, kind = f"the FHIR server answered HTTP {status}", f"http-{status // 100}xx"
    if status not in CURABLE:
        return ServerInTrouble(said, kind=kind) if status == 500 else FhirFailure(said, kind=kind)
    wait = _seconds(headers.get("Retry-After", ""), headers.get("Date", ""))
    said += "" if wait is None else f" and asks to wait {wait:.0f} s"
    again = (wait or 0) + random.uniform(*PAUSE_SECONDS)  # noqa: S311 - no secret
    return ServerInTrouble(said, again, kind=kind)


def wait_for_second_try(trouble: ServerInTrouble, deadline: Deadline, took: float) -> None:
    """Wait until the query may be sent again. `took`: seconds of the first try, the second may need as long.

    Raises ServerInTrouble when a second try cannot cure it, or would come too late.
    """
    if trouble.again is None:
        raise trouble
    if trouble.again + took >= deadline.left():
        raise ServerInTrouble(f"{trouble}, too late for this call", trouble.again, kind=trouble.kind)
    time.sleep(trouble.again)


def _seconds(retry_after: str, date: str) -> float | None:
    """Retry-After in seconds, given as a number, or as a time by the server's clock; None for what is neither."""
    text = retry_after.strip()
    if text.isascii() and text.isdecimal() and len(text) < 10:
        return float(text)
    wanted, now = _instant(text), _instant(date)
    return None if wanted is None or now is None else max(0.0, (wanted - now).total_seconds())


def _instant(date: str) -> datetime | None:
    try:
        found = parsedate_to_datetime(date)
        return found.replace(tzinfo=found.tzinfo or UTC)
    except (ValueError, OverflowError):
        return None

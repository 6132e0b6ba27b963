"""Lanes: only so many hook calls wait for one FHIR server at once: a slow one leaves threads to the others (T89)."""

from collections.abc import Iterator
from contextlib import contextmanager
from threading import BoundedSemaphore, Lock
from urllib.parse import urlsplit

PATIENCE_SECONDS = 0.2


class Lanes:
    """`width` calls at once for each server. A server is a host and port, so the allow-list bounds their number."""

    def __init__(self, width: int) -> None:
        self._width = width
        self._lock = Lock()
        self._servers: dict[str, BoundedSemaphore] = {}

    @contextmanager
    def enter(self, base: str) -> Iterator[bool]:
        """Within it the call may wait for that server: True. False when its lane stays full."""
        with self._lock:
            lane = self._servers.setdefault(urlsplit(base).netloc.lower(), BoundedSemaphore(self._width))
        free = lane.acquire(timeout=PATIENCE_SECONDS)
        try:
            yield free
        finally:
            if free:
                lane.release()

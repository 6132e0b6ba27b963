"""How many requests are worked on and may wait: more are told at once to come again (T89).

Without a bound every request would wait for all that came before it, until none is answered in time. Health, readiness
and whatever else is no call of a client is never refused.
"""

from threading import BoundedSemaphore, Lock

from flask import Flask, g, request

from cds_service.errors import Overloaded

CALLS = ("/cds-services/", "/smart/")
WAIT_SECONDS = 2.0
"""Longer, and the client has given up meanwhile."""


class Places:
    """Places for calls: so many are worked on at once, so many may wait for a place."""

    def __init__(self, at_once: int, waiting: int, wait_seconds: float = WAIT_SECONDS) -> None:
        self._places = BoundedSemaphore(at_once)
        self._room = at_once + waiting
        self._wait_seconds = wait_seconds
        self._inside = 0
        self._lock = Lock()

    def enter(self) -> bool:
        """Whether there is a place, perhaps after a wait; then `leave` gives it back."""
        with self._lock:
            if self._inside >= self._room:
                return False
            self._inside += 1
        if self._places.acquire(timeout=self._wait_seconds):
            return True
        with self._lock:
            self._inside -= 1
        return False

    def leave(self) -> None:
        """Give the place to the next."""
        self._places.release()
        with self._lock:
            self._inside -= 1


def bound_load(app: Flask, places: Places) -> None:
    """Refuse calls with 503 and Retry-After when there is no place for them."""

    @app.before_request
    def enter() -> None:
        if request.path.startswith(CALLS):
            if not places.enter():
                raise Overloaded("more calls come in than this service can answer: send this one again")
            g.placed = True

    @app.teardown_request
    def leave(_: BaseException | None) -> None:
        if g.pop("placed", False):
            places.leave()

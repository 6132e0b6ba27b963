"""How many calls of one client are answered, so that a busy one does not slow the others down (T95).

Each process counts for itself. The libraries for this need a server of their own, or start a thread for each call.
"""

import time
from collections.abc import Callable
from threading import Lock

MINUTE = 60.0


class Pace:
    """A bucket of as many calls as a minute has, which fills up again evenly."""

    def __init__(self, calls_per_minute: int, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._most = float(calls_per_minute)
        self._left = self._most
        self._at = clock()

    def wait(self) -> float:
        """0 when a call may be answered now, which it then counts; otherwise the seconds until one may."""
        with self._lock:
            now = self._clock()
            self._left = min(self._most, self._left + (now - self._at) * self._most / MINUTE)
            self._at = now
            if self._left < 1:
                return (1 - self._left) * MINUTE / self._most
            self._left -= 1
            return 0.0

"""Work on the database in threads of its own: nobody waits for it longer than a moment, whatever it hangs on (T82).

A database that is down is said to be so by an error; one that hangs (a stopped machine, a lost route, a disk that does
not answer) says nothing at all, and its driver may wait for minutes. After a failure the database is left alone, so
that one caller waits and the others do not.
"""

import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from concurrent.futures import TimeoutError as NotInTime
from contextlib import suppress
from threading import Lock
from typing import TypeVar

from cds_service.errors import StoreUnavailable
from cds_service.store.database import UNREACHABLE

PATIENCE_SECONDS = 1.0
"""What is added at most to the answer of a hook, once."""
AGAIN_SECONDS = 5.0
"""When a caller tries again by itself; whoever delivers the spool tries sooner."""

T = TypeVar("T")


class Patience:
    """The threads for one kind of work, and whether the database was away when it was last tried.

    As many pieces of work as there are threads are under way at once; others wait in the order they came.
    """

    def __init__(self, threads: int, seconds: float, clock: Callable[[], float] = time.monotonic) -> None:
        self._seconds = seconds
        self._clock = clock
        self._threads = ThreadPoolExecutor(threads, thread_name_prefix="store")
        self._lock = Lock()
        self._away = False
        self._again = 0.0

    @property
    def away(self) -> bool:
        """Whether the last try failed."""
        return self._away

    def run(self, work: Callable[[], T], *, at_once: bool = False, seconds: float = 0) -> T:
        """What the work returns. Raises StoreUnavailable when it does, when it takes too long, and while away.

        Work that took too long may still be done. `at_once`: try although the database was away. `seconds`: for work
        that may take longer.
        """
        with self._lock:
            if self._away and not at_once and self._clock() < self._again:
                raise StoreUnavailable(UNREACHABLE)
            if self._away:
                self._again = self._clock() + AGAIN_SECONDS
        try:
            doing = self._threads.submit(work)
        except RuntimeError as error:
            raise StoreUnavailable("the service is ending") from error
        try:
            done = doing.result(max(seconds, self._seconds))
        except (NotInTime, StoreUnavailable) as error:
            doing.cancel()
            with self._lock:
                self._away, self._again = True, self._clock() + AGAIN_SECONDS
            raise StoreUnavailable(UNREACHABLE) from error
        self._away = False
        return done

    def beside(self, work: Callable[[], object]) -> None:
        """Do the work when its turn comes. Nobody waits for it, and nobody is told when it fails."""
        with suppress(RuntimeError):  # the service is ending
            self._threads.submit(work)

    def close(self) -> None:
        """Begin nothing more."""
        self._threads.shutdown(wait=False, cancel_futures=True)

"""A circuit breaker for each FHIR server: one that fails again and again is left alone for a while (T50, T89).

Meanwhile queries fail at once and say why, instead of costing every hook call its whole deadline. Published breakers
either hold one lock during the call, which would put the queries of a hook in a row, or read the clock themselves.
"""

import time
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from math import ceil
from threading import Condition, Lock

from cds_service.fhir.deadline import Deadline, FhirFailure, ServerInTrouble

FAILURES = 8
"""Queries in a row: the four gate queries of two hook calls. A query with its second try counts once."""
OPEN_SECONDS = 10.0
"""A few hook calls of a busy ward; a server that restarts is found again soon after."""
LONGEST_SECONDS = 60.0
"""However much longer the server asks to be left alone."""
SERVERS = 256
"""Callers may name paths below an allowed base: so many are remembered, the one asked least recently is forgotten."""


class Breaker:
    """That of one server: closed, open after failures in a row, then half-open: one query tries whether it answers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._changed = Condition()
        self._failures = 0
        self._open_until = 0.0
        self._probing = False

    @property
    def open(self) -> bool:
        """True while the server is left alone, and until it has answered again."""
        return self._failures >= FAILURES

    @contextmanager
    def asking(self, deadline: Deadline) -> Iterator[None]:
        """Around one query. Raises FhirFailure while open; only ServerInTrouble raised within it is a failure.

        While one query tries, the others wait for what it finds: within their deadline they may then be sent.
        """
        probe = self._enter(deadline)
        rest = 0.0
        try:
            yield
        except ServerInTrouble as trouble:
            rest = min(max(trouble.again or 0.0, OPEN_SECONDS), LONGEST_SECONDS)
            raise
        finally:
            self._leave(probe, rest)

    def _enter(self, deadline: Deadline) -> bool:
        """True for the query that tries whether the server answers again."""
        with self._changed:
            tried = self._changed.wait_for(lambda: not self._probing or self._failures < FAILURES, deadline.left())
            if self._failures < FAILURES:
                return False
            left = self._open_until - self._clock()
            if left <= 0 and tried:
                self._probing = True
                return True
            said = f"the FHIR server failed {self._failures} times in a row, it is "
        said += "being asked again just now" if left <= 0 else f"asked again in {ceil(left)} s"
        raise FhirFailure(said, kind="left-alone")

    def _leave(self, probe: bool, rest: float) -> None:
        """`rest`: seconds for which the server is to be left alone if it is in trouble, 0 when it answered."""
        with self._changed:
            self._probing = self._probing and not probe
            self._failures = self._failures + 1 if rest else 0
            self._open_until = max(self._open_until, self._clock() + rest) if rest else 0.0
            self._changed.notify_all()


class Breakers:
    """The breakers of all servers, by base URL."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._lock = Lock()
        self._known: OrderedDict[str, Breaker] = OrderedDict()

    def of(self, base: str) -> Breaker:
        """The breaker of the server with that base URL, given in one spelling."""
        with self._lock:
            breaker = self._known.setdefault(base, Breaker(self._clock))
            self._known.move_to_end(base)
            if len(self._known) > SERVERS:
                self._known.popitem(last=False)
            return breaker

"""One deadline for all queries of a hook call, and what a query came to that gave no usable answer (T51)."""

import time
from collections.abc import Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import dataclass


class FhirFailure(Exception):
    """A query that gave no usable answer; the message says why, without a URL, an id or a token.

    `kind` is the same in one word, of a small number: metrics count by it.
    """

    def __init__(self, message: str, *, kind: str = "unusable") -> None:
        super().__init__(message)
        self.kind = kind


class ServerInTrouble(FhirFailure):
    """A failure that speaks of the whole server, not of this query.

    `again`: in how many seconds a second try may help, None when it does not.
    """

    def __init__(self, message: str, again: float | None = None, *, kind: str = "in-trouble") -> None:
        super().__init__(message, kind=kind)
        self.again = again


def late() -> ServerInTrouble:
    """The failure of a query that has no time left."""
    return ServerInTrouble("the FHIR server did not answer in time", kind="late")


@dataclass(frozen=True, slots=True)
class Deadline:
    """A point of the monotonic clock by which everything must be done."""

    at: float

    @classmethod
    def after(cls, seconds: float) -> "Deadline":
        """The deadline that many seconds from now."""
        return cls(time.monotonic() + seconds)

    def left(self) -> float:
        """Seconds left, 0 when there are none."""
        return max(0.0, self.at - time.monotonic())

    def remaining(self) -> float:
        """Seconds left. Raises ServerInTrouble when there are none."""
        left = self.left()
        if not left:
            raise late()
        return left


DEADLINE: ContextVar[Deadline | None] = ContextVar("deadline", default=None)
"""That of the query which this thread is at."""


@contextmanager
def ending_by(deadline: Deadline) -> Iterator[None]:
    """Within it, no answer that this thread receives is read past the deadline."""
    token = DEADLINE.set(deadline)
    try:
        yield
    finally:
        DEADLINE.reset(token)

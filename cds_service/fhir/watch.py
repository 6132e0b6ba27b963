"""Who watches a hook call from outside: here nobody. What runs the service puts its metrics and traces here."""

from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager, nullcontext

from cds_service.fhir.breaker import Breaker


class Watch:
    """Told of every step in plain values of bounded number: never an id, a code of the chart, a URL or a token."""

    def stage(self, name: str, of: str = "") -> AbstractContextManager[None]:
        """Around one step of a call; `of` is the key of the need that the step is about."""
        return nullcontext()

    @contextmanager
    def asking(self, base: str, breaker: Breaker) -> Iterator[None]:
        """Around one query to a FHIR server; a FhirFailure that passes through says by its `kind` what went wrong."""
        yield

    def need(self, key: str, how: str) -> None:
        """One need was supplied: `prefetch` or `fetched`, or the kind of failure that left it incomplete."""

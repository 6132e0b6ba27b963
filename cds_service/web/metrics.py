"""The metrics: what Prometheus reads at GET /metrics. docs/monitoring.md lists them, with the alerts to set.

Every label is one of a number known beforehand: services, needs, grades, words of this program, clients and servers of
the settings; and of codes that no table knows, the first hundred. None is a patient, a user or a card (T11).
"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from functools import cache

from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Counter, Gauge, Histogram, generate_latest
from prometheus_client.multiprocess import MultiProcessCollector

from cds_service.store.records import Firing
from cds_service.web.firing import FiringRates
from cds_service.web.metrics_folder import metrics_are_shared

SECONDS = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2, 4, 8, 30)
AGES = (-60, -30, -5, 0, 5, 30, 60, 300, 3600)
"""Of tokens: below 0 the clock of the client is ahead; at -60 it is refused."""
MOST_CODES = 100
"""Different codes that a process counts by themselves: a label is one of a number that is known."""


class Metrics:
    """The metrics of one process, or its part of those of all workers. Made after the fork.

    One with labels is called with their values: what counts for these is made once.
    """

    content_type = CONTENT_TYPE_LATEST

    def __init__(self) -> None:
        self._codes: set[tuple[str, str]] = set()
        self.registry = CollectorRegistry()
        self.requests = self._counter(
            "requests", "Requests, by how they ended", "route", "service", "client", "outcome"
        )
        self.request_seconds = self._seconds("request_seconds", "Time to answer a request", "route", "service")
        self.answers = self._counter("answers", "Answers of services, by what was shown", "service", "client", "shown")
        self.grades = self._counter("grades", "Answers of services, by grade", "service", "client", "grade")
        self.tokens_refused = self._counter(
            "tokens_refused", "Tokens and keys of callers that were refused, by why", "reason"
        )
        self.token_age_seconds = self._seconds(
            "token_age_seconds", "How long ago its client made a token, by both clocks", "client", buckets=AGES
        )
        self.unused = self._counter("unused", "Resources that were not used, by why", "client", "cause")
        self.unrecognised = self._counter(
            "unrecognised", "Codes that no table knows and that may matter", "client", "system", "code"
        )
        self.needs = self._counter(
            "needs", "Needs of answers, by where they came from or why they failed", "need", "how"
        )
        self.fhir_seconds = self._seconds("fhir_seconds", "Time of a query to a FHIR server", "server", "result")
        left_alone = Gauge(
            "crs_cds_fhir_server_left_alone",
            "Workers that leave a FHIR server alone because it failed again and again",
            ("server",),
            registry=self.registry,
            multiprocess_mode="livesum",
        )
        self.left_alone = cache(left_alone.labels)
        self.stage_seconds = self._seconds("stage_seconds", "Time of one step of an answer", "stage")
        self.store_backlog_bytes = self._gauge("store_backlog_bytes", "Records that wait for the store")
        self.store_refused_bytes = self._gauge("store_refused_bytes", "Records put aside, for a person to look at")
        self.store_away = self._gauge("store_away", "1 while the store cannot be read or written, else 0")
        self.records_lost = Counter(
            "crs_cds_records_lost", "Records of answers that could be kept nowhere", registry=self.registry
        )
        self.state_free_bytes = self._gauge("state_free_bytes", "Free space where the state folder lies")

    def count_unrecognised(self, client: str, codes: Mapping[tuple[str, str], int]) -> None:
        """Count codes of the chart: the first MOST_CODES by themselves, the others together (T69)."""
        for code, times in codes.items():
            if code in self._codes or len(self._codes) < MOST_CODES:
                self._codes.add(code)
                self.unrecognised(client, *code).inc(times)
            else:
                self.unrecognised(client, "", "others").inc(times)

    def exposition(self, firing: Iterable[Firing] = ()) -> bytes:
        """All metrics in the text format, added up over the workers, and what was counted in the store."""
        counted = CollectorRegistry()
        counted.register(FiringRates(firing))
        if not metrics_are_shared():
            return generate_latest(self.registry) + generate_latest(counted)
        MultiProcessCollector(counted)  # type: ignore[no-untyped-call]
        return generate_latest(counted)

    def _counter(self, name: str, what: str, *labels: str) -> Callable[..., Counter]:
        return cache(Counter(f"crs_cds_{name}", what, labels, registry=self.registry).labels)

    def _seconds(
        self, name: str, what: str, *labels: str, buckets: Sequence[float] = SECONDS
    ) -> Callable[..., Histogram]:
        return cache(Histogram(f"crs_cds_{name}", what, labels, buckets=buckets, registry=self.registry).labels)

    def _gauge(self, name: str, what: str) -> Gauge:
        return Gauge(f"crs_cds_{name}", what, registry=self.registry, multiprocess_mode="mostrecent")

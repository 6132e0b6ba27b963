"""How often cards came in the last hour: counted in the store when Prometheus asks, so that it is right over workers,
restarts and machines (T96).
"""

from collections.abc import Iterable, Iterator

from prometheus_client.core import GaugeMetricFamily, Metric
from prometheus_client.registry import Collector

from cds_service.store.records import Firing

LABELS = ("service", "client")


class FiringRates(Collector):
    """The gauges of these counts. A share is given only where it is one of something."""

    def __init__(self, counted: Iterable[Firing]) -> None:
        self._counted = counted

    def collect(self) -> Iterator[Metric]:
        """The gauges, each with a sample for each service and client."""
        answers = GaugeMetricFamily("crs_cds_answers_last_hour", "Answers of the last hour", labels=LABELS)
        eligible = GaugeMetricFamily(
            "crs_cds_eligible_answers_last_hour", "Those of them for eligible patients", labels=LABELS
        )
        ratio = GaugeMetricFamily("crs_cds_firing_ratio", "Share of these that showed a card", labels=LABELS)
        for one in self._counted:
            of = (one.service, one.client)
            answers.add_metric(of, one.answers)
            eligible.add_metric(of, one.eligible)
            if one.eligible:
                ratio.add_metric(of, one.shown / one.eligible)
        yield from (answers, eligible, ratio)

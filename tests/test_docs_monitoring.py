"""docs/monitoring.md names every metric as it is, every member of the log, and alerts on metrics that exist."""

import re
from typing import Any

from prometheus_client.core import GaugeMetricFamily

from cds_service.web.firing import FiringRates
from cds_service.web.logs import ALLOWED
from cds_service.web.metrics import Metrics
from tests.server import ROOT

TEXT = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8")
SUFFIX = {"counter": "_total", "histogram": "", "gauge": ""}


def rows() -> list[tuple[str, str, str, str]]:
    """The metrics as the table has them: name, type, labels, meaning."""
    found = re.findall(r"^\| `(crs_cds_\w+)` \| (\w+) \| (.*?) ?\| (.+) \|$", TEXT, re.MULTILINE)
    return [(name, kind, labels, meaning) for name, kind, labels, meaning in found]


def test_the_table_names_every_metric_with_its_type_labels_and_meaning() -> None:
    measured: list[Any] = list(Metrics().registry._collector_to_names)
    assert measured
    known = [(metric._name, metric._type, metric._labelnames, metric._documentation) for metric in measured]
    for family in FiringRates(()).collect():
        assert isinstance(family, GaugeMetricFamily)
        known.append((family.name, family.type, family._labelnames, family.documentation))
    assert rows() == [
        (f"{name}{SUFFIX[kind]}", kind, ", ".join(f"`{label}`" for label in labels), meaning)
        for name, kind, labels, meaning in known
    ]


def test_every_alert_is_on_a_metric_and_label_that_exist() -> None:
    labels = {name: re.findall(r"`(\w+)`", of) for name, _, of, _ in rows()}
    rules = TEXT.partition("```yaml")[2].partition("```")[0]
    used = re.findall(r"(crs_cds_\w+)(?:\{([^}]*)\})?", rules)
    assert len(used) >= 12
    for name, selected in used:
        metric = name.removesuffix("_bucket")
        assert metric in labels, name
        of = {*labels[metric]} | ({"le"} if name != metric else set())
        assert {pair.partition("=")[0].strip().rstrip("!") for pair in selected.split(",") if pair} <= of


def test_the_page_names_every_member_of_the_log() -> None:
    named = set(re.findall(r"`(\w+)`", TEXT.partition("## Log")[2]))
    assert ALLOWED - {"event", "level", "timestamp"} <= named

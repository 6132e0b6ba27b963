"""Traces, where they are switched on: a span by hand for each step, with a name and times and nothing else (T11).

Instrumentation of libraries would put the addresses of FHIR queries on spans, which hold the patient's id.
"""

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from cds_service.errors import InvalidSettings
from cds_service.web.observing import Spans

try:
    from opentelemetry.exporter.otlp.proto.http.trace_exporter import OTLPSpanExporter
    from opentelemetry.sdk.resources import Resource
    from opentelemetry.sdk.trace import TracerProvider
    from opentelemetry.sdk.trace.export import BatchSpanProcessor
except ImportError as missing:
    raise InvalidSettings('CRS_CDS_TRACING is set and needs: pip install "crs-cds-hooks[tracing]"') from missing


def spans_by(processor: Any) -> Spans:
    """Spans that a processor of OpenTelemetry takes; those of one request hang together, also in other threads."""
    provider = TracerProvider(resource=Resource({"service.name": "crs-cds"}))
    provider.add_span_processor(processor)
    tracer = provider.get_tracer("crs-cds")

    @contextmanager
    def span(name: str, of: str) -> Iterator[None]:
        whole = f"{name} {of}".strip()
        with tracer.start_as_current_span(whole, record_exception=False, set_status_on_exception=False):
            yield

    return span


def exported_spans() -> Spans:
    """Spans that are sent over OTLP to where its own variables say, by a thread of this process."""
    return spans_by(BatchSpanProcessor(OTLPSpanExporter()))

"""Spans: one for each step, hanging together across threads, and nothing on them but names and times (T11)."""

import pytest
from opentelemetry.sdk.trace.export import SimpleSpanProcessor
from opentelemetry.sdk.trace.export.in_memory_span_exporter import InMemorySpanExporter

from cds_service.web import tracing
from tests.answers import PATIENT, SERVICE
from tests.conftest import MakeApp
from tests.server import Fhir, hook_call


def test_t11_spans_tell_the_steps_of_a_request_and_nothing_of_the_patient(
    make_app: MakeApp, fhir: Fhir, monkeypatch: pytest.MonkeyPatch
) -> None:
    kept = InMemorySpanExporter()
    monkeypatch.setattr(tracing, "exported_spans", lambda: tracing.spans_by(SimpleSpanProcessor(kept)))
    fhir.faults["AllergyIntolerance"] = ("500 Oops", "text/plain", PATIENT)
    client = make_app(fhir_servers=fhir.base, tracing=True)
    assert client.post(SERVICE, json=hook_call(PATIENT, fhirServer=fhir.base)).status_code == 200
    spans = kept.get_finished_spans()
    names = [span.name for span in spans]
    assert {"request call", "gather", "need temperature", "need allergies", "read", "assess", "cards", "store"} <= {
        *names
    }
    assert len({span.context.trace_id for span in spans}) == 1
    assert [span.name for span in spans if span.parent is None] == ["request call"]
    for span in spans:
        assert not span.attributes
        assert not span.events
        assert not span.status.description
    assert PATIENT not in "".join(span.to_json() for span in spans)


def test_nothing_is_traced_unless_it_is_asked_for(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(tracing, "exported_spans", lambda: pytest.fail("it was not asked for"))
    assert make_app().get("/healthz").status_code == 200

"""Sound calls: the context of each hook of the library, an invented draft order, and the prefetch of a FHIR server."""

import json
import re
import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote

from cds_service.conformance.trial.wire import OutOfTime, Unanswered, Unreachable, Wire
from cds_service.errors import InvalidInput

Json = dict[str, Any]
USER, ENCOUNTER, DRAFT = "Practitioner/conformance-test", "conformance-encounter", "conformance-draft"
NOBODY = "conformance-patient"
"""The patient of a test that was given none."""


@dataclass(frozen=True, slots=True)
class Patient:
    """Whom the calls are about, and the FHIR server that holds the record, if there is one."""

    id: str
    fhir: str | None = None


def context(hook: str, patient: Patient) -> Json | None:
    """The context of a hook of the library, with what is required and no more; None for a hook of nobody's library."""
    person: Json = {"userId": USER, "patientId": patient.id}
    drafts = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": _draft(patient)}]}
    meeting = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": _appointment(patient)}]}
    contexts: dict[str, Json] = {
        "patient-view": person,
        "order-select": person | {"selections": [f"MedicationRequest/{DRAFT}"], "draftOrders": drafts},
        "order-sign": person | {"draftOrders": drafts},
        "order-dispatch": {
            "patientId": patient.id,
            "dispatchedOrders": ["ServiceRequest/conformance-order"],
            "performer": "Organization/conformance-performer",
        },
        "encounter-start": person | {"encounterId": ENCOUNTER},
        "encounter-discharge": person | {"encounterId": ENCOUNTER},
        "appointment-book": person | {"appointments": meeting},
    }
    return contexts.get(hook)


def _draft(patient: Patient) -> Json:
    return {
        "resourceType": "MedicationRequest",
        "id": DRAFT,
        "status": "draft",
        "intent": "order",
        "medicationCodeableConcept": {"text": "invented medicine of a conformance test"},
        "subject": {"reference": f"Patient/{patient.id}"},
    }


def _appointment(patient: Patient) -> Json:
    return {
        "resourceType": "Appointment",
        "id": "conformance-appointment",
        "status": "proposed",
        "participant": [{"actor": {"reference": f"Patient/{patient.id}"}, "status": "needs-action"}],
    }


def draft_ids(called: Json) -> list[str]:
    """The `Type/id` of the draft orders in a context."""
    entries = called.get("draftOrders", {}).get("entry", [])
    return [f"{entry['resource']['resourceType']}/{entry['resource']['id']}" for entry in entries]


def call(hook: str, called: Json, patient: Patient, prefetch: Json | None) -> Json:
    """A call of a hook, of an instance of its own; without `prefetch` when there is none."""
    body: Json = {"hook": hook, "hookInstance": str(uuid.uuid4()), "context": called}
    if patient.fhir is not None:
        body["fhirServer"] = patient.fhir
    return body if prefetch is None else body | {"prefetch": prefetch}


def nulls(templates: Mapping[str, str]) -> Json:
    """A prefetch that says of everything that there is nothing."""
    return dict.fromkeys(templates)


def empty(templates: Mapping[str, str]) -> Json:
    """The same with an empty searchset for each search."""
    found = {"resourceType": "Bundle", "type": "searchset", "total": 0}
    return {key: found if "?" in template else None for key, template in templates.items()}


def outcomes(templates: Mapping[str, str]) -> Json:
    """A prefetch of which every query failed."""
    issue = {"severity": "error", "code": "exception", "details": {"text": "the query failed"}}
    return {key: {"resourceType": "OperationOutcome", "issue": [issue]} for key in templates}


def read(wire: Wire, fhir: str, query: str) -> Any:
    """What the FHIR server answers to a query, None when it gives nothing. Raises InvalidInput when it is not there."""
    try:
        reply = wire.get(f"{fhir}/{query}", {"Accept": "application/fhir+json"})
        return json.loads(reply.body) if reply.status == 200 else None
    except Unreachable as error:
        raise InvalidInput(f"--fhir {fhir}: {error}") from error
    except OutOfTime:
        raise
    except (Unanswered, ValueError, RecursionError):
        return None


def query(template: str, called: Json) -> str | None:
    """The query of a template, None when a token has no value."""
    kind, _, user = str(called.get("userId", "")).partition("/")
    known = {f"context.{name}": value for name, value in called.items() if isinstance(value, str)}
    known[f"user{kind}Id"] = user
    tokens = re.findall(r"\{\{(.*?)\}\}", template)
    if any(token not in known for token in tokens):
        return None
    return re.sub(r"\{\{(.*?)\}\}", lambda token: quote(known[token[1]], safe="/"), template)

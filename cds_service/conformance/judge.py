"""An independent judge of the bodies of a CDS service: written from CDS Hooks 2.0.1, not from the code under test.

`discovery_faults`, `response_faults`, `assessment_faults` and `operation_outcome_faults` return every fault of a body
(none: it is fine); `check_discovery`, `check` and `check_operation_outcome` raise AssertionError with all of them.

A rule has the id of the project's own rule lists: D- discovery, P- prefetch, S- response, C- cards, G- JSON, X-
extensions, H- errors, A- access, N- what must never be suggested, cds-resp- the invariants of HL7's logical model.
Rules without an id there have a name: `order-*`, `assessment-*`, `grade-card`, `indicator-by-grade`, `silence` and
`max-cards`. `rules.toml` lists them all, with those that are this service's own.
"""

from collections.abc import Collection
from typing import Any

from cds_service.conformance.assessment import judge_assessment
from cds_service.conformance.call import Call
from cds_service.conformance.discovery import judge_discovery
from cds_service.conformance.faults import Fault, Faults
from cds_service.conformance.outcome import judge_outcome
from cds_service.conformance.response import judge_response


def discovery_faults(body: Any) -> list[Fault]:
    """Judge the body of `GET /cds-services` (D-, P- and G- rules)."""
    out = Faults()
    judge_discovery(out, body)
    return list(out)


def response_faults(
    body: Any,
    *,
    patient_id: str,
    encounter_id: str | None = None,
    draft_ids: Collection[str] = (),
    intent: str | None = "proposal",
    selection: str | None = "any",
) -> list[Fault]:
    """Judge a 200 answer to a hook call; `draft_ids` are the `Type/id` of the call's draft orders.

    `selection` is the selectionBehavior that the client takes, `intent` that of orders; None: any the rules allow.
    """
    out = Faults()
    judge_response(out, body, Call(patient_id, encounter_id, frozenset(draft_ids), intent, selection))
    return list(out)


def assessment_faults(body: Any, *, hook: str = "patient-view") -> list[Fault]:
    """Judge the assessment in a 200 answer, and whether the cards say what it says.

    The cards of `order-select` and `order-sign` are about orders: they may stand without a grade, and a graded patient
    may have none.
    """
    out = Faults()
    judge_assessment(out, body, hook)
    return list(out)


def operation_outcome_faults(body: Any) -> list[Fault]:
    """Judge the body of a non-2xx answer of a CDS endpoint (H-4, H-7)."""
    out = Faults()
    judge_outcome(out, body)
    return list(out)


def check(
    body: Any,
    *,
    patient_id: str,
    encounter_id: str | None = None,
    draft_ids: Collection[str] = (),
    intent: str = "proposal",
    selection: str = "any",
    hook: str = "patient-view",
) -> None:
    """Raise AssertionError with every fault of a 200 answer to a hook call, its assessment included."""
    faults = response_faults(
        body,
        patient_id=patient_id,
        encounter_id=encounter_id,
        draft_ids=draft_ids,
        intent=intent,
        selection=selection,
    )
    _raise(faults + assessment_faults(body, hook=hook))


def check_discovery(body: Any) -> None:
    """Raise AssertionError with every fault of a discovery body."""
    _raise(discovery_faults(body))


def check_operation_outcome(body: Any) -> None:
    """Raise AssertionError with every fault of an error body."""
    _raise(operation_outcome_faults(body))


def _raise(faults: list[Fault]) -> None:
    if faults:
        raise AssertionError("\n".join([f"{len(faults)} fault(s):", *(f"  {fault}" for fault in faults)]))

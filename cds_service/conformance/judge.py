"""An independent judge of the bodies of a CDS service: written from CDS Hooks 2.0.1, not from the code under test.

`discovery_faults`, `response_faults`, `assessment_faults` and `operation_outcome_faults` return every fault of a body
(none: it is fine); `check_discovery`, `check` and `check_operation_outcome` raise AssertionError with all of them.

A rule has the id of the project's own rule lists: D- discovery, P- prefetch, S- response, C- cards, G- JSON, X-
extensions, H- errors, A- access, N- what must never be suggested, cds-resp- the invariants of HL7's logical model.
Rules without an id there have a name: `order-*`, `assessment-*`, `grade-card`, `indicator-by-grade`, `silence` and
`max-cards`. `rules.toml` lists them all, with those that are this service's own.
"""

from collections.abc import Callable
from typing import Any, Concatenate, ParamSpec

from cds_service.conformance.assessment import judge_assessment
from cds_service.conformance.call import Call
from cds_service.conformance.discovery import judge_discovery
from cds_service.conformance.faults import Fault, Faults
from cds_service.conformance.outcome import judge_outcome
from cds_service.conformance.response import judge_response

P = ParamSpec("P")


def discovery_faults(body: Any) -> list[Fault]:
    """Judge the body of `GET /cds-services` (D-, P- and G- rules)."""
    return _judged(judge_discovery, body)


def response_faults(body: Any, call: Call) -> list[Fault]:
    """Judge a 200 answer to a hook call."""
    return _judged(judge_response, body, call)


def assessment_faults(body: Any, *, hook: str = "patient-view") -> list[Fault]:
    """Judge the assessment in a 200 answer, and whether the cards say what it says.

    The cards of `order-select` and `order-sign` are about orders: they may stand without a grade, and a graded patient
    may have none.
    """
    return _judged(judge_assessment, body, hook)


def operation_outcome_faults(body: Any) -> list[Fault]:
    """Judge the body of a non-2xx answer of a CDS endpoint (H-4, H-7)."""
    return _judged(judge_outcome, body)


def check(body: Any, *, hook: str = "patient-view", **call: Any) -> None:
    """Raise AssertionError with every fault of a 200 answer to a `Call` and of its assessment."""
    _raise(response_faults(body, Call(**call)) + assessment_faults(body, hook=hook))


def check_discovery(body: Any) -> None:
    """Raise AssertionError with every fault of a discovery body."""
    _raise(discovery_faults(body))


def check_operation_outcome(body: Any) -> None:
    """Raise AssertionError with every fault of an error body."""
    _raise(operation_outcome_faults(body))


def _judged(judge: Callable[Concatenate[Faults, P], None], *given: P.args, **named: P.kwargs) -> list[Fault]:
    faults = Faults()
    judge(faults, *given, **named)
    return list(faults)


def _raise(faults: list[Fault]) -> None:
    if faults:
        raise AssertionError("\n".join([f"{len(faults)} fault(s):", *(f"  {fault}" for fault in faults)]))

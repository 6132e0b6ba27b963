"""The rules of the body of an error: an OperationOutcome that says what is wrong and nothing more (H-4, H-7, A-6)."""

import re
from typing import Any

from cds_service.conformance.faults import Faults, at, names
from cds_service.conformance.r4 import RESOURCE

_SEVERITY = frozenset({"fatal", "error", "warning", "information"})
_ISSUE_TYPES = names("""
    invalid structure required value invariant security login unknown expired forbidden suppressed processing
    not-supported duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly business-rule
    conflict transient lock-error no-store exception timeout incomplete throttled informational
""")


def judge_outcome(out: Faults, body: Any) -> None:
    """Judge the body of an answer that is no 2xx."""
    if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
        out.add("H-4", "", "must be an OperationOutcome")
        return
    out.members(body, "", {"issue": "H-4"}, RESOURCE, unknown="G-5")
    out.json(body)
    issues = out.objects(body, "issue", "", "H-4")
    for path, issue in issues:
        _issue(out, issue, path)
    if issues and not any(issue.get("severity") in ("fatal", "error", None) for _, issue in issues):
        out.add("H-4", "issue", "no issue is an error, but the answer is")
    words = str(body)
    if re.search(r"Traceback|File \"|, line \d+, in ", words):
        out.add("H-7", "issue", "shows a stack trace")
    if re.search(r"(?<![\w-])eyJ[\w-]{10,}\.|[Bb]earer [\w.-]{20,}", words):
        out.add("A-6", "issue", "shows a token")


def _issue(out: Faults, issue: dict[str, Any], path: str) -> None:
    names = ("id", "details", "diagnostics", "location", "expression")
    out.members(issue, path, {"severity": "H-4", "code": "H-4"}, names, unknown="G-5")
    out.one_of(issue, "severity", path, "H-4", _SEVERITY)
    out.one_of(issue, "code", path, "H-4", _ISSUE_TYPES)
    out.texts(issue, "expression", path, "G-5")
    details = out.object(issue, "details", path, "H-4") or {}
    out.members(details, at(path, "details"), {}, ("id", "coding", "text"), unknown="G-5")
    out.text(details, "text", at(path, "details"), "H-4")
    out.text(issue, "diagnostics", path, "H-4", lines="\n")
    if "text" not in details and "diagnostics" not in issue:
        out.add("H-4", path, "says nothing: give details.text or diagnostics")

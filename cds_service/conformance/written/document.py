"""The result of a test as JSON, and as what the other forms are made from."""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from cds_service.conformance.results import Outcome, Result, Results, count


@dataclass(frozen=True, slots=True)
class Report:
    """What was tested and what was found. The rules of this service alone stand apart."""

    url: str
    started: str
    version: str
    notes: Sequence[str]
    standard: Sequence[Result]
    own: Sequence[Result]

    @classmethod
    def of(cls, results: Results, url: str, started: str, version: str) -> "Report":
        """The report of a test that has ended; its own rules are left out when none applied."""
        found = results.of_rules()
        own = [result for result in found if result.rule.own]
        if all(result.outcome is Outcome.NOT_APPLICABLE for result in own):
            own = []
        return cls(url, started, version, results.notes, [one for one in found if not one.rule.own], own)

    @property
    def failed(self) -> bool:
        """Whether a SHALL is broken."""
        return any(result.outcome is Outcome.FAILED for result in (*self.standard, *self.own))

    @property
    def groups(self) -> list[tuple[str, Sequence[Result]]]:
        """The results under their headings, without an empty group."""
        named = [("CDS Hooks 2.0.1", self.standard), ("Rules of the CRS service alone", self.own)]
        return [(title, results) for title, results in named if results]


def as_json(report: Report) -> dict[str, Any]:
    """The report for machines."""
    return {
        "url": report.url,
        "started": report.started,
        "version": report.version,
        "conformant": not report.failed,
        "notes": list(report.notes),
        "groups": [
            {"title": title, "count": dict(count(results)), "rules": [_rule(result) for result in results]}
            for title, results in report.groups
        ],
    }


def _rule(result: Result) -> dict[str, Any]:
    rule = result.rule
    seen = [{"where": one.where, "message": one.message, "level": one.level} for one in result.findings]
    return {
        "rule": rule.id,
        "level": rule.level,
        "says": rule.says,
        "result": result.outcome,
        "seen": seen,
        "notShown": result.others,
    }

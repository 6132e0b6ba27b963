"""What a test has found: each rule passed, failed, warned of, or not applicable. Holds neither calls nor answers."""

import re
import unicodedata
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from enum import StrEnum

from cds_service.conformance.faults import Fault, Level
from cds_service.conformance.rules import RULES, Rule

LONGEST = 300
"""Characters of a message that are kept: it may quote what a service sent."""
MOST = 10
"""Findings that are kept for one rule; the others are counted."""


class Outcome(StrEnum):
    """What became of a rule."""

    PASSED = "passed"
    FAILED = "failed"
    WARNING = "warning"
    NOT_APPLICABLE = "not applicable"


@dataclass(frozen=True, slots=True)
class Finding:
    """Something that breaks a rule, and where it was seen."""

    where: str
    message: str
    level: Level


@dataclass(frozen=True, slots=True)
class Result:
    """One rule and what became of it; `others` more findings were not kept."""

    rule: Rule
    outcome: Outcome
    findings: tuple[Finding, ...]
    others: int = 0


@dataclass
class Results:
    """Collects what is found while a test runs. `secret`, the id of a patient, is never kept."""

    secret: str
    notes: list[str] = field(default_factory=list)
    _met: set[str] = field(default_factory=set)
    _findings: dict[str, list[Finding]] = field(default_factory=dict)
    _count: dict[str, int] = field(default_factory=dict)

    def met(self, *parts: str) -> None:
        """These parts of the conversation took place, so their rules apply."""
        self._met.update(parts)

    def has_met(self, part: str) -> bool:
        """Whether a part of the conversation took place."""
        return part in self._met

    def found(self, rule: str, where: str, message: str, level: Level = Level.SHALL) -> None:
        """A rule is broken: by what is found here, and never more than the rule binds."""
        if RULES[rule].level is Level.SHOULD:
            level = Level.SHOULD
        kept = self._findings.setdefault(rule, [])
        finding = Finding(self._plain(where), self._plain(message), level)
        if finding in kept:
            return
        self._count[rule] = self._count.get(rule, 0) + 1
        kept.append(finding)
        kept.sort(key=lambda one: one.level is Level.SHOULD)  # what fails is kept before what warns
        del kept[MOST:]

    def judged(self, where: str, faults: Iterable[Fault], *, own: bool = False) -> None:
        """The faults of a body; those of this service's own rules count only for this service."""
        for fault in faults:
            if own or not RULES[fault.rule].own:
                place = f"{where}: {fault.path}" if fault.path else where
                self.found(fault.rule, place, fault.message, fault.level)

    def note(self, words: str) -> None:
        """Something the reader should know that is no finding; said once."""
        words = self._plain(words)
        if words not in self.notes:
            self.notes.append(words)

    def of_rules(self) -> list[Result]:
        """Every rule with its outcome, in the order of the rules."""
        return [self._result(rule) for rule in RULES.values()]

    def _result(self, rule: Rule) -> Result:
        findings = tuple(self._findings.get(rule.id, ()))
        if any(finding.level is Level.SHALL for finding in findings):
            outcome = Outcome.FAILED
        elif findings:
            outcome = Outcome.WARNING
        else:
            outcome = Outcome.PASSED if rule.part in self._met else Outcome.NOT_APPLICABLE
        return Result(rule, outcome, findings, self._count.get(rule.id, 0) - len(findings))

    def _plain(self, text: str) -> str:
        """A text of the service under test, fit for any report: short, one line, without control characters."""
        text = re.sub(rf"(?<![\w.-]){re.escape(self.secret)}(?![\w-])", "[patient]", text) if self.secret else text
        text = "".join(c if unicodedata.category(c)[0] != "C" else "\ufffd" for c in text[: LONGEST + 1])
        return text if len(text) <= LONGEST else f"{text[:LONGEST]}…"


def count(results: Iterable[Result]) -> Mapping[Outcome, int]:
    """How many rules came to each outcome."""
    outcomes = [result.outcome for result in results]
    return {outcome: outcomes.count(outcome) for outcome in Outcome}

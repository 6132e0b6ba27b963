"""What a review consists of: remarks with their severity, and drafts that put the order right."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import IntEnum

from cds_service.crs.sentences import Line, Say
from cds_service.crs.session import SessionOrder
from cds_service.crs.treatment import Draft


class Severity(IntEnum):
    """How a remark is shown (clinical 7.3); critical may stop an EHR, so it is kept to few."""

    INFO = 0
    WARNING = 1
    CRITICAL = 2


@dataclass(frozen=True, slots=True)
class Remark:
    """One thing to know of an order."""

    severity: Severity
    line: Line


@dataclass(frozen=True, slots=True, kw_only=True)
class Review:
    """An order with its remarks, the worst first. `correction` replaces it, `additions` stand beside it."""

    order: SessionOrder
    remarks: tuple[Remark, ...]
    correction: Draft | None = None
    additions: tuple[Draft, ...] = ()

    @property
    def severity(self) -> Severity:
        """That of the worst remark."""
        return self.remarks[0].severity


def remark(severity: Severity, say: Say, values: Mapping[str, object] | None = None) -> Remark:
    """A remark from its sentence and values."""
    return Remark(severity, Line(say, values or {}))


def worst_first(remarks: list[Remark]) -> tuple[Remark, ...]:
    """In the order of severity, else as they came."""
    return tuple(sorted(remarks, key=lambda item: -item.severity))

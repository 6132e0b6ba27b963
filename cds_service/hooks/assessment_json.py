"""The machine-readable assessment in every answer: `extension["org.crs-cds.assessment"]`."""

from collections.abc import Mapping
from datetime import UTC, datetime
from typing import Any

from cds_service.crs.assessment import Assessment, Episode, Finding, State

EXTENSION = "org.crs-cds.assessment"


def assessment_json(assessment: Assessment, knowledge: Mapping[str, str]) -> dict[str, Any]:
    """The assessment as JSON; members without a value are left out, except `grade`, which may be null."""
    content: dict[str, Any] = {
        "status": assessment.status.value,
        "grade": assessment.grade,
        "asOf": instant(assessment.as_of),
    }
    if assessment.episode is not None:
        content["episode"] = _episode(assessment.episode)
    content["findings"] = [_finding(finding) for finding in assessment.findings]
    content["missing"] = [*assessment.missing, *_in_doubt(assessment)]
    content["unused"] = [{"reference": item.reference, "reason": item.reason} for item in assessment.unused]
    content["protocol"] = dict(knowledge)
    return content


def instant(time: datetime) -> str:
    """RFC 3339 in UTC."""
    return time.astimezone(UTC).isoformat(timespec="seconds").replace("+00:00", "Z")


def _in_doubt(assessment: Assessment) -> list[str]:
    """Why a criterion is not known although nothing is missing, e.g. a fever that may be masked."""
    unknown = (finding for finding in assessment.findings if finding.state is State.UNKNOWN and not finding.missing)
    return [words for finding in unknown for words in finding.doubts]


def _episode(episode: Episode) -> dict[str, Any]:
    content: dict[str, Any] = {"state": episode.state.value}
    if episode.onset is not None:
        content["onset"] = instant(episode.onset)
    if episode.peak_grade is not None:
        content["peakGrade"] = episode.peak_grade
    return content


def _finding(finding: Finding) -> dict[str, Any]:
    content: dict[str, Any] = {"criterion": finding.criterion.value, "state": finding.state.value}
    if finding.grade is not None:
        content["grade"] = finding.grade
    if finding.evidence:
        content["evidence"] = [
            {"reference": item.reference, "display": item.display, "time": instant(item.time)}
            for item in finding.evidence
        ]
    return content

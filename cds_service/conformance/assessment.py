"""The rules of the assessment that this service gives with its answers, and whether the cards say the same."""

import re
from datetime import datetime, timedelta
from typing import Any

from cds_service.conformance.faults import Faults, at

ASSESSMENT = "org.crs-cds.assessment"

_GRADES = {
    "graded": (1, 2, 3, 4),
    "provisional": (1, 2, 3, 4, None),
    "no-crs": (0,),
    "not-eligible": (None,),
    "indeterminate": (None,),
}
_SEVERITIES = {"fever": (1,), "hypotension": (2, 3, 4), "hypoxia": (2, 3, 4)}
_EPISODES = ("closed", "open", "waived", "masked-onset", "resolved")
_SKEW = timedelta(minutes=5)


def judge_assessment(out: Faults, body: Any, hook: str) -> None:
    """Judge the assessment of an answer to a call of `hook`."""
    extension = body.get("extension") if isinstance(body, dict) else None
    assessment = extension.get(ASSESSMENT) if isinstance(extension, dict) else None
    if not isinstance(assessment, dict):
        out.add("assessment-present", "extension", f"every 200 answer carries {ASSESSMENT!r}")
        return
    path, status = at("extension", ASSESSMENT), assessment.get("status")
    always = ["status", "grade", "asOf", "protocol"]
    if status in ("graded", "provisional", "no-crs"):
        always.append("episode")
    required = dict.fromkeys(always, "assessment-members")
    out.members(
        assessment, path, required, ("episode", "findings", "missing", "unused", "suppressed"), "assessment-members"
    )
    out.one_of(assessment, "status", path, "assessment-status", _GRADES)
    now = out.instant(assessment, "asOf", path, "assessment-time")
    _grade_agrees(out, assessment, path)
    _episode(out, assessment, path, now)
    _findings(out, assessment, path, now)
    _unknowns(out, assessment, path)
    _knowledge(out, assessment, path)
    cards = body.get("cards")
    if isinstance(cards, list) and _is_grade(assessment.get("grade", "")):
        _cards_agree(out, assessment, [card for card in cards if isinstance(card, dict)], hook)


def _is_grade(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value <= 4)


def _states(assessment: dict[str, Any]) -> dict[str, Any]:
    """The state of each criterion, as far as it can be read."""
    findings = assessment.get("findings")
    readable = [f for f in findings if isinstance(f, dict)] if isinstance(findings, list) else []
    return {str(f.get("criterion")): f.get("state") for f in readable}


def _grade_agrees(out: Faults, assessment: dict[str, Any], path: str) -> None:
    status, grade, where = assessment.get("status"), assessment.get("grade"), at(path, "grade")
    if "grade" not in assessment:
        return
    if grade == 5:
        out.add("N-25", where, "grade 5 is for humans only")
    elif not _is_grade(grade):
        out.add("assessment-grade", where, f"{grade!r} is neither 0 to 4 nor null")
    elif grade not in _GRADES.get(str(status), (grade,)):
        out.add("assessment-grade", where, f"{grade!r} does not go with status {status!r}")
    else:
        _grade_follows(out, assessment, where, _states(assessment))


def _grade_follows(out: Faults, assessment: dict[str, Any], path: str, states: dict[str, Any]) -> None:
    """The grade is the worst of the findings, needs a fever, and never rests on what is unknown."""
    status, grade = assessment.get("status"), assessment.get("grade")
    findings = assessment.get("findings")
    readable = [f for f in findings if isinstance(f, dict)] if isinstance(findings, list) else []
    grades = [f["grade"] for f in readable if f.get("state") == "met" and type(f.get("grade")) is int]
    worst = max([1, *grades])
    unknown = sorted(name for name, state in states.items() if state == "unknown")
    if status == "graded" and states.get("fever") not in ("met", "waived", None):
        out.add("S-GRADE-GATE", path, "there is no grade without a fever, met or waived")
    elif (status == "graded" and grade != worst) or (status == "provisional" and grade is not None and grade < worst):
        out.add("assessment-grade", path, f"is {grade}, the findings say {worst}")
    elif status != "not-eligible" and not grade and states.get("fever") == "met":
        out.add("assessment-grade", path, f"is {grade!r} although fever is met: at least 1")
    elif status != "not-eligible" and not grade and states.get("fever") == "waived":
        out.add("N-13", path, f"is {grade!r} although fever is only masked: at least 1")
    elif unknown and (status == "no-crs" or (status == "graded" and grade != 4)):
        out.add("N-14", path, f"is stated plainly although unknown: {', '.join(unknown)}")


def _episode(out: Faults, assessment: dict[str, Any], path: str, now: datetime | None) -> None:
    episode, path = out.object(assessment, "episode", path, "assessment-episode"), at(path, "episode")
    if episode is None:
        return
    out.members(episode, path, {"state": "assessment-episode"}, ("onset", "peakGrade"), "assessment-episode")
    out.one_of(episode, "state", path, "assessment-episode", _EPISODES)
    _not_later(out, out.instant(episode, "onset", path, "assessment-time"), now, at(path, "onset"))
    peak, grade = episode.get("peakGrade"), assessment.get("grade")
    if not _is_grade(peak) or (peak is not None and grade in range(peak + 1, 5)):
        out.add("assessment-episode", at(path, "peakGrade"), f"{peak!r} is no peak of a grade {grade}")


def _not_later(out: Faults, time: datetime | None, now: datetime | None, path: str) -> None:
    if time and now and time > now + _SKEW:
        out.add("N-16", path, "lies after the evaluation instant")


def _findings(out: Faults, assessment: dict[str, Any], path: str, now: datetime | None) -> None:
    findings = out.objects(assessment, "findings", path, "assessment-finding")
    criteria = sorted(str(finding.get("criterion")) for _, finding in findings)
    wanted = [] if assessment.get("status") == "not-eligible" else sorted(_SEVERITIES)
    if criteria != wanted:
        out.add("assessment-findings", at(path, "findings"), f"are {criteria}, must be {wanted}")
    for where, finding in findings:
        required = {"criterion": "assessment-finding", "state": "assessment-finding"}
        out.members(finding, where, required, ("grade", "evidence"), "assessment-finding")
        out.one_of(finding, "state", where, "assessment-finding", {"met", "not-met", "unknown", "waived"})
        _severity(out, finding, where)
        evidence = out.objects(finding, "evidence", where, "assessment-evidence")
        if finding.get("state") == "met" and "evidence" not in finding:
            out.add("assessment-evidence", where, "is met and shows no evidence")
        for spot, item in evidence:
            names = ("reference", "display", "time")
            out.members(item, spot, dict.fromkeys(names, "assessment-evidence"), (), "assessment-evidence")
            reference = out.text(item, "reference", spot, "assessment-evidence")
            if reference and not re.fullmatch(r"(\S+/)?[A-Z][A-Za-z]+/[^/\s]+", reference):
                out.add("assessment-evidence", at(spot, "reference"), f"{reference!r} is not `Type/id`")
            out.text(item, "display", spot, "assessment-evidence")
            _not_later(out, out.instant(item, "time", spot, "assessment-time"), now, at(spot, "time"))


def _severity(out: Faults, finding: dict[str, Any], path: str) -> None:
    criterion, met, grade = finding.get("criterion"), finding.get("state") == "met", finding.get("grade")
    if grade is None:
        if met and criterion in ("hypotension", "hypoxia"):
            out.add("assessment-finding", path, f"{criterion} is met and has no grade")
    elif not met or type(grade) is not int or grade not in _SEVERITIES.get(str(criterion), (grade,)):
        out.add("assessment-finding", at(path, "grade"), f"{grade!r} is no grade of {criterion} {finding.get('state')}")


def _unknowns(out: Faults, assessment: dict[str, Any], path: str) -> None:
    out.texts(assessment, "missing", path, "assessment-missing")
    said = assessment.get("missing")
    if "unknown" in _states(assessment).values() and not said:
        out.add("assessment-missing", at(path, "missing"), "a criterion is unknown and nothing says what is missing")
    elif assessment.get("status") == "indeterminate" and not said and not assessment.get("unused"):
        out.add("assessment-missing", at(path, "missing"), "does not say why no grade is possible")
    for where, item in out.objects(assessment, "suppressed", path, "assessment-suppressed"):
        out.members(
            item, where, dict.fromkeys(("topic", "reason"), "assessment-suppressed"), (), "assessment-suppressed"
        )
        out.text(item, "topic", where, "assessment-suppressed")
        out.text(item, "reason", where, "assessment-suppressed")
    for where, item in out.objects(assessment, "unused", path, "assessment-unused"):
        out.members(item, where, dict.fromkeys(("reference", "reason"), "assessment-unused"), (), "assessment-unused")
        out.text(item, "reference", where, "assessment-unused")
        out.text(item, "reason", where, "assessment-unused")


def _knowledge(out: Faults, assessment: dict[str, Any], path: str) -> None:
    protocol, path = out.object(assessment, "protocol", path, "assessment-protocol"), at(path, "protocol")
    if protocol is None:
        if "protocol" in assessment:
            out.add("assessment-protocol", path, "does not say what knowledge spoke")
        return
    out.members(
        protocol,
        path,
        dict.fromkeys(("id", "version", "scale"), "assessment-protocol"),
        ("hash",),
        "assessment-protocol",
    )
    for name in ("id", "version", "scale", "hash"):
        out.text(protocol, name, path, "assessment-protocol")


def _cards_agree(out: Faults, assessment: dict[str, Any], cards: list[dict[str, Any]], hook: str) -> None:
    status, grade = assessment.get("status"), assessment.get("grade")
    if grade:
        held = {str(item.get("topic")) for item in assessment.get("suppressed", []) if isinstance(item, dict)}
        if hook == "patient-view" and f"CRSgrade{grade}" not in held:
            _grade_card(out, status, grade, cards)
        return
    for n, card in enumerate(cards):
        if re.match(r"CRS grade [0-9]", str(card.get("summary"))):
            out.add("grade-card", f"cards[{n}].summary", f"names a grade; the assessment has {grade!r}")
    if status not in ("no-crs", "not-eligible") or not cards or hook in ("order-select", "order-sign"):
        return
    states = _states(assessment)
    if "met" not in (states.get("hypotension"), states.get("hypoxia")):
        out.add("silence", "cards", f"{len(cards)} card(s) for a patient who is {status}")
    elif any(card.get("indicator") == "critical" for card in cards):
        out.add(
            "indicator-by-grade", "cards", "hypotension or hypoxia without fever is info or warning, never critical"
        )


def _grade_card(out: Faults, status: Any, grade: int, cards: list[dict[str, Any]]) -> None:
    if not cards:
        out.add("grade-card", "cards", f"grade {grade} without a card")
        return
    if not re.match(rf"CRS grade {grade}(?!\d)", str(cards[0].get("summary"))):
        out.add("grade-card", "cards[0].summary", f"does not begin with `CRS grade {grade}`")
    expected = "critical" if grade >= 3 else "info" if (status, grade) == ("graded", 1) else "warning"
    overdue = expected == "info" and "Regrading is overdue" in str(cards[0].get("detail"))
    if cards[0].get("indicator") not in (("info", "warning") if overdue else (expected,)):
        out.add("indicator-by-grade", "cards[0].indicator", f"must be {expected} for {status} grade {grade}")

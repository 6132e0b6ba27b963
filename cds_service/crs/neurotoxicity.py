"""ICANS beside CRS: absent, not recorded, suspected or present, from scores and diagnoses (S-PIT-ICANS, S-NEURO-1)."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from cds_service.crs.assessment import Assessment, Criterion, Exposure, State
from cds_service.crs.fever import fevers
from cds_service.crs.figures import shown
from cds_service.crs.protocol import Protocol
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Diagnosis, Score, Therapy, Timeline

INSTRUMENTS = {"ice-score": "ICE", "capd-score": "CAPD"}


class Icans(StrEnum):
    """Neurotoxicity: a coded diagnosis or an abnormal score is `present`, a finding or an older score `suspected`."""

    ABSENT = "absent"
    NOT_RECORDED = "not recorded"
    SUSPECTED = "suspected"
    PRESENT = "present"


@dataclass(frozen=True, slots=True, kw_only=True)
class Neurotoxicity:
    """`icans` with the fact it rests on (`reason`), and the current `score` whatever it says."""

    icans: Icans
    reason: Score | Diagnosis | None = None
    score: Score | None = None

    @property
    def possible(self) -> bool:
        """True when ICANS is present or suspected."""
        return self.icans in (Icans.PRESENT, Icans.SUSPECTED)

    @property
    def figures(self) -> dict[str, object]:
        """ICANS and what it rests on, as sentences name it."""
        words = ""
        if isinstance(self.reason, Score):
            words = f"{INSTRUMENTS[self.reason.instrument]} {shown(self.reason.value)}"
        elif self.reason is not None:
            words = self.reason.display
        return {"icans": self.icans.value, "basis": words, "since": self.reason.time if self.reason else None}


def neurotoxicity_of(timeline: Timeline, assessment: Assessment, protocol: Protocol) -> Neurotoxicity:
    """Neurotoxicity since the therapy; what was charted before it has another cause."""
    now = assessment.as_of
    since = assessment.exposure.since if assessment.exposure else now
    facts = [fact for fact in timeline.diagnoses if since <= fact.time <= now]
    coded = [fact for fact in facts if fact.kind == "icans"]
    findings = [fact for fact in facts if fact.kind == "icans-suspected"]
    current = _score(timeline, protocol, now - protocol.scores, now)
    score = _score(timeline, protocol, since, now)
    is_current = score is not None and score.time >= now - protocol.scores
    if coded:
        return Neurotoxicity(icans=Icans.PRESENT, reason=coded[-1], score=current)
    if score is not None and abnormal(score, protocol):
        return Neurotoxicity(icans=Icans.PRESENT if is_current else Icans.SUSPECTED, reason=score, score=current)
    if findings:
        return Neurotoxicity(icans=Icans.SUSPECTED, reason=findings[-1], score=current)
    if is_current:
        return Neurotoxicity(icans=Icans.ABSENT, reason=score, score=current)
    return Neurotoxicity(icans=Icans.NOT_RECORDED, score=current)


def _score(timeline: Timeline, protocol: Protocol, since: datetime, now: datetime) -> Score | None:
    """The last score; of several at one time one that is abnormal (T61)."""
    scores = [score for score in timeline.scores if score.instrument in INSTRUMENTS]
    recent = [score for score in scores if since <= score.time <= now]
    return max(recent, key=lambda score: (score.time, abnormal(score, protocol)), default=None)


def abnormal(score: Score, protocol: Protocol) -> bool:
    """True for a score that stands for neurotoxicity: ICE below its maximum, CAPD from its cut-off on."""
    if score.instrument == "ice-score":
        return score.value < protocol.ice_normal
    return score.value >= protocol.capd_suspicious


def severe_icans_risk(timeline: Timeline, assessment: Assessment, scale: Scale, protocol: Protocol) -> bool:
    """High fever with low pressure soon after CAR-T cells predicts severe ICANS (S-PIT-ICANS-3)."""
    exposure, now = assessment.exposure, assessment.as_of
    if exposure is None or not after_cells(exposure):
        return False
    if now - _latest_start(exposure.therapy) > protocol.icans_risk_window:
        return False
    unstable = assessment.finding(Criterion.HYPOTENSION).state is State.MET
    hot = fevers(timeline, scale, exposure.therapy.time, now)
    return unstable and any(reading.celsius >= protocol.icans_risk_fever for reading in hot)


def after_cells(exposure: Exposure) -> bool:
    """True after CAR-T cells, false after a bispecific antibody."""
    return exposure.therapy.window == "car-t"


def _latest_start(therapy: Therapy) -> datetime:
    """A date without a time is read as the end of that day: the widest window (DQ-38)."""
    return therapy.time + timedelta(days=1) if therapy.whole_day else therapy.time

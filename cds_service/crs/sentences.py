"""The sentences advice can say. Their words stand in `cards/text/sentences.toml`, one for each name here."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from enum import StrEnum


class Say(StrEnum):
    """The name of a sentence."""

    ACETAMINOPHEN = "acetaminophen"
    HYDRATION = "hydration"
    MONITORING = "monitoring"
    ICU_ALERT = "icu-alert"
    ICU_TRANSFER = "icu-transfer"
    ICU_NOW = "icu-now"
    VENTILATION = "ventilation"
    LONG_FEVER = "long-fever"
    HOLD_NEXT_DOSE = "hold-next-dose"
    STOP_INFUSION = "stop-infusion"
    LATE_CRS = "late-crs"
    REOPENED = "reopened"
    FLOW_NOTE = "flow-note"
    TOCILIZUMAB = "tocilizumab"
    TOCILIZUMAB_IF_OXYGEN = "tocilizumab-if-oxygen"
    TOCILIZUMAB_SECOND = "tocilizumab-second"
    TOCILIZUMAB_NO_WEIGHT = "tocilizumab-no-weight"
    TOCILIZUMAB_GIVEN = "tocilizumab-given"
    TOCILIZUMAB_ORDERED = "tocilizumab-ordered"
    TOCILIZUMAB_TOO_EARLY = "tocilizumab-too-early"
    TOCILIZUMAB_WAIT = "tocilizumab-wait"
    TOCILIZUMAB_DETERIORATED = "tocilizumab-deteriorated"
    TOCILIZUMAB_IMPROVED = "tocilizumab-improved"
    TOCILIZUMAB_INFECTION = "tocilizumab-infection"
    TOCILIZUMAB_ICANS_REPEAT = "tocilizumab-icans-repeat"
    TOCILIZUMAB_LIMIT = "tocilizumab-limit"
    TOCILIZUMAB_LABEL_LIMIT = "tocilizumab-label-limit"
    TOCILIZUMAB_ALLERGY = "tocilizumab-allergy"
    TOCILIZUMAB_RECORD_UNKNOWN = "tocilizumab-record-unknown"
    TOCILIZUMAB_ICANS = "tocilizumab-icans"
    TOCILIZUMAB_CAUTIONS = "tocilizumab-cautions"
    TOCILIZUMAB_NOT_OFFERED = "tocilizumab-not-offered"
    LABEL_AND_PROTOCOL = "label-and-protocol"
    OFF_LABEL = "off-label"
    STEROID = "steroid"
    STEROID_REFRACTORY = "steroid-refractory"
    STEROID_WITH_SECOND_DOSE = "steroid-with-second-dose"
    STEROID_CHILD = "steroid-child"
    STEROID_RUNNING = "steroid-running"
    STEROID_NOT_YET = "steroid-not-yet"
    STEROID_EARLY_PRODUCT = "steroid-early-product"
    REFRACTORY_OPTIONS = "refractory-options"
    CULTURES = "cultures"
    CULTURES_DONE = "cultures-done"
    CULTURES_UNKNOWN = "cultures-unknown"
    ANTIBIOTICS = "antibiotics"
    ANTIBIOTICS_ACTIVE = "antibiotics-active"
    BEFORE_TOCILIZUMAB = "before-tocilizumab"
    BASELINE_LABS = "baseline-labs"
    ICE = "ice"
    CAPD = "capd"
    SCORE_BY_AGE = "score-by-age"
    SCORE_CHARTED = "score-charted"
    ANTIFUNGAL = "antifungal"
    SEPSIS_PROMPT = "sepsis-prompt"


@dataclass(frozen=True, slots=True)
class Line:
    """A sentence with its values; record text among them is escaped where it is written."""

    say: Say
    values: Mapping[str, object] = field(default_factory=dict)

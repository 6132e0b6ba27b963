"""Fever: the gate of CRS grading, and when it is no longer required (S-GRADE-1, S-GRADE-GATE, S-GRADE-WAIVE)."""

import pytest

from cds_service.crs.assessment import Criterion, Finding
from cds_service.crs.timeline import Fact, Flag, Timeline
from tests.spec.patients import (
    SCALE,
    afebrile,
    assessed,
    charted_grade,
    diagnosis,
    drug,
    febrile,
    known_since,
    outcome,
    patient,
    pressure,
    room_air,
    saturation,
    temperature,
    therapy,
    unread,
)


def fever(timeline: Timeline) -> Finding:
    return assessed(timeline).finding(Criterion.FEVER)


@pytest.mark.parametrize(
    ("celsius", "state", "grade"),
    [
        ("35.0", "not-met", "no-crs 0"),
        ("37.9", "not-met", "no-crs 0"),
        ("37.99", "not-met", "no-crs 0"),
        ("37.9999999999999999999999", "not-met", "no-crs 0"),
        ("38", "met", "graded 1"),
        ("38.0", "met", "graded 1"),
        ("38.00", "met", "graded 1"),
        ("38.1", "met", "graded 1"),
        ("41.5", "met", "graded 1"),
    ],
)
def test_s_grade_1_fever_is_38_0_or_more_and_never_rounded_up(celsius: str, state: str, grade: str) -> None:
    timeline = febrile(temperature(celsius))
    assert (fever(timeline).state, outcome(timeline)) == (state, grade)


def test_a_reading_just_under_the_threshold_is_not_shown_as_the_threshold() -> None:
    assert fever(febrile(temperature("37.999"))).headline == "T 37.99 °C"


def test_n_14_without_any_temperature_fever_is_unknown_and_there_is_no_grade() -> None:
    timeline = patient(pressure(120), saturation(97), room_air())
    assert (fever(timeline).state, outcome(timeline)) == ("unknown", "indeterminate")
    assert fever(timeline).missing == ("temperature in the last 12 h",)


@pytest.mark.parametrize(
    ("charted", "age"),
    [
        (["12 h"], None),
        (["12 h 1 min"], "12 h"),
        (["20 h", "13 h"], "13 h"),
        (["13 h", "0 min"], None),
        (["13 h", "-10 min"], "13 h"),
    ],
)
def test_t57_the_last_temperature_is_named_with_its_age_when_it_is_stale(charted: list[str], age: str | None) -> None:
    finding = fever(afebrile(*(temperature("37.0", when) for when in charted)))
    assert [item.reason for item in finding.unused] == ([f"T 37.0 °C is {age} old, the limit is 12 h"] if age else [])


@pytest.mark.parametrize(
    ("when", "state", "grade"),
    [
        ("12 h", "not-met", "no-crs 0"),
        ("12 h 1 min", "unknown", "indeterminate"),
        ("3 d", "unknown", "indeterminate"),
    ],
)
def test_4_4_a_normal_temperature_is_current_for_12_hours(when: str, state: str, grade: str) -> None:
    timeline = afebrile(temperature("37.0", when))
    assert (fever(timeline).state, outcome(timeline)) == (state, grade)


@pytest.mark.parametrize(
    ("when", "state", "grade"),
    [
        ("11 h 59 min", "met", "graded 1"),
        ("12 h", "met", "graded 1"),
        ("12 h 1 min", "met", "graded 1"),
        ("24 h", "met", "graded 1"),
        ("24 h 1 min", "unknown", "provisional 1"),
        ("40 h", "unknown", "provisional 1"),
    ],
)
def test_4_4_one_fever_within_24_hours_is_still_met_when_nothing_masks(when: str, state: str, grade: str) -> None:
    timeline = febrile(temperature("38.5", when), temperature("37.0", "20 min"))
    assert (fever(timeline).state, outcome(timeline)) == (state, grade)


def test_4_4_a_fever_that_is_not_current_any_more_is_said_to_be_past() -> None:
    past = fever(febrile(temperature("38.5", "13 h"), temperature("37.0", "20 min")))
    assert past.notes == ("the last fever was 13 h ago: CRS is not resolved before the time it takes",)


@pytest.mark.parametrize(
    ("fevers", "notes"),
    [
        (["12 h"], ()),
        (["12 h 1 min"], ("the last fever was 12 h ago: CRS is not resolved before the time it takes",)),
        (["20 h", "14 h"], ("the last fever was 14 h ago: CRS is not resolved before the time it takes",)),
        (["20 h", "11 h"], ()),
    ],
)
def test_4_4_a_fever_is_past_after_12_hours_and_the_last_one_tells(fevers: list[str], notes: tuple[str, ...]) -> None:
    readings = [temperature("38.5", when) for when in fevers]
    assert fever(febrile(*readings, temperature("37.0", "20 min"))).notes == notes


def test_4_5_a_fever_that_nothing_explains_away_is_doubted_with_its_age() -> None:
    assert fever(febrile(temperature("38.5", "40 h"), temperature("37.0", "20 min"))).doubts == (
        "the last fever was 40 h ago, nothing charted masks it, and it is not documented that CRS has resolved",
    )


def test_without_fever_the_highest_temperature_is_the_evidence_and_the_latest_the_headline() -> None:
    finding = fever(afebrile(temperature("37.6", "5 h"), temperature("36.4", "1 h")))
    assert finding.headline == "T 36.4 °C"
    assert [evidence.display for evidence in finding.evidence] == ["37.6 °C"]


def test_the_current_fever_is_named_before_the_highest() -> None:
    finding = fever(febrile(temperature("40.1", "5 h"), temperature("38.4", "20 min")))
    assert finding.headline == "T 38.4 °C"
    assert [evidence.display for evidence in finding.evidence] == ["38.4 °C", "40.1 °C"]


@pytest.mark.parametrize(
    ("latest", "headline", "shown"),
    [
        ("37.9", "T 40.1 °C", ["40.1 °C", "37.9 °C"]),
        ("38.0", "T 38.0 °C", ["38.0 °C", "40.1 °C"]),
        ("38.1", "T 38.1 °C", ["38.1 °C", "40.1 °C"]),
    ],
)
def test_s_grade_1_the_headline_is_the_latest_temperature_when_it_is_a_fever_and_else_the_highest(
    latest: str, headline: str, shown: list[str]
) -> None:
    finding = fever(febrile(temperature("40.1", "5 h"), temperature(latest, "20 min")))
    assert finding.headline == headline
    assert [evidence.display for evidence in finding.evidence] == shown


def test_4_4_a_past_fever_is_the_headline_where_no_temperature_is_current() -> None:
    finding = fever(febrile(temperature("38.5", "20 h"), temperature("39.1", "13 h")))
    assert (finding.state, finding.headline) == ("met", "T 39.1 °C")
    assert [evidence.display for evidence in finding.evidence] == ["39.1 °C"]


def test_dq_34_of_two_temperatures_at_one_instant_the_higher_counts_in_any_order() -> None:
    oral, rectal = temperature("36.9", "1 h"), temperature("38.6", "1 h")
    acetaminophen = drug("acetaminophen", "2 h")
    for pair in ((oral, rectal), (rectal, oral)):
        timeline = febrile(*pair, acetaminophen)
        assert fever(timeline).state == "met"
        assert fever(timeline).headline == "T 38.6 °C"


@pytest.mark.parametrize("flag", [Flag.UNIT_INFERRED, Flag.ASSUMED_ZONE])
def test_dq_02_and_dq_39_a_fever_that_rests_on_a_doubtful_reading_is_provisional(flag: Flag) -> None:
    doubtful = temperature("38.6", "2 h", flag)
    assert outcome(febrile(doubtful)) == "provisional 1"
    assert fever(febrile(doubtful)).doubts == (f"the temperature rests on a reading that is doubtful ({flag})",)
    assert outcome(febrile(doubtful, temperature("38.3", "4 h"))) == "graded 1"


def test_dq_02_a_doubtful_fever_is_outweighed_by_a_current_one_and_not_by_a_past_one() -> None:
    normal = temperature("37.0", "20 min")
    doubtful, past = temperature("38.6", "2 h", Flag.UNIT_INFERRED), temperature("38.6", "13 h", Flag.UNIT_INFERRED)
    assert outcome(febrile(doubtful, temperature("38.3", "12 h"), normal)) == "graded 1"
    assert outcome(febrile(doubtful, temperature("38.3", "12 h 1 min"), normal)) == "provisional 1"
    assert outcome(febrile(past, normal)) == "provisional 1"


def test_dq_35_a_preliminary_reading_is_used_and_flagged() -> None:
    timeline = febrile(temperature("38.6", "2 h", Flag.PRELIMINARY))
    assert outcome(timeline) == "graded 1"
    assert fever(timeline).evidence[0].display == "38.6 °C (preliminary)"


# S-GRADE-WAIVE (C22): in an established CRS an antipyretic or anticytokine drug takes the place of fever.


@pytest.mark.parametrize("agent", ["acetaminophen", "tocilizumab", "dexamethasone", "anakinra", "siltuximab"])
def test_s_grade_waive_fever_is_waived_after_any_drug_that_hides_it(agent: str) -> None:
    timeline = febrile(temperature("38.9", "20 h"), temperature("36.8", "30 min"), drug(agent, "18 h"))
    assert fever(timeline).state == "waived"
    assert fever(timeline).headline == f"fever waived after {agent}"
    assert [item.display for item in fever(timeline).evidence] == ["36.8 °C", "38.9 °C", f"{agent} given"]
    assert outcome(timeline) == "graded 1"


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ("20 h", "waived"),  # at the onset
        ("19 h", "waived"),  # since the onset, though its effect of 12 h is over
        ("20 h 1 min", "met"),  # before the onset, its effect over: the fever of 20 h ago still counts
        ("2 h", "waived"),
    ],
)
def test_s_grade_waive_a_drug_given_since_the_onset_waives(given: str, state: str) -> None:
    timeline = febrile(temperature("38.9", "20 h"), temperature("36.8", "30 min"), drug("acetaminophen", given))
    assert fever(timeline).state == state


@pytest.mark.parametrize(("given", "state"), [("12 h", "waived"), ("12 h 1 min", "met")])
def test_s_grade_waive_a_drug_given_before_the_onset_waives_while_it_acts(given: str, state: str) -> None:
    timeline = febrile(temperature("38.9", "11 h"), temperature("36.8", "30 min"), drug("acetaminophen", given))
    assert fever(timeline).state == state


def test_s_grade_waive_a_drug_that_was_given_over_time_counts_until_its_end() -> None:
    course = drug("dexamethasone", "5 d", until="30 h")
    timeline = febrile(temperature("38.9", "26 h"), temperature("36.8", "30 min"), course)
    assert fever(timeline).state == "waived"


def test_s_grade_waive_a_fever_in_spite_of_the_drug_is_met_not_waived() -> None:
    timeline = febrile(temperature("38.9", "20 h"), temperature("38.2", "30 min"), drug("tocilizumab", "5 h"))
    assert fever(timeline).state == "met"


def test_s_grade_waive_an_antibiotic_hides_no_fever() -> None:
    timeline = febrile(temperature("38.9", "20 h"), temperature("36.8", "30 min"), drug("cefepime", "18 h"))
    assert fever(timeline).state == "met"


def test_s_grade_waive_the_drug_given_last_is_named_whatever_was_given_before() -> None:
    drugs = (drug("cefepime", "19 h"), drug("acetaminophen", "18 h"), drug("tocilizumab", "5 h"))
    finding = fever(febrile(temperature("38.9", "20 h"), temperature("36.8", "30 min"), *drugs))
    assert (finding.state, finding.headline) == ("waived", "fever waived after tocilizumab")


def test_s_grade_waive_needs_no_temperature_of_now_and_says_that_there_is_none() -> None:
    timeline = febrile(temperature("38.9", "20 h"), drug("tocilizumab", "18 h"))
    assert fever(timeline).state == "waived"
    assert fever(timeline).missing == ("temperature in the last 12 h",)
    assert outcome(timeline) == "graded 1"


# 4.5 point 6, N-13: no fever in the record, and a drug that may have hidden it from the start.


@pytest.mark.parametrize(
    ("agent", "masks", "no_longer"),
    [
        ("acetaminophen", "12 h", "12 h 1 min"),
        ("anakinra", "24 h", "24 h 1 min"),
        ("dexamethasone", "48 h", "48 h 1 min"),
        ("tocilizumab", "14 d", "14 d 1 min"),
        ("siltuximab", "21 d", "21 d 1 min"),
    ],
)
def test_n_13_no_fever_while_a_drug_hides_it_is_not_no_crs(agent: str, masks: str, no_longer: str) -> None:
    assert outcome(afebrile(drug(agent, masks))) == "indeterminate"
    assert fever(afebrile(drug(agent, masks))).doubts[0].startswith(f"fever may be masked by {agent} given ")
    assert outcome(afebrile(drug(agent, no_longer))) == "no-crs 0"
    assert outcome(afebrile(drug(agent, masks), pressure(84))) == "provisional 2"
    assert outcome(afebrile(drug(agent, no_longer), pressure(84))) == "no-crs 0"


def test_n_13_the_drug_given_last_is_named_and_one_given_now_hides_fever_already() -> None:
    both = fever(afebrile(drug("dexamethasone", "30 h"), drug("acetaminophen", "3 h")))
    assert both.doubts == ("fever may be masked by acetaminophen given 3 h ago",)
    assert outcome(afebrile(drug("tocilizumab", "0 min"))) == "indeterminate"


def test_a_drug_of_which_the_effect_is_over_is_named_with_the_time_it_was_last_given() -> None:
    finding = fever(afebrile(drug("dexamethasone", "5 d", until="3 h")))
    assert finding.doubts == ("fever may be masked by dexamethasone given 3 h ago",)


@pytest.mark.parametrize(
    ("since", "named"),
    [
        ("11 h", ("temperature in the last 12 h (only one page was sent)",)),
        ("12 h", ("temperatures since the therapy (only one page was sent)",)),
        ("2 d 23 h", ("temperatures since the therapy (only one page was sent)",)),
        ("3 d", ()),  # the therapy was 3 days ago
    ],
)
def test_n_13_n_14_where_a_drug_hides_fever_temperatures_that_could_not_be_had_are_named(
    since: str, named: tuple[str, ...]
) -> None:
    """Among them may be the fever after which the drug waives it."""
    hidden = afebrile(drug("acetaminophen", "3 h"), gaps=known_since(since, "temperatures"))
    assert (outcome(hidden), fever(hidden).missing) == ("indeterminate", named)


# N-14: "no fever" is only said when all is known that could show or hide one.


@pytest.mark.parametrize(
    "gaps",
    [
        unread("temperatures"),
        known_since("11 h", "temperatures"),
        known_since("2 d 23 h", "temperatures"),  # the therapy was 3 days ago
        unread("drugs"),
        known_since("20 d", "drugs"),
    ],
)
def test_n_14_no_fever_in_a_record_that_is_not_complete_is_unknown(gaps: dict) -> None:
    timeline = afebrile(gaps=gaps)
    assert (fever(timeline).state, fever(timeline).rule) == ("unknown", "")
    assert fever(timeline).missing
    assert outcome(timeline) == "indeterminate"
    assert outcome(afebrile(pressure(84), gaps=gaps)) == "indeterminate"


@pytest.mark.parametrize("gaps", [known_since("3 d", "temperatures"), known_since("21 d", "drugs")])
def test_s_grade_gate_no_fever_is_said_when_all_that_matters_is_known(gaps: dict) -> None:
    assert fever(afebrile(gaps=gaps)).rule == "below 38.0 °C"
    assert outcome(afebrile(gaps=gaps)) == "no-crs 0"


def test_dq_43_what_is_missing_is_named_with_the_reason() -> None:
    why = "(the EHR did not answer)"
    assert fever(afebrile(gaps=unread("drugs"))).missing == (f"drugs that can hide fever {why}",)
    assert fever(afebrile(gaps=unread("temperatures"))).missing == (f"temperature in the last 12 h {why}",)
    assert fever(afebrile(gaps=known_since("2 d", "temperatures"))).missing == (
        "temperatures since the therapy (only one page was sent)",
    )


# 4.5 point 7: CRS that is charted stands for a fever outside the record.


@pytest.mark.parametrize("sign", [diagnosis("crs", "2 d"), charted_grade(1, "2 d"), charted_grade(4, "2 d")])
def test_charted_crs_without_a_fever_in_the_record_is_provisional(sign: Fact) -> None:
    timeline = afebrile(sign)
    assert fever(timeline).state == "unknown"
    assert fever(timeline).doubts == ("CRS is charted, no fever is in the record at hand",)
    assert outcome(timeline) == "provisional 1"
    assert outcome(afebrile(sign, pressure(84))) == "provisional 2"


@pytest.mark.parametrize("sign", [diagnosis("icans", "2 d"), charted_grade(0, "2 d"), diagnosis("crs", "4 d")])
def test_what_is_no_sign_of_crs_since_the_therapy_opens_no_episode(sign: Fact) -> None:
    assert outcome(afebrile(sign, pressure(84))) == "no-crs 0"


def test_a_fever_before_the_therapy_is_not_its_fever() -> None:
    day_0 = afebrile(therapy("axi-cel", "2 h"), temperature("38.9", "2 h 1 min"), temperature("37.0"))
    assert (fever(day_0).state, outcome(day_0)) == ("not-met", "no-crs 0")
    later = afebrile(therapy("axi-cel", "2 h"), temperature("38.9", "2 h"), temperature("37.0"))
    assert (fever(later).state, outcome(later)) == ("met", "graded 1")
    charted = afebrile(
        therapy("axi-cel", "2 h"), temperature("38.9", "3 h"), temperature("37.0"), diagnosis("crs", "1 h")
    )
    assert (fever(charted).state, outcome(charted)) == ("unknown", "provisional 1")


def test_a_temperature_of_the_future_changes_nothing() -> None:
    assert outcome(afebrile(temperature("39.5", "-10 min"), temperature("37.0"))) == "no-crs 0"
    assert outcome(febrile(temperature("39.5"), temperature("36.5", "-10 min"))) == "graded 1"


def test_a_drug_of_the_future_hides_nothing() -> None:
    assert outcome(afebrile(drug("tocilizumab", "-10 min"))) == "no-crs 0"


def test_the_masking_windows_are_those_of_the_scale() -> None:
    assert {group: window.total_seconds() / 3600 for group, window in SCALE.masking.items()} == {
        "antipyretic": 12,
        "il6-blocker": 14 * 24,
        "corticosteroid": 48,
        "il1-blocker": 24,
        "il6-pathway": 21 * 24,
    }

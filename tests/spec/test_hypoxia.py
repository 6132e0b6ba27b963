"""Hypoxia: the oxygen support that is needed (S-GRADE-2b, 3b, 3c, 4b; C15 to C20, C24; DQ-10, DQ-15)."""

from dataclasses import replace

import pytest

from cds_service.crs import hypoxia as rules
from cds_service.crs.assessment import Criterion, Finding
from cds_service.crs.hypoxia import NO_OXYGEN_YET, latest_flow
from cds_service.crs.timeline import Fact, Flag, Timeline
from tests.spec.patients import (
    NOW,
    SCALE,
    afebrile,
    assessed,
    diagnosis,
    drug,
    febrile,
    known_since,
    outcome,
    oxygen,
    patient,
    pressure,
    room_air,
    saturation,
    temperature,
    unread,
)

OPAP = "home-positive-pressure"
LOW_HFNC = "high-flow nasal cannula at a low flow is counted by the device: confirm"


def hypoxia(timeline: Timeline) -> Finding:
    return assessed(timeline).finding(Criterion.HYPOXIA)


@pytest.mark.parametrize(
    ("device", "flow", "grade", "rule"),
    [
        ("nasal-cannula", "0.1", "graded 2", "S-GRADE-2b"),
        ("nasal-cannula", "2", "graded 2", "S-GRADE-2b"),
        ("nasal-cannula", "5.9", "graded 2", "S-GRADE-2b"),
        ("nasal-cannula", "6", "graded 2", "S-GRADE-2b"),
        ("nasal-cannula", "6.0", "graded 2", "S-GRADE-2b"),
        ("nasal-cannula", "6.01", "graded 3", "S-GRADE-3b"),
        ("nasal-cannula", "6.1", "graded 3", "S-GRADE-3b"),
        ("nasal-cannula", "15", "graded 3", "S-GRADE-3b"),
        ("blow-by", "2", "graded 2", "S-GRADE-2b"),
        ("blow-by", "8", "graded 2", "S-GRADE-2b"),
        ("blow-by", None, "graded 2", "S-GRADE-2b"),
        ("simple-mask", "5", "graded 3", "S-GRADE-3c"),
        ("simple-mask", "6.1", "graded 3", "S-GRADE-3c"),
        ("simple-mask", None, "graded 3", "S-GRADE-3c"),
        ("aerosol-mask", None, "graded 3", "S-GRADE-3c"),
        ("face-tent", None, "graded 3", "S-GRADE-3c"),
        ("tracheostomy-mask", None, "graded 3", "S-GRADE-3c"),
        ("venturi", "4", "graded 3", "S-GRADE-3c"),
        ("partial-rebreather", "10", "graded 3", "S-GRADE-3c"),
        ("non-rebreather", "15", "graded 3", "S-GRADE-3c"),
        ("high-flow-nasal-cannula", "40", "graded 3", "S-GRADE-3c"),
        ("high-flow-nasal-cannula", "2", "graded 3", "S-GRADE-3c"),
        ("high-flow-nasal-cannula", None, "graded 3", "S-GRADE-3c"),
        ("cpap", None, "graded 4", "S-GRADE-4b"),
        ("cpap", "2", "graded 4", "S-GRADE-4b"),
        ("bilevel", None, "graded 4", "S-GRADE-4b"),
        ("positive-pressure", None, "graded 4", "S-GRADE-4b"),
        ("intubation", None, "graded 4", "S-GRADE-4b"),
        ("ventilator", None, "graded 4", "S-GRADE-4b"),
    ],
)
def test_c15_the_device_decides_and_for_a_nasal_cannula_the_flow(
    device: str, flow: str | None, grade: str, rule: str
) -> None:
    timeline = febrile(oxygen(device, flow))
    assert outcome(timeline) == grade
    assert hypoxia(timeline).rules == (rule,)


@pytest.mark.parametrize(
    ("support", "rule"),
    [
        (oxygen("nasal-cannula", "6"), "low flow, up to 6 L/min"),
        (oxygen("nasal-cannula", "6.1"), "more than 6 L/min"),
        (oxygen("simple-mask", "5"), "simple face mask, at any flow"),
        (oxygen("bilevel"), "BiPAP, positive pressure"),
        (oxygen("nasal-cannula"), "nasal cannula, flow not charted"),
        (oxygen(fio2=40), "oxygen, device and flow not charted"),
        (room_air(), "no oxygen in use"),
        (oxygen("oxygen helmet"), ""),
    ],
)
def test_s_grade_2b_3b_3c_4b_the_rule_that_was_met_is_said(support: Fact, rule: str) -> None:
    assert hypoxia(febrile(support)).rule == rule


def test_every_device_of_the_scale_was_looked_at() -> None:
    graded = {device.id for device in SCALE.devices.values() if device.grade is not None}
    by_flow = {"room-air", "nasal-cannula", "oxygen-unspecified", "tracheostomy-tube"}
    assert len(graded) == 14
    assert set(SCALE.devices) - graded == by_flow


@pytest.mark.parametrize(
    ("support", "grade", "missing"),
    [
        (oxygen("nasal-cannula"), "provisional 2 or higher", ("oxygen flow",)),
        (oxygen("oxygen-unspecified"), "provisional 2 or higher", ("oxygen device",)),
        (oxygen("oxygen-unspecified", "4"), "provisional 2", ()),
        (oxygen("oxygen-unspecified", "8"), "provisional 3", ()),
        (oxygen("tracheostomy-tube"), "provisional 2 or higher", ("oxygen device",)),
        (oxygen("tracheostomy-tube", "4"), "provisional 2", ()),
        (oxygen(flow="4"), "provisional 2", ()),
        (oxygen(flow="6.1"), "provisional 3", ()),
        (oxygen(fio2=22), "provisional 2 or higher", ("oxygen device",)),
        (oxygen(fio2=60), "provisional 2 or higher", ("oxygen device",)),
        (oxygen("nasal-cannula", fio2=60), "provisional 2 or higher", ("oxygen flow",)),
    ],
)
def test_dq_15_oxygen_without_a_device_or_flow_is_graded_by_what_is_known(
    support: Fact, grade: str, missing: tuple[str, ...]
) -> None:
    timeline = febrile(support)
    assert outcome(timeline) == grade
    assert hypoxia(timeline).missing == missing


@pytest.mark.parametrize(
    ("support", "doubts"),
    [
        (oxygen(flow="4"), ("the oxygen device is not charted: graded by flow",)),
        (oxygen("oxygen helmet", "4"), ("the oxygen device 'oxygen helmet' is not recognised: graded by flow",)),
        (oxygen("nasal-cannula", "4"), ()),
    ],
)
def test_dq_15_why_a_grade_by_flow_is_provisional_is_said(support: Fact, doubts: tuple[str, ...]) -> None:
    assert hypoxia(febrile(support)).doubts == doubts


@pytest.mark.parametrize(
    ("facts", "state", "grade"),
    [
        ((room_air(),), "not-met", "graded 1"),
        ((oxygen(flow="0"),), "not-met", "graded 1"),
        ((oxygen("nasal-cannula", "0"),), "not-met", "graded 1"),
        ((oxygen("simple-mask", "0"),), "not-met", "graded 1"),
        ((oxygen(fio2=21),), "not-met", "graded 1"),
        ((oxygen("oxygen helmet"),), "unknown", "provisional 1 or higher"),
        ((oxygen("oxygen helmet", "0"),), "unknown", "provisional 1 or higher"),
        ((oxygen("oxygen helmet", fio2=21),), "unknown", "provisional 1 or higher"),
        ((oxygen("oxygen helmet", "4"),), "met", "provisional 2"),
        ((oxygen("oxygen helmet", "6.1"),), "met", "provisional 3"),
        ((oxygen("oxygen helmet", fio2=50),), "met", "provisional 2 or higher"),
        ((oxygen("cpap", "0"),), "met", "graded 4"),
        ((oxygen("ventilator", fio2=21),), "met", "graded 4"),
    ],
)
def test_dq_10_and_dq_15_no_oxygen_oxygen_and_not_known(facts: tuple[Fact, ...], state: str, grade: str) -> None:
    timeline = febrile(*facts)
    assert (hypoxia(timeline).state, outcome(timeline)) == (state, grade)


def test_n_14_spo2_without_charted_support_is_unknown_and_a_floor() -> None:
    timeline = patient(temperature("39.0"), pressure(120), saturation(97))
    assert hypoxia(timeline).state == "unknown"
    assert outcome(timeline) == "provisional 1 or higher"
    assert hypoxia(timeline).missing == ("oxygen support in the last 4 h",)
    assert outcome(patient(temperature("37.0"), pressure(120), saturation(97))) == "indeterminate"


def test_room_air_without_spo2_is_no_hypoxia_and_the_spo2_is_said_to_be_missing() -> None:
    timeline = patient(temperature("39.0"), pressure(120), room_air())
    assert (hypoxia(timeline).state, outcome(timeline)) == ("not-met", "graded 1")
    assert hypoxia(timeline).missing == ("SpO2 in the last 4 h",)


def test_an_unrecognised_device_is_named_as_what_is_missing() -> None:
    assert hypoxia(febrile(oxygen("oxygen helmet"))).missing == (
        "oxygen support: the device 'oxygen helmet' is not recognised",
    )


# C16: low saturation before anyone gave oxygen.


@pytest.mark.parametrize(
    ("percent", "grade"),
    [
        ("85", "provisional 2"),
        ("89", "provisional 2"),
        ("89.9", "provisional 2"),
        ("90", "graded 1"),
        ("91", "graded 1"),
    ],
)
def test_c16_spo2_below_90_on_room_air_is_provisionally_grade_2(percent: str, grade: str) -> None:
    assert outcome(febrile(saturation(percent))) == grade


@pytest.mark.parametrize(
    ("support", "grade", "headline"),
    [
        ((room_air(),), "provisional 2", "SpO2 86 %, on room air"),
        ((), "provisional 2 or higher", "SpO2 86 %, no oxygen charted"),
        ((oxygen("oxygen helmet"),), "provisional 2 or higher", "SpO2 86 %, on oxygen helmet"),
    ],
)
def test_c16_low_spo2_is_hypoxia_also_when_the_support_is_not_known(
    support: tuple[Fact, ...], grade: str, headline: str
) -> None:
    timeline = patient(temperature("39.0"), pressure(120), saturation(86), *support)
    assert (outcome(timeline), hypoxia(timeline).headline) == (grade, headline)


def test_c16_oxygen_is_to_be_applied_first_unless_a_device_is_charted() -> None:
    assert NO_OXYGEN_YET in hypoxia(febrile(saturation(86))).doubts
    assert NO_OXYGEN_YET not in hypoxia(febrile(saturation(86), oxygen("oxygen helmet"))).doubts
    assert hypoxia(febrile(saturation(86), oxygen("nasal-cannula", "2"))).doubts == ()


@pytest.mark.parametrize("percent", [70, 88, 99])
def test_c18_on_oxygen_the_number_does_not_matter(percent: int) -> None:
    assert outcome(febrile(oxygen("nasal-cannula", "2"), saturation(percent))) == "graded 2"


@pytest.mark.parametrize(("when", "grade"), [("4 h", "provisional 2"), ("4 h 1 min", "graded 1")])
def test_4_4_the_lowest_spo2_of_4_hours_counts(when: str, grade: str) -> None:
    assert outcome(febrile(saturation(86, when), saturation(97, "10 min"))) == grade


# 4.4: what was charted last in 4 hours.


@pytest.mark.parametrize(
    ("support", "grade"),
    [
        (oxygen("non-rebreather", when="4 h"), "graded 3"),
        (oxygen("non-rebreather", when="4 h 1 min"), "provisional 1 or higher"),
        (room_air("4 h"), "graded 1"),
        (room_air("4 h 1 min"), "provisional 1 or higher"),
        (oxygen("nasal-cannula", "4", "-10 min"), "provisional 1 or higher"),
        (oxygen("bilevel", when="10 h", until="3 h 59 min"), "provisional 4"),
        (oxygen("bilevel", when="10 h", until="4 h"), "provisional 4"),
        (oxygen("bilevel", when="10 h", until="4 h 1 min"), "provisional 1 or higher"),
    ],
)
def test_4_4_support_counts_for_4_hours_and_is_then_stale(support: Fact, grade: str) -> None:
    assert outcome(febrile(support)) == grade


def test_t57_stale_support_is_named_with_its_age() -> None:
    finding = hypoxia(febrile(oxygen("nasal-cannula", "4", "7 h")))
    assert [item.reason for item in finding.unused] == ["O2 4 L/min nasal cannula is 7 h old, the limit is 4 h"]


@pytest.mark.parametrize(
    ("charted", "reasons"),
    [
        (("3 h 59 min",), []),
        (("4 h",), []),
        (("4 h 1 min",), ["SpO2 97 % is 4 h old, the limit is 4 h"]),
        (("9 h", "7 h"), ["SpO2 97 % is 7 h old, the limit is 4 h"]),
        (("7 h", "1 min"), []),
        (("7 h", "0 min"), []),
        (("7 h", "-1 min"), ["SpO2 97 % is 7 h old, the limit is 4 h"]),
    ],
)
def test_t57_the_last_saturation_is_named_with_its_age_when_it_is_stale(
    charted: tuple[str, ...], reasons: list[str]
) -> None:
    finding = hypoxia(febrile(*(saturation(97, when) for when in charted)))
    assert [item.reason for item in finding.unused] == reasons


@pytest.mark.parametrize("when", ["4 h", "30 min", "-10 min"])
def test_t57_an_unrecognised_device_that_is_not_old_is_not_called_stale(when: str) -> None:
    finding = hypoxia(febrile(oxygen("oxygen helmet", when=when)))
    assert (finding.state, finding.unused) == ("unknown", ())


@pytest.mark.parametrize(
    ("earlier", "later", "grade"),
    [
        (oxygen("bilevel", when="2 h"), oxygen("nasal-cannula", "4", "1 h"), "graded 2"),
        (oxygen("nasal-cannula", "4", "2 h"), oxygen("bilevel", when="1 h"), "graded 4"),
        (oxygen("nasal-cannula", "8", "2 h"), oxygen("nasal-cannula", "3", "1 h"), "graded 2"),
        (oxygen("nasal-cannula", "8", "2 h"), room_air("1 h"), "graded 1"),
        (oxygen("simple-mask", fio2=50, when="2 h"), room_air("1 h"), "graded 1"),
        (oxygen("simple-mask", "8", "2 h"), oxygen(flow="0", when="1 h"), "graded 1"),
        (oxygen("simple-mask", fio2=50, when="2 h"), oxygen(flow="0", when="1 h"), "graded 1"),
        (room_air("2 h"), oxygen("nasal-cannula", "3", "1 h"), "graded 2"),
        (room_air("2 h"), oxygen(flow="3", when="1 h"), "provisional 2"),
        (room_air("2 h"), oxygen(fio2=40, when="1 h"), "provisional 2 or higher"),
        (oxygen(flow="0", when="2 h"), oxygen("nasal-cannula", when="1 h"), "provisional 2 or higher"),
        (oxygen("nasal-cannula", when="2 h"), oxygen(flow="7", when="1 h"), "graded 3"),
        (oxygen(flow="7", when="2 h"), oxygen("nasal-cannula", when="1 h"), "graded 3"),
        (oxygen("nasal-cannula", "7", "2 h"), oxygen("nasal-cannula", when="1 h"), "graded 3"),
        (oxygen("simple-mask", "7", "2 h"), oxygen("nasal-cannula", when="1 h"), "provisional 2 or higher"),
        (oxygen("simple-mask", "7", "2 h"), oxygen("oxygen helmet", when="1 h"), "provisional 1 or higher"),
        (oxygen("oxygen helmet", "7", "2 h"), oxygen("oxygen helmet", when="1 h"), "provisional 3"),
        (oxygen("simple-mask", when="2 h"), oxygen(flow="2", when="1 h"), "graded 3"),
        (oxygen("bilevel", when="2 h"), oxygen(flow="0", when="1 h"), "graded 4"),
        (oxygen("bilevel", when="2 h"), oxygen("oxygen helmet", when="1 h"), "provisional 1 or higher"),
        (oxygen("nasal-cannula", "2", "2 h"), oxygen("bilevel", when="-10 min"), "graded 2"),
    ],
)
def test_4_4_and_dq_10_the_support_charted_last_counts(earlier: Fact, later: Fact, grade: str) -> None:
    assert outcome(febrile(earlier, later)) == grade


def test_dq_10_a_flow_belongs_to_the_device_that_was_on_when_it_was_charted() -> None:
    mask, flow = oxygen("simple-mask", when="3 h"), oxygen(flow="7", when="2 h")
    assert outcome(febrile(mask, flow, oxygen("nasal-cannula", when="1 h"))) == "provisional 2 or higher"
    cannula = oxygen("nasal-cannula", when="3 h")
    assert outcome(febrile(cannula, flow, oxygen("nasal-cannula", when="1 h"))) == "graded 3"


@pytest.mark.parametrize(
    ("one", "other", "grade"),
    [
        (oxygen("nasal-cannula", "2"), oxygen("non-rebreather"), "graded 3"),
        (oxygen("bilevel"), oxygen("non-rebreather"), "graded 4"),
        (room_air(), oxygen("nasal-cannula", "2"), "graded 2"),
        (room_air(), oxygen(flow="2"), "provisional 2"),
        (room_air(), oxygen("oxygen helmet"), "provisional 1 or higher"),
        (oxygen("oxygen helmet"), oxygen("nasal-cannula", "2"), "graded 2"),
        (oxygen("blow-by"), oxygen("nasal-cannula", "8"), "graded 3"),
        (oxygen("nasal-cannula", "2"), oxygen("nasal-cannula", "8"), "graded 3"),
        (oxygen(flow="0"), oxygen(fio2=50), "provisional 2 or higher"),
        (oxygen("simple-mask", "0"), oxygen(fio2=50), "graded 3"),
        (oxygen("bilevel"), oxygen("nasal-cannula", "8"), "graded 4"),
        (oxygen("nasal-cannula", "0"), oxygen("nasal-cannula", "0.1"), "graded 2"),
        (oxygen("", fio2=21), oxygen("", fio2=22), "provisional 2 or higher"),
    ],
)
def test_t61_of_what_is_charted_at_one_instant_the_worse_counts(one: Fact, other: Fact, grade: str) -> None:
    assert outcome(febrile(one, other)) == grade
    assert outcome(febrile(other, one)) == grade


@pytest.mark.parametrize(
    ("flow", "device", "grade"),
    [("2", "Venturi mask", 2), ("6", "Venturi mask", 2), ("6.1", "nasal cannula", 3), ("8", "nasal cannula", 3)],
)
def test_t61_a_high_flow_outranks_a_device_of_grade_2_and_a_low_flow_does_not(
    flow: str, device: str, grade: int
) -> None:
    venturi = replace(SCALE.devices["venturi"], grade=2)
    scale = replace(SCALE, devices={**SCALE.devices, "venturi": venturi})
    timeline = febrile(oxygen("venturi"), oxygen("nasal-cannula", flow))
    finding = rules.hypoxia(timeline, scale, NOW)
    assert (device in finding.headline, finding.grade) == (True, grade)


def test_t61_one_reading_of_oxygen_is_no_contradiction() -> None:
    assert hypoxia(febrile(oxygen(flow="4"))).notes == ()
    assert hypoxia(febrile(oxygen("nasal-cannula", "4"))).notes == ()


def test_t61_a_contradiction_at_one_instant_is_said() -> None:
    differ = hypoxia(febrile(oxygen("nasal-cannula", "2"), oxygen("non-rebreather")))
    assert differ.notes == ("oxygen devices charted at one time differ: the one with the higher grade was used",)
    both = hypoxia(febrile(room_air(), oxygen(flow="2")))
    assert both.notes == ("oxygen and no oxygen are both charted: oxygen was counted",)
    assert [evidence.display for evidence in both.evidence] == ["O2 2 L/min", "room air", "SpO2 97 %"]


# A support that is charted as a procedure lasts from its start to its end.


@pytest.mark.parametrize(
    ("period", "reading", "grade"),
    [
        (oxygen("bilevel", when="3 d", lasts=True), None, "graded 4"),
        (oxygen("bilevel", when="10 h", until="3 h"), None, "provisional 4"),
        (oxygen("bilevel", when="10 h", until="3 h"), oxygen("nasal-cannula", "2", "2 h"), "graded 2"),
        (oxygen("bilevel", when="10 h", until="3 h"), room_air("2 h"), "graded 1"),
        (oxygen("nasal-cannula", when="3 d", lasts=True), oxygen("bilevel", when="1 h"), "graded 4"),
        (oxygen("nasal-cannula", when="3 d", lasts=True), oxygen("non-rebreather", "15", "1 h"), "graded 3"),
        (oxygen("nasal-cannula", when="3 d", lasts=True), oxygen("nasal-cannula", "8", "1 h"), "graded 3"),
        (oxygen("nasal-cannula", when="3 d", lasts=True), oxygen(flow="8", when="1 h"), "graded 3"),
        (oxygen("nasal-cannula", when="3 d", lasts=True), oxygen(flow="0", when="1 h"), "provisional 2 or higher"),
        (oxygen("nasal-cannula", when="3 d", lasts=True), room_air("1 h"), "provisional 2 or higher"),
        (oxygen("bilevel", when="3 d", lasts=True), oxygen("nasal-cannula", "2", "1 h"), "graded 4"),
        (oxygen("oxygen helmet", when="10 h", until="3 h"), None, "provisional 1 or higher"),
        (oxygen("intubation", when="2 h", until="2 h"), None, "graded 4"),
        (oxygen("intubation", when="5 h", until="5 h"), None, "provisional 1 or higher"),
    ],
)
def test_a_procedure_that_goes_on_hides_no_worse_device_charted_during_it(
    period: Fact, reading: Fact | None, grade: str
) -> None:
    assert outcome(febrile(period, *([reading] if reading else []))) == grade


def test_a_support_that_has_ended_without_a_successor_is_to_be_confirmed() -> None:
    for until, ago in (("3 h", "3 h"), ("1 min", "1 min")):
        assert hypoxia(febrile(oxygen("bilevel", when="10 h", until=until))).doubts == (
            f"BiPAP is charted until {ago} ago, and nothing since: confirm",
        )
    assert hypoxia(febrile(oxygen("bilevel", when="10 h", until="0 min"))).doubts == ()


# C20: home CPAP, and ventilation for the airway or a procedure.


@pytest.mark.parametrize(
    ("facts", "state", "grade"),
    [
        ((oxygen("cpap"), diagnosis(OPAP)), "not-met", "provisional 1"),
        ((oxygen("cpap"),), "met", "graded 4"),
        ((oxygen("cpap"), diagnosis(OPAP, "0 min")), "not-met", "provisional 1"),
        ((oxygen("cpap"), diagnosis(OPAP, "-10 min")), "met", "graded 4"),
        ((oxygen("bilevel"), diagnosis(OPAP)), "met", "graded 4"),
        ((oxygen("cpap", "4"), diagnosis(OPAP)), "met", "provisional 2"),
        ((oxygen("cpap", "8"), diagnosis(OPAP)), "met", "provisional 3"),
        ((oxygen("cpap", fio2=40), diagnosis(OPAP)), "met", "provisional 2 or higher"),
        ((oxygen("cpap"), diagnosis(OPAP), saturation(85)), "met", "provisional 2"),
        ((oxygen("cpap"), room_air("2 h"), diagnosis(OPAP)), "not-met", "provisional 1"),
        ((oxygen("cpap"), oxygen("nasal-cannula", "3", "2 h"), diagnosis(OPAP)), "met", "provisional 2"),
        ((oxygen("cpap"), oxygen("non-rebreather", when="2 h"), diagnosis(OPAP)), "met", "provisional 3"),
        ((oxygen("cpap"), oxygen("non-rebreather"), diagnosis(OPAP)), "met", "provisional 3"),
        ((oxygen("cpap", when="2 h"), oxygen("nasal-cannula", "3"), diagnosis(OPAP)), "met", "graded 2"),
        ((oxygen("cpap", when="2 h"), room_air(), diagnosis(OPAP)), "not-met", "graded 1"),
        ((oxygen("cpap", when="2 h"), oxygen("bilevel"), diagnosis(OPAP)), "met", "graded 4"),
    ],
)
def test_c20_home_cpap_is_not_counted_and_said(facts: tuple[Fact, ...], state: str, grade: str) -> None:
    timeline = febrile(*facts)
    assert (hypoxia(timeline).state, outcome(timeline)) == (state, grade)


def test_c20_why_cpap_was_not_counted_is_a_doubt() -> None:
    finding = hypoxia(febrile(oxygen("cpap"), diagnosis(OPAP)))
    assert finding.doubts == ("CPAP was not counted: home-positive-pressure is charted",)
    assert [evidence.display for evidence in finding.evidence] == ["CPAP", "SpO2 97 %"]


AIRWAY = Flag.AIRWAY_ONLY


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ((oxygen("intubation", None, "2 h", AIRWAY, lasts=True),), "provisional 1"),
        ((oxygen("intubation", None, "2 h", lasts=True),), "graded 4"),
        ((oxygen("intubation", None, "2 h", AIRWAY, lasts=True), oxygen("ventilator", when="1 h")), "provisional 1"),
        (
            (oxygen("intubation", None, "2 h", AIRWAY, lasts=True), oxygen("ventilator", when="1 h", fio2=60)),
            "provisional 2 or higher",
        ),
        ((oxygen("intubation", None, "2 h", AIRWAY, lasts=True), oxygen("bilevel", when="1 h")), "provisional 4"),
        ((oxygen("intubation", None, "2 h", AIRWAY, lasts=True), oxygen("ventilator", when="2 h")), "provisional 1"),
        ((oxygen("intubation", None, "3 h", AIRWAY, until="1 h"), oxygen("ventilator", when="1 h")), "provisional 1"),
        ((oxygen("intubation", None, "3 h", AIRWAY, until="2 h"), oxygen("ventilator", when="1 h")), "graded 4"),
        ((oxygen("intubation", None, "1 h", AIRWAY, lasts=True), oxygen("ventilator", when="2 h")), "provisional 4"),
        ((oxygen("simple-mask", None, "1 h", AIRWAY),), "graded 3"),
    ],
)
def test_c20_ventilation_for_the_airway_or_a_procedure_is_not_counted_without_oxygen(
    facts: tuple[Fact, ...], grade: str
) -> None:
    assert outcome(febrile(*facts)) == grade


# DQ-43: an incomplete record.


@pytest.mark.parametrize(
    ("facts", "gaps", "grade"),
    [
        ((), unread("oxygen", "saturations"), "provisional 1 or higher"),
        ((room_air("30 min"),), known_since("29 min", "oxygen"), "provisional 1 or higher"),
        ((room_air("30 min"),), known_since("30 min", "oxygen"), "graded 1"),
        ((oxygen("nasal-cannula", "2", "30 min"),), known_since("29 min", "oxygen"), "provisional 2 or higher"),
        ((oxygen("nasal-cannula", "2", "30 min"),), known_since("30 min", "oxygen"), "graded 2"),
        ((oxygen(flow="2", when="30 min"),), known_since("1 h", "oxygen"), "provisional 2 or higher"),
        ((oxygen(flow="0", when="30 min"),), known_since("1 h", "oxygen"), "provisional 1 or higher"),
        ((oxygen(flow="0", when="30 min"),), known_since("4 h", "oxygen"), "graded 1"),
        ((oxygen("non-rebreather", when="30 min"),), known_since("1 h", "oxygen"), "graded 3"),
        ((oxygen("simple-mask", when="2 d", lasts=True),), known_since("4 h", "oxygen"), "graded 3"),
        (
            (oxygen("nasal-cannula", when="2 h"), oxygen(flow="2", when="30 min")),
            known_since("1 h", "oxygen"),
            "provisional 2 or higher",
        ),
        ((oxygen("non-rebreather"),), unread("oxygen"), "provisional 3 or higher"),
        ((oxygen("bilevel"),), unread("oxygen"), "provisional 4"),
        ((oxygen("bilevel", when="30 min"),), known_since("29 min", "oxygen"), "provisional 4"),
        ((oxygen("bilevel", when="30 min"),), known_since("30 min", "oxygen"), "graded 4"),
        ((oxygen("bilevel", when="30 min"),), known_since("31 min", "oxygen"), "graded 4"),
        ((saturation(86),), unread("oxygen"), "provisional 2 or higher"),
        ((saturation(97),), unread("saturations"), "graded 1"),
    ],
)
def test_dq_43_what_was_charted_last_is_only_known_when_all_since_is(
    facts: tuple[Fact, ...], gaps: dict, grade: str
) -> None:
    assert outcome(febrile(*facts, gaps=gaps)) == grade


def test_dq_43_t45_oxygen_support_that_could_not_be_read_is_named_and_may_have_been_less_than_the_highest() -> None:
    gaps = unread("oxygen")
    highest, high = (hypoxia(febrile(oxygen(device), gaps=gaps)) for device in ("bilevel", "non-rebreather"))
    assert highest.missing == high.missing == ("other oxygen support (the EHR did not answer)",)
    assert (highest.floor, highest.doubts) == (
        False,
        ("less oxygen support may be charted since, in what could not be read",),
    )
    assert (high.floor, high.doubts) == (True, ())


def test_dq_43_saturations_that_could_not_all_be_had_are_named() -> None:
    assert hypoxia(febrile(gaps=known_since("1 h", "saturations"))).missing == (
        "SpO2 in the last 4 h (only one page was sent)",
    )
    assert hypoxia(febrile(gaps=known_since("4 h", "saturations"))).missing == ()


# DQ-02, DQ-39: doubtful readings.


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ((oxygen("nasal-cannula", "4", "30 min", Flag.UNIT_INFERRED),), "provisional 2"),
        ((oxygen("non-rebreather", None, "30 min", Flag.ASSUMED_ZONE),), "provisional 3"),
        ((oxygen("bilevel", None, "30 min", Flag.ASSUMED_ZONE),), "provisional 4"),
        ((oxygen("nasal-cannula"), oxygen("", "4", "30 min", Flag.UNIT_INFERRED)), "provisional 2"),
        ((oxygen("non-rebreather"), oxygen("", "4", "30 min", Flag.UNIT_INFERRED)), "graded 3"),
        ((oxygen("nasal-cannula", "4", "30 min", Flag.UPPER_END_OF_RANGE),), "graded 2"),
    ],
)
def test_dq_39_hypoxia_that_rests_on_a_doubtful_reading_is_provisional(facts: tuple[Fact, ...], grade: str) -> None:
    assert outcome(febrile(*facts)) == grade


# What is shown.


@pytest.mark.parametrize(
    ("support", "headline"),
    [
        (oxygen("nasal-cannula", "2"), "O2 2 L/min nasal cannula"),
        (oxygen("nasal-cannula"), "O2 nasal cannula"),
        (oxygen("simple-mask", "5"), "simple face mask 5 L/min"),
        (oxygen("bilevel", fio2=50), "BiPAP FiO2 50 %"),
        (oxygen(flow="2.50"), "O2 2.5 L/min"),
        (oxygen("oxygen helmet", "4"), "O2 4 L/min oxygen helmet"),
    ],
)
def test_the_support_is_named_as_a_clinician_would(support: Fact, headline: str) -> None:
    assert hypoxia(febrile(support)).headline == headline


def test_on_oxygen_only_the_last_saturation_of_the_window_is_shown() -> None:
    saturations = (saturation(97, "3 h"), saturation(94, "2 h"), saturation(96, "1 h"))
    finding = hypoxia(febrile(oxygen("nasal-cannula", "2"), *saturations))
    assert [evidence.display for evidence in finding.evidence] == ["O2 2 L/min nasal cannula", "SpO2 96 %"]


@pytest.mark.parametrize(
    ("support", "notes"),
    [
        (oxygen("aerosol-mask"), ("an aerosol mask is counted as a face mask: confirm",)),
        (oxygen("high-flow-nasal-cannula", "2"), (LOW_HFNC,)),
        (oxygen("high-flow-nasal-cannula", "6"), (LOW_HFNC,)),
        (oxygen("high-flow-nasal-cannula", "6.1"), ()),
        (oxygen("high-flow-nasal-cannula"), ()),
        (oxygen("non-rebreather"), ()),
    ],
)
def test_c15_a_device_that_is_graded_by_judgement_is_to_be_confirmed(support: Fact, notes: tuple[str, ...]) -> None:
    assert hypoxia(febrile(support)).notes == notes


@pytest.mark.parametrize(
    ("facts", "litres"),
    [
        ((oxygen("nasal-cannula", "6.0"),), 6),
        ((oxygen("nasal-cannula", "2", "2 h"), oxygen("nasal-cannula", "6", "1 h")), 6),
        ((oxygen("simple-mask", "6", "2 h"), oxygen("nasal-cannula", when="1 h")), None),
        ((room_air(),), None),
        ((), None),
    ],
)
def test_c24_the_latest_flow_is_that_of_the_support_in_use(facts: tuple[Fact, ...], litres: int | None) -> None:
    assert latest_flow(patient(*facts), SCALE, NOW) == litres


def test_s_grade_gate_hypoxia_without_fever_is_no_crs() -> None:
    assert outcome(afebrile(oxygen("bilevel"))) == "no-crs 0"
    assert outcome(afebrile(oxygen("bilevel"), drug("acetaminophen", "3 h"))) == "provisional 4"

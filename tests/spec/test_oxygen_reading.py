"""Oxygen devices by code and by word: table 3.4, DQ-15, and the procedures that are respiratory support."""

from typing import Any

import pytest

from cds_service.crs.timeline import FOREVER, Flag, Timeline
from tests.chart import (
    DAY,
    HOUR,
    ICD10,
    LOINC,
    NOW,
    SNOMED,
    Json,
    at,
    component,
    concept,
    content,
    day,
    observation,
    oxygen,
    procedure,
    quantity,
    read,
    reasons,
)

CODED = {
    "371907003": "nasal-cannula",
    "71786000": "nasal-cannula",
    "1336169000": "nasal-cannula",
    "336623009": "nasal-cannula",
    "425478008": "blow-by",
    "371908008": "simple-mask",
    "429253002": "venturi",
    "428285009": "venturi",
    "464233000": "partial-rebreather",
    "463587004": "partial-rebreather",
    "315041000": "non-rebreather",
    "427591007": "non-rebreather",
    "1259025002": "high-flow-nasal-cannula",
    "47545007": "cpap",
    "704718009": "bilevel",
    "243142003": "bilevel",
    "1186618000": "bilevel",
    "447837008": "bilevel",
    "428311008": "bilevel",
    "1149092001": "positive-pressure",
    "112798008": "intubation",
    "26412008": "intubation",
    "1258985005": "ventilator",
    "40617009": "ventilator",
    "57485005": "oxygen-unspecified",
}
WORDED = {
    "room air": "room-air",
    "Room Air ": "room-air",
    "RA": "room-air",
    "None": "room-air",
    "No oxygen": "room-air",
    "nasal cannula": "nasal-cannula",
    "NC": "nasal-cannula",
    "2L NC": "nasal-cannula",
    "Low flow oxygen": "nasal-cannula",
    "blow-by": "blow-by",
    "Blow by": "blow-by",
    "face mask": "simple-mask",
    "Simple mask": "simple-mask",
    "Aerosol-cool": "aerosol-mask",
    "Face tent": "face-tent",
    "Trach mask ": "tracheostomy-mask",
    "Venti mask ": "venturi",
    "Venturi": "venturi",
    "Partial rebreather mask": "partial-rebreather",
    "Non-rebreather": "non-rebreather",
    "NRB": "non-rebreather",
    "High flow nasal cannula": "high-flow-nasal-cannula",
    "high flow nasal oxygen": "high-flow-nasal-cannula",
    "High flow oxygen therapy": "high-flow-nasal-cannula",
    "HFNC": "high-flow-nasal-cannula",
    "Optiflow": "high-flow-nasal-cannula",
    "Vapotherm": "high-flow-nasal-cannula",
    "CPAP mask ": "cpap",
    "CPAP": "cpap",
    "CPAP via nasal cannula": "cpap",
    "Bipap mask ": "bilevel",
    "BiPAP": "bilevel",
    "NIV (oronasal mask)": "bilevel",
    "BiPAP via full face mask": "bilevel",
    "Endotracheal tube": "intubation",
    "Ventilator": "ventilator",
    "Tracheostomy tube": "tracheostomy-tube",
    "Tracheostomy tube on ventilator": "ventilator",
    "T-piece": "oxygen-unspecified",
    "Supplemental oxygen": "oxygen-unspecified",
    "Room air at rest, 2 L nasal cannula on exertion": "nasal-cannula",
    "Off BiPAP, 2 L nasal cannula": "nasal-cannula",
    "Extubated to nasal cannula": "nasal-cannula",
    "Nasal cannula, not on CPAP": "nasal-cannula",
}
UNKNOWN = ["mask", "Oxymizer", "Medium conc mask", "Other", "strand", "branch", "off BiPAP", "CPAP titration"]


def device(code: Any = None, **value: Any) -> Json:
    """An Observation of the oxygen device."""
    return observation(concept(LOINC, "107117-4"), **({"valueCodeableConcept": code} if code else {}), **value)


def devices(timeline: Timeline) -> list[tuple[str | None, str]]:
    return [(fact.device, fact.device_text) for fact in timeline.oxygen]


@pytest.mark.parametrize(("code", "expected"), CODED.items())
def test_3_4_every_device_code_is_read(code: str, expected: str) -> None:
    assert devices(read(device(concept(SNOMED, code)))) == [(expected, "")]


@pytest.mark.parametrize(("words", "expected"), WORDED.items())
def test_3_4_dq15_every_device_word_is_read_longest_first_and_the_gravest_of_several(words: str, expected: str) -> None:
    assert devices(read(oxygen(words))) == [(expected, "")]
    assert devices(read(device(valueString=words))) == [(expected, "")]
    assert devices(read(device({"coding": [{"system": "urn:local", "code": "1", "display": words}]}))) == [
        (expected, "")
    ]


def test_3_4_every_device_class_of_the_scale_can_be_read() -> None:
    assert {*CODED.values(), *WORDED.values()} == set(content().scale.devices)


@pytest.mark.parametrize("words", UNKNOWN)
def test_dq15_a_device_that_no_rule_knows_keeps_its_name(words: str) -> None:
    assert devices(read(oxygen(words))) == [(None, words)]


@pytest.mark.parametrize("code", ["398055003", "870533002", "10179008", "22762002"])
def test_3_4_codes_that_are_wrong_or_not_confirmed_are_unknown_devices(code: str) -> None:
    assert devices(read(device(concept(SNOMED, code, "something")))) == [(None, "something")]


@pytest.mark.parametrize(
    ("code", "words", "expected"),
    [
        ("57485005", "BiPAP", "bilevel"),
        ("57485005", "High flow nasal cannula 40 L/min", "high-flow-nasal-cannula"),
        ("371907003", "Nasal cannula", "nasal-cannula"),
        ("371907003", "Room air", "nasal-cannula"),
        ("47545007", "nasal prongs", "cpap"),
    ],
)
def test_t61_of_a_code_and_a_text_that_differ_the_graver_counts(code: str, words: str, expected: str) -> None:
    assert devices(read(device(concept(SNOMED, code) | {"text": words}))) == [(expected, "")]


def test_t61_of_several_codings_the_graver_counts() -> None:
    both = {"coding": [{"system": SNOMED, "code": code} for code in ("57485005", "428311008")]}
    assert devices(read(device(both))) == [("bilevel", "")]


def test_a_device_named_late_in_a_long_text_is_found() -> None:
    assert devices(read(oxygen("Respiratory support. " * 20 + "BiPAP"))) == [("bilevel", "")]


def test_device_flow_and_fraction_charted_at_once_are_one_fact() -> None:
    (fact,) = read(oxygen("Nasal cannula", flow=3, fio2=32)).oxygen
    assert (fact.device, fact.flow, fact.fio2, fact.until) == ("nasal-cannula", 3, 32, None)


def test_t61_of_two_devices_or_flows_in_one_observation_the_graver_counts() -> None:
    parts = [
        component("107117-4", valueCodeableConcept={"text": "BiPAP"}),
        component("107117-4", valueCodeableConcept={"text": "Nasal cannula"}),
        component("3151-8", valueQuantity=quantity(7, "L/min")),
        component("3151-8", valueQuantity=quantity(2, "L/min")),
        component("3150-0", valueQuantity=quantity(50, "%")),
        component("71835-3", valueQuantity=quantity(0.3, "1")),
    ]
    for order in (parts, parts[::-1]):
        (fact,) = read(observation({"text": "Support"}, component=order)).oxygen
        assert (fact.device, fact.flow, fact.fio2) == ("bilevel", 7, 50)


def test_an_unknown_device_outweighs_room_air_charted_beside_it() -> None:
    parts = [component("107117-4", valueString=words) for words in ("Room air", "Oxymizer")]
    assert devices(read(observation({"text": "Support"}, component=parts))) == [(None, "Oxymizer")]


@pytest.mark.parametrize("code", ["3151-8", "19941-4"])
def test_3_3_both_flow_codes_are_read(code: str) -> None:
    (fact,) = read(observation(concept(LOINC, code), valueQuantity=quantity(3, "L/min"))).oxygen
    assert (fact.flow, fact.device) == (3, None)


@pytest.mark.parametrize("code", ["3150-0", "19994-3", "71835-3"])
def test_3_3_every_fraction_code_is_read_and_implies_no_device(code: str) -> None:
    (fact,) = read(observation(concept(LOINC, code), valueQuantity=quantity(0.5, "1"))).oxygen
    assert (fact.fio2, fact.device) == (50, None)


@pytest.mark.parametrize("code", ["59408-5", "2708-6", "59407-7"])
def test_3_3_every_saturation_code_is_read(code: str) -> None:
    assert [fact.percent for fact in read(observation(concept(LOINC, code), valueInteger=91)).saturations] == [91]


@pytest.mark.parametrize("code", ["19224-5", "19930-7"])
def test_3_3_a_venous_saturation_and_an_airway_flow_are_refused(code: str) -> None:
    timeline = read(observation(concept(LOINC, code), valueQuantity=quantity(70, "%")))
    assert (timeline.saturations, timeline.oxygen) == ((), ())
    assert len(timeline.unused) == 1


@pytest.mark.parametrize("code", ["3150-6", "76248-4"])
def test_3_3_a_code_that_is_none_and_a_pressure_of_the_ventilator_are_no_oxygen(code: str) -> None:
    assert read(observation(concept(LOINC, code), valueQuantity=quantity(40, "%"))).oxygen == ()


@pytest.mark.parametrize(
    ("value", "reason"),
    [
        ({"dataAbsentReason": {"text": "unknown"}}, "oxygen device: the value is charted as absent"),
        (
            {"valueCodeableConcept": {"text": "BiPAP"}, "dataAbsentReason": {"text": "x"}},
            "oxygen device: the value is charted as absent",
        ),
        ({}, "oxygen device: it has no value"),
        ({"valueInteger": 3}, "oxygen device: the value is not a term"),
    ],
)
def test_dq17_a_device_that_is_absent_is_missing_and_no_room_air(value: Json, reason: str) -> None:
    timeline = read(device(**value))
    assert timeline.oxygen == ()
    assert reasons(timeline) == [reason]


def test_a_device_without_any_name_is_unknown() -> None:
    assert devices(read(device({"coding": [{"system": SNOMED, "code": "1"}]}))) == [(None, "no name")]


def period(start: Any, end: Any = None) -> Json:
    return {"start": start} | ({"end": end} if end is not None else {})


def test_support_charted_as_a_procedure_lasts_as_long_as_its_period() -> None:
    going_on = procedure(concept(SNOMED, "428311008"), status="in-progress", performedPeriod=period(at(9 * HOUR)))
    ended = procedure(concept(SNOMED, "47545007"), performedPeriod=period(at(9 * HOUR), at(5 * HOUR)))
    timeline = read(going_on, ended)
    assert {fact.device: fact.until for fact in timeline.oxygen} == {"cpap": NOW - 5 * HOUR, "bilevel": FOREVER}


def test_support_in_progress_counts_though_only_its_day_is_charted_or_its_end_is_unreadable() -> None:
    by_day = procedure("BiPAP", status="in-progress", performedPeriod=period(day(DAY)))
    by_date = procedure("BiPAP", status="in-progress") | {"performedDateTime": day(DAY)}
    unreadable = procedure("BiPAP", status="in-progress", performedPeriod=period(at(DAY), "soon"))
    for resource in (by_day, by_date, unreadable):
        assert [fact.until for fact in read(resource).oxygen] == [FOREVER]


def test_t61_of_the_code_and_the_text_of_a_procedure_the_graver_counts() -> None:
    (fact,) = read(procedure(concept(SNOMED, "57485005") | {"text": "BiPAP"})).oxygen
    assert fact.device == "bilevel"


@pytest.mark.parametrize(
    "when",
    [
        {"performedDateTime": day(DAY)},
        {"performedPeriod": period(at(DAY), "soon")},
        {"performedPeriod": period(at(HOUR), at(DAY))},
        {"performedPeriod": {}},
        {"performedString": "last night"},
    ],
)
def test_support_that_is_over_at_an_unknown_time_is_said(when: Json) -> None:
    resource = procedure("BiPAP") | when
    if "performedDateTime" not in when:
        del resource["performedDateTime"]
    timeline = read(resource)
    assert timeline.oxygen == ()
    assert reasons(timeline)[0].startswith("BiPAP: ")


@pytest.mark.parametrize(
    "status", ["preparation", "not-done", "on-hold", "stopped", "entered-in-error", "unknown", None]
)
def test_support_that_was_not_given_is_said(status: Any) -> None:
    timeline = read(procedure("BiPAP") | {"status": status})
    assert timeline.oxygen == ()
    assert reasons(timeline)[0].startswith("BiPAP: status is ")


def test_a_procedure_without_a_name_is_called_as_in_the_table() -> None:
    timeline = read(procedure(concept(SNOMED, "428311008"), status="not-done"))
    assert reasons(timeline) == ["BiPAP: status is not-done"]


@pytest.mark.parametrize(
    "words",
    [
        "Removal of endotracheal tube",
        "Extubation",
        "RA catheterization",
        "CPAP titration",
        "Education about oxygen therapy",
        "Discontinuation of mechanical ventilation",
        "Cardiology consultation",
        "Room air trial",
    ],
)
def test_a_procedure_that_only_names_a_device_is_no_support(words: str) -> None:
    assert read(procedure(words)).oxygen == ()


@pytest.mark.parametrize(
    ("stated", "airway_only"),
    [
        ([], False),
        ([{"text": "Airway protection"}], True),
        ([{"text": "For bronchoscopy"}], True),
        ([{"text": "Seizure"}], True),
        ([{"text": "Hypoxia"}], False),
        ([{"text": "Hypoxic respiratory failure, airway protection"}], False),
        ([{"text": "Airway protection"}, {"text": "Hypoxemia"}], False),
        ([{"text": "Airway protection"}, concept(ICD10, "J96.01")], False),
        ([concept(ICD10, "R09.02")], False),
        ([{"text": "CRS"}], False),
        ([{"text": "Fairway"}], False),
    ],
)
def test_c20_support_is_for_the_airway_only_when_nothing_speaks_of_hypoxia(
    stated: list[Json], airway_only: bool
) -> None:
    (fact,) = read(procedure("Endotracheal intubation", reasonCode=stated)).oxygen
    assert (Flag.AIRWAY_ONLY in fact.flags) is airway_only

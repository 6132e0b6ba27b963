"""What an Observation is about, and whether it may be used: the code tables 3.1 to 3.7, DQ-15, DQ-30 to DQ-36."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.timeline import Cause, Flag, Timeline
from cds_service.fhir.elements import text
from tests.chart import (
    CRS,
    HOUR,
    LOINC,
    MINUTE,
    NOW,
    RXNORM,
    Json,
    at,
    component,
    concept,
    lab,
    measured,
    observation,
    pressure,
    quantity,
    read,
    reasons,
    saturation,
    score,
    systolic,
    temperature,
    weight,
)

SITES = {
    "8310-5": "",
    "8331-1": "oral",
    "8332-9": "rectal",
    "8328-7": "axillary",
    "8329-5": "core",
    "8333-7": "tympanic",
    "8334-5": "bladder",
    "60836-4": "esophageal",
    "76010-8": "nasal",
    "60834-9": "blood",
    "75539-7": "temporal artery",
}


@pytest.mark.parametrize(("code", "site"), SITES.items())
def test_3_1_every_temperature_code_is_read_and_names_its_site(code: str, site: str) -> None:
    (fact,) = read(temperature(38.6, code=code)).temperatures
    assert (fact.celsius, fact.site, fact.flags) == (Decimal("38.6"), site, ())


@pytest.mark.parametrize("code", ["39106-0", "60955-2", "61009-7", "20092-3", "8327-9", "8336-0"])
def test_3_1_a_code_that_is_no_body_temperature_is_refused_with_its_reason(code: str) -> None:
    timeline = read(temperature(38.6, code=code))
    assert timeline.temperatures == ()
    assert "temperature" in reasons(timeline)[0]


@pytest.mark.parametrize("code", ["8330-3", "60838-0", "104063-3", "99999-9"])
def test_3_1_an_unknown_loinc_code_is_not_read_by_its_words_and_is_said(code: str) -> None:
    timeline = read(temperature(38.6, code=code) | {"code": concept(LOINC, code, "Body temperature")})
    assert timeline.temperatures == ()
    assert reasons(timeline) == [f"the code {code} is not in the code tables"]


@pytest.mark.parametrize("where", ["bodySite", "method"])
def test_3_1_the_site_may_come_beside_the_general_code(where: str) -> None:
    (fact,) = read(temperature(38.6) | {where: {"text": "Oral"}}).temperatures
    assert (fact.site, fact.celsius) == ("oral", Decimal("38.6"))


SYSTOLIC = {
    "8480-6": "",
    "76215-3": "invasive",
    "76534-7": "cuff",
    "8459-0": "",
    "8460-8": "",
    "8461-6": "",
}


@pytest.mark.parametrize(("code", "method"), SYSTOLIC.items())
def test_3_2_every_systolic_code_is_read_alone_and_as_a_component(code: str, method: str) -> None:
    panel = observation(concept(LOINC, "85354-9"), component=[component(code, valueQuantity=quantity(86, "mm[Hg]"))])
    for resource in (systolic(86, code=code), panel):
        (fact,) = read(resource).pressures
        assert (fact.systolic, fact.method) == (86, method)
        assert fact.flags == ((Flag.STANDING,) if code == "8460-8" else ())


@pytest.mark.parametrize("code", ["8462-4", "76213-8", "76535-4", "8478-0", "76214-6", "76536-2"])
def test_3_2_diastolic_and_mean_pressures_are_context_and_no_pressure_that_is_graded(code: str) -> None:
    timeline = read(systolic(60, code=code))
    assert (timeline.pressures, timeline.unused) == ((), ())


@pytest.mark.parametrize(("code", "method"), [("8478-0", ""), ("76214-6", "invasive"), ("76536-2", "cuff")])
def test_3_2_a_mean_pressure_is_read_to_be_shown_alone_and_in_a_panel(code: str, method: str) -> None:
    parts = [
        component(code, valueQuantity=quantity(58, "mm[Hg]")),
        component("8480-6", valueQuantity=quantity(86, "mm[Hg]")),
    ]
    panel = observation(concept(LOINC, "85354-9"), component=parts)
    for resource in (systolic(58, code=code), panel):
        (mean,) = read(resource).means
        assert (mean.mmhg, mean.method) == (58, method)


@pytest.mark.parametrize(("mmhg", "found"), [(9, 0), (10, 1), (200, 1), (201, 0)])
def test_3_2_what_is_plausible_of_a_diastolic_pressure_is_so_of_a_mean_one(mmhg: int, found: int) -> None:
    timeline = read(systolic(mmhg, code="8478-0"))
    assert (len(timeline.means), len(timeline.unused)) == (found, 1 - found)


@pytest.mark.parametrize("code", ["8440-0", "8385-7", "8414-5", "60985-9", "96607-7"])
def test_3_2_other_pressures_are_refused_with_their_reason(code: str) -> None:
    timeline = read(systolic(25, code=code))
    assert timeline.pressures == ()
    assert len(timeline.unused) == 1


@pytest.mark.parametrize("code", ["85354-9", "55284-4"])
def test_3_2_both_panels_are_read_by_their_components(code: str) -> None:
    timeline = read(pressure(86, 50) | {"code": concept(LOINC, code)})
    assert [(fact.systolic, fact.diastolic, fact.flags) for fact in timeline.pressures] == [(86, 50, ())]


def test_3_2_an_arterial_line_and_a_cuff_in_one_panel_are_two_readings_each_with_its_diastolic() -> None:
    charted = {"76215-3": 86, "76213-8": 48, "76534-7": 104, "76535-4": 60}
    parts = [component(code, valueQuantity=quantity(value, "mm[Hg]")) for code, value in charted.items()]
    timeline = read(observation(concept(LOINC, "85354-9"), component=parts))
    found = [(fact.systolic, fact.diastolic, fact.method) for fact in timeline.pressures]
    assert sorted(found) == [(86, 48, "invasive"), (104, 60, "cuff")]


@pytest.mark.parametrize("order", [(86, 118), (118, 86)])
def test_3_2_of_two_systolic_components_neither_is_lost(order: tuple[int, int]) -> None:
    parts = [component("8480-6", valueQuantity=quantity(value, "mm[Hg]")) for value in order]
    timeline = read(observation(concept(LOINC, "85354-9"), component=parts))
    assert sorted(fact.systolic for fact in timeline.pressures) == [86, 118]


def test_3_2_a_panel_without_a_systolic_pressure_is_said() -> None:
    parts = [component("8462-4", valueQuantity=quantity(50, "mm[Hg]"))]
    timeline = read(observation(concept(LOINC, "85354-9"), component=parts))
    assert timeline.pressures == ()
    assert reasons(timeline) == ["blood pressure: no systolic pressure in it"]


def test_3_2_a_panel_that_only_refers_to_its_members_is_no_loss() -> None:
    panel = observation(concept(LOINC, "85354-9"), hasMember=[{"reference": "Observation/s"}])
    timeline = read(panel, systolic(86, id="s"))
    assert [fact.systolic for fact in timeline.pressures] == [86]
    assert timeline.unused == ()


def test_3_2_one_number_in_a_panel_does_not_say_which_pressure_it_is() -> None:
    timeline = read(measured("85354-9", 86, "mm[Hg]"))
    assert timeline.pressures == ()
    assert reasons(timeline) == ["blood pressure: one number does not say which pressure it is"]


WEIGHTS = {"29463-7": "unspecified", "3141-9": "measured", "3142-7": "stated", "8335-2": "estimated"}


@pytest.mark.parametrize(("code", "how"), WEIGHTS.items())
def test_3_5_every_weight_code_is_read_with_how_it_was_had(code: str, how: str) -> None:
    assert [(fact.kilograms, fact.how) for fact in read(weight(70, code=code)).weights] == [(70, how)]


@pytest.mark.parametrize(("instrument", "highest"), [("ice-score", 10), ("capd-score", 32), ("crs-grade", 5)])
def test_3_5_scores_are_whole_numbers_in_the_range_of_their_instrument(instrument: str, highest: int) -> None:
    for value in (0, highest):
        assert [fact.value for fact in read(score(instrument, value)).scores] == [value]
    for value in (-1, highest + 1):
        timeline = read(score(instrument, value))
        assert timeline.scores == ()
        assert reasons(timeline)[0].endswith(f"the score is not a whole number from 0 to {highest}")


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        ({"valueCodeableConcept": {"text": "Grade 2"}}, 2),
        ({"valueCodeableConcept": {"coding": [{"display": "CRS grade 3"}]}}, 3),
        ({"valueQuantity": {"value": 2, "unit": "{grade}"}}, 2),
        ({"valueString": "2"}, 2),
        ({"valueQuantity": {"value": 2.5}}, None),
        ({"valueQuantity": {"value": 2, "comparator": "<"}}, None),
        ({"valueCodeableConcept": {"text": "Grade II"}}, None),
        ({"valueCodeableConcept": {"text": "Grade 22"}}, None),
        ({"valueCodeableConcept": {"text": "Grade 2²"}}, None),
        ({"valueCodeableConcept": {}}, None),
        ({}, None),
    ],
)
def test_3_5_a_grade_is_read_from_a_number_or_the_end_of_a_term(value: Json, expected: int | None) -> None:
    timeline = read(observation(concept(CRS, "crs-grade"), **value))
    assert [fact.value for fact in timeline.scores] == ([] if expected is None else [expected])
    assert len(timeline.unused) == (expected is None)


LABORATORY = {
    "neutrophils": "751-8 26499-4 753-4",
    "platelets": "777-3 26515-7",
    "cbc-panel": "58410-2 57021-8",
    "alt": "1742-6",
    "ast": "1920-8",
    "bilirubin": "1975-2",
    "creatinine": "2160-0",
    "cmp-panel": "24323-8",
    "crp": "1988-5",
    "ferritin": "2276-4",
    "fibrinogen": "3255-7",
    "ldh": "2532-0 14804-9 14805-6",
    "pt": "5902-2",
    "inr": "6301-6",
    "aptt": "14979-9 3173-2",
    "d-dimer": "48065-7 48066-5",
    "nt-probnp": "33762-6",
}


@pytest.mark.parametrize(("test", "code"), [(test, code) for test, all in LABORATORY.items() for code in all.split()])
def test_3_6_every_laboratory_code_is_read(test: str, code: str) -> None:
    assert [fact.test for fact in read(lab(code)).labs] == [test]


def test_3_6_a_result_without_a_value_is_no_result_and_a_panel_needs_none() -> None:
    empty, absent = lab("2276-4"), lab("1988-5") | {"dataAbsentReason": {"text": "hemolysed"}}
    del empty["valueQuantity"]
    panel = observation(concept(LOINC, "58410-2"))
    assert [fact.test for fact in read(empty, absent, panel).labs] == ["cbc-panel"]


@pytest.mark.parametrize("first", ["59408-5", "2708-6"])
def test_dq31_the_two_codes_of_us_core_on_one_observation_are_one_reading(first: str) -> None:
    resource = saturation(93)
    resource["code"]["coding"].sort(key=lambda coding: coding["code"] != first)
    timeline = read(resource)
    assert [fact.percent for fact in timeline.saturations] == [93]
    assert timeline.unused == ()


def test_dq31_a_refused_code_beside_a_known_one_refuses_the_reading() -> None:
    both = {"coding": [{"system": LOINC, "code": "8310-5"}, {"system": LOINC, "code": "39106-0"}]}
    timeline = read(temperature(33) | {"code": both})
    assert timeline.temperatures == ()
    assert reasons(timeline) == ["skin temperature is not body temperature"]


def test_dq32_all_three_readings_of_a_pulse_oximetry_are_read() -> None:
    timeline = read(saturation(91, flow=3, fio2=32))
    assert [fact.percent for fact in timeline.saturations] == [91]
    assert [(fact.flow, fact.fio2, fact.flags) for fact in timeline.oxygen] == [(3, 32, ())]


def test_an_observation_that_only_heads_its_components_is_no_loss() -> None:
    resource = saturation(91, flow=3)
    del resource["valueQuantity"]
    timeline = read(resource)
    assert (timeline.saturations, timeline.unused) == ((), ())
    assert [fact.flow for fact in timeline.oxygen] == [3]


def test_an_observation_without_value_and_components_is_said() -> None:
    timeline = read(observation(concept(LOINC, "59408-5")))
    assert reasons(timeline) == ["SpO2: it has no value"]


def test_a_panel_of_vital_signs_that_no_table_knows_is_read_by_its_components() -> None:
    parts = [
        component("8310-5", valueQuantity=quantity(38.6, "Cel")),
        component("8480-6", valueQuantity=quantity(86, "mm[Hg]")),
        component("8867-4", valueQuantity=quantity(120, "/min")),
        component("59408-5", valueQuantity=quantity(386, "%")),
    ]
    timeline = read(observation(concept(LOINC, "85353-1", "Vital signs"), component=parts))
    assert [fact.celsius for fact in timeline.temperatures] == [Decimal("38.6")]
    assert [fact.systolic for fact in timeline.pressures] == [86]
    assert reasons(timeline) == ["SpO2: 386 % is not plausible"]


@pytest.mark.parametrize("system", ["urn:oid:2.16.840.1.113883.6.1", LOINC])
def test_another_spelling_of_a_code_system_is_understood(system: str) -> None:
    timeline = read(temperature(38.6) | {"code": concept(system, "8310-5")})
    assert len(timeline.temperatures) == 1
    assert timeline.temperatures[0].flags == ()


@pytest.mark.parametrize(
    ("words", "expected"),
    [
        ("Body temperature", "temperatures"),
        ("BODY  TEMPERATURE", "temperatures"),
        ("Oral temperature", "temperatures"),
        ("Systolic blood pressure", "pressures"),
        ("Invasive systolic blood pressure", "pressures"),
        ("SpO2", "saturations"),
        ("Oxygen flow rate", "oxygen"),
        ("Body weight", "weights"),
    ],
)
def test_t69_a_local_code_is_read_by_its_words_and_flagged(words: str, expected: str) -> None:
    units = {
        "temperatures": (38.6, "Cel"),
        "pressures": (86, "mm[Hg]"),
        "saturations": (91, "%"),
        "weights": (70, "kg"),
    }
    value, unit = units.get(expected, (3, "L/min"))
    code = concept("urn:local", "4711", words)
    timeline = read(observation(code, valueQuantity=quantity(value, unit)))
    (fact,) = getattr(timeline, expected)
    assert fact.flags == (Flag.NAME_ONLY,)


@pytest.mark.parametrize(
    "words", ["Temp", "Temperature", "Tmax", "BP", "NIBP", "O2", "Sats", "Weight", "Norepinephrine level"]
)
def test_t69_what_may_be_a_reading_and_is_not_recognised_is_said(words: str) -> None:
    timeline = read(observation(concept("urn:local", "4711", words), valueQuantity=quantity(38.6, "Cel")))
    assert len(timeline.unused) == 1


@pytest.mark.parametrize("words", ["Heart rate", "Sodium", "Template used", "Weightlifting", "Stomach contents"])
def test_t69_what_has_nothing_to_do_with_the_rules_is_left_alone(words: str) -> None:
    assert read(observation(concept("urn:local", "4711", words))).unused == ()
    assert read(observation(concept(LOINC, "8867-4", words))).unused == ()
    assert read(observation({"text": words})).unused == ()


def test_t69_a_reading_with_a_local_code_and_no_name_is_said_and_counted_by_its_code() -> None:
    (unused,) = read(observation(concept("urn:local", "4711"), valueQuantity=quantity(80, "mm[Hg]"))).unused
    assert (unused.cause, unused.about) == (Cause.UNRECOGNISED, "urn:local|4711")
    assert "no name" in unused.reason
    assert read(observation({})).unused == ()


@pytest.mark.parametrize("code", ["Smith, John", "x" * 65, "4711 Ann", "|"])
def test_t69_what_is_counted_is_a_code_and_nothing_else(code: str) -> None:
    (unused,) = read(observation(concept("urn:local", code))).unused
    assert (unused.cause, unused.about) == (Cause.UNRECOGNISED, "")


@pytest.mark.parametrize(
    "words",
    [
        "Skin temperature",
        "Temperature site",
        "Central venous pressure",
        "Pulmonary artery systolic blood pressure",
        "Blood pressure alarm limit",
        "Mixed venous oxygen saturation",
        "SpO2 alarm high",
        "Ideal body weight",
        "Birth weight",
    ],
)
def test_words_that_look_like_a_reading_and_are_none_are_refused(words: str) -> None:
    timeline = read(observation({"text": words}, valueQuantity=quantity(38.6, "Cel")))
    assert (timeline.temperatures, timeline.pressures, timeline.saturations, timeline.weights) == ((), (), (), ())
    assert len(timeline.unused) == 1


def rate(value: float, unit: str | None = "ug/kg/min", code: str = "7512", **members: Any) -> Json:
    """The rate of a vasopressor charted as an Observation."""
    return observation(concept(RXNORM, code), valueQuantity=quantity(value, unit), **members)


def running(timeline: Timeline) -> list[str]:
    return [fact.agent for fact in timeline.vasoactives if fact.runs_at(NOW)]


@pytest.mark.parametrize("unit", ["ug/kg/min", "ug/min", "U/min", "mg/h", "mL/h", "mcg/kg/min", "[U]/min"])
def test_3_9_a_rate_charted_as_an_observation_is_a_running_infusion(unit: str) -> None:
    timeline = read(rate(0.05, unit))
    assert running(timeline) == ["norepinephrine"]
    assert timeline.vasoactives[0].rate == f"0.05 {unit.replace('ug', 'µg')}"


@pytest.mark.parametrize("unit", ["pg/mL", "mg", "nmol/L", "ug/kg", None])
def test_3_9_a_level_in_blood_is_no_rate(unit: str | None) -> None:
    timeline = read(rate(400, unit))
    assert timeline.vasoactives == ()
    assert len(timeline.unused) == 1


@pytest.mark.parametrize(
    ("value", "comparator", "runs"),
    [(0, None, False), (0, ">", True), (0.05, ">=", True), (0, ">=", None), (0.05, "<", None), (-1, None, None)],
)
def test_3_9_a_rate_of_zero_does_not_run_and_one_that_may_be_zero_is_dropped(
    value: float, comparator: str | None, runs: bool | None
) -> None:
    resource = rate(value)
    if comparator:
        resource["valueQuantity"]["comparator"] = comparator
    timeline = read(resource)
    assert len(timeline.vasoactives) == (runs is not None)
    assert len(timeline.unused) == (runs is None)
    assert running(timeline) == (["norepinephrine"] if runs else [])


def test_3_9_a_rate_holds_until_the_next_of_its_agent() -> None:
    charted = [rate(0.05, ago=3 * HOUR), rate(0.02, ago=2 * HOUR), rate(0, ago=HOUR), rate(0.1, code="3992", ago=HOUR)]
    assert running(read(*charted)) == ["epinephrine"]
    assert running(read(*charted[:2])) == ["norepinephrine"]


def test_3_9_of_two_rates_at_one_instant_the_one_that_runs_counts() -> None:
    for order in ((0.05, 0), (0, 0.05)):
        assert running(read(*(rate(value) for value in order))) == ["norepinephrine"]


def test_3_9_a_rate_that_was_not_charted_for_a_day_is_doubted_no_longer_than_that() -> None:
    assert running(read(rate(0.05, ago=24 * HOUR - MINUTE))) == ["norepinephrine"]
    assert running(read(rate(0.05, ago=24 * HOUR))) == []


def test_t69_a_rate_with_a_local_code_is_read_by_the_name_of_the_drug_but_a_laboratory_test_is_not() -> None:
    named = rate(0.05) | {"code": concept("urn:local", "77", "Norepinephrine rate")}
    timeline = read(named)
    assert running(timeline) == ["norepinephrine"]
    assert timeline.vasoactives[0].flags == (Flag.NAME_ONLY,)
    level = rate(400, "pg/mL") | {"code": concept(LOINC, "2666-6", "Norepinephrine [Mass/volume] in Plasma")}
    assert read(level).vasoactives == ()


STATUSES = {"final": (), "amended": (), "corrected": (), "preliminary": (Flag.PRELIMINARY,)}


@pytest.mark.parametrize(("status", "flags"), STATUSES.items())
def test_dq35_final_amended_and_corrected_are_used_and_preliminary_is_flagged(
    status: str, flags: tuple[Flag, ...]
) -> None:
    assert [fact.flags for fact in read(temperature(38.6, status=status)).temperatures] == [flags]


@pytest.mark.parametrize(
    "status",
    ["registered", "cancelled", "entered-in-error", "unknown", "", None, "FINAL", 5, ["final"], {"code": "final"}],
)
def test_dq35_any_other_status_is_dropped_and_said(status: Any) -> None:
    timeline = read(temperature(38.6) | {"status": status}, temperature(37))
    assert [fact.celsius for fact in timeline.temperatures] == [37]
    (reason,) = reasons(timeline)
    assert reason.startswith("temperature: status is ")


def test_dq30_a_pressure_charted_as_a_panel_and_alone_is_one_reading_with_its_diastolic() -> None:
    for order in ((pressure(86, 50), systolic(86)), (systolic(86), pressure(86, 50))):
        timeline = read(*order)
        assert [(fact.systolic, fact.diastolic) for fact in timeline.pressures] == [(86, 50)]


def test_dq33_one_reading_from_two_feeds_counts_once_in_its_surest_form() -> None:
    feeds = [
        temperature(38.6, id="a", status="preliminary"),
        temperature(38.60, id="b", code="8331-1"),
        temperature(101.48, "[degF]", id="c"),
    ]
    (fact,) = read(*feeds).temperatures
    assert (fact.reference, fact.site, fact.flags) == ("Observation/b", "oral", ())


def test_dq33_the_same_value_at_another_time_is_another_reading() -> None:
    assert len(read(temperature(38.6), temperature(38.6, ago=2 * HOUR)).temperatures) == 2


def test_dq34_readings_that_conflict_at_one_instant_are_all_kept() -> None:
    timeline = read(
        temperature(36.9, code="8328-7"),
        temperature(38.6, code="8332-9"),
        systolic(118),
        systolic(86),
        saturation(97),
        saturation(88),
    )
    assert sorted(fact.celsius for fact in timeline.temperatures) == [Decimal("36.9"), Decimal("38.6")]
    assert sorted(fact.systolic for fact in timeline.pressures) == [86, 118]
    assert sorted(fact.percent for fact in timeline.saturations) == [88, 97]


@pytest.mark.parametrize("status", ["amended", "corrected"])
@pytest.mark.parametrize(
    "time",
    [{}, {"effectiveDateTime": at(HOUR).replace("+00:00", "Z")}, {"effectiveDateTime": "2026-01-15T06:00:00-05:00"}],
)
def test_dq36_an_amended_reading_of_the_same_code_and_time_replaces_the_final_one(status: str, time: Json) -> None:
    wrong, right = temperature(38.6), temperature(36.8, status=status) | time
    for order in ((wrong, right), (right, wrong)):
        timeline = read(*order)
        assert [fact.celsius for fact in timeline.temperatures] == [Decimal("36.8")]
        assert reasons(timeline) == ["replaced by an amended reading of the same time"]


def test_dq36_an_amended_reading_replaces_no_other_code_time_or_sign() -> None:
    kept = [
        temperature(38.6, code="8332-9"),
        temperature(38.6, ago=2 * HOUR),
        systolic(86),
        saturation(88),
        temperature(39, status="amended", ago=3 * HOUR),
    ]
    timeline = read(*kept, temperature(36.8, status="amended"))
    assert len(timeline.temperatures) == 4
    assert timeline.unused == ()


def test_dq36_a_value_withdrawn_by_its_amendment_is_missing() -> None:
    withdrawn = temperature(38.6, status="amended") | {"dataAbsentReason": {"text": "error"}}
    del withdrawn["valueQuantity"]
    timeline = read(temperature(38.6), withdrawn)
    assert timeline.temperatures == ()
    assert len(timeline.unused) == 2


@pytest.mark.parametrize("where", ["resource", "component"])
def test_t44_a_modifier_that_is_not_understood_keeps_the_reading_out(where: str) -> None:
    resource = pressure(86, 50)
    target = resource if where == "resource" else resource["component"][0]
    target["modifierExtension"] = [{"url": "urn:negated", "valueBoolean": True}]
    timeline = read(resource)
    assert timeline.pressures == ()
    (reason,) = reasons(timeline)
    assert "systolic" in reason
    assert reason.endswith(": it carries a modifier that this service does not know")


def test_t44_implicit_rules_keep_the_reading_out() -> None:
    assert read(temperature(38.6) | {"implicitRules": "urn:rules"}).temperatures == ()


def test_an_observation_with_another_focus_is_not_about_the_patient() -> None:
    fetus = temperature(38.6) | {"focus": [{"reference": "Patient/unborn"}]}
    self_named = temperature(38.7) | {"focus": [{"reference": "Patient/p1"}]}
    timeline = read(fetus, self_named)
    assert [fact.celsius for fact in timeline.temperatures] == [Decimal("38.7")]
    assert "focus" in reasons(timeline)[0]


@pytest.mark.parametrize(
    "broken",
    [
        {"code": None},
        {"code": "8310-5"},
        {"code": [concept(LOINC, "8310-5")]},
        {"code": {"coding": "8310-5"}},
        {"code": {"coding": [None, 5, "x", {"system": 5, "code": 5}]}},
        {"code": {"text": 5}},
        {"component": "none"},
        {"component": [None, 5, {"code": 5}]},
        {"bodySite": 5, "method": [5]},
        {"effectiveDateTime": 5},
        {"effectivePeriod": "2026"},
        {"id": {"value": "x"}},
        {"id": ["x"]},
        {"meta": "x"},
        {"focus": 5},
    ],
)
def test_t39_a_malformed_resource_costs_only_itself(broken: Json) -> None:
    timeline = read(temperature(38.6) | broken, systolic(86))
    assert [fact.systolic for fact in timeline.pressures] == [86]
    assert len(timeline.temperatures) + len(timeline.unused) <= 1


@pytest.mark.parametrize(("bad", "said"), [(8, 8), (9, 9), (3000, 9)])
def test_t39_very_many_bad_components_are_said_in_few_words(bad: int, said: int) -> None:
    parts = [component("8310-5", valueQuantity=quantity(400 + number, "Cel")) for number in range(bad)]
    (reason,) = reasons(read(observation(concept(LOINC, "85353-1"), component=parts)))
    assert reason.count("; ") == said - 1
    assert reason.endswith(f"and {bad - 8} more") is (bad > 8)


@pytest.mark.parametrize("kind", ["Questionnaire", "observation", "", None, 5, ["Observation"]])
def test_t39_a_resource_of_an_unknown_type_is_passed_over(kind: Any) -> None:
    timeline = read(temperature(38.6) | {"resourceType": kind})
    assert (timeline.temperatures, timeline.unused) == ((), ())


def test_t39_ids_longer_than_fhir_allows_are_kept_as_they_are() -> None:
    identifier = "x" * 200
    assert read(temperature(38.6, id=identifier)).temperatures[0].reference == f"Observation/{identifier}"


def test_t39_an_id_that_cannot_be_shown_is_made_safe() -> None:
    timeline = read(temperature(386, id="a\nb\u202e<" + "x" * 5000))
    reference = timeline.unused[0].reference
    assert reference.startswith("Observation/a b <xxx")
    assert len(reference) < 300


def test_a_name_from_the_record_is_safe_to_show() -> None:
    code = {"text": "Temp\u202e \n" + "x" * 5000}
    (reason,) = reasons(read(observation(code)))
    assert "\u202e" not in reason
    assert "\n" not in reason
    assert len(reason) < 250


@pytest.mark.parametrize(("length", "shown"), [(119, 119), (120, 120), (121, 120), (5000, 120)])
def test_a_text_of_the_record_is_shown_up_to_its_limit(length: int, shown: int) -> None:
    assert len(text("x" * length)) == shown
    assert text("x" * length).endswith("…") is (length > shown)

"""Units and values: DQ-01 to DQ-21, read from Observations as a feed would send them."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.timeline import Flag, Timeline
from tests.chart import (
    HOUR,
    LOINC,
    UCUM,
    Json,
    component,
    concept,
    content,
    given,
    measured,
    observation,
    oxygen,
    pressure,
    quantity,
    read,
    reasons,
    saturation,
    systolic,
    temperature,
    weight,
)

INFERRED = (Flag.UNIT_INFERRED,)


def charted(code: str, **value: Any) -> Json:
    """An Observation with a LOINC code and whatever value."""
    return observation(concept(LOINC, code), **value)


def of(value: Any, unit: str | None = None, code: str | None = None, comparator: str | None = None) -> Json:
    """A Quantity with just these members."""
    members = {"value": value, "unit": unit, "code": code, "comparator": comparator}
    return {name: item for name, item in members.items() if item is not None}


def celsius(timeline: Timeline) -> list[Decimal]:
    return [fact.celsius for fact in timeline.temperatures]


def unused(timeline: Timeline) -> str:
    """The one reason of the one resource that was not used."""
    (reason,) = reasons(timeline)
    return reason


@pytest.mark.parametrize("unit", ["Cel", "cel", "degC", "C", "°C", "ºC", "℃", "Celsius", "deg C", "degrees Celsius"])
def test_dq01_every_spelling_of_celsius_is_read(unit: str) -> None:
    for members in (
        {"unit": unit},
        {"code": unit},
        {"unit": "nonsense", "code": unit},
        {"unit": unit, "code": "258710007"},
    ):
        timeline = read(charted("8310-5", valueQuantity=of(38.6, **members)))
        assert celsius(timeline) == [Decimal("38.6")]
        assert timeline.temperatures[0].flags == ()


@pytest.mark.parametrize("unit", ["[degF]", "degF", "F", "°F", "ºF", "℉", "Fahrenheit", "deg F", "degrees Fahrenheit"])
def test_dq01_every_spelling_of_fahrenheit_is_read(unit: str) -> None:
    assert celsius(read(charted("8310-5", valueQuantity=of(101.3, unit)))) == [Decimal("38.5")]


@pytest.mark.parametrize(
    ("fahrenheit", "fever"),
    [("100.3", False), ("100.39", False), ("100.4", True), ("100.40", True), ("100.41", True), ("104", True)],
)
def test_dq01_fahrenheit_is_exact_at_the_fever_threshold(fahrenheit: str, fever: bool) -> None:
    (value,) = celsius(read(charted("8310-5", valueQuantity=of(float(fahrenheit), "[degF]"))))
    assert (value >= 38) is fever
    assert (value == 38) is (Decimal(fahrenheit) == Decimal("100.4"))


NINES, ZEROS = "9" * 55, "0" * 55


@pytest.mark.parametrize(
    ("make", "value", "unit", "met"),
    [
        ("fever", f"100.3{NINES}", "[degF]", False),
        ("fever", f"100.4{ZEROS}", "[degF]", True),
        ("fever", f"100.4{ZEROS}1", "[degF]", True),
        ("fever", "100." + "4" * 60, "[degF]", True),
        ("fever", f"37.9{NINES}", "Cel", False),
        ("fever", f"38.0{ZEROS}", "Cel", True),
        ("low pressure", "11.99900808199855478613767928517909186173942954", "kPa", True),
        ("low pressure", "11.99900808199855478613767928517909186173942955", "kPa", False),
        ("low saturation", f"0.89{NINES}", "1", True),
        ("low saturation", f"0.90{ZEROS}", "1", False),
        ("low saturation", f"0.90{ZEROS}1", "1", False),
        ("high flow", f"6000.{ZEROS}", "mL/min", False),
        ("high flow", f"6000.{ZEROS}1", "mL/min", True),
        ("high flow", f"5999.{NINES}", "mL/min", False),
    ],
)
def test_dq01_dq05_dq07_dq08_a_value_of_many_digits_stays_on_its_side_of_a_threshold(
    make: str, value: str, unit: str, met: bool
) -> None:
    codes = {"fever": "8310-5", "low pressure": "8480-6", "low saturation": "59408-5", "high flow": "3151-8"}
    timeline = read(charted(codes[make], valueQuantity=of(Decimal(value), unit)))
    found = {
        "fever": [fact.celsius >= 38 for fact in timeline.temperatures],
        "low pressure": [fact.systolic < 90 for fact in timeline.pressures],
        "low saturation": [fact.percent < 90 for fact in timeline.saturations],
        "high flow": [fact.flow is not None and fact.flow > 6 for fact in timeline.oxygen],
    }
    assert found[make] == [met]


@pytest.mark.parametrize(("limit", "used"), [(f"37.9{NINES}", False), ("38", True)])
def test_dq13_a_limit_of_many_digits_just_below_a_threshold_may_lie_on_either_side(limit: str, used: bool) -> None:
    timeline = read(charted("8310-5", valueQuantity=of(Decimal(limit), "Cel", comparator=">")))
    assert bool(timeline.temperatures) is used


@pytest.mark.parametrize(
    ("value", "expected"),
    [
        (29.9, None),
        (30, "30"),
        (38.6, "38.6"),
        (45, "45"),
        (45.1, None),
        (85.9, None),
        (86, "30"),
        (100.4, "38"),
        (113, "45"),
        (113.1, None),
    ],
)
def test_dq02_a_missing_unit_is_inferred_only_where_the_ranges_cannot_overlap(
    value: float, expected: str | None
) -> None:
    timeline = read(charted("8310-5", valueQuantity=of(value)))
    if expected is None:
        assert timeline.temperatures == ()
        assert unused(timeline) == f"temperature: no unit, and {Decimal(str(value))} fits none"
    else:
        assert celsius(timeline) == [Decimal(expected)]
        assert timeline.temperatures[0].flags == INFERRED
        assert Flag.UNIT_INFERRED.uncertain


@pytest.mark.parametrize(
    ("value", "unit"), [(101.3, "Cel"), (38.6, "[degF]"), (386, "Cel"), (3.86, "Cel"), (29.9, "Cel"), (45.1, "Cel")]
)
def test_dq03_dq20_a_value_that_contradicts_its_unit_is_dropped_and_never_converted(value: float, unit: str) -> None:
    timeline = read(temperature(value, unit))
    assert timeline.temperatures == ()
    assert "is not plausible" in unused(timeline)


def test_dq03_a_code_and_a_unit_that_contradict_each_other_are_refused() -> None:
    timeline = read(charted("8310-5", valueQuantity=of(38.6, "°F", "Cel")))
    assert timeline.temperatures == ()
    assert unused(timeline) == "temperature: its unit is charted in two ways: Cel and °F"


def test_dq04_kelvin_is_dropped_by_name() -> None:
    timeline = read(temperature(311.7, "K"))
    assert timeline.temperatures == ()
    assert unused(timeline) == "temperature: the unit 'K' is not known"


@pytest.mark.parametrize(
    ("kilopascal", "mmhg", "low"),
    [("11.5", "86.25713", True), ("11.99", "89.9324338", True), ("12", "90.00744", False), ("3.99", None, False)],
)
def test_dq05_kilopascal_is_converted_exactly(kilopascal: str, mmhg: str | None, low: bool) -> None:
    timeline = read(systolic(float(kilopascal), "kPa"))
    if mmhg is None:
        assert unused(timeline).endswith("mmHg is not plausible")
        return
    assert [fact.systolic for fact in timeline.pressures] == [Decimal(mmhg)]
    assert (timeline.pressures[0].systolic < 90) is low


@pytest.mark.parametrize("unit", ["mm[Hg]", "mmHg", "mm Hg", "MMHG", "mm[hg]", "millimeter of mercury"])
def test_dq05_every_spelling_of_mmhg_is_read(unit: str) -> None:
    assert [fact.systolic for fact in read(systolic(86, unit)).pressures] == [86]


@pytest.mark.parametrize(("value", "used"), [(29, False), (30, True), (86, True), (300, True), (301, False)])
def test_dq06_a_pressure_without_a_unit_is_read_as_mmhg_and_flagged(value: int, used: bool) -> None:
    timeline = read(systolic(value, None))
    assert [(fact.systolic, fact.flags) for fact in timeline.pressures] == ([(value, INFERRED)] if used else [])
    assert len(timeline.unused) == (not used)


@pytest.mark.parametrize(
    ("value", "unit", "percent", "flags"),
    [
        (0.88, "1", "88", (Flag.FROM_FRACTION,)),
        (0.88, "%", "88", (Flag.FROM_FRACTION,)),
        (0.88, None, "88", (Flag.FROM_FRACTION,)),
        (1.0, "1", "100", (Flag.FROM_FRACTION,)),
        (88, "%", "88", ()),
        (88, "percent", "88", ()),
        (88, None, "88", INFERRED),
    ],
)
def test_dq07_a_saturation_up_to_one_is_a_fraction(
    value: float, unit: str | None, percent: str, flags: tuple[Flag, ...]
) -> None:
    assert [(fact.percent, fact.flags) for fact in read(saturation(value, unit)).saturations] == [
        (Decimal(percent), flags)
    ]


@pytest.mark.parametrize(
    ("value", "unit", "litres"),
    [
        (4, "L/min", "4"),
        (4, "l/min", "4"),
        (4, "LPM", "4"),
        (4, "liters per minute", "4"),
        (4, "litres/min", "4"),
        (500, "mL/min", "0.5"),
        (6000, "mL/min", "6"),
        (6001, "mL/min", "6.001"),
    ],
)
def test_dq08_every_unit_of_flow_is_read(value: float, unit: str, litres: str) -> None:
    timeline = read(charted("3151-8", valueQuantity=of(value, unit)))
    assert [(fact.flow, fact.flags) for fact in timeline.oxygen] == [(Decimal(litres), ())]


def test_dq08_a_flow_without_a_unit_is_read_as_the_larger_one_and_flagged() -> None:
    timeline = read(charted("3151-8", valueQuantity=of(7)))
    assert [(fact.flow, fact.flags) for fact in timeline.oxygen] == [(7, INFERRED)]


@pytest.mark.parametrize(
    ("value", "percent"),
    [(0.4, "40"), (0.21, "21"), (1.0, "100"), (21, "21"), (40, "40"), (100, "100")],
)
@pytest.mark.parametrize("unit", ["%", "1"])
def test_dq09_fio2_is_told_by_its_size(value: float, percent: str, unit: str) -> None:
    assert [fact.fio2 for fact in read(charted("3150-0", valueQuantity=of(value, unit))).oxygen] == [Decimal(percent)]


@pytest.mark.parametrize("value", [1.1, 2, 20, 20.9, 0.2, 0.209, 100.1, 0, -0.4])
def test_dq09_fio2_between_the_ranges_or_outside_is_dropped(value: float) -> None:
    timeline = read(charted("3150-0", valueQuantity=of(value, "%")))
    assert timeline.oxygen == ()
    assert unused(timeline).startswith("FiO2: ")


def test_dq10_a_flow_of_zero_and_room_air_are_read_as_they_are() -> None:
    timeline = read(oxygen(flow=0), oxygen("Room air"))
    assert [(fact.flow, fact.device) for fact in timeline.oxygen] == [(0, None), (None, "room-air")]


@pytest.mark.parametrize(
    ("value", "unit", "kilograms"),
    [
        (80, "kg", "80"),
        (80, "Kg", "80"),
        (80, "kilograms", "80"),
        (3200, "g", "3.2"),
        (176, "[lb_av]", "79.83225712"),
        (176, "lb", "79.83225712"),
        (176, "lbs", "79.83225712"),
        (176, "pounds", "79.83225712"),
        (2816, "[oz_av]", "79.832257120"),
        (66.13, "lb", "29.9960634281"),
        (66.14, "lb", "30.0005993518"),
    ],
)
def test_dq11_every_unit_of_weight_is_converted_exactly(value: float, unit: str, kilograms: str) -> None:
    (fact,) = read(weight(value, unit)).weights
    assert fact.kilograms == Decimal(kilograms)


def test_dq11_176_pounds_are_638_66_mg_of_tocilizumab() -> None:
    (fact,) = read(weight(176, "[lb_av]")).weights
    assert round(fact.kilograms * 8, 2) == Decimal("638.66")


@pytest.mark.parametrize("unit", [None, "stone", "L", ""])
def test_dq11_a_weight_without_a_known_unit_is_never_used(unit: str | None) -> None:
    timeline = read(weight(176, unit))
    assert timeline.weights == ()
    assert unused(timeline) in ("body weight: no unit", f"body weight: the unit '{unit}' is not known")


def test_dq12_a_slip_of_kilograms_and_pounds_reaches_the_dosing_as_two_weights() -> None:
    timeline = read(weight(80, ago=48 * HOUR), weight(176, ago=HOUR))
    assert [fact.kilograms for fact in timeline.weights] == [80, 176]


@pytest.mark.parametrize(
    ("make", "value", "comparator", "used"),
    [
        ("temperature", 42, ">", "42.01"),
        ("temperature", 38, ">=", "38"),
        ("temperature", 38, ">", "38.01"),
        ("temperature", 37.99, ">", None),
        ("temperature", 37.9, ">=", None),
        ("temperature", 36, "<", "35.99"),
        ("temperature", 38, "<", "37.99"),
        ("temperature", 38, "<=", None),
        ("temperature", 45, ">", None),
        ("saturation", 70, "<", "69.99"),
        ("saturation", 90, "<", "89.99"),
        ("saturation", 90, "<=", None),
        ("saturation", 90, ">=", "90"),
        ("saturation", 85, ">", None),
        ("saturation", 50, "<", None),
        ("systolic", 60, "<", "59.99"),
        ("systolic", 60, "<=", None),
        ("systolic", 85, "<", None),
        ("systolic", 90, ">=", "90"),
        ("systolic", 89, ">", None),
        ("flow", 6, ">", "6.01"),
        ("flow", 6, "<=", "6"),
        ("flow", 6, ">=", None),
        ("flow", 5, ">", None),
        ("flow", 1, "<", "0.99"),
        ("fio2", 50, ">", "50.01"),
        ("fio2", 20, ">", None),
        ("fio2", 21, ">", "21.01"),
        ("fio2", 21, ">=", None),
        ("fio2", 21, "<=", "21"),
        ("weight", 70, "<", None),
        ("weight", 70, ">=", None),
    ],
)
def test_dq13_a_comparator_is_used_only_on_one_side_of_every_threshold(
    make: str, value: float, comparator: str, used: str | None
) -> None:
    codes = {
        "temperature": ("8310-5", "Cel"),
        "saturation": ("59408-5", "%"),
        "systolic": ("8480-6", "mm[Hg]"),
        "flow": ("3151-8", "L/min"),
        "fio2": ("3150-0", "%"),
        "weight": ("3141-9", "kg"),
    }
    code, unit = codes[make]
    timeline = read(charted(code, valueQuantity=of(value, unit, unit, comparator)))
    found = [
        *((fact.celsius, fact.flags) for fact in timeline.temperatures),
        *((fact.percent, fact.flags) for fact in timeline.saturations),
        *((fact.systolic, fact.flags) for fact in timeline.pressures),
        *((fact.flow if make == "flow" else fact.fio2, fact.flags) for fact in timeline.oxygen),
        *((fact.kilograms, fact.flags) for fact in timeline.weights),
    ]
    assert found == ([] if used is None else [(Decimal(used), (Flag.COMPARATOR,))])
    assert len(timeline.unused) == (used is None)


def test_dq13_a_limit_in_fahrenheit_is_judged_in_celsius() -> None:
    below = read(charted("8310-5", valueQuantity=of(100.4, "[degF]", comparator="<")))
    assert celsius(below) == [Decimal("37.99")]
    assert celsius(read(charted("8310-5", valueQuantity=of(100.4, "[degF]", comparator=">=")))) == [38]


@pytest.mark.parametrize("comparator", ["~", "ad", "sa", "=", 5, [">"], {"code": ">"}])
def test_dq13_a_comparator_that_is_not_known_is_no_value(comparator: Any) -> None:
    timeline = read(charted("8310-5", valueQuantity=of(38.6, "Cel", comparator=comparator)))
    assert timeline.temperatures == ()
    assert unused(timeline) == "temperature: its comparator is not known"


@pytest.mark.parametrize(
    ("written", "expected"), [("38.6", "38.6"), (" 38.6 ", "38.6"), ("101.3", "38.5"), ("+38", "38")]
)
def test_dq14_a_number_written_as_a_string_is_read_and_its_unit_inferred(written: str, expected: str) -> None:
    timeline = read(charted("8310-5", valueString=written))
    assert [(fact.celsius, fact.flags) for fact in timeline.temperatures] == [(Decimal(expected), INFERRED)]


@pytest.mark.parametrize(
    "written",
    [
        "38.6 C",
        "38,6",
        "about 38",
        "38.6-39",
        "",
        " ",
        "NaN",
        "Infinity",
        "1e2",
        "3_8",
        "٣٨",
        "0x26",
        "38.",
        "--38",
        "9" * 5000,
    ],
)
def test_dq14_any_other_text_is_dropped_with_a_short_reason(written: str) -> None:
    timeline = read(charted("8310-5", valueString=written))
    assert timeline.temperatures == ()
    assert unused(timeline).startswith("temperature: the value '")
    assert unused(timeline).endswith("is text, not a number")
    assert len(unused(timeline)) < 100


@pytest.mark.parametrize("code", ["85354-9", "55284-4", "8480-6"])
def test_dq14_a_pressure_may_be_written_as_two_numbers(code: str) -> None:
    (fact,) = read(charted(code, valueString="86/50")).pressures
    assert (fact.systolic, fact.diastolic, fact.flags) == (86, 50, INFERRED)


@pytest.mark.parametrize("written", ["120/80 mmHg", "120/", "/80", "120/80/60", "one/two", "120 80"])
def test_dq14_a_pressure_written_otherwise_is_dropped(written: str) -> None:
    timeline = read(charted("85354-9", valueString=written))
    assert timeline.pressures == ()
    assert len(timeline.unused) == 1


def test_dq14_a_flow_written_with_its_device_is_dropped_and_named() -> None:
    timeline = read(charted("3151-8", valueString="3L NC"))
    assert timeline.oxygen == ()
    assert unused(timeline) == "oxygen flow: the value '3L NC' is text, not a number"


def test_dq14_a_whole_number_may_be_a_value_integer() -> None:
    assert celsius(read(charted("8310-5", valueInteger=39))) == [39]


@pytest.mark.parametrize(("low", "high", "flow"), [(5, 8, 8), (1, 6, 6), (None, 7, 7)])
def test_dq16_a_range_of_flows_counts_at_its_upper_end(low: int | None, high: int, flow: int) -> None:
    ends = {"low": low, "high": high}
    value = {name: quantity(end, "L/min") for name, end in ends.items() if end is not None}
    (fact,) = read(charted("3151-8", valueRange=value)).oxygen
    assert (fact.flow, fact.flags) == (flow, (Flag.UPPER_END_OF_RANGE,))


def test_dq16_a_range_without_an_upper_end_and_a_range_of_another_sign_are_dropped() -> None:
    open_range = charted("3151-8", valueRange={"low": quantity(5, "L/min")})
    of_temperatures = charted("8310-5", valueRange={"low": quantity(37, "Cel"), "high": quantity(39, "Cel")})
    timeline = read(open_range, of_temperatures)
    assert (timeline.oxygen, timeline.temperatures) == ((), ())
    assert reasons(timeline) == [
        "oxygen flow: the value is not a number",
        "temperature: the value is not a number",
    ]


ABSENT = {"text": "not performed"}


def test_dq17_an_absent_value_is_missing_and_never_zero() -> None:
    timeline = read(charted("8310-5", dataAbsentReason=ABSENT))
    assert timeline.temperatures == ()
    assert unused(timeline) == "temperature: the value is charted as absent"


def test_dq17_an_absent_value_outweighs_a_number_beside_it() -> None:
    timeline = read(temperature(36.5) | {"dataAbsentReason": ABSENT})
    assert timeline.temperatures == ()


def test_dq17_an_absent_systolic_pressure_is_missing_though_the_diastolic_is_there() -> None:
    panel = pressure(86, 50)
    panel["component"][0] = component("8480-6", dataAbsentReason=ABSENT)
    timeline = read(panel)
    assert timeline.pressures == ()
    assert unused(timeline) == "systolic blood pressure: the value is charted as absent"


def test_dq17_an_absent_diastolic_pressure_does_not_take_the_systolic_away() -> None:
    panel = pressure(86, 50)
    panel["component"][1] = component("8462-4", dataAbsentReason=ABSENT)
    timeline = read(panel)
    assert [(fact.systolic, fact.diastolic) for fact in timeline.pressures] == [(86, None)]
    assert unused(timeline) == "diastolic blood pressure: the value is charted as absent"


PLAUSIBLE = [
    ("8310-5", "Cel", "29.9", "30", "45", "45.1"),
    ("8480-6", "mm[Hg]", "29", "30", "300", "301"),
    ("59408-5", "%", "49", "50", "100", "101"),
    ("3151-8", "L/min", "-0.1", "0", "80", "80.1"),
    ("3150-0", "%", "20.9", "21", "100", "100.1"),
    ("3141-9", "kg", "0.49", "0.5", "300", "300.1"),
]


def facts_of(timeline: Timeline) -> int:
    kinds = (timeline.temperatures, timeline.pressures, timeline.saturations, timeline.oxygen, timeline.weights)
    return sum(map(len, kinds))


@pytest.mark.parametrize(("code", "unit", "under", "low", "high", "over"), PLAUSIBLE)
def test_dq19_the_bounds_of_what_is_plausible_are_included(
    code: str, unit: str, under: str, low: str, high: str, over: str
) -> None:
    assert facts_of(read(measured(code, float(low), unit))) == 1
    assert facts_of(read(measured(code, float(high), unit))) == 1
    for beyond in (under, over):
        timeline = read(measured(code, float(beyond), unit))
        assert facts_of(timeline) == 0
        assert unused(timeline).endswith("is not plausible")
        shown = {"Cel": "°C", "mm[Hg]": "mmHg"}.get(unit, unit)
        assert f" {beyond} {shown}" in unused(timeline)


@pytest.mark.parametrize("diastolic", [9, 201])
def test_dq19_an_implausible_diastolic_pressure_is_named_and_the_systolic_used(diastolic: int) -> None:
    timeline = read(pressure(86, diastolic))
    assert [(fact.systolic, fact.diastolic) for fact in timeline.pressures] == [(86, None)]
    assert unused(timeline) == f"diastolic blood pressure: {diastolic} mmHg is not plausible"


@pytest.mark.parametrize(("code", "unit"), [(row[0], row[1]) for row in PLAUSIBLE if row[0] != "3151-8"])
@pytest.mark.parametrize("value", [0, -1, -38.6])
def test_dq18_zero_and_negative_values_are_no_readings(code: str, unit: str, value: float) -> None:
    timeline = read(measured(code, value, unit))
    assert facts_of(timeline) == 0
    assert len(timeline.unused) == 1


@pytest.mark.parametrize("value", [True, False, None, "38.6", "NaN", [38.6], {"value": 38.6}])
def test_dq21_what_is_no_number_costs_only_its_own_resource(value: Any) -> None:
    bad = charted("8310-5", valueQuantity={"value": value, "unit": "Cel"})
    timeline = read(bad, temperature(38.6))
    assert celsius(timeline) == [Decimal("38.6")]
    assert unused(timeline) in ("temperature: the value is not a number", "temperature: it has no value")


@pytest.mark.parametrize("value", [None, 38.6, "38.6", [], [{"value": 38.6}]])
def test_dq21_a_quantity_of_another_shape_costs_only_its_own_resource(value: Any) -> None:
    timeline = read(charted("8310-5", valueQuantity=value), temperature(38.6))
    assert celsius(timeline) == [Decimal("38.6")]
    assert len(timeline.unused) == 1


@pytest.mark.parametrize("unit", ["%", "kg", "mm[Hg]", "beats/min", "1", "x" * 500])
def test_t62_an_unknown_unit_is_not_used_and_is_said(unit: str) -> None:
    timeline = read(temperature(38.6, unit))
    assert timeline.temperatures == ()
    assert unused(timeline).startswith("temperature: the unit '")
    assert len(unused(timeline)) < 200


@pytest.mark.parametrize(
    ("dose", "milligrams"),
    [
        (quantity(560, "mg"), 560),
        ({"value": 560, "unit": "mg"}, 560),
        ({"value": 560, "unit": "mg", "code": "g", "system": UCUM}, None),
        (quantity(0.8, "g"), None),
        (quantity(560, None), None),
        (quantity(0, "mg"), None),
        (quantity(-8, "mg"), None),
        ({"unit": "mg"}, None),
        ("560 mg", None),
        (None, None),
    ],
)
def test_a_dose_is_shown_only_when_it_is_charted_in_mg(dose: Any, milligrams: int | None) -> None:
    (fact,) = read(given("tocilizumab") | {"dosage": {"dose": dose}}).drugs
    assert fact.dose_mg == milligrams


def test_every_range_of_the_scale_was_tried_here() -> None:
    assert len(PLAUSIBLE) + 1 == len(content().scale.plausible)

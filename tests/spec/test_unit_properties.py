"""Units: every number lies on the same side of its threshold, whatever unit it was charted in (DQ-01 to DQ-11, 3.6)."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.chart import (
    LOINC,
    bounded,
    concept,
    lab,
    measured,
    observation,
    quantity,
    read,
    saturation,
    systolic,
    temperature,
    weight,
)

tenths = st.decimals("30", "45", places=1) | st.decimals("37.9", "38.1", places=3)


@bounded
@given(tenths)
def test_dq01_celsius_and_fahrenheit_are_the_same_temperature_exactly(celsius: Decimal) -> None:
    fahrenheit = celsius * 9 / 5 + 32
    (fact,) = read(temperature(0) | {"valueQuantity": {"value": float(fahrenheit), "unit": "[degF]"}}).temperatures
    assert fact.celsius == celsius
    assert (fact.celsius >= 38) == (fahrenheit >= Decimal("100.4"))


@bounded
@given(st.decimals("100", "101", places=3))
def test_dq01_a_fahrenheit_temperature_is_a_fever_from_100_4(fahrenheit: Decimal) -> None:
    (fact,) = read(temperature(float(fahrenheit), "[degF]")).temperatures
    assert (fact.celsius >= 38) == (fahrenheit >= Decimal("100.4"))


@bounded
@given(st.decimals("4", "39.9", places=2) | st.decimals("11.99", "12", places=6))
def test_dq05_kilopascal_and_mmhg_lie_on_the_same_side_of_every_threshold(kilopascal: Decimal) -> None:
    (fact,) = read(systolic(float(kilopascal), "kPa")).pressures
    exact = kilopascal * Decimal("7.50062")
    assert fact.systolic == exact
    assert all((fact.systolic < limit) == (kilopascal * 750062 < limit * 100000) for limit in (60, 70, 80, 90))


@bounded
@given(st.decimals("2", "661", places=1) | st.decimals("66.13", "66.14", places=4))
def test_dq11_pounds_and_kilograms_lie_on_the_same_side_of_thirty_kilograms(pounds: Decimal) -> None:
    (fact,) = read(weight(float(pounds), "[lb_av]")).weights
    assert fact.kilograms == pounds * Decimal("0.45359237")
    assert (fact.kilograms < 30) == (pounds * 45359237 < 30 * 100000000)


@bounded
@given(st.integers(0, 80000))
def test_dq08_millilitres_and_litres_lie_on_the_same_side_of_six_litres(millilitres: int) -> None:
    flow = observation(concept(LOINC, "3151-8"), valueQuantity=quantity(millilitres, "mL/min"))
    (fact,) = read(flow).oxygen
    assert fact.flow is not None
    assert (fact.flow > 6) == (millilitres > 6000)


GRAMS = {"g": 1, "kg": 1000, "[lb_av]": Decimal("453.59237"), "[oz_av]": Decimal("28.349523125")}


@bounded
@given(st.sampled_from(sorted(GRAMS)), st.integers(-200, 200))
def test_dq11_every_unit_of_weight_lies_on_the_same_side_of_thirty_kilograms(unit: str, steps: int) -> None:
    """In hundredths of the unit around 30 kg."""
    charted = (30000 / Decimal(GRAMS[unit])).quantize(Decimal("0.01")) + Decimal(steps) / 100
    (fact,) = read(weight(float(charted), unit)).weights
    assert fact.kilograms * 1000 == charted * GRAMS[unit]
    assert (fact.kilograms < 30) == (charted * GRAMS[unit] < 30000)


@bounded
@given(st.integers(51, 100), st.integers(0, 9))
def test_dq07_a_saturation_is_the_same_as_a_fraction_and_as_percent(percent: int, tenths: int) -> None:
    share = min(Decimal(percent) + Decimal(tenths) / 10, Decimal(100))
    values = [(float(share), "%"), (float(share / 100), "1"), (float(share / 100), "%")]
    facts = [read(saturation(value, unit)).saturations[0] for value, unit in values]
    assert {fact.percent for fact in facts} == {share}


@bounded
@given(st.integers(21, 100))
def test_dq09_fio2_is_the_same_as_a_fraction_and_as_percent(percent: int) -> None:
    found = [read(saturation(97, fio2=value)).oxygen[0].fio2 for value in (percent, percent / 100)]
    assert found == [Decimal(percent)] * 2


@bounded
@given(st.integers(0, 40000))
def test_dq08_litres_and_millilitres_are_the_same_flow(millilitres: int) -> None:
    """To the millilitre, around 6 L/min and elsewhere."""
    values = [(millilitres, "mL/min"), (millilitres / 1000, "L/min")]
    flows = [read(measured("3151-8", value, unit)).oxygen[0].flow for value, unit in values]
    assert flows == [Decimal(millilitres) / 1000] * 2


@bounded
@given(st.sampled_from((("751-8", 1000), ("777-3", 50000))), st.integers(-300, 300))
def test_3_6_a_count_is_the_same_in_every_unit_and_on_the_same_side_of_its_threshold(
    test: tuple[str, int], steps: int
) -> None:
    code, threshold = test
    cells = threshold + steps
    values = [(cells, "/uL"), (cells, "10*6/L"), (cells / 1000, "10*3/uL"), (cells / 1000, "10*9/L")]
    facts = [read(lab(code, value, unit)).labs[0] for value, unit in values]
    assert {fact.value for fact in facts} == {Decimal(cells)}
    assert {fact.below(Decimal(threshold)) for fact in facts} == {steps < 0}


@bounded
@given(st.integers(1, 2000), st.integers(20, 80))
def test_3_6_an_enzyme_and_its_limit_are_the_same_in_every_unit(tenths: int, limit: int) -> None:
    """5 times the limit is compared in U/L, whatever either was charted in: 1 ukat/L is 60 U/L."""
    katal = Decimal(tenths) / 10
    ranges = [{"high": quantity(limit, "U/L")}]
    facts = [
        read(lab("1742-6", value, unit) | {"referenceRange": ranges}).labs[0]
        for value, unit in ((float(katal), "ukat/L"), (float(katal * 60), "U/L"))
    ]
    assert {(fact.value, fact.upper_limit) for fact in facts} == {(katal * 60, Decimal(limit))}

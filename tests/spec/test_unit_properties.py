"""Units: every number lies on the same side of its threshold, whatever unit it was charted in (DQ-01 to DQ-11, 3.6)."""

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from tests.chart import (
    LOINC,
    bounded,
    concept,
    observation,
    quantity,
    read,
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

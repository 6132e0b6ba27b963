"""Dosing by weight: which weight may be used, the dose on both sides of each boundary, the arithmetic to be checked."""

from dataclasses import replace
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.crs.dosing import Dose, NoWeight, UsableWeight, dose, dose_rule, regimen, usable_weight
from cds_service.crs.protocol import Stage
from cds_service.crs.timeline import Gap, Timeline
from tests.bedside import NOW, ago, born, content, weight

PROTOCOL = content().protocol
TOCILIZUMAB = PROTOCOL.orders["tocilizumab"]
DEXAMETHASONE = PROTOCOL.orders["dexamethasone-10"]


def dose_of(kilograms: str) -> Dose:
    return dose(TOCILIZUMAB, weight(kilograms), NOW)


def usable(*weights: object, years: int | None = 50, **more: object) -> UsableWeight | NoWeight:
    timeline = Timeline(birth_date=born(years) if years is not None else None, weights=weights, **more)  # type: ignore[arg-type]
    return usable_weight(timeline, PROTOCOL, NOW)


@pytest.mark.parametrize(
    ("kilograms", "milligrams"),
    [
        ("0.5", "6"),
        ("16", "192"),
        ("20", "240"),
        ("29.9", "358.8"),
        ("29.99", "359.88"),
        ("29.9999", "360"),
        ("30", "240"),
        ("30.0", "240"),
        ("30.1", "240.8"),
        ("65", "520"),
        ("99.9", "799.2"),
        ("100", "800"),
        ("100.1", "800"),
        ("110", "800"),
        ("300", "800"),
        ("79.83225712", "638.66"),
    ],
)
def test_the_dose_is_12_mg_per_kg_under_30_kg_and_8_mg_per_kg_from_30_kg_up_to_800_mg(
    kilograms: str, milligrams: str
) -> None:
    assert dose_of(kilograms).mg == Decimal(milligrams)


@given(st.decimals("0.5", "300", places=3))
def test_no_weight_gives_more_than_the_cap_or_another_band(kilograms: Decimal) -> None:
    found = dose(TOCILIZUMAB, weight(str(kilograms)), NOW).mg
    assert 0 < found <= 800
    assert abs(found - min(kilograms * (12 if kilograms < 30 else 8), 800)) <= Decimal("0.005")


@pytest.mark.parametrize(
    ("kilograms", "arithmetic"),
    [
        ("65", "8 mg/kg × 65 kg (measured 2 days ago) = 520 mg; cap 800 mg not reached"),
        ("100", "8 mg/kg × 100 kg (measured 2 days ago) = 800 mg; cap 800 mg not reached"),
        ("110", "8 mg/kg × 110 kg (measured 2 days ago) = 880 mg, capped at 800 mg"),
        ("20", "12 mg/kg × 20 kg (measured 2 days ago) = 240 mg; cap 800 mg not reached"),
        ("79.83225712", "8 mg/kg × 79.832 kg (measured 2 days ago) = 638.66 mg; cap 800 mg not reached"),
        ("29.9999", "12 mg/kg × 29.999 kg (measured 2 days ago) = 360 mg; cap 800 mg not reached"),
    ],
)
def test_the_arithmetic_is_shown_in_full_and_never_rounds_a_weight_up(kilograms: str, arithmetic: str) -> None:
    assert dose_of(kilograms).arithmetic == arithmetic


def test_a_weight_without_a_method_is_called_charted_not_measured() -> None:
    assert "(charted 3 h ago)" in dose(TOCILIZUMAB, weight("70", 0.125, "unspecified"), NOW).arithmetic


def test_an_order_without_a_maximum_shows_none() -> None:
    found = dose(replace(TOCILIZUMAB, maximum_mg=None), weight("110"), NOW)
    assert found == Dose(mg=Decimal(880), arithmetic="8 mg/kg × 110 kg (measured 2 days ago) = 880 mg")


def test_a_fixed_dose_needs_no_weight() -> None:
    assert dose(DEXAMETHASONE, None, NOW) == Dose(mg=Decimal(10), arithmetic="10 mg, fixed dose")


def test_a_dose_by_weight_without_a_weight_is_refused() -> None:
    with pytest.raises(ValueError, match="no weight was given"):
        dose(TOCILIZUMAB, None, NOW)


def test_the_rule_in_words_names_both_bands_and_the_cap() -> None:
    assert dose_rule(TOCILIZUMAB) == "8 mg/kg from 30 kg, 12 mg/kg under 30 kg; at most 800 mg"


@pytest.mark.parametrize(
    ("days", "words"),
    [((1, 1), "for 1 day"), ((2, 2), "for 2 days"), ((1, 2), "for 1 to 2 days"), ((1, 3), "for 1 to 3 days")],
)
def test_how_long_a_drug_is_given_is_said_in_days(days: tuple[int, int], words: str) -> None:
    order = replace(DEXAMETHASONE, stages=(Stage(mg=Decimal(10), every_hours=6, days=days),))
    assert regimen(order, Decimal(10), "IV") == f"10 mg IV every 6 h {words}"


def test_no_weight_is_no_dose() -> None:
    assert usable() == NoWeight("no weight is charted")


def test_a_weight_that_could_not_be_read_is_said_with_the_reason() -> None:
    found = usable(gaps={"weights": Gap("the FHIR server did not answer")})
    assert found == NoWeight("body weight could not be read (the FHIR server did not answer)")


@pytest.mark.parametrize("how", ["stated", "estimated"])
def test_a_stated_or_estimated_weight_alone_gives_no_dose(how: str) -> None:
    assert usable(weight("70", how=how)) == NoWeight(f"the weight is only {how}")


def test_n_03_of_several_weights_that_give_no_dose_the_last_says_why() -> None:
    assert usable(weight("70", 6, "stated"), weight("72", 1, "estimated")) == NoWeight("the weight is only estimated")


def test_s_mgt_4c_the_dose_of_a_schedule_is_that_of_its_first_stage() -> None:
    found = dose(PROTOCOL.orders["methylprednisolone"], None, NOW)
    assert found == Dose(mg=Decimal(1000), arithmetic="1000 mg, fixed dose")


def test_an_older_measured_weight_counts_before_a_newer_stated_one() -> None:
    found = usable(weight("70", 6), weight("75", 1, "stated"))
    assert isinstance(found, UsableWeight)
    assert found.weight.kilograms == 70


def test_the_latest_weight_counts() -> None:
    found = usable(weight("70", 6), weight("72", 1, "unspecified"))
    assert isinstance(found, UsableWeight)
    assert found.weight.kilograms == 72


@pytest.mark.parametrize("order", [("70", "75"), ("75", "70")])
def test_t61_of_two_weights_at_one_time_the_lower_counts_whatever_their_order(order: tuple[str, str]) -> None:
    found = usable(*(weight(kilograms, 1) for kilograms in order))
    assert isinstance(found, UsableWeight)
    assert found.weight.kilograms == 70


def test_a_weight_of_the_future_is_not_looked_at() -> None:
    assert usable(weight("70", -1)) == NoWeight("no weight is charted")


@pytest.mark.parametrize(
    ("days", "confirm"),
    [(6, ""), (7, ""), (7.01, "weight is 7 days old: confirm"), (8, "weight is 8 days old: confirm"), (30, "30 days")],
)
def test_a_weight_older_than_seven_days_is_to_be_confirmed(days: float, confirm: str) -> None:
    found = usable(weight("70", days))
    assert isinstance(found, UsableWeight)
    assert confirm in found.confirm
    assert bool(found.confirm) is bool(confirm)


@pytest.mark.parametrize("days", [30.01, 31, 400])
def test_a_weight_older_than_thirty_days_gives_no_dose(days: float) -> None:
    found = usable(weight("70", days))
    assert isinstance(found, NoWeight)
    assert found.reason.endswith("days old, the limit is 30 days")


@pytest.mark.parametrize(("days", "old"), [(3, False), (3.01, True), (4, True)])
def test_under_30_kg_a_weight_older_than_three_days_is_to_be_confirmed(days: float, old: bool) -> None:
    found = usable(weight("20", days), years=6)
    assert isinstance(found, UsableWeight)
    assert bool(found.confirm) is old


@pytest.mark.parametrize(
    ("kilograms", "near"), [("27.9", False), ("28", True), ("29.9", True), ("30", True), ("32", True), ("32.1", False)]
)
def test_near_30_kg_the_weight_is_to_be_confirmed(kilograms: str, near: bool) -> None:
    found = usable(weight(kilograms, 1), years=9)
    assert isinstance(found, UsableWeight)
    assert ("weight near 30 kg" in found.confirm) is near


def test_at_30_kg_a_weight_is_old_after_seven_days_not_three() -> None:
    found = usable(weight("30", 5), years=9)
    assert isinstance(found, UsableWeight)
    assert found.confirm == "weight near 30 kg, where the dose per kg changes: confirm"


def test_a_weight_of_this_instant_counts() -> None:
    assert isinstance(usable(weight("70", 0)), UsableWeight)


def test_a_weight_both_near_30_kg_and_old_says_both() -> None:
    found = usable(weight("29", 5), years=9)
    assert isinstance(found, UsableWeight)
    assert found.confirm == "weight near 30 kg, where the dose per kg changes, weight is 5 days old: confirm"


@pytest.mark.parametrize(
    ("before", "now", "jump"),
    [("80", "96", False), ("80", "96.1", True), ("80", "64", False), ("80", "63.9", True), ("18", "39.7", True)],
)
def test_a_change_of_more_than_a_fifth_gives_no_dose(before: str, now: str, jump: bool) -> None:
    found = usable(weight(before, 6), weight(now, 1), years=None)
    assert isinstance(found, NoWeight) is jump
    if isinstance(found, NoWeight):
        assert f"{before} kg and {now} kg contradict each other" in found.reason
        assert "entered in error" in found.reason


def test_a_slip_that_is_copied_forward_does_not_win() -> None:
    assert isinstance(usable(weight("80", 6), weight("176", 3), weight("176", 1)), NoWeight)


@pytest.mark.parametrize(("days", "jump"), [(30.9, True), (31, True), (31.1, False)])
def test_only_weights_within_a_month_of_the_latest_contradict_it(days: float, jump: bool) -> None:
    assert isinstance(usable(weight("50", days), weight("80", 1)), NoWeight) is jump


@pytest.mark.parametrize(
    ("ages", "low", "high"),
    [
        ((0,), "1", "16"),
        ((1, 2), "5", "27"),
        ((3, 5), "7", "45"),
        ((6, 9), "10", "85"),
        ((10, 13), "14", "150"),
        ((14, 50), "20", "300"),
    ],
)
def test_n_03_a_weight_that_no_patient_of_that_age_has_gives_no_dose(
    ages: tuple[int, ...], low: str, high: str
) -> None:
    beyond = [str(Decimal(low) - Decimal("0.1")), str(Decimal(high) + Decimal("0.1"))]
    for years in ages:
        assert all(isinstance(usable(weight(known, 1), years=years), UsableWeight) for known in (low, high))
        assert [usable(weight(wrong, 1), years=years) for wrong in beyond] == [
            NoWeight(f"the charted weight of {wrong} kg is not plausible at {years} years") for wrong in beyond
        ]


def test_without_an_age_only_the_bounds_of_the_reader_hold() -> None:
    assert isinstance(usable(weight("176", 1), years=None), UsableWeight)


def test_a_later_weight_that_may_not_have_been_read_is_said() -> None:
    found = usable(weight("70", 3), gaps={"weights": Gap("only one page was prefetched")})
    assert isinstance(found, UsableWeight)
    assert found.confirm == "a later weight may not have been read: confirm"
    known = usable(weight("70", 3), gaps={"weights": Gap("only one page was prefetched", ago(100))})
    assert isinstance(known, UsableWeight)
    assert known.confirm == ""

"""An order of tocilizumab: each thing that speaks against it, and silence about one that is right."""

from dataclasses import replace
from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.review.remarks import Severity
from cds_service.crs.sentences import Say
from cds_service.crs.timeline import Gap, OxygenSupport
from tests.bedside import (
    Bedside,
    ago,
    allergy,
    born,
    content,
    culture,
    diagnosis,
    lab,
    ordered,
    score,
    tocilizumab,
    weight,
)
from tests.spec.review.ordering import corrected, culture_order, order, reviewed, said

DRAWN = [culture("drawn", 3)]
NEGATIVE = [culture("negative", 3), culture("drawn", 60)]
EXPECTED = ("tocilizumab", Decimal(640))


def patient(**known: Any) -> Bedside:
    """Grade 2 for 20 hours, 80 kg, cultures drawn."""
    return Bedside(**{"cultures": DRAWN} | known)


# --- silence ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("signing", [True, False])
@pytest.mark.parametrize("grade", [2, 3, 4])
def test_a_right_order_is_met_with_silence(grade: int, signing: bool) -> None:
    assert said(patient(phases=[(20, grade)]), order(route="intravenous"), signing=signing) == {}


def test_a_due_second_dose_is_met_with_silence() -> None:
    bedside = patient(phases=[(90, 2)], drugs=tocilizumab(74), cultures=NEGATIVE, therapy_days=6)
    assert said(bedside, order()) == {}


def test_a_patient_without_such_a_therapy_is_no_concern_of_this_protocol() -> None:
    assert said(patient(therapy_days=200), order(amount="162", route="subcutaneous")) == {}


def test_what_is_not_selected_is_background() -> None:
    assert said(patient(), order(amount="900", selected=False), signing=False) == {}


# --- dose against weight (N-03 to N-05) -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("mg", "remark"),
    [
        ("575", "order-under"),
        ("576", None),
        ("640", None),
        ("704", None),
        ("705", "order-over"),
        ("400", "order-under"),
        ("800", "order-over"),
    ],
)
def test_n_03_the_dose_may_differ_by_the_rounding_of_vials(mg: str, remark: str | None) -> None:
    assert said(patient(), order(amount=mg)) == ({Say(remark): "warning"} if remark else {})
    assert corrected(patient(), order(amount=mg)) == (EXPECTED if remark else None)


@pytest.mark.parametrize(("mg", "severity"), [("800", None), ("800.1", "critical"), ("880", "critical")])
def test_n_04_never_more_than_800_mg(mg: str, severity: str | None) -> None:
    bedside = patient(weights=[weight("110")])
    assert said(bedside, order(amount=mg)) == ({Say.ORDER_OVER_MAXIMUM: severity} if severity else {})
    assert corrected(bedside, order(amount=mg)) == (("tocilizumab", Decimal(800)) if severity else None)


@pytest.mark.parametrize(
    ("kilograms", "mg", "remark"),
    [
        ("29.9", "358.8", None),
        ("29.9", "239.2", "order-wrong-band"),
        ("30", "240", None),
        ("30", "360", "order-wrong-band"),
        ("20", "160", "order-wrong-band"),
        ("20", "240", None),
        ("20", "300", "order-over"),
    ],
)
def test_n_05_the_dose_per_kg_changes_at_30_kg(kilograms: str, mg: str, remark: str | None) -> None:
    bedside = patient(birth_date=born(9), weights=[weight(kilograms, 1)], scores=[score("3", 2, "capd-score")])
    assert list(said(bedside, order(amount=mg))) == ([Say(remark)] if remark else [])


@pytest.mark.parametrize(
    ("amount", "unit", "remark"),
    [
        ("8", "mg/kg", Say.ORDER_PER_KILOGRAM),
        ("8", "MG/KG", Say.ORDER_PER_KILOGRAM),
        ("8", "mg", Say.ORDER_PER_KILOGRAM),
        ("12", "mg", Say.ORDER_PER_KILOGRAM),
        ("10", "mg", Say.ORDER_UNDER),
        ("32", "mL", Say.ORDER_UNIT),
        ("2", "", Say.ORDER_UNIT),
    ],
)
def test_slips_of_unit_are_named_with_the_dose_by_weight(amount: str, unit: str, remark: Say) -> None:
    assert said(patient(), order(amount=amount, unit=unit)) == {remark: "warning"}
    assert corrected(patient(), order(amount=amount, unit=unit)) == EXPECTED


def test_an_order_without_a_dose_is_passed_over_until_it_is_signed() -> None:
    assert said(patient(), order(amount=None), signing=False) == {}
    assert said(patient(), order(amount=None)) == {Say.ORDER_DOSE_UNKNOWN: "warning"}


@pytest.mark.parametrize("weights", [[], [weight("80", 31)], [weight("80", how="stated")]])
def test_n_03_without_a_usable_weight_no_dose_can_be_checked(weights: Any) -> None:
    bedside = patient(weights=weights)
    assert said(bedside, order()) == {Say.ORDER_NO_WEIGHT: "critical"}
    assert said(bedside, order(amount="900")) == {Say.ORDER_OVER_MAXIMUM: "critical", Say.ORDER_NO_WEIGHT: "critical"}
    assert corrected(bedside, order()) is None


# --- route, time, number (N-01, N-02, N-06) ---------------------------------------------------------------------------


@pytest.mark.parametrize(("route", "severity"), [("subcutaneous", "critical"), ("intravenous", None), ("", None)])
def test_n_06_subcutaneous_tocilizumab_is_not_for_crs(route: str, severity: str | None) -> None:
    assert said(patient(), order(route=route)) == ({Say.ORDER_SUBCUTANEOUS: severity} if severity else {})
    assert corrected(patient(), order(route=route)) == (EXPECTED if severity else None)


@pytest.mark.parametrize(("hours", "early"), [(7.9, True), (8, False), (8.1, False)])
def test_n_02_not_within_eight_hours_of_the_last_dose(hours: float, early: bool) -> None:
    bedside = patient(phases=[(20, 2)], drugs=tocilizumab(hours))
    assert (said(bedside, order()).get(Say.ORDER_TOO_EARLY) == "critical") is early
    assert (Say.ORDER_NOT_DUE in said(bedside, order())) is not early
    assert corrected(bedside, order(amount="900")) is None if early else True


@pytest.mark.parametrize(
    ("doses", "remark"),
    [
        ((74,), None),
        ((150, 74), Say.ORDER_LIMIT),
        ((230, 150, 74), Say.ORDER_LIMIT),
        ((290, 281, 150, 74), Say.ORDER_LABEL_LIMIT),
        ((298, 290, 281, 150, 74), Say.ORDER_LABEL_LIMIT),
    ],
)
def test_n_01_not_beyond_the_limit(doses: tuple[float, ...], remark: Say | None) -> None:
    bedside = patient(phases=[(300, 2)], drugs=tocilizumab(*doses), cultures=NEGATIVE, therapy_days=14)
    assert said(bedside, order()) == ({remark: "critical"} if remark else {})
    assert corrected(bedside, order(amount="100")) == (EXPECTED if remark is None else None)


def values(bedside: Bedside, say: Say) -> dict[str, Any]:
    """The values of one remark on an order."""
    (found,) = [item.line.values for item in reviewed(bedside, order())[0].remarks if item.line.say is say]
    return dict(found)


def test_n_02_the_time_of_the_next_dose_by_label_and_by_protocol_is_that_after_the_last_one() -> None:
    assert values(patient(phases=[(20, 2)], drugs=tocilizumab(5)), Say.ORDER_TOO_EARLY)["by_label"] == ago(-3)
    bedside = patient(phases=[(90, 2)], drugs=tocilizumab(60, 10), therapy_days=6)
    assert values(bedside, Say.ORDER_NOT_DUE)["by_protocol"] == ago(10 - 72)


def test_n_01_doses_that_cannot_all_be_read_are_said() -> None:
    bedside = patient(gaps={"drugs": Gap("the FHIR server did not answer")})
    assert said(bedside, order()) == {Say.ORDER_DOSES_UNKNOWN: "warning"}


# --- grade and course -------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "remark"),
    [
        ({"phases": [(20, 1)]}, Say.ORDER_GRADE_TOO_LOW),
        ({"phases": [(20, 0)]}, Say.ORDER_NO_CRS),
        ({"phases": [(20, 0)], "gaps": {"temperatures": Gap("no answer")}, "fever": "36"}, Say.ORDER_NOT_GRADED),
    ],
)
def test_n_08_tocilizumab_has_no_place_at_grade_1_or_without_crs(known: dict[str, Any], remark: Say) -> None:
    assert said(patient(**known), order()) == {remark: "warning"}
    assert corrected(patient(**known), order(amount="900")) is None


def test_a_protocol_that_gives_it_at_grade_1_is_followed() -> None:
    plan = content().protocol
    steps = {**plan.steps, 1: replace(plan.steps[1], orders=("tocilizumab",))}
    assert said(patient(phases=[(20, 1)], protocol=replace(plan, steps=steps)), order()) == {}


def test_a_dose_after_improvement_is_named() -> None:
    bedside = patient(phases=[(40, 3), (12, 2)], drugs=tocilizumab(30), cultures=NEGATIVE)
    assert said(bedside, order()) == {Say.ORDER_IMPROVED: "warning"}


@pytest.mark.parametrize(("hours", "named"), [(71.9, True), (72, False)])
def test_a_dose_before_the_protocols_time_is_named_unless_worse(hours: float, named: bool) -> None:
    same = patient(phases=[(90, 2)], drugs=tocilizumab(hours), cultures=NEGATIVE, therapy_days=6)
    assert (said(same, order()) == {Say.ORDER_NOT_DUE: "warning"}) is named
    worse = patient(phases=[(90, 2), (3, 3)], drugs=tocilizumab(hours), cultures=NEGATIVE, therapy_days=6)
    assert said(worse, order()) == {}


@pytest.mark.parametrize("cultures", [DRAWN, [culture("positive", 3), culture("negative", 5)], []])
def test_c27_a_further_dose_with_infection_not_excluded_is_named(cultures: Any) -> None:
    bedside = patient(phases=[(90, 2)], drugs=tocilizumab(74), cultures=cultures, therapy_days=6)
    assert said(bedside, order())[Say.ORDER_INFECTION] == "warning"


# --- the record -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "known", [{"scores": [score("6", 2)]}, {"diagnoses": [diagnosis("icans", 2)]}, {"scores": [score("6", 20)]}]
)
def test_n_07_never_with_icans_in_silence(known: dict[str, Any]) -> None:
    assert said(patient(**known), order()) == {Say.ORDER_WITH_ICANS: "warning"}
    repeat = patient(phases=[(90, 2)], drugs=tocilizumab(74), cultures=NEGATIVE, therapy_days=6, **known)
    assert said(repeat, order()) == {Say.ORDER_REPEAT_WITH_ICANS: "warning"}


def test_n_17_an_allergy_stops_it() -> None:
    bedside = patient(allergies=[allergy("tocilizumab")])
    assert said(bedside, order(amount="900")) == {Say.ORDER_ALLERGY: "critical", Say.ORDER_OVER_MAXIMUM: "critical"}
    assert corrected(bedside, order(amount="900")) is None


def test_n_17_a_positive_culture_is_named() -> None:
    assert said(patient(cultures=[culture("positive", 3), culture("drawn", 20)]), order()) == {
        Say.ORDER_POSITIVE_CULTURE: "warning"
    }


@pytest.mark.parametrize(("value", "named"), [("999", True), ("1000", False)])
def test_s_pit_mon_2_laboratory_beyond_its_limit_is_named(value: str, named: bool) -> None:
    bedside = patient(labs=[lab("neutrophils", 3, value), lab("alt", 3, "500")])
    assert said(bedside, order()) == ({Say.ORDER_LABORATORY: "warning"} if named else {})


def test_s_pit_inf_2_without_cultures_they_are_offered() -> None:
    bedside = Bedside()
    (found,) = reviewed(bedside, order())
    assert said(bedside, order()) == {Say.ORDER_NO_CULTURES: "warning"}
    assert [draft.order.id for draft in found.additions] == ["blood-cultures"]
    assert found.correction is None


@pytest.mark.parametrize("cultures", [[culture("ordered", 1)], [culture("drawn", 24)]])
def test_s_pit_inf_2_cultures_that_are_there_or_in_the_session_are_not_offered_again(cultures: Any) -> None:
    assert said(Bedside(cultures=cultures), order()) == {}
    assert said(Bedside(), order(), culture_order()) == {}


def test_s_pit_inf_2_cultures_that_could_not_be_read_are_offered_with_doubt() -> None:
    (found,) = reviewed(Bedside(gaps={"cultures": Gap("no answer")}), order())
    assert [draft.recommended for draft in found.additions] == [False]


def test_two_orders_of_the_same_drug_are_named() -> None:
    second = order(reference="MedicationRequest/2")
    assert said(patient(), order(), second) == {Say.ORDER_TWICE: "warning"}
    waiting = patient(orders=[ordered("tocilizumab", 1, "il6-blocker")])
    assert said(waiting, order()) == {Say.ORDER_WAITING: "warning"}


def test_the_worst_comes_first() -> None:
    bedside = Bedside(phases=[(20, 2)], drugs=tocilizumab(5), more={"oxygen": ()})
    severities = [item.severity for item in reviewed(bedside, order(amount="400"))[0].remarks]
    assert severities == sorted(severities, reverse=True)


def test_an_order_is_as_severe_as_its_worst_remark() -> None:
    (found,) = reviewed(patient(drugs=tocilizumab(5), cultures=NEGATIVE), order(amount="400"))
    assert [item.severity for item in found.remarks] == [Severity.CRITICAL, Severity.WARNING]
    assert found.severity is Severity.CRITICAL


def test_a_corrected_order_from_a_weight_to_confirm_is_not_recommended() -> None:
    (found,) = reviewed(patient(weights=[weight("80", 9)]), order(amount="400"))
    assert found.correction is not None
    assert not found.correction.recommended


def test_a_new_sign_is_worse_too() -> None:
    support = OxygenSupport(
        time=Bedside().assessment.as_of, reference="Observation/o2", device="nasal-cannula", flow=Decimal(2)
    )
    bedside = patient(phases=[(20, 2)], drugs=tocilizumab(10), cultures=NEGATIVE, more={"oxygen": (support,)})
    assert said(bedside, order()) == {}

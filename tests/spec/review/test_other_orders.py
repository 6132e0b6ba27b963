"""Orders of corticosteroids, antipyretics, GM-CSF and therapies: what is said of each, and silence about the rest."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.sentences import Say
from tests.bedside import (
    Bedside,
    allergy,
    born,
    dexamethasone,
    given,
    ordered,
    score,
    tocilizumab,
    weight,
)
from tests.spec.review.ordering import GROUPS, corrected, order, reviewed, said

ANTIFUNGAL = [given("micafungin", 3)]


def patient(**known: Any) -> Bedside:
    """Grade 3 for 20 hours, 80 kg, an antifungal is given."""
    known["drugs"] = [*ANTIFUNGAL, *known.get("drugs", [])]
    return Bedside(**{"phases": [(20, 3)]} | known)


def steroid(mg: str | None = "10", every: str | None = "6", agent: str = "dexamethasone") -> Any:
    return order(agent, mg, every=every)


# --- corticosteroids --------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("grade", "mg"), [(3, "10"), (4, "20")])
@pytest.mark.parametrize("signing", [True, False])
def test_the_dose_of_the_grade_is_met_with_silence(grade: int, mg: str, signing: bool) -> None:
    assert said(patient(phases=[(20, grade)]), steroid(mg), signing=signing) == {}


@pytest.mark.parametrize(
    ("phases", "drugs", "early"),
    [
        ([(20, 1)], (), True),
        ([(20, 2)], (), True),
        ([(20, 2)], tocilizumab(10), False),
        ([(150, 2)], tocilizumab(145, 73), False),
        ([(40, 3), (10, 1)], dexamethasone("10", 30, 20, 12), False),
        ([(20, 0)], (), False),
    ],
)
def test_s_pit_ster_2_not_at_grade_1_nor_before_tocilizumab_at_grade_2(phases: Any, drugs: Any, early: bool) -> None:
    found = said(patient(phases=phases, drugs=drugs, therapy_days=8), steroid())
    assert found == ({Say.ORDER_STEROID_EARLY: "warning"} if early else {})


@pytest.mark.parametrize(
    ("grade", "mg", "every", "agent", "offered"),
    [
        (3, "20", "6", "dexamethasone", "dexamethasone-10"),
        (3, "8", "6", "dexamethasone", "dexamethasone-10"),
        (3, "10", "12", "dexamethasone", "dexamethasone-10"),
        (3, "10", None, "dexamethasone", None),
        (3, None, "6", "dexamethasone", None),
        (3, "1000", "24", "methylprednisolone", "dexamethasone-10"),
        (4, "10", "6", "dexamethasone", "dexamethasone-20"),
        (4, "1000", "24", "methylprednisolone", "dexamethasone-20"),
        (4, "100", "8", "hydrocortisone", None),
    ],
)
def test_another_drug_or_dose_than_that_of_the_grade_is_named_with_the_right_one(
    grade: int, mg: str | None, every: str | None, agent: str, offered: str | None
) -> None:
    bedside = patient(phases=[(20, grade)])
    assert said(bedside, steroid(mg, every, agent)) == ({Say.ORDER_STEROID_DOSE: "warning"} if offered else {})
    found = corrected(bedside, steroid(mg, every, agent))
    assert (found[0] if found else None) == offered


@pytest.mark.parametrize(
    ("order_of", "ordered_words"),
    [
        (steroid("20"), "dexamethasone 20 mg every 6 h"),
        (steroid("20", None), "dexamethasone 20 mg"),
        (steroid(None, "12"), "dexamethasone every 12 h"),
    ],
)
def test_the_remark_names_what_is_ordered_and_what_the_protocol_has(order_of: Any, ordered_words: str) -> None:
    (found,) = reviewed(patient(), order_of)
    values = next(item.line.values for item in found.remarks if item.line.say is Say.ORDER_STEROID_DOSE)
    assert values["ordered"] == ordered_words
    assert values["regimen"] == "10 mg IV every 6 h for 1 to 3 days"


def test_n_17_the_allergy_is_named_by_the_drug() -> None:
    bedside = patient(phases=[(60, 4)], allergies=[allergy("methylprednisolone")])
    (found,) = reviewed(bedside, steroid("1000", "24", "methylprednisolone"))
    values = next(item.line.values for item in found.remarks if item.line.say is Say.ORDER_ALLERGY)
    assert values == {"drug": "methylprednisolone"}


@pytest.mark.parametrize("known", [{"drugs": [given("dexamethasone", 5)]}, {"drugs": dexamethasone("8", 5)}])
def test_n_10_a_dose_that_is_not_charted_is_not_called_another(known: dict[str, Any]) -> None:
    uncharted = known["drugs"][0].dose_mg is None
    assert (Say.ORDER_TWO_STEROIDS in said(patient(**known), steroid("10"))) is not uncharted
    assert Say.ORDER_TWO_STEROIDS not in said(patient(**known), steroid(None))


def test_s_mgt_3c_the_escalated_dose_is_right_when_it_got_worse() -> None:
    bedside = patient(phases=[(20, 2), (2, 3)], drugs=[*tocilizumab(10), *dexamethasone("10", 10, 4)])
    assert said(bedside, steroid("20")) == {Say.ORDER_TWO_STEROIDS: "warning"}
    assert Say.ORDER_STEROID_DOSE in said(bedside, steroid("8"))


def test_s_mgt_4c_methylprednisolone_is_right_when_dexamethasone_did_not_help() -> None:
    bedside = patient(phases=[(60, 4)], drugs=[*tocilizumab(40), *dexamethasone("20", 40, 20, 4)])
    assert said(bedside, steroid("1000", "24", "methylprednisolone")) == {Say.ORDER_TWO_STEROIDS: "warning"}


def test_s_mgt_3c_and_4d_who_was_escalated_goes_on_with_the_stronger_regimen() -> None:
    higher = [*tocilizumab(10), *dexamethasone("10", 10), *dexamethasone("20", 6, 1)]
    assert said(patient(phases=[(20, 2), (8, 3)], drugs=higher), steroid("20")) == {}
    other = [*tocilizumab(50), *dexamethasone("20", 50, 40), given("methylprednisolone", 6, "1000")]
    assert said(patient(phases=[(60, 4)], drugs=other), steroid("1000", "24", "methylprednisolone")) == {}


def test_on_the_way_down_a_lower_dose_is_no_mistake() -> None:
    bedside = patient(phases=[(60, 4), (8, 3)], drugs=dexamethasone("20", 40, 20, 4))
    assert said(bedside, steroid("20")) == {}
    assert Say.ORDER_STEROID_DOSE not in said(bedside, steroid("8"))


@pytest.mark.parametrize(
    ("known", "orders"),
    [
        ({"drugs": dexamethasone("10", 10, 4)}, [steroid("1000", "24", "methylprednisolone")]),
        ({"orders": [ordered("methylprednisolone", 3, "corticosteroid")]}, [steroid()]),
        ({}, [steroid(), order("methylprednisolone", "1000", every="24", reference="MedicationRequest/2")]),
        ({}, [steroid(), order("dexamethasone", "10", every="6", reference="MedicationRequest/2")]),
    ],
)
def test_n_10_two_regimens_together_are_named(known: dict[str, Any], orders: list[Any]) -> None:
    assert said(patient(**known), *orders)[Say.ORDER_TWO_STEROIDS] == "warning"


@pytest.mark.parametrize(
    ("known", "orders"),
    [
        ({"drugs": dexamethasone("10", 10, 4)}, [steroid()]),
        ({"orders": [ordered("dexamethasone", 3, "corticosteroid", mg="10")]}, [steroid()]),
        ({"phases": [(24, 0), (3, 3)], "drugs": dexamethasone("16", 9)}, [steroid()]),
    ],
)
def test_n_10_the_same_regimen_or_a_premedication_is_no_second_one(known: dict[str, Any], orders: list[Any]) -> None:
    assert said(patient(**known), *orders) == {}


@pytest.mark.parametrize(
    ("years", "kilograms", "mg", "severity"),
    [
        (17, "60", "10", "critical"),
        (18, "60", "10", None),
        (4, "16", "10", "critical"),
        (4, "16", "20", "critical"),
        (4, "16", "9.9", None),
        (4, "16", "8", None),
        (None, "49.9", "10", "critical"),
        (None, "50", "10", None),
    ],
)
def test_n_09_an_adult_dose_for_a_child_is_critical(
    years: int | None, kilograms: str, mg: str, severity: str | None
) -> None:
    born_then = born(years) if years is not None else None
    bedside = patient(birth_date=born_then, weights=[weight(kilograms, 1)], scores=[])
    assert said(bedside, steroid(mg)) == ({Say.ORDER_ADULT_DOSE: severity} if severity else {})
    assert corrected(bedside, steroid(mg)) is None


@pytest.mark.parametrize(("mg", "severity"), [("999", None), ("1000", "critical"), ("1001", "critical")])
def test_n_09_the_adult_dose_of_a_schedule_is_the_one_it_begins_with(mg: str, severity: str | None) -> None:
    bedside = patient(birth_date=born(17), weights=[weight("60", 1)], scores=[])
    found = said(bedside, steroid(mg, "24", "methylprednisolone"))
    assert found == ({Say.ORDER_ADULT_DOSE: severity} if severity else {})


def test_n_17_an_allergy_to_a_corticosteroid_is_critical() -> None:
    bedside = patient(allergies=[allergy("dexamethasone")])
    assert said(bedside, steroid("20")) == {Say.ORDER_ALLERGY: "critical"}
    assert corrected(bedside, steroid("20")) is None


def test_s_pit_pro_1_antifungals_are_named_once_when_the_order_is_signed() -> None:
    bedside = Bedside(phases=[(20, 3)])
    assert said(bedside, steroid()) == {Say.ORDER_ANTIFUNGAL: "info"}
    assert said(bedside, steroid(), signing=False) == {}
    assert said(bedside, steroid(), order("micafungin", "100", reference="MedicationRequest/2")) == {}


# --- antipyretics, GM-CSF, therapies, others --------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("known", "masks"),
    [
        ({"phases": [(20, 1)]}, True),
        ({"phases": [(20, 1)], "scores": [score("1", 3, "crs-grade")]}, False),
        ({"phases": [(20, 1)], "scores": [score("1", 12, "crs-grade")]}, False),
        ({"phases": [(20, 1)], "scores": [score("1", 12.1, "crs-grade")]}, True),
        ({"phases": [(20, 0)]}, False),
        ({"phases": [(20, 2), (13, 1)], "fever": "36.9"}, False),
    ],
)
def test_s_mgt_1a_an_antipyretic_masks_a_fever_that_nobody_graded(known: dict[str, Any], masks: bool) -> None:
    assert said(Bedside(**known), order("acetaminophen", "650")) == ({Say.ORDER_MASKS: "info"} if masks else {})


@pytest.mark.parametrize(("days", "named"), [(3, True), (200, False)])
def test_n_18_gm_csf_is_not_for_these_patients(days: float, named: bool) -> None:
    found = said(Bedside(therapy_days=days), order("sargramostim", "250", "ug"))
    assert found == ({Say.ORDER_GM_CSF: "warning"} if named else {})


@pytest.mark.parametrize(
    ("known", "remarks"),
    [
        ({"therapy_days": 200}, {Say.ORDER_READY: "info"}),
        ({"phases": [(20, 0)]}, {Say.ORDER_READY: "info"}),
        ({"phases": [(20, 1)]}, {Say.ORDER_DURING_CRS: "warning", Say.ORDER_READY: "info"}),
    ],
)
def test_a_therapy_is_told_what_must_be_ready_and_waits_while_crs_goes_on(
    known: dict[str, Any], remarks: dict[Say, str]
) -> None:
    therapy = order("teclistamab", None, "", kind="therapy", group="step-up")
    assert said(Bedside(**known), therapy) == remarks


@pytest.mark.parametrize("agent", ["cefepime", "anakinra", "micafungin"])
def test_other_drugs_are_met_with_silence(agent: str) -> None:
    assert agent in GROUPS
    assert said(Bedside(phases=[(20, 3)]), order(agent, "100")) == {}


def test_every_order_of_the_session_is_looked_at_by_itself() -> None:
    bedside = patient()
    second = order("dexamethasone", "20", every="6", reference="MedicationRequest/2")
    found = reviewed(bedside, order(amount="900"), second)
    assert [item.order.reference for item in found] == ["MedicationRequest/1", "MedicationRequest/2"]
    assert found[0].correction is not None
    assert found[0].correction.dose is not None
    assert found[0].correction.dose.mg == Decimal(640)

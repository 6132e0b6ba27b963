"""What must never be suggested: N-01 to N-27, each with a test that fails loudly if it is."""

import re
from collections.abc import Iterator
from datetime import date
from typing import Any

import pytest

from cds_service.content.files import data_folder
from cds_service.crs.sentences import Say
from cds_service.crs.timeline import FOREVER, Gap, Vasoactive
from tests.bedside import (
    Bedside,
    ago,
    allergy,
    born,
    content,
    culture,
    diagnosis,
    given,
    score,
    tocilizumab,
    weight,
)

EXCLUDED = [culture("negative", 3)]


def orders(bedside: Bedside) -> Iterator[dict[str, Any]]:
    """The resources of all suggestions."""
    for card in bedside.cards:
        for suggestion in card.get("suggestions", []):
            for action in suggestion["actions"]:
                yield action["resource"]


def doses(bedside: Bedside, drug: str) -> list[float]:
    """Doses in mg of a drug, over all suggestions."""
    return [
        order["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"]
        for order in orders(bedside)
        if order.get("medicationCodeableConcept", {}).get("text") == drug
    ]


def texts_of_content(*, sites: bool = True) -> str:
    """All that a committee wrote: sentences, templates, orders, protocols; those of sites too unless left out."""
    folder = data_folder("cards")
    files = [path for kind in ("text", "orders", "protocols") for path in sorted((folder / kind).iterdir())]
    texts = [path.read_text(encoding="utf-8") for path in files]
    return "\n".join(text for text in texts if sites or "based_on" not in text)


# --- tocilizumab ----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grade", [2, 3, 4])
def test_n_01_no_dose_above_the_limit_of_the_protocol(grade: int) -> None:
    bedside = Bedside(phases=[(180, grade)], drugs=tocilizumab(170, 90), cultures=EXCLUDED, therapy_days=8)
    assert doses(bedside, "tocilizumab") == []


@pytest.mark.parametrize("names", [("Actemra", "Tyenne"), ("Tofidence", "Avtozma"), ("prophylactic", "subcutaneous")])
def test_n_01_every_brand_and_every_purpose_counts(names: tuple[str, str]) -> None:
    drugs = [given("tocilizumab", at, name=name) for at, name in zip((170, 90), names, strict=True)]
    assert doses(Bedside(phases=[(160, 2)], drugs=drugs, cultures=EXCLUDED, therapy_days=8), "tocilizumab") == []


def test_n_01_no_dose_above_the_limit_of_the_label_in_a_new_episode() -> None:
    bedside = Bedside(phases=[(300, 2), (250, 0), (20, 2)], drugs=tocilizumab(290, 280, 270, 260), therapy_days=14)
    assert doses(bedside, "tocilizumab") == []


@pytest.mark.parametrize("hours", [0, 1, 7.99])
@pytest.mark.parametrize("grade", [2, 3, 4])
def test_n_02_no_dose_within_eight_hours_of_the_last(hours: float, grade: int) -> None:
    assert doses(Bedside(phases=[(20, 1), (2, grade)], drugs=tocilizumab(hours)), "tocilizumab") == []


@pytest.mark.parametrize(
    "weights",
    [
        [],
        [weight("70", 30.1)],
        [weight("70", how="stated")],
        [weight("70", how="estimated")],
        [weight("80", 5), weight("176", 1)],
        [weight("15", 1)],
    ],
)
def test_n_03_no_mg_without_a_usable_weight(weights: list[Any]) -> None:
    bedside = Bedside(weights=weights)
    assert doses(bedside, "tocilizumab") == []
    assert not re.search(r"\d mg(?!/kg)", bedside.words.replace("at most 800 mg", ""))


@pytest.mark.parametrize("kilograms", ["100.01", "110", "300"])
@pytest.mark.parametrize("grade", [2, 3, 4])
def test_n_04_never_above_800_mg(kilograms: str, grade: int) -> None:
    assert doses(Bedside(phases=[(20, grade)], weights=[weight(kilograms)]), "tocilizumab") == [800]


@pytest.mark.parametrize(("kilograms", "wrong", "right"), [("29.9", 239.2, 358.8), ("30", 360, 240)])
@pytest.mark.parametrize("grade", [2, 3, 4])
def test_n_05_never_the_dose_of_the_other_weight_band(kilograms: str, wrong: float, right: float, grade: int) -> None:
    bedside = Bedside(phases=[(20, grade)], birth_date=born(9), weights=[weight(kilograms)])
    assert doses(bedside, "tocilizumab") == [right]
    assert f"{wrong} mg" not in bedside.words


def test_n_06_tocilizumab_is_never_subcutaneous() -> None:
    (order,) = [order for order in content().protocol.orders.values() if order.agent == "tocilizumab"]
    assert order.route == "intravenous"
    assert not re.search(r"subcut|\bSC\b", str(list(orders(Bedside()))))
    said = re.findall(r".*subcut.*", texts_of_content())
    assert said == ['order-subcutaneous = "subcutaneous tocilizumab is not for CRS, it is given intravenously"']


@pytest.mark.parametrize("known", [{"scores": [score("7", 1)]}, {"diagnoses": [diagnosis("icans-suspected", 1)]}])
def test_n_07_never_silently_with_icans(known: dict[str, Any]) -> None:
    bedside = Bedside(phases=[(20, 3)], **known)
    assert doses(bedside, "tocilizumab") == [640]
    assert Say.TOCILIZUMAB_ICANS in bedside.says


@pytest.mark.parametrize("known", [{"scores": [score("7", 1)]}, {"diagnoses": [diagnosis("icans-suspected", 1)]}])
@pytest.mark.parametrize("grade", [2, 3, 4])
def test_n_07_no_repeat_dose_with_icans(known: dict[str, Any], grade: int) -> None:
    bedside = Bedside(phases=[(100, grade)], drugs=tocilizumab(80), cultures=EXCLUDED, therapy_days=6, **known)
    assert doses(bedside, "tocilizumab") == []


def test_n_08_no_tocilizumab_and_no_steroid_at_grade_1() -> None:
    for hours in (5, 100):
        bedside = Bedside(phases=[(hours, 1)], therapy_days=6)
        assert bedside.assessment.grade == 1
        assert [order["resourceType"] for order in orders(bedside)] == ["ServiceRequest"]
        assert not re.search(r"\d mg", bedside.words)


@pytest.mark.parametrize(("birth_date", "kilograms"), [(born(17), "80"), (born(6), "20"), (None, "49.9"), (None, "30")])
@pytest.mark.parametrize("grade", [3, 4])
def test_n_09_no_adult_steroid_dose_under_18_or_under_50_kg_without_an_age(
    birth_date: date | None, kilograms: str, grade: int
) -> None:
    bedside = Bedside(phases=[(20, grade)], birth_date=birth_date, weights=[weight(kilograms)])
    assert doses(bedside, "dexamethasone") == []
    assert not re.search(r"dexamethasone \d", bedside.words)


@pytest.mark.parametrize("agent", ["dexamethasone", "methylprednisolone"])
@pytest.mark.parametrize("grade", [3, 4])
def test_n_10_never_a_second_steroid_regimen(agent: str, grade: int) -> None:
    assert doses(Bedside(phases=[(20, grade)], drugs=[given(agent, 6)]), "dexamethasone") == []


@pytest.mark.parametrize("grade", [2, 3, 4])
def test_n_10_never_two_regimens_in_one_answer(grade: int) -> None:
    bedside = Bedside(phases=[(150, grade)], drugs=tocilizumab(145, 73), therapy_days=8)
    assert len(doses(bedside, "dexamethasone")) <= 1
    assert "methylprednisolone" not in bedside.words


# --- the grade ------------------------------------------------------------------------------------------------------


def infusion(agent: str, role: str, line: int = 1) -> Vasoactive:
    reference = f"MedicationAdministration/{agent}-{line}"
    return Vasoactive(time=ago(2 + line), reference=reference, agent=agent, role=role, until=FOREVER)


@pytest.mark.parametrize(
    "second",
    [
        infusion("vasopressin", "vasopressin"),
        infusion("dobutamine", "inotrope"),
        infusion("milrinone", "inotrope"),
        infusion("norepinephrine", "vasopressor", 2),
    ],
)
def test_n_11_vasopressin_an_inotrope_or_a_second_line_is_no_second_vasopressor(second: Vasoactive) -> None:
    bedside = Bedside(phases=[(20, 3)], more={"vasoactives": (second,)})
    assert bedside.assessment.grade == 3
    assert doses(bedside, "dexamethasone") == [10]


def test_n_12_fever_alone_is_never_grade_4() -> None:
    bedside = Bedside(phases=[(20, 1)], fever="41.5")
    assert bedside.assessment.grade == 1
    assert doses(bedside, "tocilizumab") == []


@pytest.mark.parametrize("agent", ["acetaminophen", "tocilizumab", "dexamethasone"])
def test_n_13_never_no_crs_because_a_drug_took_the_fever_away(agent: str) -> None:
    for phases, grade in (([(40, 2), (10, 0)], 1), ([(40, 2)], 2)):
        bedside = Bedside(phases=phases, drugs=[given(agent, 11)])
        cool = Bedside(phases=phases, fever="36.8", drugs=[given(agent, 11)])
        assert bedside.assessment.grade == grade
        assert cool.assessment.grade != 0
        assert "no CRS" not in bedside.words + cool.words


@pytest.mark.parametrize("kind", ["temperatures", "pressures", "oxygen", "vasoactives"])
def test_n_14_never_no_crs_because_data_is_missing(kind: str) -> None:
    bedside = Bedside(phases=[(20, 0)], gaps={kind: Gap("only one page was read")})
    assert (bedside.assessment.status, bedside.assessment.grade) == ("indeterminate", None)
    (card,) = bedside.cards
    assert card["summary"].startswith("CRS not graded: ")


@pytest.mark.parametrize("grade", [2, 3, 4])
@pytest.mark.parametrize("done", [False, True])
def test_n_15_never_tocilizumab_without_the_infection_card_before_it(grade: int, done: bool) -> None:
    known: dict[str, Any] = {"cultures": [culture("drawn", 1)], "drugs": [given("cefepime", 1)]} if done else {}
    bedside = Bedside(phases=[(20, grade)], **known)
    assert doses(bedside, "tocilizumab") == [640]
    topics = [card["source"]["topic"]["code"] for card in bedside.cards]
    assert topics == [f"CRSgrade{grade}", f"CRSinfection{grade}", f"CRStreatment{grade}"]


def test_n_16_never_a_grade_or_a_dose_from_the_future() -> None:
    bedside = Bedside(phases=[(20, 1)], weights=[weight("80", -1)], drugs=tocilizumab(-1))
    assert bedside.assessment.grade == 1
    later = Bedside(phases=[(20, 2)], weights=[weight("70", 3), weight("90", -1)], drugs=tocilizumab(-1))
    assert doses(later, "tocilizumab") == [560]
    assert later.course.doses == ()


# --- cautions -------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("grade", [2, 3, 4])
def test_n_17_never_without_the_warning_line(grade: int) -> None:
    for known in ({}, {"weights": []}):
        words = Bedside(phases=[(20, grade)], **known).words
        for danger in ("serious infection", "hepatitis B", "tuberculosis", "diverticulitis", "live vaccines"):
            assert danger in words


@pytest.mark.parametrize("grade", [2, 3, 4])
def test_n_17_never_an_order_with_an_allergy_to_it(grade: int) -> None:
    bedside = Bedside(phases=[(20, grade)], allergies=[allergy("tocilizumab"), allergy("dexamethasone")])
    assert doses(bedside, "tocilizumab") == doses(bedside, "dexamethasone") == []
    assert "An allergy to tocilizumab is charted" in bedside.words


def test_n_18_never_gm_csf() -> None:
    assert not [order for order in content().protocol.orders.values() if order.group == "gm-csf"]
    said = re.findall(r".*(?:sargramostim|gm-csf|leukine).*", texts_of_content(), re.IGNORECASE)
    assert said == [
        'order-gm-csf = "GM-CSF is not recommended after these therapies, above all not in CRS"',
    ]


@pytest.mark.parametrize("grade", [1, 2, 3, 4])
def test_n_19_never_an_order_that_is_active(grade: int) -> None:
    for order in orders(Bedside(phases=[(20, grade)])):
        assert (order["status"], order["intent"]) == ("draft", "proposal")


def test_n_20_never_an_order_for_drugs_without_a_dose_in_the_protocol() -> None:
    agents = {order.agent for order in content().protocol.orders.values()}
    assert agents == {"tocilizumab", "dexamethasone", "methylprednisolone", "blood-culture"}
    drugs = [*tocilizumab(170, 90), given("methylprednisolone", 3, "1000")]
    exhausted = Bedside(phases=[(180, 4)], drugs=drugs, therapy_days=8)
    assert "siltuximab" in exhausted.words
    assert [order["resourceType"] for order in orders(exhausted)] == ["ServiceRequest"]
    assert not re.search(r"(siltuximab|anakinra|clazakizumab)[^.]* \d+ mg", exhausted.words)


def test_n_21_never_an_antibiotic_by_name_unless_a_site_names_its_own() -> None:
    drugs = content().value_sets["drugs"].meanings
    named = [word for drug in drugs if drug.group in ("antibiotic", "antifungal") for word in drug.words]
    said = texts_of_content(sites=False).casefold()
    assert named
    assert "maximum_doses" in said
    assert [word for word in named if word in said] == []


def test_n_22_never_the_rates_of_another_illness() -> None:
    assert not re.search(r"\b(3\.4|3\.2|11\.7)\b", texts_of_content())


def test_n_23_never_astct_or_a_rems_as_the_source_of_treatment() -> None:
    said = texts_of_content()
    assert "REMS" not in said
    assert not re.search(r"ASTCT[^.]{0,40}(recommend|suggest|advise)", said)
    assert "treatment: supplied CRS protocol" in Bedside().cards[0]["detail"]


def test_n_24_never_resolved_because_the_temperature_is_normal_after_tocilizumab() -> None:
    bedside = Bedside(phases=[(40, 3), (9, 0)], drugs=tocilizumab(10))
    assert bedside.assessment.grade == 1
    assert bedside.assessment.episode is not None
    assert bedside.assessment.episode.state == "waived"
    assert "does not show that CRS has resolved" in bedside.words


def test_n_25_never_grade_5() -> None:
    worst = Bedside(phases=[(40, 4)], diagnoses=[diagnosis("crs", 5, "Cytokine release syndrome, grade 5")])
    assert worst.assessment.grade == 4
    assert sorted(content().protocol.steps) == [1, 2, 3, 4]


@pytest.mark.parametrize(
    "known",
    [
        {"birth_date": None, "weights": []},
        {"scores": [], "cultures": [], "labs": []},
        {"gaps": {kind: Gap("not read") for kind in ("drugs", "orders", "allergies", "cultures", "weights", "labs")}},
        {"gaps": {kind: Gap("not read") for kind in ("temperatures", "pressures", "oxygen", "saturations")}},
    ],
)
@pytest.mark.parametrize("grade", [1, 2, 3, 4])
def test_n_26_missing_input_is_a_card_that_says_so_and_no_exception(known: dict[str, Any], grade: int) -> None:
    bedside = Bedside(phases=[(20, grade)], **known)
    assert bedside.cards
    for gap in known.get("gaps", {}).values():
        assert gap.reason in bedside.words


def test_n_27_never_a_taper_a_dilution_or_a_volume_that_the_protocol_does_not_give() -> None:
    said = texts_of_content()
    assert not re.search(r"dilut|\d ?mL\b|saline", said)
    for order in content().protocol.orders.values():
        assert all(stage.every_hours is None or stage.days is not None for stage in order.stages)
        assert order.taper is None or (order.taper, len(order.stages)) == ((3, 7), 1)

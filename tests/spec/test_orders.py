"""Draft orders as FHIR R4: always drafts, complete, with an end, and saying their dose in words and in numbers."""

from collections.abc import Callable, Iterator
from dataclasses import replace
from datetime import date
from decimal import Decimal
from typing import Any

import pytest
from fhir.resources.R4B.medicationrequest import MedicationRequest
from fhir.resources.R4B.servicerequest import ServiceRequest
from pydantic import ValidationError

from cds_service.content.codes import SystemFile
from cds_service.content.files import data_folder, read_toml
from cds_service.content.lines import Key
from cds_service.content.orders import OrderFile, order
from cds_service.content.protocols import ProtocolFile
from cds_service.content.soundness import of_order, of_protocol
from cds_service.fhir.orders import dose_words, draft
from tests.bedside import content

ORDERS = content().protocol.orders
UCUM = {"system": "http://unitsofmeasure.org"}
MG = {"unit": "mg", "code": "mg", **UCUM}
DAYS = {"unit": "d", "code": "d", **UCUM}


def resource(name: str, mg: str | None, **changed: Any) -> dict[str, Any]:
    call: dict[str, Any] = {
        "patient_id": "p1",
        "encounter_id": "e1",
        "user": "Practitioner/u1",
        "intent": "proposal",
        "reason": "CRS",
    }
    return draft(ORDERS[name], Decimal(mg) if mg is not None else None, **call | changed)


def dosage(name: str, mg: str) -> dict[str, Any]:
    (found,) = resource(name, mg)["dosageInstruction"]
    return dict(found)


@pytest.mark.parametrize(
    ("name", "mg", "words"),
    [
        ("tocilizumab", "656", "656 mg intravenous over 60 min, once"),
        ("tocilizumab", "358.8", "358.8 mg intravenous over 60 min, once"),
        ("tocilizumab", "8E+2", "800 mg intravenous over 60 min, once"),
        ("dexamethasone-10", "10", "10 mg intravenous every 6 h for 1 to 3 days"),
        ("dexamethasone-20", "20", "20 mg intravenous every 6 h for 3 days, then reassess"),
        ("dexamethasone-20-taper", "20", "20 mg intravenous every 6 h for 3 days, then taper over 3 to 7 days"),
        (
            "methylprednisolone",
            "1000",
            "1000 mg intravenous every 24 h for 3 days, then 250 mg every 12 h for 2 days, "
            "then 125 mg every 12 h for 2 days, then 60 mg every 12 h for 2 days",
        ),
        ("blood-cultures", None, "blood cultures, two sets"),
    ],
)
def test_an_order_reads_as_a_pharmacist_would_say_it(name: str, mg: str | None, words: str) -> None:
    assert dose_words(ORDERS[name], Decimal(mg) if mg is not None else None) == words


def test_a_test_without_a_quantity_has_no_empty_note() -> None:
    bare = replace(ORDERS["blood-cultures"], quantity="")
    assert dose_words(bare, None) == "blood cultures"
    made = draft(bare, None, patient_id="p", encounter_id=None, user="Patient/p", intent="proposal", reason="CRS")
    assert "note" not in made


def test_tocilizumab_is_one_intravenous_dose_over_an_hour() -> None:
    assert dosage("tocilizumab", "656") == {
        "text": "tocilizumab 656 mg intravenous over 60 min, once",
        "timing": {"repeat": {"count": 1, "duration": 60, "durationUnit": "min"}},
        "route": {"text": "intravenous"},
        "doseAndRate": [{"doseQuantity": {"value": 656, **MG}}],
    }


@pytest.mark.parametrize(
    ("name", "mg", "bounds"),
    [
        ("dexamethasone-10", 10, {"boundsRange": {"low": {"value": 1, **DAYS}, "high": {"value": 3, **DAYS}}}),
        ("dexamethasone-20", 20, {"boundsDuration": {"value": 3, **DAYS}}),
    ],
)
def test_a_repeated_dose_has_an_end(name: str, mg: int, bounds: dict[str, Any]) -> None:
    found = dosage(name, str(mg))
    assert found["timing"] == {"repeat": {"frequency": 1, "period": 6, "periodUnit": "h", **bounds}}
    assert found["doseAndRate"] == [{"doseQuantity": {"value": mg, **MG}}]


@pytest.mark.parametrize(("mg", "value"), [("656", 656), ("8E+2", 800), ("358.8", 358.8), ("638.66", 638.66)])
def test_the_dose_is_a_json_number_with_the_same_digits(mg: str, value: float) -> None:
    (rate,) = dosage("tocilizumab", mg)["doseAndRate"]
    assert rate["doseQuantity"]["value"] == value
    assert str(rate["doseQuantity"]["value"]) == str(value)


@pytest.mark.parametrize(
    ("name", "mg", "code"),
    [("tocilizumab", "656", "612865"), ("dexamethasone-10", "10", "3264"), ("dexamethasone-20", "20", "3264")],
)
def test_a_drug_is_coded_as_an_ingredient_and_named_in_text(name: str, mg: str, code: str) -> None:
    concept = resource(name, mg)["medicationCodeableConcept"]
    (coding,) = concept["coding"]
    assert (coding["system"], coding["code"]) == ("http://www.nlm.nih.gov/research/umls/rxnorm", code)
    assert concept["text"] == coding["display"] == name.partition("-")[0]


@pytest.mark.parametrize("intent", ["proposal", "order"])
@pytest.mark.parametrize(("name", "mg"), [("tocilizumab", "656"), ("blood-cultures", None)])
def test_an_order_is_a_draft_for_the_patient_and_encounter_of_the_call(name: str, mg: str | None, intent: str) -> None:
    made = resource(name, mg, intent=intent)
    assert (made["status"], made["intent"]) == ("draft", intent)
    assert made["subject"] == {"reference": "Patient/p1"}
    assert made["encounter"] == {"reference": "Encounter/e1"}
    assert made["requester"] == {"reference": "Practitioner/u1"}
    assert "id" not in made
    assert "encounter" not in resource(name, mg, encounter_id=None)


@pytest.mark.parametrize(
    ("user", "asked"), [("PractitionerRole/r", True), ("Patient/p1", False), ("RelatedPerson/r", False)]
)
def test_only_a_professional_is_the_requester(user: str, asked: bool) -> None:
    assert ("requester" in resource("tocilizumab", "656", user=user)) is asked


@pytest.mark.parametrize("name", ORDERS)
def test_every_order_of_the_protocol_is_valid_fhir(name: str) -> None:
    mg = None if ORDERS[name].kind == "service" else "100"
    made = resource(name, mg)
    model: Any = {"MedicationRequest": MedicationRequest, "ServiceRequest": ServiceRequest}[made.pop("resourceType")]
    model(**made)


# --- content that would make a dangerous order does not load --------------------------------------------------------


def order_file(name: str, **changed: Any) -> OrderFile:
    raw = read_toml(data_folder("cards") / "orders" / f"{name}.toml")
    return OrderFile.model_validate({key: value for key, value in (raw | changed).items() if value is not None})


def refused(check: Callable[[], Iterator[tuple[Key, str]]]) -> str:
    """Why a file does not load: because it does not fit its layout, or because it makes no sense; empty if it loads."""
    try:
        return "; ".join(words for _, words in check())
    except ValidationError as error:
        return str(error)


def systems() -> dict[str, SystemFile]:
    raw = read_toml(data_folder("cards") / "codes" / "_systems.toml")
    return {name: SystemFile.model_validate(value) for name, value in raw.items()}


SOURCE = {"reference": "r", "date": date(2026, 1, 1)}
DOSE = {"value": 10, "unit": "mg", **SOURCE}
EVERY = {"value": 6, "unit": "h", **SOURCE}
COURSE = {"unit": "d", **SOURCE}


def stage(**changed: Any) -> dict[str, Any]:
    made = {"dose": DOSE, "every": EVERY, "days": {"low": 1, "high": 3, **COURSE}} | changed
    return {"stage": [{key: value for key, value in made.items() if value is not None}]}


@pytest.mark.parametrize(
    ("name", "changed", "fault"),
    [
        ("dexamethasone-10", stage(days=None), "must see an end"),
        ("dexamethasone-10", stage(every=None), "needs `every`"),
        ("dexamethasone-10", stage(days={"low": 3, "high": 1, **COURSE}), "low first"),
        ("dexamethasone-10", stage(days={"low": 0, "high": 1, **COURSE}), "low first"),
        ("dexamethasone-10", stage(days={"low": 1, "high": 3, **COURSE, "unit": "h"}), "should be 'd'"),
        ("dexamethasone-10", stage(days={"low": 1, "high": Decimal("1.5"), **COURSE}), "whole days"),
        ("dexamethasone-10", {"stage": []}, "either stages of fixed doses or weight bands"),
        ("tocilizumab", {"band": []}, "either stages of fixed doses or weight bands"),
    ],
)
def test_an_order_without_a_dose_rule_or_without_an_end_is_refused(
    name: str, changed: dict[str, Any], fault: str
) -> None:
    assert fault in refused(lambda: of_order(order_file(name, **changed)))


def test_the_orders_as_they_are_load() -> None:
    for name in ORDERS:
        assert order(order_file(name), systems()) == ORDERS[name]


RANGE = {"low": 1, "high": 9, "unit": "kg", "reference": "r", "date": date(2026, 1, 1)}


@pytest.mark.parametrize(
    "ranges",
    [
        [],
        [RANGE | {"below_years": 1}],
        [RANGE, RANGE],
        [RANGE | {"below_years": 3}, RANGE | {"below_years": 1}, RANGE],
        [RANGE | {"below_years": 1}, RANGE | {"below_years": 1}, RANGE],
        [RANGE | {"unit": "[lb_av]"}],
        [RANGE | {"low": 9, "high": 1}],
    ],
)
def test_weights_by_age_that_leave_an_age_out_are_refused(ranges: list[dict[str, Any]]) -> None:
    raw = read_toml(data_folder("cards") / "protocols" / "supplied.toml")
    raw["weight"]["plausible"] = ranges
    found = refused(lambda: of_protocol(ProtocolFile.model_validate(raw), ORDERS))
    assert "plausible weights" in found or "weight.plausible" in found

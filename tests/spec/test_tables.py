"""The tables of cards/ beside the codes, against tables that were typed from what is cited.

Each table here is whole: a figure that changes, a row that goes and a row that comes are noticed alike. Beside a row
stands the rule that asks for it; figures without one are this project's judgement, and `cards/` says so.
"""

import tomllib
from collections.abc import Iterator, Mapping
from decimal import Decimal
from typing import Any

import pytest

from cds_service.content.files import data_folder

FOR_PEOPLE = {"caution", "citation", "confidence", "date", "display", "note", "reference", "text", "title", "version"}

SCALE = {
    "id": "astct-2019",
    "fever.threshold": "38.0 Cel",  # S-GRADE-1
    "fever.current_window": "12 h",
    "fever.establishing_window": "24 h",
    "hypotension.window": "4 h",
    "hypotension.vasoactive_history": "24 h",  # DQ-51
    "hypotension.vasoactive_stopped": "1 h",  # DQ-53
    "hypotension.normal_readings": "2 1",
    "hypotension.normal_spacing": "10 min",
    "hypotension.adult_years": "18 a",  # N-09
    "hypotension.band.1.below_days": "28",
    "hypotension.band.1.mmhg": "60 mm[Hg]",
    "hypotension.band.1.mmhg_per_year": "0 mm[Hg]/a",
    "hypotension.band.2.below_years": "1",
    "hypotension.band.2.mmhg": "70 mm[Hg]",
    "hypotension.band.2.mmhg_per_year": "0 mm[Hg]/a",
    "hypotension.band.3.below_years": "11",
    "hypotension.band.3.mmhg": "70 mm[Hg]",
    "hypotension.band.3.mmhg_per_year": "2 mm[Hg]/a",
    "hypotension.band.4.mmhg": "90 mm[Hg]",
    "hypotension.band.4.mmhg_per_year": "0 mm[Hg]/a",
    "hypoxia.window": "4 h",
    "hypoxia.low_flow_maximum": "6 L/min",  # S-GRADE-2b
    "hypoxia.saturation": "90 %",
    "hypoxia.room_air_fio2": "21 %",
    "device.room-air.in_use": "false",
    "device.nasal-cannula": "",
    "device.oxygen-unspecified": "",
    "device.tracheostomy-tube": "",
    "device.blow-by.grade": "2",
    "device.simple-mask.grade": "3",  # S-GRADE-3c, and the seven below
    "device.aerosol-mask.grade": "3",
    "device.face-tent.grade": "3",
    "device.tracheostomy-mask.grade": "3",
    "device.venturi.grade": "3",
    "device.partial-rebreather.grade": "3",
    "device.non-rebreather.grade": "3",
    "device.high-flow-nasal-cannula.grade": "3",
    "device.cpap.grade": "4",  # S-GRADE-4b, and the four below
    "device.cpap.positive_pressure": "true",
    "device.bilevel.grade": "4",
    "device.bilevel.positive_pressure": "true",
    "device.positive-pressure.grade": "4",
    "device.positive-pressure.positive_pressure": "true",
    "device.intubation.grade": "4",
    "device.intubation.positive_pressure": "true",
    "device.ventilator.grade": "4",
    "device.ventilator.positive_pressure": "true",
    "masking.antipyretic": "12 h",  # S-GRADE-WAIVE, and the four below
    "masking.il6-blocker": "14 d",
    "masking.corticosteroid": "48 h",
    "masking.il1-blocker": "24 h",
    "masking.il6-pathway": "21 d",
    "resolution.duration": "24 h",  # N-24
    "resolution.duration_after_il6_blocker": "48 h",
    "therapy.car-t.days": "30 d",
    "therapy.car-t.late_days": "90 d",
    "therapy.blinatumomab.hours": "72 h",
    "therapy.blinatumomab.advice": "stop-infusion",
    "therapy.step-up.hours": "7 d",
    "therapy.step-up.early_doses": "4 1",
    "therapy.step-up.later_hours": "72 h",
    "therapy.step-up.advice": "hold-next-dose",
    "therapy.early-doses.hours": "72 h",
    "therapy.early-doses.early_doses": "4 1",
    "therapy.early-doses.later_hours": "48 h",
    "therapy.early-doses.advice": "hold-next-dose",
    "data_quality.clock_skew": "5 min",  # DQ-41
    "plausible.temperature": "30 to 45 Cel",  # DQ-19, and the six below
    "plausible.systolic": "30 to 300 mm[Hg]",
    "plausible.diastolic": "10 to 200 mm[Hg]",
    "plausible.saturation": "50 to 100 %",
    "plausible.flow": "0 to 80 L/min",
    "plausible.fio2": "21 to 100 %",
    "plausible.weight": "0.5 to 300 kg",
    "inferable.celsius": "30 to 45 Cel",  # DQ-02
    "inferable.fahrenheit": "86 to 113 [degF]",
    "inferable.pressure": "30 to 300 mm[Hg]",  # DQ-06
}
DEVICES = {
    "room-air": ("room air", ""),
    "nasal-cannula": ("nasal cannula", ""),
    "oxygen-unspecified": ("oxygen", "how the oxygen is given is not charted"),
    "tracheostomy-tube": (
        "tracheostomy tube",
        "a tracheostomy tube alone is not ventilation: confirm the support",
    ),
    "blow-by": ("blow-by", ""),
    "simple-mask": ("simple face mask", ""),
    "aerosol-mask": ("aerosol mask", "an aerosol mask is counted as a face mask: confirm"),
    "face-tent": ("face tent", "a face tent is counted as a face mask: confirm"),
    "tracheostomy-mask": ("tracheostomy mask", "a tracheostomy mask is counted as a face mask: confirm"),
    "venturi": ("Venturi mask", ""),
    "partial-rebreather": ("partial rebreather mask", ""),
    "non-rebreather": ("non-rebreather mask", ""),
    "high-flow-nasal-cannula": ("high-flow nasal cannula", ""),
    "cpap": ("CPAP", ""),
    "bilevel": ("BiPAP", ""),
    "positive-pressure": ("positive pressure ventilation", ""),
    "intubation": ("intubation", ""),
    "ventilator": ("mechanical ventilation", ""),
}

DEXAMETHASONE = {
    "kind": "medication",
    "agent": "dexamethasone",
    "group": "corticosteroid",
    "code.system": "rxnorm",
    "code.code": "3264",
    "route": "intravenous",
    "adults_only": "true",  # N-09
}
ORDERS = {
    "blood-cultures": {  # S-INF-1
        "kind": "service",
        "agent": "blood-culture",
        "group": "culture",
        "code.system": "loinc",
        "code.code": "600-7",
        "quantity": "two sets",
    },
    "tocilizumab": {  # S-PIT-TOCI-1, N-04, N-05
        "kind": "medication",
        "agent": "tocilizumab",
        "group": "il6-blocker",
        "code.system": "rxnorm",
        "code.code": "612865",
        "route": "intravenous",
        "maximum": "800 mg",
        "over": "60 min",
        "band.1.below": "30 kg",
        "band.1.dose": "12 mg/kg",
        "band.2.dose": "8 mg/kg",
    },
    "dexamethasone-10": DEXAMETHASONE  # S-MGT-2e, S-MGT-3a
    | {"stage.1.dose": "10 mg", "stage.1.every": "6 h", "stage.1.days": "1 to 3 d"},
    "dexamethasone-20-taper": DEXAMETHASONE  # S-MGT-3c, S-MGT-3d
    | {"stage.1.dose": "20 mg", "stage.1.every": "6 h", "stage.1.days": "3 to 3 d", "taper": "3 to 7 d"},
    "dexamethasone-20": DEXAMETHASONE  # S-MGT-4a
    | {"stage.1.dose": "20 mg", "stage.1.every": "6 h", "stage.1.days": "3 to 3 d", "then": "reassess"},
    "methylprednisolone": {  # S-MGT-4c, S-MGT-4d
        "kind": "medication",
        "agent": "methylprednisolone",
        "group": "corticosteroid",
        "code.system": "rxnorm",
        "code.code": "6902",
        "route": "intravenous",
        "adults_only": "true",
        "stage.1.dose": "1000 mg",
        "stage.1.every": "24 h",
        "stage.1.days": "3 to 3 d",
        "stage.2.dose": "250 mg",
        "stage.2.every": "12 h",
        "stage.2.days": "2 to 2 d",
        "stage.3.dose": "125 mg",
        "stage.3.every": "12 h",
        "stage.3.days": "2 to 2 d",
        "stage.4.dose": "60 mg",
        "stage.4.every": "12 h",
        "stage.4.days": "2 to 2 d",
    },
}

SUPPLIED = {
    "id": "supplied-crs",
    "scale": "astct-2019",
    "infection.orders": "blood-cultures",  # S-INF-1
    "tocilizumab.maximum_doses": "2 1",  # S-MGT-2d
    "tocilizumab.label_maximum_doses": "4 1",  # N-01
    "tocilizumab.label_count": "30 d",
    "tocilizumab.minimum_interval": "8 h",  # N-02
    "tocilizumab.repeat_after": "72 h",  # S-MGT-2c
    "tocilizumab.repeat_with_icans": "false",  # S-MGT-3e, S-MGT-4e, S-PIT-ICANS-2
    "tocilizumab.label_minimum_years": "2 a",
    "weight.current": "7 d",
    "weight.current_child": "3 d",
    "weight.limit": "30 d",  # N-03
    "weight.child_below": "30 kg",
    "weight.confirm_from": "28 kg",
    "weight.confirm_to": "32 kg",
    "weight.jump": "0.20 1",  # DQ-12
    "weight.jump_window": "30 d",
    "weight.adult_without_age": "50 kg",  # N-09
    "weight.plausible.1": "1 to 16 kg",
    "weight.plausible.1.below_years": "1",
    "weight.plausible.2": "5 to 27 kg",
    "weight.plausible.2.below_years": "3",
    "weight.plausible.3": "7 to 45 kg",
    "weight.plausible.3.below_years": "6",
    "weight.plausible.4": "10 to 85 kg",
    "weight.plausible.4.below_years": "10",
    "weight.plausible.5": "14 to 150 kg",
    "weight.plausible.5.below_years": "14",
    "weight.plausible.6": "20 to 300 kg",
    "steroid.active": "24 h",
    "steroid.response": "24 h",
    "steroid.early_products": "axicabtagene ciloleucel, brexucabtagene autoleucel",
    "monitoring.regrade": "12 h",  # S-DX-1
    "monitoring.silence": "12 h",
    "monitoring.cultures": "24 h",
    "monitoring.negative_cultures": "72 h",
    "monitoring.antibiotics": "12 h",
    "monitoring.labs": "24 h",  # S-PIT-MON-1
    "monitoring.scores": "12 h",
    "monitoring.long_fever": "72 h",
    "monitoring.persistent_fever": "24 h",
    "neurology.ice_from_years": "12 a",  # S-NEURO-1
    "neurology.ice_normal": "10 1",
    "neurology.capd_suspicious": "9 1",
    "neurology.risk_fever": "38.9 Cel",  # S-PIT-ICANS-3
    "neurology.risk_window": "36 h",
    "baseline.cbc": "CBC",  # S-LAB-1, and the six below
    "baseline.cmp": "metabolic panel",
    "baseline.crp": "CRP",
    "baseline.ferritin": "ferritin",
    "baseline.fibrinogen": "fibrinogen",
    "baseline.ldh": "LDH",
    "baseline.coagulation": "coagulation",
    "laboratory.daily": "cbc, cmp, crp, ferritin, fibrinogen",  # S-PIT-MON-1
    "laboratory.window": "72 h",
    "laboratory.members.cbc": "platelets",
    "laboratory.members.cmp": "alt, creatinine",
    "laboratory.below.neutrophils": "1000 /uL",  # S-PIT-MON-2, and the three below
    "laboratory.below.platelets": "50000 /uL",
    "laboratory.times_upper_limit.alt": "5 1",
    "laboratory.times_upper_limit.ast": "5 1",
    "review.dose_tolerance": "0.10 1",
    "notes.flow_products": "mosunetuzumab",
    "step.1.care": "acetaminophen, hydration, monitoring, icu-alert",  # S-MGT-1a to S-MGT-1d
    "step.2.orders": "tocilizumab",  # S-MGT-2a
    "step.2.refractory": "dexamethasone-10",  # S-MGT-2e
    "step.2.care": "icu-transfer",  # S-MGT-2b
    "step.3.orders": "tocilizumab, dexamethasone-10",  # S-MGT-3a
    "step.3.care": "icu-now",  # S-MGT-3b
    "step.3.escalation.order": "dexamethasone-20-taper",  # S-MGT-3c
    "step.3.escalation.when": "worse",
    "step.4.orders": "tocilizumab, dexamethasone-20",  # S-MGT-4a
    "step.4.considers_repeat": "true",  # S-MGT-4e
    "step.4.care": "icu-now, ventilation",  # S-MGT-4b
    "step.4.escalation.order": "methylprednisolone",  # S-MGT-4c
    "step.4.escalation.when": "not-better",
}

EXAMPLE = {
    "id": "example-hospital",
    "based_on": "supplied-crs",
    "tocilizumab.repeat_after": "8 h",
    "step.2.orders": "tocilizumab, dexamethasone-10",
    "step.2.refractory": "",
    "infection.orders": "blood-cultures, cefepime",
    "grading.hypoxia.saturation": "92 %",
    "order.blood-cultures.code.system": "snomed",
    "order.blood-cultures.code.code": "30088009",
    "order.cefepime.kind": "medication",
    "order.cefepime.agent": "cefepime",
    "order.cefepime.group": "antibiotic",
    "order.cefepime.code.system": "rxnorm",
    "order.cefepime.code.code": "20481",
    "order.cefepime.route": "intravenous",
    "order.cefepime.adults_only": "true",
    "order.cefepime.stage.1.dose": "2000 mg",
    "order.cefepime.stage.1.every": "8 h",
}

PROPOSES = {"intent": "proposal"}
CLIENTS = {
    "generic": PROPOSES
    | {"update": "true", "selection": "any", "override_reasons": "true", "tables": "true", "smart_links": "true"},
    "sandbox": PROPOSES
    | {"update": "false", "selection": "any", "override_reasons": "true", "tables": "true", "smart_links": "false"},
    "epic": PROPOSES
    | {"update": "false", "selection": "any", "override_reasons": "true", "tables": "true", "smart_links": "true"}
    | {"systems.http://www.nlm.nih.gov/research/umls/rxnorm": "urn:oid:2.16.840.1.113883.6.88"},
    "oracle-health": PROPOSES
    | {"update": "false", "selection": "at-most-one", "override_reasons": "false", "tables": "false"}
    | {"smart_links": "true"},
}
REASONS = {
    "other-cause": "Another cause explains it",
    "usual-pressure": "The pressure is usual for this patient",
    "already-treated": "Already treated",
    "palliative": "Goals of care: comfort",
    "trial": "Treated by a trial protocol",
}
BOUNDARY = (
    "not a medical device",
    "for review by a clinician",
    "A site validates it before clinical use",
    "cannot tell cytokine release syndrome from sepsis",
    "does not watch patients",
    "does not grade neurotoxicity, and it never computes death",  # N-25
)
UNCONFIRMED = (
    "this project's judgement",
    "Avtozma",
    "No SNOMED CT code for CRS",
    "No LOINC code was found for the ICE and CAPD scores",
    "may mean high-flow oxygen",
    "Routes of administration",
    "The NCCN page on grade 3 and 4 was not read",
    "Paediatric corticosteroid doses were not confirmed",
    "highest low flow",
)
CITED = ("Mahadeo", "Actemra", "PALS", "ASCO 2021", "NCCN 2.2026", "Blood Adv 2024")
DEPARTURES = (
    "S-GRADE-4-LIT",
    "S-GRADE-WAIVE",
    "S-GRADE-2a",
    "S-GRADE-3c",
    "S-MGT-2c, S-MGT-2d, S-MGT-3e",
    "S-MGT-4e",
    "S-MGT-2a, S-MGT-3a, S-MGT-4a, S-PIT-TOCI-1",
    "S-MGT-2e, S-MGT-3a, S-MGT-3c, S-MGT-4a, S-MGT-4c",
    "S-MGT-2c, S-MGT-3e, S-MGT-4e",
    "S-MGT-4c",
    "S-PIT-MON-2",
    "S-NEURO-1",
)


def table(file: str) -> dict[str, Any]:
    return tomllib.loads((data_folder("cards") / file).read_text(encoding="utf-8"), parse_float=Decimal)


def rows(file: str) -> dict[str, str]:
    """What a file of cards/ says beside words for people: figures as `38.0 Cel`, spans as `1 to 3 d`."""
    return dict(_rows("", table(file)))


def _rows(key: str, value: Any) -> Iterator[tuple[str, str]]:
    if isinstance(value, Mapping):
        parts = {name: part for name, part in value.items() if name not in FOR_PEOPLE}
        if "value" in parts:
            yield key, f"{parts.pop('value')} {parts.pop('unit')}"
        elif "low" in parts:
            yield key, f"{parts.pop('low')} to {parts.pop('high')} {parts.pop('unit')}"
        elif set(parts) == {"id"}:
            yield key, ""
        for name, part in parts.items():
            if name != "id" or not key:
                yield from _rows(f"{key}.{name}".removeprefix("."), part)
    elif isinstance(value, list) and value and isinstance(value[0], Mapping):
        for place, row in enumerate(value, 1):
            yield from _rows(f"{key}.{row.get('id', place)}", row)
    elif isinstance(value, list):
        yield key, ", ".join(value)
    else:
        yield key, str(value).lower() if isinstance(value, bool) else str(value)


def test_the_scale_holds_the_figures_and_devices_of_astct_2019_and_no_others() -> None:
    assert rows("scales/astct-2019.toml") == SCALE


def test_a_device_is_called_by_its_own_name_and_doubted_for_its_own_reason() -> None:
    devices = table("scales/astct-2019.toml")["device"]
    assert {device["id"]: (device["display"], device.get("caution", "")) for device in devices} == DEVICES


def test_there_are_the_orders_of_the_protocol_and_no_others() -> None:
    assert {path.stem for path in (data_folder("cards") / "orders").iterdir()} == set(ORDERS)


@pytest.mark.parametrize("order", ORDERS)
def test_an_order_holds_the_doses_and_days_that_the_protocol_states(order: str) -> None:
    assert rows(f"orders/{order}.toml") == {"id": order} | ORDERS[order]


def test_the_supplied_protocol_holds_the_figures_and_steps_of_its_article_and_no_others() -> None:
    assert rows("protocols/supplied.toml") == SUPPLIED


def test_the_example_hospital_changes_the_figures_of_its_committee_and_no_others() -> None:
    assert rows("protocols/example-hospital.toml") == EXAMPLE


def test_there_are_the_client_profiles_that_are_described_and_no_others() -> None:
    assert {path.stem for path in (data_folder("cards") / "clients").iterdir()} == set(CLIENTS)


@pytest.mark.parametrize("client", CLIENTS)
def test_a_client_profile_says_what_the_client_can_do(client: str) -> None:
    assert rows(f"clients/{client}.toml") == {"id": client} | CLIENTS[client]


def test_the_reasons_for_not_following_a_card_are_offered_in_their_order() -> None:
    reasons = table("text/override-reasons.toml")["reason"]
    assert [(reason["code"], reason["display"]) for reason in reasons] == list(REASONS.items())


@pytest.mark.parametrize(("part", "phrases"), [("boundary", BOUNDARY), ("unconfirmed", UNCONFIRMED)])
def test_no_sentence_on_the_limits_of_the_service_is_lost(part: str, phrases: tuple[str, ...]) -> None:
    said = table("about.toml")[part]
    assert len(said) == len(phrases)
    assert all(phrase in sentence for phrase, sentence in zip(phrases, said, strict=True))


def test_the_sources_beside_protocol_and_scale_are_cited() -> None:
    cited = [citation["text"] for citation in table("about.toml")["citation"]]
    assert len(cited) == len(CITED)
    assert all(source in text for source, text in zip(CITED, cited, strict=True))


def test_of_patient_data_only_birth_date_and_assessments_are_said_to_be_used() -> None:
    uses = table("about.toml")["data_use"]
    assert {name for name, use in uses.items() if use["used"]} == {"date_of_birth", "health_status_assessments"}


def test_every_departure_from_the_letter_of_the_article_is_stated() -> None:
    assert [", ".join(departure["rules"]) for departure in table("about.toml")["departure"]] == list(DEPARTURES)

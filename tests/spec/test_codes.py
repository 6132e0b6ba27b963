"""The code tables in `cards/codes/`, read as plain TOML: a slip of the pen must not reach a card.

A check digit finds a code that was copied wrongly. It cannot find a valid code with another meaning: for those the
traps that are known from public code are named one by one.
"""

import csv
import datetime
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

FOLDER = Path(__file__).resolve().parents[2] / "cards" / "codes"
SYSTEMS: dict[str, Any] = tomllib.loads((FOLDER / "_systems.toml").read_text(encoding="utf-8"))
TABLES: dict[str, dict[str, Any]] = {
    path.stem: tomllib.loads(path.read_text(encoding="utf-8"))
    for path in sorted(FOLDER.glob("*.toml"))
    if path.stem != "_systems"
}
EXPECTED_IDS = {
    "temperature": {
        "temperature": "body oral rectal axillary core tympanic bladder esophageal nasal blood temporal",
    },
    "blood-pressure": {
        "systolic": "systolic systolic-invasive systolic-cuff systolic-sitting systolic-standing systolic-supine",
        "diastolic": "diastolic diastolic-invasive diastolic-cuff",
        "mean": "mean mean-invasive mean-cuff",
        "panel": "panel",
    },
    "oxygen": {"saturation": "saturation", "flow": "flow", "fraction": "fraction", "device": "device"},
    "oxygen-devices": {
        "device": "room-air nasal-cannula blow-by simple-mask aerosol-mask face-tent tracheostomy-mask venturi "
        "partial-rebreather non-rebreather high-flow-nasal-cannula cpap bilevel positive-pressure intubation "
        "ventilator tracheostomy-tube oxygen-unspecified",
    },
    "weight": {"weight": "measured unspecified stated estimated"},
    "vasoactives": {
        "vasopressor": "norepinephrine epinephrine phenylephrine dopamine angiotensin-ii",
        "vasopressin": "vasopressin",
        "inotrope": "dobutamine milrinone",
        "other": "ephedrine midodrine methylene-blue terlipressin",
    },
    "therapies": {
        "car-t": "tisagenlecleucel axicabtagene-ciloleucel brexucabtagene-autoleucel lisocabtagene-maraleucel "
        "idecabtagene-vicleucel ciltacabtagene-autoleucel obecabtagene-autoleucel afamitresgene-autoleucel "
        "car-t-unspecified",
        "blinatumomab": "blinatumomab",
        "step-up": "teclistamab elranatamab talquetamab linvoseltamab epcoritamab glofitamab mosunetuzumab",
        "early-doses": "tarlatamab tebentafusp",
    },
    "drugs": {
        "il6-blocker": "tocilizumab",
        "il6-pathway": "siltuximab",
        "il1-blocker": "anakinra",
        "corticosteroid": "dexamethasone methylprednisolone prednisone prednisolone hydrocortisone",
        "antipyretic": "acetaminophen ibuprofen",
        "antibiotic": "cefepime piperacillin-tazobactam meropenem vancomycin aztreonam ceftazidime linezolid",
        "antifungal": "fluconazole micafungin caspofungin voriconazole amphotericin-b",
        "gm-csf": "sargramostim",
        "beta-lactam": "beta-lactam",
    },
    "laboratory": {
        "cbc": "neutrophils platelets cbc-panel",
        "cmp": "alt ast bilirubin creatinine cmp-panel",
        "crp": "crp",
        "ferritin": "ferritin",
        "fibrinogen": "fibrinogen",
        "ldh": "ldh",
        "coagulation": "pt inr aptt",
        "other": "d-dimer nt-probnp",
    },
    "cultures": {"culture": "blood-culture"},
    "scores": {"score": "ice-score capd-score crs-grade"},
    "diagnoses": {
        "crs": "crs-grade-1 crs-grade-2 crs-grade-3 crs-grade-4 crs-grade-5 crs-unspecified",
        "icans": "icans-grade-1 icans-grade-2 icans-grade-3 icans-grade-4 icans-grade-5 icans-unspecified",
        "hlh": "hlh",
        "context": "cellular-therapy-complication car-t-history",
        "home-positive-pressure": "home-positive-pressure",
        "icans-suspected": "icans-finding",
    },
    "routes": {
        "intravenous": "intravenous",
        "systemic": "oral intramuscular subcutaneous rectal",
        "local": "nasal inhaled local",
    },
    "culture-results": {"negative": "negative", "positive": "positive", "neutral": "neutral"},
    "support-reasons": {"airway": "airway", "hypoxia": "hypoxia"},
}
WORDS_ONLY = {"routes", "culture-results"}
EXPECTED_SYSTEMS = {
    "loinc": "http://loinc.org",
    "snomed": "http://snomed.info/sct",
    "rxnorm": "http://www.nlm.nih.gov/research/umls/rxnorm",
    "icd10cm": "http://hl7.org/fhir/sid/icd-10-cm",
    "ucum": "http://unitsofmeasure.org",
    "ndc": "http://hl7.org/fhir/sid/ndc",
    "cpt": "http://www.ama-assn.org/go/cpt",
    "crs": "http://example.org/fhir/CodeSystem/crs",
}
EXPECTED_OIDS = {
    "loinc": "2.16.840.1.113883.6.1",
    "snomed": "2.16.840.1.113883.6.96",
    "rxnorm": "2.16.840.1.113883.6.88",
    "icd10cm": "2.16.840.1.113883.6.90",
    "ucum": "2.16.840.1.113883.6.8",
    "ndc": "2.16.840.1.113883.6.69",
    "cpt": "2.16.840.1.113883.6.12",
}
REFUSED = {
    "blood-pressure": {
        "pulmonary artery pressure is not systemic blood pressure": "8440-0 8385-7 8414-5",
        "central venous pressure is not systemic blood pressure": "60985-9",
        "an average over many readings is not a reading": "96607-7",
        "an alarm limit or a goal is not a reading": "alarm",
    },
    "cultures": {"a urine culture is not a blood culture": "630-4 117010004"},
    "diagnoses": {
        "a risk, a history or its absence is not a present finding": "history of cytokine release syndrome",
    },
    "drugs": {"not a systemic form": "ophthalmic", "vancomycin by mouth is not absorbed": "oral vancomycin"},
    "laboratory": {
        "urine creatinine or a clearance is not serum creatinine": "urine creatinine",
        "a platelet antibody or function test is not a platelet count": "anti-platelet",
    },
    "oxygen": {
        "venous saturation is not arterial saturation": "19224-5",
        "airway gas flow is not oxygen flow": "19930-7",
        "tissue saturation is not arterial saturation": "cerebral oxygen saturation",
        "an alarm limit or a goal is not a reading": "alarm",
    },
    "oxygen-devices": {
        "a support that is ended or not used is not in use": "extubation",
        "a test of a support, or teaching about it, is not the support": "cpap titration",
    },
    "temperature": {
        "skin temperature is not body temperature": "39106-0",
        "airway temperature is not body temperature": "60955-2",
        "myocardial temperature is not body temperature": "61009-7",
        "temperature of inhaled gas is not body temperature": "20092-3",
        "a measurement site is not a temperature": "8327-9",
        "a weight percentile is neither a temperature nor a weight": "8336-0",
    },
    "therapies": {
        "collection or preparation of the cells is not the infusion": "harvest",
        "lymphodepletion is not the infusion": "lymphodepletion",
        "planning is not the infusion": "consultation",
    },
    "vasoactives": {
        "a local anaesthetic combination is not a vasopressor infusion": "lidocaine",
        "a nasal or eye form is not a vasopressor infusion": "nasal",
        "a form taken by mouth is not a vasopressor infusion": "oral",
        "an auto-injector is not a vasopressor infusion": "epipen",
        "an inhaled form is not a vasopressor infusion": "racemic",
        "a receptor blocker is not a vasopressor": "receptor blocker",
    },
    "weight": {
        "a weight percentile is neither a temperature nor a weight": "8336-0",
        "a calculated weight is not the patient's weight": "ideal body weight",
        "a birth weight or a weight change is not the present weight": "birth weight",
    },
}

each_table = pytest.mark.parametrize("name", sorted(TABLES))


def loinc_is_sound(code: str) -> bool:
    """The check digit behind the hyphen is the Mod-10 digit of the number before it."""
    if not re.fullmatch(r"[0-9]{1,7}-[0-9]", code):
        return False
    number, check = code.split("-")
    total = 0
    for place, digit in enumerate(reversed(number)):
        doubled = int(digit) * (2 if place % 2 == 0 else 1)
        total += doubled // 10 + doubled % 10
    return (10 - total % 10) % 10 == int(check)


def _dihedral(a: int, b: int) -> int:
    """The product of two elements of the dihedral group of order ten: rotations 0-4, reflections 5-9."""
    if a < 5:
        return (a + b) % 5 if b < 5 else 5 + (a + b) % 5
    return 5 + (a - b) % 5 if b < 5 else (a - b) % 5


def snomed_is_sound(code: str) -> bool:
    """The identifier has 6 to 18 digits, does not start with 0, and its Verhoeff sum is 0."""
    if not re.fullmatch(r"[1-9][0-9]{5,17}", code):
        return False
    step = (1, 5, 7, 6, 2, 8, 3, 0, 9, 4)
    permutations = [tuple(range(10))]
    for _ in range(7):
        permutations.append(tuple(step[value] for value in permutations[-1]))
    total = 0
    for place, digit in enumerate(reversed(code)):
        total = _dihedral(total, permutations[place % 8][int(digit)])
    return total == 0


def members(name: str) -> list[dict[str, Any]]:
    """The meanings and the refusals of a table."""
    table = TABLES[name]
    return [*table["meaning"], *table.get("refusal", [])]


def codes_of(name: str) -> list[dict[str, str]]:
    return [code for member in members(name) for code in member.get("codes", [])]


def words_of(name: str) -> list[str]:
    return [word for member in members(name) for word in member.get("words", [])]


def all_codes(system: str) -> Iterator[tuple[str, str]]:
    """Every (table, code) of one system."""
    for name in TABLES:
        for code in codes_of(name):
            if code["system"] == system:
                yield name, code["code"]


def meaning(name: str, meaning_id: str) -> dict[str, Any]:
    (found,) = [entry for entry in TABLES[name]["meaning"] if entry["id"] == meaning_id]
    return found


def code_set(member: dict[str, Any], system: str) -> set[str]:
    return {code["code"] for code in member.get("codes", []) if code["system"] == system}


@pytest.mark.parametrize("code", ["8310-5", "3150-0", "85354-9", "107117-4", "59408-5", "600-7"])
def test_the_loinc_check_accepts_known_good_codes(code: str) -> None:
    assert loinc_is_sound(code)


@pytest.mark.parametrize("code", ["3150-6", "8310-6", "8301-5", "83105", "8310-", "", "LP8310-5"])
def test_the_loinc_check_refuses_a_wrong_digit_swapped_digits_and_another_shape(code: str) -> None:
    assert not loinc_is_sound(code)


@pytest.mark.parametrize("code", ["371907003", "47545007", "30088009", "1259025002", "73211009"])
def test_the_snomed_check_accepts_known_good_codes(code: str) -> None:
    assert snomed_is_sound(code)


@pytest.mark.parametrize("code", ["398055003", "371907004", "317907003", "12345", "0371907003", "", "37190700x"])
def test_the_snomed_check_refuses_a_wrong_digit_swapped_digits_and_another_shape(code: str) -> None:
    assert not snomed_is_sound(code)


def test_every_table_has_the_meanings_and_groups_that_the_readers_depend_on() -> None:
    found = {
        name: {
            group: {entry["id"] for entry in table["meaning"] if entry["group"] == group}
            for group in {entry["group"] for entry in table["meaning"]}
        }
        for name, table in TABLES.items()
    }
    expected = {
        name: {group: set(ids.split()) for group, ids in groups.items()} for name, groups in EXPECTED_IDS.items()
    }
    assert found == expected


def test_every_code_and_word_means_what_the_list_for_the_terminologist_says() -> None:
    lines = Path(__file__).with_name("known_codes.csv").read_text(encoding="utf-8").splitlines()
    _, *listed = csv.reader(line for line in lines if not line.startswith("#"))
    found = Counter(
        (name, entry.get("id", "refused"), entry.get("group", ""), *code)
        for name, table in TABLES.items()
        for entry in (*table["meaning"], *table.get("refusal", ()))
        for code in (
            *((code["system"], code["code"]) for code in entry.get("codes", ())),
            *(("word", word) for word in entry.get("words", ())),
        )
    )
    assert found == Counter(map(tuple, listed))


def test_what_is_refused_is_refused_for_its_own_reason() -> None:
    """Each reason with its codes; with the first of its words where it has no codes."""
    found = {
        name: {
            refusal["reason"]: " ".join(code["code"] for code in refusal.get("codes", ())) or refusal["words"][0]
            for refusal in table["refusal"]
        }
        for name, table in TABLES.items()
        if "refusal" in table
    }
    assert found == REFUSED


def test_the_code_systems_have_the_uris_of_fhir() -> None:
    assert {alias: system["uri"] for alias, system in SYSTEMS.items()} == EXPECTED_SYSTEMS


def test_the_code_systems_are_known_by_their_oids_too() -> None:
    found = {alias: system["aliases"] for alias, system in SYSTEMS.items() if system["aliases"]}
    assert found == {alias: [f"urn:oid:{oid}"] for alias, oid in EXPECTED_OIDS.items()}


def test_no_uri_or_other_spelling_stands_for_two_systems() -> None:
    spellings = [text for system in SYSTEMS.values() for text in (system["uri"], *system["aliases"])]
    assert [text for text, count in Counter(spellings).items() if count > 1] == []
    assert all(system["name"] for system in SYSTEMS.values())


@each_table
def test_a_table_names_itself_its_source_and_its_date(name: str) -> None:
    table = TABLES[name]
    assert set(table) <= {"id", "title", "reference", "date", "meaning", "refusal"}
    assert table["id"] == name
    assert table["title"]
    assert table["reference"].endswith(".")
    assert type(table["date"]) is datetime.date


@each_table
def test_a_meaning_has_only_known_keys_and_can_be_found_by_a_code_or_a_word(name: str) -> None:
    for entry in TABLES[name]["meaning"]:
        measured = {"unit", "plausible"} if name == "laboratory" else set()
        assert (
            {"id", "display", "group"} <= set(entry) <= {"id", "display", "group", "words", "codes", "note"} | measured
        )
        assert entry.get("codes") or entry.get("words"), entry["id"]
        assert entry["display"] or (name, entry["id"]) == ("temperature", "body"), entry["id"]


@pytest.mark.parametrize("name", sorted(WORDS_ONLY))
def test_a_table_of_words_has_no_codes(name: str) -> None:
    assert codes_of(name) == []
    assert all(entry["words"] for entry in members(name))


@each_table
def test_no_meaning_stands_twice_in_a_table(name: str) -> None:
    counts = Counter(entry["id"] for entry in TABLES[name]["meaning"])
    assert [entry for entry, count in counts.items() if count > 1] == []


@each_table
def test_a_refusal_gives_its_reason_as_a_short_lower_case_clause(name: str) -> None:
    for refusal in TABLES[name].get("refusal", []):
        assert {"reason"} < set(refusal) <= {"reason", "words", "codes", "note"}
        reason = refusal["reason"]
        assert 0 < len(reason) <= 70
        assert not reason.endswith(".")
        assert reason[0].islower() or reason.startswith("CRS")


@each_table
def test_every_code_has_a_known_system_a_display_and_a_confidence(name: str) -> None:
    for code in codes_of(name):
        assert set(code) == {"system", "code", "display", "confidence"}
        assert code["system"] in SYSTEMS, code
        assert code["display"].strip(), code
        assert code["confidence"] in {"verified", "one-source", "recalled"}, code


@each_table
def test_no_code_stands_twice_in_a_table(name: str) -> None:
    counts = Counter((code["system"], code["code"]) for code in codes_of(name))
    assert [code for code, count in counts.items() if count > 1] == []


@each_table
def test_words_are_unique_in_a_table_lower_case_and_single_spaced(name: str) -> None:
    words = words_of(name)
    assert [word for word, count in Counter(words).items() if count > 1] == []
    assert [word for word in words if word != " ".join(word.casefold().split()) or not word] == []


def test_every_loinc_code_passes_its_check_digit() -> None:
    assert [pair for pair in all_codes("loinc") if not loinc_is_sound(pair[1])] == []


def test_every_snomed_code_passes_its_check_digit() -> None:
    assert [pair for pair in all_codes("snomed") if not snomed_is_sound(pair[1])] == []


@pytest.mark.parametrize(
    ("system", "shape"),
    [
        ("rxnorm", r"[1-9][0-9]{0,7}"),
        ("icd10cm", r"[A-Z][0-9][0-9A-Z](\.[0-9A-Z]{1,4})?"),
        ("cpt", r"[0-9]{5}"),
        ("ndc", r"[0-9]{4,5}-[0-9]{3,4}(-[0-9]{1,2})?"),
        ("crs", r"[a-z]+(-[a-z]+)*"),
    ],
)
def test_codes_without_a_check_digit_have_the_shape_of_their_system(system: str, shape: str) -> None:
    codes = list(all_codes(system))
    assert codes
    assert [pair for pair in codes if not re.fullmatch(shape, pair[1])] == []


def test_only_code_systems_with_a_rule_here_are_used() -> None:
    used = {code["system"] for name in TABLES for code in codes_of(name)}
    assert used == {"loinc", "snomed", "rxnorm", "icd10cm", "cpt", "ndc", "crs"}


@pytest.mark.parametrize(
    "code",
    [
        "3150-6",  # written for the inhaled oxygen concentration; the check digit fails
        "398055003",  # the check digit fails
        "1116928",  # sources give it two strengths
        "1999003",  # angiotensin II, not confirmed
        "870533002",  # high-flow oxygen or oscillation, not confirmed
        "10179008",  # which of the two blood pressure methods, not confirmed
        "22762002",
        "8330-3",  # a temperature, site unsure
        "60838-0",  # temperatures of which the site was not read
        "104063-3",
        "768-2",  # segmented neutrophils: without the bands it is not the absolute count
    ],
)
def test_a_code_that_is_wrong_or_not_confirmed_stands_in_no_table(code: str) -> None:
    assert [name for name in TABLES if code in {entry["code"] for entry in codes_of(name)}] == []


def test_the_mean_blood_pressure_code_is_never_an_oxygen_device() -> None:
    assert [name for name, code in all_codes("loinc") if code == "8478-0"] == ["blood-pressure"]
    assert code_set(meaning("blood-pressure", "mean"), "loinc") == {"8478-0"}


def test_dobutamine_and_dopamine_are_not_exchanged() -> None:
    assert "3616" in code_set(meaning("vasoactives", "dobutamine"), "rxnorm")
    assert "3628" in code_set(meaning("vasoactives", "dopamine"), "rxnorm")
    assert meaning("vasoactives", "dobutamine")["group"] == "inotrope"
    assert meaning("vasoactives", "dopamine")["group"] == "vasopressor"


def test_a_urine_culture_is_refused_and_never_a_blood_culture() -> None:
    assert "630-4" not in code_set(meaning("cultures", "blood-culture"), "loinc")
    assert "117010004" not in code_set(meaning("cultures", "blood-culture"), "snomed")
    (refusal,) = TABLES["cultures"]["refusal"]
    assert code_set(refusal, "loinc") == {"630-4"}
    assert code_set(refusal, "snomed") == {"117010004"}


def test_a_weight_percentile_is_refused_as_a_temperature_and_as_a_weight() -> None:
    assert {name for name, code in all_codes("loinc") if code == "8336-0"} == {"temperature", "weight"}
    for name in ("temperature", "weight"):
        assert all("8336-0" not in code_set(entry, "loinc") for entry in TABLES[name]["meaning"])


def test_no_snomed_code_stands_for_a_diagnosis() -> None:
    assert "diagnoses" not in {name for name, _ in all_codes("snomed")}


def test_the_subcutaneous_forms_of_tocilizumab_are_counted_and_named_as_such() -> None:
    named = {code["code"] for code in meaning("drugs", "tocilizumab")["codes"] if "subcutaneous" in code["display"]}
    assert named == {"1441527", "1441530", "2106073", "2106075"}


@pytest.mark.parametrize("word", ["mask", "pt", "crs", "temperature", "desmopressin"])
def test_a_word_that_can_mean_something_else_stands_in_no_table(word: str) -> None:
    assert [name for name in TABLES if word in words_of(name)] == []

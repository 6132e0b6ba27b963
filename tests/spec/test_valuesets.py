"""How codes and words are matched: code first, longest word first, whole words, refusals beside a meaning."""

import pytest

from cds_service.crs.valuesets import Code, Meaning, Refusal, ValueSet, normalised
from cds_service.fhir.codebook import Codebook, medication_key
from cds_service.fhir.elements import Unusable
from tests.chart import content

MASK = Meaning("mask", "face mask", "device", (Code("snomed", "1", "Mask", "verified"),), ("face mask",))
CPAP = Meaning("cpap", "CPAP", "device", (Code("snomed", "2", "CPAP", "verified"),), ("cpap", "cpap face mask"))
SKIN = Refusal("skin is not meant", (Code("snomed", "3", "Skin", "verified"),), ("skin", "no cpap"))
SET = ValueSet("devices", "Devices", (MASK, CPAP), (SKIN,))


@pytest.mark.parametrize(
    ("text", "member"),
    [
        ("Face Mask", MASK),
        ("face\t mask", MASK),
        ("CPAP", CPAP),
        ("CPAP face mask", CPAP),
        ("on cpap.", CPAP),
        ("(cpap)", CPAP),
        ("cpaps", None),
        ("xcpap", None),
        ("cpap2", None),
        ("face", None),
        ("mask face", None),
        ("skin cpap", SKIN),
        ("face mask on skin", SKIN),
        ("", None),
    ],
)
def test_a_word_counts_whole_and_the_longest_first_and_a_refusal_before_all(text: str, member: object) -> None:
    assert SET.worded(text) is member


@pytest.mark.parametrize(
    ("text", "members", "rest"),
    [
        ("cpap face mask", [CPAP], ""),
        ("face mask, then CPAP", [MASK, CPAP], ", then"),
        ("cpap and face mask", [MASK, CPAP], "and"),
        ("skin", [SKIN], ""),
        ("nothing", [], "nothing"),
    ],
)
def test_all_words_of_a_text_are_found_but_none_inside_a_longer_one(
    text: str, members: list[object], rest: str
) -> None:
    found, left = SET.taken_apart(text)
    assert found == members
    assert normalised(left) == rest
    assert SET.all_worded(text) == members


@pytest.mark.parametrize(
    ("codings", "member"),
    [
        ([("snomed", "1")], MASK),
        ([("snomed", "9"), ("snomed", "2")], CPAP),
        ([("snomed", "1"), ("snomed", "2")], MASK),
        ([("snomed", "1"), ("snomed", "3")], SKIN),
        ([("loinc", "1")], None),
        ([("", "1")], None),
        ([], None),
    ],
)
def test_the_first_known_code_counts_and_a_refused_one_before_all(
    codings: list[tuple[str, str]], member: object
) -> None:
    assert SET.coded(codings) is member


@pytest.mark.parametrize(
    ("texts", "beside_code", "member"),
    [
        (["cpap"], False, CPAP),
        (["skin cpap"], False, SKIN),
        (["no cpap"], False, SKIN),
        (["skin"], False, None),
        (["skin"], True, SKIN),
        (["other"], True, None),
        (["other", "face mask"], False, MASK),
        (["face mask", "cpap"], False, MASK),
        (["cpap", "face mask"], False, CPAP),
        (["skin", "cpap"], False, SKIN),
        ([], False, None),
    ],
)
def test_words_that_refuse_count_beside_a_meaning_or_a_code(
    texts: list[str], beside_code: bool, member: object
) -> None:
    assert SET.named(texts, beside_code=beside_code) is member


def test_the_codes_to_ask_for_are_those_of_the_meanings() -> None:
    assert [code.code for code in SET.codes] == ["1", "2"]


BOOK = Codebook({"devices": SET}, {"urn:oid:1": "snomed"})


def test_a_code_decides_before_words_and_words_alone_are_flagged() -> None:
    by_code = BOOK.find("devices", {"coding": [{"system": "snomed", "code": "1"}], "text": "CPAP"})
    by_word = BOOK.find("devices", {"coding": [{"system": "local", "code": "1", "display": "CPAP"}]})
    assert by_code is not None
    assert by_word is not None
    assert (by_code.meaning, by_code.by_name) == (MASK, False)
    assert (by_word.meaning, by_word.by_name) == (CPAP, True)


def test_another_spelling_of_a_system_and_spaces_around_a_code_are_understood() -> None:
    found = BOOK.find("devices", {"coding": [{"system": " urn:oid:1", "code": " 2 "}]})
    assert found is not None
    assert found.meaning is CPAP


@pytest.mark.parametrize(
    "concept",
    [
        {"coding": [{"system": "snomed", "code": "3"}]},
        {"coding": [{"system": "snomed", "code": "1"}], "text": "skin"},
        {"text": "cpap on skin"},
    ],
)
def test_what_a_set_refuses_is_unusable_with_the_reason(concept: dict[str, object]) -> None:
    with pytest.raises(Unusable, match="skin is not meant"):
        BOOK.find("devices", concept)


@pytest.mark.parametrize("concept", [None, {}, [], "cpap", 5, {"coding": None}, {"text": None}, {"coding": [[]]}])
def test_what_is_no_concept_is_nothing(concept: object) -> None:
    assert BOOK.find("devices", concept) is None


@pytest.mark.parametrize(
    ("reference", "key"),
    [
        ("Medication/m1", "Medication/m1"),
        ("Medication/m1/_history/2", "Medication/m1"),
        ("https://ehr.example/fhir/Medication/m1", "Medication/m1"),
        ("urn:uuid:1-2", "urn:uuid:1-2"),
        ("", ""),
    ],
)
def test_a_medication_is_looked_up_by_the_end_of_its_reference(reference: str, key: str) -> None:
    assert medication_key(reference) == key


def test_no_word_of_a_table_is_hidden_by_a_refusal_of_its_own_table() -> None:
    """Every word of every meaning finds that meaning, so that no entry is dead."""
    dead = [
        (name, word)
        for name, value_set in content().value_sets.items()
        for meaning in value_set.meanings
        for word in meaning.words
        if meaning not in value_set.all_worded(word)
    ]
    assert dead == []


def test_every_code_of_a_table_finds_its_meaning() -> None:
    dead = [
        (name, code.code)
        for name, value_set in content().value_sets.items()
        for meaning in value_set.meanings
        for code in meaning.codes
        if value_set.coded([(code.system, code.code)]) is not meaning
    ]
    assert dead == []

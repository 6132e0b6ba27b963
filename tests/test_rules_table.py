"""docs/rules.md is what is made from content and tests, and every rule of the protocol has a test."""

import re

import pytest

from cds_service.content.files import data_folder
from cds_service.content.rules import shown, tables
from tests.rules_table import DOCUMENT, catalogue, document, proofs_of, proves

CHAPTERS = {
    r"S-HEAD-\d": 3,
    r"S-GRADE-.*": 13,
    r"S-(DX|INF|LAB|NEURO)-\d": 5,
    r"S-MGT-1[abcdx]": 5,
    r"S-MGT-2[a-f]": 6,
    r"S-MGT-3[a-e]": 5,
    r"S-MGT-4[a-e]": 5,
    r"S-REF-\d": 2,
    r"S-PIT-.*": 15,
}
IDS = [rule.id for rule in catalogue()]
WORDS_WITH_A_DIGIT = re.compile(r"grade \d( and \d)?|ASTCT 2019|IL-\d|\{[^}]*\}")


@pytest.mark.parametrize(("chapter", "number"), CHAPTERS.items())
def test_all_rules_of_each_chapter_are_there(chapter: str, number: int) -> None:
    assert len([known for known in IDS if re.fullmatch(chapter, known)]) == number


def test_there_are_59_rules_each_once() -> None:
    assert len(IDS) == len(set(IDS)) == 59


def test_every_rule_has_a_test() -> None:
    assert [known for known, proofs in proofs_of(IDS).items() if not proofs] == []


def test_the_document_is_what_is_made_of_content_and_tests() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run `make rules`"


def test_no_figure_stands_in_the_catalogue_itself() -> None:
    assert not [rule.id for rule in catalogue() if re.search(r"\d", WORDS_WITH_A_DIGIT.sub("", rule.says))]


@pytest.mark.parametrize(
    ("name", "rules"),
    [
        ("test_s_mgt_2c_a_second_dose", ["S-MGT-2c"]),
        ("test_s_mgt_2c_and_s_mgt_2d_a_second_dose_and_no_third", ["S-MGT-2c", "S-MGT-2d"]),
        ("test_s_grade_2ab_both", ["S-GRADE-2ab"]),
        ("test_s_grade_4_lit_and_n_12_fever_alone", ["S-GRADE-4-LIT"]),
        ("test_n_12_and_s_grade_4_lit_fever_alone", ["S-GRADE-4-LIT"]),
        ("test_a_dose_and_s_mgt_2c", []),
        ("test_s_mgt_2cx_something", []),
    ],
)
def test_the_name_of_a_test_says_which_rules_it_proves(name: str, rules: list[str]) -> None:
    assert proves(name, IDS)[0] == rules


@pytest.mark.parametrize(
    ("key", "words"),
    [
        ("protocol.tocilizumab.repeat_after", "72 h"),
        ("protocol.tocilizumab.maximum_doses", "2"),
        ("scale.hypotension.band.3.mmhg", "90 mmHg"),
        ("protocol.baseline", "CBC, metabolic panel, CRP, ferritin, fibrinogen, LDH, coagulation"),
    ],
)
def test_a_figure_is_shown_as_it_stands_in_the_content(key: str, words: str) -> None:
    assert shown(tables(data_folder("cards"), "supplied-crs"), key) == words


@pytest.mark.parametrize(
    "key",
    ["protocol.tocilizumab", "protocol.title", "scale.device.99.grade", "scale.hypotension.band.x", "orders.x.y", ""],
)
def test_a_key_that_leads_to_no_figure_is_refused_by_name(key: str) -> None:
    with pytest.raises(ValueError, match="leads to no figure of the content"):
        shown(tables(data_folder("cards"), "supplied-crs"), key)

"""What a card says that a sign stands for: its grade where there is CRS, and only what was met where there is none."""

from typing import Any

import pytest

from cds_service.crs.advice import advise
from cds_service.crs.grading import assess
from cds_service.crs.timeline import Fact
from tests.bedside import cards_of, content
from tests.spec.patients import NOW, SCALE, afebrile, febrile, infusion, oxygen, pressure, room_air, saturation

SIGNS = [
    ((pressure(84),), "systolic below 90 mmHg, no vasopressor", "grade 2"),
    ((infusion("norepinephrine"),), "a vasopressor, with or without vasopressin", "grade 3"),
    (
        (infusion("norepinephrine"), infusion("epinephrine")),
        "several vasopressors, vasopressin not counted",
        "grade 4",
    ),
    ((oxygen("nasal-cannula", "2"),), "low flow, up to 6 L/min", "grade 2"),
    ((oxygen("nasal-cannula"),), "nasal cannula, flow not charted", "grade 2 or higher"),
    ((room_air(), saturation(88)), "SpO2 below 90 % without oxygen", "provisional grade 2"),
]


def detail(timeline: Any) -> str:
    """The detail of the first card."""
    found = assess(timeline, SCALE, NOW)
    card = cards_of(found, advise(timeline, found, content().scale, content().protocol))[0]
    return str(card["detail"])


@pytest.mark.parametrize(("signs", "rule", "grade"), SIGNS)
def test_with_fever_the_table_says_the_rule_and_the_grade_it_stands_for(
    signs: tuple[Fact, ...], rule: str, grade: str
) -> None:
    assert f"| {rule}: {grade} |" in detail(febrile(*signs))


@pytest.mark.parametrize(("signs", "rule", "grade"), SIGNS)
def test_without_fever_the_table_says_the_rule_and_no_grade(signs: tuple[Fact, ...], rule: str, grade: str) -> None:
    said = detail(afebrile(*signs))
    assert f"| {rule} |" in said
    assert grade not in said

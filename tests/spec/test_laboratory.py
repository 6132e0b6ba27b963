"""Laboratory numbers: units, limits of normal, and what is no number (clinical 3.6, S-PIT-MON-2, DQ-13 to DQ-21)."""

from decimal import Decimal
from typing import Any

import pytest

from cds_service.crs.timeline import Flag, LabResult
from tests.bedside import Bedside
from tests.chart import LOINC, Json, component, concept, lab, observation, quantity, read
from tests.chart import content as chart_content

NEUTROPHILS, PLATELETS, ALT, AST, FERRITIN = "751-8", "777-3", "1742-6", "1920-8", "2276-4"
MICRO_SIGN, GREEK_MU = "\u00b5", "\u03bc"


def result(resource: Json) -> LabResult:
    """The one result that an Observation is read as."""
    (found,) = read(resource).labs
    return found


def limited(*ranges: Json, value: float = 190, unit: str = "U/L") -> LabResult:
    """An ALT with its reference ranges."""
    return result(lab(ALT, value, unit) | {"referenceRange": list(ranges)})


# --- counts -----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "unit",
    [
        "10*3/uL",
        "10*9/L",
        "K/uL",
        "k/ul",
        "K/mcL",
        "x10E3/uL",
        "10^3/uL",
        "10^9/L",
        "x10^9/L",
        "x10E9/L",
        "Thousand/uL",
        "10*3/mm3",
        "K/cumm",
        f"10*3/{MICRO_SIGN}L",
        f"K/{GREEK_MU}L",
        f"x10^3/{MICRO_SIGN}L",
    ],
)
def test_3_6_a_count_in_thousands_is_read_in_cells_per_microlitre(unit: str) -> None:
    assert result(lab(NEUTROPHILS, 0.8, unit)).value == 800


@pytest.mark.parametrize(
    "unit",
    ["/uL", "cells/uL", "{cells}/uL", "cells/mcL", "/mm3", "cells/mm^3", "10*6/L", "10^6/L", f"/{MICRO_SIGN}L", "#/uL"],
)
def test_3_6_a_count_in_single_cells_is_read_as_it_stands(unit: str) -> None:
    assert result(lab(NEUTROPHILS, 800, unit)).value == 800


@pytest.mark.parametrize(
    ("value", "unit", "cells"),
    [
        (0.8, "10*3/uL", 800),
        (0.8, "10*9/L", 800),
        (800, "/uL", 800),
        (0.8, "/uL", Decimal("0.8")),
        (0.8, None, None),
        (800, None, None),
    ],
)
def test_3_6_the_unit_trap_of_neutrophils(value: float, unit: str | None, cells: Decimal | None) -> None:
    assert result(lab(NEUTROPHILS, value, unit)).value == cells  # type: ignore[arg-type]


@pytest.mark.parametrize(
    ("code", "value", "unit", "threshold", "below"),
    [
        (NEUTROPHILS, 0.999, "10*3/uL", 1000, True),
        (NEUTROPHILS, 1.0, "10*3/uL", 1000, False),
        (NEUTROPHILS, 1.001, "10*9/L", 1000, False),
        (NEUTROPHILS, 999, "/uL", 1000, True),
        (NEUTROPHILS, 1000, "/uL", 1000, False),
        (PLATELETS, 49.9, "10*3/uL", 50000, True),
        (PLATELETS, 50, "10*3/uL", 50000, False),
        (PLATELETS, 49999, "/uL", 50000, True),
        (PLATELETS, 50000, "/uL", 50000, False),
        (ALT, 199, "U/L", 200, True),
        (ALT, 200, "U/L", 200, False),
        (AST, 201, "IU/L", 200, False),
        (PLATELETS, 50, "g/L", 50000, None),
    ],
)
def test_s_pit_mon_2_a_number_is_compared_exactly_at_its_threshold(
    code: str, value: float, unit: str, threshold: int, below: bool | None
) -> None:
    assert result(lab(code, value, unit)).below(Decimal(threshold)) is below


def test_3_6_a_panel_or_a_test_without_thresholds_has_no_number_and_what_is_charted_in_words() -> None:
    panel = result(observation(concept(LOINC, "58410-2")))
    assert (panel.test, panel.value, panel.upper_limit, panel.charted) == ("cbc-panel", None, None, "")
    ferritin = result(lab(FERRITIN, 9000, "ng/mL"))
    assert (ferritin.value, ferritin.charted) == (None, "9000 ng/mL")


# --- enzymes and the report's own limit -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "unit", "units"),
    [(190, "U/L", 190), (190, "IU/L", 190), (190, "[iU]/L", 190), (3, "ukat/L", 180), (3, f"{MICRO_SIGN}kat/L", 180)],
)
def test_3_6_an_enzyme_is_read_in_units_per_litre(value: float, unit: str, units: int) -> None:
    assert result(lab(ALT, value, unit)).value == units


@pytest.mark.parametrize(
    ("ranges", "limit"),
    [
        ([{"high": quantity(40, "U/L")}], 40),
        ([{"low": quantity(5, "U/L"), "high": quantity(0.7, "ukat/L")}], 42),
        ([{"high": quantity(40, "U/L"), "type": {"coding": [{"code": "normal"}]}}], 40),
        ([{"high": quantity(90, "U/L"), "type": {"coding": [{"code": "treatment"}]}}], None),
        ([{"high": quantity(9, "U/L"), "type": {"text": "critical"}}, {"high": quantity(40, "U/L")}], 40),
        ([{"high": quantity(50, "U/L")}, {"high": quantity(35, "U/L")}], 35),
        ([{"high": quantity(40, None)}], 40),  # in the unit of the result
        ([{"high": quantity(40, "mg/dL")}], None),
        ([{"high": quantity(0, "U/L")}], None),
        ([{"high": quantity(-1, "U/L")}], None),
        ([{"high": "40"}], None),
        ([{"text": "5 to 40"}], None),
        ([{"low": quantity(5, "U/L")}], None),
        ([], None),
    ],
)
def test_s_pit_mon_2_the_limit_of_normal_is_the_reports_own_or_not_known(ranges: list[Json], limit: int | None) -> None:
    found = limited(*ranges)
    assert (found.value, found.upper_limit) == (190, limit)


def test_s_pit_mon_2_a_component_has_its_own_limit() -> None:
    range_of_40 = [{"high": quantity(40, "U/L")}]
    parts = [
        component(ALT, valueQuantity=quantity(190, "U/L"), referenceRange=range_of_40),
        component(AST, valueQuantity=quantity(90, "U/L")),
    ]
    found = {fact.test: fact for fact in read(observation(concept(LOINC, "24323-8"), component=parts)).labs}
    assert (found["alt"].upper_limit, found["ast"].upper_limit) == (40, None)


# --- limits in place of values ----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("comparator", "value", "below"),
    [
        ("<", 0.1, True),
        ("<", 1.0, True),
        ("<", 1.001, None),
        ("<=", 0.999, True),
        ("<=", 1.0, None),
        (">", 1.0, False),
        (">", 0.999, None),
        (">=", 1.0, False),
        (">=", 0.999, None),
    ],
)
def test_dq13_a_limit_is_below_or_not_only_where_every_value_it_can_mean_is(
    comparator: str, value: float, below: bool | None
) -> None:
    charted = observation(
        concept(LOINC, NEUTROPHILS), valueQuantity=quantity(value, "10*3/uL") | {"comparator": comparator}
    )
    assert result(charted).below(Decimal(1000)) is below
    assert result(charted).charted == f"{comparator} {value:g} 10*3/uL"


# --- what is no number ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("value", "charted"),
    [
        ({"valueQuantity": quantity(0.8, None)}, "0.8 [no unit]"),
        ({"valueQuantity": quantity(0.8, "mg")}, "0.8 mg [the unit 'mg' is not known]"),
        (
            {"valueQuantity": {"value": 0.8, "code": "/uL", "unit": "K/uL"}},
            "0.8 K/uL [its unit is charted in two ways: /uL and K/uL]",
        ),
        ({"valueQuantity": quantity(-1, "10*3/uL")}, "-1 10*3/uL [not plausible]"),
        ({"valueQuantity": quantity(800, "10*3/uL")}, "800 10*3/uL [not plausible]"),
        ({"valueString": "0.8"}, "0.8 [no unit]"),
        ({"valueString": "<0.1"}, "<0.1 [the value '<0.1' is text, not a number]"),
        ({"valueCodeableConcept": {"text": "low"}}, "low [the value is not a number]"),
        ({"valueBoolean": True}, "[the value is not a number]"),
        ({"valueQuantity": {"unit": "10*3/uL"}}, "[it has no value]"),
    ],
)
def test_3_6_a_number_that_cannot_be_used_is_kept_in_words_and_the_test_counts_as_done(
    value: dict[str, Any], charted: str
) -> None:
    found = result(observation(concept(LOINC, NEUTROPHILS), **value))
    assert (found.test, found.item, found.value, found.charted) == ("neutrophils", "cbc", None, charted)


@pytest.mark.parametrize(
    ("code", "unit", "highest"),
    [(NEUTROPHILS, "/uL", 200000), (PLATELETS, "/uL", 3000000), (ALT, "U/L", 100000), (AST, "U/L", 100000)],
)
def test_dq19_a_number_up_to_the_ends_of_the_plausible_range_is_used(code: str, unit: str, highest: int) -> None:
    values = [result(lab(code, value, unit)).value for value in (-1, 0, highest, highest + 1)]
    assert values == [None, 0, highest, None]


@pytest.mark.parametrize(
    ("status", "flags"),
    [("final", [()]), ("corrected", [()]), ("preliminary", [(Flag.PRELIMINARY,)]), ("entered-in-error", [])],
)
def test_dq35_the_status_decides_whether_a_result_is_used(status: str, flags: list[tuple[Flag, ...]]) -> None:
    timeline = read(lab(PLATELETS, 40, "10*3/uL", status=status))
    assert [fact.flags for fact in timeline.labs] == flags
    assert bool(timeline.unused) is not bool(flags)


# --- the baseline -----------------------------------------------------------------------------------------------------

BASELINE = chart_content().protocol.baseline_labs
MEANINGS = chart_content().value_sets["laboratory"].meanings


def missing(*codes: str) -> str:
    """The baseline that is asked for when tests of these codes are charted."""
    done = read(*(lab(code) for code in codes)).labs
    return str(next(line.values["tests"] for line in Bedside(labs=done).lines if line.say == "baseline-labs"))


@pytest.mark.parametrize(
    "meaning",
    [item for item in MEANINGS if item.group not in ("cbc", "cmp") or item.id.endswith("-panel")],
    ids=lambda meaning: meaning.id,
)
def test_s_lab_1_every_test_counts_for_its_item_of_the_baseline(meaning: Any) -> None:
    assert missing(meaning.codes[0].code) == ", ".join(BASELINE[item] for item in BASELINE if item != meaning.group)


@pytest.mark.parametrize(
    ("codes", "still_asked"),
    [
        ([PLATELETS], "metabolic panel"),
        ([NEUTROPHILS], "CBC, metabolic panel"),
        ([ALT, "2160-0"], "CBC"),
        ([ALT], "CBC, metabolic panel"),
        (["2160-0"], "CBC, metabolic panel"),
        (["1975-2", AST], "CBC, metabolic panel"),
        ([PLATELETS, ALT, "2160-0"], ""),
    ],
)
def test_s_lab_1_a_panel_is_done_by_its_members_only_when_those_that_stand_for_it_are_there(
    codes: list[str], still_asked: str
) -> None:
    asked = missing(*codes).split(", ")
    assert ", ".join(name for name in asked if name in ("CBC", "metabolic panel")) == still_asked

"""Every combination of what can be charted, graded a second time by tables that were written from the guideline.

`2` is grade 2, `2+` grade 2 or higher because something is not known, `2?` grade 2 in doubt. The tables share nothing
with the rules that they are compared with.
"""

from itertools import product

import pytest

from cds_service.crs.timeline import Fact, Gap
from tests.spec.patients import (
    drug,
    infusion,
    outcome,
    oxygen,
    patient,
    pressure,
    room_air,
    saturation,
    temperature,
    therapy,
    unread,
)

FEVER: dict[str, tuple[Fact, ...]] = {
    "missing": (),
    "stale normal": (temperature("37.0", "30 h"),),
    "stale fever": (temperature("38.9", "30 h"),),
    "below": (temperature("37.9"),),
    "at": (temperature("38.0"),),
    "above": (temperature("39.5"),),
}
PRESSURE: dict[str, tuple[Fact, ...]] = {
    "missing": (),
    "stale": (pressure(84, "5 h"),),
    "normal": (pressure(90),),
    "low": (pressure(89),),
}
NORMAL = saturation(97)
OXYGEN: dict[str, tuple[Fact, ...]] = {
    "missing": (),
    "SpO2 alone": (NORMAL,),
    "air": (room_air(), NORMAL),
    "air, SpO2 86": (room_air(), saturation(86)),
    "6 L/min": (oxygen("nasal-cannula", "6"), NORMAL),
    "6.1 L/min": (oxygen("nasal-cannula", "6.1"), NORMAL),
    "mask": (oxygen("simple-mask", "5"), NORMAL),
    "BiPAP": (oxygen("bilevel"), NORMAL),
    "unknown device": (oxygen("oxygen helmet"), NORMAL),
}
PRESSORS: dict[str, tuple[Fact, ...]] = {
    "none": (),
    "one": (infusion("norepinephrine"),),
    "one and vasopressin": (infusion("norepinephrine"), infusion("vasopressin")),
    "vasopressin": (infusion("vasopressin"),),
    "two": (infusion("norepinephrine"), infusion("epinephrine")),
    "not known": (),
}
ANTIPYRETIC: dict[str, tuple[Fact, ...]] = {"none": (), "given": (drug("acetaminophen", "2 h"),)}
EXPOSURE: dict[str, tuple[Fact, ...]] = {"day 3": (therapy("axi-cel", "3 d"),), "day 40": (therapy("axi-cel", "40 d"),)}

# The consensus: hypotension by pressure (rows) and vasopressors (columns).
HYPOTENSION_GRADE = """
            none | one | one and vasopressin | vasopressin | two | not known
    normal  | 1  |  3  |          3          |      3      |  4  |    1+
    low     | 2  |  3  |          3          |      3      |  4  |    2+
    stale   | 1+ |  3  |          3          |      3      |  4  |    1+
    missing | 1+ |  3  |          3          |      3      |  4  |    1+
"""

# The consensus: hypoxia by oxygen support.
HYPOXIA_GRADE = {
    "missing": "1+",
    "SpO2 alone": "1+",
    "air": "1",
    "air, SpO2 86": "2?",
    "6 L/min": "2",
    "6.1 L/min": "3",
    "mask": "3",
    "BiPAP": "4",
    "unknown device": "1+",
}

# The gate: fever by temperature (rows) and antipyretic (columns).
GATE = """
                   none    | given
    missing      | unknown | masked
    stale normal | unknown | masked
    stale fever  | doubted | waived
    below        | shut    | masked
    at           | met     | met
    above        | met     | met
"""

# What the gate makes of the worse of the two grades, by what is wrong with it: sure, + or ?.
ANSWER = """
            sure          |    +                    |     ?
    met     | graded N      | provisional N or higher | provisional N
    waived  | graded N      | provisional N or higher | provisional N
    doubted | provisional N | provisional N or higher | provisional N
    masked  | provisional N | provisional N or higher | provisional N
    shut    | no-crs 0      | indeterminate           | no-crs 0
    unknown | indeterminate | indeterminate           | indeterminate
"""


def table(text: str) -> dict[tuple[str, str], str]:
    head, *rows = (line for line in text.splitlines() if line.strip())
    columns = [cell.strip() for cell in head.split("|")]
    read = [[cell.strip() for cell in row.split("|")] for row in rows]
    return {(name, column): cell for name, *cells in read for column, cell in zip(columns, cells, strict=True)}


HYPOTENSION_TABLE, GATE_TABLE, ANSWER_TABLE = table(HYPOTENSION_GRADE), table(GATE), table(ANSWER)


def expected(fever: str, pressure: str, pressors: str, support: str, antipyretic: str, exposure: str) -> str:
    if exposure == "day 40":
        return "not-eligible"
    cells = (HYPOTENSION_TABLE[pressure, pressors], HYPOXIA_GRADE[support])
    grade = max(cell[0] for cell in cells)
    marks = {cell[1:] for cell in cells}
    gate = GATE_TABLE[fever, antipyretic]
    if "4" in cells and gate != "shut":
        marks = {""}  # grade 4 is the highest, and one criterion is enough for it
    if gate == "masked" and grade == "1":
        return "indeterminate"
    mark = "+" if "+" in marks else "?" if "?" in marks else "sure"
    return ANSWER_TABLE[gate, mark].replace("N", grade)


@pytest.mark.parametrize("exposure", EXPOSURE)
@pytest.mark.parametrize("antipyretic", ANTIPYRETIC)
@pytest.mark.parametrize("fever", FEVER)
def test_every_combination_is_graded_as_the_tables_say(fever: str, antipyretic: str, exposure: str) -> None:
    different = []
    for low, pressors, support in product(PRESSURE, PRESSORS, OXYGEN):
        facts = (
            *FEVER[fever],
            *PRESSURE[low],
            *PRESSORS[pressors],
            *OXYGEN[support],
            *ANTIPYRETIC[antipyretic],
            *EXPOSURE[exposure],
        )
        gaps: dict[str, Gap] = unread("vasoactives") if pressors == "not known" else {}
        answer = outcome(patient(*facts, gaps=gaps))
        right = expected(fever, low, pressors, support, antipyretic, exposure)
        if answer != right:
            different.append(f"{low}, pressors {pressors}, oxygen {support}: {answer}, not {right}")
    assert different == []


def test_the_table_is_complete() -> None:
    rows = len(FEVER) * len(PRESSURE) * len(PRESSORS) * len(OXYGEN) * len(ANTIPYRETIC) * len(EXPOSURE)
    assert rows == 5184
    assert set(HYPOTENSION_TABLE) == set(product(PRESSURE, PRESSORS))
    assert set(GATE_TABLE) == set(product(FEVER, ANTIPYRETIC))
    assert set(HYPOXIA_GRADE) == set(OXYGEN)


def test_n_13_and_n_14_the_tables_never_say_0_where_something_is_missing_or_masked() -> None:
    for fever, low, pressors, support, antipyretic in product(FEVER, PRESSURE, PRESSORS, OXYGEN, ANTIPYRETIC):
        if expected(fever, low, pressors, support, antipyretic, "day 3") == "no-crs 0":
            assert (fever, antipyretic) == ("below", "none")
            assert low in ("normal", "low") or pressors in ("one", "one and vasopressin", "vasopressin", "two")
            assert support not in ("missing", "SpO2 alone", "unknown device")

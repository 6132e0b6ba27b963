"""Every row of `decision_table.csv`, the table that a clinician signs, is what the service answers.

A class of the table stands for several patients: each of them must get the answer of the row.
"""

import csv
from dataclasses import replace
from itertools import product
from pathlib import Path

import pytest

from cds_service.crs.timeline import Fact, Gap
from tests.spec.patients import assessed, drug, infusion, patient, pressure, temperature, therapy, unread
from tests.spec.test_decision_table import OXYGEN as SUPPORT

Row = dict[str, str]
Charted = tuple[tuple[Fact, ...], ...]

TEMPERATURE: dict[str, Charted] = {
    "missing": ((),),
    "stale": ((temperature("37.0", "30 h"),), (temperature("37.9", "24 h 1 min"),)),
    "below 38": ((temperature("37.9"),), (temperature("36.4", "12 h"),)),
    "38 or more": ((temperature("38.0"),), (temperature("40.1", "12 h"),)),
}
PRESSURE: dict[str, Charted] = {
    "missing": ((),),
    "stale": ((pressure(84, "5 h"),), (pressure(120, "4 h 1 min"),)),
    "normal": ((pressure(90),), (pressure(150, "4 h"),)),
    "low": ((pressure(89),), (pressure("89.9", "4 h"),)),
}
PRESSORS: dict[str, Charted] = {
    "0": ((),),
    "1": ((infusion("norepinephrine"),),),
    "1 + vasopressin": ((infusion("norepinephrine"), infusion("vasopressin")),),
    "2 or more": ((infusion("norepinephrine"), infusion("epinephrine")),),
    "unknown": ((),),
}
OXYGEN: dict[str, Charted] = {
    "missing": (SUPPORT["missing"], SUPPORT["SpO2 alone"]),
    "air": (SUPPORT["air"],),
    "to 6 L/min": (SUPPORT["6 L/min"],),
    "over 6 L/min or mask": (SUPPORT["6.1 L/min"], SUPPORT["mask"]),
    "positive pressure": (SUPPORT["BiPAP"],),
    "unknown": (SUPPORT["unknown device"],),
}
ANTIPYRETIC: dict[str, Charted] = {
    "no": ((), (drug("acetaminophen", "12 h 1 min"),)),
    "yes": ((drug("acetaminophen", "12 h"),), (drug("tocilizumab", "2 h"),)),
}
EXPOSURE: dict[str, Charted] = {
    "yes": ((therapy("axi-cel", "3 d"),),),
    "no": ((), (therapy("axi-cel", "40 d"),)),
    "unknown": ((),),
}
COLUMNS = {
    "exposure": EXPOSURE,
    "temperature": TEMPERATURE,
    "antipyretic": ANTIPYRETIC,
    "pressure": PRESSURE,
    "pressors": PRESSORS,
    "oxygen": OXYGEN,
}
NAMED = {
    "temperature": "temperature in the last 12 h",
    "pressure": "blood pressure in the last 4 h",
    "pressors": "vasopressor infusions",
    "oxygen": "oxygen support",
    "therapies": "T-cell engaging therapies",
}


def rows() -> list[Row]:
    lines = Path(__file__).with_name("decision_table.csv").read_text(encoding="utf-8").splitlines()
    return list(csv.DictReader(line for line in lines if not line.startswith("#")))


def faults(row: Row) -> list[str]:
    """What is wrong about the answers to the patients that a row stands for."""
    gaps: dict[str, Gap] = unread("vasoactives") if row["pressors"] == "unknown" else {}
    gaps |= unread("therapies") if row["exposure"] == "unknown" else {}
    found = []
    for chosen in product(*(column[row[name]] for name, column in COLUMNS.items())):
        facts = tuple(fact for part in chosen for fact in part)
        timeline = patient(*facts, gaps=gaps)
        if not chosen[0]:
            timeline = replace(timeline, therapies=())
        answer = assessed(timeline)
        grade = "" if answer.grade is None else str(answer.grade)
        stated = (answer.status.value, grade, "yes" if answer.is_floor else "no")
        if stated != (row["status"], row["grade"], row["or_higher"]):
            found.append(f"{row}: {stated}")
        unnamed = [kind for kind in row["missing"].split() if NAMED[kind] not in " ".join(answer.missing)]
        if unnamed:
            found.append(f"{row}: {unnamed} not named in {answer.missing}")
    return found


@pytest.mark.parametrize("exposure", EXPOSURE)
@pytest.mark.parametrize("fever", TEMPERATURE)
def test_t57_t65_t70_every_row_of_the_signed_table_is_what_is_answered(exposure: str, fever: str) -> None:
    group = [row for row in rows() if (row["exposure"], row["temperature"]) == (exposure, fever)]
    assert len(group) == 240
    assert [fault for row in group for fault in faults(row)] == []


def test_the_signed_table_has_every_combination_once() -> None:
    combinations = [tuple(row[name] for name in COLUMNS) for row in rows()]
    assert len(combinations) == 2880
    assert set(combinations) == set(product(*COLUMNS.values()))


def test_n_13_n_14_the_signed_table_says_no_crs_only_where_all_is_known() -> None:
    for row in rows():
        if row["status"] == "no-crs":
            assert (row["temperature"], row["antipyretic"], row["missing"]) == ("below 38", "no", "")
        if row["or_higher"] == "yes":
            assert row["missing"]

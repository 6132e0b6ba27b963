"""Where a fault stands, and what is found to make no sense: every fault at once, with file, line and key."""

import shutil
from pathlib import Path

import pytest

from cds_service.content.check_digits import loinc, snomed
from cds_service.content.files import data_folder
from cds_service.content.lines import Key, line_of
from cds_service.content.load import load
from cds_service.errors import InvalidContent
from tests.spec.test_content import Change, at, replace

# --- lines ------------------------------------------------------------------------------------------------------------

TEXT = '''# a comment
id = "x" # with a comment

words = [
  "one", # of many
  "two",
]
text = """
[not.a.table]
"""

[a]
b = { c = 1,  d = { e = 2 } }
f.g = 3

# before a table
[[list]]
c = 1
[[list]]
c = 2
[list.d]
e = 1
[a.h]
'''


@pytest.mark.parametrize(
    ("key", "line"),
    [
        (("id",), 2),
        (("words",), 4),
        (("words", 1), 4),
        (("text",), 8),
        (("a",), 12),
        (("a", "b", "d", "e"), 13),
        (("a", "f", "g"), 14),
        (("a", "f"), 14),
        (("list",), 17),
        (("list", 0, "c"), 18),
        (("list", 1), 19),
        (("list", 1, "c"), 20),
        (("list", 1, "d", "e"), 22),
        (("a", "h"), 23),
        (("a", "b", "no"), 13),
        (("a", "no", "no"), 12),
        (("words", 2), 4),
        (("words", "one"), 4),
        (("no",), 1),
        ((), 1),
    ],
)
def test_the_line_of_a_key_is_where_its_statement_begins_and_of_one_that_is_missing_that_of_its_table(
    key: Key, line: int
) -> None:
    assert line_of(TEXT, key) == line


@pytest.mark.parametrize(
    ("text", "fault"),
    [
        ("id = 1\nid = 2\n", "orders/new.toml:2: is not valid TOML: Cannot overwrite a value"),
        ("id = 1\n[a\n", "orders/new.toml:2: is not valid TOML: Expected ']'"),
        ('id = 1\ntext = """\nabc\n', "orders/new.toml:3: is not valid TOML: "),
        ("id = \xff\n", "orders/new.toml: is not UTF-8 text"),
    ],
)
def test_a_text_that_is_not_toml_is_named_with_its_line(tmp_path: Path, text: str, fault: str) -> None:
    cards = Path(shutil.copytree(data_folder("cards"), tmp_path / "cards"))
    (cards / "orders" / "new.toml").write_bytes(text.encode("latin-1"))
    assert [line for line in faults(cards) if line.startswith(fault)]


# --- what makes no sense ----------------------------------------------------------------------------------------------

PROTOCOL, SCALE = "protocols/supplied.toml", "scales/astct-2019.toml"
TOCILIZUMAB, DEXAMETHASONE = "orders/tocilizumab.toml", "orders/dexamethasone-10.toml"


def figure(value: int, unit: str) -> str:
    return f"{{ value = {value}, unit = '{unit}', reference = 'r', date = 2026-01-01 }}"


def remove_line(file: str, beginning: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / file
        lines = path.read_text(encoding="utf-8").splitlines(keepends=True)
        kept = [line for line in lines if not line.startswith(beginning)]
        assert len(kept) == len(lines) - 1
        path.write_text("".join(kept), encoding="utf-8")

    return change


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """A copy of cards/ to break."""
    return Path(shutil.copytree(data_folder("cards"), tmp_path / "cards"))


def faults(cards: Path) -> list[str]:
    with pytest.raises(InvalidContent) as refused:
        load(cards)
    return [line.strip() for line in refused.value.message.splitlines()[1:]]


@pytest.mark.parametrize(
    ("change", "fault"),
    [
        (
            replace(PROTOCOL, "label_maximum_doses = { value = 4", "label_maximum_doses = { value = 1"),
            "maximum_doses: 2",
        ),
        (
            replace(PROTOCOL, "minimum_interval = { value = 8", "minimum_interval = { value = 73"),
            "repeat_after: 72 h is",
        ),
        (replace(PROTOCOL, "repeat_after = { value = 72", "repeat_after = { value = -72"), "repeat_after.value: -72"),
        (replace(PROTOCOL, "repeat_after = { value = 72", "repeat_after = { value = 0"), "repeat_after.value: 0 where"),
        (replace(PROTOCOL, "maximum_doses = { value = 2", "maximum_doses = { value = 2.5"), "maximum_doses.value: 2.5"),
        (
            replace(PROTOCOL, "maximum_doses = { value = 2", "maximum_doses = { value = true"),
            "maximum_doses.value: True",
        ),
        (replace(PROTOCOL, "maximum_doses = { value = 2", "maximum_doses = { value = nan"), "maximum_doses.value: "),
        (replace(PROTOCOL, "limit = { value = 30", "limit = { value = 6"), "weight.limit: is shorter"),
        (
            replace(PROTOCOL, "confirm_to = { value = 32", "confirm_to = { value = 29"),
            "confirm_from: 28 to 29 kg leaves",
        ),
        (replace(PROTOCOL, "below_years = 3", "below_years = 1"), "weight.plausible: plausible weights go from"),
        (replace(PROTOCOL, "low = 1\n", "low = 17\n"), "weight.plausible.0: plausible weights go up"),
        (
            replace(PROTOCOL, 'daily = ["cbc"', 'daily = ["d-dimer"'),
            "laboratory.daily.0: laboratory.daily names d-dimer",
        ),
        (
            replace(PROTOCOL, 'orders = ["blood-cultures"]', 'orders = ["swab"]'),
            "infection.orders.0: no order file for",
        ),
        (
            replace(PROTOCOL, 'order = "methylp', 'order = "p'),
            "step.4.escalation.order: no order file for prednisolone",
        ),
        (replace(TOCILIZUMAB, "below = { value = 30", "below = { value = 0"), "band.0.below.value: 0 where more"),
        (
            replace(TOCILIZUMAB, "[[band]]\ndose", f"[[band]]\nbelow = {figure(40, 'kg')}\ndose"),
            "band.1.below: the last weight band must have no upper end",
        ),
        (
            replace(
                TOCILIZUMAB,
                "[[band]]\ndose",
                f"[[band]]\nbelow = {figure(20, 'kg')}\ndose = {figure(9, 'mg/kg')}\n\n[[band]]\ndose",
            ),
            "band.1.below: weight bands go up: 20 kg follows 30 kg",
        ),
        (
            replace(TOCILIZUMAB, "dose = { value = 8", "dose = { value = -8"),
            "band.1.dose.value: -8 where more than zero",
        ),
        (
            replace(DEXAMETHASONE, "[[stage]]", f"maximum = {figure(9, 'mg')}\n\n[[stage]]"),
            "stage.0.dose: a dose of 10 mg is above the maximum of 9 mg",
        ),
        (replace(DEXAMETHASONE, "value = 10", "value = 0"), "stage.0.dose.value: 0 where more than zero"),
        (replace(DEXAMETHASONE, "days = {", "length = {"), "stage.0.length: is not a key that is read here"),
        (replace(DEXAMETHASONE, 'code = "3264"', 'code = ""'), "code.code: must not be empty"),
        (
            replace("orders/blood-cultures.toml", '"600-7"', '"600-8"'),
            "code.code: 600-8 is no LOINC code: its check digit",
        ),
        (replace(PROTOCOL, "repeat_after = { value = 72", "repeat_after = { value = 90000"), "longer than ten years"),
        (replace(PROTOCOL, "repeat_after = { value = 72", "repeat_after = { value = 1e99"), "is beyond every figure"),
        (
            replace(SCALE, "late_days = { value = 90", "late_days = { value = 9000"),
            "therapy.0.late_days: 9000 days are",
        ),
        (replace(TOCILIZUMAB, '"intravenous"', '"subcutaneous"'), "route: tocilizumab for CRS is given"),
        (remove_line(TOCILIZUMAB, "maximum ="), "band: a dose by weight needs a `maximum`"),
        (
            replace(DEXAMETHASONE, "adults_only = true", "adults_only = false"),
            "group: a fixed dose of a corticosteroid",
        ),
        (replace(DEXAMETHASONE, 'agent = "dexa', 'agent = "deca'), "agent: codes/drugs.toml knows no drug 'decameth"),
        (
            replace(DEXAMETHASONE, 'group = "corticosteroid"', 'group = "steroid"'),
            "dexamethasone is of the group 'cort",
        ),
        (replace(PROTOCOL, 'cbc = "CBC"', 'cbcs = "CBC"'), "baseline.cbcs: codes/laboratory.toml does not know 'cbcs'"),
        (replace(PROTOCOL, "neutrophils = {", "neutrophil = {"), "below.neutrophil: codes/laboratory.toml does not"),
        (replace(PROTOCOL, "alt = {", "gpt = {"), "times_upper_limit.gpt: codes/laboratory.toml does not know 'gpt'"),
        (
            replace(PROTOCOL, '"mosunetuzumab"', '"mosunetuzumap"'),
            "flow_products.0: codes/therapies.toml does not know",
        ),
        (replace(PROTOCOL, '"brexu', '"brexy'), "steroid.early_products.1: codes/therapies.toml does not know 'brexy"),
        (replace("codes/oxygen-devices.toml", '"26412008"', '"26412080"'), "26412080 is no SNOMED CT code: its check"),
        (
            replace(SCALE, "threshold = { value = 38.0", "threshold = { value = 100.4"),
            "fever.threshold: 100.4 is not among",
        ),
        (replace(SCALE, "saturation = { value = 90", "saturation = { value = 9"), "hypoxia.saturation: 9 is not among"),
        (
            replace(SCALE, "below_years = 11", "below_days = 11"),
            "hypotension.band.2: bands go from the youngest age up",
        ),
        (
            replace(SCALE, "low = 30, high = 45", "low = 45, high = 30"),
            "plausible.temperature: a range goes up, low first",
        ),
        (replace(SCALE, 'reference = "oxygen in air"', 'reference = ""'), "room_air_fio2.reference: must not be empty"),
        (
            replace(SCALE, 'id = "car-t"\n', f'id = "car-t"\nhours = {figure(1, "h")}\n'),
            "therapy.0: therapy window car-t: either days or hours",
        ),
        (replace("protocols/example-hospital.toml", 'id = "example-hospital"', 'id = "supplied-crs"'), "is the id of"),
    ],
)
def test_what_makes_no_sense_is_a_fault_with_its_key(cards: Path, change: Change, fault: str) -> None:
    change(cards)
    found = faults(cards)
    assert [line for line in found if fault in line and line.partition(": ")[0].rpartition(":")[2].isdigit()], found


def test_a_fault_in_the_code_systems_is_the_only_one_named(cards: Path) -> None:
    replace("codes/_systems.toml", 'name = "LOINC"', "name = 5")(cards)
    assert faults(cards) == [f"{at('codes/_systems.toml', 'LOINC')}: loinc.name: must be text in quotes"]


def test_t93_every_fault_is_reported_at_once_with_file_line_and_key_and_none_twice(cards: Path) -> None:
    changes = [
        replace(SCALE, "value = 38.0", 'value = "38.0"'),
        replace(SCALE, "low_flow_maximum = { value = 6", "low_flow_maximum = { value = -6"),
        replace(PROTOCOL, "repeat_after =", "repeat_afterwards ="),
        replace(PROTOCOL, "regrade = { value = 12,", "regrade = {"),
        replace(TOCILIZUMAB, 'unit = "mg/kg"', 'unit = "mg"'),
        replace(TOCILIZUMAB, "over = { value = 60", 'over = { value = "60"'),
        replace("codes/drugs.toml", 'code = "612865"', "code = 612865"),
        replace("text/sentences.toml", "{{ window }}", "{{ windows }}"),
        replace("clients/generic.toml", '"proposal"', '"plan"'),
        replace("protocols/example-hospital.toml", "[step.2]", "[step.6]"),
    ]
    for change in changes:
        change(cards)
    found = faults(cards)
    for fault in (
        f"{at('clients/generic.toml', 'intent')}: intent: 'plan' where 'proposal' or 'order' is expected",
        f"{at('codes/drugs.toml', 'codes = [')}: meaning.0.codes.0.code: must be text in quotes",
        f"{at(TOCILIZUMAB, 'over =')}: over.value: '60' where a number is expected",
        f"{at(TOCILIZUMAB, 'dose =')}: band.0.dose.unit: 'mg' where 'mg/kg' is expected",
        f"{at('protocols/example-hospital.toml', '[step.2]')}: step.6: what it is based on has no such key",
        f"{at(PROTOCOL, '[tocilizumab]')}: tocilizumab.repeat_after: is missing",
        f"{at(PROTOCOL, 'repeat_after =')}: tocilizumab.repeat_afterwards: is not a key that is read here: look for a "
        "slip of spelling",
        "monitoring.regrade.value: is missing",
        f"{at(SCALE, 'threshold =')}: fever.threshold.value: '38.0' where a number is expected",
        "hypoxia.low_flow_maximum.value: -6 where zero or more is expected",
        "there is no value 'windows'; there are: ",
    ):
        assert [line for line in found if fault in line], (fault, found)
    assert len(found) == len(set(found))
    assert {line.partition(".toml:")[2].partition(":")[0].isdigit() for line in found} == {True}


@pytest.mark.parametrize("code", ["8310-5", "600-7", "85354-9", "107117-4"])
def test_a_loinc_code_ends_in_its_check_digit(code: str) -> None:
    assert loinc(code)
    assert [digit for digit in "0123456789" if loinc(code[:-1] + digit)] == [code[-1]]


@pytest.mark.parametrize(
    ("code", "swapped"),
    [
        ("30088009", "03088009"),
        ("117010004", "171010004"),
        ("26412008", "62412008"),
        ("112798008", "121798008"),
    ],
)
def test_a_snomed_code_ends_in_its_check_digit(code: str, swapped: str) -> None:
    assert snomed(code)
    assert [digit for digit in "0123456789" if snomed(code[:-1] + digit)] == [code[-1]]
    assert not snomed(swapped)


@pytest.mark.parametrize("code", ["", "x", "8310", "8310-", "-5", "83105", "8310-55"])
def test_what_is_no_code_at_all_is_refused(code: str) -> None:
    assert not loinc(code)
    assert not snomed(code)

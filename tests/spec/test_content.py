"""Content is checked whole: all faults are reported at once, with file and key; a service does not start with one."""

import shutil
from collections.abc import Callable
from pathlib import Path

import pytest

from cds_service.content.files import data_folder
from cds_service.content.load import load
from cds_service.errors import InvalidContent

Change = Callable[[Path], None]


@pytest.fixture
def cards(tmp_path: Path) -> Path:
    """A copy of cards/ to break."""
    return Path(shutil.copytree(data_folder("cards"), tmp_path / "cards"))


def replace(file: str, old: str, new: str) -> Change:
    def change(folder: Path) -> None:
        path = folder / file
        text = path.read_text(encoding="utf-8")
        assert text.count(old) >= 1, f"{old!r} does not stand in {file}"
        path.write_text(text.replace(old, new, 1), encoding="utf-8")

    return change


def remove(file: str) -> Change:
    return lambda folder: (folder / file).unlink()


def faults(folder: Path) -> str:
    with pytest.raises(InvalidContent) as refused:
        load(folder)
    return refused.value.message


def test_the_content_that_ships_is_sound_and_names_its_version_and_hash() -> None:
    content = load()
    assert content.knowledge == {
        "id": "supplied-crs",
        "version": f"{content.protocol.version}+{content.hash[:8]}",
        "scale": f"astct-2019 {content.scale.version}",
    }


def at(file: str, text: str, number: int = 0) -> str:
    """File and line of a text, or of its later occurrences, as the installed file has it."""
    lines = (data_folder("cards") / file).read_text(encoding="utf-8").splitlines()
    return f"{file}:{[place for place, line in enumerate(lines, 1) if text in line][number]}"


SCALE = "scales/astct-2019.toml"
PROTOCOL = "protocols/supplied.toml"


@pytest.mark.parametrize(
    ("change", "said"),
    [
        pytest.param(
            replace(SCALE, 'unit = "Cel"', 'unit = "[degF]"'),
            at(SCALE, "threshold =") + ": fever.threshold.unit: '[degF]' where 'Cel' is expected",
            id="wrong unit",
        ),
        pytest.param(
            replace(SCALE, "value = 38.0", 'value = "38.0"'),
            at(SCALE, "threshold =") + ": fever.threshold.value",
            id="text value",
        ),
        pytest.param(
            replace(SCALE, ", date = 2019-04-01 }", " }"),
            at(SCALE, "threshold =") + ": fever.threshold.date: is missing",
            id="no date",
        ),
        pytest.param(
            replace(SCALE, "[fever]", "[fever]\ncolour = 1"),
            at(SCALE, "threshold =") + ": fever.colour",
            id="unknown key",
        ),
        pytest.param(replace(SCALE, "[fever]", "[fever"), at(SCALE, "[fever]") + ": is not valid TOML", id="not TOML"),
        pytest.param(
            replace(SCALE, 'id = "blow-by"', 'id = "blowby"'),
            at("codes/oxygen-devices.toml", "[[meaning]]", 14) + ": meaning.14: the device 'blow-by' has no grade",
            id="device without grade",
        ),
        pytest.param(
            replace(SCALE, "grade = 2", "grade = 1"),
            at(SCALE, "grade = 2") + ": device.4.grade: 1 where 2, 3 or 4",
            id="device of grade 1",
        ),
        pytest.param(replace(SCALE, 'id = "step-up"', 'id = "stepup"'), "names the window 'step-up'", id="no window"),
        pytest.param(
            replace(SCALE, 'advice = "stop-infusion"', 'advice = "stop"'), "no sentence 'stop'", id="no sentence"
        ),
        pytest.param(
            replace(SCALE, "antipyretic = {", "antipyretics = {"), "masking lacks antipyretic", id="no masking"
        ),
        pytest.param(replace(SCALE, "below_years = 11", "below_year = 11"), "below_year", id="misspelt band"),
        pytest.param(
            replace(PROTOCOL, "[step.4]", "[step.5]"),
            at(PROTOCOL, "[step.4]") + ": step.5: '5' where",
            id="grade without a step",
        ),
        pytest.param(
            replace(PROTOCOL, '"dexamethasone-20"', '"dexamethasone-40"'),
            "no order file for dexamethasone-40",
            id="no order",
        ),
        pytest.param(
            replace(PROTOCOL, '"icu-alert"', '"icu-allert"'), "step 1 names no sentence 'icu-allert'", id="no care"
        ),
        pytest.param(replace(PROTOCOL, 'scale = "astct-2019"', 'scale = "penn"'), "the scale 'penn'", id="no scale"),
        pytest.param(replace("orders/tocilizumab.toml", "over =", "during ="), "during", id="order: unknown key"),
        pytest.param(
            replace("orders/tocilizumab.toml", 'route = "intravenous"', 'route = ""'),
            "needs a route",
            id="order: no route",
        ),
        pytest.param(
            replace("orders/dexamethasone-10.toml", 'unit = "mg"', 'unit = "g"'),
            at("orders/dexamethasone-10.toml", "dose =") + ": stage.0.dose.unit: 'g' where 'mg'",
            id="order: dose in grams",
        ),
        pytest.param(
            replace("orders/tocilizumab.toml", 'system = "rxnorm"', 'system = "rx"'),
            "code system 'rx'",
            id="order: no system",
        ),
        pytest.param(
            replace("codes/drugs.toml", 'confidence = "verified"', 'confidence = "sure"'),
            "confidence",
            id="code: confidence",
        ),
        pytest.param(remove("codes/oxygen.toml"), "the value set 'oxygen' is missing", id="value set missing"),
        pytest.param(remove("text/grade.md.j2"), "the template grade.md.j2 is missing", id="template missing"),
        pytest.param(
            replace("text/sentences.toml", 'icu-now = "', 'icu-later = "'),
            "the sentence 'icu-now' is missing",
            id="sentence",
        ),
        pytest.param(
            replace("text/sentences.toml", 'icu-now = "', 'icu-later = "'),
            "nothing says 'icu-later'",
            id="unused sentence",
        ),
        pytest.param(
            replace("text/grade.md.j2", "{% for", "{% four"), "text/grade.md.j2:4: cannot be read", id="template syntax"
        ),
        pytest.param(
            replace("text/sentences.toml", "{{ window }}", "{{ windows }}"),
            "there is no value 'windows'",
            id="unknown value",
        ),
        pytest.param(replace("text/grade.md.j2", "rows", "rowz"), "there is no value 'rowz'", id="unknown table"),
        pytest.param(
            replace("text/sentences.toml", "| sentence", "| sentense"),
            "there is no filter 'sentense'",
            id="unknown filter",
        ),
        pytest.param(
            replace("codes/laboratory.toml", 'unit = "/uL"\n', 'unit = "10*3/uL"\n'),
            at("codes/laboratory.toml", "unit =") + ": meaning.0.unit",
            id="laboratory: a unit the rules do not compare in",
        ),
        pytest.param(
            replace("codes/laboratory.toml", 'unit = "/uL"\n', 'unit = "U/L"\n'),
            at("codes/laboratory.toml", "[[meaning]]") + ": meaning.0: neutrophils: `unit` and `plausible`",
            id="laboratory: a range in another unit",
        ),
        pytest.param(
            replace("codes/laboratory.toml", 'unit = "/uL"\n', ""),
            at("codes/laboratory.toml", "[[meaning]]") + ": meaning.0: neutrophils: `unit` and `plausible`",
            id="laboratory: a range without a unit",
        ),
        pytest.param(replace("clients/generic.toml", '"proposal"', '"plan"'), "intent", id="client intent"),
        pytest.param(
            replace("about.toml", 'how = "Not read."', 'how = ""'),
            at("about.toml", 'how = "Not read."') + ": data_use.race.how",
            id="use",
        ),
        pytest.param(
            replace("about.toml", "[data_use.sex]", "[data_use.six]"), "data_use.sex: is missing", id="use left out"
        ),
        pytest.param(replace("about.toml", "revised = ", "revised = 2001-01-01 # "), "is before released", id="dates"),
        pytest.param(
            replace("about.toml", "released = 2026", 'released = "2026" # '),
            at("about.toml", "released") + ": released: must be a date",
            id="day",
        ),
        pytest.param(
            replace("rules/supplied-crs.toml", "{scale.fever.threshold}", "{scale.fever.treshold}"),
            at("rules/supplied-crs.toml", "{scale.fever.threshold}")
            + ": rule.3.says: S-GRADE-1: 'scale.fever.treshold' leads to no figure",
            id="rule without its figure",
        ),
        pytest.param(
            replace("rules/supplied-crs.toml", 'id = "S-HEAD-2"', 'id = "S-HEAD-1"'),
            at("rules/supplied-crs.toml", 'id = "S-HEAD-2"') + ": rule.1.id: S-HEAD-1 stands 2 times",
            id="rule twice",
        ),
        pytest.param(
            replace("about.toml", 'rules = ["S-PIT-MON-2"]', 'rules = ["S-PIT-MON-9"]'),
            "there is no rule S-PIT-MON-9 to depart from",
            id="departure from no rule",
        ),
        pytest.param(remove("about.toml"), "about.toml: no such file", id="nothing about itself"),
    ],
)
def test_a_fault_in_content_is_named_with_its_place(cards: Path, change: Change, said: str) -> None:
    change(cards)
    assert said in faults(cards)


def test_all_faults_are_reported_together(cards: Path) -> None:
    for change in (
        replace(SCALE, 'unit = "Cel"', 'unit = "K"'),
        replace("clients/generic.toml", '"proposal"', '"plan"'),
        replace("text/grade.md.j2", "{% for", "{% four"),
        remove("codes/oxygen.toml"),
    ):
        change(cards)
    message = faults(cards)
    for place in (SCALE, "clients/generic.toml"):
        assert place in message


def test_the_hash_changes_with_any_change_of_content(cards: Path) -> None:
    before = load(cards).hash
    replace("text/sentences.toml", "ICU now.", "ICU now!")(cards)
    assert load(cards).hash != before


def test_a_protocol_that_is_not_there_is_named(cards: Path) -> None:
    with pytest.raises(InvalidContent, match="no protocol 'house'"):
        load(cards, "house")

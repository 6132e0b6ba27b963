"""A site's protocol is one file that changes the supplied one in exactly what it says, and is honest about it."""

import shutil
from collections.abc import Callable
from dataclasses import fields
from datetime import UTC
from decimal import Decimal
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from cds_service.content.comparison import changes
from cds_service.content.files import data_folder
from cds_service.content.load import Content, load
from cds_service.content.statements import statements
from cds_service.crs.timeline import OxygenSaturation
from cds_service.errors import InvalidContent
from cds_service.hooks.knowledge import Knowledge
from tests.bedside import Bedside, ago, born, culture, tocilizumab

SITE = "example-hospital"
SITE_FILE = f"protocols/{SITE}.toml"
At = Callable[..., Bedside]


@cache
def content(protocol: str) -> Content:
    return load(None, protocol)


@pytest.fixture
def at(monkeypatch: pytest.MonkeyPatch) -> At:
    """The same patient, graded and advised by the protocol of that id."""

    def by(protocol: str, **patient: Any) -> Bedside:
        known = content(protocol)
        monkeypatch.setattr("tests.bedside.content", lambda: known)
        monkeypatch.setattr("tests.bedside.knowledge", lambda: Knowledge.of(known, UTC))
        bedside = Bedside(**patient)
        assert bedside.cards is not None  # made now: later the other protocol may be in place
        return bedside

    return by


# --- what the example changes, figure by figure -----------------------------------------------------------------------


def differing(one: Any, other: Any) -> set[str]:
    return {field.name for field in fields(one) if getattr(one, field.name) != getattr(other, field.name)}


def test_the_example_changes_exactly_what_its_file_says() -> None:
    base, site = content("supplied-crs"), content(SITE)
    assert differing(base.protocol, site.protocol) == {
        "id",
        "title",
        "citation",
        "steps",
        "orders",
        "infection_orders",
        "repeat_after",
    }
    assert differing(base.scale, site.scale) == {"version", "title", "hypoxia_saturation"}
    assert {grade for grade in (1, 2, 3, 4) if base.protocol.steps[grade] != site.protocol.steps[grade]} == {2}
    assert differing(base.protocol.steps[2], site.protocol.steps[2]) == {"orders", "refractory"}
    orders = {name for name, order in site.protocol.orders.items() if base.protocol.orders.get(name) != order}
    assert orders == {"blood-cultures", "cefepime"}
    assert differing(base.protocol.orders["blood-cultures"], site.protocol.orders["blood-cultures"]) == {"code"}
    assert {key for key, text in site.sentences.items() if base.sentences[key] != text} == {"icu-transfer"}
    assert set(base.sentences) == set(site.sentences)
    for shared in ("value_sets", "system_aliases", "clients", "templates", "override_reasons"):
        assert getattr(base, shared) == getattr(site, shared)


def test_the_statements_that_differ_are_those_of_the_file() -> None:
    found = changes(statements(content("supplied-crs")), statements(content(SITE)))
    assert {change.either.key for change in found if not change.either.key.startswith("order.cefepime.")} == {
        "orders: cefepime",
        "orders: dexamethasone-10",
        "refractory: dexamethasone-10",
        "care: icu-transfer",
        "title",
        "citation",
        "date",
        "tocilizumab.repeat_after",
        "order.blood-cultures.code",
        "grading.version",
        "grading.title",
        "grading.hypoxia.saturation",
        "text.icu-transfer",
    }


def test_every_figure_of_the_example_is_the_committees_own() -> None:
    text = (data_folder("cards") / SITE_FILE).read_text(encoding="utf-8")
    figures = [line for line in text.splitlines() if "value =" in line]
    assert len(figures) == 4
    for line in figures:
        assert 'reference = "Example Hospital CRS committee (invented)' in line
    assert "Not for clinical use" in text
    assert "no reference supports it" in text


# --- and at the bedside -----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(("saturation", "supplied", "site"), [("89", 2, 2), ("90", 1, 2), ("91.9", 1, 2), ("92", 1, 1)])
def test_the_site_takes_its_own_saturation_for_hypoxia(at: At, saturation: str, supplied: int, site: int) -> None:
    reading = OxygenSaturation(time=ago(0), reference="Observation/saturation", percent=Decimal(saturation))
    for protocol, grade in (("supplied-crs", supplied), (SITE, site)):
        bedside = at(protocol, phases=[(20, 1)], more={"saturations": (reading,)})
        assert bedside.assessment.grade == grade


@pytest.mark.parametrize(
    ("hours", "supplied", "site"), [([7.9], 0, 0), ([8.1], 0, 1), ([71], 0, 1), ([73], 1, 1), ([73, 40], 0, 0)]
)
def test_the_site_repeats_after_8_hours_and_gives_two_doses_at_most(
    at: At, hours: list[float], supplied: int, site: int
) -> None:
    for protocol, drafted in (("supplied-crs", supplied), (SITE, site)):
        negative = (culture("negative", 2),)
        bedside = at(protocol, phases=[(90, 2)], therapy_days=6, drugs=tocilizumab(*hours), cultures=negative)
        assert ("tocilizumab" in bedside.drafts) == bool(drafted)


@pytest.mark.parametrize(
    ("patient", "supplied", "site"),
    [
        ({"phases": [(20, 1)]}, {"blood-cultures"}, {"blood-cultures", "cefepime"}),
        (
            {"phases": [(20, 2)]},
            {"blood-cultures", "tocilizumab"},
            {"blood-cultures", "cefepime", "tocilizumab", "dexamethasone-10"},
        ),
        (
            {"phases": [(20, 3)]},
            {"blood-cultures", "tocilizumab", "dexamethasone-10"},
            {"blood-cultures", "cefepime", "tocilizumab", "dexamethasone-10"},
        ),
        (
            {"phases": [(20, 4)]},
            {"blood-cultures", "tocilizumab", "dexamethasone-20"},
            {"blood-cultures", "cefepime", "tocilizumab", "dexamethasone-20"},
        ),
        (
            {"phases": [(20, 2)], "birth_date": born(9)},
            {"blood-cultures", "tocilizumab"},
            {"blood-cultures", "tocilizumab"},
        ),
    ],
    ids=["grade 1", "grade 2", "grade 3", "grade 4", "grade 2 in a child"],
)
def test_the_site_drafts_its_own_orders_and_those_of_the_protocol(
    at: At, patient: dict[str, Any], supplied: set[str], site: set[str]
) -> None:
    assert set(at("supplied-crs", **patient).drafts) == supplied
    assert set(at(SITE, **patient).drafts) == site


def resources(bedside: Bedside) -> dict[str, Any]:
    """Every drafted resource, by the words of its code."""
    found = [
        action["resource"]
        for card in bedside.cards
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
    ]
    return {item.get("code", item.get("medicationCodeableConcept"))["coding"][0]["code"]: item for item in found}


def test_the_site_orders_cultures_and_its_antibiotic_by_its_own_codes_and_dose(at: At) -> None:
    drafted = resources(at(SITE))
    assert "600-7" not in drafted
    assert drafted["30088009"]["code"]["coding"][0]["system"] == "http://snomed.info/sct"
    assert drafted["20481"]["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"] == 2000
    assert "30088009" not in resources(at("supplied-crs"))


def test_the_site_speaks_its_own_words(at: At) -> None:
    own, supplied = "step-up unit of Example Hospital", "ICU or step-up unit"
    assert own in at(SITE).words
    assert supplied not in at(SITE).words
    assert own not in at("supplied-crs").words


@pytest.mark.parametrize("grade", [1, 2, 3, 4])
def test_every_card_and_every_draft_says_that_the_site_changed_the_grading(at: At, grade: int) -> None:
    bedside = at(SITE, phases=[(20, grade)])
    for card in bedside.cards:
        assert (
            card["source"]["label"] == "ASTCT 2019 (changed by example-hospital) grading, Example Hospital CRS protocol"
        )
        assert "Example Hospital CRS protocol 1.0.0" in card["detail"]
    assert "Grading ASTCT 2019 (changed by example-hospital)" in bedside.cards[0]["detail"]
    for resource in resources(bedside).values():
        assert f"ASTCT 2019 (changed by example-hospital) grade {grade}" in resource["reasonCode"][0]["text"]
    for card in at("supplied-crs", phases=[(20, grade)]).cards:
        assert "changed by" not in str(card)


def test_the_knowledge_of_an_answer_names_the_changed_scale() -> None:
    site = content(SITE)
    assert site.knowledge == {
        "id": SITE,
        "version": f"1.0.0+{site.hash[:8]}",
        "scale": "astct-2019 1.0.0, changed by example-hospital",
    }


# --- how a site's file is read ----------------------------------------------------------------------------------------

HEAD = """
id = "house"
version = "1"
title = "House protocol"
citation = "the committee of the house"
date = 2026-11-01
based_on = "supplied-crs"
"""


@pytest.fixture
def house(tmp_path: Path) -> Path:
    return tmp_path / "house.toml"


def read(house: Path, changes: str, head: str = HEAD) -> Content:
    house.write_text(head.lstrip() + changes, encoding="utf-8")
    return load(None, str(house))


def refused(house: Path, changes: str, head: str = HEAD) -> list[str]:
    """The faults, each without the path of the file."""
    with pytest.raises(InvalidContent) as found:
        read(house, changes, head)
    return [line.strip().removeprefix(f"{house}:") for line in found.value.message.splitlines()[1:]]


FIGURE = 'unit = "h", reference = "house", date = 2026-11-01 }'


def test_a_site_that_changes_nothing_says_the_same_under_its_own_name(house: Path) -> None:
    same, base = read(house, ""), content("supplied-crs")
    assert differing(same.protocol, base.protocol) == {"id", "version", "title", "citation"}
    assert same.scale == base.scale
    assert same.knowledge["scale"] == "astct-2019 1.0.0"
    assert same.sentences == base.sentences


def test_a_new_order_a_list_and_an_optional_figure_may_be_added(house: Path) -> None:
    changed = read(
        house,
        f"""
[tocilizumab]
repeat_when_worse = {{ value = 8, {FIGURE}

[laboratory.upper_limits]
alt = {{ value = 40, unit = "U/L", reference = "house", date = 2026-11-01 }}

[step.1]
orders = ["house-cultures"]

[order.house-cultures]
kind = "service"
agent = "blood-culture"
group = "culture"
text = "blood cultures"
code = {{ system = "crs", code = "cultures", display = "Blood cultures of the house", confidence = "verified" }}
reference = "house"
date = 2026-11-01
""",
    ).protocol
    assert str(changed.repeat_when_worse) == "8:00:00"
    assert changed.laboratory.upper_limits == {"alt": 40}
    assert changed.steps[1].orders == ("house-cultures",)
    assert changed.steps[1].care == content("supplied-crs").protocol.steps[1].care
    assert changed.orders["house-cultures"].code.system == "http://example.org/fhir/CodeSystem/crs"


@pytest.mark.parametrize(
    ("changes", "fault"),
    [
        ("[tocilizumab]\nrepeat = 8\n", "8: tocilizumab.repeat: is not a key that is read here"),
        ("[colours]\nred = 1\n", "7: colours: is not a key"),
        ("[step.5]\ncare = []\n", "7: step.5: what it is based on has no such key"),
        ('[baseline]\nblood = "all of it"\n', "8: baseline.blood: what it is based on has no such key"),
        (f"[grading.masking]\ncoffee = {{ value = 1, {FIGURE}\n", "8: grading.masking.coffee: what it is based on"),
        ('[text]\nicu-later = "later"\n', "8: text.icu-later: what it is based on has no such key"),
        ("[text]\nicu-now = 5\n", "8: text.icu-now: must be text in quotes"),
        ('[text]\nicu-now = "{{ colour }}"\n', "8: text.icu-now: there is no value 'colour'"),
        ("[tocilizumab]\nrepeat_after = { value = 8 }\n", "8: tocilizumab.repeat_after.unit: is missing"),
        (f"[tocilizumab]\nrepeat_after = {{ value = 7, {FIGURE}\n", "8: tocilizumab.repeat_after: 7 h is shorter than"),
        ("[grading.fever]\nthreshold = 39\n", "8: grading.fever.threshold: must be a table"),
        ('[grading]\ntitle = "ours"\n', "8: grading.title: a changed scale keeps its name"),
        ("grading = 1\n", "7: grading: must be a table"),
        ("[order]\ntocilizumab = 1\n", "8: order.tocilizumab: must be a table"),
        ('[order.tocilizumab]\nid = "other"\n', "8: order.tocilizumab.id: the id of this order is 'tocilizumab'"),
        ('[order.tocilizumab]\nroute = ""\n', "8: order.tocilizumab.route: a medication needs a route"),
        ('[order.new]\nkind = "service"\n', "7: order.new.agent: is missing"),
        ('[step.2]\norders = ["aspirin"]\n', "8: step.2.orders.0: no order file for aspirin"),
        ('[step.2]\ncare = ["aspirin"]\n', "8: step.2.care.0: step 2 names no sentence 'aspirin'"),
        ('scale = "penn"\n', "7: scale: the scale 'penn' is not in scales/"),
    ],
)
def test_a_fault_of_a_sites_file_is_named_in_that_file(house: Path, changes: str, fault: str) -> None:
    assert any(found.startswith(fault) for found in refused(house, changes)), refused(house, changes)


@pytest.mark.parametrize("key", ["id", "version", "title", "citation", "date"])
def test_a_site_says_itself_who_it_is(house: Path, key: str) -> None:
    head = "\n".join(line for line in HEAD.strip().splitlines() if not line.startswith(key))
    assert refused(house, "", head) == [f"1: {key}: is missing"]


@pytest.mark.parametrize(
    ("base", "fault"),
    [
        ('"nobody"', "6: based_on: there is no protocol 'nobody'; there are: example-hospital, supplied-crs"),
        ("1", "6: based_on: there is no protocol 1; there are: example-hospital, supplied-crs"),
        (f'"{SITE}"', f"6: based_on: '{SITE}' is itself based on 'supplied-crs'"),
    ],
)
def test_a_site_is_based_on_a_protocol_that_stands_alone(house: Path, base: str, fault: str) -> None:
    [found] = refused(house, "", HEAD.replace('"supplied-crs"', base))
    assert found.startswith(fault)


def test_a_fault_that_comes_from_the_base_is_named_in_the_base_and_once(tmp_path: Path) -> None:
    cards = Path(shutil.copytree(data_folder("cards"), tmp_path / "cards"))
    base = cards / "protocols" / "supplied.toml"
    text = base.read_text(encoding="utf-8")
    base.write_text(text.replace("[tocilizumab]\n", "[tocilizumab]\ncolour = 1\n"), encoding="utf-8")
    line = text[: text.index("[tocilizumab]\n")].count("\n") + 2
    with pytest.raises(InvalidContent) as found:
        load(cards, SITE)
    assert found.value.message.splitlines()[0] == "the content has 1 fault(s):"
    assert f"protocols/supplied.toml:{line}: tocilizumab.colour: is not a key" in found.value.message


def test_all_protocols_of_a_folder_are_checked_not_only_the_chosen_one(tmp_path: Path) -> None:
    cards = Path(shutil.copytree(data_folder("cards"), tmp_path / "cards"))
    (cards / "protocols" / "house.toml").write_text(HEAD + "[step.2]\ncolour = 1\n", encoding="utf-8")
    with pytest.raises(InvalidContent, match=r"protocols/house\.toml:9: step\.2\.colour: is not a key"):
        load(cards)


# --- the content hash -------------------------------------------------------------------------------------------------


def test_the_hash_is_that_of_the_files_that_made_the_content_wherever_they_lie(tmp_path: Path, house: Path) -> None:
    cards = Path(shutil.copytree(data_folder("cards"), tmp_path / "cards"))
    before = {protocol: load(cards, protocol).hash for protocol in ("supplied-crs", SITE)}
    assert before == {protocol: content(protocol).hash for protocol in before}
    assert len({*before.values(), read(house, "").hash}) == 3

    shutil.copy(cards / SITE_FILE, tmp_path / f"{SITE}.toml")
    assert load(cards, str(tmp_path / f"{SITE}.toml")).hash == before[SITE]

    (cards / "protocols" / "other.toml").write_text(HEAD, encoding="utf-8")
    assert {protocol: load(cards, protocol).hash for protocol in before} == before

    site = cards / SITE_FILE
    site.write_text(site.read_text(encoding="utf-8") + "# a comment\n", encoding="utf-8")
    assert load(cards).hash == before["supplied-crs"]
    assert load(cards, SITE).hash != before[SITE]


@pytest.mark.parametrize(
    "file",
    [
        "protocols/supplied.toml",
        "scales/astct-2019.toml",
        "codes/drugs.toml",
        "orders/tocilizumab.toml",
        "text/sentences.toml",
        "text/override-reasons.toml",
        "text/grade.md.j2",
        "clients/generic.toml",
    ],
)
def test_a_change_of_any_file_that_both_rest_on_changes_both_hashes(tmp_path: Path, file: str) -> None:
    cards = Path(shutil.copytree(data_folder("cards"), tmp_path / "cards"))
    with (cards / file).open("a", encoding="utf-8") as open_file:
        open_file.write("\n")
    for protocol in ("supplied-crs", SITE):
        assert load(cards, protocol).hash != content(protocol).hash

"""GET /about: the source attributes of certification, the same as JSON and as a page, and true of what is read."""

import re
from base64 import b64encode
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import date
from hashlib import sha256
from html.parser import HTMLParser
from itertools import pairwise
from typing import Any

import pytest
from flask.testing import FlaskClient

from cds_service.cli.serve import knowledge_of
from cds_service.content.files import data_folder, read_toml
from cds_service.fhir.client import Connections
from cds_service.fhir.elements import MAY_BE_MODIFIED
from cds_service.hooks.evaluate import Access
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import service
from cds_service.web.about import About
from cds_service.web.app import create_app
from cds_service.web.settings import Settings
from tests.answers import PATIENT, answer
from tests.bedside import content
from tests.chart import exact
from tests.server import NOW, hook_call

BROWSER = "text/html,application/xhtml+xml,application/xml;q=0.9,*/*;q=0.8"
ATTRIBUTES = ["bibliographicCitation", "developer", "fundingSource", "released", "revised", "dataUse"]
DATA = [
    "race",
    "ethnicity",
    "language",
    "sexual orientation",
    "gender identity",
    "sex",
    "date of birth",
    "social determinants of health",
    "health status assessments",
]
Json = dict[str, Any]


class Page(HTMLParser):
    """The elements of a page with their attributes, its headings, and its words."""

    def __init__(self, html: str) -> None:
        super().__init__()
        self.elements: list[tuple[str, dict[str, str | None]]] = []
        self.words = ""
        self.feed(html)

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.append((tag, dict(attrs)))

    def handle_data(self, data: str) -> None:
        self.words += data

    @property
    def tags(self) -> list[str]:
        return [tag for tag, _ in self.elements]


@pytest.fixture
def told(client: FlaskClient) -> Json:
    found: Json = client.get("/about").get_json()
    return found


@pytest.fixture
def page(client: FlaskClient) -> Page:
    return Page(client.get("/about", headers={"Accept": BROWSER}).text)


def leaves(value: Any) -> Iterator[Any]:
    for item in value.values() if isinstance(value, dict) else value if isinstance(value, list) else ():
        yield from leaves(item)
    if not isinstance(value, dict | list):
        yield value


@pytest.mark.parametrize(
    ("accept", "kind"),
    [
        (None, "application/json"),
        ("*/*", "application/json"),
        ("application/json", "application/json"),
        ("application/json, text/html;q=0.5", "application/json"),
        ("image/png", "application/json"),
        ("text/html", "text/html"),
        (BROWSER, "text/html"),
    ],
)
def test_about_is_json_unless_a_page_is_preferred(client: FlaskClient, accept: str | None, kind: str) -> None:
    found = client.get("/about", headers={"Accept": accept} if accept else {})
    assert (found.status_code, found.mimetype) == (200, kind)
    assert "Accept" in found.headers["Vary"]


def test_every_source_attribute_is_there_in_the_order_of_the_rule_and_none_is_empty(told: Json) -> None:
    attributes = told["sourceAttributes"]
    assert list(attributes) == ATTRIBUTES
    assert [use["data"] for use in attributes["dataUse"]] == DATA
    assert all(leaf is False or str(leaf).strip() for leaf in leaves(told))
    assert len(attributes["bibliographicCitation"]) >= 2


def test_dates_are_days_and_nothing_in_content_is_newer_than_the_last_revision(told: Json) -> None:
    released, revised = (date.fromisoformat(told["sourceAttributes"][name]) for name in ("released", "revised"))
    assert released <= revised
    files = [read_toml(path) for path in data_folder("cards").rglob("*.toml")]
    assert max(leaf for file in files for leaf in leaves(file) if isinstance(leaf, date)) <= revised


def test_treatment_is_cited_to_the_protocol_grading_to_astct_and_the_review_is_pending(told: Json) -> None:
    cited = {item["citedFor"]: item["text"] for item in told["sourceAttributes"]["bibliographicCitation"]}
    assert (cited["treatment"], cited["grading"]) == (content().protocol.citation, content().scale.citation)
    assert told["protocol"]["status"] == "pending human review"
    assert told["protocol"]["contentHash"] == content().hash


@pytest.mark.parametrize("source", ["Mahadeo", "PALS", "ASCO", "NCCN", "Blood Adv", "Actemra"])
def test_every_source_that_figures_of_content_refer_to_is_cited(told: Json, source: str) -> None:
    references = [
        leaf
        for folder in ("scales", "protocols", "orders")
        for path in (data_folder("cards") / folder).glob("*.toml")
        for leaf in leaves(read_toml(path))
        if isinstance(leaf, str)
    ]
    assert [reference for reference in references if source in reference]
    assert [item for item in told["sourceAttributes"]["bibliographicCitation"] if source in item["text"]]


def test_page_and_json_say_the_same(told: Json, page: Page) -> None:
    for leaf in leaves(told):
        assert {True: "yes", False: "no"}.get(leaf, leaf) in page.words, leaf
    for use in told["sourceAttributes"]["dataUse"]:
        assert f"{use['data']}{'yes' if use['used'] else 'no'}{use['how']}\n" in page.words


def test_the_page_loads_nothing_runs_nothing_and_is_built_for_reading(client: FlaskClient, page: Page) -> None:
    assert page.elements[0] == ("html", {"lang": "en"})
    assert page.tags.count("h1") == page.tags.count("title") == page.tags.count("main") == 1
    headings = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert ("meta", {"name": "viewport", "content": "width=device-width, initial-scale=1"}) in page.elements
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert not {name for _, values in page.elements for name in values if name.startswith("on") or name == "style"}
    assert "prefers-color-scheme: dark" in page.words
    assert "url(" not in page.words
    assert "@import" not in page.words


def test_t73_the_policy_lets_the_one_style_sheet_in_and_nothing_else(client: FlaskClient) -> None:
    found = client.get("/about", headers={"Accept": BROWSER})
    [style] = re.findall(r"<style>(.*?)</style>", found.text, re.DOTALL)
    allowed = dict(part.split(" ", 1) for part in found.headers["Content-Security-Policy"].split("; "))
    assert allowed.pop("style-src") == f"'sha256-{b64encode(sha256(style.encode()).digest()).decode()}'"
    assert set(allowed.values()) == {"'none'"}
    assert {"default-src", "base-uri", "form-action", "frame-ancestors"} == set(allowed)


def test_t73_a_site_s_own_words_stay_text_on_the_page() -> None:
    about = content().about.model_copy(update={"developer": "<script>alert(1)</script> & sons"})
    page = Page(About.of(replace(content(), about=about)).page.decode())
    assert "script" not in page.tags
    assert "<script>alert(1)</script> & sons" in page.words


def test_head_has_no_body_and_other_methods_are_refused_like_elsewhere(client: FlaskClient) -> None:
    assert (client.head("/about").status_code, client.head("/about").data) == (200, b"")
    refused = client.post("/about", json={})
    assert (refused.status_code, refused.mimetype) == (405, "application/problem+json")
    assert {"GET", "HEAD"} <= set(refused.headers["Allow"].split(", "))
    assert client.get("/about/").status_code == 200


# --- what is said of patient data is what is read ---------------------------------------------------------------------

DEMOGRAPHICS = {
    "gender": "female",
    "communication": [{"language": {"text": "Welsh"}, "preferred": True}],
    "maritalStatus": {"text": "married"},
    "address": [{"postalCode": "00000"}],
    "extension": [
        {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-race", "extension": []},
        {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-ethnicity", "extension": []},
        {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-sex", "valueCode": "x"},
        {"url": "http://hl7.org/fhir/us/core/StructureDefinition/us-core-genderIdentity"},
    ],
}


OF_ANY_RESOURCE = {"resourceType", "id", "meta", "subject", "patient", "link", "implicitRules", "modifierExtension"}
OF_ANY_RESOURCE |= {"medicationReference", *MAY_BE_MODIFIED}
"""Looked at in every resource: whose it is, which version, what it refers to, whether it may be read as it stands."""


class Watched(dict[str, Any]):
    """A resource that notes which of its members are looked at."""

    def __init__(self, members: Json) -> None:
        super().__init__(members)
        self.looked_at: set[str] = set()

    def get(self, key: str, default: Any = None) -> Any:
        self.looked_at.add(key)
        return super().get(key, default)

    def __contains__(self, key: object) -> bool:
        self.looked_at.add(str(key))
        return super().__contains__(key)

    def __getitem__(self, key: str) -> Any:
        self.looked_at.add(key)
        return super().__getitem__(key)


def patient_in(filled: Json) -> Json:
    found = filled["patient"]
    return found if found["resourceType"] == "Patient" else found["entry"][0]["resource"]


def test_of_the_patient_only_identity_and_birth_date_are_looked_at(filled: Json, knowledge: Knowledge) -> None:
    call = exact(hook_call(PATIENT, prefetch=filled))
    call["prefetch"]["patient"] = watched = Watched(patient_in(call["prefetch"]) | DEMOGRAPHICS)
    with ThreadPoolExecutor(1) as executor:
        access = Access(connections=Connections(), executor=executor, allow_list=(), deadline_seconds=1.0)
        assert service("crs-patient-view").answer(call, "crs-patient-view", knowledge, access, NOW).response["cards"]
    assert watched.looked_at - OF_ANY_RESOURCE == {"birthDate"}


def test_an_answer_is_the_same_whatever_else_is_charted_of_the_person(client: FlaskClient, filled: Json) -> None:
    plain = answer(client, prefetch=filled)
    patient_in(filled).update(DEMOGRAPHICS)
    assert answer(client, prefetch=filled) == plain
    assert plain["cards"]


def test_an_answer_is_another_without_the_date_of_birth(client: FlaskClient, filled: Json) -> None:
    plain = answer(client, prefetch=filled)
    del patient_in(filled)["birthDate"]
    assert answer(client, prefetch=filled) != plain


SOCIAL = re.compile(r"Z(5[5-9]|6[0-5])(\..*)?")
OF_THE_PERSON = {"76690-7", "76691-5", "46098-0", "32624-9", "69490-1", "72166-2", "82810-3", "71802-3"}
"""LOINC of sexual orientation, gender identity, sex, race, ethnicity, smoking, pregnancy, housing."""


def test_no_value_set_asks_for_social_determinants_or_for_the_person(knowledge: Knowledge) -> None:
    codes = {code.code for values in knowledge.content.value_sets.values() for code in values.codes}
    assert not [code for code in codes if SOCIAL.fullmatch(code)]
    assert not codes & OF_THE_PERSON


def test_the_assessments_that_are_read_are_the_ones_that_are_named(told: Json, knowledge: Knowledge) -> None:
    scores = {meaning.id for meaning in knowledge.content.value_sets["scores"].meanings}
    assert scores == {"ice-score", "capd-score", "crs-grade"}
    use = told["sourceAttributes"]["dataUse"][-1]
    assert use["used"]
    assert "ICE and CAPD" in use["how"]


# --- the link on cards ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("public_url", "link"),
    [
        (None, None),
        ("https://cds.example", "https://cds.example/about"),
        ("https://cds.example/crs/", "https://cds.example/crs/about"),
    ],
)
def test_t77_cards_link_to_the_page_where_a_public_url_is_set(
    filled: Json, public_url: str | None, link: str | None
) -> None:
    settings = Settings(auth="off", public_url=public_url)
    app = create_app(settings, knowledge_of(settings), lambda: NOW)
    cards = answer(app.test_client(), prefetch=filled)["cards"]
    app.extensions["crs-cds"].close()
    assert [card["source"].get("url") for card in cards] == [link] * len(cards)
    assert cards

"""GET /report: the same figures as a page, as JSON and as CSV, for people who read no SQL."""

import csv
import re
import subprocess
import sys
from io import StringIO
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree

import pytest
from flask.testing import FlaskClient

from cds_service.store.records import Reason, Response
from tests.contract.test_about import BROWSER, Page
from tests.contract.test_feedback import memory
from tests.records import answer, card, said

HOSTILE = "=cmd|'/c calc'!A1 <script>alert(1)</script> $x$"
Json = dict[str, Any]


@pytest.fixture
def busy(client: FlaskClient) -> FlaskClient:
    """An application with two answers, one accepted card and one that was overridden."""
    store = memory(client).store
    store.add_answer(answer(card("a"), card("b", topic="grade")))
    store.add_answer(answer(card("c"), hook="order-sign", grade=3, patient="another"))
    reason = Reason(code="x", system="urn:s", display=HOSTILE)
    store.add_feedback([said(Response.ACCEPTED, "a"), said(Response.OVERRIDDEN, "c", reasons=(reason,))])
    return client


@pytest.fixture
def told(busy: FlaskClient) -> Json:
    found: Json = busy.get("/report?format=json").get_json()
    return found


@pytest.fixture
def page(busy: FlaskClient) -> str:
    return busy.get("/report", headers={"Accept": BROWSER}).text


@pytest.mark.parametrize(
    ("query", "accept", "kind"),
    [
        ("", None, "text/html"),
        ("", BROWSER, "text/html"),
        ("", "application/json", "application/json"),
        ("", "text/csv", "text/csv"),
        ("", "image/png", "text/html"),
        ("?format=json", BROWSER, "application/json"),
        ("?format=csv", "application/json", "text/csv"),
        ("?format=html", "application/json", "text/html"),
    ],
)
def test_the_form_is_what_was_asked_for(client: FlaskClient, query: str, accept: str | None, kind: str) -> None:
    found = client.get(f"/report{query}", headers={"Accept": accept} if accept else {})
    assert (found.status_code, found.mimetype) == (200, kind)
    assert "Accept" in found.headers["Vary"]
    assert found.headers["Cache-Control"] == "no-store"


def test_json_names_the_time_and_every_figure(told: Json) -> None:
    assert (told["from"], told["until"]) == ("2026-10-24T00:00:00+00:00", "2026-11-23T00:00:00+00:00")
    assert list(told)[2:] == ["summary", "answers", "topics", "reasons", "protocols", "times", "days"]
    assert told["topics"] == [
        {"topic": "grade", "shown": 1, "accepted": 0, "overridden": 0, "withoutFeedback": 1, "suppressed": 0},
        {"topic": "treatment", "shown": 2, "accepted": 1, "overridden": 1, "withoutFeedback": 0, "suppressed": 0},
    ]
    assert told["days"] == [{"day": "2026-11-22", "patients": 2, "shown": 3, "perPatientDay": 1.5}]


def test_t74_csv_has_one_number_a_row_and_no_formula(busy: FlaskClient, told: Json) -> None:
    rows = list(csv.reader(StringIO(busy.get("/report?format=csv").text)))
    assert rows[0] == ["table", "of", "figure", "value"]
    assert ["topics", "treatment", "accepted", "1"] in rows
    assert ["answers", "order-sign, grade 3", "answers", "1"] in rows
    assert len({tuple(row[:3]) for row in rows}) == len(rows)
    assert not [cell for row in rows for cell in row if cell.startswith(("=", "+", "-", "@"))]


def test_page_and_json_say_the_same(page: str, told: Json) -> None:
    words = Page(page).words
    for table in list(told.values())[2:]:
        for row in table:
            assert all(str(cell) in words for cell in row.values()), row


def test_t73_the_page_loads_nothing_runs_nothing_and_is_built_for_reading(page: str) -> None:
    read = Page(page)
    assert read.elements[0] == ("html", {"lang": "en"})
    assert read.tags.count("h1") == read.tags.count("main") == 1
    headings = [int(tag[1]) for tag in read.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(read.tags)
    assert read.tags.count("style") == 1
    assert not {name for _, values in read.elements for name in values if name.startswith("on") or name == "style"}
    assert "prefers-color-scheme: dark" in read.words
    tables = read.tags.count("table")
    assert read.tags.count("caption") == tables == 7
    assert {scope for tag, values in read.elements if tag == "th" for scope in [values["scope"]]} == {"col", "row"}


def test_each_plot_has_a_name_ids_of_its_own_and_the_colours_of_the_page(page: str) -> None:
    plots = [ElementTree.fromstring(svg) for svg in re.findall(r"<svg.*?</svg>", page, re.DOTALL)]  # noqa: S314
    assert len(plots) == 3
    ids = re.findall(r' id="([^"]+)"', page)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', page)) <= set(ids)
    for plot in plots:
        assert (plot.get("role"), plot.get("viewBox") is not None) == ("img", True)
        assert len(str(plot.get("aria-label"))) > 20
        texts = list(plot.iter("{http://www.w3.org/2000/svg}text"))
        assert texts
        assert {text.get("fill") for text in texts} == {"currentColor"}
        assert all(text.get("font-size") for text in texts)
    assert "#010203" not in page


def test_t73_the_policy_lets_the_style_sheet_in_and_nothing_else(busy: FlaskClient) -> None:
    found, about = (busy.get(path, headers={"Accept": BROWSER}).headers for path in ("/report", "/about"))
    assert found["Content-Security-Policy"] == about["Content-Security-Policy"]
    assert "unsafe" not in found["Content-Security-Policy"]


def test_t73_t81_a_reason_that_a_client_sent_stays_text(page: str) -> None:
    read = Page(page)
    assert "script" not in read.tags
    assert HOSTILE in read.words


def test_nobody_is_in_the_report(busy: FlaskClient) -> None:
    for kind in ("html", "json", "csv"):
        assert "pseudonym-of-a-patient" not in busy.get(f"/report?format={kind}").text


def test_without_answers_the_page_says_so_and_draws_nothing(client: FlaskClient) -> None:
    text = client.get("/report").text
    assert "None in this time." in text
    assert "<svg" not in text


def test_days_may_be_named(busy: FlaskClient) -> None:
    def answers(query: str) -> int:
        found: int = busy.get(f"/report?format=json&{query}").get_json()["summary"][0]["value"]
        return found

    assert answers("from=2026-11-22&to=2026-11-22") == 2
    assert answers("from=2026-11-01&to=2026-11-21") == 0


@pytest.mark.parametrize(
    ("query", "words"),
    [
        ("from=yesterday", "from: write a day"),
        ("to=2026-02-30", "to: write a day"),
        ("from=2026-11-23&to=2026-11-22", "2026-11-23 is after 2026-11-22"),
        ("format=pdf", "format: "),
    ],
)
def test_a_query_that_is_none_is_400_and_says_what_to_write(client: FlaskClient, query: str, words: str) -> None:
    found = client.get(f"/report?{query}")
    assert (found.status_code, found.mimetype) == (400, "application/problem+json")
    assert words in found.get_json()["detail"]


def test_matplotlib_is_not_loaded_to_serve() -> None:
    loads = "import sys, cds_service.web.app, cds_service.web.report; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loads], check=False).returncode == 0

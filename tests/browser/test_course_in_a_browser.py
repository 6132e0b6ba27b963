"""The CRS course in a real browser, opened by a SMART launch through an EHR's authorization server."""

import re
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.answers import PATIENT
from tests.server import HOST, Fhir, Service, free_port, service_process
from tests.smart import CLIENT, Ehr, ehr, written

Opened = Callable[..., Page]
HOSTILE = "<img src=x onerror=alert(1)><script>alert(2)</script>"
_PAGES_OF_PDF = re.compile(rb"/Type\s*/Page\b")


@pytest.fixture(scope="module")
def hospital(chromium: Browser, story_server: Fhir) -> Iterator[Ehr]:
    """An EHR with every story, whose user looks at the chart of a patient. None where there is no browser."""
    with ehr(story_server.repository, patient=PATIENT) as running:
        yield running


@pytest.fixture(scope="module")
def service(hospital: Ehr, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Service]:
    """The service, registered at that EHR."""
    folder, port = tmp_path_factory.mktemp("course"), free_port()
    base = f"http://{HOST}:{port}"
    hospital.redirect_uris.append(f"{base}/smart/callback")
    file = written(folder, {"id": "hospital", "iss": hospital.base, "client_id": CLIENT})
    settings = {"CRS_CDS_PUBLIC_URL": base, "CRS_CDS_SMART_REGISTRATIONS": str(file)}
    with service_process(folder / "log", hospital.base, port=port, **settings) as running:
        yield running


@pytest.fixture
def course(opened: Opened, service: Service, hospital: Ehr) -> Callable[..., Page]:
    """Opens the app from the chart as the EHR does; its user is signed in already."""

    def open_course(**options: Any) -> Page:
        address = f"{service.base}/smart/launch?iss={hospital.base}&launch={hospital.new_launch()}"
        return opened(address, **options)

    return open_course


def test_a_launch_from_the_chart_shows_the_course_of_its_patient(course: Callable[..., Page], service: Service) -> None:
    page = course()
    expect(page.get_by_role("heading", level=1)).to_contain_text("CRS course: ")
    expect(page.locator("main")).to_contain_text("Grade 3 at")
    assert page.url.startswith(f"{service.base}/smart/callback?")
    picture = page.locator("figure svg")
    expect(picture).to_be_visible()
    for words in ("temperature", "SpO2", "norepinephrine", "CRS grade"):
        expect(picture).to_contain_text(words)


@pytest.mark.parametrize("width", [1280, 810], ids=["screen", "tablet"])
def test_the_picture_fits_the_width_of_a_screen_and_of_a_tablet(course: Callable[..., Page], width: int) -> None:
    page = course(viewport={"width": width, "height": 720})
    box = page.locator("figure svg").bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= width
    assert page.evaluate("document.documentElement.scrollWidth <= document.documentElement.clientWidth")


def test_each_mark_is_reached_by_keyboard_and_says_its_value_source_and_rule(course: Callable[..., Page]) -> None:
    page = course()
    marks = page.locator("figure svg [tabindex='0']")
    page.keyboard.press("Tab")
    expect(page.get_by_role("link", name="To the table of the same data")).to_be_focused()
    page.keyboard.press("Tab")
    expect(marks.first).to_be_focused()
    titles = [str(title) for title in marks.locator("> title").all_text_contents()]
    assert len(titles) == marks.count() > 20
    [temperature] = [title for title in titles if title.startswith("temperature 39.5 °C")]
    assert "Observation/" in temperature
    assert any("norepinephrine" in title and "MedicationAdministration/" in title for title in titles)
    assert any(title.startswith("CRS grade 3") and "S-GRADE-3a" in title for title in titles)


def test_the_table_says_what_the_picture_shows(course: Callable[..., Page]) -> None:
    page = course()
    page.get_by_role("link", name="To the table of the same data").focus()
    page.keyboard.press("Enter")
    table = page.get_by_role("table")
    for heading in ("Time", "What", "Value", "Rule or remark", "Source"):
        expect(table.get_by_role("columnheader", name=heading)).to_be_visible()
    expect(table.get_by_role("cell", name="39.5 °C", exact=True)).to_be_visible()


def test_the_course_prints_on_one_page(course: Callable[..., Page]) -> None:
    printed = course().pdf(prefer_css_page_size=True, print_background=True)
    assert len(_PAGES_OF_PDF.findall(printed)) == 1


def test_a_dark_screen_shows_light_words_and_marks(course: Callable[..., Page]) -> None:
    ink = "getComputedStyle(document.querySelector('figure svg text')).fill"
    light, dark = (course(color_scheme=scheme).evaluate(ink) for scheme in ("light", "dark"))
    assert sum(_rgb(light)) < 150
    assert sum(_rgb(dark)) > 600


def _rgb(colour: str) -> list[int]:
    return [int(part) for part in re.findall(r"\d+", colour)[:3]]


def test_a_page_that_is_loaded_again_says_why_it_is_gone_and_opens_another(
    course: Callable[..., Page], troubles: list[str]
) -> None:
    page = course()
    page.reload()
    expect(page.locator("main")).to_contain_text("used before")
    page.get_by_role("link").click()
    expect(page.locator("main")).to_contain_text("Grade 3 at")
    assert [said for said in troubles if "400" not in said] == []
    troubles.clear()


def test_a_hostile_name_of_the_patient_is_shown_as_text(course: Callable[..., Page], story_server: Fhir) -> None:
    before = story_server.repository.read("Patient", PATIENT)
    story_server.repository.update({**before, "name": [{"family": HOSTILE}]})
    try:
        page = course()
        expect(page.get_by_role("heading", level=1)).to_contain_text(HOSTILE)
        assert page.locator("main img, main script").count() == 0
    finally:
        story_server.repository.update(before)

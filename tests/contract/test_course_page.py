"""The CRS course: everything that is charted is in the picture and in the table, and nothing of it acts."""

import re
import subprocess
import sys
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import UTC, datetime
from decimal import Decimal
from itertools import pairwise
from typing import Any
from xml.etree import ElementTree
from zoneinfo import ZoneInfo

import pytest

from cds_service.cli.grade import bundle_call
from cds_service.crs.grading import assess
from cds_service.crs.timeline import Culture, Fact, Gap, MeanPressure, Timeline
from cds_service.fhir.client import Connections
from cds_service.fhir.stories import load_story, shifted, story_names
from cds_service.hooks.call import HookCall, read_call
from cds_service.hooks.evaluate import Access, Reading, evaluated
from cds_service.hooks.knowledge import Knowledge
from cds_service.plots.course import course_file, course_svg
from cds_service.plots.flowsheet import Flowsheet
from cds_service.web.course import course_page
from tests.contract.test_about import Page
from tests.server import NOW as TODAY
from tests.server import STORIES
from tests.spec.patients import (
    NOW,
    SCALE,
    ago,
    diagnosis,
    drug,
    febrile,
    infusion,
    known_since,
    oxygen,
    patient,
    pressure,
    room_air,
    saturation,
    temperature,
    therapy,
    unread,
)

SVG = "{http://www.w3.org/2000/svg}"
BERLIN = ZoneInfo("Europe/Berlin")
HOSTILE = '<script>alert(1)</script> & "$x$"'
EVERY_KIND: tuple[Fact, ...] = (
    *(fact for when in ("9 h", "5 h", "2 h") for fact in (temperature("38.9", when), saturation(94, when))),
    *(pressure(systolic, when) for systolic, when in ((118, "9 h"), (84, "6 h"), (96, "2 h"))),
    room_air("9 h"),
    oxygen("nasal-cannula", "3", "6 h"),
    oxygen("simple-mask", "8", "3 h"),
    infusion("norepinephrine", "5 h"),
    infusion("dobutamine", "4 h", "1 h"),
    drug("tocilizumab", "4 h", "3 h"),
    drug("dexamethasone", "3 h"),
    drug("acetaminophen", "8 h"),
    therapy("axi-cel", "2 d"),
)


def everything() -> Timeline:
    """A patient of whom each kind that is drawn is charted."""
    mean = MeanPressure(time=ago("6 h"), reference="Observation/mean", mmhg=Decimal(58))
    cultures = [
        Culture(time=ago(when), reference=f"ServiceRequest/{step}", step=step) for when, step in (("7 h", "drawn"),)
    ]
    return replace(patient(*EVERY_KIND), means=(mean,), cultures=tuple(cultures))


def sheet_of(timeline: Timeline, **changes: Any) -> Flowsheet:
    return Flowsheet.of(timeline, replace(SCALE, **changes), BERLIN, NOW)


def drawn(timeline: Timeline, **changes: Any) -> ElementTree.Element:
    return ElementTree.fromstring(course_svg(sheet_of(timeline, **changes)))  # noqa: S314


def titles(root: ElementTree.Element) -> list[str]:
    return [str(title.text) for title in root.iter(f"{SVG}title")]


def words(root: ElementTree.Element) -> list[str]:
    return ["".join(text.itertext()) for text in root.iter(f"{SVG}text")]


def page_of(timeline: Timeline, who: str = "") -> Page:
    return Page(course_page(told(timeline), SCALE, BERLIN, NOW, who=who).decode())


def told(timeline: Timeline) -> Any:
    """What a page needs of a reading."""

    class Told:
        def __init__(self) -> None:
            self.timeline, self.assessment = timeline, assess(timeline, SCALE, NOW)

    return Told()


def story(name: str, knowledge: Knowledge) -> Reading:
    call = bundle_call(shifted(load_story(STORIES, name).bundle, TODAY), None, knowledge)
    with ThreadPoolExecutor(1) as executor:
        access = Access(connections=Connections(), executor=executor, allow_list=(), deadline_seconds=60)
        with evaluated(read_call(call, "patient-view", HookCall).question, knowledge, access, TODAY) as reading:
            return reading


@pytest.mark.parametrize("name", story_names(STORIES))
def test_t73_every_story_is_drawn_on_a_page_that_loads_and_runs_nothing(name: str, knowledge: Knowledge) -> None:
    reading = story(name, knowledge)
    html = course_page(reading, knowledge.content.scale, BERLIN, TODAY, who=name).decode()
    page = Page(html)
    assert page.elements[0] == ("html", {"lang": "en"})
    assert page.tags.count("h1") == page.tags.count("main") == page.tags.count("table") == page.tags.count("style") == 1
    headings = [int(tag[1]) for tag in page.tags if re.fullmatch("h[1-6]", tag)]
    assert all(after - before <= 1 for before, after in pairwise(headings))
    assert not {"script", "link", "img", "iframe", "object", "form"} & set(page.tags)
    assert not {key for _, values in page.elements for key in values if key.startswith("on") or key == "style"}
    assert {str(values["scope"]) for tag, values in page.elements if tag == "th"} == {"col", "row"}
    assert not [address for address in re.findall(r'(?:href|src)="([^"]*)"', html) if not address.startswith("#")]
    ids = re.findall(r' id="([^"]+)"', html)
    assert len(set(ids)) == len(ids)
    assert set(re.findall(r'(?:url\(#|href="#)([^)"]+)', html)) <= set(ids)
    assert "#010203" not in html
    for fact in (*reading.timeline.temperatures, *reading.timeline.pressures, *reading.timeline.oxygen):
        assert fact.reference in page.words


def test_each_reading_drug_and_step_is_a_mark_with_its_value_source_and_rule_for_pointer_and_keyboard() -> None:
    timeline, root = everything(), drawn(everything())
    sheet = sheet_of(timeline)
    kinds = ("temperatures", "pressures", "means", "saturations", "vasoactives", "therapies", "drugs", "cultures")
    expected = [sheet.title(sheet.entry(fact)) for kind in kinds for fact in getattr(timeline, kind)]
    expected += [sheet.title(sheet.step(step)) for step in sheet.trajectory.steps if step.until >= sheet.begins]
    assert set(expected) <= set(titles(root))
    (low,) = [title for title in titles(root) if "84 mmHg" in title]
    assert low == (
        "blood pressure 84 mmHg; 15 Jan 07:00; hypotension: systolic below 90 mmHg, no vasopressor (S-GRADE-2a); "
        "Observation/p-6 h"
    )
    marks = [group for group in root.iter(f"{SVG}g") if group.find(f"{SVG}title") is not None]
    assert {(mark.get("role"), mark.get("tabindex")) for mark in marks} == {("img", "0")}
    lines_above = [text for text in root.iter(f"{SVG}text") if text.get("class") == "said"]
    assert sorted(str(text.text) for text in lines_above) == sorted(titles(root)), "shown while its mark has the focus"
    assert {text.get("aria-hidden") for text in lines_above} == {"true"}, "and not said twice"
    assert (root.get("role"), "now grade 3" in str(root.get("aria-label"))) == ("group", True)


def test_the_table_says_what_the_marks_say() -> None:
    page, sheet = page_of(everything()), sheet_of(everything())
    for entry in sheet.entries:
        for said in (entry.what, entry.value, entry.reference, sheet.span(entry), *entry.remarks):
            assert said in page.words
    times = [entry.time for entry in sheet.entries]
    assert times == sorted(times, reverse=True)


def lines(root: ElementTree.Element, colour: str) -> int:
    """How many pieces of line join readings of a colour."""
    paths = [
        path for path in root.iter(f"{SVG}path") if path.get("stroke") == colour and not path.get("stroke-opacity")
    ]
    curves = [str(path.get("d")) for path in paths if path.get("stroke-width", "").startswith("1.1")]
    return sum(curve.count("L") for curve in curves)


@pytest.mark.parametrize(("apart", "joined"), [("3 h 59 min", 1), ("4 h", 1), ("4 h 1 min", 0)])
def test_a_line_breaks_where_readings_are_further_apart_than_one_counts(apart: str, joined: int) -> None:
    root = drawn(patient(temperature("39.0"), pressure(118, apart), pressure(112, "0 min")))
    assert lines(root, "#0072b2") == joined


def test_thresholds_are_those_of_the_scale_and_of_the_age() -> None:
    grown = words(drawn(everything(), fever=Decimal("38.5"), hypoxia_saturation=Decimal(92)))
    assert {"fever ≥ 38.5", "low < 90", "low < 92", "high > 6"} <= set(grown)
    child = words(drawn(replace(everything(), birth_date=NOW.date().replace(year=NOW.year - 4))))
    assert "low < 78" in child


def at_the_end(timeline: Timeline) -> str:
    """What stands at the end of the band of grades."""
    said = words(drawn(timeline))
    return " ".join(said[said.index("now:") + 1 :]).partition(" CRS")[0]


def test_n_13_unknown_is_shown_as_unknown_and_a_floor_as_one() -> None:
    assert at_the_end(patient()) == "not known"
    floor = patient(temperature("39.0", "1 h"))
    assert at_the_end(floor) == "≥1"
    assert any("grade 1 or higher, provisional" in title for title in titles(drawn(floor)))
    assert at_the_end(febrile()) == "1"
    assert at_the_end(febrile(pressure(118), saturation(80))) == "2?"


def test_c20_a_device_that_is_not_counted_is_named_and_never_drawn_as_no_oxygen() -> None:
    root = drawn(febrile(oxygen("cpap"), diagnosis("home-positive-pressure")))
    assert "CPAP, not counted" in words(root)
    assert "no oxygen" not in words(root)
    assert any("home-positive-pressure is charted" in title for title in titles(root))


def test_t45_what_could_not_be_read_is_said_where_it_would_stand() -> None:
    gaps = known_since("3 h", "vasoactives") | unread("saturations") | {"drugs": Gap("late", ago("10 d"))}
    said = words(drawn(replace(patient(temperature("39.0"), therapy("axi-cel", "2 d")), gaps=gaps)))
    assert {"not all known before 15 Jan 10:00", "not all known", "none in what could be read", "none charted"} <= set(
        said
    )
    assert said.count("not all known") == 1
    page = page_of(replace(patient(temperature("39.0")), gaps=gaps))
    assert "the EHR did not answer" in page.words


def test_of_nobody_with_a_t_cell_therapy_it_is_said_that_nothing_was_read() -> None:
    timeline = replace(patient(), therapies=())
    assert "not read: no T-cell therapy within its time" in words(drawn(timeline))
    assert "Nothing is missing" not in page_of(timeline).words


@pytest.mark.parametrize(
    ("timeline", "hours"),
    [
        (patient(therapy("axi-cel", "0 min")), 12),
        (patient(therapy("axi-cel", "5 d"), temperature("39.0", "30 h")), 42),
        (patient(therapy("axi-cel", "5 d"), temperature("39.0", "6 d"), temperature("39.0", "119 h")), 120),
        (replace(patient(temperature("39.0", "30 h")), therapies=()), 42),
    ],
    ids=["a therapy just now", "readings long after it", "readings before and after it", "no therapy"],
)
def test_the_picture_begins_with_the_therapy_or_shortly_before_the_readings(timeline: Timeline, hours: int) -> None:
    sheet = sheet_of(timeline)
    assert (NOW - sheet.begins).total_seconds() == hours * 3600
    assert course_svg(sheet)


def test_times_are_those_of_the_site_and_their_zone_is_named() -> None:
    said = words(drawn(everything()))
    assert "time in Europe/Berlin (UTC+01:00); the line at the right is now, 15 Jan 13:00" in said
    elsewhere = Flowsheet.of(everything(), SCALE, UTC, NOW)
    assert (elsewhere.zone_words, elsewhere.when(datetime(2026, 1, 5, 7, 5, tzinfo=BERLIN))) == (
        "UTC+00:00",
        "5 Jan 06:05",
    )


def test_t72_t73_names_of_the_record_stay_text() -> None:
    hostile = replace(therapy("axi-cel", "1 d"), product=HOSTILE, reference=f"Procedure/{HOSTILE}")
    facts: list[Fact] = [
        hostile,
        replace(drug("tocilizumab", "5 h"), agent=HOSTILE, name=HOSTILE),
        oxygen(HOSTILE, when="2 h"),
    ]
    facts += [replace(infusion("norepinephrine"), agent=HOSTILE, rate=HOSTILE), temperature("39.0"), pressure(80)]
    timeline = patient(*facts)
    page = page_of(timeline, who=HOSTILE)
    assert "script" not in page.tags
    assert page.words.count(HOSTILE) > 8
    assert HOSTILE in "".join(titles(drawn(timeline)))
    for kind in ("svg", "png"):
        assert course_file(sheet_of(timeline), kind, HOSTILE)


def test_a_picture_of_its_own_is_on_white_with_its_title_and_what_is_missing() -> None:
    sheet = sheet_of(patient(temperature("39.0", "1 h")))
    root = ElementTree.fromstring(course_file(sheet, "svg", "Patient/a"))  # noqa: S314
    said = words(root)
    title = "CRS course of Patient/a: grade 1 or higher, provisional at 15 Jan 13:00. ASTCT 2019."
    assert f"{title} For review by a clinician." in said
    assert any(line.startswith("Missing or in doubt now: blood pressure in the last 4 h") for line in said)
    assert "currentColor" not in ElementTree.tostring(root, encoding="unicode")
    assert course_file(sheet, "png")[:8] == b"\x89PNG\r\n\x1a\n"
    assert course_file(sheet, "svg") == course_file(sheet, "svg"), "the same record, the same bytes"


def test_matplotlib_is_not_loaded_before_a_picture_is_asked_for() -> None:
    loads = "import sys, cds_service.web.course, cds_service.cli.course; sys.exit('matplotlib' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", loads], check=False).returncode == 0

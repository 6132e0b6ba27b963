"""A story's dates move together to the present, and nothing that merely looks like a date moves with them."""

import json
from copy import deepcopy
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from cds_service.errors import InvalidInput
from cds_service.fhir.stories import Story, load_story, shifted, story_names

ANCHOR = "2026-01-10T12:00:00Z"
LATER = datetime(2026, 1, 13, 11, 30, 0, 999_999, tzinfo=UTC)  # 2 days, 23 hours and 30 minutes after the anchor


def moved(value: Any, now: datetime = LATER, name: str = "effectiveDateTime") -> Any:
    """What becomes of an element of a resource in a story anchored at ANCHOR."""
    entry = {"resource": {"resourceType": "Observation", name: value}}
    return shifted({"resourceType": "Bundle", "timestamp": ANCHOR, "entry": [entry]}, now)["entry"][0]["resource"][name]


@pytest.mark.parametrize(
    ("written", "told"),
    [
        pytest.param("2026-01-10T12:00:00Z", "2026-01-13T11:30:00Z", id="the anchor itself"),
        pytest.param("2026-01-10T07:15:30Z", "2026-01-13T06:45:30Z", id="seconds are kept"),
        pytest.param("2026-01-10T23:00:00+05:30", "2026-01-13T22:30:00+05:30", id="the offset is kept"),
        pytest.param("2025-12-31T23:59:59-08:00", "2026-01-03T23:29:59-08:00", id="over the end of a year"),
        pytest.param("2026-01-10T12:00:00.250Z", "2026-01-13T11:30:00.250Z", id="a fraction is kept"),
        pytest.param("2026-01-10T12:00:00+00:00", "2026-01-13T11:30:00+00:00", id="UTC as it was written"),
        pytest.param("2026-02-27", "2026-03-01", id="a date by whole days, rounded down"),
        pytest.param("1961-05-04", "1961-05-06", id="a birth date"),
    ],
)
def test_a_date_moves_as_far_as_the_anchor_does(written: str, told: str) -> None:
    assert moved(written) == told


def test_a_date_moves_back_by_whole_days_rounded_down() -> None:
    an_hour_before = datetime(2026, 1, 10, 11, tzinfo=UTC)
    assert moved("2026-01-10", an_hour_before) == "2026-01-09"
    assert moved("2026-01-10T00:30:00Z", an_hour_before) == "2026-01-09T23:30:00Z"


def test_now_in_another_zone_is_the_same_instant() -> None:
    assert moved("2026-01-10T12:00:00Z", LATER.astimezone(timezone(timedelta(hours=9)))) == "2026-01-13T11:30:00Z"


@pytest.mark.parametrize(
    "text",
    [
        "8310-5",
        "2026",
        "2026-01",
        "2026-01-10T12:00",
        "2026-01-10T12:00:00",
        "2026-01-10T12:00Z",
        "2026-02-30",
        "2026-13-01",
        "2026-01-10T12:00:61Z",
        "2026-01-10T25:00:00Z",
        " 2026-01-10",
        "2026-01-10\n",
        "seen on 2026-01-10",
        "2026-01-10/2026-01-11",
        "2026-01-10T12:00:00Z/2026-01-10T13:00:00Z",
        "٢٠٢٦-٠١-١٠",
        "20260110",
        "9999-12-31",
        "9999-12-31T23:59:59Z",
        "",
    ],
)
def test_what_is_not_wholly_a_date_stays(text: str) -> None:
    assert moved(text) == text


@pytest.mark.parametrize("name", ["id", "reference", "code", "system", "value", "url", "fullUrl", "versionId"])
def test_ids_references_and_codes_stay_even_when_they_read_as_dates(name: str) -> None:
    assert moved("2026-01-10", name=name) == "2026-01-10"
    assert moved({"coding": [{name: "2026-01-10", "userSelected": True}]})["coding"][0][name] == "2026-01-10"


@pytest.mark.parametrize("value", [38.9, 20260110, True, None])
def test_numbers_truth_and_nothing_stay(value: object) -> None:
    assert moved(value) is value


def test_dates_move_at_any_depth_in_lists_and_extensions_and_in_the_timestamp() -> None:
    story = {
        "resourceType": "Bundle",
        "timestamp": ANCHOR,
        "entry": [
            {
                "fullUrl": "urn:uuid:1",
                "resource": {
                    "code": {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]},
                    "timing": {"event": ["2026-01-10T12:00:00Z", "2026-01-11"]},
                    "value": {"extension": [{"url": "urn:x", "valueDateTime": "2026-01-10T12:00:00Z"}]},
                },
            }
        ],
    }
    told = shifted(story, LATER)
    assert told["timestamp"] == "2026-01-13T11:30:00Z"
    resource = told["entry"][0]["resource"]
    assert resource["timing"] == {"event": ["2026-01-13T11:30:00Z", "2026-01-13"]}
    assert resource["value"]["extension"][0] == {"url": "urn:x", "valueDateTime": "2026-01-13T11:30:00Z"}
    assert resource["code"] == {"coding": [{"system": "http://loinc.org", "code": "8310-5"}]}


def test_the_story_as_written_is_not_changed() -> None:
    story = {"resourceType": "Bundle", "timestamp": ANCHOR, "entry": [{"resource": {"birthDate": "1961-05-04"}}]}
    before = deepcopy(story)
    shifted(story, LATER)["entry"][0]["resource"]["birthDate"] = "changed"
    assert story == before


@given(
    now=st.floats(946_684_800, 4_102_444_800).map(lambda seconds: datetime.fromtimestamp(seconds, UTC)),
    minutes=st.integers(-500_000, 500_000),
)
def test_a_reading_is_as_old_on_any_day_as_it_was_at_the_anchor(now: datetime, minutes: int) -> None:
    written = datetime.fromisoformat(ANCHOR) + timedelta(minutes=minutes)
    told = datetime.fromisoformat(moved(written.isoformat(), now))
    assert told - now.replace(microsecond=0) == timedelta(minutes=minutes)


@given(first=st.integers(-5000, 5000), second=st.integers(-5000, 5000))
def test_a_story_told_twice_is_told_as_at_the_second_time(first: int, second: int) -> None:
    story = {"timestamp": ANCHOR, "entry": [{"resource": {"issued": "2026-01-09T08:00:00+01:00"}}]}
    once, then = (datetime.fromisoformat(ANCHOR) + timedelta(hours=hours) for hours in (first, second))
    assert shifted(shifted(story, once), then) == shifted(story, then)


@pytest.mark.parametrize("timestamp", [None, 5, "2026-01-10", "2026-01-10T12:00:00", "2026-02-30T12:00:00Z", "noon"])
def test_a_story_without_an_anchor_instant_is_refused(timestamp: object) -> None:
    with pytest.raises(InvalidInput, match="needs a timestamp"):
        shifted({"resourceType": "Bundle", "timestamp": timestamp}, LATER)


def written_story(folder: Path, name: str, bundle: object = None, expect: str = 'story = "Ada has a fever."') -> Path:
    story = folder / name
    story.mkdir()
    bundle = {"resourceType": "Bundle", "timestamp": ANCHOR} if bundle is None else bundle
    (story / "bundle.json").write_text(json.dumps(bundle), encoding="utf-8")
    (story / "expect.toml").write_text(expect, encoding="utf-8")
    return story


def test_a_story_is_read_from_its_folder_with_its_dates_as_written(tmp_path: Path) -> None:
    written_story(tmp_path, "fever", expect='story = "Ada’s fever."\n[assessment]\ngrade = 1\n')
    assert load_story(tmp_path, "fever") == Story(
        name="fever",
        sentence="Ada’s fever.",
        expect={"assessment": {"grade": 1}},
        bundle={"resourceType": "Bundle", "timestamp": ANCHOR},
    )


def test_the_names_of_the_stories_are_the_folders_in_order(tmp_path: Path) -> None:
    for name in ("hypoxia", "fever", ".hidden", "__pycache__"):
        (tmp_path / name).mkdir()
    (tmp_path / "README.md").touch()
    assert story_names(tmp_path) == ["fever", "hypoxia"]


def test_a_folder_of_stories_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidInput, match="cannot be read"):
        story_names(tmp_path / "nowhere")


@pytest.mark.parametrize("name", ["sepsis", "../secrets", "", "."])
def test_a_story_that_is_not_there_is_refused_with_the_names_of_those_that_are(tmp_path: Path, name: str) -> None:
    written_story(tmp_path, "fever")
    with pytest.raises(InvalidInput, match="only: fever"):
        load_story(tmp_path, name)


@pytest.mark.parametrize("missing", ["bundle.json", "expect.toml"])
def test_a_story_that_lacks_a_file_is_refused(tmp_path: Path, missing: str) -> None:
    (written_story(tmp_path, "fever") / missing).unlink()
    with pytest.raises(InvalidInput, match=f"{missing} of a story is missing or cannot be read"):
        load_story(tmp_path, "fever")


@pytest.mark.parametrize("file", ["bundle.json", "expect.toml"])
@pytest.mark.parametrize("content", [b"{", b"\xff\xfe"])
def test_a_story_with_a_file_that_cannot_be_understood_is_refused(tmp_path: Path, file: str, content: bytes) -> None:
    (written_story(tmp_path, "fever") / file).write_bytes(content)
    with pytest.raises(InvalidInput, match=f"{file} of a story cannot be understood"):
        load_story(tmp_path, "fever")


@pytest.mark.parametrize(
    ("bundle", "expect", "reason"),
    [
        ([], 'story = "x"', "does not hold an object"),
        ({"resourceType": "Patient"}, 'story = "x"', "is not a FHIR Bundle"),
        (None, "", "no sentence under the key story"),
        (None, "story = 1", "no sentence under the key story"),
        (None, 'story = " "', "no sentence under the key story"),
    ],
)
def test_a_story_of_the_wrong_shape_is_refused(tmp_path: Path, bundle: object, expect: str, reason: str) -> None:
    written_story(tmp_path, "fever", bundle, expect)
    with pytest.raises(InvalidInput, match=reason):
        load_story(tmp_path, "fever")

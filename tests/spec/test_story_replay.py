"""A story as of an instant: what came later is not there yet, what ended later still runs, nothing else changes."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest

from cds_service.fhir.replay import as_of, charted
from cds_service.fhir.stories import Story
from tests.server import stories

NOON = datetime(2026, 1, 15, 12, tzinfo=UTC)
SECOND = timedelta(seconds=1)


def bundle(*resources: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "Bundle",
        "type": "transaction",
        "timestamp": "2026-01-15T18:00:00+00:00",
        "entry": [{"resource": resource} for resource in resources],
    }


def standing(resource: dict[str, Any], instant: datetime) -> list[dict[str, Any]]:
    """The resource as it stood, in a list; an empty list when it was not there."""
    return [entry["resource"] for entry in as_of(bundle(resource), instant)["entry"]]


@pytest.mark.parametrize(
    "dated",
    [
        {"effectiveDateTime": "2026-01-15T12:00:00Z"},
        {"effectiveDateTime": "2026-01-15T07:00:00-05:00"},
        {"effectivePeriod": {"start": "2026-01-15T12:00:00Z"}},
        {"performedDateTime": "2026-01-15T12:00:00Z"},
        {"performedPeriod": {"start": "2026-01-15T12:00:00Z"}},
        {"authoredOn": "2026-01-15T12:00:00Z"},
        {"effectiveDateTime": "2026-01-15T03:00:00Z", "issued": "2026-01-15T12:00:00Z"},
        {"onsetDateTime": "2025-03-17", "recordedDate": "2026-01-15T12:00:00Z"},
    ],
)
def test_a_fact_is_there_from_its_instant_on(dated: dict[str, Any]) -> None:
    resource = {"resourceType": "Any", "status": "final"} | dated
    assert standing(resource, NOON - SECOND) == []
    assert standing(resource, NOON) == [resource]
    assert standing(resource, NOON + SECOND) == [resource]


def test_what_has_no_time_is_always_there() -> None:
    patient = {"resourceType": "Patient", "id": "a", "birthDate": "1962-08-14"}
    assert standing(patient, NOON - timedelta(days=40_000)) == [patient]


@pytest.mark.parametrize("period", ["effectivePeriod", "performedPeriod"])
@pytest.mark.parametrize("status", ["completed", "stopped"])
def test_what_ended_later_still_ran(period: str, status: str) -> None:
    over = {"status": status, period: {"start": "2026-01-15T10:00:00Z", "end": "2026-01-15T12:00:00Z"}}
    assert standing(over, NOON - SECOND) == [{"status": "in-progress", period: {"start": "2026-01-15T10:00:00Z"}}]
    assert standing(over, NOON) == [over]
    assert standing(over, NOON + SECOND) == [over]


def test_what_was_entered_in_error_never_ran() -> None:
    period = {"start": "2026-01-15T10:00:00Z", "end": "2026-01-15T13:00:00Z"}
    [then] = standing({"status": "entered-in-error", "effectivePeriod": period}, NOON)
    assert then["status"] == "entered-in-error"


def test_the_timestamp_is_the_instant_and_the_story_is_not_changed() -> None:
    told = bundle({"status": "completed", "effectivePeriod": {"start": "2026-01-15", "end": "2026-01-16"}})
    before = str(told)
    assert as_of(told, NOON)["timestamp"] == "2026-01-15T12:00:00+00:00"
    assert str(told) == before


def test_the_instants_at_which_something_was_charted_stand_once_and_in_order() -> None:
    later, sooner = {"effectiveDateTime": "2026-01-15T12:00:00Z"}, {"authoredOn": "2026-01-15T06:00:00-05:00"}
    found = charted(bundle(later, sooner, dict(later), {"resourceType": "Patient"}))
    assert found == [NOON - timedelta(hours=1), NOON]


@pytest.mark.parametrize("story", stories(), ids=lambda story: str(story.name))
def test_a_story_at_its_own_instant_is_the_story_and_nothing_in_it_comes_later(story: Story) -> None:
    present = datetime.fromisoformat(story.bundle["timestamp"])
    assert as_of(story.bundle, present) == story.bundle
    assert charted(story.bundle)[-1] <= present

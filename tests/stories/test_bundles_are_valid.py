"""Every story is a bundle that any R4 server takes, and an expectation that a reader can check."""

import json
import re
import tomllib
from collections import Counter
from collections.abc import Iterator
from datetime import UTC, date, datetime
from pathlib import Path
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class

from cds_service.fhir.stories import dangling

FIXTURES = Path(__file__).parents[2] / "fhir_fixtures"
STORIES = sorted(folder.name for folder in FIXTURES.iterdir() if folder.is_dir())

ANCHOR_TEXT = "2026-01-15T12:00:00+00:00"
ANCHOR = datetime.fromisoformat(ANCHOR_TEXT)

STATUSES = {"graded", "provisional", "no-crs", "not-eligible", "indeterminate"}
EPISODES = {"closed", "open", "waived", "masked-onset", "resolved"}
REQUIRED = {"story", "patient", "status", "cards", "orders", "says", "never_says"}
OPTIONAL = {"grade", "episode"}
ORDER = re.compile(r"(tocilizumab|dexamethasone) \d+(\.\d+)? mg|blood cultures")

A_DATE = re.compile(r"\d{4}-\d{2}-\d{2}(T.*)?")
AN_ID = re.compile(r"[A-Za-z0-9.-]{1,64}")

Json = dict[str, Any]


def load_bundle(story: str) -> Json:
    """The bundle of a story as plain JSON."""
    return json.loads((FIXTURES / story / "bundle.json").read_text(encoding="utf-8"))


@pytest.fixture(params=STORIES)
def story(request: pytest.FixtureRequest) -> str:
    """The name of each story in turn."""
    return request.param


@pytest.fixture
def bundle(story: str) -> Json:
    """The story's bundle."""
    return load_bundle(story)


@pytest.fixture
def expected(story: str) -> Json:
    """The story's expectation."""
    return tomllib.loads((FIXTURES / story / "expect.toml").read_text(encoding="utf-8"))


def resources(bundle: Json) -> list[Json]:
    """The resources of a bundle."""
    return [entry["resource"] for entry in bundle["entry"]]


def name(resource: Json) -> str:
    """How a resource is referred to: `Patient/123`."""
    return f"{resource['resourceType']}/{resource['id']}"


def strings(node: Any, key: str = "") -> Iterator[tuple[str, str]]:
    """Every string in a JSON tree with the key that holds it."""
    match node:
        case str():
            yield key, node
        case list():
            for item in node:
                yield from strings(item, key)
        case dict():
            for inner, value in node.items():
                yield from strings(value, inner)


def test_there_are_enough_stories() -> None:
    assert len(STORIES) >= 16


def test_ids_are_unique_over_all_stories() -> None:
    names = Counter(name(resource) for story in STORIES for resource in resources(load_bundle(story)))
    assert [which for which, times in names.items() if times > 1] == []


def test_the_bundle_is_a_transaction_at_the_anchor(bundle: Json) -> None:
    get_fhir_model_class("Bundle").model_validate(bundle)
    assert bundle["type"] == "transaction"
    assert bundle["timestamp"] == ANCHOR_TEXT


def test_every_resource_is_valid_fhir(bundle: Json) -> None:
    for resource in resources(bundle):
        get_fhir_model_class(resource["resourceType"]).model_validate(resource)


def test_every_entry_is_put_under_its_own_id(story: str, bundle: Json) -> None:
    for entry in bundle["entry"]:
        resource = entry["resource"]
        assert entry["request"] == {"method": "PUT", "url": name(resource)}
        assert entry["fullUrl"].startswith("urn:uuid:") or entry["fullUrl"].endswith(f"/{name(resource)}")
        assert AN_ID.fullmatch(resource["id"])
        assert resource["id"].startswith(f"{story}-")


def test_no_reference_dangles(bundle: Json) -> None:
    assert list(dangling(bundle)) == []


def test_a_reference_that_leads_nowhere_is_found_however_deep() -> None:
    patient = {"resourceType": "Patient", "id": "p"}
    held = {"resourceType": "Observation", "id": "o", "subject": {"reference": "Patient/p"}}
    lost = held | {"id": "x", "contained": [{"id": "in"}], "focus": [{"reference": "#in"}, {"reference": "#out"}]}
    bundle = {"entry": [{"resource": patient}, {"resource": held}, {"resource": lost}]}
    assert list(dangling(bundle)) == [("Observation/x", "#out")]


def test_a_story_has_one_patient_whom_all_is_about(bundle: Json, expected: Json) -> None:
    patients = [resource["id"] for resource in resources(bundle) if resource["resourceType"] == "Patient"]
    assert patients == [expected["patient"]]
    subjects = {resource["subject"]["reference"] for resource in resources(bundle) if "subject" in resource}
    assert subjects == {f"Patient/{expected['patient']}"}


def test_nothing_is_dated_after_the_anchor(bundle: Json) -> None:
    for resource in resources(bundle):
        for key, text in strings(resource):
            if not A_DATE.fullmatch(text):
                continue
            where = f"{name(resource)} {key} {text}"
            if "T" not in text:
                assert date.fromisoformat(text) <= ANCHOR.date(), where
                continue
            moment = datetime.fromisoformat(text)
            assert moment.tzinfo is not None, where
            assert moment.astimezone(UTC) <= ANCHOR, where


def test_the_birthday_is_far_from_the_anchor(bundle: Json) -> None:
    """So that a bundle loaded with shifted dates, a day early or late, has a patient of the same age."""
    birth_date = next(
        date.fromisoformat(resource["birthDate"])
        for resource in resources(bundle)
        if resource["resourceType"] == "Patient"
    )
    assert abs((birth_date.replace(year=ANCHOR.year) - ANCHOR.date()).days) > 10


def test_the_expectation_has_the_keys_that_are_known(expected: Json) -> None:
    assert set(expected) >= REQUIRED
    assert set(expected) <= REQUIRED | OPTIONAL
    assert expected["story"].endswith(".")
    assert expected["status"] in STATUSES
    assert expected.get("episode", "open") in EPISODES
    assert expected.get("grade", 0) in range(5)
    assert expected["cards"] in range(4)
    for key in ("orders", "says", "never_says"):
        assert all(isinstance(text, str) and text for text in expected[key])


def test_the_expectation_agrees_with_itself(expected: Json) -> None:
    status, grade, orders = expected["status"], expected.get("grade"), expected["orders"]
    assert ("episode" in expected) == (status != "not-eligible")
    assert (grade is None) == (status in {"not-eligible", "indeterminate"})
    if status == "no-crs":
        assert grade == 0
    if not grade:
        assert orders == []
    else:
        assert expected["cards"] == (3 if grade >= 2 else 2)
    assert all(ORDER.fullmatch(order) for order in orders)
    assert len(set(orders)) == len(orders)
    if not expected["cards"]:
        assert expected["says"] == []
    assert not set(expected["says"]) & set(expected["never_says"])

"""Client profiles: each EHR gets answers that it understands, and every answer still keeps the contract."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cds_service.conformance.judge import check
from cds_service.fhir.client import Connections
from cds_service.hooks.evaluate import Access
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import service
from tests.bedside import content
from tests.chart import NOW, Json, exact
from tests.contract.test_order_hooks import call as order_call
from tests.contract.test_order_hooks import draft
from tests.stories.vignettes import patient_id, vignette_bundle, vignettes

PROFILES = ("generic", "epic", "oracle-health", "sandbox")
RXNORM_OID = "urn:oid:2.16.840.1.113883.6.88"


@pytest.fixture(scope="module")
def access() -> Iterator[Access]:
    with ThreadPoolExecutor(1) as executor:
        yield Access(connections=Connections(), executor=executor, allow_list=(), deadline_seconds=1.0)


def cards(profile: str, name: str, access: Access, orders: list[Json] | None = None) -> list[Json]:
    """The cards for a worked patient, as they are written for a client; with orders, those of order-sign."""
    case: Any = vignettes()[name]
    who = patient_id(case)
    resources = [entry["resource"] for entry in vignette_bundle(case)["entry"]]
    known = Knowledge.of(content(), NOW.tzinfo, profile)  # type: ignore[arg-type]
    filled: Json = {
        need.key: {
            "resourceType": "Bundle",
            "type": "searchset",
            "entry": [{"resource": item} for item in resources if item["resourceType"] == need.resource_type],
        }
        for need in known.needs
    }
    hook = "patient-view" if orders is None else "order-sign"
    mine = [order | {"subject": {"reference": f"Patient/{who}"}} for order in orders or []]
    body = order_call("order-sign", mine, patient=who) | {"hook": hook, "hookInstance": name, "prefetch": filled}
    service_id = f"crs-{hook}"
    answer = service(service_id).answer(exact(body), service_id, known, access, NOW).response
    ids = [f"{order['resourceType']}/{order['id']}" for order in mine]
    selection = "at-most-one" if profile == "oracle-health" else "any"
    check(answer, patient_id=who, draft_ids=ids, hook=hook, selection=selection)
    found: list[Json] = answer["cards"]
    return found


def suggestions(found: list[Json]) -> list[Json]:
    return [item for card in found for item in card.get("suggestions", [])]


@pytest.mark.parametrize("profile", PROFILES)
@pytest.mark.parametrize("name", ["V01", "V08", "V10", "V12", "V18", "V28", "worse-on-dexamethasone-10"])
def test_every_profile_keeps_the_contract_with_one_action_for_each_suggestion(
    profile: str, name: str, access: Access
) -> None:
    found = cards(profile, name, access)
    assert found
    assert all(len(item["actions"]) == 1 for item in suggestions(found))


@pytest.mark.parametrize(
    ("profile", "behavior"),
    [("generic", "any"), ("epic", "any"), ("sandbox", "any"), ("oracle-health", "at-most-one")],
)
def test_a_card_says_how_many_suggestions_the_client_lets_take(profile: str, behavior: str, access: Access) -> None:
    found = cards(profile, "V08", access)
    for card in found:
        assert card.get("selectionBehavior", behavior) == behavior
        recommended = [item for item in card.get("suggestions", []) if item.get("isRecommended")]
        assert behavior == "any" or len(recommended) <= 1
    assert len([item for item in suggestions(found) if item.get("isRecommended")]) >= 2


@pytest.mark.parametrize("profile", PROFILES)
def test_reasons_for_an_override_are_for_clients_that_show_them(profile: str, access: Access) -> None:
    shown = ["overrideReasons" in card for card in cards(profile, "V08", access)]
    assert set(shown) == {profile != "oracle-health"}


@pytest.mark.parametrize("profile", PROFILES)
def test_a_narrow_bar_gets_lines_in_place_of_the_table(profile: str, access: Access) -> None:
    detail = cards(profile, "V08", access)[0]["detail"]
    assert ("|---|" in detail) is (profile != "oracle-health")
    assert "norepinephrine" in detail
    assert "a vasopressor, with or without vasopressin: grade 3" in detail


@pytest.mark.parametrize("profile", PROFILES)
def test_a_drug_is_coded_in_the_system_that_the_client_knows(profile: str, access: Access) -> None:
    resources = [item["actions"][0]["resource"] for item in suggestions(cards(profile, "V08", access))]
    systems = {
        order["medicationCodeableConcept"]["coding"][0]["system"]
        for order in resources
        if order["resourceType"] == "MedicationRequest"
    }
    assert systems == {RXNORM_OID if profile == "epic" else "http://www.nlm.nih.gov/research/umls/rxnorm"}


@pytest.mark.parametrize("profile", PROFILES)
def test_an_order_is_changed_only_for_clients_that_take_that(profile: str, access: Access) -> None:
    found = suggestions(cards(profile, "V08", access, [draft(100)]))
    kinds = [item["actions"][0]["type"] for item in found if "656 mg" in item["label"]]
    assert kinds == ["update" if profile == "generic" else "create"]


@pytest.mark.parametrize("profile", PROFILES)
def test_the_dose_stands_in_what_the_user_reads_before_the_order_is_taken(profile: str, access: Access) -> None:
    (drafted,) = [item for item in suggestions(cards(profile, "V08", access)) if "tocilizumab" in item["label"]]
    assert "656 mg" in drafted["actions"][0]["description"]

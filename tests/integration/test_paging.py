"""Pages of a search: followed below the same base only, a number of them at most, the rest said (T10, T45, P-10)."""

import json
from collections.abc import Iterator
from contextlib import closing
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest
import requests
import responses
from pydantic import SecretStr

from cds_service.fhir import client as module
from cds_service.fhir.client import Connections, FhirClient
from cds_service.fhir.deadline import Deadline, FhirFailure

BASE = "https://ehr.example/fhir/tenant"
FIRST = f"{BASE}/Observation?patient=1"


@pytest.fixture
def connections() -> Iterator[Connections]:
    with closing(Connections()) as opened:
        yield opened


def page(following: str | None, *ids: str, size: int = 0) -> dict[str, Any]:
    link = [{"relation": "self", "url": FIRST}]
    if following:
        link.append({"relation": "next", "url": following})
    entry = [{"resource": {"resourceType": "Observation", "id": name, "x": "y" * size}} for name in ids]
    return {"resourceType": "Bundle", "type": "searchset", "link": link, "entry": entry}


def read(connections: Connections, start: str = "Observation?patient=1") -> tuple[list[str], str]:
    """The ids that were read, and why it was not all."""
    client, ids = FhirClient(BASE, SecretStr("token"), connections, Deadline.after(5)), []
    try:
        for one in client.pages(start):
            ids += [entry["resource"]["id"] for entry in one.body["entry"]]
    except FhirFailure as failure:
        return ids, str(failure)
    return ids, ""


@responses.activate
@pytest.mark.parametrize(
    "following",
    [
        f"{BASE}?_getpages=1",
        f"{BASE}/?_getpages=1",
        f"{BASE}/Observation?page=2",
        "https://EHR.example:443/fhir/tenant/Observation?page=2",
        f"{BASE}/Observation?patient=a%2Fb%7C1",
    ],
)
def test_p10_the_next_page_below_the_base_is_read_with_the_token(connections: Connections, following: str) -> None:
    responses.get(FIRST, json=page(following, "a"), match_querystring=None)
    second = responses.get(
        following, json=page(None, "b"), match=[responses.matchers.header_matcher({"Authorization": "Bearer token"})]
    )
    assert read(connections) == (["a", "b"], "")
    assert second.call_count == 1


@responses.activate
@pytest.mark.parametrize(
    "following",
    [
        "https://evil.example/fhir/tenant/Observation?page=2",
        "https://ehr.example.evil.example/fhir/tenant?page=2",
        "https://ehr.example:8443/fhir/tenant/Observation?page=2",
        "http://ehr.example/fhir/tenant/Observation?page=2",
        "http://ehr.example:443/fhir/tenant/Observation?page=2",
        "https://ehr.example/fhir/tenant2/Observation",
        "https://ehr.example/fhir/Observation",
        "https://ehr.example/fhir/tenant/../other/Observation",
        "https://ehr.example/fhir/tenant/%2e%2e/other/Observation",
        "https://ehr.example/fhir/tenant/%2E%2E/other",
        "https://ehr.example/fhir/tenant/..%2fother",
        "https://ehr.example/fhir/tenant%2f..%2fother",
        "https://ehr.example/fhir/tenant/%5c..%5cother",
        "https://ehr.example@evil.example/fhir/tenant/x",
        "https://user:pass@ehr.example/fhir/tenant/x",
        "https://evil.example\\@ehr.example/fhir/tenant/x",
        "https://ehr.example\\.evil.example/fhir/tenant/x",
        "https://ehr.example/fhir/tenant/\tx",
        " https://ehr.example/fhir/tenant/x",
        "https://ehr.example:99999/fhir/tenant/x",
        "https://[/fhir",
        "/fhir/tenant/Observation?page=2",
        "?page=2",
        "//evil.example/fhir/tenant",
        "ftp://ehr.example/fhir/tenant/x",
        "javascript:alert(1)",
        "https://ehr.example/fhir/tenant/\u2025/x",
        "",
    ],
)
def test_t10_a_next_link_that_leads_elsewhere_is_not_fetched_and_the_rest_is_said_to_be_missing(
    connections: Connections, following: str
) -> None:
    bundle = page(None, "a")
    bundle["link"].append({"relation": "next", "url": following})
    responses.get(FIRST, json=bundle)
    ids, failure = read(connections)
    assert ids == ["a"]
    assert "outside the FHIR server's address" in failure
    assert len(responses.calls) == 1
    with pytest.raises(FhirFailure, match="outside"):
        list(FhirClient(BASE, SecretStr("token"), connections, Deadline.after(5)).following(following))
    assert len(responses.calls) == 1


@responses.activate
def test_t45_a_loop_of_pages_ends(connections: Connections) -> None:
    second = f"{BASE}/Observation?page=2"
    responses.get(FIRST, json=page(second, "a"))
    responses.get(second, json=page(FIRST, "b"))
    assert read(connections) == (["a", "b"], "the pages lead back to one that was read, the rest was not found")
    assert len(responses.calls) == 2


@responses.activate
def test_t45_endless_pages_end_after_twenty(connections: Connections) -> None:
    def endless(request: requests.PreparedRequest) -> tuple[int, dict[str, str], str]:
        number = int(parse_qs(urlsplit(str(request.url)).query).get("page", ["1"])[0])
        return 200, {}, json.dumps(page(f"{BASE}/Observation?page={number + 1}", str(number)))

    responses.add_callback(responses.GET, f"{BASE}/Observation", callback=endless)
    ids, failure = read(connections)
    assert len(ids) == len(responses.calls) == module.MAXIMUM_PAGES
    assert failure == f"there are more than {module.MAXIMUM_PAGES} pages, the rest was not read"


@responses.activate
def test_t53_the_limit_of_bytes_is_for_all_pages_of_a_query_together(connections: Connections) -> None:
    second, third = f"{BASE}/Observation?page=2", f"{BASE}/Observation?page=3"
    third_of_limit = module.MAXIMUM_BYTES // 3
    responses.get(FIRST, json=page(second, "a", size=third_of_limit))
    responses.get(second, json=page(third, "b", size=third_of_limit))
    responses.get(third, json=page(None, "c", size=third_of_limit))
    ids, failure = read(connections)
    assert (ids, failure) == (["a", "b"], "the FHIR server's answer is too large")


@responses.activate
def test_t54_a_later_page_that_fails_leaves_the_earlier_ones(connections: Connections) -> None:
    second = f"{BASE}/Observation?page=2"
    responses.get(FIRST, json=page(second, "a"))
    responses.get(second, status=500)
    assert read(connections) == (["a"], "the FHIR server answered HTTP 500")


@responses.activate
@pytest.mark.parametrize("link", [None, "x", {"relation": "next"}, [{"relation": "next", "url": 5}], [None], [[]]])
def test_a_link_that_is_no_link_is_the_last_page(connections: Connections, link: Any) -> None:
    responses.get(FIRST, json={**page(None, "a"), "link": link})
    assert read(connections) == (["a"], "")

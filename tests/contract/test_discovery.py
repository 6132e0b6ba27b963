"""Discovery and the other routes a client or an operator reads (D-1 to D-9, P-11 to P-16, R-12)."""

import re
from urllib.parse import parse_qsl, unquote

import pytest
from flask.testing import FlaskClient

from cds_service.conformance.judge import check_discovery, check_operation_outcome
from cds_service.errors import UnknownService
from cds_service.fhir.search import SEARCH_PARAMETERS
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import SERVICES, service
from tests.server import Service

TEMPLATE = re.compile(r"[A-Z][A-Za-z]+(/\{\{context\.patientId\}\}|\?patient=\{\{context\.patientId\}\}(&\S+)?)")


def templates(client: FlaskClient) -> dict[str, str]:
    prefetch: dict[str, str] = client.get("/cds-services").get_json()["services"][0]["prefetch"]
    return prefetch


def test_d1_discovery_is_an_object_with_the_services_and_passes_the_independent_judge(client: FlaskClient) -> None:
    answer = client.get("/cds-services")
    assert (answer.status_code, answer.mimetype) == (200, "application/json")
    check_discovery(answer.get_json())


def test_d4_to_d9_the_services_are_exactly_the_contract(client: FlaskClient) -> None:
    services = client.get("/cds-services").get_json()["services"]
    for listed in services:
        assert set(listed) == {"id", "hook", "title", "description", "prefetch", "usageRequirements"}
        assert listed["prefetch"] == services[0]["prefetch"]
    assert [(listed["id"], listed["hook"]) for listed in services] == [
        ("crs-patient-view", "patient-view"),
        ("crs-order-select", "order-select"),
        ("crs-order-sign", "order-sign"),
    ]


def test_d12_each_id_has_one_hook_and_each_hook_one_id() -> None:
    assert len({known.id for known in SERVICES}) == len({known.hook for known in SERVICES}) == len(SERVICES)
    assert all(service(known.id) is known for known in SERVICES)
    with pytest.raises(UnknownService):
        service("patient-view")


def test_p11_to_p16_every_template_is_legal_in_2_0_1(client: FlaskClient) -> None:
    for key, template in templates(client).items():
        assert re.fullmatch("[a-z][A-Za-z]+", key)
        assert TEMPLATE.fullmatch(template), template
        assert template.count("{{") == template.count("}}") == 1
        query = parse_qsl(template.partition("?")[2], strict_parsing="?" in template)
        names = [name for name, _ in query]
        assert len(set(names)) == len(names), "the sandbox merges parameters of one name (P-18)"
        assert set(names) <= {"patient", "code", "category", "_sort", "_count"}
        assert not any(":" in name for name in names)


def test_p15_templates_sort_and_search_by_parameters_that_r4_has_newest_first(client: FlaskClient) -> None:
    for key, template in templates(client).items():
        resource_type, _, query = template.partition("?")
        known = SEARCH_PARAMETERS[resource_type.partition("/")[0]]
        values = dict(parse_qsl(query))
        assert set(values) - {"_sort", "_count", "category"} <= set(known)
        if key not in ("patient", "allergies", "homeDevices"):
            assert values["_sort"].startswith("-"), "the first page must be the newest"
            assert known[values["_sort"][1:]].kind == "date"


def test_every_token_of_a_code_is_a_system_and_a_code_and_stands_once(client: FlaskClient) -> None:
    for template in templates(client).values():
        asked = dict(parse_qsl(template.partition("?")[2])).get("code")
        if asked is not None:
            tokens = asked.split(",")
            assert len(set(tokens)) == len(tokens)
            assert all(re.fullmatch(r"https?://[^|]+\|[A-Za-z0-9.\-]+", token) for token in tokens)


def test_a_template_is_short_enough_for_a_request_line_of_8_kb_beside_a_token(client: FlaskClient) -> None:
    assert max(len(template) + 2 * template.count("|") for template in templates(client).values()) < 5000


def test_the_query_of_the_service_is_its_template_with_the_token_filled(knowledge: Knowledge) -> None:
    for need in knowledge.needs:
        assert need.path("a.1-b") == need.template.replace("{{context.patientId}}", "a.1-b").replace("|", "%7C")
        assert unquote(need.path("a/../b?x=1")).endswith("a/../b?x=1") or "a/../b?x=1" in unquote(
            need.path("a/../b?x=1")
        )
        assert "a%2F..%2Fb%3Fx%3D1" in need.path("a/../b?x=1")


def test_every_need_has_its_own_key_and_a_part_lies_in_a_need_of_the_same_type(knowledge: Knowledge) -> None:
    by_key = {need.key: need for need in knowledge.needs}
    assert len(by_key) == len(knowledge.needs)
    for need in knowledge.needs:
        if need.part_of:
            assert by_key[need.part_of].resource_type == need.resource_type
            assert "code=" in need.template


def test_r12_a_trailing_slash_is_not_redirected(client: FlaskClient) -> None:
    assert client.get("/cds-services/").status_code == 200
    posted = client.post("/cds-services/crs-patient-view/", json={})
    assert posted.status_code == 400, "a redirect would break a browser's preflight"


def test_d1_head_answers_without_a_body_and_options_names_the_methods(client: FlaskClient) -> None:
    head = client.head("/cds-services")
    assert (head.status_code, head.data) == (200, b"")
    options = client.options("/cds-services")
    assert options.status_code == 200
    assert {"GET", "HEAD", "OPTIONS"} <= set(options.headers["Allow"].split(", "))


def test_a_query_string_and_a_body_on_discovery_are_ignored(client: FlaskClient) -> None:
    assert client.get("/cds-services?cache=no", data=b"x").status_code == 200


def test_answers_are_never_stored_or_sniffed(client: FlaskClient) -> None:
    for path in ("/cds-services", "/healthz", "/readyz", "/about", "/nothing"):
        headers = client.get(path).headers
        assert (headers["Cache-Control"], headers["X-Content-Type-Options"]) == ("no-store", "nosniff")


def test_health_says_the_process_is_up_and_readiness_what_knowledge_it_has(client: FlaskClient) -> None:
    assert client.get("/healthz").get_json() == {"status": "ok"}
    ready = client.get("/readyz").get_json()
    assert ready["status"] == "ok"
    assert set(ready["protocol"]) >= {"id", "version", "scale"}


def test_h7_an_unknown_address_is_problem_json_and_below_cds_services_an_operation_outcome(client: FlaskClient) -> None:
    problem = client.get("/nothing")
    assert (problem.status_code, problem.mimetype) == (404, "application/problem+json")
    assert set(problem.get_json()) == {"type", "title", "status", "detail"}
    assert client.get("/cds-servicesfoo").mimetype == "application/problem+json"
    missing = client.post("/cds-services/crs-patient-view/deeper/still", json={})
    assert (missing.status_code, missing.mimetype) == (404, "application/fhir+json")
    check_operation_outcome(missing.get_json())


def test_d1_the_production_server_serves_the_same_discovery(service: Service, client: FlaskClient) -> None:
    import requests

    answer = requests.get(f"{service.base}/cds-services", timeout=10)
    assert answer.json() == client.get("/cds-services").get_json()
    assert answer.headers["Access-Control-Allow-Origin"] == "*"

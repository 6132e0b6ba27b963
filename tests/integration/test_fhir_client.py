"""The FHIR client against every kind of bad answer (T05 to T10, T46 to T53). First by substitute, then over sockets."""

import json
from collections.abc import Iterator
from contextlib import closing, suppress
from typing import Any

import pytest
import requests
import responses
from hypothesis import given
from hypothesis.strategies import from_regex
from pydantic import SecretStr

from cds_service.fhir.addresses import allowed, as_it_is_sent, fhir_server
from cds_service.fhir.client import Connections, FhirClient
from cds_service.fhir.deadline import Deadline
from cds_service.hooks.knowledge import Knowledge
from tests.fhir_queries import BASE, BUNDLE, CANARY, client, failure
from tests.hostile import hostile, whole


@pytest.fixture
def connections() -> Iterator[Connections]:
    with closing(Connections()) as opened:
        yield opened


# What is answered


@responses.activate
def test_a5_a_query_goes_below_the_base_with_the_token_and_asks_for_fhir_json(connections: Connections) -> None:
    sent = responses.get(f"{BASE}/Patient/1", json=BUNDLE)
    for base in (BASE, f"{BASE}/"):
        [page] = client(connections, base).pages("Patient/1")
        assert (page.body, page.more) == (BUNDLE, None)
    headers = sent.calls[0].request.headers
    assert (headers["Authorization"], headers["Accept"]) == (f"Bearer {CANARY}", "application/fhir+json")


@responses.activate
def test_a_public_server_is_called_without_a_token(connections: Connections) -> None:
    sent = responses.get(f"{BASE}/Patient/1", json=BUNDLE)
    list(FhirClient(BASE, None, connections, Deadline.after(5)).pages("Patient/1"))
    assert "Authorization" not in sent.calls[0].request.headers


@responses.activate
@pytest.mark.parametrize(
    ("status", "words"),
    [
        (401, "does not permit it (HTTP 401)"),
        (403, "does not permit it (HTTP 403)"),
        (404, "HTTP 404"),
        (410, "HTTP 410"),
        (429, "HTTP 429"),
        (500, "HTTP 500"),
        (502, "HTTP 502"),
        (503, "HTTP 503"),
        (204, "HTTP 204"),
        (206, "HTTP 206"),
        (304, "HTTP 304"),
    ],
)
def test_t47_to_t50_another_status_is_a_failed_query_and_never_no_data(
    connections: Connections, status: int, words: str
) -> None:
    sent = responses.get(f"{BASE}/Patient/secret-id", json=BUNDLE, status=status, headers={"Retry-After": "3600"})
    assert words in failure(connections)
    assert sent.call_count == 1


@responses.activate
def test_a_server_is_asked_not_to_answer_from_what_it_remembers(connections: Connections) -> None:
    sent = responses.get(
        f"{BASE}/Patient/secret-id",
        json=BUNDLE,
        match=[responses.matchers.header_matcher({"Cache-Control": "no-cache"})],
    )
    assert len(list(client(connections).pages("Patient/secret-id"))) == 1
    assert sent.call_count == 1


@responses.activate
@pytest.mark.parametrize("status", [301, 302, 303, 307, 308])
def test_t05_a_redirect_is_a_failure_and_the_token_goes_nowhere(connections: Connections, status: int) -> None:
    responses.get(f"{BASE}/Patient/secret-id", status=status, headers={"Location": "https://evil.example/"})
    away = responses.get("https://evil.example/", json=BUNDLE)
    assert f"HTTP {status}" in failure(connections)
    assert away.call_count == 0


@responses.activate
@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"<html>Log in</html>",
        b"null",
        b"[]",
        b'"text"',
        b"{",
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b"[" * 100_000,
        b"\xff",
    ],
    ids=lambda body: body[:12].decode("latin-1"),
)
def test_t46_what_is_no_json_object_is_a_failed_query(connections: Connections, body: bytes) -> None:
    responses.get(f"{BASE}/Patient/secret-id", body=body, content_type="text/html")
    assert "the FHIR server's answer is not" in failure(connections)


@responses.activate
@pytest.mark.parametrize(
    ("error", "words"),
    [
        (requests.exceptions.ConnectTimeout, "in time"),
        (requests.exceptions.ReadTimeout, "in time"),
        (requests.exceptions.ConnectionError, "reached"),
        (requests.exceptions.SSLError, "certificate"),
        (requests.exceptions.InvalidURL, "broke off"),
        (ConnectionResetError, "reached"),
        (OSError, "broke off"),
    ],
)
def test_whatever_the_library_raises_is_one_plain_failure(
    connections: Connections, error: type[Exception], words: str
) -> None:
    responses.get(f"{BASE}/Patient/secret-id", body=error(f"{BASE}/Patient/secret-id {CANARY}"))
    assert words in failure(connections)


def test_t11_no_representation_of_a_client_holds_the_token(connections: Connections) -> None:
    assert CANARY not in repr(client(connections))
    assert CANARY not in str(client(connections))


# Where it may go


@pytest.mark.parametrize(
    ("url", "is_allowed"),
    [
        ("https://ehr.example/fhir", True),
        ("https://ehr.example/fhir/", True),
        ("https://EHR.example:443/fhir/tenant", True),
        ("HTTPS://ehr.example/fhir", True),
        ("https://ehr.example/fhirx", False),
        ("https://ehr.example/", False),
        ("https://ehr.example/FHIR", False),
        ("http://ehr.example/fhir", False),
        ("http://ehr.example:443/fhir", False),
        ("https://ehr.example:8443/fhir", False),
        ("https://ehr.example.evil.com/fhir", False),
        ("https://evil.com/https://ehr.example/fhir", False),
        ("https://ehr.example@evil.com/fhir", False),
        ("https://evil.com\\@ehr.example/fhir", False),
        ("https://ehr.example/fhir/../admin", False),
        ("https://ehr.example/fhir/./x", False),
        ("https://ehr.example/fhir/%2e%2e/admin", False),
        ("https://ehr.example/fhir?x=1", False),
        ("https://ehr.example/fhir#x", False),
        ("https://ehr.example/fhir\t", False),
        (" https://ehr.example/fhir", False),
        ("https://ehr.example\u3002evil.com/fhir", False),
        ("https://\uff45hr.example/fhir", False),
        ("https://ehr.example:99999/fhir", False),
        ("https://ehr.example:0/fhir", False),
        ("//ehr.example/fhir", False),
        ("ehr.example/fhir", False),
        ("file:///etc/passwd", False),
        ("gopher://ehr.example/fhir", False),
        ("https:///fhir", False),
        ("https://[::1/fhir", False),
        ("http://2130706433/fhir", False),
        ("http://127.1:8080/fhir", False),
        ("http://127.0.0.1:8080/fhir", True),
        ("http://[::1]:8080/fhir", True),
        ("http://[::1]/fhir", False),
    ],
)
def test_t01_to_t07_only_what_is_on_the_allow_list_is_allowed(url: str, is_allowed: bool) -> None:
    servers = [fhir_server(base) for base in (BASE, "http://127.0.0.1:8080/fhir", "http://[::1]:8080/fhir")]
    assert (allowed(url, servers) is not None) is is_allowed
    assert not allowed(url, ())


def test_a_query_of_a_need_is_sent_as_it_is_written(knowledge: Knowledge) -> None:
    for need in knowledge.needs:
        url = f"{BASE}/{need.path('a/../b c|ü')}"
        assert as_it_is_sent(f"{BASE}/{need.path('a.1-b')}")
        assert requests.Request("GET", url).prepare().url == url


@pytest.mark.parametrize(
    "url",
    [
        "https://EHR.example/fhir/Patient/1",
        "https://ehr.example:0443/fhir/Patient/1",
        "https://ehr.example",
        "https://ehr.example?x",
        "https://ehr.example/fhir/./Patient",
        "https://ehr.example/fhir/..",
        "https://ehr.example/fhir/..?x",
        "https://ehr.example/fhir?",
        "https://ehr.example/fhir?code=a|b",
        "https://ehr.example/fhir?code=%7c",
        "https://ehr.example/fhir?code=%41",
        "https://ehr.example/fhir?code=%",
        "https://ehr.example/fhir?code=ü",
        "https://ehr.example/fhir#x",
        "https://ehr.example/fhir\n",
        "https://user@ehr.example/fhir",
        "https://ehr.example/" + "a" * 50_000 + "|",
    ],
)
def test_t06_t08_a_url_that_encoding_may_change_is_not_sent_as_it_is_written(url: str) -> None:
    assert not as_it_is_sent(url)


@given(from_regex(r"\Ahttps?://[a-zA-Z0-9.:\[\]-]{1,9}(/[!-~ü]{0,9}){0,3}(\?([!-~ü]|%7C|%[0-9A-Fa-f]{2}){0,9})?\Z"))
def test_t06_t08_what_is_sent_as_it_is_written_would_be_encoded_to_itself(url: str) -> None:
    if as_it_is_sent(url):
        with suppress(requests.exceptions.InvalidURL):
            assert requests.Request("GET", url).prepare().url == url


@pytest.mark.parametrize("host", [".ehr.example", "ehr.example:99999", "[::g]"])
def test_a_host_that_can_be_none_is_a_failed_query(connections: Connections, host: str) -> None:
    assert failure(connections, f"https://{host}/fhir") == "the FHIR server's answer broke off or cannot be read"


def test_t09_nothing_is_taken_from_the_environment_and_no_cookie_is_kept(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Any, connections: Connections
) -> None:
    netrc = tmp_path / "netrc"
    netrc.write_text("machine 127.0.0.1 login thief password thief\n")
    netrc.chmod(0o600)
    monkeypatch.setenv("NETRC", str(netrc))
    for name in ("HTTP_PROXY", "http_proxy", "ALL_PROXY", "all_proxy"):
        monkeypatch.setenv(name, "http://127.0.0.1:9")
    body = json.dumps(BUNDLE).encode()
    answer = whole(body, {"Set-Cookie": "session=of-another-user; Path=/"})
    with hostile(lambda connection, head: connection.sendall(answer)) as server:
        for token in (None, "first", "second"):
            list(FhirClient(server.base, token and SecretStr(token), connections, Deadline.after(5)).pages("Patient/1"))
        heads = [head.decode() for head in server.heads]
    assert "Authorization" not in heads[0]
    assert "Bearer second" in heads[2]
    assert not any("Cookie" in head for head in heads), "one user's session must not answer for another's token"

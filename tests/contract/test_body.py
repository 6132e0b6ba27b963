"""The request body: JSON in UTF-8 and nothing else, whatever it is made of (T25 to T32, R-12)."""

import json

import pytest
from flask.testing import FlaskClient

from tests.answers import SERVICE
from tests.contract.test_hook_call import CANARY, call, refused


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/html", "application/xml", "application/x-www-form-urlencoded", ""]
)
def test_t32_what_is_not_json_is_415(client: FlaskClient, kind: str) -> None:
    body = json.dumps(call())
    refused(client.post(SERVICE, data=body, content_type=kind or None), 415)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/fhir+json", "APPLICATION/JSON"])
def test_r12_json_is_taken_with_any_parameter(client: FlaskClient, kind: str) -> None:
    assert client.post(SERVICE, data=json.dumps(call()), content_type=kind).status_code == 200


def test_t30_a_compressed_body_is_415(client: FlaskClient) -> None:
    answer = client.post(SERVICE, json=call(), headers={"Content-Encoding": "gzip"})
    refused(answer, 415)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b"null",
        b"[]",
        b'"text"',
        b"7",
        b"{",
        b'{"hook": }',
        b"\xff\xfe{\x00}\x00",
        b"\xef\xbb\xbf{}",
        b'{"a": "\xff"}',
        b'{"a": "\\ud800"}',
        b'{"a": 1, "a": 2}',
        b'{"a": NaN}',
        b'{"a": Infinity}',
        b'{"a": 1e999}',
        b'{"a": 1e3000000}',
        b'{"a": ' + b"9" * 5000 + b"}",
        b"[" * 100_000,
        b'{"a":' * 100_000,
        b"<html>" + CANARY.encode() + b"</html>",
    ],
    ids=lambda body: body[:16].decode("latin-1"),
)
def test_t25_to_t32_a_body_that_is_no_sound_json_object_is_400(client: FlaskClient, body: bytes) -> None:
    refused(client.post(SERVICE, data=body, content_type="application/json"), 400)

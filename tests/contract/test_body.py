"""The request body: JSON in UTF-8 and nothing else, whatever it is made of (T25 to T32, R-12)."""

import json
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient

from tests.answers import PATIENT, SERVICE, answer, assessment, missing
from tests.conftest import MakeApp
from tests.contract.test_feedback import kept, memory, overridden
from tests.contract.test_hook_call import CANARY, assert_refused, call
from tests.server import NOW, Fhir, hook_call

Json = dict[str, Any]


@pytest.mark.parametrize(
    "kind", ["text/plain", "text/html", "application/xml", "application/x-www-form-urlencoded", ""]
)
def test_t32_t76_what_is_not_json_is_415(client: FlaskClient, kind: str) -> None:
    body = json.dumps(call())
    assert_refused(client.post(SERVICE, data=body, content_type=kind or None), 415)


@pytest.mark.parametrize("kind", ["application/json; charset=utf-8", "application/fhir+json", "APPLICATION/JSON"])
def test_r12_json_is_taken_with_any_parameter(client: FlaskClient, kind: str) -> None:
    assert client.post(SERVICE, data=json.dumps(call()), content_type=kind).status_code == 200


def test_t30_a_compressed_body_is_415(client: FlaskClient) -> None:
    answer = client.post(SERVICE, json=call(), headers={"Content-Encoding": "gzip"})
    assert_refused(answer, 415)


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
def test_t25_t26_t27_t28_t31_t32_a_body_that_is_no_sound_json_object_is_400(client: FlaskClient, body: bytes) -> None:
    assert_refused(client.post(SERVICE, data=body, content_type="application/json"), 400)


# --- what gets through ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("written", ["NaN", "-Infinity", "1e999", "9" * 5000, "1e3000000", "38.5e"])
def test_t26_t27_what_is_no_number_in_the_words_of_a_reading_is_no_reading(
    client: FlaskClient, filled: Json, written: str
) -> None:
    for entry in filled["temperature"]["entry"]:
        entry["resource"] = {name: item for name, item in entry["resource"].items() if name != "valueQuantity"}
        entry["resource"]["valueString"] = written
    body = answer(client, prefetch=filled)
    assert assessment(body)["status"] != "graded"
    assert "temperature" in missing(body)


@pytest.mark.parametrize("value", [b"NaN", b"Infinity", b"1e999", b"9" * 5000, b'38.5, "value": 36.5'])
def test_t26_t27_t28_a_fhir_server_that_writes_such_numbers_has_not_answered(
    pulling: FlaskClient, fhir: Fhir, value: bytes
) -> None:
    bundle = (
        b'{"resourceType": "Bundle", "entry": [{"resource": {"resourceType": "Observation", "value": %s}}]}' % value
    )
    fhir.faults |= dict.fromkeys(("8310-5", "vital-signs"), ("200 OK", "application/fhir+json", bundle.decode()))
    body = answer(pulling, fhirServer=fhir.base)
    assert assessment(body)["status"] != "graded"
    assert "not JSON that can be read" in missing(body)


def test_t27_no_answer_holds_what_is_no_number(client: FlaskClient, filled: Json) -> None:
    paths = ("/cds-services", "/about", "/report?format=json", "/readyz")
    answers = [*map(client.get, paths), client.post(SERVICE, json=hook_call(PATIENT, prefetch=filled))]
    no_numbers: list[str] = []
    for found in answers:
        assert found.status_code == 200
        json.loads(found.text, parse_constant=no_numbers.append)
    assert no_numbers == []


COMMENTS = [
    "Grüße, 熱, \U0001f321, e\u0301",
    "\ufffe\uffff\U0010ffff",
    "\x01\x1f\x7f\x85 \u2028 \u202e \ufeff",
    "'; DROP TABLE feedback; --",
    "%s %(x)s {0} {{ 7 * 7 }} :name $1 ? \\",
    '<script>alert(1)</script> "quoted" `x`',
]


def test_t31_t74_whatever_is_no_half_character_is_kept_as_it_came_in_each_database(
    make_app: MakeApp, database: str
) -> None:
    client = make_app(database_url=database)
    for number, comment in enumerate(COMMENTS):
        entry = overridden(card=f"card-{number}", overrideReason={"userComment": f"x{comment}x"})
        assert client.post(f"{SERVICE}/feedback", json={"feedback": [entry]}).status_code == 200
    assert sorted(found.comment for found in kept(client)) == sorted(f"x{comment}x" for comment in COMMENTS)


@pytest.mark.parametrize("written", [b"\\u0000", b"\\ud800", b"\\udf21\\ud83c", b"\x00", b"\xff", b"\xed\xa0\x80"])
def test_t31_what_no_database_can_keep_is_refused_before_anything_is_decided(
    make_app: MakeApp, database: str, written: bytes
) -> None:
    client = make_app(database_url=database)
    entry = json.dumps({"feedback": [overridden(overrideReason={"userComment": "HERE"})]}).encode()
    view = json.dumps(call(prefetch=call()["prefetch"] | {"own": {"resourceType": "Basic", "id": "HERE"}})).encode()
    for path, body in ((f"{SERVICE}/feedback", entry), (SERVICE, view)):
        assert client.post(path, data=body.replace(b"HERE", b"x"), content_type="application/json").status_code == 200
        assert_refused(client.post(path, data=body.replace(b"HERE", written), content_type="application/json"), 400)
    assert len(kept(client)) == 1
    assert len(list(memory(client).store.answers(NOW - timedelta(days=1), NOW + timedelta(days=1)))) == 1

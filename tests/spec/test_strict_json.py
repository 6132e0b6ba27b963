"""JSON in: T25 to T28 and T31."""

import json
import time
from contextlib import suppress
from decimal import Decimal

import pytest
from hypothesis import example, given
from hypothesis import strategies as st

from cds_service.errors import InvalidRequest
from cds_service.fhir.strict_json import MAXIMUM_DEPTH, MAXIMUM_DIGITS, parse
from tests.chart import bounded


def refused(body: bytes) -> str:
    """What is said of a body that is refused."""
    with pytest.raises(InvalidRequest) as raised:
        parse(body)
    return raised.value.message


@pytest.mark.parametrize(
    ("body", "value"),
    [
        (b"38.6", Decimal("38.6")),
        (b"38.60", Decimal("38.60")),
        (b"100.40000000000001", Decimal("100.40000000000001")),
        (b"386e-1", Decimal("38.6")),
        (b"-0.5", Decimal("-0.5")),
        (b"38", 38),
        (b"-0", 0),
        (b"1e30", Decimal("1e30")),
        (b"5e-12", Decimal("5e-12")),
        (b"1e-30", Decimal("1e-30")),
        (b"0.0", Decimal(0)),
        (b"0e9", Decimal(0)),
        (b"0." + b"0" * 60, Decimal(0)),
        (b"9" * MAXIMUM_DIGITS, int("9" * MAXIMUM_DIGITS)),
        (b"true", True),
        (b"null", None),
        (b"[]", []),
        (b' {"a" : [1, "x"]} \n', {"a": [1, "x"]}),
        ('"38,6 °C \U0001f321"'.encode(), "38,6 °C \U0001f321"),
        (b'"\\ud83c\\udf21"', "\U0001f321"),
        (b'"\\\\u0000 \\\\ud800"', "\\u0000 \\ud800"),
    ],
)
def test_json_is_read_with_exact_numbers(body: bytes, value: object) -> None:
    assert parse(body) == value
    assert type(parse(body)) is type(value)


@pytest.mark.parametrize(
    "body",
    [
        b'{"value": 38.9, "value": 36.5}',
        b'{"a": {"value": 38.9, "value": 38.9}}',
        b'[{"a": 1, "b": 2, "\\u0061": 3}]',
        b'{"": 1, "": 2}',
        b'{"a" : 1, "a"\n: 2}',
        b'{":": 1, ":": 2}',
        b'{"\\"": ":", "\\"": ":"}',
        b'{"a\\\\": "}", "a\\\\": "{"}',
    ],
)
def test_t28_two_members_of_one_name_are_refused(body: bytes) -> None:
    assert "two members of one name" in refused(body)


@pytest.mark.parametrize("literal", [b"NaN", b"Infinity", b"-Infinity", b'{"value": NaN}', b"[1, -Infinity]"])
def test_t27_what_is_no_number_is_refused(literal: bytes) -> None:
    assert "which is not JSON" in refused(literal)


@pytest.mark.parametrize(
    "number",
    [
        b"9" * (MAXIMUM_DIGITS + 1),
        b"-" + b"9" * MAXIMUM_DIGITS,
        b"1" * 5000,
        b"1" * 3_000_000,
        b"0." + b"1" * MAXIMUM_DIGITS,
        b"1e31",
        b"1e-31",
        b"1e999",
        b"1e3000000",
        b"-1e-3000000",
        b"1e99999999999999999999",
        b"0e99999999999999999999",
        b"1e-99999999999999999999",
    ],
)
def test_t26_long_and_far_numbers_are_refused_at_once(number: bytes) -> None:
    for body in (number, b'{"value": ' + number + b"}"):
        before = time.perf_counter()
        assert "the body has a number" in refused(body)
        assert time.perf_counter() - before < 1


def nested(depth: int, left: bytes = b"[", right: bytes = b"]") -> bytes:
    return left * depth + right * depth


def test_t25_nesting_is_bounded_at_its_limit() -> None:
    parse(nested(MAXIMUM_DEPTH))
    parse(b'{"a":' * MAXIMUM_DEPTH + b"1" + b"}" * MAXIMUM_DEPTH)
    assert "nested deeper" in refused(nested(MAXIMUM_DEPTH + 1))
    assert "nested deeper" in refused(b'{"a":' * (MAXIMUM_DEPTH + 1) + b"1" + b"}" * (MAXIMUM_DEPTH + 1))


def test_t25_many_brackets_side_by_side_or_in_strings_are_no_depth() -> None:
    assert len(parse(b"[" + b",".join([b"[{}]"] * 200) + b"]")) == 200
    brackets = "[{" * 500 + '\\"' + "}]"
    assert parse(json.dumps([brackets, "\n[" * 99]).encode()) == [brackets, "\n[" * 99]


@pytest.mark.parametrize(
    "body",
    [
        nested(100_000),
        b'{"a":' * 100_000,
        b"[" * 70 + b'"' + b'\\"' * 400_000,
        b"[" * 70 + b'"' + b"\\" * 400_001,
        b'"' * 400_000 + b"[" * 70,
        b"[" * 70 + b'"\\\n"' + b"[" * 100_000,
        b"[]" * 400_000,
        b'["' + b"a" * 400_000,
    ],
)
def test_t25_a_hostile_body_is_refused_in_time_that_grows_with_its_length_only(body: bytes) -> None:
    before = time.perf_counter()
    refused(body)
    assert time.perf_counter() - before < 2


@pytest.mark.parametrize(
    ("body", "said"),
    [
        (b"\xff\xfe{\x00}\x00", "not UTF-8"),
        (b"\xed\xa0\x80", "not UTF-8"),
        (b'"\xc3"', "not UTF-8"),
        (b"\xef\xbb\xbf{}", "not JSON"),
        (b"{\x00}", "not JSON"),
        (b'"\x00"', "not JSON"),
        (b'"\n"', "not JSON"),
        (b'"\\u0000"', "the character NUL"),
        (b'{"a\\u0000": 1}', "the character NUL"),
        (b'"\\ud800"', "surrogate"),
        (b'["x", {"y": "\\uDFFF"}]', "surrogate"),
        (b'"\\udf21\\ud83c"', "surrogate"),
    ],
)
def test_t31_what_cannot_be_written_back_is_refused(body: bytes, said: str) -> None:
    assert said in refused(body)


@pytest.mark.parametrize(
    "body",
    [
        b"",
        b" ",
        b"{",
        b"}",
        b"[1,]",
        b"{'a': 1}",
        b"{a: 1}",
        b"01",
        b"+1",
        b".5",
        b"1.",
        b"0x10",
        b"tru",
        b"1 2",
        b'"',
        b"//",
    ],
)
def test_what_is_not_json_is_refused_with_its_place(body: bytes) -> None:
    assert "at line 1, column" in refused(body)


@pytest.mark.parametrize("body", [b'{"name": "Hallorann" "x"}', b'{"Hallorann": NaN}', b'["Hallorann", 1e99]'])
def test_what_is_said_of_a_body_holds_nothing_of_it(body: bytes) -> None:
    assert "Hallorann" not in refused(body)


@bounded
@given(st.binary(max_size=400))
@example(b'{"a":1,"a":1}')
def test_arbitrary_bytes_are_a_value_or_refused_and_nothing_else(body: bytes) -> None:
    with suppress(InvalidRequest):
        parse(body)


JSON_BYTES = st.lists(
    st.sampled_from(
        [
            b"{",
            b"}",
            b"[",
            b"]",
            b'"',
            b"\\",
            b":",
            b",",
            b"1",
            b"-",
            b".",
            b"e",
            b"9" * 70,
            b"u0000",
            b"ud800",
            b"\n",
            b"a",
        ]
    ),
    max_size=60,
).map(b"".join)


@bounded
@given(JSON_BYTES)
def test_bytes_that_look_like_json_are_a_value_or_refused_and_nothing_else(body: bytes) -> None:
    with suppress(InvalidRequest):
        parse(body)


PLAIN = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-(10**60), 10**60)
    | st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0")),
    lambda inner: (
        st.lists(inner, max_size=4)
        | st.dictionaries(
            st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=5), inner, max_size=4
        )
    ),
    max_leaves=12,
)


MARKED = st.text(st.sampled_from('"\\:,[]{}u0a '), max_size=6)


@bounded
@given(st.dictionaries(MARKED, MARKED | st.lists(MARKED, max_size=2), min_size=1, max_size=4))
def test_t28_what_looks_like_a_member_within_a_string_is_none(value: dict[str, object]) -> None:
    body = json.dumps(value).encode()
    assert parse(body) == value
    first = json.dumps(next(iter(value))).encode()
    assert "two members of one name" in refused(body[:-1] + b", " + first + b": 0}")


@bounded
@given(PLAIN)
def test_what_the_standard_writer_writes_is_read_back_unchanged(value: object) -> None:
    assert parse(json.dumps(value).encode()) == value
    assert parse(json.dumps(value, ensure_ascii=False).encode()) == value

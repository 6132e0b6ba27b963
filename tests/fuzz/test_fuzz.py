"""The corpus of the fuzzers, and what a few changes at random make of it: so the same functions run without atheris."""

import os
import time
from collections.abc import Iterator
from random import Random

import pytest

from cds_service.fhir.strict_json import parse
from cds_service.hooks.call import read_call
from tests.fuzz.harnesses import HARNESSES, SHAPES, answer
from tests.fuzz.run import CORPUS

TRIES = int(os.environ.get("CRS_TESTS_FUZZ", "300"))
SECONDS = 5
"""Generous: an input that is slow by its kind takes minutes, not seconds."""
PIECES = (
    b"null",
    b"[]",
    b"{}",
    b'""',
    b"-1",
    b"1e30",
    b"0.1",
    b"true",
    b'"\\u202e"',
    b"9999-12-31",
    b"\xff",
    b"|",
    b"<",
)


def seeds(name: str) -> list[bytes]:
    return [path.read_bytes() for path in sorted((CORPUS / name).iterdir())]


def spoiled(seed: bytes, others: list[bytes], random: Random) -> bytes:
    """A seed with a few changes: bytes cut, doubled or exchanged for those of another seed."""
    made = seed
    for _ in range(random.randint(1, 4)):
        start = random.randrange(len(made) + 1)
        end = min(len(made), start + random.choice((1, 2, 8, 64)))
        other = random.choice(others)
        at = random.randrange(len(other))
        piece = random.choice(
            (b"", made[start:end] * 2, random.choice(PIECES), other[at : at + random.randint(1, 200)])
        )
        made = made[:start] + piece + made[end:]
    return made


def values(seed: bytes, random: Random) -> Iterator[bytes]:
    """The seed with one of its values after another exchanged, which stays JSON."""
    text = seed.decode()
    places = [at for at, letter in enumerate(text) if letter == ":" and text[at : at + 2] == ": "]
    for at in random.sample(places, min(len(places), 40)):
        end = min(found for mark in ",\n" if (found := text.find(mark, at)) > 0)
        yield (text[: at + 2] + random.choice(PIECES[:9]).decode() + text[end:]).encode()


@pytest.mark.parametrize("name", HARNESSES)
def test_t25_t31_t72_no_input_makes_a_harness_fail(name: str) -> None:
    random = Random(20261122)  # noqa: S311 - the same inputs in every run
    known = seeds(name)
    changed = [spoiled(random.choice(known), known, random) for _ in range(TRIES)]
    if name != "words":
        changed += [made for seed in known for made in values(seed, random)]
    for data in (*known, *changed):
        began = time.monotonic()
        HARNESSES[name](data)
        assert time.monotonic() - began < SECONDS, data


def test_the_seeds_reach_what_they_are_for() -> None:
    """A harness that refuses all that it is given would find nothing."""
    for seed in seeds("bundle"):
        assert answer(parse(seed))["cards"]
    for seed in seeds("request"):
        parse(seed)
    readable = [parse(seed) for seed in seeds("request") if b'"hook": "' in seed]
    assert len([read_call(body, body["hook"], SHAPES[body["hook"]]) for body in readable]) == len(SHAPES)

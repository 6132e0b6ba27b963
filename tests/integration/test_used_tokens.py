"""A token is used once, whichever process it comes to (T19), and forgotten when nobody accepts it any more."""

import multiprocessing
from concurrent.futures import ProcessPoolExecutor, ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path

import pytest

from cds_service.errors import StoreUnavailable
from cds_service.store.store import FORGET, Store
from tests.records import HOUR
from tests.server import NOW

ISSUER = "https://ehr.example/auth"
LATER = NOW + HOUR
MINUTE = timedelta(minutes=1)


def first_use(database: str) -> bool:
    """Whether a process of its own was the first to use the token."""
    store = Store.open(database)
    try:
        return store.use_once(ISSUER, "t1", LATER, NOW)
    finally:
        store.close()


def test_t19_a_token_is_used_once(store: Store) -> None:
    assert store.use_once(ISSUER, "t1", LATER, NOW)
    assert not store.use_once(ISSUER, "t1", LATER, NOW)
    assert not store.use_once(ISSUER, "t1", LATER + HOUR, NOW)


@pytest.mark.parametrize(("issuer", "jti"), [(ISSUER, "t2"), ("https://other.example", "t1"), (f"{ISSUER}t", "1")])
def test_t19_another_token_and_another_issuer_s_is_another(store: Store, issuer: str, jti: str) -> None:
    assert store.use_once(ISSUER, "t1", LATER, NOW)
    assert store.use_once(issuer, jti, LATER, NOW)


@pytest.mark.parametrize("jti", ["", "a\0b", "\ud800", "x" * 100_000, "'; DROP TABLE used_tokens"], ids=ascii)
def test_t19_whatever_a_client_calls_its_token(store: Store, jti: str) -> None:
    assert [store.use_once(ISSUER, jti, LATER, NOW) for _ in range(2)] == [True, False]


def test_t19_of_many_uses_at_once_one_is_the_first(store: Store) -> None:
    with ThreadPoolExecutor(20) as workers:
        uses = list(workers.map(lambda _: store.use_once(ISSUER, "t1", LATER, NOW), range(100)))
    assert sum(uses) == 1


def test_t19_of_processes_that_use_it_at_once_one_is_the_first(database: str) -> None:
    with ProcessPoolExecutor(4, multiprocessing.get_context("spawn")) as services:
        assert sum(services.map(first_use, [database] * 8)) == 1


@pytest.mark.parametrize(
    ("after", "forgotten"), [(-timedelta(seconds=1), 0), (timedelta(0), 0), (timedelta(seconds=1), 1)]
)
def test_a_token_is_forgotten_only_after_the_last_instant_it_is_accepted(
    store: Store, after: timedelta, forgotten: int
) -> None:
    store.use_once(ISSUER, "t1", LATER, NOW)
    store.use_once(ISSUER, "t2", LATER + HOUR, NOW)
    assert store.forget_tokens(LATER + after) == forgotten
    assert store.use_once(ISSUER, "t1", LATER + HOUR, NOW) == bool(forgotten)
    assert not store.use_once(ISSUER, "t2", LATER + HOUR, NOW)


@pytest.mark.parametrize(
    ("after", "kept"), [(FORGET - timedelta(seconds=1), 1), (FORGET, 0), (FORGET + timedelta(seconds=1), 0)]
)
def test_a_service_that_runs_for_months_forgets_used_tokens_once_an_hour(
    store: Store, after: timedelta, kept: int
) -> None:
    """At its start only, the table would grow for as long as it is up."""
    store.use_once(ISSUER, "t1", NOW + MINUTE, NOW)
    store.ready()  # after what was begun beside the first use
    store.use_once(ISSUER, "t2", LATER + HOUR, NOW + after)
    store.ready()
    assert store.forget_tokens(NOW + after) == kept
    assert not store.use_once(ISSUER, "t2", LATER + HOUR, NOW + after)


def test_t19_when_it_cannot_be_known_nobody_is_told_that_it_is_the_first_use(tmp_path: Path) -> None:
    store = Store.open(f"sqlite:///{tmp_path}/none/store.db")
    with pytest.raises(StoreUnavailable):
        store.use_once(ISSUER, "t1", LATER, NOW)
    store.close()

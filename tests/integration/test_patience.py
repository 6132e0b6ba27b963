"""Nobody waits for the store longer than a moment, and while it is away nobody waits at all (T82)."""

from concurrent.futures import ThreadPoolExecutor
from threading import Event

import pytest

from cds_service.errors import StoreUnavailable
from cds_service.store.patience import AGAIN_SECONDS, Patience


class Clock:
    """A monotonic clock that is set by hand."""

    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


def away() -> None:
    raise StoreUnavailable("away")


def must_not_run() -> None:
    pytest.fail("the store was asked although it is away")


def test_work_that_is_done_in_time_gives_its_result_and_its_own_errors(clock: Clock) -> None:
    patience = Patience(1, 60, clock)
    assert patience.run(lambda: 7) == 7
    with pytest.raises(ZeroDivisionError):
        patience.run(lambda: 1 / 0)
    assert not patience.away
    patience.close()


def test_t82_after_a_failure_nobody_asks_until_it_is_time(clock: Clock) -> None:
    patience = Patience(1, 60, clock)
    with pytest.raises(StoreUnavailable):
        patience.run(away)
    for clock.now in (0, AGAIN_SECONDS - 0.001):
        with pytest.raises(StoreUnavailable):
            patience.run(must_not_run)
    clock.now = AGAIN_SECONDS
    assert patience.run(lambda: 7) == 7
    assert patience.run(lambda: 8) == 8
    patience.close()


def test_t82_whoever_must_know_may_ask_at_once_and_when_it_is_there_again_all_may(clock: Clock) -> None:
    patience = Patience(1, 60, clock)
    for _ in range(2):
        with pytest.raises(StoreUnavailable):
            patience.run(away, at_once=True)
    assert patience.away
    assert patience.run(lambda: 7, at_once=True) == 7
    assert patience.run(lambda: 8) == 8
    patience.close()


def test_t82_when_it_is_time_one_asks_and_the_others_do_not_wait(clock: Clock) -> None:
    patience, go, asked = Patience(1, 60, clock), Event(), Event()
    with pytest.raises(StoreUnavailable):
        patience.run(away)
    clock.now = AGAIN_SECONDS

    def slow() -> int:
        asked.set()
        go.wait(60)
        return 7

    with ThreadPoolExecutor(1) as caller:
        first = caller.submit(patience.run, slow)
        assert asked.wait(60)
        with pytest.raises(StoreUnavailable):
            patience.run(must_not_run)
        go.set()
        assert first.result(60) == 7
    patience.close()


def test_t82_a_store_that_hangs_is_given_up_and_found_again(clock: Clock) -> None:
    patience, go = Patience(1, 0.05, clock), Event()
    with pytest.raises(StoreUnavailable):
        patience.run(lambda: go.wait(60))
    with pytest.raises(StoreUnavailable):
        patience.run(must_not_run, at_once=True)  # the only thread still hangs
    go.set()
    assert patience.run(lambda: 7, at_once=True, seconds=60) == 7
    patience.close()


def test_a_store_that_is_closed_is_away() -> None:
    patience = Patience(1, 60)
    patience.close()
    with pytest.raises(StoreUnavailable):
        patience.run(must_not_run)

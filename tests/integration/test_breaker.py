"""The circuit breaker of a FHIR server: after failures in a row it is left alone for a while, and why is said (T50)."""

import time
from concurrent.futures import ThreadPoolExecutor
from contextlib import suppress
from threading import Barrier

import pytest

from cds_service.fhir import breaker as module
from cds_service.fhir.breaker import FAILURES, LONGEST_SECONDS, OPEN_SECONDS, SERVERS, Breaker, Breakers
from cds_service.fhir.deadline import Deadline, FhirFailure, ServerInTrouble
from tests.answers import PATIENT, Json, answer, assessment, missing, refusal
from tests.conftest import MakeApp
from tests.server import SECONDS, Fhir

DOWN = ("500 Oops", "text/plain", "")


class Clock:
    """A clock that stands still unless it is moved."""

    def __init__(self) -> None:
        self.now = 1000.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock() -> Clock:
    return Clock()


@pytest.fixture
def breaker(clock: Clock) -> Breaker:
    return Breaker(clock)


def ask(breaker: Breaker, failure: Exception | None = None, seconds: float = SECONDS) -> str:
    """One query that ends so; what it says."""
    try:
        with breaker.asking(Deadline.after(seconds)):
            if failure is not None:
                raise failure
    except FhirFailure as failed:
        return str(failed)
    return "answered"


def fail(breaker: Breaker, times: int, again: float | None = None) -> None:
    for _ in range(times):
        assert ask(breaker, ServerInTrouble("down", again)) == "down"


def test_t50_failures_in_a_row_open_it_and_one_less_does_not(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    assert ask(breaker) == "answered"
    fail(breaker, FAILURES - 1)
    fail(breaker, 1)
    said = f"the FHIR server failed {FAILURES} times in a row, it is asked again in {OPEN_SECONDS:.0f} s"
    assert ask(breaker) == said
    assert ask(breaker, ServerInTrouble("never asked")) == said


def test_t47_t48_what_speaks_of_the_query_and_not_of_the_server_does_not_open_it(breaker: Breaker) -> None:
    fail(breaker, FAILURES - 1)
    for _ in range(3 * FAILURES):
        assert ask(breaker, FhirFailure("the FHIR server does not permit it (HTTP 403)")).endswith("(HTTP 403)")
    fail(breaker, FAILURES - 1)
    assert ask(breaker) == "answered"


def test_t50_it_stays_open_for_its_time_and_says_how_much_is_left(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += OPEN_SECONDS - 0.1
    assert ask(breaker).endswith("asked again in 1 s")
    clock.now += 0.1
    assert ask(breaker) == "answered"
    assert ask(breaker) == "answered"


def test_t50_t56_one_query_tries_whether_the_server_answers_and_the_others_wait_for_what_it_finds(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, FAILURES)
    clock.now += OPEN_SECONDS
    with ThreadPoolExecutor(3) as others:
        with breaker.asking(Deadline.after(SECONDS)):
            waiting = [others.submit(ask, breaker) for _ in range(3)]
            assert not any(one.done() for one in waiting)
        assert [one.result() for one in waiting] == ["answered"] * 3
    assert ask(breaker) == "answered"


def test_t56_those_who_waited_for_a_try_that_fails_are_told_and_none_of_them_is_sent(
    breaker: Breaker, clock: Clock
) -> None:
    fail(breaker, FAILURES)
    clock.now += OPEN_SECONDS
    with ThreadPoolExecutor(3) as others:
        with suppress(ServerInTrouble), breaker.asking(Deadline.after(SECONDS)):
            waiting = [others.submit(ask, breaker, ServerInTrouble("sent")) for _ in range(3)]
            raise ServerInTrouble("down")
        said = f"the FHIR server failed {FAILURES + 1} times in a row, it is asked again in {OPEN_SECONDS:.0f} s"
        assert [one.result() for one in waiting] == [said] * 3


def test_t56_nobody_waits_for_a_try_longer_than_for_the_deadline(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += OPEN_SECONDS
    with breaker.asking(Deadline.after(SECONDS)):
        started = time.monotonic()
        said = ask(breaker, seconds=0.1)
        assert 0.1 <= time.monotonic() - started < SECONDS
    assert said == f"the FHIR server failed {FAILURES} times in a row, it is being asked again just now"


def test_t56_an_older_query_that_is_answered_ends_the_wait_for_a_try(breaker: Breaker, clock: Clock) -> None:
    older, probe = breaker.asking(Deadline.after(SECONDS)), breaker.asking(Deadline.after(SECONDS))
    with older:
        fail(breaker, FAILURES)
        clock.now += OPEN_SECONDS
        probe.__enter__()
    assert ask(breaker) == "answered"
    probe.__exit__(None, None, None)


def test_t50_a_try_that_fails_leaves_the_server_alone_for_as_long_again(breaker: Breaker, clock: Clock) -> None:
    fail(breaker, FAILURES)
    clock.now += OPEN_SECONDS
    fail(breaker, 1)
    assert ask(breaker).startswith(f"the FHIR server failed {FAILURES + 1} times in a row")
    clock.now += OPEN_SECONDS
    assert ask(breaker) == "answered"
    fail(breaker, FAILURES - 1)
    assert ask(breaker) == "answered", "counted from the start"


@pytest.mark.parametrize(
    ("again", "seconds"),
    [(0.2, OPEN_SECONDS), (OPEN_SECONDS + 5, OPEN_SECONDS + 5), (1e9, LONGEST_SECONDS)],
)
def test_t49_a_server_that_says_for_how_long_is_left_alone_until_then_within_limits(
    breaker: Breaker, clock: Clock, again: float, seconds: float
) -> None:
    fail(breaker, FAILURES, again)
    clock.now += seconds - 1
    assert ask(breaker).endswith("asked again in 1 s")
    clock.now += 1
    assert ask(breaker) == "answered"


def test_t56_of_many_threads_one_tries_and_no_failure_is_lost_in_the_count(breaker: Breaker, clock: Clock) -> None:
    together = Barrier(32)

    def failing(_: int) -> str:
        try:
            with breaker.asking(Deadline.after(SECONDS)):
                together.wait(SECONDS)
                raise ServerInTrouble("down")
        except ServerInTrouble:
            return "failed"

    tried = []

    def trying(number: int) -> str:
        try:
            with breaker.asking(Deadline.after(SECONDS)):
                tried.append(number)
                time.sleep(0.1)
                raise ServerInTrouble("still down")
        except FhirFailure as failure:
            return str(failure)

    with ThreadPoolExecutor(32) as threads:
        assert set(threads.map(failing, range(32))) == {"failed"}
        assert "failed 32 times in a row" in ask(breaker)
        clock.now += OPEN_SECONDS
        said = list(threads.map(trying, range(32)))
    assert len(tried) == 1
    assert said.count("still down") == 1
    assert sum("failed 33 times in a row, it is asked again in" in one for one in said) == 31


def test_each_server_has_its_own_and_no_more_than_so_many_are_remembered(clock: Clock) -> None:
    breakers = Breakers(clock)
    fail(breakers.of("http://one"), FAILURES)
    assert ask(breakers.of("http://two")) == "answered"
    assert "in a row" in ask(breakers.of("http://one"))
    for number in range(SERVERS - 1):
        breakers.of(f"http://one/{number}")
    assert "in a row" in ask(breakers.of("http://one"))
    for number in range(SERVERS):
        breakers.of(f"http://one/{number}")
    assert ask(breakers.of("http://one")) == "answered", "forgotten, and so closed"


# In hook calls


def test_t50_a_server_that_fails_is_no_longer_asked_and_the_refusal_says_why(make_app: MakeApp, fhir: Fhir) -> None:
    client = make_app(fhir_servers=fhir.base)
    fhir.faults["/fhir/"] = DOWN
    assert "HTTP 500" in refusal(client, fhirServer=fhir.base)
    assert "HTTP 500" in refusal(client, fhirServer=fhir.base)
    assert len(fhir.asked) == FAILURES
    assert f"therapies (the FHIR server failed {FAILURES} times in a row, it is asked again in" in refusal(
        client, fhirServer=f"{fhir.base}/"
    ), "however the address is written"
    assert len(fhir.asked) == FAILURES


def test_t50_while_a_server_is_left_alone_what_was_prefetched_is_graded_and_the_rest_is_said(
    make_app: MakeApp, fhir: Fhir, filled: Json
) -> None:
    client = make_app(fhir_servers=fhir.base)
    fhir.faults["/fhir/"] = DOWN
    for _ in range(2):
        refusal(client, fhirServer=fhir.base)
    fhir.reset()
    del filled["oxygen"]
    body = answer(client, prefetch=filled, fhirServer=fhir.base)
    assert fhir.asked == []
    assert (assessment(body)["status"], assessment(body)["grade"]) == ("provisional", 3)
    assert f"the FHIR server failed {FAILURES} times in a row" in missing(body)


def test_t56_the_hook_that_finds_the_server_well_again_has_all_of_its_data(
    make_app: MakeApp, fhir: Fhir, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(module, "OPEN_SECONDS", 0.01)
    client = make_app(fhir_servers=fhir.base)
    fhir.faults["/fhir/"] = DOWN
    for _ in range(2):
        refusal(client, fhirServer=fhir.base)
    fhir.reset()
    fhir.delay_seconds = 0.1
    time.sleep(0.05)
    body = answer(client, fhirServer=fhir.base)
    assert (assessment(body)["status"], assessment(body)["grade"]) == ("graded", 3)
    assert "FHIR server" not in missing(body)


def test_one_servers_failures_do_not_touch_another(make_app: MakeApp, fhir: Fhir, story_server: Fhir) -> None:
    other = fhir.base.replace("127.0.0.1", "localhost")
    client = make_app(fhir_servers=f"{fhir.base},{other}")
    fhir.faults["/fhir/"] = DOWN
    for _ in range(3):
        refusal(client, fhirServer=fhir.base)
    fhir.reset()
    assert assessment(answer(client, PATIENT, fhirServer=other))["grade"] == 3
    assert "in a row" in refusal(client, fhirServer=fhir.base)


def test_t47_servers_that_permit_nothing_are_asked_each_time(make_app: MakeApp, fhir: Fhir) -> None:
    client = make_app(fhir_servers=fhir.base)
    fhir.faults["/fhir/"] = ("403 Forbidden", "text/plain", "")
    for _ in range(FAILURES):
        assert "does not permit it" in refusal(client, fhirServer=fhir.base)
    assert len(fhir.asked) == 4 * FAILURES

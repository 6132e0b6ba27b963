"""Whether a record was changed, removed or added by hand is found out by walking the chain (T87)."""

from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest
from sqlalchemy import Engine, text

from cds_service.store.batches import BATCH
from cds_service.store.chain import Head
from cds_service.store.database import database as parsed
from cds_service.store.database import new_engine
from cds_service.store.records import Reason, Response
from cds_service.store.store import Store
from tests.records import HOUR, answer, card, said
from tests.server import NOW

ACCEPTED = Response.ACCEPTED
DAY = timedelta(days=1)
Change = Callable[[str], None]
COLUMNS = "card, service, client, outcome, accepted, reasons, comment, at, received_at"
COPY = f"INSERT INTO feedback (digest, {COLUMNS}) SELECT 'new', {COLUMNS} FROM feedback"  # noqa: S608 - of our own


@pytest.fixture
def by_hand(database: str) -> Iterator[Change]:
    """Changes the database behind the service's back."""
    engine: Engine = new_engine(parsed(database))

    def change(statement: str) -> None:
        with engine.begin() as connection:
            connection.execute(text(statement))

    yield change
    engine.dispose()


@pytest.fixture
def filled(store: Store) -> Store:
    """Three answers, the second with two cards, and feedback: four links."""
    store.add_answer(answer(id="a1"))
    store.add_answer(answer(card("c1"), card("c2", shown=False), id="a2"))
    reasons = (Reason(code="c", system="urn:s", display="d"),)
    store.add_feedback([said(ACCEPTED, "c1", reasons=reasons, comment="é", accepted=("s1",))])
    store.add_answer(answer(id="a3"))
    return store


def test_t87_what_nobody_touched_is_found_whole(filled: Store) -> None:
    verdict = filled.verify()
    assert (verdict.records, verdict.head.position, verdict.purged_before, list(verdict.faults)) == (4, 4, None, [])


def test_t87_an_empty_store_is_whole(store: Store) -> None:
    verdict = store.verify()
    assert (verdict.records, verdict.head.position, list(verdict.faults)) == (0, 0, [])


@pytest.mark.parametrize(
    ("statement", "link", "said"),
    [
        ("UPDATE answers SET grade = 1 WHERE id = 'a2'", 2, "answer a2 was changed"),
        ("UPDATE answers SET assessment = '{}' WHERE id = 'a1'", 1, "answer a1 was changed"),
        ("UPDATE answers SET reason = 'x' WHERE id = 'a3'", 4, "answer a3 was changed"),
        ("UPDATE cards SET advice = 'more' WHERE uuid = 'c2'", 2, "answer a2 was changed"),
        ("DELETE FROM cards WHERE uuid = 'c1'", 2, "answer a2 was changed"),
        ("UPDATE feedback SET comment = 'x'", 3, "was changed"),
        ("UPDATE feedback SET outcome = 'overridden'", 3, "was changed"),
        ("DELETE FROM feedback", 3, "was removed"),
        ("DELETE FROM answers WHERE id = 'a1'", 1, "answer a1 was removed"),
        ("DELETE FROM answers WHERE id = 'a3'", 4, "answer a3 was removed"),
        ("UPDATE links SET hash = digest WHERE position = 2", 2, "was changed or removed"),
        ("UPDATE links SET digest = hash WHERE position = 4", 4, "was changed or removed"),
        ("DELETE FROM links WHERE position = 3", 4, "was changed or removed"),
    ],
)
def test_t87_what_was_changed_or_removed_by_hand_is_named(
    filled: Store, by_hand: Change, statement: str, link: int, said: str
) -> None:
    by_hand(statement)
    faults = filled.verify().faults
    assert any(fault.startswith(f"link {link}: ") and fault.endswith(said) for fault in faults), faults


@pytest.mark.parametrize(
    ("statement", "said"),
    [
        ("DELETE FROM links WHERE position = 1", "does not begin where the last purge left it"),
        ("DELETE FROM links WHERE position = 4", "1 records of answer stand in no link"),
        (COPY, "1 records of feedback stand in no link"),
    ],
    ids=["first link", "last link", "added"],
)
def test_t87_what_stands_beside_the_chain_is_found(filled: Store, by_hand: Change, statement: str, said: str) -> None:
    by_hand(statement)
    faults = filled.verify().faults
    assert any(said in fault for fault in faults), faults


def test_t87_an_end_that_was_removed_with_its_links_is_found_by_a_head_of_before(
    filled: Store, by_hand: Change
) -> None:
    head = filled.verify().head
    filled.add_answer(answer(id="a4"))
    assert list(filled.verify(head).faults) == []
    for statement in ("DELETE FROM answers WHERE id IN ('a3', 'a4')", "DELETE FROM links WHERE position >= 4"):
        by_hand(statement)
    assert list(filled.verify().faults) == []
    [fault] = filled.verify(head).faults
    assert fault.startswith(f"the head {head} does not stand in the chain")
    assert filled.verify(replace(head, hash="0" * 64)).faults


def test_t87_what_is_written_again_is_no_second_link(filled: Store) -> None:
    entry = said(ACCEPTED, "c1")
    filled.add_feedback([entry, entry])
    filled.add_feedback([entry])
    filled.add_answer(answer(id="a1"))
    filled.deliver([answer(id="a1"), answer(id="a4"), answer(id="a4")])
    verdict = filled.verify()
    assert (verdict.records, verdict.head.position, list(verdict.faults)) == (6, 6, [])


def test_t83_t87_many_writers_at_once_make_one_chain(database: str) -> None:
    def work(place: int) -> None:
        store = stores[place % len(stores)]
        store.deliver([answer(card(f"c{place}"), id=f"a{place}")])
        assert store.add_feedback([said(ACCEPTED, f"c{place}")]) == 1

    stores = [Store.open(database, patience_seconds=60) for _ in range(3)]
    with ThreadPoolExecutor(6) as workers:
        list(workers.map(work, range(60)))
    verdict = stores[0].verify()
    for store in stores:
        store.close()
    assert (verdict.records, verdict.head.position, list(verdict.faults)) == (120, 120, [])


def test_t87_a_chain_longer_than_a_batch_is_walked_whole(store: Store, by_hand: Change) -> None:
    store.deliver([answer(card(f"c{place}"), id=f"a{place}") for place in range(BATCH + 2)])
    assert store.verify().records == BATCH + 2
    by_hand("UPDATE cards SET topic = 'x' WHERE uuid = 'c501'")
    [fault] = store.verify().faults
    assert "answer a501 was changed" in fault


# --- a purge ----------------------------------------------------------------------------------------------------------


@pytest.fixture
def aged(store: Store) -> Store:
    """An answer and feedback of each of four hours; one of the oldest was delivered late, after a newer one."""
    for hours in (4, 3, 2):
        store.add_answer(answer(card(f"c{hours}"), id=f"a{hours}", at=NOW - hours * HOUR))
        store.add_feedback([said(ACCEPTED, f"c{hours}", received_at=NOW - hours * HOUR)])
    store.deliver([answer(id="late", at=NOW - 4 * HOUR), answer(id="a1", at=NOW - HOUR)])
    return store


@pytest.mark.parametrize(
    ("hours", "records", "links"), [(5, 8, 8), (4, 8, 8), (3.5, 5, 8), (2.5, 3, 6), (1, 1, 3), (0, 0, 2)]
)
def test_t87_a_purge_is_a_link_and_what_it_removed_is_not_missed(
    aged: Store, by_hand: Change, hours: float, records: int, links: int
) -> None:
    before = NOW - hours * HOUR
    head = aged.verify().head
    gone = aged.purge(before)
    verdict = aged.verify()
    assert (verdict.records, list(verdict.faults)) == (records, [])
    assert verdict.purged_before == (before if gone.answers else None)
    assert list(aged.verify(head).faults) == []
    aged.add_answer(answer(id="new"))
    assert list(aged.verify().faults) == []
    by_hand("DELETE FROM answers WHERE id = 'new'")
    assert any("answer new was removed" in fault for fault in aged.verify().faults)


def test_t87_purges_one_after_the_other_also_of_less_than_before_stay_whole(aged: Store) -> None:
    for hours in (3.5, 4.5, 2.5, 3, 1.5, 0):
        aged.add_answer(answer(at=NOW - 5 * HOUR))
        aged.purge(NOW - hours * HOUR)
        assert list(aged.verify().faults) == []
    assert aged.verify().records == 0


def test_t87_what_a_purge_would_not_have_removed_is_missed(aged: Store, by_hand: Change) -> None:
    aged.purge(NOW - 3.5 * HOUR)
    by_hand("DELETE FROM feedback WHERE card = 'c3'")
    assert len(aged.verify().faults) == 1


def test_t87_links_that_a_purge_left_cannot_be_removed_and_a_head_it_removed_is_said_so(
    aged: Store, by_hand: Change
) -> None:
    first = Head(position=1, hash="0" * 64)
    aged.purge(NOW - 2.5 * HOUR)
    assert any("a purge removed it" in fault for fault in aged.verify(first).faults)
    by_hand("DELETE FROM links WHERE position = (SELECT min(position) FROM links)")
    assert any("does not begin where" in fault for fault in aged.verify().faults)

"""Records wait in the spool while the store is away: on the disk before the answer, delivered once, never lost."""

import fcntl
import os
import subprocess
import sys
from collections.abc import Callable, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta
from pathlib import Path

import pytest
from sqlalchemy.exc import DataError

from cds_service.errors import StoreUnavailable
from cds_service.store import spool as spool_module
from cds_service.store.records import AnswerRecord
from cds_service.store.spool import Spool
from tests.records import answer, card
from tests.server import NOW, ROOT

DAY = timedelta(days=1)


class Kept(list[AnswerRecord]):
    """A store that takes what is delivered, or refuses."""

    error: Exception | None = None

    def keep(self, records: Sequence[AnswerRecord]) -> None:
        if self.error is not None:
            raise self.error
        self.extend(records)


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "spool"


def test_t82_what_waits_is_delivered_as_it_was_and_then_gone(folder: Path) -> None:
    given = [answer(card("a"), card("b", shown=False, grade=None), encounter="e", grade=None), answer(at=NOW)]
    spool, store = Spool(folder), Kept()
    for record in given:
        spool.append(record)
    assert spool.bytes() > 0
    assert spool.deliver(store.keep) == 2
    assert [replace(record, assessment={}) for record in store] == [replace(record, assessment={}) for record in given]
    assert (spool.bytes(), list(folder.iterdir()), spool.deliver(store.keep)) == (0, [], 0)


def test_no_word_of_the_health_record_waits_in_the_spool(folder: Path) -> None:
    spool = Spool(folder)
    evidence = {"reference": "Observation/canary", "display": "canary", "time": "2026-11-22T11:00:00Z"}
    spool.append(
        answer(assessment={"findings": [{"criterion": "fever", "evidence": [evidence]}], "missing": ["canary"]})
    )
    [file] = folder.iterdir()
    assert b"canary" not in file.read_bytes()
    assert (folder.stat().st_mode | file.stat().st_mode) & 0o077 == 0


def test_t82_what_a_store_that_is_away_does_not_take_waits_on(folder: Path) -> None:
    spool, store = Spool(folder), Kept()
    spool.append(answer(id="a"))
    store.error = StoreUnavailable("away")
    with pytest.raises(StoreUnavailable):
        spool.deliver(store.keep)
    spool.append(answer(id="b"))
    store.error = None
    assert spool.deliver(store.keep) == 2
    assert {record.id for record in store} == {"a", "b"}


WRITER = """
import sys
from pathlib import Path
from cds_service.store.spool import Spool
from tests.records import answer
spool = Spool(Path(sys.argv[1]))
for place in range(100_000):
    spool.append(answer(id=f"{sys.argv[2]}-{place}"))
    print(f"{sys.argv[2]}-{place}", flush=True)
"""


def test_t82_t85_a_file_in_use_is_left_alone_and_after_kill_9_all_that_was_acknowledged_is_delivered(
    folder: Path,
) -> None:
    command = [sys.executable, "-c", WRITER, str(folder)]
    store = Kept()
    with subprocess.Popen([*command, "p"], cwd=ROOT, stdout=subprocess.PIPE, text=True) as writer:
        assert writer.stdout is not None
        acknowledged = [next(writer.stdout).strip() for _ in range(20)]
        assert Spool(folder).deliver(store.keep) == 0
        writer.kill()
        acknowledged += writer.stdout.read().split()
    assert Spool(folder).deliver(store.keep) >= len(acknowledged)
    assert set(acknowledged) <= {record.id for record in store}
    assert list(folder.iterdir()) == []


def test_t85_half_a_line_was_never_acknowledged_and_harms_no_other(folder: Path) -> None:
    spool, store = Spool(folder), Kept()
    spool.append(answer(id="a"))
    spool.release()
    [file] = folder.iterdir()
    file.write_bytes(file.read_bytes() + file.read_bytes()[:-20])
    assert spool.deliver(store.keep) == 1
    assert list(folder.iterdir()) == []


def test_a_line_that_is_damaged_is_put_aside_with_its_file_after_the_others_were_delivered(folder: Path) -> None:
    spool, store = Spool(folder), Kept()
    spool.append(answer(id="a"))
    spool.release()
    [file] = folder.iterdir()
    file.write_bytes(b'{"id": "torn"\n' + file.read_bytes())
    assert spool.deliver(store.keep) == 1
    assert [record.id for record in store] == ["a"]
    assert [left.suffix for left in folder.iterdir()] == [".refused"]
    assert (spool.bytes(), spool.refused_bytes() > 0) == (0, True)
    assert spool.deliver(store.keep) == 0


def test_what_a_store_that_works_refuses_does_not_hold_up_the_others(folder: Path) -> None:
    spool, store = Spool(folder), Kept()
    spool.append(answer(id="a"))
    store.error = DataError("", {}, Exception())
    spool.deliver(store.keep)
    store.error = None
    spool.append(answer(id="b"))
    spool.deliver(store.keep)
    assert [record.id for record in store] == ["b"]
    assert spool.refused_bytes() > 0


@pytest.mark.parametrize(("room", "kept"), [(0, 3), (1, 3), (-1, 2)], ids=["just enough", "more", "a byte too little"])
def test_t84_the_spool_is_bounded(folder: Path, room: int, kept: int) -> None:
    records = [answer(id=name) for name in "abc"]
    measure = Spool(folder)
    for record in records:
        measure.append(record)
    limit = measure.bytes() + room
    measure.deliver(Kept().keep)
    spool, store = Spool(folder, maximum_bytes=limit), Kept()
    for record in records[:kept]:
        spool.append(record)
    if kept < 3:
        with pytest.raises(StoreUnavailable, match="no more are kept"):
            spool.append(records[2])
    assert spool.deliver(store.keep) == kept


def test_t84_a_disk_that_is_full_in_mid_write_leaves_no_half_line(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    spool, store = Spool(folder), Kept()
    spool.append(answer(id="a"))
    real = os.write

    def full(descriptor: int, data: bytes) -> int:
        return real(descriptor, data[: len(data) // 2])

    monkeypatch.setattr(os, "write", full)
    with pytest.raises(StoreUnavailable, match="cannot be written"):
        spool.append(answer(id="lost"))
    monkeypatch.setattr(os, "write", real)
    spool.append(answer(id="b"))
    assert spool.deliver(store.keep) == 2
    assert [record.id for record in store] == ["a", "b"]


def test_t84_a_folder_that_cannot_be_made_is_said_so(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(StoreUnavailable, match="state folder"):
        Spool(tmp_path / "file" / "spool").append(answer())


@pytest.mark.parametrize("error", [None, DataError("", {}, Exception())], ids=["delivered", "put aside"])
def test_a_file_that_another_took_between_our_opening_and_our_lock_is_left_to_it(
    folder: Path, monkeypatch: pytest.MonkeyPatch, error: Exception | None
) -> None:
    spool, others, store = Spool(folder), Kept(), Kept()
    others.error = error
    spool.append(answer(id="a"))
    spool.release()

    def other_is_faster(descriptor: int, how: int) -> None:
        monkeypatch.setattr(spool_module, "flock", fcntl.flock)
        assert Spool(folder).deliver(others.keep) == 1
        fcntl.flock(descriptor, how)

    monkeypatch.setattr(spool_module, "flock", other_is_faster)
    assert spool.deliver(store.keep) == 0
    assert store == []
    assert spool.bytes() == 0


def test_appending_and_delivering_at_once_from_many_threads_and_two_spools_loses_nothing(folder: Path) -> None:
    spools, store = [Spool(folder), Spool(folder)], Kept()

    def work(place: int) -> None:
        act: Callable[[], object] = lambda: spools[place % 2].append(answer(id=str(place)))  # noqa: E731
        if place % 5 == 0:
            act = lambda: spools[place % 2].deliver(store.keep)  # noqa: E731
        act()

    with ThreadPoolExecutor(8) as workers:
        list(workers.map(work, range(200)))
    for spool in spools:
        spool.deliver(store.keep)
    assert {record.id for record in store} == {str(place) for place in range(200) if place % 5}
    assert list(folder.iterdir()) == []

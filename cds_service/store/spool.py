"""The spool: answers that could not be kept in the store wait in files until they can (T82).

Each process appends to a file of its own, which it holds locked, one record a line, on the disk before the answer is
given. A file that nobody holds is delivered by whichever process comes first: also those of a process that was killed,
after the next start. A record that is delivered twice is kept once, so a file is removed only after all of it is kept.
"""

import os
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import replace
from fcntl import LOCK_EX, LOCK_NB, flock
from pathlib import Path
from threading import Lock
from uuid import uuid4

from pydantic import TypeAdapter, ValidationError
from sqlalchemy.exc import DatabaseError

from cds_service.errors import StoreUnavailable
from cds_service.store.records import AnswerRecord
from cds_service.store.rows import anonymous

SPOOL_BYTES = 200_000_000
"""All files together: some fifty thousand answers."""
DELIVERED_AT_ONCE = 500
WAITING, REFUSED = ".jsonl", ".refused"

_RECORD = TypeAdapter(AnswerRecord)


class Spool:
    """The files of one folder, which is made when it is needed."""

    def __init__(self, folder: Path, maximum_bytes: int = SPOOL_BYTES) -> None:
        self._folder = folder
        self._maximum = maximum_bytes
        self._lock = Lock()
        self._file: int | None = None

    def append(self, record: AnswerRecord) -> None:
        """Keep a record; it is on the disk on return. Raises StoreUnavailable when it cannot be: full, or read-only."""
        kept = replace(record, assessment=anonymous(record.assessment))
        line = _RECORD.dump_json(kept) + b"\n"
        with self._lock:
            try:
                if self.bytes() + self.refused_bytes() + len(line) > self._maximum:
                    raise StoreUnavailable(f"{self._maximum} bytes of records wait for the store: no more are kept")
                if self._file is None:
                    self._file = self._new()
                _write(self._file, line)
            except OSError as error:
                raise StoreUnavailable(f"a record cannot be written to the state folder: {error.strerror}") from error

    def deliver(self, keep: Callable[[Sequence[AnswerRecord]], None]) -> int:
        """Hand on what waits, file by file; each is removed when all of it is kept. How many records.

        Raises StoreUnavailable when `keep` does: what is not kept yet is still there. What a store that works refuses,
        or what cannot be read, is put aside, so that the others do not wait for it.
        """
        self.release()
        number = 0
        for file in self._files(WAITING):
            with _held(file) as ours:
                if ours:
                    number += _deliver(file, keep)
        return number

    def release(self) -> None:
        """Append to the present file no more, so that it can be delivered by anybody."""
        with self._lock:
            if self._file is not None:
                os.close(self._file)
                self._file = None

    def bytes(self) -> int:
        """How much waits, of all processes that share the folder."""
        return sum(_size(file) for file in self._files(WAITING))

    def refused_bytes(self) -> int:
        """How much was put aside because it cannot be read, or is refused by a store that works."""
        return sum(_size(file) for file in self._files(REFUSED))

    def _files(self, kind: str) -> list[Path]:
        return list(self._folder.glob(f"*{kind}"))

    def _new(self) -> int:
        """A file of this process. It has its name only when it is locked, so that nobody takes it for left behind."""
        self._folder.mkdir(mode=0o700, exist_ok=True)
        name = uuid4().hex
        unnamed = self._folder / f".{name}"
        descriptor = os.open(unnamed, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_APPEND, 0o600)
        try:
            flock(descriptor, LOCK_EX)
            unnamed.rename(self._folder / f"{name}{WAITING}")
            _sync(self._folder)
        except OSError:
            os.close(descriptor)
            raise
        return descriptor


def _write(descriptor: int, line: bytes) -> None:
    """The whole line on the disk, or nothing of it."""
    before = os.fstat(descriptor).st_size
    try:
        if os.write(descriptor, line) < len(line):
            raise OSError(None, "the disk is full")
        os.fsync(descriptor)
    except OSError:
        os.ftruncate(descriptor, before)
        raise


@contextmanager
def _held(file: Path) -> Iterator[bool]:
    """Whether nobody else holds the file; if so this process does."""
    try:
        descriptor = os.open(file, os.O_RDONLY)
    except FileNotFoundError:  # delivered by another process meanwhile
        yield False
        return
    try:
        flock(descriptor, LOCK_EX | LOCK_NB)
    except BlockingIOError:
        yield False
    else:
        yield _has_still_its_name(file, descriptor)
    finally:
        os.close(descriptor)


def _has_still_its_name(file: Path, descriptor: int) -> bool:
    """Another may have delivered or put aside the file between our opening and our lock."""
    try:
        return os.path.samestat(file.stat(), os.fstat(descriptor))
    except FileNotFoundError:
        return False


def _deliver(file: Path, keep: Callable[[Sequence[AnswerRecord]], None]) -> int:
    records, sound = _read(file)
    try:
        for start in range(0, len(records), DELIVERED_AT_ONCE):
            keep(records[start : start + DELIVERED_AT_ONCE])
    except DatabaseError:
        sound = False
    if sound:
        file.unlink()
    else:
        file.rename(file.with_suffix(REFUSED))
    return len(records)


def _read(file: Path) -> tuple[list[AnswerRecord], bool]:
    """The records of a file, and whether every whole line is one.

    Half a line at the end was never acknowledged: its process was killed while it wrote.
    """
    records, sound = [], True
    for line in file.read_bytes().splitlines(keepends=True):
        if line.endswith(b"\n"):
            try:
                records.append(_RECORD.validate_json(line))
            except ValidationError:
                sound = False
    return records, sound


def _size(file: Path) -> int:
    try:
        return file.stat().st_size
    except FileNotFoundError:
        return 0


def _sync(folder: Path) -> None:
    """The name of a new file survives a loss of power."""
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)

"""Many rows at once: a batch in one statement, and which of them are there already."""

from collections.abc import Collection, Iterator, Sequence
from functools import cache
from typing import TypeVar

from sqlalchemy import Column, Connection, Select, bindparam, select

BATCH = 500
"""Rows that are written or read at once."""

R = TypeVar("R")


def batches(records: Sequence[R]) -> Iterator[Sequence[R]]:
    """The records in their order, a batch at a time."""
    return (records[start : start + BATCH] for start in range(0, len(records), BATCH))


def known(connection: Connection, column: Column[str], keys: Collection[str]) -> set[str]:
    """Which of the keys are there."""
    return set(connection.execute(_among(column), {"keys": list(keys)}).scalars())


@cache
def _among(column: Column[str]) -> Select[str]:
    return select(column).where(column.in_(bindparam("keys", expanding=True)))

"""Nothing grows under load (T92): a short form of `make soak`, run where CRS_TESTS_SOAK names its seconds."""

import os
from pathlib import Path
from typing import Any

import pytest

from tests.soak import Use, grown, soaked

SECONDS = float(os.environ.get("CRS_TESTS_SOAK", "0"))


def use(megabytes: float = 100, threads: int = 10, descriptors: int = 20) -> Use:
    return Use(megabytes=megabytes, threads=threads, descriptors=descriptors)


@pytest.mark.parametrize(
    ("last", "said"),
    [
        (use(), None),
        (use(megabytes=105), None),
        (use(megabytes=106), "megabytes"),
        (use(threads=11), "threads"),
        (use(descriptors=32), None),
        (use(descriptors=33), "descriptors"),
    ],
)
def test_t92_growth_is_seen(last: Use, said: str | None) -> None:
    found = grown([use(50, 5, 5)] * 3 + [use()] * 5 + [last])
    assert (found is None) if said is None else (found is not None and found.startswith(said))


@pytest.mark.skipif(not SECONDS, reason="CRS_TESTS_SOAK names no seconds")
def test_t92_nothing_grows_under_load(tmp_path: Path, filled: dict[str, Any]) -> None:
    assert grown(soaked(tmp_path, filled, SECONDS, print)) is None

"""Calls are answered while something else is away (T51, T82, T89): a short form of `make available`."""

from collections.abc import Callable
from pathlib import Path

import pytest

from tests.available import Figures, another_hangs, database_away, ehr_down


@pytest.mark.parametrize(
    "measure",
    [
        pytest.param(ehr_down, id="its EHR is down"),
        pytest.param(database_away, id="its database is away"),
        pytest.param(another_hangs, id="another EHR hangs"),
    ],
)
def test_t51_t82_t89_every_call_is_answered_while(
    measure: Callable[[Path, float], list[Figures]], tmp_path: Path
) -> None:
    for figures in measure(tmp_path, 3):
        assert figures.calls > 10
        assert figures.answered == 1

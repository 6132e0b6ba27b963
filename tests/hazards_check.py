"""The run of the whole suite fails when a row that blocks a release has no test that passed.

Of a selection nothing can be said, so it is not judged; nor is the part of the suite that one of several workers runs:
what all of them saw is judged where they report to.
"""

from collections.abc import Iterable

import pytest

from tests.hazards_table import Hazard, shows

SELECTIONS = ("collectonly", "keyword", "markexpr", "deselect", "lf", "stepwise")
"""Options by which fewer tests are run. Workers say what they selected to nobody, so the options must."""


class HazardsCheck:
    """Counts the rows that passing tests show, and judges at the end."""

    def __init__(self, config: pytest.Config, hazards: Iterable[Hazard]) -> None:
        self._gates = [row for row in hazards if row.gate]
        self._shown: set[str] = set()
        self._whole = (
            config.args_source is pytest.Config.ArgsSource.TESTPATHS
            and not any(config.getoption(option, default=False) for option in SELECTIONS)
            and not hasattr(config, "workerinput")
        )

    def pytest_runtest_logreport(self, report: pytest.TestReport) -> None:
        """Take a test that passed into account."""
        if report.when == "call" and report.passed:
            self._shown.update(shows(report.location[2].partition("[")[0]))

    @pytest.hookimpl(tryfirst=True)
    def pytest_sessionfinish(self, session: pytest.Session, exitstatus: int) -> None:
        """Fail the run for a row without a test. One that broke off has failed already, and has not seen them all."""
        self._whole = self._whole and exitstatus in (pytest.ExitCode.OK, pytest.ExitCode.TESTS_FAILED)
        self._whole = self._whole and not (session.shouldstop or session.shouldfail)
        if self._whole and self._untested():
            session.exitstatus = pytest.ExitCode.TESTS_FAILED

    def pytest_terminal_summary(self, terminalreporter: pytest.TerminalReporter) -> None:
        """Name the rows."""
        if not self._whole:
            return
        if missing := self._untested():
            terminalreporter.write_line(f"no passing test shows these rows of tests/hazards.toml: {missing}", red=True)

    def _untested(self) -> str:
        return ", ".join(row.id for row in self._gates if row.id not in self._shown)

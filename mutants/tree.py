"""A copy of the project in which one text is changed at a time, and tests that look at it there."""

import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

import pytest

ROOT = Path(__file__).parent.parent
COPIED = ("cards", "cds_service", "docs", "fhir_fixtures", "tests", "pyproject.toml", "README.md", "mutants")
SECONDS = 300
"""For the tests of one change: one that hangs is noticed too."""
ENVIRONMENT = {"PYTEST_DISABLE_PLUGIN_AUTOLOAD": "1", "CRS_TESTS_PATIENTS": "1500"}
"""Plugins take longer to load than most tests run."""
RAN = (pytest.ExitCode.TESTS_FAILED, pytest.ExitCode.INTERRUPTED)
"""How pytest ends when tests fail, or cannot be imported; otherwise it ran none."""
PYTEST = ("-x", "-q", "--tb=line", "-p", "no:cacheprovider")


@dataclass(frozen=True)
class Tree:
    """A copy of the project, to be spoiled."""

    root: Path

    @contextmanager
    def changed(self, name: str, text: str) -> Iterator[None]:
        """The copy with another text in one file, until the end of the block."""
        file = self.root / name
        before = file.read_text(encoding="utf-8")
        file.write_text(text, encoding="utf-8")
        try:
            yield
        finally:
            file.write_text(before, encoding="utf-8")

    @contextmanager
    def without(self, name: str) -> Iterator[None]:
        """The copy without a folder, until the end of the block."""
        folder, away = self.root / name, self.root / f"{name}.away"
        folder.rename(away)
        try:
            yield
        finally:
            away.rename(folder)

    def failure(self, tests: Sequence[str], *options: str) -> str | None:
        """The first test that fails in the copy, by pytest's words; None when all of them pass.

        Raises RuntimeError when none could be run: that notices nothing.
        """
        try:
            ended = subprocess.run(  # noqa: S603 - this project's own tests
                [sys.executable, "-m", "pytest", *PYTEST, *options, *tests],
                cwd=self.root,
                env=os.environ | ENVIRONMENT | {"PYTHONPATH": str(self.root)},
                stdout=subprocess.PIPE,
                stderr=subprocess.STDOUT,
                text=True,
                check=False,
                timeout=SECONDS,
            )
        except subprocess.TimeoutExpired:
            return f"not done after {SECONDS} s"
        if ended.returncode == 0:
            return None
        if ended.returncode not in RAN:
            raise RuntimeError(f"pytest ended with {ended.returncode}: {' '.join(ended.stdout.split())[-300:]}")
        said = [line for line in ended.stdout.splitlines() if line.startswith(("FAILED", "ERROR"))]
        return said[0] if said else f"ended with {ended.returncode}: {' '.join(ended.stdout.split())[-300:]}"


@contextmanager
def copied() -> Iterator[Tree]:
    """A copy of what the tests need, gone at the end."""
    with TemporaryDirectory(prefix="planted-") as folder:
        for name in COPIED:
            source, target = ROOT / name, Path(folder) / name
            if source.is_dir():
                shutil.copytree(source, target, ignore=shutil.ignore_patterns("__pycache__", "target"))
            else:
                shutil.copy(source, target)
        yield Tree(Path(folder))

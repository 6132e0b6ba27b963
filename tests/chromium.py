"""The Chromium of the machine, headless, with a profile of its own for each test, driven by Playwright.

Where it is not installed, tests that need it are skipped and say so; with CRS_TESTS_BROWSER=required they fail.
"""

import os
import shutil
from collections.abc import Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, sync_playwright

INSTALL = "apt-get install chromium"
FLAGS = (
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
)
"""Run as root in a container, and never ask anybody for anything."""


def program() -> str:
    """Where Chromium is."""
    found = shutil.which("chromium")
    if found is not None:
        return found
    if os.environ.get("CRS_TESTS_BROWSER") == "required":
        pytest.fail(f"Chromium is not installed, and CRS_TESTS_BROWSER is `required`: {INSTALL}")
    pytest.skip(f"Chromium is not installed: {INSTALL}")


@contextmanager
def running_chromium() -> Iterator[Browser]:
    """The browser; each context that is made in it has an empty profile."""
    executable = program()
    with sync_playwright() as playwright:
        browser = playwright.chromium.launch(executable_path=executable, args=FLAGS)
        try:
            yield browser
        finally:
            browser.close()

"""What tests in a browser share: the browser, the demo, and pages on which nothing may go wrong unseen."""

from collections.abc import Callable, Iterator
from typing import Any

import pytest
from playwright.sync_api import Browser, Page, expect

from tests.chromium import running_chromium
from tests.demo import running_demo
from tests.server import SECONDS

Opened = Callable[..., Page]


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    """The browser, one for all."""
    expect.set_options(timeout=SECONDS * 1000)
    with running_chromium() as browser:
        yield browser


@pytest.fixture(scope="session")
def demo(chromium: Browser) -> Iterator[str]:
    """The base URL of a demo. Not started where there is no browser to look at it."""
    with running_demo() as base:
        yield base


@pytest.fixture
def troubles() -> list[str]:
    """What the pages of a test reported: errors of scripts, refusals by the policy, dialogs. Empty at its end."""
    return []


@pytest.fixture
def opened(chromium: Browser, troubles: list[str]) -> Iterator[Opened]:
    """Opens an address in a new profile; options are those of a context of Playwright."""
    contexts = []

    def open_page(address: str, **options: Any) -> Page:
        context = chromium.new_context(**{"viewport": {"width": 1280, "height": 720}} | options)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(SECONDS * 1000)
        page.on("console", lambda said: troubles.append(said.text) if said.type in ("error", "warning") else None)
        page.on("pageerror", lambda error: troubles.append(str(error)))
        page.on("dialog", lambda dialog: (troubles.append(f"dialog: {dialog.message}"), dialog.dismiss()))
        page.goto(address)
        return page

    yield open_page
    for context in contexts:
        context.close()
    assert troubles == []

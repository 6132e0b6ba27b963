"""The pictures of docs/images/, taken of the running demo: `python -m tests.screenshots` (`make screenshots`)."""

from collections.abc import Callable
from io import BytesIO
from pathlib import Path
from typing import Literal, NamedTuple

from PIL import Image
from playwright.sync_api import Browser, Page, expect

from tests.chromium import running_chromium
from tests.demo import running_demo
from tests.server import ROOT, SECONDS

IMAGES = ROOT / "docs" / "images"
WIDTH, HEIGHT = 1280, 720
MOST_BYTES = 150_000


class Picture(NamedTuple):
    """A story of the demo chart, in a colour scheme, and the way from there to the page that is shown."""

    name: str
    story: str
    scheme: Literal["light", "dark"]
    shown: Callable[[Page], Page]


def _as_it_opens(chart: Page) -> Page:
    return chart


def _five_hours_earlier(chart: Page) -> Page:
    chart.get_by_role("slider", name="Clock").fill("-300")
    expect(chart.get_by_role("status")).to_contain_text("5 h earlier")
    expect(chart.get_by_role("article").first.get_by_role("table")).to_be_visible()
    return chart


def _the_course(chart: Page) -> Page:
    """The page to which the grade card leads."""
    with chart.expect_popup() as opened:
        chart.get_by_role("link", name="CRS course").first.click()
    expect(opened.value.locator("figure svg")).to_be_visible()
    return opened.value


PICTURES = (
    Picture("demo-chart", "grade-3-one-vasopressor", "light", _as_it_opens),
    Picture("demo-chart-dark", "grade-4-bipap", "dark", _five_hours_earlier),
    Picture("course", "tocilizumab-given", "light", _the_course),
)


def take(picture: Picture, browser: Browser, demo: str) -> Path:
    """The file of the picture, made anew; with 256 colours, so that it stays small."""
    viewport = {"width": WIDTH, "height": HEIGHT}
    context = browser.new_context(viewport=viewport, color_scheme=picture.scheme, reduced_motion="reduce")
    chart = context.new_page()
    chart.goto(f"{demo}/demo#{picture.story}")
    expect(chart.get_by_role("article").first.get_by_role("table")).to_be_visible()
    shot = Image.open(BytesIO(picture.shown(chart).screenshot()))
    context.close()
    file = IMAGES / f"{picture.name}.png"
    shot.convert("RGB").quantize(256, dither=Image.Dither.NONE).save(file, optimize=True)
    if file.stat().st_size > MOST_BYTES:
        raise SystemExit(f"{file} has {file.stat().st_size} bytes, more than {MOST_BYTES}: show less")
    return file


def main() -> None:
    """Take all of them."""
    IMAGES.mkdir(exist_ok=True)
    expect.set_options(timeout=SECONDS * 1000)
    with running_chromium() as browser, running_demo() as demo:
        for picture in PICTURES:
            print(take(picture, browser, demo).relative_to(ROOT))  # noqa: T201 - a command


if __name__ == "__main__":
    main()

"""How the time of a call grows with the number of Observations in its prefetch, and a picture of it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from statistics import correlation, linear_regression
from typing import Any
from xml.etree import ElementTree

from bench.bodies import patient_view
from bench.load import Case, Effort, drive
from bench.servers import Server

SIZES = (10, 30, 100, 300, 1000, 2000, 4000, 7000, 10_000)
GREY = "#6b7580"
"""To be read on a light and on a dark page."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Growth:
    """Seconds of the middle call for each number of Observations, and the straight line closest to them."""

    seconds: Mapping[int, float]

    @property
    def line(self) -> tuple[float, float]:
        """Seconds for each Observation, and for a call without any."""
        slope, intercept = linear_regression(list(self.seconds), list(self.seconds.values()))
        return slope, intercept

    @property
    def r_squared(self) -> float:
        """How close to the line they are: 1 when they lie on it."""
        return correlation(list(self.seconds), list(self.seconds.values())) ** 2


def growth(server: Server, effort: Effort, sizes: Sequence[int] = SIZES) -> Growth:
    """Measure it."""
    drive(server, Case.of_patients("warm-up", patient_view(max(sizes)), b'"grade":3'), replace(effort, requests=2))
    found = {}
    for size in sizes:
        case = Case.of_patients(f"{size} Observations", patient_view(size), b'"grade":3')
        found[size] = drive(server, case, effort).p50
    return Growth(seconds=found)


def draw(points: Mapping[int, float], file: Path) -> None:
    """Time against number as an SVG for the documents: all of it, and beside it what calls really have."""
    from matplotlib.figure import Figure

    from cds_service.plots.svg import COLOURS, INK, drawing, drawn

    numbers, milliseconds = list(points), list(points.values())
    slope, intercept = linear_regression(numbers, milliseconds)
    with drawing("growth"):
        figure = Figure(figsize=(9, 3.4), layout="constrained")
        for axes, most in zip(figure.subplots(1, 2), (max(numbers), 1000), strict=True):
            shown = [(number, taken) for number, taken in points.items() if number <= most]
            axes.plot([0, most], [intercept, intercept + slope * most], color=COLOURS[3], linewidth=1)
            axes.plot(*zip(*shown, strict=True), color=COLOURS[0], marker="o", linestyle="none")
            axes.set(xlabel="Observations in the prefetch", ylabel="p50, ms", xlim=0, ylim=0)
            axes.spines[["top", "right"]].set_visible(False)
            axes.patch.set_visible(False)
        figure.patch.set_visible(False)
        picture: Any = drawn(figure)
    text = ElementTree.tostring(picture, encoding="unicode").replace(INK, GREY)
    file.parent.mkdir(exist_ok=True)
    file.write_text(f"{text}\n", encoding="utf-8")

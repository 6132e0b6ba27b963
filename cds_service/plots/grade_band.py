"""The band of grades: the trajectory as height, number and colour; what is not known is not grade 0."""

from collections.abc import Sequence
from itertools import groupby
from typing import TYPE_CHECKING

from cds_service.crs.assessment import HIGHEST, Status
from cds_service.crs.trajectory import Step
from cds_service.plots.flowsheet import Flowsheet
from cds_service.plots.marks import GREY, RED, VIOLET, Canvas, at_the_right, bar, label, words_in_bar, x
from cds_service.plots.svg import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

GRADES = (GREY, "#56b4e9", "#e69f00", RED, VIOLET)
"""By grade; each is a height and a number too."""


def grades(axes: "Axes", canvas: Canvas) -> None:
    """A bar for each step, as high as its grade; what stands in it says how far it can be trusted."""
    sheet = canvas.sheet
    axes.set_ylim(0, HIGHEST + 0.4)
    axes.set_yticks(range(HIGHEST + 1))
    label(axes, "CRS grade")
    steps = [step for step in sheet.trajectory.steps if step.until >= sheet.begins]
    for step in steps:
        _step(axes, canvas, step)
    _outline(axes, sheet, steps)
    for words, run in groupby(steps, key=_in_band):
        same = list(run)
        height = HIGHEST if same[0].grade is None else max(same[0].grade, 1.2)
        bold = {"fontsize": 9, "fontweight": "bold"} if len(words) < 4 else {}
        words_in_bar(axes, sheet, same[0].since, same[-1].until, height / 2, words, **bold)
    at_the_right(axes, HIGHEST / 2, "now:\n" + _in_band(steps[-1]).replace(" ", "\n", 1))


def _outline(axes: "Axes", sheet: Flowsheet, steps: Sequence[Step]) -> None:
    """The grade as a line over its bars, broken where it is not known."""
    corners = [(max(step.since, sheet.begins), _height(step)) for step in steps]
    corners += [(sheet.now, _height(step)) for step in steps[-1:]]
    axes.plot([x(time) for time, _ in corners], [y for _, y in corners], color=INK, linewidth=1, drawstyle="steps-post")


def _height(step: Step) -> float:
    return float("nan") if step.grade is None else float(step.grade)


def _step(axes: "Axes", canvas: Canvas, step: Step) -> None:
    entry, grade = canvas.sheet.step(step), step.grade
    if step.status is Status.NOT_ELIGIBLE:
        bar(axes, canvas, entry, (0, 0.15), facecolor="none", linewidth=0.4)
    elif grade is None:
        bar(axes, canvas, entry, (0, HIGHEST), facecolor="none", edgecolor=(GREY, 0.5), linewidth=0, hatch=".")
    else:
        hatch = "//" if step.status is Status.PROVISIONAL else None
        look = {"facecolor": (GRADES[grade], 0.5), "edgecolor": GREY, "linewidth": 0, "hatch": hatch}
        bar(axes, canvas, entry, (0, max(grade, 0.25)), **look)


def _in_band(step: Step) -> str:
    """What stands in the band: `3`, `≥1` for a floor, `2?` for what is provisional for another reason."""
    if step.grade is None:
        return "not looked for" if step.status is Status.NOT_ELIGIBLE else "not known"
    if step.is_floor:
        return f"≥{step.grade}"
    return f"{step.grade}{'?' if step.status is Status.PROVISIONAL else ''}"

"""The CRS course: one picture of a flowsheet, vital signs, support, treatment and the grade on one axis of time."""

from collections.abc import Sequence
from io import BytesIO
from textwrap import wrap
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from cds_service.hooks.wording import one_line
from cds_service.plots.flowsheet import Flowsheet, grade_words
from cds_service.plots.grade_band import grades
from cds_service.plots.marks import GREY, NORMAL, SMALL, Canvas, shade_gap, x
from cds_service.plots.support import devices, vasopressors
from cds_service.plots.svg import INK, SVG, drawing, drawn, of_page
from cds_service.plots.treatment import treatments
from cds_service.plots.vital_signs import flows, pressures, saturations, temperatures

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "course"
PAPER = "#ffffff"
INCHES = (12.8, 6.3)
LINE, LINES = 190, 4
"""Letters in a line below the picture, and how many lines there are at most; a page says all."""


def course_svg(sheet: Flowsheet) -> str:
    """The picture as a part of a page: in its colours, each mark with a name that can be reached by keyboard."""
    with drawing(NAME):
        canvas = Canvas(sheet)
        root = drawn(_figure(canvas, "none"))
    return _written(_said_above(_named(of_page(root, NAME), canvas, f"{NAME}-")), sheet)


def course_file(sheet: Flowsheet, kind: str, who: str = "") -> bytes:
    """The picture as a file of its own, `svg` or `png`, on white, with its title and what is missing."""
    with drawing(NAME):
        canvas = Canvas(sheet)
        figure = _figure(canvas, PAPER)
        _inscribe(figure, sheet, who)
        if kind == "png":
            written = BytesIO()
            figure.savefig(written, format="png", dpi=150, metadata={"Software": None})
            return written.getvalue()
        root = drawn(figure)
    return _written(_named(root, canvas, ""), sheet).encode()


def _figure(canvas: Canvas, paper: str) -> "Figure":
    from matplotlib.figure import Figure

    sheet = canvas.sheet
    agents = list(dict.fromkeys(drug.agent for drug in sheet.since_begin(sheet.timeline.vasoactives)))
    heights = (1.4, 1.25, 1.45, 0.85, 0.55, 0.8, 0.2 + 0.22 * max(1, len(agents)), 1.15)
    figure = Figure(figsize=INCHES, facecolor=paper)
    every = figure.subplots(
        len(heights),
        1,
        sharex=True,
        gridspec_kw={"height_ratios": heights, "hspace": 0.12},
    )
    figure.subplots_adjust(left=0.105, right=0.935, top=0.965, bottom=0.075)
    treatment, temperature, pressure, saturation, device, flow, pressors, grade = every
    _time_axis(every, sheet)
    treatments(treatment, canvas)
    temperatures(temperature, canvas)
    pressures(pressure, canvas)
    saturations(saturation, canvas)
    devices(device, canvas)
    flows(flow, canvas)
    vasopressors(pressors, canvas, agents)
    grades(grade, canvas)
    kinds = ("drugs", "temperatures", "pressures", "saturations", "oxygen", "oxygen", "vasoactives", "")
    for axes, kind in zip(every, kinds, strict=True):
        shade_gap(axes, kind, sheet)
    return figure


def _time_axis(every: "Sequence[Axes]", sheet: Flowsheet) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    length = sheet.now - sheet.begins
    last = every[-1]
    last.set_xlim(x(sheet.begins - length * 0.01), x(sheet.now + length * 0.012))
    locator = AutoDateLocator(tz=sheet.zone, minticks=5, maxticks=14)  # type: ignore[no-untyped-call]
    formats = ["%Y", "%b", "%-d %b", "%H:%M", "%H:%M", "%H:%M"]
    starts = ["", "%Y", "%-d %b", "%-d %b", "%H:%M", "%H:%M"]
    last.xaxis.set_major_locator(locator)
    written = ConciseDateFormatter(locator, sheet.zone, formats, None, starts, show_offset=False)  # type: ignore[no-untyped-call]
    last.xaxis.set_major_formatter(written)
    for axes in every:
        axes.set_facecolor("none")
        axes.spines[["top", "right"]].set_visible(False)
        axes.tick_params(labelsize=SMALL, length=2, labelbottom=axes is last, bottom=axes is last)
        axes.grid(axis="x", color=GREY, alpha=0.25, linewidth=0.5)
        axes.set_axisbelow(True)
        axes.axvline(x(sheet.now), color=INK, linewidth=0.8)
    last.set_xlabel(
        f"time in {sheet.zone_words}; the line at the right is now, {sheet.when(sheet.now)}", fontsize=NORMAL
    )


def _inscribe(figure: "Figure", sheet: Flowsheet, who: str) -> None:
    """What a page says around the picture."""
    last = sheet.trajectory.assessments[-1]
    missing = [one_line(words) for words in dict.fromkeys((*last.missing, *last.doubts))]
    said = wrap(f"Missing or in doubt now: {'; '.join(missing)}" if missing else "", LINE)
    if len(said) > LINES:
        said = [*said[: LINES - 1], f"{said[LINES - 1]} …"]
    above, below = 0.3, 0.14 * len(said) + 0.1
    width, height = INCHES
    figure.set_size_inches(width, height + above + below)
    whole = height + above + below
    figure.subplots_adjust(top=1 - (above + 0.1) / whole, bottom=(below + 0.52) / whole)
    of = f" of {one_line(who)}" if who else ""
    grade = f"CRS course{of}: {grade_words(last)} at {sheet.when(sheet.now)}"
    title = f"{grade}. {sheet.scale.title}. For review by a clinician."
    figure.text(0.01, 1 - 0.08 / whole, title, va="top", fontsize=NORMAL, fontweight="bold")
    figure.text(0.01, 0.08 / whole, "\n".join(said), va="bottom", fontsize=SMALL)


def _named(root: ElementTree.Element, canvas: Canvas, prefix: str) -> ElementTree.Element:
    """The tree with a title for each mark: shown by the browser, and what a screen reader says."""
    groups = {element.get("id"): element for element in root.iter(f"{SVG}g")}
    for mark, titles in canvas.titles.items():
        for element, title in zip(_single_marks(groups[f"{prefix}{mark}"], len(titles)), titles, strict=True):
            element.set("role", "img")
            element.set("tabindex", "0")
            named = ElementTree.Element(f"{SVG}title")
            named.text = title
            element.insert(0, named)
    return root


def _said_above(root: ElementTree.Element) -> ElementTree.Element:
    """The tree with each title once more as a line above the picture, which a page shows while its mark has the focus:
    a browser shows titles to a pointer only."""
    for parent in list(root.iter()):
        marks = [child for child in parent if child.get("tabindex")]
        for mark in marks:
            said = ElementTree.Element(f"{SVG}text", {"class": "said", "x": "4", "y": "10", "aria-hidden": "true"})
            said.text = mark.findtext(f"{SVG}title")
            parent.insert(list(parent).index(mark) + 1, said)
    return root


def _single_marks(group: ElementTree.Element, count: int) -> list[ElementTree.Element]:
    """The marks of a group: itself, or for a row of equal ones each put into a group of its own."""
    if count == 1:
        return [group]
    found = []
    for parent in list(group.iter()):
        for place, child in enumerate(list(parent)):
            if child.tag == f"{SVG}use":
                single = ElementTree.Element(f"{SVG}g")
                single.append(child)
                parent[place] = single
                found.append(single)
    return found


def _written(root: ElementTree.Element, sheet: Flowsheet) -> str:
    last = sheet.step(sheet.trajectory.steps[-1])
    root.set("role", "group")
    root.set("aria-label", f"CRS course from {sheet.when(sheet.begins)} to {sheet.when(sheet.now)}: now {last.value}")
    return ElementTree.tostring(root, encoding="unicode")

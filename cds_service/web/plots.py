"""Plots of a report as SVG that stands in a page: no script, no style of its own, its colours those of the page."""

import re
from collections.abc import Callable
from threading import Lock
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from cds_service.store.report import Report, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes

INK = "#010203"
"""Stands for the colour of the page's text, which a plot does not know."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#7d858d", "#9a6fb0")
"""Told apart on a light and on a dark page, and by most people who see few colours."""
SVG = "{http://www.w3.org/2000/svg}"
_FONT_SIZE = re.compile(r"([\d.]+)px")
_one_at_a_time = Lock()
"""Settings of matplotlib are those of the process."""


def plots(report: Report) -> dict[str, str]:
    """SVG by the name of the table whose numbers it shows; none of an empty table."""
    drawn = {"answers": _answers, "topics": _topics, "days": _days}
    return {name: _svg(draw, report.table(name)) for name, draw in drawn.items() if report.table(name).rows}


def _answers(axes: "Axes", table: Table) -> None:
    hooks = sorted({str(hook) for hook, _, _ in table.rows})
    levels = sorted({str(level) for _, level, _ in table.rows})
    numbers = {(hook, level): number for hook, level, number in table.rows}
    width = 0.8 / len(hooks)
    for place, hook in enumerate(hooks):
        heights = [float(numbers.get((hook, level), 0)) for level in levels]
        left = [position + (place - (len(hooks) - 1) / 2) * width for position in range(len(levels))]
        bars = axes.bar(left, heights, width, label=hook, color=COLOURS[place % len(COLOURS)])
        axes.bar_label(bars, fmt=lambda value: f"{value:.0f}" if value else "", color=INK)
    axes.set_xticks(range(len(levels)), levels)
    axes.set_ylabel("answers")
    _name_colours(axes)


def _topics(axes: "Axes", table: Table) -> None:
    topics = [str(row[0]) for row in table.rows]
    start = [0.0] * len(topics)
    for name, column, colour in (("accepted", 2, 2), ("overridden", 3, 1), ("no feedback", 4, 3)):
        widths = [float(row[column]) for row in table.rows]
        bars = axes.barh(topics, widths, left=start, label=name, color=COLOURS[colour])
        axes.bar_label(bars, fmt=lambda value: f"{value:.0f}" if value else "", label_type="center", color=INK)
        start = [before + more for before, more in zip(start, widths, strict=True)]
    axes.set_xlabel("cards shown")
    _name_colours(axes)


def _days(axes: "Axes", table: Table) -> None:
    days = [str(row[0])[5:] for row in table.rows]
    axes.bar(range(len(days)), [float(row[3]) for row in table.rows], color=COLOURS[0])
    step = max(1, len(days) // 10)
    axes.set_xticks(range(0, len(days), step), days[::step])
    axes.set_ylabel("cards per patient")
    axes.set_xlabel("month and day")


def _name_colours(axes: "Axes") -> None:
    """A legend above the plot, where it hides nothing."""
    axes.margins(y=0.12)
    axes.legend(loc="lower left", bbox_to_anchor=(0, 1), ncols=4, frameon=False, borderaxespad=0)


def _svg(draw: Callable[["Axes", Table], None], table: Table) -> str:
    """One plot as SVG. matplotlib takes a second to load: only who asks for a plot waits."""
    from io import StringIO

    import matplotlib as mpl
    from matplotlib.figure import Figure

    settings: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": table.name, "text.parse_math": False}
    settings |= dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK)
    with _one_at_a_time, mpl.rc_context(settings):
        figure = Figure(figsize=(8, 3.2), layout="constrained", facecolor="none")
        axes = figure.add_subplot(facecolor="none")
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes, table)
        written = StringIO()
        figure.savefig(written, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return _of_page(written.getvalue(), table)


def _of_page(svg: str, table: Table) -> str:
    """The drawing as a part of a page: named for who does not see it, styled by attributes, its ids its own."""
    ElementTree.register_namespace("", SVG[1:-1])
    root = ElementTree.fromstring(svg)  # noqa: S314 - made above
    for element in root.iter():
        for child in [child for child in element if child.tag in (f"{SVG}style", f"{SVG}metadata")]:
            element.remove(child)
        for name, value in _attributes(element).items():
            element.set(name, _own(name, value, table.name))
    for name in ("width", "height"):
        del root.attrib[name]
    root.set("role", "img")
    root.set("aria-label", f"{table.title}, drawn. The numbers stand in the table below.")
    return ElementTree.tostring(root, encoding="unicode")


def _own(name: str, value: str, prefix: str) -> str:
    """A value with the ids in it made the plot's own, and the page's colour in place of INK."""
    if name == "id":
        return f"{prefix}-{value}"
    if name == "href":
        return value.replace("#", f"#{prefix}-", 1)
    return "currentColor" if value == INK else value.replace("url(#", f"url(#{prefix}-")


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    """The attributes of an element, those within its style too; the family of fonts is that of the page."""
    found = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    for declaration in found.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        size = _FONT_SIZE.search(value) if name in ("font", "font-size") else None
        if size is not None:
            found["font-size"] = size[1]
        elif name and not name.startswith("font"):
            found[name] = value
    element.attrib.clear()
    return found

"""The plots of a report."""

from collections.abc import Callable
from typing import TYPE_CHECKING
from xml.etree import ElementTree

from cds_service.plots.svg import COLOURS, INK, drawing, drawn, of_page
from cds_service.store.report import Report, Table

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def plots(report: Report) -> dict[str, str]:
    """SVG by the name of the table whose numbers it shows; none of an empty table."""
    shown = {"answers": _answers, "topics": _topics, "days": _days}
    return {name: _svg(draw, report.table(name)) for name, draw in shown.items() if report.table(name).rows}


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
    """One plot as SVG, named for who does not see it."""
    with drawing(table.name):
        from matplotlib.figure import Figure

        figure = Figure(figsize=(8, 3.2), layout="constrained", facecolor="none")
        axes = figure.add_subplot(facecolor="none")
        axes.spines[["top", "right"]].set_visible(False)
        draw(axes, table)
        root = of_page(drawn(figure), table.name)
    root.set("role", "img")
    root.set("aria-label", f"{table.title}, drawn. The numbers stand in the table below.")
    return ElementTree.tostring(root, encoding="unicode")

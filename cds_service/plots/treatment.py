"""The panel of what was given: therapy, anticytokines, corticosteroids, antipyretics, and blood cultures."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby
from typing import TYPE_CHECKING

from cds_service.crs.figures import shown
from cds_service.crs.timeline import Drug, Fact
from cds_service.hooks.wording import one_line
from cds_service.plots.flowsheet import TREATMENTS, Flowsheet
from cds_service.plots.marks import VIOLET, Canvas, bar, note, room_for, x

if TYPE_CHECKING:
    from matplotlib.axes import Axes

ROWS = ("T-cell therapy", "anticytokine", "corticosteroid", "antipyretic", "blood culture")
SHAPES = {"T-cell therapy": "*", "anticytokine": "v", "corticosteroid": "s", "antipyretic": "o", "blood culture": "D"}


def treatments(axes: "Axes", canvas: Canvas) -> None:
    """A row for each kind, a mark for what was given, a bar where it lasted."""
    sheet = canvas.sheet
    known = sheet.timeline
    axes.set_ylim(len(ROWS), 0)
    axes.set_yticks([row + 0.5 for row in range(len(ROWS))], ROWS)
    drugs = [drug for drug in sheet.since_begin(known.drugs) if drug.group in TREATMENTS]
    marked: list[tuple[Fact, str, str]] = [(therapy, ROWS[0], therapy.product) for therapy in known.therapies]
    marked += [(drug, TREATMENTS[drug.group], _dose(drug)) for drug in drugs]
    marked += [(culture, "blood culture", culture.step) for culture in sheet.since_begin(known.cultures)]
    for name, row in groupby(sorted(marked, key=lambda item: (item[1], item[0].time)), key=lambda item: item[1]):
        marks = [_mark(axes, canvas, fact, name, words) for fact, _, words in row]
        _words_after(axes, sheet, ROWS.index(name) + 0.5, marks)


def _dose(drug: Drug) -> str:
    return f"{drug.agent} {shown(drug.dose_mg)} mg" if drug.dose_mg is not None else drug.agent


def _mark(axes: "Axes", canvas: Canvas, fact: Fact, name: str, words: str) -> tuple[datetime, datetime, str]:
    """A mark for what was given, a bar too for what lasted; where it begins and ends in the picture, and its words."""
    sheet = canvas.sheet
    row, entry = ROWS.index(name) + 0.5, sheet.entry(fact)
    since, until = max(fact.time, sheet.begins), min(entry.until or fact.time, sheet.now)
    if until > since:
        bar(axes, canvas, entry, (row - 0.12, 0.24), facecolor=(VIOLET, 0.5))
    axes.plot(x(since), row, marker=SHAPES[name], color=VIOLET, markersize=6, gid=canvas.named(entry))
    early = f", {sheet.when(fact.time)}" if fact.time < sheet.begins else ""
    return since, max(since, until), one_line(f"{words}{early}")


def _words_after(axes: "Axes", sheet: Flowsheet, y: float, marks: Sequence[tuple[datetime, datetime, str]]) -> None:
    """Words behind the marks of a row, once for equal ones that stand close together; in front at the right edge."""
    together = 1
    for (_, end, words), following in zip(marks, [*marks[1:], None], strict=True):
        said = f"{words} ×{together}" if together > 1 else words
        length = room_for(sheet, said)
        if following is not None and end + length > following[0]:
            together = together + 1 if following[2] == words else 1
            continue
        left = end + length > sheet.now
        place = {"xytext": (-7 if left else 7, 0), "ha": "right" if left else "left"}
        note(axes, said, (x(end), y), **place)
        together = 1

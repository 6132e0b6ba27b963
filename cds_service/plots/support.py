"""The panels of what supports the patient: the oxygen device that counts, and vasopressors while they run."""

from collections.abc import Sequence
from datetime import datetime
from itertools import groupby, pairwise
from typing import TYPE_CHECKING

from cds_service.crs.hypotension import is_pressor
from cds_service.crs.oxygen import Support, support_at
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Vasoactive
from cds_service.crs.trajectory import AFTER
from cds_service.hooks.wording import one_line
from cds_service.plots.flowsheet import Entry, Flowsheet
from cds_service.plots.marks import (
    GREEN,
    GREY,
    RED,
    SMALL,
    Canvas,
    bar,
    label,
    note,
    room_for,
    say_none,
    side_by_side,
    x,
)
from cds_service.plots.svg import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def devices(axes: "Axes", canvas: Canvas) -> None:
    """The oxygen support that counts at each instant, by the function that grading asks."""
    sheet = canvas.sheet
    axes.set_ylim(0, 2)
    axes.set_yticks([])
    label(axes, "O2 device")
    facts = sheet.since_begin(sheet.timeline.oxygen)
    say_none(axes, facts, "oxygen", sheet)
    window = sheet.scale.oxygen_window
    ends = [at for fact in facts for at in (fact.time, fact.until) if at is not None and at <= sheet.now]
    times = sorted({max(at, sheet.begins) for end in ends for at in (end, end + window + AFTER) if at < sheet.now})
    supports = [(time, support_at(sheet.timeline, sheet.scale, time)) for time in times]
    runs = [list(run) for _, run in groupby(supports, key=lambda item: _device(item[1], sheet.scale))]
    named: list[tuple[datetime, str]] = []
    for run, following in pairwise([*runs, [(sheet.now, Support())]]):
        (since, support), until, words = run[0], following[0][0], _device(run[0][1], sheet.scale)
        if not words:
            continue
        grade = support.device.grade if support.device else None
        entry = Entry(
            time=since,
            until=until,
            what="oxygen support",
            value=words,
            reference=", ".join(dict.fromkeys(item.reference for item in support.sources)),
            remarks=(*support.doubts, *support.notes),
        )
        colour = (GREEN, 0.3 if grade is None else 0.6) if support.given else "none"
        bar(axes, canvas, entry, (0.1, 0.8), facecolor=colour)
        named.append((since, words))
    line = {"arrowstyle": "-", "linewidth": 0.5, "edgecolor": INK, "shrinkA": 0, "shrinkB": 0}
    for (since, words), place in zip(named, side_by_side(sheet, named), strict=True):
        moved = line if place != since else None
        axes.annotate(words, (x(since), 0.9), (x(place), 1.5), va="center", fontsize=SMALL, arrowprops=moved)


def _device(support: Support, scale: Scale) -> str:
    """What the support is called, empty where the record does not say; a device that is excused is named too (C20)."""
    if support.device is not None:
        return support.device.display
    if support.device_text:
        return one_line(support.device_text)
    excused = [scale.devices[item.device].display for item in support.sources if item.device]
    if excused and not support.given:
        return f"{', '.join(excused)}, not counted"
    return {True: "device not charted", False: "no oxygen", None: ""}[support.given]


def vasopressors(axes: "Axes", canvas: Canvas, agents: Sequence[str]) -> None:
    """A row for each drug, a bar while it runs; what is no vasopressor in ASTCT grading says so."""
    sheet = canvas.sheet
    axes.set_ylim(max(1, len(agents)), 0)
    axes.set_yticks([row + 0.5 for row in range(len(agents))], [_short(agent) for agent in agents])
    if not agents:
        axes.set_yticks([0.5], ["vasopressors"])
    drugs = sheet.since_begin(sheet.timeline.vasoactives)
    say_none(axes, drugs, "vasoactives", sheet)
    for drug in drugs:
        row = agents.index(drug.agent)
        colour = RED if is_pressor(drug) else GREY
        if drug.bolus:
            axes.plot(x(drug.time), row + 0.5, marker="d", color=colour, gid=canvas.named(sheet.entry(drug)))
        else:
            bar(axes, canvas, sheet.entry(drug), (row + 0.15, 0.7), facecolor=(colour, 0.55))
            _rate(axes, sheet, drug, row + 0.5)


def _rate(axes: "Axes", sheet: Flowsheet, drug: Vasoactive, y: float) -> None:
    """The rate in the bar, or behind it."""
    words = one_line(drug.rate if is_pressor(drug) else f"{drug.rate} not counted").strip()
    since, until = max(drug.time, sheet.begins), min(drug.until, sheet.now)
    if room_for(sheet, words) <= until - since:
        axes.text(x(since + (until - since) / 2), y, words, ha="center", va="center", fontsize=SMALL)
    elif until + room_for(sheet, words) <= sheet.now:
        note(axes, words, (x(until), y), xytext=(4, 0), ha="left")


def _short(words: str) -> str:
    words = one_line(words)
    return words if len(words) <= 18 else words[:17] + "…"

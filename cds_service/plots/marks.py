"""What panels of the CRS course are drawn with: points, bars, thresholds, words that do not overlap.

What a colour says is said by a shape, a place or a word too. Every mark has what it stands for as its name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from itertools import pairwise
from textwrap import wrap
from typing import TYPE_CHECKING, Any

from cds_service.crs.eligibility import may_be_exposed
from cds_service.crs.timeline import Fact
from cds_service.plots.flowsheet import Entry, Flowsheet
from cds_service.plots.svg import INK

if TYPE_CHECKING:
    from matplotlib.axes import Axes

SMALL, NORMAL = 7.5, 8.5
BLUE, RED, GREEN, GREY, VIOLET = "#0072b2", "#d55e00", "#009e73", "#7d858d", "#9a6fb0"
LETTER = 0.0062
"""The width of a small letter as a part of the picture's."""
DAY_SECONDS = 86_400


@dataclass(slots=True)
class Canvas:
    """The picture while it is drawn: what each of its marks is to be called, by the id of the mark."""

    sheet: Flowsheet
    titles: dict[str, list[str]] = field(default_factory=dict)

    def named(self, *entries: Entry) -> str:
        """An id for a mark, or a row of marks, that stands for these entries."""
        mark = f"mark{len(self.titles)}"
        self.titles[mark] = [self.sheet.title(entry) for entry in entries]
        return mark


def x(time: datetime) -> float:
    """A time on the axis: matplotlib counts days since 1970."""
    return time.timestamp() / DAY_SECONDS


def label(axes: "Axes", words: str) -> None:
    """What a panel shows, at its left."""
    axes.set_ylabel(words, rotation=0, ha="right", va="center", fontsize=NORMAL)
    axes.yaxis.set_label_coords(-0.03, 0.5)


def say_none(axes: "Axes", facts: Sequence[Fact], kind: str, sheet: Flowsheet) -> None:
    """Why a panel is empty: nothing charted is not the same as nothing read."""
    if facts:
        return
    if not may_be_exposed(sheet.timeline, sheet.scale, sheet.now):
        words = "not read: no T-cell therapy within its time"
    else:
        words = "none charted" if kind not in sheet.timeline.gaps else "none in what could be read"
    axes.text(0.5, 0.8, words, transform=axes.transAxes, ha="center", va="center", fontsize=SMALL)


def shade_gap(axes: "Axes", kind: str, sheet: Flowsheet) -> None:
    """The time of which not all could be read, shaded."""
    gap = sheet.timeline.gaps.get(kind)
    if gap is None or (gap.known_since is not None and gap.known_since <= sheet.begins):
        return
    until = gap.known_since or sheet.now
    shade = axes.axvspan(x(sheet.begins), x(until))
    shade.set(facecolor="none", edgecolor=(GREY, 0.5), hatch="xx", linewidth=0, zorder=0)
    words = "not all known" if gap.known_since is None else f"not all known before {sheet.when(gap.known_since)}"
    axes.text(0.985, 0.06, words, transform=axes.transAxes, ha="right", va="bottom", fontsize=SMALL, fontweight="bold")


def throughout(sheet: Flowsheet, y: float) -> list[tuple[datetime, float]]:
    """The same value from the beginning of the picture to now."""
    return [(sheet.begins, y), (sheet.now, y)]


def reach(axes: "Axes", values: Iterable[Any], low: float, high: float) -> None:
    """At least from low to high, and all of the values."""
    numbers = [float(value) for value in values]
    room = (high - low) * 0.08
    axes.set_ylim(min([low, *numbers]) - room, max([high, *numbers]) + room)


def points(
    axes: "Axes", canvas: Canvas, facts: Sequence[Fact], values: Sequence[Any], longest: timedelta, **look: Any
) -> None:
    """Readings as marks, and a line between those that are not further apart than a reading counts."""
    if not facts:
        return
    times = [fact.time for fact in facts]
    line: list[tuple[datetime, float]] = []
    for (time, value), (later, _) in pairwise([*zip(times, values, strict=True), (times[-1], 0)]):
        line.append((time, float(value)))
        if later - time > longest:
            line.append((time, float("nan")))
    marker, size = look.pop("marker"), look.pop("size", 3.5)
    axes.plot([x(time) for time, _ in line], [y for _, y in line], linewidth=1.1, **look)
    axes.plot(
        [x(time) for time in times],
        [float(value) for value in values],
        linestyle="none",
        clip_on=False,
        marker=marker,
        markersize=size,
        color=look["color"],
        gid=canvas.named(*map(canvas.sheet.entry, facts)),
    )


def threshold(axes: "Axes", places: Sequence[tuple[datetime, float]], words: str) -> None:
    """A dashed line through these places, named at its right end."""
    axes.plot(
        [x(time) for time, _ in places],
        [y for _, y in places],
        color=INK,
        linewidth=0.8,
        linestyle=(0, (5, 3)),
        drawstyle="steps-post",
    )
    at_the_right(axes, places[-1][1], words)


def at_the_right(axes: "Axes", y: float, words: str) -> None:
    """Words outside of the panel, at its right edge."""
    axes.annotate(
        words,
        (1, y),
        xycoords=("axes fraction", "data"),
        xytext=(2, 0),
        textcoords="offset points",
        va="center",
        fontsize=SMALL,
        annotation_clip=False,
    )


def bar(axes: "Axes", canvas: Canvas, entry: Entry, place: tuple[float, float], **look: Any) -> None:
    """A bar over the time of the entry, from its lower edge and as high as `place` says."""
    from matplotlib.patches import Rectangle

    sheet = canvas.sheet
    since, until = max(entry.time, sheet.begins), min(entry.until or entry.time, sheet.now)
    shape = Rectangle((x(since), place[0]), x(until) - x(since), place[1])
    shape.set(**{"linewidth": 0.7, "edgecolor": INK} | look)
    shape.set_gid(canvas.named(entry))
    axes.add_patch(shape)


def words_in_bar(
    axes: "Axes", sheet: Flowsheet, since: datetime, until: datetime, y: float, words: str, **look: Any
) -> None:
    """Words in the middle of a bar, where they fit."""
    since, until = max(since, sheet.begins), min(until, sheet.now)
    look = {"fontsize": SMALL} | look
    room = (until - since) / (sheet.now - sheet.begins) / LETTER * SMALL / look["fontsize"]
    if room < len(words):
        words = "\n".join(wrap(words, max(1, int(room)), break_long_words=False))
    if max(map(len, words.split("\n"))) <= room and words.count("\n") <= 1:
        axes.text(x(since + (until - since) / 2), y, words, ha="center", va="center", **look)


def room_for(sheet: Flowsheet, words: str) -> timedelta:
    """How long the words are on the axis of time, with the room around them."""
    return (sheet.now - sheet.begins) * ((len(words) + 2.5) * LETTER)


def note(axes: "Axes", words: str, place: tuple[float, float], **look: Any) -> None:
    """Words beside a place."""
    axes.annotate(words, place, textcoords="offset points", va="center", fontsize=SMALL, **look)


def side_by_side(sheet: Flowsheet, named: Sequence[tuple[datetime, str]]) -> list[datetime]:
    """Where words begin that would stand at their times, moved to the right, and from now to the left, where they
    would overlap."""
    places, free = [], sheet.begins
    for since, words in named:
        places.append(max(since, free))
        free = places[-1] + room_for(sheet, words)
    free = sheet.now
    for number, (_, words) in reversed(list(enumerate(named))):
        free = places[number] = min(places[number], free - room_for(sheet, words))
    return places

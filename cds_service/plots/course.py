"""The CRS course: one picture of a flowsheet, vital signs, support, treatment and the grade on one axis of time.

What a colour says is said by a shape, a place or a word too. Every mark has what it stands for as its name.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from decimal import Decimal
from io import BytesIO
from itertools import groupby, pairwise
from textwrap import wrap
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

from cds_service.crs.assessment import HIGHEST, Status
from cds_service.crs.eligibility import may_be_exposed
from cds_service.crs.figures import shown
from cds_service.crs.hypotension import is_pressor
from cds_service.crs.oxygen import Support, support_at
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Drug, Fact, Vasoactive
from cds_service.crs.trajectory import AFTER, Step
from cds_service.hooks.wording import one_line
from cds_service.plots.flowsheet import TREATMENTS, Entry, Flowsheet, grade_words
from cds_service.plots.svg import INK, SVG, drawing, drawn, of_page

if TYPE_CHECKING:
    from matplotlib.axes import Axes
    from matplotlib.figure import Figure

NAME = "course"
PAPER = "#ffffff"
INCHES = (12.8, 6.3)
SMALL, NORMAL = 7.5, 8.5
BLUE, RED, GREEN, GREY, VIOLET = "#0072b2", "#d55e00", "#009e73", "#7d858d", "#9a6fb0"
GRADES = ("#7d858d", "#56b4e9", "#e69f00", "#d55e00", "#9a6fb0")
"""By grade; each is a height and a number too."""
ROWS = ("T-cell therapy", "anticytokine", "corticosteroid", "antipyretic", "blood culture")
SHAPES = {"T-cell therapy": "*", "anticytokine": "v", "corticosteroid": "s", "antipyretic": "o", "blood culture": "D"}
LETTER = 0.0062
"""The width of a small letter as a part of the picture's."""
DAY = 86_400.0
LINE, LINES = 190, 4
"""Letters in a line below the picture, and how many lines there are at most; a page says all."""


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


def course_svg(sheet: Flowsheet) -> str:
    """The picture as a part of a page: in its colours, each mark with a name that can be reached by keyboard."""
    with drawing(NAME):
        canvas = Canvas(sheet)
        root = drawn(_figure(canvas, "none"))
    return _written(_named(of_page(root, NAME), canvas, f"{NAME}-"), sheet)


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


def _named(root: ElementTree.Element, canvas: Canvas, prefix: str) -> ElementTree.Element:
    """The tree with a title for each mark: shown by the browser, and what a screen reader says."""
    marks = {element.get("id"): element for element in root.iter(f"{SVG}g")}
    for mark, titles in canvas.titles.items():
        group = marks[f"{prefix}{mark}"]
        for element, title in zip(_single_marks(group, len(titles)), titles, strict=True):
            element.set("role", "img")
            element.set("tabindex", "0")
            named = ElementTree.Element(f"{SVG}title")
            named.text = title
            element.insert(0, named)
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
    figure.subplots_adjust(left=0.105, right=0.935, top=0.985, bottom=0.075)
    treatment, temperature, pressure, saturation, device, flow, pressors, grade = every
    _time_axis(every, sheet)
    _treatments(treatment, canvas)
    _temperatures(temperature, canvas)
    _pressures(pressure, canvas)
    _saturations(saturation, canvas)
    _devices(device, canvas)
    _flows(flow, canvas)
    _pressors(pressors, canvas, agents)
    _grades(grade, canvas)
    kinds = ("drugs", "temperatures", "pressures", "saturations", "oxygen", "oxygen", "vasoactives", "")
    for axes, kind in zip(every, kinds, strict=True):
        _gap(axes, kind, sheet)
    return figure


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


def _time_axis(every: "Sequence[Axes]", sheet: Flowsheet) -> None:
    from matplotlib.dates import AutoDateLocator, ConciseDateFormatter

    length = sheet.now - sheet.begins
    last = every[-1]
    last.set_xlim(_x(sheet.begins - length * 0.01), _x(sheet.now + length * 0.012))
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
        axes.axvline(_x(sheet.now), color=INK, linewidth=0.8)
    last.set_xlabel(
        f"time in {sheet.zone_words}; the line at the right is now, {sheet.when(sheet.now)}", fontsize=NORMAL
    )


def _x(time: datetime) -> float:
    """A time on the axis: matplotlib counts days since 1970."""
    return time.timestamp() / DAY


def _none(axes: "Axes", facts: Sequence[Fact], kind: str, sheet: Flowsheet) -> None:
    """Why a panel is empty: nothing charted is not the same as nothing read."""
    if facts:
        return
    if not may_be_exposed(sheet.timeline, sheet.scale, sheet.now):
        words = "not read: no T-cell therapy within its time"
    else:
        words = "none charted" if kind not in sheet.timeline.gaps else "none in what could be read"
    axes.text(0.5, 0.8, words, transform=axes.transAxes, ha="center", va="center", fontsize=SMALL)


def _label(axes: "Axes", words: str) -> None:
    axes.set_ylabel(words, rotation=0, ha="right", va="center", fontsize=NORMAL)
    axes.yaxis.set_label_coords(-0.03, 0.5)


def _points(
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
    axes.plot([_x(time) for time, _ in line], [y for _, y in line], linewidth=1.1, **look)
    axes.plot(
        [_x(time) for time in times],
        [float(value) for value in values],
        linestyle="none",
        marker=marker,
        markersize=size,
        color=look["color"],
        gid=canvas.named(*map(canvas.sheet.entry, facts)),
    )


def _threshold(axes: "Axes", places: Sequence[tuple[datetime, float]], words: str) -> None:
    axes.plot(
        [_x(time) for time, _ in places],
        [y for _, y in places],
        color=INK,
        linewidth=0.8,
        linestyle=(0, (5, 3)),
        drawstyle="steps-post",
    )
    _at_the_right(axes, places[-1][1], words)


def _at_the_right(axes: "Axes", y: float, words: str) -> None:
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


def _span(sheet: Flowsheet, y: float) -> list[tuple[datetime, float]]:
    return [(sheet.begins, y), (sheet.now, y)]


def _temperatures(axes: "Axes", canvas: Canvas) -> None:
    sheet = canvas.sheet
    facts = sheet.since_begin(sheet.timeline.temperatures)
    _none(axes, facts, "temperatures", sheet)
    values = [fact.celsius for fact in facts]
    _points(axes, canvas, facts, values, sheet.scale.fever_current, color=RED, marker="o")
    limit = float(sheet.scale.fever)
    _threshold(axes, _span(sheet, limit), f"fever ≥ {shown(sheet.scale.fever)}")
    _limits(axes, values, limit - 1.5, limit + 2)
    _label(axes, "temperature\n°C")


def _limits(axes: "Axes", values: Iterable[Any], low: float, high: float) -> None:
    """At least from low to high, and all of the values."""
    numbers = [float(value) for value in values]
    room = (high - low) * 0.08
    axes.set_ylim(min([low, *numbers]) - room, max([high, *numbers]) + room)


def _pressures(axes: "Axes", canvas: Canvas) -> None:
    sheet = canvas.sheet
    facts = sheet.since_begin(sheet.timeline.pressures)
    _none(axes, facts, "pressures", sheet)
    for fact in facts:
        if fact.diastolic is not None:
            ends = [float(fact.systolic), float(fact.diastolic)]
            axes.plot([_x(fact.time)] * 2, ends, color=BLUE, linewidth=0.9, alpha=0.8)
    values = [fact.systolic for fact in facts]
    _points(axes, canvas, facts, values, sheet.scale.pressure_window, color=BLUE, marker="v", size=4)
    means = sheet.since_begin(sheet.timeline.means)
    if means:
        charted = [fact.mmhg for fact in means]
        _points(axes, canvas, means, charted, sheet.scale.pressure_window, color=GREY, marker="D", linestyle=":")
    limits = _pressure_limits(sheet)
    _threshold(axes, limits, f"low < {limits[-1][1]:g}")
    _limits(
        axes,
        [*values, *(fact.diastolic for fact in facts if fact.diastolic), *(fact.mmhg for fact in means)],
        limits[-1][1] - 30,
        limits[-1][1] + 35,
    )
    _label(axes, "systolic ▼\nmean ◆\nmmHg")


def _pressure_limits(sheet: Flowsheet) -> list[tuple[datetime, float]]:
    """The systolic threshold of the age, day by day."""
    days = (sheet.now - sheet.begins).days
    times = [*(sheet.begins + timedelta(days=day) for day in range(days + 1)), sheet.now]
    return [(time, float(_systolic_threshold(sheet, time.astimezone(UTC)))) for time in times]


def _systolic_threshold(sheet: Flowsheet, time: datetime) -> Decimal:
    return sheet.scale.systolic_threshold(sheet.timeline.age_in_days(time), sheet.timeline.age_in_years(time))


def _saturations(axes: "Axes", canvas: Canvas) -> None:
    sheet = canvas.sheet
    facts = sheet.since_begin(sheet.timeline.saturations)
    _none(axes, facts, "saturations", sheet)
    values = [fact.percent for fact in facts]
    _points(axes, canvas, facts, values, sheet.scale.oxygen_window, color=GREEN, marker="^", size=4)
    limit = float(sheet.scale.hypoxia_saturation)
    _threshold(axes, _span(sheet, limit), f"low < {shown(sheet.scale.hypoxia_saturation)}")
    _limits(axes, values, limit - 4, 100)
    _label(axes, "SpO2\n%")


def _flows(axes: "Axes", canvas: Canvas) -> None:
    sheet = canvas.sheet
    facts = [fact for fact in sheet.since_begin(sheet.timeline.oxygen) if fact.flow is not None]
    _none(axes, facts, "oxygen", sheet)
    values = [fact.flow for fact in facts]
    _points(axes, canvas, facts, values, sheet.scale.oxygen_window, color=GREEN, marker="s")
    limit = float(sheet.scale.low_flow_maximum)
    _threshold(axes, _span(sheet, limit), f"high > {shown(sheet.scale.low_flow_maximum)}")
    _limits(axes, values, 0, limit + 3)
    _label(axes, "O2 flow\nL/min")


def _devices(axes: "Axes", canvas: Canvas) -> None:
    """The oxygen support that counts at each instant, by the function that grading asks."""
    sheet = canvas.sheet
    axes.set_ylim(0, 2)
    axes.set_yticks([])
    _label(axes, "O2 device")
    facts = sheet.since_begin(sheet.timeline.oxygen)
    _none(axes, facts, "oxygen", sheet)
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
        _bar(axes, canvas, entry, (0.1, 0.8), facecolor=colour)
        named.append((since, words))
    line = {"arrowstyle": "-", "linewidth": 0.5, "edgecolor": INK, "shrinkA": 0, "shrinkB": 0}
    for (since, words), place in zip(named, _side_by_side(sheet, named), strict=True):
        moved = line if place != since else None
        axes.annotate(words, (_x(since), 0.9), (_x(place), 1.5), va="center", fontsize=SMALL, arrowprops=moved)


def _side_by_side(sheet: Flowsheet, named: Sequence[tuple[datetime, str]]) -> list[datetime]:
    """Where words begin that would stand at their times, moved to the right, and from now to the left, where they
    would overlap."""
    places, free = [], sheet.begins
    for since, words in named:
        places.append(max(since, free))
        free = places[-1] + _length(sheet, words)
    free = sheet.now
    for number, (_, words) in reversed(list(enumerate(named))):
        free = places[number] = min(places[number], free - _length(sheet, words))
    return places


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


def _bar(axes: "Axes", canvas: Canvas, entry: Entry, place: tuple[float, float], **look: Any) -> None:
    """A bar over the time of the entry, from its lower edge and as high as `place` says."""
    from matplotlib.patches import Rectangle

    sheet = canvas.sheet
    since, until = max(entry.time, sheet.begins), min(entry.until or entry.time, sheet.now)
    shape = Rectangle((_x(since), place[0]), _x(until) - _x(since), place[1])
    shape.set(**{"linewidth": 0.7, "edgecolor": INK} | look)
    shape.set_gid(canvas.named(entry))
    axes.add_patch(shape)


def _words_in_bar(
    axes: "Axes", sheet: Flowsheet, since: datetime, until: datetime, y: float, words: str, **look: Any
) -> None:
    """Words in the middle of a bar, where they fit."""
    since, until = max(since, sheet.begins), min(until, sheet.now)
    look = {"fontsize": SMALL} | look
    room = (until - since) / (sheet.now - sheet.begins) / LETTER * SMALL / look["fontsize"]
    if room < len(words):
        words = "\n".join(wrap(words, max(1, int(room)), break_long_words=False))
    if max(map(len, words.split("\n"))) <= room and words.count("\n") <= 1:
        axes.text(_x(since + (until - since) / 2), y, words, ha="center", va="center", **look)


def _pressors(axes: "Axes", canvas: Canvas, agents: Sequence[str]) -> None:
    sheet = canvas.sheet
    axes.set_ylim(max(1, len(agents)), 0)
    axes.set_yticks([row + 0.5 for row in range(len(agents))], [_short(agent) for agent in agents])
    if not agents:
        axes.set_yticks([0.5], ["vasopressors"])
    drugs = sheet.since_begin(sheet.timeline.vasoactives)
    _none(axes, drugs, "vasoactives", sheet)
    for drug in drugs:
        row = agents.index(drug.agent)
        colour = RED if is_pressor(drug) else GREY
        if drug.bolus:
            axes.plot(_x(drug.time), row + 0.5, marker="d", color=colour, gid=canvas.named(sheet.entry(drug)))
        else:
            _bar(axes, canvas, sheet.entry(drug), (row + 0.15, 0.7), facecolor=(colour, 0.55))
            _rate(axes, sheet, drug, row + 0.5)


def _rate(axes: "Axes", sheet: Flowsheet, drug: Vasoactive, y: float) -> None:
    """The rate in the bar, or behind it."""
    words = one_line(drug.rate if is_pressor(drug) else f"{drug.rate} not counted").strip()
    since, until = max(drug.time, sheet.begins), min(drug.until, sheet.now)
    if _length(sheet, words) <= until - since:
        axes.text(_x(since + (until - since) / 2), y, words, ha="center", va="center", fontsize=SMALL)
    elif until + _length(sheet, words) <= sheet.now:
        _note(axes, words, (_x(until), y), xytext=(4, 0), ha="left")


def _short(words: str) -> str:
    words = one_line(words)
    return words if len(words) <= 18 else words[:17] + "…"


def _treatments(axes: "Axes", canvas: Canvas) -> None:
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
        _bar(axes, canvas, entry, (row - 0.12, 0.24), facecolor=(VIOLET, 0.5))
    axes.plot(_x(since), row, marker=SHAPES[name], color=VIOLET, markersize=6, gid=canvas.named(entry))
    early = f", {sheet.when(fact.time)}" if fact.time < sheet.begins else ""
    return since, max(since, until), one_line(f"{words}{early}")


def _words_after(axes: "Axes", sheet: Flowsheet, y: float, marks: Sequence[tuple[datetime, datetime, str]]) -> None:
    """Words behind the marks of a row, once for equal ones that stand close together; in front at the right edge."""
    together = 1
    for (_, end, words), following in zip(marks, [*marks[1:], None], strict=True):
        said = f"{words} ×{together}" if together > 1 else words
        length = _length(sheet, said)
        if following is not None and end + length > following[0]:
            together = together + 1 if following[2] == words else 1
            continue
        left = end + length > sheet.now
        place = {"xytext": (-7 if left else 7, 0), "ha": "right" if left else "left"}
        _note(axes, said, (_x(end), y), **place)
        together = 1


def _length(sheet: Flowsheet, words: str) -> timedelta:
    """How long the words are on the axis of time, with the room around them."""
    return (sheet.now - sheet.begins) * ((len(words) + 2.5) * LETTER)


def _note(axes: "Axes", words: str, place: tuple[float, float], **look: Any) -> None:
    axes.annotate(words, place, textcoords="offset points", va="center", fontsize=SMALL, **look)


def _grades(axes: "Axes", canvas: Canvas) -> None:
    sheet = canvas.sheet
    axes.set_ylim(0, HIGHEST + 0.4)
    axes.set_yticks(range(HIGHEST + 1))
    _label(axes, "CRS grade")
    steps = [step for step in sheet.trajectory.steps if step.until >= sheet.begins]
    for step in steps:
        _step(axes, canvas, step)
    _outline(axes, sheet, steps)
    for words, run in groupby(steps, key=_in_band):
        same = list(run)
        height = HIGHEST if same[0].grade is None else max(same[0].grade, 1.2)
        bold = {"fontsize": 9, "fontweight": "bold"} if len(words) < 4 else {}
        _words_in_bar(axes, sheet, same[0].since, same[-1].until, height / 2, words, **bold)
    _at_the_right(axes, HIGHEST / 2, "now:\n" + _in_band(steps[-1]).replace(" ", "\n", 1))


def _outline(axes: "Axes", sheet: Flowsheet, steps: Sequence[Step]) -> None:
    """The grade as a line over its bars, broken where it is not known."""
    corners = [(max(step.since, sheet.begins), _height(step)) for step in steps]
    corners += [(sheet.now, _height(step)) for step in steps[-1:]]
    axes.plot(
        [_x(time) for time, _ in corners], [y for _, y in corners], color=INK, linewidth=1, drawstyle="steps-post"
    )


def _height(step: Step) -> float:
    return float("nan") if step.grade is None else float(step.grade)


def _step(axes: "Axes", canvas: Canvas, step: Step) -> None:
    entry, grade = canvas.sheet.step(step), step.grade
    if step.status is Status.NOT_ELIGIBLE:
        _bar(axes, canvas, entry, (0, 0.15), facecolor="none", linewidth=0.4)
    elif grade is None:
        _bar(axes, canvas, entry, (0, HIGHEST), facecolor="none", edgecolor=(GREY, 0.5), linewidth=0, hatch=".")
    else:
        hatch = "//" if step.status is Status.PROVISIONAL else None
        look = {"facecolor": (GRADES[grade], 0.5), "edgecolor": GREY, "linewidth": 0, "hatch": hatch}
        _bar(axes, canvas, entry, (0, max(grade, 0.25)), **look)


def _in_band(step: Step) -> str:
    """What stands in the band: `3`, `≥1` for a floor, `2?` for what is provisional for another reason."""
    if step.grade is None:
        return "not looked for" if step.status is Status.NOT_ELIGIBLE else "not known"
    if step.is_floor:
        return f"≥{step.grade}"
    return f"{step.grade}{'?' if step.status is Status.PROVISIONAL else ''}"


def _gap(axes: "Axes", kind: str, sheet: Flowsheet) -> None:
    """The time of which not all could be read, shaded."""
    gap = sheet.timeline.gaps.get(kind)
    if gap is None or (gap.known_since is not None and gap.known_since <= sheet.begins):
        return
    until = gap.known_since or sheet.now
    shade = axes.axvspan(_x(sheet.begins), _x(until))
    shade.set(facecolor="none", edgecolor=(GREY, 0.5), hatch="xx", linewidth=0, zorder=0)
    words = "not all known" if gap.known_since is None else f"not all known before {sheet.when(gap.known_since)}"
    axes.text(0.985, 0.06, words, transform=axes.transAxes, ha="right", va="bottom", fontsize=SMALL, fontweight="bold")

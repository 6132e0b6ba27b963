"""The panels of temperature, pressure, oxygen saturation and oxygen flow, each with its threshold."""

from datetime import UTC, datetime, time, timedelta
from typing import TYPE_CHECKING

from cds_service.crs.figures import shown
from cds_service.plots.flowsheet import Flowsheet
from cds_service.plots.marks import (
    BLUE,
    GREEN,
    GREY,
    RED,
    Canvas,
    label,
    points,
    reach,
    say_none,
    threshold,
    throughout,
    x,
)

if TYPE_CHECKING:
    from matplotlib.axes import Axes


def temperatures(axes: "Axes", canvas: Canvas) -> None:
    """Each reading, and the threshold of fever."""
    sheet = canvas.sheet
    facts = sheet.since_begin(sheet.timeline.temperatures)
    say_none(axes, facts, "temperatures", sheet)
    values = [fact.celsius for fact in facts]
    points(axes, canvas, facts, values, sheet.scale.fever_current, color=RED, marker="o")
    limit = float(sheet.scale.fever)
    threshold(axes, throughout(sheet, limit), f"fever ≥ {shown(sheet.scale.fever)}")
    reach(axes, values, limit - 1.5, limit + 2)
    label(axes, "temperature\n°C")


def pressures(axes: "Axes", canvas: Canvas) -> None:
    """Systolic pressures with a line down to the diastolic ones, mean pressures, the threshold of the age."""
    sheet = canvas.sheet
    facts = sheet.since_begin(sheet.timeline.pressures)
    say_none(axes, facts, "pressures", sheet)
    for fact in facts:
        if fact.diastolic is not None:
            ends = [float(fact.systolic), float(fact.diastolic)]
            axes.plot([x(fact.time)] * 2, ends, color=BLUE, linewidth=0.9, alpha=0.8)
    values = [fact.systolic for fact in facts]
    points(axes, canvas, facts, values, sheet.scale.pressure_window, color=BLUE, marker="v", size=4)
    means = sheet.since_begin(sheet.timeline.means)
    if means:
        charted = [fact.mmhg for fact in means]
        points(axes, canvas, means, charted, sheet.scale.pressure_window, color=GREY, marker="D", linestyle=":")
    limits = _thresholds(sheet)
    threshold(axes, limits, f"low < {limits[-1][1]:g}")
    reach(
        axes,
        [*values, *(fact.diastolic for fact in facts if fact.diastolic), *(fact.mmhg for fact in means)],
        limits[-1][1] - 30,
        limits[-1][1] + 35,
    )
    label(axes, "systolic ▼\nmean ◆\nmmHg")


def _thresholds(sheet: Flowsheet) -> list[tuple[datetime, float]]:
    """The systolic threshold of the age, from each midnight on (C25)."""
    first = datetime.combine(sheet.begins.astimezone(UTC).date(), time.min, UTC)
    midnights = (first + timedelta(days=day) for day in range(1, (sheet.now - first).days + 1))
    times = [sheet.begins.astimezone(UTC), *midnights, sheet.now.astimezone(UTC)]
    age = sheet.timeline
    found = [sheet.scale.systolic_threshold(age.age_in_days(at), age.age_in_years(at)) for at in times]
    return [(at, float(mmhg)) for at, mmhg in zip(times, found, strict=True)]


def saturations(axes: "Axes", canvas: Canvas) -> None:
    """Each reading, and the threshold of hypoxia."""
    sheet = canvas.sheet
    facts = sheet.since_begin(sheet.timeline.saturations)
    say_none(axes, facts, "saturations", sheet)
    values = [fact.percent for fact in facts]
    points(axes, canvas, facts, values, sheet.scale.oxygen_window, color=GREEN, marker="^", size=4)
    limit = float(sheet.scale.hypoxia_saturation)
    threshold(axes, throughout(sheet, limit), f"low < {shown(sheet.scale.hypoxia_saturation)}")
    reach(axes, values, limit - 4, 100)
    label(axes, "SpO2\n%")


def flows(axes: "Axes", canvas: Canvas) -> None:
    """Each flow that is charted, and the end of low flow."""
    sheet = canvas.sheet
    facts = [fact for fact in sheet.since_begin(sheet.timeline.oxygen) if fact.flow is not None]
    say_none(axes, facts, "oxygen", sheet)
    values = [fact.flow for fact in facts]
    points(axes, canvas, facts, values, sheet.scale.oxygen_window, color=GREEN, marker="s")
    limit = float(sheet.scale.low_flow_maximum)
    threshold(axes, throughout(sheet, limit), f"high > {shown(sheet.scale.low_flow_maximum)}")
    reach(axes, values, 0, limit + 3)
    label(axes, "O2 flow\nL/min")

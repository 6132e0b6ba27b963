"""Grading scales from `cards/scales/`."""

from datetime import date

from cds_service.content.figures import Figure, Span, Strict, every_unit
from cds_service.crs.scale import Device, PressureBand, Scale, TherapyWindow


class FeverTable(Strict):
    threshold: Figure
    current_window: Figure
    establishing_window: Figure


class BandEntry(Strict):
    mmhg: Figure
    mmhg_per_year: Figure
    below_days: int | None = None
    below_years: int | None = None


class HypotensionTable(Strict):
    window: Figure
    vasoactive_history: Figure
    vasoactive_stopped: Figure
    normal_readings: Figure
    normal_spacing: Figure
    adult_years: Figure
    band: list[BandEntry]


class HypoxiaTable(Strict):
    window: Figure
    low_flow_maximum: Figure
    saturation: Figure
    room_air_fio2: Figure


class DeviceEntry(Strict):
    id: str
    display: str
    reference: str
    grade: int | None = None
    in_use: bool = True
    positive_pressure: bool = False
    caution: str = ""


class TherapyEntry(Strict):
    id: str
    days: Figure | None = None
    late_days: Figure | None = None
    hours: Figure | None = None
    early_doses: Figure | None = None
    later_hours: Figure | None = None
    advice: str = ""


class ResolutionTable(Strict):
    duration: Figure
    duration_after_il6_blocker: Figure


class DataQualityTable(Strict):
    clock_skew: Figure


class ScaleFile(Strict):
    """The layout of a file in `cards/scales/`."""

    id: str
    version: str
    title: str
    citation: str
    date: date
    fever: FeverTable
    hypotension: HypotensionTable
    hypoxia: HypoxiaTable
    device: list[DeviceEntry]
    masking: dict[str, Figure]
    resolution: ResolutionTable
    therapy: list[TherapyEntry]
    data_quality: DataQualityTable
    plausible: dict[str, Span]
    inferable: dict[str, Span]


PLAUSIBLE = {
    "temperature": "Cel",
    "systolic": "mm[Hg]",
    "diastolic": "mm[Hg]",
    "saturation": "%",
    "flow": "L/min",
    "fio2": "%",
    "weight": "kg",
}
INFERABLE = {"celsius": "Cel", "fahrenheit": "[degF]", "pressure": "mm[Hg]"}
MASKING = ("antipyretic", "il6-blocker", "corticosteroid", "il1-blocker", "il6-pathway")


def scale(file: ScaleFile) -> Scale:
    """The scale as the rules read it. ValueError for a unit, band or range that does not fit."""
    every_unit(file.plausible.items(), PLAUSIBLE)
    every_unit(file.inferable.items(), INFERABLE)
    absent = [group for group in MASKING if group not in file.masking]
    if absent:
        raise ValueError(f"masking lacks {', '.join(absent)}")
    last = file.hypotension.band[-1]
    if last.below_days is not None or last.below_years is not None:
        raise ValueError("the last hypotension band must have no upper age")
    return Scale(
        id=file.id,
        version=file.version,
        title=file.title,
        citation=file.citation,
        fever=file.fever.threshold.number("Cel"),
        fever_current=file.fever.current_window.duration(),
        fever_establishing=file.fever.establishing_window.duration(),
        low_flow_maximum=file.hypoxia.low_flow_maximum.number("L/min"),
        hypoxia_saturation=file.hypoxia.saturation.number("%"),
        room_air_fio2=file.hypoxia.room_air_fio2.number("%"),
        oxygen_window=file.hypoxia.window.duration(),
        adult_years=file.hypotension.adult_years.whole("a"),
        pressure_bands=tuple(_band(entry) for entry in file.hypotension.band),
        pressure_window=file.hypotension.window.duration(),
        vasoactive_history=file.hypotension.vasoactive_history.duration(),
        vasoactive_stopped=file.hypotension.vasoactive_stopped.duration(),
        normal_readings=file.hypotension.normal_readings.whole("1"),
        normal_spacing=file.hypotension.normal_spacing.duration(),
        devices={entry.id: _device(entry) for entry in file.device},
        masking={group: figure.duration() for group, figure in file.masking.items()},
        resolution=file.resolution.duration.duration(),
        resolution_after_il6_blocker=file.resolution.duration_after_il6_blocker.duration(),
        therapy_windows={entry.id: _window(entry) for entry in file.therapy},
        clock_skew=file.data_quality.clock_skew.duration(),
        plausible={name: span.range() for name, span in file.plausible.items()},
        inferable={name: span.range() for name, span in file.inferable.items()},
    )


def _band(entry: BandEntry) -> PressureBand:
    return PressureBand(
        mmhg=entry.mmhg.number("mm[Hg]"),
        mmhg_per_year=entry.mmhg_per_year.number("mm[Hg]/a"),
        below_days=entry.below_days,
        below_years=entry.below_years,
    )


def _device(entry: DeviceEntry) -> Device:
    if entry.grade is not None and entry.grade not in (2, 3, 4):
        raise ValueError(f"device {entry.id}: grade {entry.grade} is not 2, 3 or 4")
    return Device(
        id=entry.id,
        display=entry.display,
        grade=entry.grade,
        in_use=entry.in_use,
        positive_pressure=entry.positive_pressure,
        caution=entry.caution,
    )


def _window(entry: TherapyEntry) -> TherapyWindow:
    if (entry.days is None) == (entry.hours is None):
        raise ValueError(f"therapy window {entry.id}: either days or hours is needed")
    return TherapyWindow(
        id=entry.id,
        days=entry.days.whole("d") if entry.days else None,
        late_days=entry.late_days.whole("d") if entry.late_days else None,
        hours=entry.hours.duration() if entry.hours else None,
        early_doses=entry.early_doses.whole("1") if entry.early_doses else None,
        later_hours=entry.later_hours.duration() if entry.later_hours else None,
        advice=entry.advice,
    )

"""Grading scales from `cards/scales/`."""

from typing import Literal

from pydantic import Field

from cds_service.content.figures import (
    Celsius,
    Count,
    Day,
    Days,
    Flow,
    Percent,
    Pressure,
    PressurePerYear,
    Span,
    Strict,
    Time,
    Years,
)
from cds_service.crs.scale import Device, PressureBand, Scale, TherapyWindow


class FeverTable(Strict):
    """Fever."""

    threshold: Celsius = Field(description="A temperature from here on is fever")
    current_window: Time = Field(description="How far back a temperature tells whether there is fever now")
    establishing_window: Time = Field(description="How far back a fever counts once an episode is open")


class BandEntry(Strict):
    """Systolic pressure below which an age has hypotension: mmhg + mmhg_per_year x completed years."""

    mmhg: Pressure = Field(description="Systolic pressure at birth, or at any age of the band")
    mmhg_per_year: PressurePerYear = Field(description="Added for each completed year of age")
    below_days: int | None = Field(None, gt=0, description="The band holds below this age in days")
    below_years: int | None = Field(None, gt=0, description="The band holds below this age in years")


class HypotensionTable(Strict):
    """Hypotension."""

    window: Time = Field(description="How far back a blood pressure counts")
    vasoactive_history: Time = Field(description="An infusion without an update for longer is doubted")
    vasoactive_stopped: Time = Field(description="How long a stopped vasopressor is shown")
    normal_readings: Count = Field(description="Normal readings that put one low reading in doubt")
    normal_spacing: Time = Field(description="Least time between those readings")
    adult_years: Years = Field(description="Adult from this age")
    band: list[BandEntry] = Field(min_length=1, description="Bands of age, youngest first; the last has no upper age")


class HypoxiaTable(Strict):
    """Hypoxia."""

    window: Time = Field(description="How far back oxygen support and saturation count")
    low_flow_maximum: Flow = Field(description="Low flow is up to and including this flow")
    saturation: Percent = Field(description="Below this saturation on room air oxygen is needed")
    room_air_fio2: Percent = Field(description="Oxygen in air")


class DeviceEntry(Strict):
    """A device that gives oxygen, and the grade it means."""

    id: str = Field(description="Id of a meaning in codes/oxygen-devices.toml")
    display: str = Field(description="What a card calls it")
    reference: str = Field(description="Who says so")
    grade: Literal[2, 3, 4] | None = Field(None, description="Its grade; without one the flow decides")
    in_use: bool = Field(True, description="Whether it gives oxygen at all")
    positive_pressure: bool = Field(False, description="Whether it ventilates")
    caution: str = Field("", description="What to confirm, said with the grade")


class TherapyEntry(Strict):
    """How long after a therapy CRS is looked for: in days after cells, in hours after antibodies."""

    id: str = Field(description="Id that codes/therapies.toml names as the group of a therapy")
    days: Days | None = Field(None, description="Calendar days from an infusion of cells")
    late_days: Days | None = Field(None, description="The same, when CRS is charted")
    hours: Time | None = Field(None, description="Time from a dose")
    early_doses: Count | None = Field(None, description="How many first doses open `hours`")
    later_hours: Time | None = Field(None, description="Time from a later dose")
    advice: str = Field("", description="Key of a sentence said with the grade")


class ResolutionTable(Strict):
    """When CRS has resolved."""

    duration: Time = Field(description="Free of fever, hypotension and oxygen for this long")
    duration_after_il6_blocker: Time = Field(description="The same after tocilizumab")


class DataQualityTable(Strict):
    """Readings that cannot be."""

    clock_skew: Time = Field(description="A reading this far ahead is a clock, not the future")


class PlausibleTable(Strict):
    """Outside these a reading is not used, and said."""

    temperature: Span[Literal["Cel"]] = Field(description="Body temperature")
    systolic: Span[Literal["mm[Hg]"]] = Field(description="Systolic pressure")
    diastolic: Span[Literal["mm[Hg]"]] = Field(description="Diastolic pressure")
    saturation: Span[Literal["%"]] = Field(description="Oxygen saturation")
    flow: Span[Literal["L/min"]] = Field(description="Oxygen flow")
    fio2: Span[Literal["%"]] = Field(description="Oxygen in the air that is breathed")
    weight: Span[Literal["kg"]] = Field(description="Body weight")


class InferableTable(Strict):
    """A missing unit is inferred only where the ranges cannot overlap."""

    celsius: Span[Literal["Cel"]] = Field(description="Taken for degrees Celsius")
    fahrenheit: Span[Literal["[degF]"]] = Field(description="Taken for degrees Fahrenheit")
    pressure: Span[Literal["mm[Hg]"]] = Field(description="Taken for mmHg")


class ScaleFile(Strict):
    """A grading scale: a file in `cards/scales/`."""

    id: str = Field(description="Id that a protocol names as its scale")
    version: str = Field(description="Version, changed with every change")
    title: str = Field(description="What a card calls it")
    citation: str = Field(description="Where it was published")
    date: Day = Field(description="Date of the publication")
    fever: FeverTable = Field(description="Fever")
    hypotension: HypotensionTable = Field(description="Hypotension")
    hypoxia: HypoxiaTable = Field(description="Hypoxia")
    device: list[DeviceEntry] = Field(description="Devices that give oxygen; the device outranks the flow")
    masking: dict[str, Time] = Field(description="For how long a drug may hide fever, by group of drugs")
    resolution: ResolutionTable = Field(description="When CRS has resolved")
    therapy: list[TherapyEntry] = Field(description="How long after a therapy CRS is looked for")
    data_quality: DataQualityTable = Field(description="Readings that cannot be")
    plausible: PlausibleTable = Field(description="Outside these a reading is not used, and said")
    inferable: InferableTable = Field(description="Ranges from which a missing unit is inferred")


def scale(file: ScaleFile) -> Scale:
    """The scale as the rules read it."""
    return Scale(
        id=file.id,
        version=file.version,
        title=file.title,
        citation=file.citation,
        fever=file.fever.threshold.value,
        fever_current=file.fever.current_window.duration(),
        fever_establishing=file.fever.establishing_window.duration(),
        low_flow_maximum=file.hypoxia.low_flow_maximum.value,
        hypoxia_saturation=file.hypoxia.saturation.value,
        room_air_fio2=file.hypoxia.room_air_fio2.value,
        oxygen_window=file.hypoxia.window.duration(),
        adult_years=int(file.hypotension.adult_years.value),
        pressure_bands=tuple(_band(entry) for entry in file.hypotension.band),
        pressure_window=file.hypotension.window.duration(),
        vasoactive_history=file.hypotension.vasoactive_history.duration(),
        vasoactive_stopped=file.hypotension.vasoactive_stopped.duration(),
        normal_readings=int(file.hypotension.normal_readings.value),
        normal_spacing=file.hypotension.normal_spacing.duration(),
        devices={entry.id: _device(entry) for entry in file.device},
        masking={group: figure.duration() for group, figure in file.masking.items()},
        resolution=file.resolution.duration.duration(),
        resolution_after_il6_blocker=file.resolution.duration_after_il6_blocker.duration(),
        therapy_windows={entry.id: _window(entry) for entry in file.therapy},
        clock_skew=file.data_quality.clock_skew.duration(),
        plausible={name: span.range() for name, span in file.plausible},
        inferable={name: span.range() for name, span in file.inferable},
    )


def _band(entry: BandEntry) -> PressureBand:
    return PressureBand(
        mmhg=entry.mmhg.value,
        mmhg_per_year=entry.mmhg_per_year.value,
        below_days=entry.below_days,
        below_years=entry.below_years,
    )


def _device(entry: DeviceEntry) -> Device:
    return Device(
        id=entry.id,
        display=entry.display,
        grade=entry.grade,
        in_use=entry.in_use,
        positive_pressure=entry.positive_pressure,
        caution=entry.caution,
    )


def _window(entry: TherapyEntry) -> TherapyWindow:
    return TherapyWindow(
        id=entry.id,
        days=int(entry.days.value) if entry.days else None,
        late_days=int(entry.late_days.value) if entry.late_days else None,
        hours=entry.hours.duration() if entry.hours else None,
        early_doses=int(entry.early_doses.value) if entry.early_doses else None,
        later_hours=entry.later_hours.duration() if entry.later_hours else None,
        advice=entry.advice,
    )

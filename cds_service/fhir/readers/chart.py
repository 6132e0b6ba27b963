"""What readers share: the chart being read, and the facts collected so far."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from datetime import datetime, timedelta, tzinfo

from cds_service.crs.scale import Scale
from cds_service.crs.timeline import (
    Allergy,
    BloodPressure,
    BodyWeight,
    Culture,
    Diagnosis,
    Drug,
    DrugOrder,
    LabResult,
    MeanPressure,
    OxygenSaturation,
    OxygenSupport,
    Score,
    Temperature,
    Therapy,
    Unused,
    Vasoactive,
)
from cds_service.fhir.codebook import Codebook
from cds_service.fhir.elements import Json, Moment, Unusable, text

LONGEST_ID = 256
ZONES_APART = timedelta(hours=14)
"""A date alone may be that of today where it was written: so far ahead of UTC is the first zone to see a day."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Chart:
    """Everything a reader needs beside the resource: knowledge, the instant, the zone for times without one."""

    codebook: Codebook
    scale: Scale
    now: datetime
    zone: tzinfo
    medications: Mapping[str, Json] = field(default_factory=dict)

    def happened(self, charted: Moment) -> datetime:
        """When it happened, at most now. Raises Unusable when it lies further ahead than clocks differ (DQ-41, T58)."""
        ahead = ZONES_APART if charted.whole_day else self.scale.clock_skew
        if charted.time > self.now + ahead:
            raise Unusable("dated in the future")
        return min(charted.time, self.now)


@dataclass(slots=True)
class Facts:
    """Facts as they are read, in no order yet."""

    temperatures: list[Temperature] = field(default_factory=list)
    pressures: list[BloodPressure] = field(default_factory=list)
    means: list[MeanPressure] = field(default_factory=list)
    saturations: list[OxygenSaturation] = field(default_factory=list)
    oxygen: list[OxygenSupport] = field(default_factory=list)
    vasoactives: list[Vasoactive] = field(default_factory=list)
    weights: list[BodyWeight] = field(default_factory=list)
    therapies: list[Therapy] = field(default_factory=list)
    drugs: list[Drug] = field(default_factory=list)
    orders: list[DrugOrder] = field(default_factory=list)
    cultures: list[Culture] = field(default_factory=list)
    labs: list[LabResult] = field(default_factory=list)
    scores: list[Score] = field(default_factory=list)
    diagnoses: list[Diagnosis] = field(default_factory=list)
    allergies: list[Allergy] = field(default_factory=list)
    unused: list[Unused] = field(default_factory=list)


Reader = Callable[[Json, Chart, Facts], None]
"""Adds the facts of one resource. Raises Unusable with the reason when a relevant resource cannot be used."""


def reference_to(resource: Json) -> str:
    """`Type/id` of a resource; ids may be longer than FHIR allows and are kept as they are."""
    kind, identifier = text(resource.get("resourceType")), text(resource.get("id"), LONGEST_ID)
    return f"{kind or 'Resource'}/{identifier or 'without-id'}"

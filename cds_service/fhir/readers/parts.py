"""The parts of an Observation, itself and its components, and the values they carry."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from datetime import datetime
from typing import NamedTuple, TypeVar

from cds_service.crs.timeline import Flag
from cds_service.crs.valuesets import Meaning
from cds_service.fhir import units
from cds_service.fhir.elements import Json, Unusable, text, texts
from cds_service.fhir.readers.chart import Chart, Facts

NAMES = {"temperature": "temperature", "weight": "body weight"}
"""What to call the parts of a value set whose displays only say how or where it was measured."""

ValueT = TypeVar("ValueT")


class Part(NamedTuple):
    """An Observation or a component: what it is about, and `own` for the Observation itself."""

    kind: str
    meaning: Meaning
    json: Json
    flags: tuple[Flag, ...]
    own: bool

    @property
    def name(self) -> str:
        """What to call it in a reason."""
        return NAMES.get(self.kind, self.meaning.display)

    @property
    def is_heading(self) -> bool:
        """True for an Observation that says nothing itself and only holds others together."""
        grouped = self.own and (self.json.get("component") or self.json.get("hasMember"))
        return bool(grouped) and not has_value(self.json) and not self.json.get("dataAbsentReason")


@dataclass(slots=True)
class Reading:
    """One Observation as it is read: its time, and the reasons why parts of it were not used."""

    resource: Json
    chart: Chart
    facts: Facts
    reference: str
    time: datetime
    flags: tuple[Flag, ...]
    reasons: list[str] = field(default_factory=list)

    def each(self, parts: list[Part], read: Callable[[Part], ValueT]) -> Iterator[tuple[Part, ValueT]]:
        """What can be read of the parts; a part that cannot be used leaves its reason."""
        for part in parts:
            if part.is_heading:
                continue
            try:
                yield part, read(part)
            except Unusable as error:
                self.reasons.append(f"{part.name}: {error}")

    def flagged(self, *flags: Flag) -> tuple[Flag, ...]:
        """The flags of the Observation and of a part, each once."""
        return tuple(dict.fromkeys((*self.flags, *flags)))


def has_value(part: Json) -> bool:
    """True when it carries a value and is not charted as absent."""
    charted = any(name.startswith("value") and value is not None for name, value in part.items())
    return charted and not part.get("dataAbsentReason")


def amount(part: Part) -> units.Quantity:
    """The value as a quantity; a string is read when it is nothing but a number (DQ-14)."""
    value = part.json
    charted = value.get("valueQuantity")
    if isinstance(charted, dict) and not value.get("dataAbsentReason"):
        return units.quantity(charted)
    _present(value)
    if isinstance(value.get("valueString"), str):
        return units.written(value["valueString"])
    if "valueInteger" in value:
        return units.Quantity(units.number(value["valueInteger"]))
    raise Unusable("the value is not a number")


def concept(part: Part) -> Json:
    """The value as a CodeableConcept; a string is its text."""
    value = _present(part.json)
    if isinstance(value.get("valueCodeableConcept"), dict):
        return dict(value["valueCodeableConcept"])
    if isinstance(value.get("valueString"), str):
        return {"text": value["valueString"]}
    raise Unusable("the value is not a term")


def _present(part: Json) -> Json:
    """The part, when it carries a value (DQ-17: absent is missing, never zero)."""
    if part.get("dataAbsentReason"):
        raise Unusable("the value is charted as absent")
    if not has_value(part):
        raise Unusable("it has no value")
    return part


def site(resource: Json) -> str:
    """The body site where the code does not say it; shown, never used to correct (3.1)."""
    words = texts(resource.get("bodySite")) or texts(resource.get("method"))
    return text(words[0]).lower() if words else ""

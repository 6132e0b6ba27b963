"""Value sets from `cards/codes/`."""

from collections.abc import Mapping
from typing import Literal

from pydantic import Field, ValidationInfo, field_validator

from cds_service.content.check_digits import SCHEMES
from cds_service.content.figures import Day, Span, Strict
from cds_service.crs.valuesets import Code, Meaning, Refusal, ValueSet


class SystemFile(Strict):
    """One code system: its URI, and other names clients use for it."""

    uri: str = Field(description="Its URI in FHIR R4")
    name: str = Field(description="Its name")
    aliases: list[str] = Field([], description="Other URIs and OIDs met in resources")


class CodeEntry(Strict):
    """One code of a code system."""

    system: str = Field(description="Its code system, as codes/_systems.toml calls it")
    code: str = Field(min_length=1, description="The code")
    display: str = Field(min_length=1, description="What it means")
    confidence: Literal["verified", "one-source", "recalled"] = Field(description="How sure it is")

    @field_validator("system")
    @classmethod
    def _known(cls, value: str, info: ValidationInfo) -> str:
        if info.context is not None and value not in info.context["systems"]:
            raise ValueError(f"code system {value!r} is not in _systems.toml")
        return value

    @field_validator("code")
    @classmethod
    def _sound(cls, value: str, info: ValidationInfo) -> str:
        systems = info.context["systems"] if info.context is not None else {}
        known = systems.get(info.data.get("system"))
        if known is not None and known.uri in SCHEMES and not SCHEMES[known.uri](value):
            raise ValueError(f"{value} is no {known.name} code: its check digit is wrong")
        return value


class MeaningEntry(Strict):
    """What codes and words stand for."""

    id: str = Field(description="Id that the rules read")
    display: str = Field(description="What a card calls it")
    group: str = Field(description="Group of meanings that the rules treat alike")
    unit: Literal["", "/uL", "U/L"] = Field("", description="Unit in which rules compare the number of a test")
    plausible: Span[Literal["/uL", "U/L"]] | None = Field(None, description="Outside this a number is not used")
    words: list[str] = Field([], description="Words that mean it where there is no code")
    codes: list[CodeEntry] = Field([], description="Codes that mean it")
    note: str = Field("", description="For whoever reads the file")


class RefusalEntry(Strict):
    """Codes and words that look like a member and are not."""

    reason: str = Field(description="Why not, said with the reading")
    words: list[str] = Field([], description="Words that are refused")
    codes: list[CodeEntry] = Field([], description="Codes that are refused")
    note: str = Field("", description="For whoever reads the file")


class ValueSetFile(Strict):
    """Codes and words with their meanings: a file in `cards/codes/`."""

    id: str = Field(description="Id that the readers name")
    title: str = Field(description="What it holds")
    reference: str = Field(description="Where the codes were found")
    date: Day = Field(description="When they were found")
    meaning: list[MeaningEntry] = Field(description="What codes and words stand for")
    refusal: list[RefusalEntry] = Field([], description="What looks like a member and is not")


def value_set(file: ValueSetFile, systems: Mapping[str, SystemFile]) -> ValueSet:
    """The value set with system URIs in place of aliases. ValueError for an unknown system."""
    return ValueSet(
        id=file.id,
        title=file.title,
        meanings=tuple(_meaning(entry, systems) for entry in file.meaning),
        refusals=tuple(
            Refusal(
                reason=entry.reason,
                codes=tuple(code(item, systems) for item in entry.codes),
                words=tuple(entry.words),
            )
            for entry in file.refusal
        ),
    )


def _meaning(entry: MeaningEntry, systems: Mapping[str, SystemFile]) -> Meaning:
    return Meaning(
        id=entry.id,
        display=entry.display,
        group=entry.group,
        unit=entry.unit,
        plausible=entry.plausible.range() if entry.plausible else None,
        codes=tuple(code(item, systems) for item in entry.codes),
        words=tuple(entry.words),
    )


def code(entry: CodeEntry, systems: Mapping[str, SystemFile]) -> Code:
    """The code with the URI of its system."""
    if entry.system not in systems:
        raise ValueError(f"code system {entry.system!r} is not in _systems.toml")
    return Code(systems[entry.system].uri, entry.code, entry.display, entry.confidence)

"""Client profiles from `cards/clients/`: what an EHR accepts."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Literal

from pydantic import Field

from cds_service.content.figures import Day, Strict


class ClientFile(Strict):
    """What an EHR accepts: a file in `cards/clients/`."""

    id: str = Field(description="Id that CRS_CDS_CLIENT_PROFILE names")
    title: str = Field(description="Which EHR")
    intent: Literal["proposal", "order"] = Field(description="Intent of a drafted order")
    update: bool = Field(description="Whether it takes a change of an order that is being written")
    selection: Literal["any", "at-most-one"] = Field(description="How many suggestions of a card can be taken")
    override_reasons: bool = Field(description="Whether it shows reasons for not following a card")
    tables: bool = Field(description="Whether there is room for tables; lines are written where there is none")
    smart_links: bool = Field(description="Whether its cards may link to a SMART app")
    systems: dict[str, str] = Field({}, description="Code systems of orders by the name this client gives them")
    reference: str = Field(description="Who says so")
    date: Day = Field(description="Date of that statement")


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientProfile:
    """How answers are written for a client: the `intent` of a drafted order (N-19), whether it takes an `update`.

    `selection` is the selectionBehavior it understands, `systems` maps URIs of code systems to those that it knows.
    """

    id: str
    intent: str
    update: bool
    selection: str
    override_reasons: bool
    tables: bool
    smart_links: bool
    systems: Mapping[str, str]


def client_profile(file: ClientFile) -> ClientProfile:
    """The profile as card building reads it."""
    return ClientProfile(
        id=file.id,
        intent=file.intent,
        update=file.update,
        selection=file.selection,
        override_reasons=file.override_reasons,
        tables=file.tables,
        smart_links=file.smart_links,
        systems=file.systems,
    )

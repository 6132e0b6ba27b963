"""Client profiles from `cards/clients/`: what an EHR accepts."""

from dataclasses import dataclass
from datetime import date
from typing import Literal

from cds_service.content.figures import Strict


class ClientFile(Strict):
    """The layout of a file in `cards/clients/`."""

    id: str
    title: str
    intent: Literal["proposal", "order"]
    update: bool
    reference: str
    date: date


@dataclass(frozen=True, slots=True, kw_only=True)
class ClientProfile:
    """How answers are written for a client: the `intent` of a drafted order (N-19), whether it takes an `update`."""

    id: str
    intent: str
    update: bool


def client_profile(file: ClientFile) -> ClientProfile:
    """The profile as card building reads it."""
    return ClientProfile(id=file.id, intent=file.intent, update=file.update)

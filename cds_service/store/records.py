"""The records of the store: an answer with its cards, and what a clinician did with a card.

Words in them are this service's own. Text of the health record, names, dates of birth and ids never stand in a record;
the one free text is a user's comment.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from enum import StrEnum
from typing import Any
from uuid import uuid4

NOT_ELIGIBLE = "not-eligible"
"""The status of an answer for a patient without a T-cell engaging therapy."""
UNCHECKED_CLIENT = "unchecked"
"""The client of a call whose caller did not have to prove who it is."""
CANARY_CLIENT = "canary"
"""The client of `crs-cds canary`: its patients are invented, so that reports count its answers apart."""
CANARY_AGENT = "crs-cds-canary"
"""Its User-Agent. Where no client has to prove who it is, it need not either: it names itself, and its answers are made
and recorded as any other, under its own name."""


class Outcome(StrEnum):
    """What an answer came to: cards, nothing to say, data that cannot be had, or cards held back as known."""

    GRADED = "graded"
    SILENT = "silent"
    UNAVAILABLE = "unavailable"
    SUPPRESSED = "suppressed"


class Response(StrEnum):
    """What a clinician did with a card. A card that was ignored has no feedback (F-6)."""

    ACCEPTED = "accepted"
    OVERRIDDEN = "overridden"


@dataclass(frozen=True, slots=True, kw_only=True)
class CardRecord:
    """A card of an answer. `advice` tells offers apart: the same string, the same offer."""

    uuid: str
    topic: str
    grade: int | None
    advice: str
    indicator: str
    suggestions: tuple[tuple[str, str], ...] = ()
    """UUID of each suggestion and id of its order."""
    shown: bool = True
    """False: held back, because the clinician had answered the same before."""


@dataclass(frozen=True, slots=True, kw_only=True)
class AnswerRecord:
    """One answer. `at` is UTC; `patient` and `encounter` are pseudonyms; `reason` says why there is no card."""

    at: datetime
    service: str
    hook: str
    hook_instance: str
    client: str
    patient: str
    encounter: str | None = None
    outcome: Outcome
    reason: str = ""
    status: str | None = None
    grade: int | None = None
    assessment: Mapping[str, Any] = field(default_factory=dict)
    """Only its codes, grades and times are kept."""
    protocol_id: str
    protocol_version: str
    protocol_hash: str
    milliseconds: int
    cards: tuple[CardRecord, ...] = ()
    id: str = field(default_factory=lambda: str(uuid4()))


@dataclass(frozen=True, slots=True, kw_only=True)
class Reason:
    """Why a card was overridden: a coding, of which some clients send the display only."""

    code: str = ""
    system: str = ""
    display: str = ""


@dataclass(frozen=True, slots=True, kw_only=True)
class FeedbackRecord:
    """One entry of a feedback call. `service` is the address it came to, which need not be the card's."""

    card: str
    service: str
    client: str
    outcome: Response
    accepted: tuple[str, ...] = ()
    """UUIDs of accepted suggestions."""
    reasons: tuple[Reason, ...] = ()
    comment: str = ""
    at: datetime
    """When the clinician did it, by the client's clock."""
    received_at: datetime
    matched: bool = False
    """True: the card was shown to this client. The store finds out."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Reaction:
    """The latest feedback to a card of a patient, with what the card offered."""

    card: str
    topic: str
    grade: int | None
    advice: str
    outcome: Response
    at: datetime
    """When the clinician did it; never later than when it was received, so that a wrong clock silences nothing."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Firing:
    """How often a service answered a client, for patients who are eligible, and with a card for these."""

    service: str
    client: str
    answers: int = 0
    eligible: int = 0
    shown: int = 0


@dataclass(frozen=True, slots=True, kw_only=True)
class Counts:
    """Numbers of records."""

    answers: int
    feedback: int

"""The answer of a service: the response, and what it came from, for whoever records or explains it."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime
from functools import cached_property
from typing import Any

from cds_service.crs.sentences import Line
from cds_service.hooks.assessment_json import EXTENSION, assessment_json, instant
from cds_service.hooks.cards import Card, Desk, quiet, topic_of
from cds_service.hooks.evaluate import Reading


@dataclass(frozen=True, slots=True, kw_only=True)
class Suppressed:
    """A card that is held back: its topic, and that the same was accepted or overridden (`outcome`) at `at`."""

    topic: str
    outcome: str
    at: datetime
    hours: int

    @property
    def reason(self) -> str:
        """Why, in words."""
        return (
            f"the same card was {self.outcome} at {instant(self.at)}; it is shown again when the grade or the advice "
            f"changes, or {self.hours} h later"
        )


@dataclass(frozen=True, kw_only=True)
class Answer:
    """One answer: `lines` are the sentences that the rules said, `cards` those of the response.

    `offers` tells by the topic of a card what it advises: the same string, the same advice. `held` are cards that were
    held back, `suppressed` says why.
    """

    desk: Desk
    reading: Reading
    lines: tuple[Line, ...]
    cards: list[Card]
    offers: Mapping[str, str] = field(default_factory=dict)
    held: tuple[Card, ...] = ()
    suppressed: tuple[Suppressed, ...] = ()

    @cached_property
    def assessment(self) -> dict[str, Any]:
        """The machine-readable assessment, which also says what was held back. The record and the response share it."""
        found = assessment_json(self.reading.assessment, self.desk.knowledge.content.knowledge)
        if self.suppressed:
            found["suppressed"] = [{"topic": item.topic, "reason": item.reason} for item in self.suppressed]
        return found

    @property
    def response(self) -> dict[str, Any]:
        """The body of the answer: cards, and the machine-readable assessment beside them."""
        return {"cards": self.cards, "extension": {EXTENSION: self.assessment}}

    def without(self, suppressed: Sequence[Suppressed], *, loud: bool) -> "Answer":
        """The answer without the cards of these topics; a `loud` one still says its grade, in one quiet card."""
        held = {item.topic: item for item in suppressed}
        kept = []
        for card in self.cards:
            reason = held.get(topic_of(card))
            if reason is None:
                kept.append(card)
            elif loud and card is self.cards[0]:
                kept.append(quiet(card, reason.outcome, self.desk.clock(reason.at), reason.hours))
        gone = tuple(card for card in self.cards if topic_of(card) in held)
        return replace(self, cards=kept, held=gone, suppressed=tuple(suppressed))

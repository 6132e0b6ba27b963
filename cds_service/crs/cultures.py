"""Blood cultures: taken, pending, negative or positive, and whether they exclude infection for a repeat dose (C27)."""

from dataclasses import dataclass
from datetime import datetime

from cds_service.crs.protocol import Protocol
from cds_service.crs.timeline import Culture, Drug, Timeline

WAITING = ("ordered", "drawn")
"""Steps without a result yet."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Cultures:
    """Blood cultures: one `taken` (ordered or drawn) in the look-back, and the results that a repeat dose depends on.

    `pending` was ordered or drawn after the blood of the last negative result. `unread` says why a result may be
    missing here.
    """

    taken: Culture | None = None
    negative: Culture | None = None
    positive: Culture | None = None
    pending: Culture | None = None
    unread: str = ""

    @property
    def exclude_infection(self) -> bool:
        """A negative result and no positive one; a pending culture alone excludes nothing (C27)."""
        return self.negative is not None and self.positive is None and not self.unread


def cultures_of(timeline: Timeline, protocol: Protocol, doses: tuple[Drug, ...], now: datetime) -> Cultures:
    """What is known of blood cultures, for the look-back and, for results, since shortly before the last dose."""
    since = now - protocol.negative_cultures
    if doses:
        since = min(since, doses[-1].time - protocol.cultures)
    charted = [fact for fact in timeline.cultures if fact.time <= now]
    waiting = [fact for fact in charted if fact.step in WAITING]
    recent = [fact for fact in waiting if fact.time >= now - protocol.cultures]
    positive = next((fact for fact in reversed(charted) if fact.step == "positive" and fact.time >= since), None)
    negative = next((fact for fact in reversed(charted) if fact.step == "negative" and _tells(fact, since)), None)
    later = [fact for fact in waiting if negative is not None and fact.time > (negative.drawn or negative.time)]
    return Cultures(
        taken=recent[-1] if recent else None,
        negative=negative,
        positive=positive,
        pending=later[-1] if later else None,
        unread="" if timeline.known("cultures", since) else timeline.gaps["cultures"].reason,
    )


def _tells(negative: Culture, since: datetime) -> bool:
    """A negative result tells of the time since then only when its blood was drawn in it."""
    return (negative.drawn or negative.time) >= since

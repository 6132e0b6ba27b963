"""A patient, and what is asked of the record to judge the advice: worked out here, the clinical core is not asked."""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime, timedelta
from functools import cached_property
from itertools import pairwise
from typing import TypeVar

from cds_service.crs.advice import Advice
from cds_service.crs.assessment import Assessment
from cds_service.crs.sentences import Say
from cds_service.crs.timeline import BodyWeight, Drug, Fact, Timeline
from cds_service.crs.treatment import Draft

FactT = TypeVar("FactT", bound=Fact)
HOUR, DAY = timedelta(hours=1), timedelta(days=1)
CORTICOSTEROIDS = {"dexamethasone", "methylprednisolone"}


@dataclass(frozen=True)
class Case:
    """A patient, the assessment and the advice at one instant."""

    charted: Timeline
    assessment: Assessment
    advice: Advice

    @property
    def now(self) -> datetime:
        return self.assessment.as_of

    @cached_property
    def drafts(self) -> list[Draft]:
        parts = (self.advice.infection, self.advice.treatment)
        return [draft for part in parts if part is not None for draft in part.drafts]

    @cached_property
    def says(self) -> set[Say]:
        parts = (self.advice.infection, self.advice.treatment)
        return {line.say for part in parts if part for line in (*part.lines, *part.cautions, *part.status)}

    def of(self, *agents: str) -> list[Draft]:
        """The drafts of some drugs."""
        return [draft for draft in self.drafts if draft.order.agent in agents]

    @property
    def repeats(self) -> list[Draft]:
        """Drafts of tocilizumab that are certainly not the first dose of this episode."""
        return self.of("tocilizumab") if self.since_calm else []

    @cached_property
    def doses(self) -> list[datetime]:
        """When tocilizumab was given in 30 days, whatever it was called."""
        found = {drug.time for drug in self.charted.drugs if drug.agent == "tocilizumab"}
        return sorted(at for at in found if self.now - 30 * DAY <= at <= self.now)

    @cached_property
    def since_calm(self) -> list[datetime]:
        """The doses since the last time at which an episode could have ended: 24 hours without any sign of CRS."""
        signs = sorted(self._signs())
        starts = [later for earlier, later in pairwise(signs) if later - earlier >= DAY]
        return [at for at in self.doses if not starts or at >= starts[-1]]

    def _signs(self) -> Iterator[datetime]:
        for reading in self.past(self.charted.temperatures):
            if reading.celsius >= 38:
                yield reading.time
        yield from (fact.time for fact in self.past(self.charted.diagnoses) if fact.kind == "crs")

    @cached_property
    def feverish(self) -> bool:
        """True when a fever since the therapy, or CRS itself, is charted."""
        return any(at >= self.charted.therapies[0].time for at in self._signs())

    @cached_property
    def icans(self) -> bool:
        """True when a diagnosis, a finding or the last score since the therapy stands for neurotoxicity."""
        since = self.charted.therapies[0].time
        scores = [fact for fact in self.past(self.charted.scores) if fact.time >= since]
        last = scores[-1] if scores else None
        cut = last and (last.value < 10 if last.instrument == "ice-score" else last.value >= 9)
        found = [fact for fact in self.past(self.charted.diagnoses) if fact.time >= since]
        return bool(cut) or any(fact.kind.startswith("icans") for fact in found)

    @cached_property
    def weight(self) -> BodyWeight | None:
        """The last weight that somebody measured, or did not say otherwise."""
        found = [item for item in self.past(self.charted.weights) if item.how not in ("stated", "estimated")]
        return found[-1] if found else None

    def steroids(self) -> Iterator[Drug]:
        """Corticosteroids given within a day, or still running."""
        for drug in self.past(self.charted.drugs):
            if drug.agent in CORTICOSTEROIDS and (drug.until or drug.time) >= self.now - DAY:
                yield drug

    def past(self, facts: tuple[FactT, ...]) -> list[FactT]:
        return [fact for fact in facts if fact.time <= self.now]

    def lately(self, facts: tuple[FactT, ...], window: timedelta) -> list[FactT]:
        return [fact for fact in self.past(facts) if fact.time >= self.now - window]

    def unread(self, kind: str, window: timedelta) -> bool:
        """True when facts of that kind within the window are not all known."""
        gap = self.charted.gaps.get(kind)
        return gap is not None and (gap.known_since is None or gap.known_since > self.now - window)

"""The corticosteroid that is running or ordered: which, at what dose, since when, and what came of it."""

from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from cds_service.crs.assessment import Assessment
from cds_service.crs.figures import shown
from cds_service.crs.protocol import Order, Protocol
from cds_service.crs.response import Response, response_since
from cds_service.crs.scale import Scale
from cds_service.crs.timeline import Drug, DrugOrder, Timeline

CORTICOSTEROID = "corticosteroid"


@dataclass(frozen=True, slots=True, kw_only=True)
class Regimen:
    """A corticosteroid: `dose_mg` of each dose (None: not charted), `since` its first dose, `last` the latest.

    An order without a dose charted has no `last`; `response` is that since the first dose. `before_crs` is true for a
    premedication, which is no treatment of CRS.
    """

    agent: str
    name: str
    dose_mg: Decimal | None
    since: datetime
    last: datetime | None = None
    response: Response = Response.NOT_KNOWN
    before_crs: bool = False
    references: tuple[str, ...] = ()

    @property
    def words(self) -> str:
        """Name and dose: `dexamethasone 10 mg`."""
        return self._with_dose(self.name)

    @property
    def agent_words(self) -> str:
        """The same with the name of the agent, for what others read on: no text of the record stands in it (T72)."""
        return self._with_dose(self.agent)

    def _with_dose(self, name: str) -> str:
        return f"{name} {shown(self.dose_mg)} mg" if self.dose_mg is not None else name

    def is_weaker_than(self, order: Order) -> bool:
        """True when it is the same drug at a lower dose than the order begins with; an uncharted dose never is."""
        return self.agent == order.agent and self.dose_mg is not None and self.dose_mg < order.stages[0].mg

    def is_at_least(self, order: Order) -> bool:
        """True when it is the same drug at the dose the order begins with, or more."""
        return self.agent == order.agent and self.dose_mg is not None and self.dose_mg >= order.stages[0].mg


def regimens_of(
    timeline: Timeline, assessment: Assessment, scale: Scale, protocol: Protocol
) -> tuple[Regimen | None, tuple[Regimen, ...]]:
    """The corticosteroid that is running, by its latest dose, and those that are ordered.

    An order of the same drug from before the last dose, at no other dose, is the order that is being given. Of doses
    at one time the highest counts, before all one that is not charted: it must not look as if less were given (T61).
    """
    now = assessment.as_of
    given = [drug for drug in timeline.drugs if drug.group == CORTICOSTEROID and drug.time <= now]
    recent = [drug for drug in given if drug.last_true(now) >= now - protocol.steroid_active]
    waiting = list(dict.fromkeys(order for order in timeline.orders if order.group == CORTICOSTEROID))
    if not recent:
        return None, tuple(map(_ordered, waiting))
    last = max(recent, key=lambda drug: (drug.time, drug.dose_mg is None, drug.dose_mg or 0))
    first = _first_dose(given, last, protocol.steroid_active)
    response, grade_then = response_since(timeline, assessment, scale, first)
    behind = [order for order in waiting if _is_being_given(order, last)]
    running = Regimen(
        agent=last.agent,
        name=last.name,
        dose_mg=last.dose_mg,
        since=first.time,
        last=last.last_true(now),
        response=response,
        before_crs=grade_then == 0,
        references=tuple(order.reference for order in behind),
    )
    return running, tuple(_ordered(order) for order in waiting if order not in behind)


def _first_dose(given: list[Drug], last: Drug, pause: timedelta) -> Drug:
    """The first of the doses of the same drug at the same dose that were given without a pause."""
    first = last
    for drug in reversed(given):
        if (drug.agent, drug.dose_mg) == (last.agent, last.dose_mg):
            if first.time - drug.last_true(first.time) <= pause:
                first = drug
        elif drug.time < last.time:
            break
    return first


def _is_being_given(order: DrugOrder, last: Drug) -> bool:
    same_dose = order.dose_mg is None or last.dose_mg is None or order.dose_mg == last.dose_mg
    return order.agent == last.agent and order.time <= last.time and same_dose


def _ordered(order: DrugOrder) -> Regimen:
    return Regimen(
        agent=order.agent,
        name=order.name,
        dose_mg=order.dose_mg,
        since=order.time,
        references=(order.reference,),
    )

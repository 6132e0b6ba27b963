"""The stories as the demo chart tells them: what can be chosen, and the record as of an instant of the story."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal

from cds_service.crs.protocol import Order, Protocol
from cds_service.fhir import orders
from cds_service.fhir.elements import Json, objects
from cds_service.fhir.memory import Repository
from cds_service.fhir.replay import as_of, charted
from cds_service.fhir.stories import Story, shifted

MINUTES_BEFORE, MINUTES_AFTER = 36 * 60, 8 * 60
"""How far the clock goes: from before the first fever of every story until its readings have become old."""


@dataclass(frozen=True, slots=True)
class Shelf:
    """The stories, the FHIR server that holds their patients, and who looks at them."""

    stories: Sequence[Story]
    repository: Repository
    protocol: Protocol
    user: str

    def listed(self) -> list[Json]:
        """What is to be chosen from."""
        return [
            {"name": story.name, "sentence": story.sentence, "grade": story.expect.get("grade"), **_place(story)}
            for story in self.stories
        ]

    def find(self, name: str) -> Story | None:
        """The story of that name."""
        return next((story for story in self.stories if story.name == name), None)

    def describe(self, story: Story) -> Json:
        """A story with the limits of its clock and the instants of its facts, in minutes from its own instant.

        `orders` are what can be picked for its patient.
        """
        present = datetime.fromisoformat(story.bundle["timestamp"])
        facts = {round((time - present) / timedelta(minutes=1)) for time in charted(story.bundle)}
        return {
            "name": story.name,
            "sentence": story.sentence,
            **_place(story),
            "clock": {"from": -MINUTES_BEFORE, "to": MINUTES_AFTER},
            "facts": sorted(minute for minute in facts if minute >= -MINUTES_BEFORE),
            "orders": order_set(self.protocol, str(story.expect["patient"]), self.user),
        }

    def turn(self, story: Story, minutes: int, now: datetime) -> None:
        """Make the record of the patient what it was so many minutes from the instant of the story, at `now`.

        All of the story's resources are written in one transaction; those that came later are taken away. What was
        added besides, such as drafts that were accepted, stays.
        """
        then = datetime.fromisoformat(story.bundle["timestamp"]) + timedelta(minutes=minutes)
        standing = shifted(as_of(story.bundle, then), now)
        there = {entry["request"]["url"] for entry in standing["entry"]}
        gone = [
            {"request": {"method": "DELETE", "url": entry["request"]["url"]}}
            for entry in objects(story.bundle["entry"])
            if entry["request"]["url"] not in there
        ]
        self.repository.transaction({**standing, "entry": [*standing["entry"], *gone]})


def order_set(protocol: Protocol, patient_id: str, user: str) -> list[Json]:
    """The orders of the protocol as drafts, at their maximum: as an order set has them that knows no weight."""
    return [
        orders.draft(
            order,
            _mg(order),
            patient_id=patient_id,
            encounter_id=None,
            user=user,
            intent="order",
            reason="Cytokine release syndrome",
        )
        for order in protocol.orders.values()
    ]


def _mg(order: Order) -> Decimal | None:
    return order.stages[0].mg if order.stages else order.maximum_mg


def _place(story: Story) -> Json:
    return {"patient": str(story.expect["patient"])}

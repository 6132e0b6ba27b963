"""What the caller of a hook sent and the answer must agree with."""

from collections.abc import Collection
from dataclasses import dataclass


@dataclass(frozen=True, slots=True, kw_only=True)
class Call:
    """Who the call is about, and the `Type/id` of its draft orders.

    `intent` is that of orders and `selection` the selectionBehavior that the client takes; None: any the rules allow.
    """

    patient_id: str
    encounter_id: str | None = None
    draft_ids: Collection[str] = ()
    intent: str | None = "proposal"
    selection: str | None = "any"

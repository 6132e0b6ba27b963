"""What the caller of a hook sent and the answer must agree with."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Call:
    """Who the call is about, its draft orders, and what the client takes (None: whatever the rules allow)."""

    patient_id: str
    encounter_id: str | None
    draft_ids: frozenset[str]
    intent: str | None
    selection: str | None

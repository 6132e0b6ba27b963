"""Feedback: what a clinician did with cards, in one call or many (F-1 to F-9), in the spellings that really arrive."""

from collections.abc import Iterable
from datetime import UTC, datetime
from typing import Annotated, Any, Literal

import structlog
from pydantic import BeforeValidator, Field, StringConstraints, ValidationError

from cds_service.errors import InvalidRequest
from cds_service.fhir.elements import moment
from cds_service.hooks.call import Lenient, Short
from cds_service.store.records import FeedbackRecord, Reason, Response
from cds_service.store.store import Store

LONGEST_COMMENT = 10_000
"""Characters of a user's comment that are kept (T81); what is longer is cut, so that the rest is not lost with it."""
EPIC = "com.epic.cdshooks.feedback.overrideReason."

log = structlog.get_logger()


def _instant(value: object) -> datetime:
    found = moment(value, UTC)
    if found is None or found.whole_day:
        raise ValueError("it must be a date and time such as 2026-11-22T12:00:00Z")
    return found.time


Words = Annotated[str, StringConstraints(max_length=1024, strip_whitespace=True)]


class Coding(Lenient):
    """The reason that was picked from the card's list; some clients send no display, some the display only."""

    code: Words | None = None
    system: Words | None = None
    display: Words | None = None


class OverrideReason(Lenient):
    """Why a card was overridden. Epic may say it in an extension in place of `reason`."""

    reason: Coding | None = None
    userComment: str | None = Field(None, repr=False)  # noqa: N815 - the specification's name
    extension: Any = Field(None, repr=False)

    @property
    def coded(self) -> Reason:
        """The reason as it is kept, empty when only a comment was given."""
        if self.reason is not None:
            picked = self.reason
            return Reason(code=picked.code or "", system=picked.system or "", display=picked.display or "")
        said = self.extension if isinstance(self.extension, dict) else {}
        display = said.get(f"{EPIC}reasonDisplay") or said.get(f"{EPIC}reasonTitle")
        return Reason(display=display.strip()[:1024]) if isinstance(display, str) else Reason()


class AcceptedSuggestion(Lenient):
    """A suggestion that was taken."""

    id: Short


class Entry(Lenient):
    """What became of one card."""

    card: Short
    outcome: Literal["accepted", "overridden"]
    outcomeTimestamp: Annotated[datetime, BeforeValidator(_instant)]  # noqa: N815
    acceptedSuggestions: list[AcceptedSuggestion] | None = None  # noqa: N815
    overrideReason: OverrideReason | None = None  # noqa: N815
    overrideReasons: OverrideReason | list[OverrideReason] | None = None  # noqa: N815 - Epic's spelling

    @property
    def given(self) -> list[OverrideReason]:
        """Every reason, in whichever spelling."""
        epic = self.overrideReasons or []
        given = [self.overrideReason] if self.overrideReason is not None else []
        return given + (epic if isinstance(epic, list) else [epic])


def take_feedback(body: Any, service_id: str, client: str, store: Store, now: datetime) -> dict[str, Any]:
    """Keep the feedback of a call of `client`, received at `now`; the response, once it is durable.

    Raises InvalidRequest with the path of the first member at fault: the sound entries of the call are kept
    nevertheless (T78). To a card of another client it is kept as to an unknown one, and the log raises the alarm (T79).
    Raises StoreUnavailable, never acknowledges what is not kept (T82).
    """
    records, fault = read_feedback(body, service_id, client, now)
    matched = store.add_feedback(records)
    log.info("feedback", service=service_id, entries=len(records), matched=matched)
    if matched < len(records) and (others := store.of_others({record.card for record in records}, client)):
        log.error("feedback to cards of another client", service=service_id, client=client, entries=others)
    if fault is not None:
        raise fault
    return {"received": len(records)}


def read_feedback(
    body: Any, service_id: str, client: str, now: datetime
) -> tuple[list[FeedbackRecord], InvalidRequest | None]:
    """The sound entries of a parsed body, and the first fault. Raises InvalidRequest when it has no list of entries."""
    entries = body.get("feedback") if isinstance(body, dict) else None
    if not isinstance(entries, list):
        raise InvalidRequest("feedback: the body must be an object with a list of this name", expression="feedback")
    records, faults = [], []
    for position, entry in enumerate(entries):
        try:
            records.append(_record(Entry.model_validate(entry), service_id, client, now))
        except ValidationError as error:
            faults.append(_fault(error, position))
    return records, faults[0] if faults else None


def _record(entry: Entry, service_id: str, client: str, now: datetime) -> FeedbackRecord:
    return FeedbackRecord(
        card=entry.card.lower(),  # some databases keep UUIDs in capitals
        service=service_id,
        client=client,
        outcome=Response(entry.outcome),
        accepted=tuple(suggestion.id.lower() for suggestion in entry.acceptedSuggestions or ()),
        reasons=tuple(reason.coded for reason in entry.given if reason.coded != Reason()),
        comment=_comment(reason.userComment for reason in entry.given),
        at=entry.outcomeTimestamp,
        received_at=now,
    )


def _comment(given: Iterable[str | None]) -> str:
    words = "\n".join(comment.strip() for comment in given if comment)
    return words if len(words) <= LONGEST_COMMENT else words[: LONGEST_COMMENT - 1] + "…"


def _fault(error: ValidationError, position: int) -> InvalidRequest:
    """The fault by its path. A type that was tried among several is no member."""
    found = error.errors(include_url=False, include_input=False)[0]
    members = [step for step in found["loc"] if isinstance(step, int) or step in _MEMBERS]
    path = f"feedback[{position}]" + "".join(f"[{step}]" if isinstance(step, int) else f".{step}" for step in members)
    return InvalidRequest(f"{path}: {found['msg'].removeprefix('Value error, ')}", expression=path)


_MEMBERS = {name for part in (Entry, OverrideReason, Coding, AcceptedSuggestion) for name in part.model_fields}

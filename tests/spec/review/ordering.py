"""Orders of a session in a few words, and what the review says of them."""

from decimal import Decimal
from typing import Any

from cds_service.crs.review.orders import review
from cds_service.crs.review.remarks import Review
from cds_service.crs.sentences import Say
from cds_service.crs.session import Session, SessionOrder
from tests.bedside import Bedside, content

GROUPS = {
    "tocilizumab": "il6-blocker",
    "dexamethasone": "corticosteroid",
    "methylprednisolone": "corticosteroid",
    "hydrocortisone": "corticosteroid",
    "acetaminophen": "antipyretic",
    "sargramostim": "gm-csf",
    "micafungin": "antifungal",
    "cefepime": "antibiotic",
    "anakinra": "il1-blocker",
}


def order(agent: str = "tocilizumab", amount: str | None = "640", unit: str = "mg", **known: Any) -> SessionOrder:
    """An order of a drug; the dose is in `unit`."""
    value = Decimal(amount) if amount is not None else None
    every = known.pop("every", None)
    return SessionOrder(
        **{
            "reference": "MedicationRequest/1",
            "kind": "drug",
            "agent": agent,
            "group": GROUPS.get(agent, "step-up"),
            "name": agent,
            "amount": value,
            "unit": unit,
            "mg": value if unit == "mg" else None,
            "every_hours": Decimal(every) if every is not None else None,
        }
        | known
    )


def culture_order() -> SessionOrder:
    return order("blood-culture", None, "", reference="ServiceRequest/1", kind="culture", group="culture")


def reviewed(bedside: Bedside, *orders: SessionOrder, signing: bool = True) -> tuple[Review, ...]:
    session = Session(orders=orders, signing=signing)
    return review(bedside.timeline, bedside.assessment, content().scale, bedside.protocol, session)


def said(bedside: Bedside, *orders: SessionOrder, signing: bool = True) -> dict[Say, str]:
    """What is said of the first order, and how severe each remark is; empty for silence."""
    found = reviewed(bedside, *orders, signing=signing)
    if not found:
        return {}
    return {item.line.say: item.severity.name.casefold() for item in found[0].remarks}


def corrected(bedside: Bedside, *orders: SessionOrder, signing: bool = True) -> tuple[str, Decimal] | None:
    """The order that is offered in place of the first: its id, and mg."""
    found = reviewed(bedside, *orders, signing=signing)
    if not found or found[0].correction is None or found[0].correction.dose is None:
        return None
    return found[0].correction.order.id, found[0].correction.dose.mg

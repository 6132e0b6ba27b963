"""The ordering session: orders that a clinician is choosing or about to sign, as the review of orders reads them."""

from dataclasses import dataclass
from decimal import Decimal

from cds_service.crs.timeline import Flag, Unused


@dataclass(frozen=True, slots=True, kw_only=True)
class SessionOrder:
    """One order of the session, by the reference it has there (`MedicationRequest/1`).

    `kind` is `drug`, `therapy` or `culture`; agent, group and name are those of the value sets and of the order. The
    dose is the first one: `amount` with its `unit` as written, `mg` where that unit is mg. `route` is the id of a
    route, empty when it is not told. `every_hours` is None for a single dose or where it is not told. An order that is
    not `selected` is background.
    """

    reference: str
    kind: str
    agent: str
    group: str
    name: str
    amount: Decimal | None = None
    unit: str = ""
    mg: Decimal | None = None
    route: str = ""
    every_hours: Decimal | None = None
    selected: bool = True
    flags: tuple[Flag, ...] = ()


@dataclass(frozen=True, slots=True, kw_only=True)
class Session:
    """All orders of the session. `signing` is true when they are complete and about to be signed.

    `unused` are those that were not reviewed: of another patient, or with a modifier that is not understood.
    """

    orders: tuple[SessionOrder, ...] = ()
    unused: tuple[Unused, ...] = ()
    signing: bool = False

    @property
    def reviewed(self) -> tuple[SessionOrder, ...]:
        """The orders that are looked at."""
        return tuple(order for order in self.orders if order.selected)

    def others(self, order: SessionOrder, group: str) -> tuple[SessionOrder, ...]:
        """The other orders of a group in the session."""
        return tuple(item for item in self.orders if item is not order and item.group == group)

    def holds(self, kind: str) -> bool:
        """True when an order of the kind is in the session."""
        return any(order.kind == kind for order in self.orders)

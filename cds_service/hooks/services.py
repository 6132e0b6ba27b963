"""The CDS services: ONE table, one id for each hook, and the discovery document made from it."""

from collections.abc import Callable, Collection
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from cds_service.errors import UnknownService
from cds_service.fhir.needs import Need
from cds_service.hooks.answer import Answer
from cds_service.hooks.evaluate import Access
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.order_hooks import answer_order_select, answer_order_sign
from cds_service.hooks.patient_view import answer_patient_view

Answering = Callable[[Any, str, Knowledge, Access, datetime], Answer]


@dataclass(frozen=True, slots=True, kw_only=True)
class Service:
    """One CDS service: `answer` takes the parsed body."""

    id: str
    hook: str
    title: str
    description: str
    answer: Answering


SERVICES = (
    Service(
        id="crs-patient-view",
        hook="patient-view",
        title="CRS grade and draft orders",
        description="Grades cytokine release syndrome after T-cell engaging therapy (ASTCT 2019) with its evidence, "
        "and offers the protocol's draft orders: cultures first, tocilizumab by weight, dexamethasone by grade.",
        answer=answer_patient_view,
    ),
    Service(
        id="crs-order-select",
        hook="order-select",
        title="CRS check of chosen orders",
        description="Looks at orders of tocilizumab, corticosteroids, antipyretics, GM-CSF and T-cell engaging "
        "therapies when they are chosen: dose by weight, number and time of doses, grade, neurotoxicity, cultures.",
        answer=answer_order_select,
    ),
    Service(
        id="crs-order-sign",
        hook="order-sign",
        title="CRS check of orders to be signed",
        description="Looks at the same orders once more before they are signed. "
        "It is silent about an order that is right.",
        answer=answer_order_sign,
    ),
)


def service(service_id: str) -> Service:
    """The service of an id. Raises UnknownService."""
    for known in SERVICES:
        if known.id == service_id:
            return known
    raise UnknownService("there is no CDS service of that id: GET /cds-services lists them")


def discovery(needs: tuple[Need, ...], off: Collection[str] = ()) -> dict[str, Any]:
    """The discovery document (D-1 to D-9), without services that are `off`; its templates are the table of needs."""
    templates = {need.key: need.template for need in needs}
    return {
        "services": [
            {
                "id": known.id,
                "hook": known.hook,
                "title": known.title,
                "description": known.description,
                "prefetch": templates,
                "usageRequirements": "FHIR R4. Data that is not prefetched is read from fhirServer, which must be on "
                "the allow-list of this installation.",
            }
            for known in SERVICES
            if known.id not in off
        ]
    }

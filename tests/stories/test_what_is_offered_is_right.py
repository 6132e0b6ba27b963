"""What patient-view offers is met with silence when it is chosen and signed: accepting a suggestion never loops."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest

from cds_service.cli.grade import prefetch
from cds_service.conformance.judge import check
from cds_service.fhir.client import Connections
from cds_service.hooks.evaluate import Access
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import service
from tests.chart import NOW, Json, exact
from tests.stories.vignettes import patient_id, vignette_bundle, vignettes

OUTCOME = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}
SPOKEN = {
    # what is still to be said of an order that was offered, by the condition under which it was offered
    "consider antifungal prophylaxis": lambda _: True,
    "a second corticosteroid beside": lambda label: "instead of" in label,
    "ICANS": lambda label: "tocilizumab" in label,
    "blood culture is positive": lambda label: "tocilizumab" in label,
    "no reason alone to withhold": lambda label: "tocilizumab" in label,
}


@pytest.fixture(scope="module")
def access() -> Iterator[Access]:
    with ThreadPoolExecutor(1) as executor:
        yield Access(connections=Connections(), executor=executor, allow_list=(), deadline_seconds=1.0)


@pytest.mark.parametrize("hook", ["order-select", "order-sign"])
@pytest.mark.parametrize("name", list(vignettes()))
def test_an_accepted_suggestion_brings_no_new_one(name: str, hook: str, knowledge: Knowledge, access: Access) -> None:
    case: Any = vignettes()[name]
    who = patient_id(case)
    resources = [entry["resource"] for entry in vignette_bundle(case)["entry"]]
    types = {need.key: need.resource_type for need in knowledge.needs}
    filled = prefetch(resources, types, who) | dict.fromkeys(case.get("unread", []), OUTCOME)
    call: Json = {
        "hook": "patient-view",
        "hookInstance": name,
        "context": {"userId": "Practitioner/p1", "patientId": who, "encounterId": "e1"},
        "prefetch": filled,
    }
    first = service("crs-patient-view").answer(exact(call), "crs-patient-view", knowledge, access, NOW).response
    offered = [item for card in first["cards"] for item in card.get("suggestions", [])]
    accepted = [item["actions"][0]["resource"] | {"id": f"accepted-{n}"} for n, item in enumerate(offered)]
    ids = [f"{order['resourceType']}/{order['id']}" for order in accepted]
    bundle = {"resourceType": "Bundle", "entry": [{"resource": order} for order in accepted]}
    context = call["context"] | {"draftOrders": bundle} | ({"selections": ids} if hook == "order-select" else {})
    body = call | {"hook": hook, "context": context}
    answer = service(f"crs-{hook}").answer(exact(body), f"crs-{hook}", knowledge, access, NOW).response
    check(answer, patient_id=who, encounter_id="e1", draft_ids=ids, hook=hook)
    labels = dict(zip(ids, (item["label"] for item in offered), strict=True))
    for card in answer["cards"]:
        assert "suggestions" not in card, card
        for line in card["detail"].splitlines():
            if line.startswith("- "):
                assert any(
                    words.casefold() in line.casefold() and any(map(holds, labels.values()))
                    for words, holds in SPOKEN.items()
                ), line

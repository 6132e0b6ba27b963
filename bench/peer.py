"""HealthChain, which somebody might take in place of this service, with the scan of the floor as its rule.

`python -m bench.peer PORT VARIANT` serves it by uvicorn, in a virtual environment of its own (`bench/servers.py`):
`plain` looks at the dictionaries of the prefetch, `typed` has its adapter make FHIR resources of them first.
"""

import logging
import sys
from typing import Any

import uvicorn
from healthchain.gateway import CDSHooksService, HealthChainAPI
from healthchain.gateway.cds import CDSHooksConfig
from healthchain.io.adapters.cdsfhiradapter import CdsFhirAdapter
from healthchain.models.requests.cdsrequest import CDSRequest
from healthchain.models.responses.cdsresponse import Card, CDSResponse, Source


def application(variant: str) -> HealthChainAPI:
    """An application with one service at the address of this project's."""
    hooks = CDSHooksService(CDSHooksConfig(base_path=""))

    @hooks.hook("patient-view", id="crs-patient-view")
    def scan(call: CDSRequest) -> CDSResponse:
        highest = _highest_typed(call) if variant == "typed" else _highest(call)
        source = Source(label="HealthChain")
        return CDSResponse(cards=[Card(summary=f"highest {highest}", indicator="info", source=source)])

    app = HealthChainAPI()
    app.register_service(hooks)
    return app


def _highest(call: CDSRequest) -> float:
    found = 0.0
    for bundle in (call.prefetch or {}).values():
        for entry in (bundle or {}).get("entry", ()):
            found = max(found, entry["resource"].get("valueQuantity", {}).get("value", 0))
    return found


def _highest_typed(call: CDSRequest) -> float:
    resources: dict[str, Any] = CdsFhirAdapter(hook_name=call.hook).parse(call).fhir.prefetch_resources
    found = 0.0
    for bundle in resources.values():
        for entry in getattr(bundle, "entry", None) or ():
            quantity = getattr(entry.resource, "valueQuantity", None)
            found = max(found, float(quantity.value) if quantity is not None else 0)
    return found


if __name__ == "__main__":
    logging.disable()
    uvicorn.run(application(sys.argv[2]), host="127.0.0.1", port=int(sys.argv[1]), log_level="error", access_log=False)

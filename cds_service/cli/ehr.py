"""Playing the EHR: a service is looked up in the discovery document, its prefetch filled, and a call sent to it."""

import uuid
from collections.abc import Sequence
from typing import Any
from urllib.parse import quote

import click
import orjson
import requests

from cds_service.cli.printing import progress
from cds_service.errors import InvalidInput

SECONDS = 30
service_option = click.option(
    "--service",
    "service_url",
    default="http://127.0.0.1:5000",
    show_default=True,
    metavar="URL",
    help="Base URL of the service.",
)


def fire_hook(
    session: requests.Session,
    service_url: str,
    patient_id: str,
    fhir_url: str | None,
    *,
    pull: bool,
    hook: str = "patient-view",
    orders: Sequence[Any] = (),
) -> tuple[dict[str, Any], dict[str, Any]]:
    """One hook call; returns the request and the answer. Orders are all selected.

    Raises InvalidInput with the service's own words when it refuses.
    """
    base = service_url.rstrip("/")
    found = listed(session, base, hook)
    call: dict[str, Any] = {
        "hook": hook,
        "hookInstance": str(uuid.uuid4()),
        "context": {"userId": "Practitioner/COREPRACTITIONER1", "patientId": patient_id, **_session(hook, orders)},
    }
    if fhir_url is not None:
        call["fhirServer"] = fhir_url.rstrip("/")
        if not pull:
            call["prefetch"] = fill(session, fhir_url, found.get("prefetch", {}), patient_id)
    return call, send(session, base, str(found["id"]), call)


def listed(session: requests.Session, base: str, hook: str) -> dict[str, Any]:
    """The service for a hook as the discovery document lists it. Raises InvalidInput when there is none."""
    services = _get(session, f"{base}/cds-services").get("services", [])
    found: dict[str, Any] | None = next((item for item in services if item.get("hook") == hook), None)
    if found is None:
        raise InvalidInput(f"{base}/cds-services lists no service for {hook}")
    return found


def send(session: requests.Session, base: str, service_id: str, call: dict[str, Any]) -> dict[str, Any]:
    """The answer of a service to a call. Raises InvalidInput with the service's own words when it refuses."""
    try:
        response = session.post(
            f"{base}/cds-services/{service_id}",
            data=orjson.dumps(call, default=float),
            headers={"Content-Type": "application/json"},
            timeout=SECONDS,
        )
    except requests.RequestException as error:
        raise InvalidInput(f"{base} cannot be reached: start it with `crs-cds serve` or give --service") from error
    try:
        body: dict[str, Any] = response.json()
    except ValueError as error:
        raise InvalidInput(f"{base} answered HTTP {response.status_code} and no JSON: is it this service?") from error
    if response.status_code != 200:
        texts = "; ".join(str(issue.get("details", {}).get("text", "")) for issue in body.get("issue", []))
        raise InvalidInput(f"the service answered HTTP {response.status_code}: {texts}")
    return body


def _session(hook: str, orders: Sequence[Any]) -> dict[str, Any]:
    """The ordering session of the order hooks."""
    if hook == "patient-view":
        return {}
    bundle = {"resourceType": "Bundle", "type": "collection", "entry": [{"resource": order} for order in orders]}
    chosen = [f"{order.get('resourceType')}/{order.get('id')}" for order in orders if isinstance(order, dict)]
    return {"draftOrders": bundle} | ({"selections": chosen} if hook == "order-select" else {})


def fill(session: requests.Session, fhir_url: str, templates: dict[str, str], patient_id: str) -> dict[str, Any]:
    """The prefetch, as an EHR obtains it: templates filled and sent. A key that cannot be had is left out."""
    filled = {}
    for key, template in progress(list(templates.items()), "prefetch"):
        query = template.replace("{{context.patientId}}", quote(patient_id, safe=""))
        response = session.get(f"{fhir_url.rstrip('/')}/{query}", timeout=SECONDS)
        if response.status_code == 200:
            filled[key] = response.json()
    return filled


def _get(session: requests.Session, url: str) -> dict[str, Any]:
    try:
        response = session.get(url, timeout=SECONDS)
        if response.status_code == 401:
            raise InvalidInput(f"{url} asks for a token that it trusts: give --key and --issuer")
        response.raise_for_status()
        body: dict[str, Any] = response.json()
    except (requests.RequestException, ValueError) as error:
        raise InvalidInput(f"{url} gives no discovery document: is the service running there?") from error
    return body

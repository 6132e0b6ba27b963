"""Queries with the FHIR client, for tests of how it fails: the token and the patient may stand in no failure."""

import pytest
from pydantic import SecretStr

from cds_service.fhir.client import Connections, FhirClient
from cds_service.fhir.deadline import Deadline, FhirFailure

BASE = "https://ehr.example/fhir"
CANARY = "canary-token-51c0"
BUNDLE = {
    "resourceType": "Bundle",
    "type": "searchset",
    "entry": [{"resource": {"resourceType": "Patient", "id": "1"}}],
}


def client(connections: Connections, base: str = BASE, seconds: float = 5) -> FhirClient:
    return FhirClient(base, SecretStr(CANARY), connections, Deadline.after(seconds))


def failure(connections: Connections, base: str = BASE, seconds: float = 5) -> str:
    """Why a query failed; the token and the address stand nowhere in it."""
    with pytest.raises(FhirFailure) as failed:
        list(client(connections, base, seconds).pages("Patient/secret-id"))
    for hidden in (CANARY, "secret-id", "ehr.example"):
        assert hidden not in str(failed.value)
        assert hidden not in repr(failed.value)
    return str(failed.value)

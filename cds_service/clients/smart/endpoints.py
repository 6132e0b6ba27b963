"""The endpoints of an EHR's authorization server: as pinned, or as it publishes them within the bounds of the settings.

What is published only chooses among what the registration allows: neither a code nor a secret ever goes elsewhere.
"""

import time
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from threading import Lock
from typing import Any

import structlog

from cds_service.clients.smart.registrations import Registration
from cds_service.errors import InvalidRequest, Unavailable
from cds_service.fhir.addresses import FhirServer, Networks, allowed
from cds_service.fhir.deadline import FhirFailure
from cds_service.fhir.strict_json import parse

DOCUMENT = ".well-known/smart-configuration"
FRESH_SECONDS = 600.0
"""After this time the document is read again."""
APART_SECONDS = 10.0
"""Between two readings of a document that cannot be used, however many launches come."""

ReadDocument = Callable[[Registration], bytes]
"""Gets the SMART configuration of an EHR, or raises FhirFailure."""

log = structlog.get_logger()


@dataclass(frozen=True, slots=True)
class Endpoints:
    """Where a user signs in, and where a code becomes a token; `version_2`: scopes are written as SMART 2 has them."""

    authorization: str
    token: str
    token_networks: Networks
    version_2: bool


class PublishedEndpoints:
    """The endpoints of one EHR, in one process."""

    def __init__(
        self, registration: Registration, read: ReadDocument, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._registration = registration
        self._read = read
        self._clock = clock
        self._lock = Lock()
        self._found: Endpoints | None = None
        self._again_at = float("-inf")

    def find(self) -> Endpoints:
        """The endpoints; whoever comes while they are read waits for the same reading.

        What was found before holds while the document cannot be used. Raises Unavailable when nothing was found.
        """
        with self._lock:
            if self._clock() >= self._again_at:
                self._refresh()
            if self._found is None:
                raise Unavailable("the EHR does not say where its users sign in, or names a place that is not allowed")
            return self._found

    def _refresh(self) -> None:
        registration, wait = self._registration, APART_SECONDS
        try:
            self._found = endpoints(parse(self._read(registration)), registration)
            wait = FRESH_SECONDS
        except (FhirFailure, InvalidRequest, ValueError) as error:
            said = str(error) if isinstance(error, ValueError) else type(error).__name__
            log.warning("smart configuration not used", client=registration.id, reason=said)
            self._found = self._found or _pinned(registration)
        self._again_at = self._clock() + wait


def endpoints(document: Any, registration: Registration) -> Endpoints:
    """The endpoints that a SMART configuration names. Raises ValueError, without a value of it, when it names none.

    Those that are pinned are used whatever it says.
    """
    if not isinstance(document, dict):
        raise ValueError("it is no JSON object")
    capabilities = document.get("capabilities")
    version_2 = isinstance(capabilities, list) and "permission-v2" in capabilities
    within = registration.endpoints_within
    authorization, _ = _endpoint(document, "authorization_endpoint", registration.authorization_endpoint, within)
    token, networks = _endpoint(document, "token_endpoint", registration.token_endpoint, within)
    return Endpoints(authorization, token, networks, version_2)


def _endpoint(
    document: Any, name: str, pinned: FhirServer | None, within: Sequence[FhirServer]
) -> tuple[str, Networks]:
    if pinned is not None:
        return pinned.base, pinned.networks
    url = document.get(name)
    found = allowed(url, within) if isinstance(url, str) else None
    if found is None:
        raise ValueError(f"its {name} is not on the origin of the iss, nor below one of authorization_servers")
    return url, found.networks


def _pinned(registration: Registration) -> Endpoints | None:
    """The pinned endpoints where both are, for an EHR whose document cannot be read."""
    authorization, token = registration.authorization_endpoint, registration.token_endpoint
    if authorization is None or token is None:
        return None
    return Endpoints(authorization.base, token.base, token.networks, version_2=False)

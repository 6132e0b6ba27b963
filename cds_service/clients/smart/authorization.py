"""What the app asks of an authorization server: that a user signs in, then a token for the code (OAuth 2, PKCE)."""

from base64 import b64encode, urlsafe_b64encode
from collections.abc import Mapping, Sequence
from datetime import datetime
from hashlib import sha256
from urllib.parse import quote_plus, urlencode

from cds_service.clients.smart.endpoints import Endpoints
from cds_service.clients.smart.launches import Launch
from cds_service.clients.smart.registrations import Registration
from cds_service.fhir.survey import SMART_1, SMART_2

EHR_LAUNCH, STANDALONE = "launch", "launch/patient"
"""Scopes that ask for the patient: of the chart in which the app was opened, or whom the user chooses at sign-in.

`openid` and `fhirUser` are not asked for: who looks is the EHR's concern, and nothing here depends on it.
"""
_ASSERTION = "urn:ietf:params:oauth:client-assertion-type:jwt-bearer"


def sign_in_url(
    registration: Registration,
    endpoints: Endpoints,
    launch: Launch,
    context: str | None,
    scopes: Mapping[str, Sequence[str]],
    redirect_uri: str,
) -> str:
    """Where the browser is sent. `context` is the `launch` that the EHR gave, None for a standalone launch."""
    wanted = [EHR_LAUNCH if context is not None else STANDALONE]
    wanted += scopes[SMART_2 if endpoints.version_2 else SMART_1]
    query = {
        "response_type": "code",
        "client_id": registration.client_id,
        "redirect_uri": redirect_uri,
        "scope": " ".join(wanted),
        "state": launch.state,
        "aud": registration.iss,
        "code_challenge": challenge(launch.verifier),
        "code_challenge_method": "S256",
    }
    if context is not None:
        query["launch"] = context
    return f"{endpoints.authorization}?{urlencode(query)}"


def challenge(verifier: str) -> str:
    """What is told of the verifier before the code is there (RFC 7636, S256)."""
    return urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")


def token_form(
    registration: Registration, endpoints: Endpoints, launch: Launch, code: str, redirect_uri: str, now: datetime
) -> tuple[dict[str, str], dict[str, str]]:
    """The form and the headers that turn a code into a token: as a public client, with a secret, or with a key."""
    form = {
        "grant_type": "authorization_code",
        "code": code,
        "redirect_uri": redirect_uri,
        "code_verifier": launch.verifier,
    }
    if registration.secret is not None:
        pair = ":".join(quote_plus(part) for part in (registration.client_id, registration.secret.get_secret_value()))
        return form, {"Authorization": f"Basic {b64encode(pair.encode()).decode()}"}
    if registration.key is not None:
        assertion = registration.key.client_assertion(registration.client_id, endpoints.token, now)
        return form | {"client_assertion_type": _ASSERTION, "client_assertion": assertion}, {}
    return form | {"client_id": registration.client_id}, {}

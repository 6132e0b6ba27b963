"""The demo chart's side of a SMART launch: its one user has signed in already, and grants what an app asks for.

What a launch is about stands in the `launch` that the page gave the app. It is no secret here: the FHIR server of the
demo is open, and its patients are invented. The app proves all the same that the code is its own (PKCE).
"""

import json
from base64 import urlsafe_b64decode
from dataclasses import dataclass, field
from secrets import token_urlsafe
from urllib.parse import urlencode

import orjson
from flask import Blueprint, Response, request

from cds_service.clients.smart.authorization import challenge
from cds_service.clients.smart.registrations import Registration
from cds_service.errors import InvalidRequest
from cds_service.fhir.addresses import fhir_server
from cds_service.fhir.elements import MALFORMED, Json
from cds_service.web.answers import answer
from cds_service.web.smart.app import CALLBACK

CLIENT = "crs-course"
SECONDS = 300
"""How long a token is said to hold."""


@dataclass(frozen=True, slots=True)
class Code:
    """What a code was given for; `about` is the patient, and what the card said of the launch."""

    challenge: str
    scope: str
    about: Json


@dataclass(frozen=True, slots=True)
class SignIn:
    """The sign-in of the demo at `base`, the URL of its server. Each code is used once."""

    base: str
    codes: dict[str, Code] = field(default_factory=dict)

    @property
    def registration(self) -> Registration:
        """How the app is registered here: as a public client."""
        iss = f"{self.base}/fhir"
        return Registration(id="demo", iss=iss, server=fhir_server(iss), client_id=CLIENT)

    def configuration(self) -> Json:
        """What the app reads of this sign-in."""
        return {
            "authorization_endpoint": f"{self.base}/demo/authorize",
            "token_endpoint": f"{self.base}/demo/token",
            "code_challenge_methods_supported": ["S256"],
            "capabilities": ["launch-ehr", "client-public", "permission-v2"],
        }

    def authorized(self, asked: dict[str, str]) -> str:
        """Where the browser goes with its code. Raises InvalidRequest for what is not the app of this demo."""
        here = {"client_id": CLIENT, "redirect_uri": f"{self.base}{CALLBACK}", "aud": f"{self.base}/fhir"}
        form = {"response_type": "code", "code_challenge_method": "S256"}
        if not (here | form).items() <= asked.items() or not asked.get("code_challenge"):
            raise InvalidRequest("this sign-in knows the course app of this demo only")
        code = token_urlsafe()
        self.codes[code] = Code(asked["code_challenge"], asked.get("scope", ""), _about(asked.get("launch", "")))
        return f"{here['redirect_uri']}?{urlencode({'code': code, 'state': asked.get('state', '')})}"

    def token(self, form: dict[str, str]) -> Json | None:
        """The token for a code, None for a code that is not known, or not of who asks."""
        code = self.codes.pop(form.get("code", ""), None)
        if code is None or challenge(form.get("code_verifier", "")) != code.challenge:
            return None
        kind = {"access_token": token_urlsafe(), "token_type": "Bearer", "expires_in": SECONDS, "scope": code.scope}
        return kind | code.about


def _about(launch: str) -> Json:
    """The patient and the context of the app in a `launch`. Raises InvalidRequest for any other text."""
    try:
        about = json.loads(urlsafe_b64decode(launch + "=" * (-len(launch) % 4)))
        return {"patient": about["patient"], "appContext": about["appContext"]}
    except MALFORMED as error:
        raise InvalidRequest("launch: open the app from the demo chart", expression="launch") from error


def sign_in_blueprint(sign_in: SignIn) -> Blueprint:
    """The routes of the sign-in, at addresses of their own."""
    blueprint = Blueprint("sign_in", __name__)

    @blueprint.get("/fhir/.well-known/smart-configuration")
    def configuration() -> Response:
        return answer(orjson.dumps(sign_in.configuration()))

    @blueprint.get("/demo/authorize")
    def authorize() -> Response:
        return Response(status=302, headers={"Location": sign_in.authorized(request.args.to_dict())})

    @blueprint.post("/demo/token")
    def token() -> Response:
        given = sign_in.token(request.form.to_dict())
        return answer(orjson.dumps(given if given is not None else {"error": "invalid_grant"}), 200 if given else 400)

    return blueprint

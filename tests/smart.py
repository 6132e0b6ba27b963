"""An EHR with an authorization server of its own, which is honest and strict, and a browser that goes through a launch.

It checks what SMART App Launch asks it to check and answers anything else with an error; a test tells it who its user
is and what it grants. Its FHIR server asks for the token, and gives what the token is for.
"""

import re
from base64 import b64decode, urlsafe_b64encode
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from hashlib import sha256
from pathlib import Path
from secrets import token_hex
from threading import Thread
from typing import Any
from urllib.parse import parse_qs, unquote_plus, urlencode, urlsplit

import jwt
import requests
from flask import Flask, Response, redirect, request
from werkzeug.serving import make_server

from cds_service.clients.signing import SigningKey
from cds_service.clients.smart.registrations import Registration
from cds_service.fhir.addresses import fhir_server as server_written
from cds_service.fhir.memory import Repository
from cds_service.web.fhir_server import fhir_blueprint
from tests.server import HOST, SECONDS, Quiet

CLIENT = "crs-course-at-this-hospital"
_READS = re.compile(r"patient/([A-Za-z]+)\.(read|rs|r)")
Json = dict[str, Any]


def registration(iss: str = "https://ehr.example/fhir", **members: Any) -> Registration:
    """The app at an EHR, as a public client unless members say otherwise."""
    usual = {"id": "hospital", "iss": iss, "server": server_written(iss), "client_id": CLIENT}
    return Registration(**usual | members)


@dataclass(frozen=True)
class Code:
    """What a code was issued for."""

    redirect_uri: str
    challenge: str
    scopes: tuple[str, ...]


@dataclass
class Ehr:
    """The EHR: `redirect_uris`, `secret` and `key` are what the app was registered with there.

    `patient` is that of the chart, or whom the user chooses; `denied` the error in place of a code; `withheld` scopes
    that the user does not grant; `document` and `answer` change what it publishes, and what its token endpoint says.
    `also` are other FHIR servers whose users sign in here.
    """

    redirect_uris: list[str] = field(default_factory=list)
    secret: str | None = None
    key: SigningKey | None = None
    patient: str = ""
    version_2: bool = True
    denied: str = ""
    withheld: frozenset[str] = frozenset()
    document: Json = field(default_factory=dict)
    answer: Json = field(default_factory=dict)
    also: list[str] = field(default_factory=list)
    base: str = ""
    launches: list[str] = field(default_factory=list)
    asked: list[dict[str, str]] = field(default_factory=list)
    forms: list[dict[str, str]] = field(default_factory=list)
    tokens: dict[str, tuple[str, ...]] = field(default_factory=dict)
    used: list[str] = field(default_factory=list)
    codes: dict[str, Code] = field(default_factory=dict)

    def reset(self) -> None:
        """Forget what was asked and granted, and grant again what the app asks for."""
        for kept in (self.launches, self.asked, self.forms, self.tokens, self.codes):
            kept.clear()
        self.denied, self.withheld, self.answer = "", frozenset(), {}

    @property
    def origin(self) -> str:
        """Scheme, host and port."""
        return self.base.removesuffix("/fhir")

    def new_launch(self) -> str:
        """What it gives an app that is opened from a chart."""
        self.launches.append(f"canary-{token_hex(8)}")
        return self.launches[-1]

    def app(self, repository: Repository) -> Flask:
        """Its authorization server and its FHIR server."""
        app = Flask(__name__)
        app.register_blueprint(fhir_blueprint(repository), url_prefix="/fhir")
        app.get("/fhir/.well-known/smart-configuration")(self._configuration)
        app.get("/authorize")(self._authorize)
        app.post("/token")(self._token)
        app.before_request(self._guard)
        return app

    def _configuration(self) -> Json:
        known = {
            "authorization_endpoint": f"{self.origin}/authorize",
            "token_endpoint": f"{self.origin}/token",
            "code_challenge_methods_supported": ["S256"],
            "capabilities": ["launch-ehr", "launch-standalone", *(["permission-v2"] if self.version_2 else [])],
        }
        return known | self.document

    def _authorize(self) -> Any:
        given = request.args.to_dict()
        self.asked.append(given)
        if given.get("client_id") != CLIENT or given.get("redirect_uri") not in self.redirect_uris:
            return "an app or an address that is not registered", 400
        back = given["redirect_uri"]
        error = self.denied or self._fault(given)
        if error:
            said = {"error": error, "error_description": "<script>alert(1)</script>"}
            return redirect(f"{back}?{urlencode(said | {'state': given.get('state', '')})}")
        scopes = tuple(scope for scope in given["scope"].split() if scope not in self.withheld)
        code = f"canary-{token_hex(8)}"
        self.codes[code] = Code(back, given["code_challenge"], scopes)
        return redirect(f"{back}?{urlencode({'code': code, 'state': given['state']})}")

    def _fault(self, given: dict[str, str]) -> str:
        """What is wrong with a request for a code, as RFC 6749 calls it."""
        scopes = given.get("scope", "").split()
        opened = given.get("launch") in self.launches and "launch" in scopes
        alone = "launch" not in given and "launch/patient" in scopes
        reads = [scope for scope in scopes if scope not in ("launch", "launch/patient")]
        if given.get("response_type") != "code":
            return "unsupported_response_type"
        if not reads or not all(map(_READS.fullmatch, reads)):
            return "invalid_scope"
        if any(scope.endswith(".read") is self.version_2 for scope in reads):
            return "invalid_scope"
        complete = given.get("aud") in (self.base, *self.also) and given.get("code_challenge_method") == "S256"
        return "" if complete and len(given.get("state", "")) > 20 and (opened or alone) else "invalid_request"

    def _token(self) -> Any:
        form = request.form.to_dict()
        self.forms.append(form)
        if not self._is_client(form):
            return {"error": "invalid_client"}, 401
        code = self.codes.pop(form.get("code", ""), None)
        verifier = form.get("code_verifier", "")
        challenge = urlsafe_b64encode(sha256(verifier.encode()).digest()).decode().rstrip("=")
        proved = code is not None and challenge == code.challenge and 43 <= len(verifier) <= 128
        if code is None or not proved or form.get("redirect_uri") != code.redirect_uri:
            return {"error": "invalid_grant"}, 400
        token = f"canary-{token_hex(16)}"
        self.tokens[token] = code.scopes
        answer = {"access_token": token, "token_type": "Bearer", "expires_in": 300, "scope": " ".join(code.scopes)}
        answer = answer | {"patient": self.patient} | self.answer
        return {name: value for name, value in answer.items() if value is not None}

    def _is_client(self, form: dict[str, str]) -> bool:
        given = request.headers.get("Authorization", "")
        if self.secret is not None:
            name, _, secret = b64decode(given.removeprefix("Basic ")).decode().partition(":")
            return (unquote_plus(name), unquote_plus(secret)) == (CLIENT, self.secret)
        if self.key is not None:
            public = jwt.PyJWK(self.key.public_jwk).key
            options = {"verify_exp": False, "verify_iat": False}  # the service under test is always at one instant
            kind = {"audience": f"{self.origin}/token", "issuer": CLIENT, "subject": CLIENT, "options": options}
            try:
                claims = jwt.decode(form["client_assertion"], public, [self.key.algorithm], **kind)
            except jwt.PyJWTError:
                return False
            fresh = 0 < claims["exp"] - claims["iat"] <= 300 and claims["jti"] not in self.used
            self.used.append(claims["jti"])
            return fresh and form["client_assertion_type"].endswith(":jwt-bearer")
        return form.get("client_id") == CLIENT and not given

    def _guard(self) -> Response | None:
        """Everything of FHIR but the configuration asks for a token, for that type and that patient."""
        kind, _, rest = request.path.removeprefix("/fhir/").partition("/")
        if not request.path.startswith("/fhir/") or kind == ".well-known":
            return None
        token = request.headers.get("Authorization", "").removeprefix("Bearer ")
        if token not in self.tokens:
            return Response(status=401)
        reads = {found[1] for scope in self.tokens[token] if (found := _READS.fullmatch(scope))}
        of = rest if kind == "Patient" else request.args.get("patient", self.patient)
        return None if kind in reads and of == self.patient else Response(status=403)


@contextmanager
def ehr(repository: Repository, **members: Any) -> Iterator[Ehr]:
    """The EHR, running."""
    running = Ehr(**members)
    http = make_server(HOST, 0, running.app(repository), threaded=True, request_handler=Quiet)
    running.base = f"http://{HOST}:{http.server_port}/fhir"
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield running
    finally:
        http.shutdown()
        thread.join(SECONDS)
        http.server_close()


def written(folder: Path, *entries: Json) -> Path:
    """The file of registrations with these entries."""
    file = folder / "smart.toml"
    lines = [line for entry in entries for line in ("[[registration]]", *(f"{k} = {v!r}" for k, v in entry.items()))]
    file.write_text("\n".join(lines))
    return file


class Browser:
    """A browser of a user: it keeps cookies and follows nothing by itself."""

    def __init__(self) -> None:
        self._session = requests.Session()
        self.cookies = self._session.cookies

    def get(self, url: str, **query: str) -> requests.Response:
        """Go to an address."""
        return self._session.get(url, params=query, allow_redirects=False, timeout=SECONDS)

    def sign_in(self, launch_url: str, **query: str) -> str:
        """Open the app and sign in at the EHR: the address that the browser is sent back to."""
        begun = self.get(launch_url, **query)
        assert begun.status_code == 302, begun.text
        signed_in = self.get(begun.headers["Location"])
        assert signed_in.status_code == 302, signed_in.text
        return signed_in.headers["Location"]


def query_of(url: str) -> dict[str, str]:
    """The parameters of an address, each once."""
    return {name: value for name, (value,) in parse_qs(urlsplit(url).query).items()}

"""The SMART app behind its routes: a launch is begun, comes back, and becomes the reading of one patient.

No process remembers a launch, and nothing of a patient is kept: the token lives as long as its one request.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from functools import partial
from hmac import compare_digest
from math import ceil
from typing import NamedTuple
from urllib.parse import urlsplit

import structlog

from cds_service.clients.key_sets import MAXIMUM_BYTES, READ_SECONDS
from cds_service.clients.pace import Pace
from cds_service.clients.smart.authorization import sign_in_url, token_form
from cds_service.clients.smart.endpoints import DOCUMENT, PublishedEndpoints
from cds_service.clients.smart.launches import LIFE, Launch, Seal
from cds_service.clients.smart.registrations import Registration
from cds_service.clients.switches import Switches
from cds_service.errors import InvalidRequest, InvalidSettings, LaunchRefused, SwitchedOff, TooManyCalls, Unavailable
from cds_service.fhir.addresses import base_url
from cds_service.fhir.client import Connections, read_document, send_form
from cds_service.fhir.deadline import FhirFailure, ServerInTrouble
from cds_service.fhir.strict_json import parse
from cds_service.fhir.survey import scopes
from cds_service.hooks.course_link import CourseApp
from cds_service.hooks.evaluate import Access
from cds_service.hooks.grants import Grant, read_grant
from cds_service.hooks.remembering import Caller

LAUNCH, CALLBACK = "/smart/launch", "/smart/callback"
GRADING = "crs-patient-view"
"""The service that grades when a chart is opened; while it is off the app is too."""
_BEGIN_AGAIN = "begin again from the chart"

log = structlog.get_logger()


class Begun(NamedTuple):
    """A launch that came back to the browser it was begun in, and where the app is registered for it."""

    launch: Launch
    registration: Registration


@dataclass(frozen=True, slots=True, kw_only=True)
class SmartApp:
    """What launches are answered with: `caller` is the one whose knowledge, connections and store are used."""

    public_url: str
    registrations: Sequence[Registration]
    published: Mapping[str, PublishedEndpoints]
    paces: Mapping[str, Pace]
    seal: Seal
    caller: Caller
    switches: Switches

    @property
    def redirect_uri(self) -> str:
        """Where the EHR sends the browser back to, by the configuration alone (T77)."""
        return f"{self.public_url}{CALLBACK}"

    @property
    def cookie_path(self) -> str:
        """Where a browser shows the launch that it keeps."""
        return f"{urlsplit(self.public_url).path}{LAUNCH.rpartition('/')[0]}"

    @property
    def secure(self) -> bool:
        """Whether browsers reach the app by https; plain HTTP is for this machine only."""
        return urlsplit(self.public_url).scheme == "https"

    def registered(self, iss: str) -> Registration:
        """The registration at an EHR. Raises LaunchRefused for any other: nothing is asked there (T01, T06)."""
        try:
            base = base_url(iss)
        except InvalidSettings:
            base = ""
        found = next((one for one in self.registrations if one.server.base == base), None)
        if found is None:
            raise LaunchRefused("this app is not registered for the EHR (iss) that opened it: ask who set it up")
        return found

    def switched_on(self, registration: Registration) -> None:
        """Raises SwitchedOff while no grade may be given for this EHR."""
        if GRADING in self.caller.services_off | self.switches.off(registration.id):
            raise SwitchedOff("the grading is switched off by its operator: nothing is shown")

    def begin(self, registration: Registration, context: str | None, now: datetime) -> tuple[str, str]:
        """Where the user signs in, and the sealed launch. `context` is the `launch` of the EHR, if it opened the app.

        Anybody may begin one, and each may become a request to the EHR: so many a minute, as of a client (T95). Raises
        TooManyCalls or Unavailable.
        """
        wait = self.paces[registration.id].wait()
        if wait:
            raise TooManyCalls("this app is opened too often at this EHR: wait a moment", retry_seconds=ceil(wait))
        launch = Launch.new(registration.id)
        wanted = scopes(self.caller.knowledge.needs)
        endpoints = self.published[registration.id].find()
        url = sign_in_url(registration, endpoints, launch, context, wanted, self.redirect_uri)
        return url, self.seal.sealed(launch, now)

    def begun(self, sealed: str, now: datetime) -> Begun:
        """The launch that a browser keeps. Raises LaunchRefused when there is none, or it took too long."""
        launch = self.seal.opened(sealed, now)
        registration = next((one for one in self.registrations if launch and one.id == launch.registration), None)
        if launch is None or registration is None:
            raise LaunchRefused(f"this sign-in was not begun in this browser, or too long ago: {_BEGIN_AGAIN}")
        return Begun(launch, registration)

    def use(self, begun: Begun, state: str, now: datetime) -> None:
        """Let a launch come back once, to whatever process.

        Raises LaunchRefused when the state is not its own or was used before, StoreUnavailable.
        """
        if not compare_digest(state.encode(), begun.launch.state.encode()):
            raise LaunchRefused(f"this sign-in belongs to another that was begun in this browser: {_BEGIN_AGAIN}")
        if not self.caller.memory.store.use_once(LAUNCH, begun.launch.state, now + LIFE, now):
            raise LaunchRefused(f"this sign-in was used before, nothing of it was kept: {_BEGIN_AGAIN}")

    def grant(self, begun: Begun, code: str, now: datetime) -> Grant:
        """What the code becomes at the token endpoint. Raises LaunchRefused or Unavailable."""
        registration = begun.registration
        endpoints = self.published[registration.id].find()
        form, headers = token_form(registration, endpoints, begun.launch, code, self.redirect_uri, now)
        connections = self.caller.access.connections
        where = (endpoints.token, endpoints.token_networks)
        try:
            body = parse(send_form(*where, form, headers, connections, READ_SECONDS, MAXIMUM_BYTES))
        except ServerInTrouble as error:
            log.warning("no access granted", client=registration.id, reason=error.kind)
            raise Unavailable("the EHR's sign-in does not answer: try again later") from error
        except FhirFailure as error:
            log.warning("no access granted", client=registration.id, reason=error.kind)
            raise LaunchRefused(f"the EHR gave no access for this sign-in: {_BEGIN_AGAIN}") from error
        except InvalidRequest as error:
            raise LaunchRefused("the EHR granted access in a form that cannot be read") from error
        return read_grant(body)

    def access(self, registration: Registration) -> Access:
        """How the FHIR server of an EHR is reached, and no other."""
        return replace(self.caller.access, allow_list=(registration.server,))


def smart_app(
    public_url: str,
    registrations: Sequence[Registration],
    launches_per_minute: int,
    seal: Seal,
    caller: Caller,
    switches: Switches,
) -> SmartApp:
    """The app at the EHRs where it is registered, at each opened at most so often by one process."""
    read = partial(_configuration, caller.access.connections)
    return SmartApp(
        public_url=public_url,
        registrations=registrations,
        published={one.id: PublishedEndpoints(one, read) for one in registrations},
        paces={one.id: Pace(launches_per_minute) for one in registrations},
        seal=seal,
        caller=caller,
        switches=switches,
    )


def course_app(public_url: str, registrations: Sequence[Registration]) -> CourseApp:
    """What cards must know of the app to link to it."""
    bases = frozenset(one.server.base for one in registrations)
    return CourseApp(launch_url=f"{public_url}{LAUNCH}", fhir_servers=bases)


def _configuration(connections: Connections, registration: Registration) -> bytes:
    url = f"{registration.iss}/{DOCUMENT}"
    return read_document(url, registration.server.networks, connections, READ_SECONDS, MAXIMUM_BYTES)

"""The routes of the SMART app: the EHR opens it, its user signs in there, and the browser comes back with a code."""

import re

from flask import Blueprint, Flask, Response, g, request

from cds_service.clients.smart.launches import LIFE
from cds_service.clients.smart.registrations import Registration
from cds_service.errors import CdsError, LaunchRefused, UnknownService
from cds_service.hooks.evaluate import evaluated
from cds_service.web.answers import answer
from cds_service.web.callers import now
from cds_service.web.logs import cause
from cds_service.web.observing import Observer, called_by, ended, failed_at
from cds_service.web.smart.app import CALLBACK, LAUNCH, SmartApp
from cds_service.web.smart.pages import UNTOLD, course, framed, refused

COOKIE = "crs-cds-launch"
LONGEST = 4096
"""Characters of a code, a state or a launch."""
_ERROR = re.compile(r"[a-z_]{1,40}")


def serve_smart(app: Flask, smart: SmartApp | None, observer: Observer) -> None:
    """The app, or nothing at its addresses where it is registered nowhere. Whatever goes wrong is said on a page."""
    routes = Blueprint("smart", __name__)

    @routes.get(LAUNCH)
    def launch() -> Response:
        known = _configured(smart)
        registration = _for(known, known.registered(_given("iss")))
        url, sealed = known.begin(registration, _given("launch") or None, now())
        response = answer(b"", 302, "text/plain")
        response.headers.update({"Location": url, **UNTOLD})
        _keep(response, sealed, known, registration)
        return response

    @routes.get(CALLBACK)
    def callback() -> Response:
        known = _configured(smart)
        begun = known.begun(request.cookies.get(COOKIE, ""), now())
        registration = _for(known, begun.registration)
        known.use(begun, _given("state"), now())
        if "error" in request.args:
            raise LaunchRefused(f"the EHR did not grant access ({_error(_given('error'))})")
        grant = known.grant(begun, _given("code"), now())
        question, knowledge = grant.question(registration.iss), known.caller.knowledge
        with evaluated(question, knowledge, known.access(registration), now()) as reading:
            observer.read(reading, question.hook_instance)
        return framed(course(reading, knowledge), registration)  # a picture takes its time: no hook waits for it

    @routes.errorhandler(CdsError)
    def stopped(error: CdsError) -> Response:
        ended(error)
        return refused(error, g.get("registration"))

    @routes.errorhandler(Exception)
    def failed(error: Exception) -> Response:
        failed_at(**cause(error))
        return stopped(CdsError("the service failed on this request; nothing was graded. Its log says where"))

    app.register_blueprint(routes)


def _configured(smart: SmartApp | None) -> SmartApp:
    if smart is None:
        raise UnknownService("there is no app at this address: it is registered at no EHR")
    return smart


def _for(smart: SmartApp, registration: Registration) -> Registration:
    """The registration that this request is for, once it is known: it stands in the log, and pages may be framed."""
    g.registration = registration
    called_by(registration.id)
    smart.switched_on(registration)
    return registration


def _given(name: str) -> str:
    """A parameter of the address, empty when it is not there. Raises LaunchRefused for two of them, or a long one."""
    values = request.args.getlist(name)
    if len(values) > 1 or any(len(value) > LONGEST for value in values):
        raise LaunchRefused(f"{name} stands twice in the address, or is too long")
    return values[0] if values else ""


def _error(code: str) -> str:
    """An error code of OAuth 2.0; anything else that an address may hold is not repeated."""
    return code if _ERROR.fullmatch(code) else "for a reason that is no code"


def _keep(response: Response, sealed: str, smart: SmartApp, registration: Registration) -> None:
    """Have the browser keep the launch. In a frame of another site it shows a cookie only if it may go with it."""
    foreign = bool(registration.frame_ancestors) and smart.secure
    response.set_cookie(
        COOKIE,
        sealed,
        max_age=LIFE,
        path=smart.cookie_path,
        secure=smart.secure,
        httponly=True,
        samesite="None" if foreign else "Lax",
        partitioned=foreign,
    )

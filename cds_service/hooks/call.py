"""The hook call: the request body as values, or an error that names the member at fault (T35 to T38)."""

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from decimal import Decimal
from typing import Annotated, Any, TypeVar

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, SecretStr, StringConstraints, ValidationError

from cds_service.errors import InvalidRequest
from cds_service.fhir.gather import entries
from cds_service.fhir.ownership import Patient

_ID = re.compile(r"[A-Za-z0-9.\-]{1,64}")
_USER = re.compile(r"(Practitioner|PractitionerRole|Patient|RelatedPerson)/[A-Za-z0-9.\-_]{1,256}")
_PRINTABLE = re.compile(r"[\x21-\x7e]+")
LONGEST_TOKEN = 8192


def _logical_id(value: str) -> str:
    if not _ID.fullmatch(value) or set(value) == {"."}:
        raise ValueError("a FHIR id has letters, digits, - and . only, at most 64")
    return value


def _user(value: str) -> str:
    if not _USER.fullmatch(value):
        raise ValueError("a user is Practitioner/id, PractitionerRole/id, Patient/id or RelatedPerson/id")
    return value


def _printable(value: str) -> str:
    if not _PRINTABLE.fullmatch(value):
        raise ValueError("only printable characters without spaces are allowed")
    return value


LogicalId = Annotated[str, AfterValidator(_logical_id)]
User = Annotated[str, AfterValidator(_user)]
Short = Annotated[str, StringConstraints(min_length=1, max_length=256), AfterValidator(_printable)]
Url = Annotated[str, StringConstraints(min_length=1, max_length=2048)]


def _positive(value: Any) -> bool:
    return isinstance(value, int | Decimal) and value > 0


class Lenient(BaseModel):
    """A part of the request: unknown members are tolerated everywhere (R-8, X-4), types are not bent."""

    model_config = ConfigDict(extra="ignore", frozen=True, strict=True, hide_input_in_errors=True)


class FhirAuthorization(Lenient):
    """The token to read with, for this call only; scopes are not parsed, clients spell them as they like (A-4)."""

    access_token: SecretStr
    token_type: str = "Bearer"  # noqa: S105 - the name of a kind of token
    expires_in: Any = None
    patient: str | None = None

    @property
    def fault(self) -> str:
        """Why the token is not used, empty for one that is (T12)."""
        token = self.access_token.get_secret_value()
        if not _PRINTABLE.fullmatch(token):
            return "the access_token of this call is empty or has characters that no header may hold"
        if len(token) > LONGEST_TOKEN:
            return f"the access_token of this call is longer than {LONGEST_TOKEN} characters"
        if self.token_type.casefold() != "bearer":
            return "the access_token of this call is of another kind than Bearer"
        if self.expires_in is not None and not _positive(self.expires_in):
            return "the access_token of this call has no time left in which it may be used"
        return ""


@dataclass(frozen=True, slots=True, kw_only=True)
class Question:
    """Of which patient a grade is asked for, with what is handed over already and the token to read the rest with.

    `hook_instance` is what the log calls it, empty when no hook asks.
    """

    patient: Patient
    authorization: FhirAuthorization | None
    prefetch: Mapping[str, Any] = field(default_factory=dict, repr=False)
    hook_instance: str = ""


class Context(Lenient):
    """What the context of each hook has; that of `patient-view` has no more."""

    userId: User  # noqa: N815 - the specification's name
    patientId: LogicalId  # noqa: N815
    encounterId: LogicalId | None = None  # noqa: N815


class OrderContext(Context):
    """The context of the order hooks. The Bundle of orders needs no type, `selections` is of `order-select` alone."""

    draftOrders: dict[str, Any] = Field(repr=False)  # noqa: N815
    selections: list[str] | None = None

    @property
    def orders(self) -> list[dict[str, Any]]:
        """The resources of the Bundle, of any type."""
        return list(entries(self.draftOrders))


class OrderSelectContext(OrderContext):
    """The context of `order-select`."""

    selections: list[str]


class HookCall(Lenient):
    """A call of a service. `prefetch` values are checked where they are read, key by key."""

    hook: Short
    hookInstance: Short  # noqa: N815
    context: Context
    fhirServer: Url | None = None  # noqa: N815
    fhirAuthorization: FhirAuthorization | None = None  # noqa: N815
    prefetch: dict[str, Any] = Field({}, repr=False)

    @property
    def question(self) -> Question:
        """What is asked, whatever the hook."""
        return Question(
            patient=Patient(self.context.patientId, self.fhirServer),
            authorization=self.fhirAuthorization,
            prefetch=self.prefetch,
            hook_instance=self.hookInstance,
        )


class OrderCall(HookCall):
    """A call of an order hook."""

    context: OrderContext


class OrderSelectCall(OrderCall):
    """A call of `order-select`."""

    context: OrderSelectContext


CallT = TypeVar("CallT", bound=HookCall)


def read_call(body: Any, hook: str, shape: type[CallT]) -> CallT:
    """The call in a parsed body. Raises InvalidRequest with the path of the first member at fault."""
    if not isinstance(body, dict):
        raise InvalidRequest("the body must be a JSON object with hook, hookInstance and context")
    if isinstance(body.get("hook"), str) and body["hook"] != hook:
        raise InvalidRequest(f"this service answers the hook {hook}: call the service of your hook", expression="hook")
    if body.get("prefetch") is None:
        body = {name: value for name, value in body.items() if name != "prefetch"}
    try:
        call = shape.model_validate(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        path = ".".join(str(step) for step in fault["loc"])
        raise InvalidRequest(f"{path}: {fault['msg'].removeprefix('Value error, ')}", expression=path) from error
    _consistent(call)
    return call


def _consistent(call: HookCall) -> None:
    authorization = call.fhirAuthorization
    if authorization is None:
        return
    if call.fhirServer is None:
        raise InvalidRequest("fhirServer: it is required with fhirAuthorization (cds-r-1)", expression="fhirServer")
    if authorization.patient not in (None, call.context.patientId):
        path = "fhirAuthorization.patient"
        raise InvalidRequest(f"{path}: it is another patient than context.patientId", expression=path)

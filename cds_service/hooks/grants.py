"""What an authorization server grants to the app: the same question as a hook call asks, put by a user at the EHR."""

from typing import Any

from pydantic import ValidationError

from cds_service.errors import LaunchRefused
from cds_service.fhir.ownership import Patient
from cds_service.hooks.call import FhirAuthorization, LogicalId, Question
from cds_service.hooks.course_link import hook_instance_in

_LACKS = {"patient": "gave no patient", "access_token": "gave no token", "token_type": "gave no kind of token"}
"""What is wrong with a grant, by the member at fault."""


class Grant(FhirAuthorization):
    """The answer of a token endpoint. Which scopes were granted is not looked at: what cannot be read is missing."""

    token_type: str
    patient: LogicalId
    appContext: Any = None  # noqa: N815 - the specification's name

    def question(self, fhir_server: str) -> Question:
        """Of the patient that was granted, with nothing handed over. The hook call is named for the log alone."""
        instance = hook_instance_in(self.appContext)
        return Question(patient=Patient(self.patient, fhir_server), authorization=self, hook_instance=instance)


def read_grant(body: Any) -> Grant:
    """The grant in a parsed body. Raises LaunchRefused when there is no patient, or no token that may be used."""
    try:
        grant = Grant.model_validate(body)
    except ValidationError as error:
        fault = error.errors(include_url=False, include_input=False)[0]
        lacks = _LACKS.get(str((*fault["loc"], "")[0]), "gave an answer that cannot be read")
        raise LaunchRefused(f"the EHR granted access and {lacks}: ask who runs its sign-in") from error
    if grant.fault:
        raise LaunchRefused(f"the EHR granted access that cannot be used: {grant.fault}")
    return grant

"""The link of a grade card to the course of the patient, which is a SMART app of this service."""

import json
import re
from dataclasses import dataclass
from typing import Any

from cds_service.errors import InvalidRequest, InvalidSettings
from cds_service.fhir.addresses import base_url
from cds_service.fhir.elements import member
from cds_service.fhir.strict_json import parse

LABEL = "CRS course"
_INSTANCE = re.compile(r"[A-Za-z0-9-]{1,64}")


@dataclass(frozen=True, slots=True, kw_only=True)
class CourseApp:
    """Where the app is launched, by the configuration alone (T77), and the EHRs (base URLs) that know it."""

    launch_url: str
    fhir_servers: frozenset[str]

    def links(self, fhir_server: str | None, hook_instance: str) -> list[dict[str, str]]:
        """The links of a card for an EHR: one where it knows the app."""
        if fhir_server is None or not self._known(fhir_server):
            return []
        context = json.dumps({"hookInstance": hook_instance})
        return [{"label": LABEL, "url": self.launch_url, "type": "smart", "appContext": context}]

    def _known(self, fhir_server: str) -> bool:
        try:
            return base_url(fhir_server) in self.fhir_servers
        except InvalidSettings:
            return False


def hook_instance_in(context: Any) -> str:
    """The hook call whose card was followed, by the `appContext` that came with the token; empty if it names none."""
    if not isinstance(context, str):
        return ""
    try:
        instance = member(parse(context.encode()), "hookInstance")
    except (InvalidRequest, UnicodeEncodeError):
        return ""
    return instance if isinstance(instance, str) and _INSTANCE.fullmatch(instance) else ""

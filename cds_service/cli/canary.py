"""`crs-cds canary`: invented patients go the whole way through a running service, so that silence is noticed (T96)."""

import json
import sys
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import click
import requests

from cds_service.cli.ehr import listed, send, service_option
from cds_service.cli.grade import prefetch
from cds_service.cli.printing import grade_words
from cds_service.cli.signing import Signing, signing
from cds_service.content.files import data_folder
from cds_service.errors import InvalidInput
from cds_service.fhir.client import new_session
from cds_service.fhir.elements import objects
from cds_service.fhir.stories import Story, load_story, shifted
from cds_service.hooks.assessment_json import EXTENSION
from cds_service.store.records import CANARY_AGENT

STORIES = (
    "not-eligible-sepsis",
    "grade-0-day-5",
    "grade-1-fever",
    "grade-2-hypotension",
    "grade-3-one-vasopressor",
    "grade-4-two-vasopressors",
)
HOOK = "patient-view"


@dataclass(frozen=True, slots=True, kw_only=True)
class Sighting:
    """One canary: what was expected of it, what came, and in how many milliseconds. The same when all is well."""

    story: str
    expected: str
    got: str
    milliseconds: int

    @property
    def well(self) -> bool:
        """Whether the answer is the expected one."""
        return self.got == self.expected


@click.command()
@service_option
@signing
@click.option("--json", "as_json", is_flag=True, help="Print JSON.")
def canary(service_url: str, signing: Signing, as_json: bool) -> None:
    """Send an invented patient of each grade through a running service, and one who is not eligible.

    Exit status 1 when a grade is another than expected, or cards are missing or too many. For a timer.
    """
    session, base = new_session(), service_url.rstrip("/")
    session.headers["User-Agent"] = CANARY_AGENT
    signing.sign(session, base)
    found = listed(session, base, HOOK)
    folder = data_folder("fhir_fixtures")
    sightings = [_sight(session, base, found, load_story(folder, name)) for name in STORIES]
    if as_json:
        click.echo(json.dumps([asdict(one) | {"well": one.well} for one in sightings], indent=2))
    else:
        for one in sightings:
            words = one.got if one.well else f"{one.got}; expected: {one.expected}"
            click.echo(f"{'ok  ' if one.well else 'BAD '} {one.story} ({one.milliseconds} ms): {words}")
    wrong = [one.story for one in sightings if not one.well]
    if wrong:
        click.echo(f"crs-cds: {base} does not answer as it should for {', '.join(wrong)}", err=True)
        sys.exit(1)


def _sight(session: requests.Session, base: str, service: Mapping[str, Any], story: Story) -> Sighting:
    call = _call(story, service["prefetch"])
    begun = time.monotonic()
    try:
        answer = send(session, base, str(service["id"]), call)
        got = _words(answer.get("extension", {}).get(EXTENSION, {}), bool(answer.get("cards")))
    except InvalidInput as error:
        got = error.message
    return Sighting(
        story=story.name,
        expected=_words(story.expect, bool(story.expect["cards"])),
        got=got,
        milliseconds=round((time.monotonic() - begun) * 1000),
    )


def _call(story: Story, templates: Mapping[str, str]) -> dict[str, Any]:
    """The call of an EHR that prefetched all that the service asks for, with the story at this moment."""
    patient_id = str(story.expect["patient"])
    resources = [entry["resource"] for entry in objects(shifted(story.bundle, datetime.now(UTC)).get("entry"))]
    types = {key: template.partition("?")[0].partition("/")[0] for key, template in templates.items()}
    return {
        "hook": HOOK,
        "hookInstance": str(uuid4()),
        "context": {"userId": "Practitioner/canary", "patientId": patient_id},
        "prefetch": prefetch(resources, types, patient_id),
    }


def _words(assessment: Mapping[str, Any], cards: bool) -> str:
    return f"{grade_words(dict(assessment))}, {'cards' if cards else 'no card'}"

"""FHIR servers return what has one time in any order: HAPI FHIR does not keep that in which it was charted."""

from datetime import UTC, datetime

from flask.testing import FlaskClient

from cds_service.fhir.gather import charted_time, entries
from cds_service.hooks.knowledge import Knowledge
from tests.answers import answer
from tests.integration.test_stories_over_http import STORIES, Json
from tests.server import Fhir, prefetch

NEVER = datetime.min.replace(tzinfo=UTC)


def turned_within_a_time(bundle: Json) -> Json:
    """The newest first as before, and of one time the last first."""
    turned = list(entries(bundle))[::-1]
    turned.sort(key=lambda item: charted_time(item, UTC) or NEVER, reverse=True)
    return bundle | {"entry": [{"resource": resource} for resource in turned]}


def order(sent: Json) -> list[list[str]]:
    return [[resource["id"] for resource in entries(value)] for value in sent.values()]


def test_the_order_of_resources_of_one_time_does_not_change_the_answer(
    client: FlaskClient, fhir: Fhir, knowledge: Knowledge
) -> None:
    templates = {need.key: need.template for need in knowledge.needs}
    for story in STORIES.values():
        patient = str(story.expect["patient"])
        given = prefetch(fhir.base, templates, patient)
        turned = {key: turned_within_a_time(value) if "entry" in value else value for key, value in given.items()}
        assert order(turned) != order(given), "else this proves nothing"
        assert answer(client, patient, prefetch=turned) == answer(client, patient, prefetch=given), story.name

"""`crs-cds fixtures` on a real HAPI FHIR server, as docker-compose.yml uses it: loaded, removed, loaded again."""

import json

import requests

from cds_service.fhir.loading import TAGS
from tests.integration.test_cli import run
from tests.server import SECONDS

STORY, TAG = "grade-3-one-vasopressor", "kit-on-hapi"


def held(hapi: str, kind: str) -> int:
    query = {"_tag": f"{TAGS}|{TAG}", "_summary": "count"}
    headers = {"Cache-Control": "no-cache"}
    return int(requests.get(f"{hapi}/{kind}", params=query, headers=headers, timeout=SECONDS).json()["total"])


def test_a_story_is_loaded_once_removed_and_loaded_again(hapi: str) -> None:
    load = ("fixtures", "load", "--fhir", hapi, "--story", STORY, "--tag", TAG, "--wait", 60, "--json")
    remove = ("fixtures", "remove", "--fhir", hapi, "--tag", TAG, "--wait", 60, "--json")
    nothing = run(*remove)
    assert (nothing.returncode, json.loads(nothing.stdout)["removed"]) == (0, {}), nothing.stderr
    for _ in range(2):
        first, second = run(*load), run(*load)
        assert (first.returncode, second.returncode) == (0, 0), first.stderr + second.stderr
        assert first.stdout == second.stdout
        kept = held(hapi, "Observation")
        removed = run(*remove)
        assert removed.returncode == 0, removed.stderr
        counted = json.loads(removed.stdout)["removed"]
        assert (counted["Patient"], counted["Observation"]) == (1, kept)
        assert (held(hapi, "Patient"), held(hapi, "Observation")) == (0, 0)

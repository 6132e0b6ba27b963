"""What no output of the service may hold: the patients of the stories, and every canary that a test plants (T11).

A canary is `canary-` and at least four hexadecimal digits, wherever it stands for a name, an id, a token or a comment.
"""

import re
from functools import cache
from pathlib import Path

from cds_service.fhir.stories import load_story, story_names

STORIES = Path(__file__).parents[1] / "fhir_fixtures"
TOKENS = ("a-token-of-this-test",)


@cache
def _forbidden() -> re.Pattern[bytes]:
    """Ids, record numbers and family names of all stories, tokens of the tests, and canaries."""
    words = list(TOKENS)
    for name in story_names(STORIES):
        for entry in load_story(STORIES, name).bundle["entry"]:
            resource = entry["resource"]
            if resource["resourceType"] in ("Patient", "Practitioner"):
                words += [resource["id"], *(item["family"] for item in resource["name"])]
                words += [item["value"] for item in resource.get("identifier", [])]
    known = "|".join(map(re.escape, words))
    return re.compile(rf"canary-(?:token-)?[0-9a-f]{{4,}}|{known}".encode())


def leaks(output: bytes) -> list[str]:
    """What stands in an output and must not, each with what is around it."""
    return [
        output[max(0, found.start() - 80) : found.end() + 80].decode(errors="replace")
        for found in _forbidden().finditer(output)
    ]

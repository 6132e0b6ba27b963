"""`crs-cds fixtures`: the stories for a FHIR server of your own or a public one, loaded and removed again."""

import json
import re
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from datetime import UTC, datetime
from typing import Any
from uuid import uuid4

import click
import requests
from fhir.resources.R4B import get_fhir_model_class
from requests.adapters import HTTPAdapter
from urllib3.util import Retry

from cds_service.cli.printing import progress
from cds_service.content.files import data_folder
from cds_service.errors import InvalidInput
from cds_service.fhir.client import new_session
from cds_service.fhir.elements import Json, objects
from cds_service.fhir.loading import created_ids, searches, transaction
from cds_service.fhir.stories import Story, dangling, load_story, shifted, story_names

SECONDS = 60
FHIR = {
    "Content-Type": "application/fhir+json",
    "Accept": "application/fhir+json",
    "Cache-Control": "no-cache",  # HAPI answers from what it found a minute ago, and misses what was loaded since
}
AGAIN = (429, 500, 502, 503, 504)
_TAG = re.compile(r"[A-Za-z0-9-]{4,64}")
fhir_option = click.option("--fhir", "fhir_url", required=True, metavar="URL", help="FHIR base URL.")
wait_option = click.option(
    "--wait", "wait_seconds", default=0, type=click.IntRange(0, 3600), help="Seconds to wait until the server answers."
)
json_option = click.option("--json", "as_json", is_flag=True, help="Print JSON.")


@click.group()
def fixtures() -> None:
    """List, check, load and remove the stories: invented patients with what is expected of them."""


@fixtures.command("list")
@json_option
def list_stories(as_json: bool) -> None:
    """The stories with their sentence and the grade that is expected."""
    stories = _stories(())
    if as_json:
        found = [{"name": story.name, "story": story.sentence, "expect": story.expect} for story in stories]
        click.echo(json.dumps(found, indent=2, ensure_ascii=False))
        return
    for story in stories:
        click.echo(f"{story.name}: {story.expect['status']}, grade {story.expect.get('grade')}\n  {story.sentence}")


@fixtures.command()
@json_option
def validate(as_json: bool) -> None:
    """Check that every resource of every story is valid FHIR R4 and that references lead to resources."""
    faults = {story.name: found for story in _stories(()) if (found := list(_faults(story)))}
    if as_json:
        click.echo(json.dumps(faults, indent=2))
    else:
        for name, found in faults.items():
            click.echo("\n".join(f"{name}: {fault}" for fault in found))
        click.echo("all stories are sound" if not faults else f"{len(faults)} stories have faults")
    sys.exit(1 if faults else 0)


@fixtures.command()
@fhir_option
@click.option("--story", "names", multiple=True, metavar="NAME", help="Only this story; may be given several times.")
@click.option("--tag", metavar="TAG", help="Tag of every resource, for removing them. Default: a new one.")
@wait_option
@json_option
def load(fhir_url: str, names: tuple[str, ...], tag: str | None, wait_seconds: int, as_json: bool) -> None:
    """Load stories into a FHIR server, moved to the present. A second run with the same tag changes nothing."""
    tag = _checked(tag) if tag is not None else f"crs-{uuid4().hex[:12]}"
    base, session, now = fhir_url.rstrip("/"), _session(), datetime.now(UTC)
    _await(base, wait_seconds)
    loaded = {}
    for story in progress(_stories(names), "loading"):
        body = transaction(shifted(story.bundle, now), tag)
        answer = _json(_sent(session, "POST", base, json=body))
        loaded[story.name] = created_ids(answer, "Patient")
    if as_json:
        click.echo(json.dumps({"tag": tag, "patients": loaded}, indent=2))
        return
    for name, patients in loaded.items():
        click.echo(f"{name}: crs-cds fire --fhir {base} --patient {' '.join(patients)}")
    click.echo(f"remove them again: crs-cds fixtures remove --fhir {base} --tag {tag}")


@fixtures.command()
@fhir_option
@click.option("--tag", required=True, metavar="TAG", help="The tag they were loaded with.")
@wait_option
@json_option
def remove(fhir_url: str, tag: str, wait_seconds: int, as_json: bool) -> None:
    """Remove what was loaded with a tag, and nothing else."""
    base, session, tag = fhir_url.rstrip("/"), _session(), _checked(tag)
    _await(base, wait_seconds)
    removed: dict[str, int] = {}
    for kind, query in progress(list(searches(tag)), "removing"):
        for name in _found(session, base, kind, query):
            response = _sent(session, "DELETE", f"{base}/{kind}/{name}")
            if response.status_code not in (200, 202, 204, 404, 410):
                raise InvalidInput(f"{kind}/{name} could not be removed: HTTP {response.status_code}")
            removed[kind] = removed.get(kind, 0) + 1
    if as_json:
        click.echo(json.dumps({"tag": tag, "removed": removed}, indent=2))
        return
    click.echo(f"removed {sum(removed.values())} resources with the tag {tag}")


def _stories(names: tuple[str, ...]) -> list[Story]:
    folder = data_folder("fhir_fixtures")
    return [load_story(folder, name) for name in names or story_names(folder)]


def _faults(story: Story) -> Iterator[str]:
    for entry in story.bundle["entry"]:
        resource = entry["resource"]
        content = {name: value for name, value in resource.items() if name != "resourceType"}
        try:
            get_fhir_model_class(resource["resourceType"])(**content)
        except ValueError as error:
            yield f"{resource['resourceType']}/{resource['id']}: {str(error).splitlines()[0]}"
    yield from (f"{where}: {target} is not in the story" for where, target in dangling(story.bundle))


def _checked(tag: str) -> str:
    """A tag that cannot be mistaken for another's. Raises InvalidInput."""
    if not _TAG.fullmatch(tag):
        raise InvalidInput(f"--tag {tag!r}: a tag has 4 to 64 letters, digits and dashes")
    return tag


def _session() -> requests.Session:
    """A session that asks again where a server is busy: every request of this kit can be repeated without harm."""
    session = new_session()
    again = Retry(total=4, backoff_factor=0.5, status_forcelist=AGAIN, allowed_methods=None, raise_on_status=False)
    for scheme in ("http://", "https://"):
        session.mount(scheme, HTTPAdapter(max_retries=again))
    return session


def _await(base: str, seconds: int) -> None:
    """Wait until the server describes itself, or the seconds are over: what is wrong is said by the next request."""
    session, end = new_session(), time.monotonic() + seconds
    while time.monotonic() < end:
        with suppress(requests.RequestException):
            if session.get(f"{base}/metadata", headers=FHIR, timeout=SECONDS).status_code == 200:
                return
        time.sleep(1)


def _sent(session: requests.Session, method: str, url: str, **content: Any) -> requests.Response:
    try:
        return session.request(method, url, headers=FHIR, timeout=SECONDS, **content)
    except requests.RequestException as error:
        raise InvalidInput("the FHIR server cannot be reached: check --fhir") from error


def _json(response: requests.Response) -> Json:
    """The body of a success. Raises InvalidInput with what the server says."""
    try:
        body = response.json()
    except ValueError:
        body = None
    if response.status_code not in (200, 201) or not isinstance(body, dict):
        said = "; ".join(str(item.get("diagnostics", "")) for item in objects((body or {}).get("issue")))[:300]
        raise InvalidInput(f"the FHIR server answered HTTP {response.status_code}: {said or 'no FHIR resource'}")
    return body


def _found(session: requests.Session, base: str, kind: str, query: str) -> list[str]:
    """The ids of what a query finds. What is deleted changes the pages, so all are read first."""
    names: list[str] = []
    url: str | None = f"{base}/{query}"
    while url is not None:
        page = _json(_sent(session, "GET", url))
        found = [entry.get("resource", {}) for entry in objects(page.get("entry"))]
        names += [str(item["id"]) for item in found if item.get("resourceType") == kind and _id_of(item)]
        url = next((str(link["url"]) for link in objects(page.get("link")) if link.get("relation") == "next"), None)
        if url is not None and not url.startswith(base):
            raise InvalidInput("the FHIR server links to pages on another server: they are not followed")
    return names


def _id_of(resource: Json) -> bool:
    return isinstance(resource.get("id"), str)

"""The production server with two workers and many clients at once, and what then stands in the database."""

import json
from concurrent.futures import ThreadPoolExecutor
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest
import requests

from cds_service.fhir.stories import load_story
from cds_service.store.store import Store
from cds_service.web.settings import Settings
from cds_service.web.state import prepare_state
from tests.answers import PATIENT, SERVICE, assessment
from tests.answers import answer as answered
from tests.conftest import MakeApp
from tests.contract.test_feedback import CODING, entry, memory, overridden
from tests.contract.test_settings import serve
from tests.records import answer, card
from tests.server import NOW, STORIES, Fhir, hook_call, service_process

CLIENTS, CALLS, WORKERS = 20, 5, 2
DAY = timedelta(days=1)
TOKEN = "canary-token-5f1c"


def test_t83_twenty_clients_and_two_workers_lose_nothing_and_lock_nobody_out(
    new_database: str, tmp_path: Path, filled: dict[str, Any]
) -> None:
    log = tmp_path / "log"
    charted = json.dumps(filled)
    with service_process(log, "", workers=WORKERS, CRS_CDS_DATABASE_URL=new_database) as service:

        def work(client: int) -> list[tuple[int, int]]:
            """What each call of one client was answered with: charts of patients of its own, feedback to each card."""
            found = []
            with requests.Session() as session:
                for place in range(CALLS):
                    patient = f"p-{client}-{place}"
                    known = json.loads(charted.replace(PATIENT, patient))
                    body = hook_call(patient, hookInstance=f"{client}-{place}", prefetch=known)
                    url = f"{service.base}{SERVICE}"
                    opened = session.post(url, json=body, timeout=60)
                    cards = [made["uuid"] for made in opened.json().get("cards", [])]
                    said = [overridden(card=uuid, overrideReason={"userComment": "x"}) for uuid in cards]
                    unknown = entry(card=f"{client}-{place}-unknown")
                    sent = session.post(f"{url}/feedback", json={"feedback": [*said, unknown]}, timeout=60)
                    found.append((opened.status_code, sent.status_code))
            return found

        with ThreadPoolExecutor(CLIENTS) as clients:
            statuses = [status for found in clients.map(work, range(CLIENTS)) for status in found]
        store = Store.open(new_database)
        kept = list(store.feedback(NOW - DAY))
        answers = list(store.answers(NOW - DAY, NOW + DAY))
        store.close()
    shown = {item.uuid for record in answers for item in record.cards}
    assert statuses == [(200, 200)] * (CLIENTS * CALLS)
    assert len(answers) == len({record.patient for record in answers}) == CLIENTS * CALLS
    assert len(shown) == 3 * CLIENTS * CALLS
    assert {entry.card for entry in kept if entry.matched} == shown
    assert len(kept) == len(shown) + CLIENTS * CALLS
    assert not [line for line in log.read_text().splitlines() if json.loads(line)["level"] == "error"]


def test_t11_no_id_name_birth_date_token_or_reference_stands_in_the_files_of_the_store(
    make_app: MakeApp, fhir: Fhir, tmp_path: Path
) -> None:
    state = tmp_path / "state"
    prepare_state(Settings(state_folder=state), NOW)
    client = make_app(fhir_servers=fhir.base, state_folder=state)
    kept = memory(client)
    token = {"access_token": TOKEN, "token_type": "Bearer", "expires_in": 300}
    body = answered(client, fhirServer=fhir.base, fhirAuthorization=token)
    shown = [card(found["uuid"]) for found in body["cards"]]
    pseudonym = kept.pseudonyms.patient("unchecked", PATIENT)
    kept.store.add_answer(answer(*shown, patient=pseudonym, assessment=assessment(body)))
    said = [overridden(card=found.uuid, overrideReason={"reason": CODING}) for found in shown]
    assert client.post(f"{SERVICE}/feedback", json={"feedback": said}).status_code == 200
    kept.close()

    content = b"".join(file.read_bytes() for file in state.iterdir())
    assert pseudonym.encode() in content
    assert shown[0].uuid.encode() in content
    story = next(name for name in STORIES.iterdir() if PATIENT.startswith(name.name) and name.is_dir()).name
    [patient] = [
        entry["resource"]
        for entry in load_story(STORIES, story).bundle["entry"]
        if entry["resource"]["resourceType"] == "Patient"
    ]
    names = [part for name in patient["name"] for part in (name["family"], *name["given"])]
    for canary in (story, PATIENT, *names, patient["birthDate"], TOKEN, fhir.base):
        assert canary.encode() not in content, canary


def test_the_state_folder_and_all_in_it_belong_to_its_owner_only(tmp_path: Path) -> None:
    with service_process(tmp_path / "log", ""):
        folder = tmp_path / "log.state"
        assert {file.name for file in folder.iterdir()} >= {"crs-cds.db", "pseudonym.key"}
        assert all(path.stat().st_mode & 0o077 == 0 for path in (folder, *folder.iterdir()))


def test_what_is_older_than_the_retention_is_removed_at_the_next_start(tmp_path: Path) -> None:
    settings = {"CRS_CDS_STATE_FOLDER": str(tmp_path / "state"), "CRS_CDS_RETENTION_DAYS": "30"}
    url = Settings(state_folder=tmp_path / "state").store_url
    with service_process(tmp_path / "log", "", **settings):
        store = Store.open(url)
        for days in (29, 31):
            store.add_answer(answer(card(str(days)), at=NOW - days * DAY))
    with service_process(tmp_path / "log", "", **settings):
        found = [record.cards[0].uuid for record in store.answers(NOW - 100 * DAY, NOW)]
    store.close()
    assert found == ["29"]


@pytest.mark.parametrize("url", ["sqlite:////no/such/folder/store.db", "postgresql://crs:canary@127.0.0.1:1/crs"])
def test_a_service_whose_store_is_down_does_not_start_and_says_why(tmp_path: Path, url: str) -> None:
    ended = serve(CRS_CDS_AUTH="off", CRS_CDS_DATABASE_URL=url, CRS_CDS_STATE_FOLDER=str(tmp_path))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("crs-cds: the store ")
    assert "canary" not in ended.stderr
    assert "Traceback" not in ended.stderr

"""A token is used once, in whatever worker, whatever the store is, and also after a restart (T19)."""

import json
from collections import Counter
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager
from pathlib import Path

import pytest
import requests
from flask.testing import FlaskClient

from cds_service.store.memory import Memory
from tests.callers import DISCOVERY, FEEDBACK, ISSUER, PUBLIC, bearer, key, public, token, trusted
from tests.conftest import MakeApp
from tests.server import SECONDS, Service, service_process

AT_ONCE = 16
TOKENS = 12


@contextmanager
def running(folder: Path, database: str, workers: int = 2) -> Iterator[Service]:
    """The production server with one trusted client."""
    (folder / "keys.json").write_text(json.dumps(public(key())))
    entry = f'[[client]]\nid = "hospital"\nissuer = "{ISSUER}"\nkeys_file = "keys.json"\n'
    (folder / "clients.toml").write_text(entry)
    settings = {
        "CRS_CDS_AUTH": "required",
        "CRS_CDS_PUBLIC_URL": PUBLIC,
        "CRS_CDS_TRUSTED_CLIENTS": str(folder / "clients.toml"),
        "CRS_CDS_DATABASE_URL": database,
    }
    with service_process(folder / "log", "", workers=workers, **settings) as service:
        yield service


def use(service: Service, made: str) -> int:
    headers = bearer(made) | {"Connection": "close"}  # so that calls are spread over the workers
    return requests.get(service.base + DISCOVERY, headers=headers, timeout=SECONDS).status_code


def test_t19_of_many_uses_at_once_in_two_workers_exactly_one_is_let_in(tmp_path: Path, new_database: str) -> None:
    with running(tmp_path, new_database) as service, ThreadPoolExecutor(AT_ONCE) as pool:
        for _ in range(TOKENS):
            made = token(DISCOVERY)
            statuses = Counter(pool.map(lambda _, made=made: use(service, made), range(AT_ONCE)))
            assert statuses == {200: 1, 401: AT_ONCE - 1}


def test_t19_a_token_stays_used_after_a_restart(tmp_path: Path, new_database: str) -> None:
    used = token(DISCOVERY)
    with running(tmp_path, new_database, workers=1) as service:
        assert (use(service, used), use(service, used)) == (200, 401)
    with running(tmp_path, new_database, workers=1) as service:
        assert (use(service, used), use(service, token(DISCOVERY))) == (401, 200)


def without_store(client: FlaskClient) -> FlaskClient:
    """The same application, whose database went away."""
    memory: Memory = client.application.extensions["crs-cds-memory"]
    file = Path(str(memory.store._engine.url.database))
    memory.store._engine.dispose()
    for part in file.parent.glob(f"{file.name}*"):
        part.unlink()
    file.mkdir()
    return client


@pytest.mark.parametrize(("fail_open", "status"), [(False, 503), (True, 200)])
def test_t19_while_the_store_is_down_a_token_is_503_unless_the_site_wants_otherwise(
    make_app: MakeApp, fail_open: bool, status: int
) -> None:
    client = make_app(auth="required", public_url=PUBLIC, clients=[trusted()], jti_fail_open=fail_open)
    client = without_store(client)
    answer = client.get(DISCOVERY, headers=bearer(token(DISCOVERY)))
    assert answer.status_code == status
    assert ("Retry-After" in answer.headers) is (status == 503)
    assert client.get(DISCOVERY, headers=bearer(token(DISCOVERY, by=key("ES384", "x")))).status_code == 401


def test_t19_t82_feedback_is_never_acknowledged_without_a_store(make_app: MakeApp) -> None:
    client = make_app(auth="required", public_url=PUBLIC, clients=[trusted()], jti_fail_open=True)
    entry = {"card": "x", "outcome": "accepted", "outcomeTimestamp": "2026-11-22T11:00:00Z"}
    answer = without_store(client).post(FEEDBACK, json={"feedback": [entry]}, headers=bearer(token(FEEDBACK)))
    assert answer.status_code == 503

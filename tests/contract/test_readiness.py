"""GET /readyz and /healthz: which part is not as it should be, by name (T82, T84)."""

import json
import shutil
import threading
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient

from cds_service.clients import key_sets
from cds_service.store import memory
from cds_service.store.memory import FREE_BYTES
from tests.callers import DISCOVERY, ISSUER, PUBLIC, bearer, key, public, token, trusted
from tests.hostile import hostile, whole
from tests.server import SECONDS

CHECKS = ["store", "stateFolder", "disk"]
PASSWORD = "canary-71ac"


class Usage(NamedTuple):
    free: int


@pytest.fixture
def own_state(state: Path, tmp_path: Path) -> Path:
    return Path(shutil.copytree(state, tmp_path / "state"))


def test_a_service_that_is_well_names_each_check_and_its_knowledge(client: FlaskClient) -> None:
    found = client.get("/readyz")
    assert found.status_code == 200
    assert found.get_json()["checks"] == dict.fromkeys(CHECKS, "ok")
    assert found.get_json()["protocol"]["id"] == "supplied-crs"


def not_ready(client: FlaskClient, *wrong: str) -> str:
    """That exactly these checks fail, and the process lives; the whole answer."""
    found = client.get("/readyz")
    body = found.get_json()
    assert (found.status_code, found.mimetype) == (503, "application/problem+json")
    assert int(found.headers["Retry-After"]) > 0
    assert [name for name, said in body["checks"].items() if said != "ok"] == list(wrong)
    assert all(f"{name}: {body['checks'][name]}" in body["detail"] for name in wrong)
    assert client.get("/healthz").status_code == 200
    assert client.get("/metrics").status_code == 200
    return found.text


def test_t82_a_store_that_is_down_is_named_without_its_password(
    make_app: Callable[..., FlaskClient], own_state: Path
) -> None:
    url: Any = f"postgresql://crs:{PASSWORD}@127.0.0.1:1/crs"
    assert PASSWORD not in not_ready(make_app(state_folder=own_state, database_url=url), "store")


def test_t84_a_state_folder_that_is_gone_is_named(
    make_app: Callable[..., FlaskClient], own_state: Path, tmp_path: Path
) -> None:
    elsewhere: Any = f"sqlite:///{shutil.copy(own_state / 'crs-cds.db', tmp_path)}"
    client = make_app(state_folder=own_state, database_url=elsewhere)
    assert client.get("/readyz").status_code == 200
    shutil.rmtree(own_state)
    not_ready(client, "stateFolder", "disk")


def ready_of(client: FlaskClient) -> tuple[int, str]:
    """The status, and what is said of the keys."""
    found = client.get("/readyz")
    return found.status_code, found.get_json()["checks"]["keys"]


def discover(client: FlaskClient, issuer: str = ISSUER) -> int:
    return client.get(DISCOVERY, headers=bearer(token(DISCOVERY, iss=issuer))).status_code


def settled() -> None:
    """Wait for readings that go on beside the calls."""
    for thread in threading.enumerate():
        if "_refresh" in thread.name:
            thread.join(SECONDS)


def test_t22_keys_that_no_client_has_are_named_and_asked_for_again_until_they_are_there(
    make_app: Callable[..., FlaskClient], monkeypatch: pytest.MonkeyPatch
) -> None:
    """A service that is not ready gets no calls, so that the question itself must set it right."""
    monkeypatch.setattr(key_sets, "APART_SECONDS", 0)
    with hostile(lambda connection, head: connection.sendall(publish())) as publisher:

        def publish() -> bytes:
            return whole(b"{}" if len(publisher.heads) < 3 else json.dumps(public(key())).encode())

        clients = [trusted(keys={}, jku=publisher.base)]
        client = make_app(auth="required", public_url=PUBLIC, clients=clients)
        assert ready_of(client) == (200, "ok"), "nobody has needed them yet"
        assert publisher.heads == []
        assert discover(client) == 503
        status, said = ready_of(client)
        assert (status, said.startswith("no client's keys can be read")) == (503, True)
        assert publisher.base not in said
        settled()
        assert ready_of(client)[0] == 503
        settled()
        assert ready_of(client) == (200, "ok")
        assert discover(client) == 200


def test_t22_one_client_without_keys_does_not_take_the_service_from_the_others(
    make_app: Callable[..., FlaskClient],
) -> None:
    with hostile(lambda connection, head: connection.close()) as publisher:
        away = trusted(keys={}, jku=publisher.base, id="away", issuer="https://away.example")
        client = make_app(auth="required", public_url=PUBLIC, clients=[trusted(), away])
        assert discover(client, "https://away.example") == 503
        assert ready_of(client) == (200, "ok")
        assert discover(client) == 200


@pytest.mark.parametrize(("free", "status"), [(-1, 503), (0, 200), (1, 200)], ids=["below", "at", "above"])
def test_t84_too_little_free_space_is_not_ready(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, free: int, status: int
) -> None:
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda _: Usage(FREE_BYTES + free))
    assert client.get("/readyz").status_code == status

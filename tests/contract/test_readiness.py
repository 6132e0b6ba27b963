"""GET /readyz and /healthz: which part is not as it should be, by name (T82, T84)."""

import shutil
from collections.abc import Callable
from pathlib import Path
from typing import Any, NamedTuple

import pytest
from flask.testing import FlaskClient

from cds_service.store import memory
from cds_service.store.memory import FREE_BYTES

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


@pytest.mark.parametrize(("free", "status"), [(-1, 503), (0, 200), (1, 200)], ids=["below", "at", "above"])
def test_t84_too_little_free_space_is_not_ready(
    client: FlaskClient, monkeypatch: pytest.MonkeyPatch, free: int, status: int
) -> None:
    monkeypatch.setattr(memory.shutil, "disk_usage", lambda _: Usage(FREE_BYTES + free))
    assert client.get("/readyz").status_code == status

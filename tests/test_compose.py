"""docker-compose.yml: sound by the schema of Compose, no container with more rights than it needs, files that exist."""

import os
import shutil
import subprocess
from typing import Any

import pytest
import yaml

from tests.hapi_server import in_docker
from tests.server import ROOT, SECONDS

FILE = ROOT / "docker-compose.yml"
OWN = ("crs-cds", "nginx", "certificate", "stories")
"""What runs this repository's files; HAPI and PostgreSQL come as they are, without the rights to gain others."""


@pytest.fixture(scope="module")
def services() -> Any:
    """The services, with what they share merged in."""
    return yaml.safe_load(FILE.read_text(encoding="utf-8"))["services"]


def test_the_file_is_sound_by_the_schema_of_compose() -> None:
    program = shutil.which("docker-compose")
    if program is None:
        if os.environ.get("CRS_TESTS_COMPOSE") == "required":
            pytest.fail("docker-compose is not installed, and CRS_TESTS_COMPOSE is `required`")
        pytest.skip("docker-compose is not installed: apt-get install docker-compose")
    checked = subprocess.run(
        [program, "-f", str(FILE), "config", "--quiet"], capture_output=True, text=True, timeout=SECONDS, check=False
    )
    assert (checked.returncode, checked.stderr) == (0, "")


@pytest.mark.parametrize("name", OWN)
def test_own_containers_write_nowhere_and_have_no_rights_of_root(services: Any, name: str) -> None:
    service = services[name]
    assert service["read_only"] is True
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert "privileged" not in service
    assert [place.split(":")[0] for place in service["tmpfs"]] == ["/tmp"]  # noqa: S108


def test_only_what_gives_the_certificate_away_is_root_and_it_has_no_network(services: Any) -> None:
    users = {name: services[name].get("user", "") for name in OWN}
    assert users == {"crs-cds": "", "stories": "", "nginx": "101:101", "certificate": "root"}
    assert (services["certificate"]["network_mode"], services["certificate"]["cap_add"]) == ("none", ["CHOWN"])
    assert [name for name, service in services.items() if "cap_add" in service] == ["certificate"]


def test_the_image_runs_as_a_user_without_rights() -> None:
    lines = (ROOT / "Dockerfile").read_text(encoding="utf-8").splitlines()
    assert [line for line in lines if line.startswith("USER ")] == ["USER crs"]


def test_nothing_gains_rights_and_nothing_is_open_beyond_this_machine(services: Any) -> None:
    for name, service in services.items():
        assert "no-new-privileges:true" in service["security_opt"], name
        assert all(port.startswith("127.0.0.1:") for port in service.get("ports", [])), name
    assert "ports" not in services["crs-cds"], "the service is reached through nginx"


def test_every_image_has_a_version(services: Any) -> None:
    images = {service["image"] for service in services.values() if "build" not in service}
    assert images == {"nginx:1.28", "hapiproject/hapi:v8.8.0-1", "postgres:16"}


def test_the_files_that_are_mounted_exist(services: Any) -> None:
    places = [place.split(":")[0] for service in services.values() for place in service.get("volumes", [])]
    mounted = [place for place in places if place.startswith("./")]
    assert mounted
    for place in mounted:
        assert (ROOT / place).is_file(), place


def test_the_tests_in_docker_take_the_hapi_of_compose_on_this_machine_only(services: Any) -> None:
    command = in_docker(8123)
    assert command[-1] == services["hapi"]["image"]
    assert "127.0.0.1:8123:8080" in command
    assert "hapi.fhir.client_id_strategy=ANY" in command
    assert not [part for part in command if "spring" in part or "password" in part]

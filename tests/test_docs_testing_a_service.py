"""docs/testing-a-service.md says what is so: each of its commands is run against the service and says what it says."""

import re
import shlex
import subprocess
import sys
from pathlib import Path

import pytest

from tests.server import ROOT, Fhir, Service, clean_environment

DOCUMENT = (ROOT / "docs" / "testing-a-service.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL) for line in block.splitlines()]


@pytest.mark.parametrize("command", COMMANDS)
def test_a_command_of_the_document_runs_and_finds_no_fault(
    service: Service, fhir: Fhir, tmp_path: Path, command: str
) -> None:
    here = command.replace("http://127.0.0.1:5000/fhir", fhir.base).replace("http://127.0.0.1:5000", service.base)
    ended = subprocess.run(
        [sys.executable, "-m", "cds_service", *shlex.split(here)[1:]],
        cwd=tmp_path,
        env={**clean_environment(), "COLUMNS": "150", "PYTHONPATH": str(ROOT)},
        capture_output=True,
        text=True,
        timeout=90,
        check=False,
    )
    assert (ended.returncode, ended.stderr) == (0, "")
    assert ("conformant" if "--json" in command else "no SHALL is broken") in ended.stdout
    assert {file.name for file in tmp_path.iterdir()} == set(re.findall(r"conformance\.(?:xml|html)", command))


def test_the_document_has_a_command_for_each_option() -> None:
    options = {"--patient", "--fhir", "--hook", "--json", "--junit", "--html"}
    assert {word for command in COMMANDS for word in shlex.split(command) if word.startswith("--")} == options


def test_the_files_that_the_document_names_exist() -> None:
    [named] = re.findall(r"`(cds_service/[\w/.]+)`", DOCUMENT)
    assert (ROOT / named).is_file()

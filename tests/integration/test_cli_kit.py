"""The kit of integration testers: every command has a form for programs, and long work shows how far it is."""

import contextlib
import json
import os
import pty
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.answers import PATIENT
from tests.integration.test_cli import run
from tests.server import Fhir, Service, clean_environment

KIT = (
    ("fixtures", "list"),
    ("fixtures", "validate"),
    ("fixtures", "load"),
    ("fixtures", "remove"),
    ("fire",),
    ("doctor",),
    ("prefetch",),
    ("conformance",),
    ("content", "check"),
    ("content", "show"),
    ("content", "diff"),
    ("report",),
    ("grade",),
    ("explain",),
)


@pytest.mark.parametrize("command", KIT, ids=" ".join)
def test_each_command_of_the_kit_has_a_form_for_programs(command: tuple[str, ...]) -> None:
    assert "--json" in run(*command, "--help").stdout


@pytest.mark.parametrize(
    ("command", "word"),
    [
        (("fire", "--patient", PATIENT, "--fhir", "{fhir}", "--service", "{service}"), "prefetch"),
        (("doctor", "--fhir", "{fhir}"), "asking"),
        (("conformance", "{service}"), "wrong calls"),
    ],
    ids=["fire", "doctor", "conformance"],
)
def test_who_watches_long_work_sees_how_far_it_is(
    service: Service, fhir: Fhir, tmp_path: Path, command: tuple[str, ...], word: str
) -> None:
    arguments = [part.replace("{fhir}", fhir.base).replace("{service}", service.base) for part in command]
    watched, terminal = pty.openpty()
    with (tmp_path / "printed").open("wb") as printed:
        process = subprocess.Popen(
            [sys.executable, "-m", "cds_service", *arguments, "--json"],
            stdout=printed,
            stderr=terminal,
            env=clean_environment(TERM="xterm", COLUMNS="80"),
        )
    os.close(terminal)
    seen = b"".join(_until_it_ends(watched)).decode()
    assert process.wait(90) == 0, seen
    assert word in seen
    json.loads((tmp_path / "printed").read_bytes())  # what a program reads stands apart from what people watch


def _until_it_ends(watched: int) -> Iterator[bytes]:
    """What a terminal is given; a terminal that nobody writes to any more is an error to read."""
    with contextlib.suppress(OSError):
        while True:
            yield os.read(watched, 65536)
    os.close(watched)

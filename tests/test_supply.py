"""What ships comes from locks: each part by version and hash, the image and the developers' environment alike."""

import re
import tomllib
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from release.audit import FLAW, NO_FLAW, NOT_KNOWN, verdict
from tests.server import ROOT

LOCKS = ("requirements.lock", "requirements-dev.lock")
PROJECT = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
SOUND = {"name": "a", "version": "1", "vulns": []}
FLAWED = {"name": "b", "version": "2", "vulns": [{"id": "X-1"}]}
UNSEEN = {"name": "c", "skip_reason": "not found"}


def locked(name: str) -> dict[str, tuple[str, list[str]]]:
    """The parts of a lock: by name the version and the hashes."""
    text = (ROOT / name).read_text(encoding="utf-8").replace("\\\n", " ")
    found = {}
    for line in text.splitlines():
        part = re.match(r"([A-Za-z0-9._-]+)==(\S+)", line)
        assert part is not None, f"{name}: {line[:60]} has no exact version"
        found[canonicalize_name(part[1])] = (part[2], re.findall(r"--hash=(\S+)", line))
    return found


@pytest.mark.parametrize("name", LOCKS)
def test_t94_every_part_of_a_lock_has_one_version_and_its_hashes(name: str) -> None:
    parts = locked(name)
    assert parts
    for part, (_, hashes) in parts.items():
        assert hashes, part
        assert all(re.fullmatch(r"sha256:[0-9a-f]{64}", digest) for digest in hashes), part


def test_t94_what_the_service_needs_is_locked_in_the_versions_that_were_tested() -> None:
    runtime, tested = (locked(name) for name in LOCKS)
    assert runtime.items() <= tested.items(), "run `make lock`"
    for text in PROJECT["project"]["dependencies"]:
        wanted = Requirement(text)
        assert wanted.specifier.contains(runtime[canonicalize_name(wanted.name)][0]), text


@pytest.mark.parametrize("file", ["Dockerfile", "Makefile"])
def test_t94_nothing_is_installed_from_an_index_without_its_hash(file: str) -> None:
    text = Path(ROOT, file).read_text(encoding="utf-8")
    commands = re.findall(r"pip install .*", text)
    assert any("--require-hashes" in command for command in commands)
    assert all("--require-hashes" in command or "--no-deps" in command for command in commands), commands


@pytest.mark.parametrize(
    ("report", "status"),
    [
        ({"dependencies": [SOUND]}, NO_FLAW),
        ({"dependencies": [SOUND, FLAWED]}, FLAW),
        ({"dependencies": [FLAWED, UNSEEN]}, FLAW),
        ({"dependencies": [SOUND, UNSEEN]}, NOT_KNOWN),
        ({"dependencies": []}, NOT_KNOWN),
        (None, NOT_KNOWN),
    ],
)
def test_t94_a_part_that_was_not_looked_at_is_never_a_part_without_flaws(report: Any, status: int) -> None:
    found, lines = verdict(report)
    assert found == status
    assert any("NOT AUDITED" in line for line in lines) is (status == NOT_KNOWN)
    assert any("X-1" in line for line in lines) is (status == FLAW)

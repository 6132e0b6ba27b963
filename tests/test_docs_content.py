"""docs/content.md says what is so: its file is sound, its commands run, and they show what it says they show."""

import os
import re
import shlex
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from cds_service.content.load import load
from cds_service.web.settings import Settings
from tests.server import ROOT, clean_environment

DOCUMENT = (ROOT / "docs" / "content.md").read_text(encoding="utf-8")
COMMANDS = [line for block in re.findall(r"```sh\n(.*?)```", DOCUMENT, re.DOTALL) for line in block.splitlines()]
SHOWN = {
    "crs-cds content show": "supplied CRS protocol",
    "crs-cds content schema schemas": "",
    "crs-cds content check hospital.toml": "content is sound: Our Hospital CRS protocol 1.0.0",
    "crs-cds content diff supplied-crs hospital.toml": "72 h [supplied CRS protocol",
    "crs-cds content show hospital.toml": "What our-hospital changes in supplied-crs",
    "crs-cds grade patient.json --protocol hospital.toml": "Call the ICU team now.",
    "crs-cds content diff hospital-1.0.0.toml hospital.toml": "24 h [our CRS committee",
}


@pytest.fixture
def site(tmp_path: Path) -> Path:
    """A folder with the files that the document speaks of: the old version repeats later."""
    [text] = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    (tmp_path / "hospital.toml").write_text(text, encoding="utf-8")
    (tmp_path / "hospital-1.0.0.toml").write_text(text.replace("value = 24", "value = 48"), encoding="utf-8")
    shutil.copy(ROOT / "fhir_fixtures" / "grade-3-one-vasopressor" / "bundle.json", tmp_path / "patient.json")
    return tmp_path


def test_every_command_is_tried_here_but_the_one_that_stays() -> None:
    assert [command for command in COMMANDS if command not in SHOWN] == [
        "CRS_CDS_AUTH=off CRS_CDS_PROTOCOL=hospital.toml crs-cds serve"
    ]
    assert set(SHOWN) <= set(COMMANDS)


@pytest.mark.parametrize("command", SHOWN)
def test_a_command_of_the_document_shows_what_it_says(site: Path, command: str) -> None:
    environment = {**clean_environment(), "COLUMNS": "100", "PYTHONPATH": str(ROOT)}
    shown = subprocess.run(
        [sys.executable, "-m", "cds_service", *shlex.split(command)[1:]],
        cwd=site,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )
    assert (shown.returncode, shown.stderr) == (0, "")
    assert SHOWN[command] in shown.stdout
    assert (site / "schemas" / "protocol.schema.json").is_file() == ("schema" in command)


def test_the_file_of_the_document_changes_what_it_says_it_changes(site: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(site)
    content = load(None, Settings(auth="off", protocol="hospital.toml").protocol)
    assert content.protocol.id == "our-hospital"
    assert content.protocol.repeat_after.total_seconds() == 24 * 3600
    assert content.protocol.steps[1].care == ("acetaminophen", "monitoring")
    assert content.protocol.orders["blood-cultures"].quantity == "two sets, one from each lumen"
    assert content.scale.hypoxia_saturation == 92
    assert content.sentences["icu-now"] == "Call the ICU team now."


def test_the_files_that_the_document_links_to_exist() -> None:
    targets = re.findall(r"\]\(([^)]+)\)", DOCUMENT)
    assert targets
    for target in targets:
        assert os.path.exists(ROOT / "docs" / target), target

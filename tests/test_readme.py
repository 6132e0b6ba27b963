"""The README says what is so: its card is the one that is printed, its commands exist, its links lead somewhere."""

import os
import re
import subprocess
import sys
from pathlib import Path

ROOT = Path(__file__).parents[1]
README = (ROOT / "README.md").read_text(encoding="utf-8")
STORY = "fhir_fixtures/grade-3-one-vasopressor/bundle.json"


def first_card() -> str:
    """The first card as `crs-cds grade` prints it in a terminal of 100 columns."""
    printed = subprocess.run(
        [sys.executable, "-m", "cds_service", "grade", STORY],
        capture_output=True,
        text=True,
        check=True,
        cwd=ROOT,
        env={**os.environ, "COLUMNS": "100"},
    ).stdout
    lines = printed.splitlines()
    start = next(n for n, line in enumerate(lines) if line.startswith("╭"))
    end = next(n for n, line in enumerate(lines) if line.startswith("╰"))
    return "\n".join(line.rstrip() for line in lines[start : end + 1])


def without_hash(card: str) -> str:
    """The content hash changes with every edit of cards/; what the card says does not."""
    return re.sub(r"\([0-9a-f]{8}\)", "(hash)", card)


def test_the_card_in_the_readme_is_the_card_that_is_printed() -> None:
    shown = re.search(r"<!-- card -->\n```\n(.*?)\n```\n<!-- end of card -->", README, re.DOTALL)
    assert shown is not None
    assert without_hash(shown.group(1)) == without_hash(first_card())


def test_the_make_targets_in_the_readme_exist() -> None:
    makefile = (ROOT / "Makefile").read_text(encoding="utf-8")
    named = set(re.findall(r"(?:^|`)make (\w+)", README, re.MULTILINE))
    assert {"demo", "test", "check", "bench"} <= named
    for target in named:
        assert re.search(rf"^{target}:", makefile, re.MULTILINE), target


def test_the_commands_in_the_readme_exist() -> None:
    from cds_service.cli.main import COMMANDS

    named = set(re.findall(r"crs-cds (?!crs-cds)(\w+)", README))
    assert named
    assert named <= set(COMMANDS)


def test_the_files_that_the_readme_links_to_exist() -> None:
    targets = [target for target in re.findall(r"\]\(([^)]+)\)", README) if not target.startswith("http")]
    assert targets
    for target in targets:
        assert (ROOT / target).exists(), target


def test_the_folders_that_the_readme_names_exist() -> None:
    for folder in re.findall(r"`((?:cards|cds_service|fhir_fixtures)/[\w/]*)`", README):
        assert (ROOT / folder).is_dir(), folder

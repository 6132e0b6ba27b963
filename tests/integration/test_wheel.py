"""The wheel: cards/ and fhir_fixtures/ travel inside it, and it works where there is no checkout."""

import os
import subprocess
import sys
import zipfile
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.server import ROOT

pytestmark = pytest.mark.skipif(
    find_spec("hatchling") is None, reason="hatchling, the build backend, is not installed here"
)


def run(*command: str, cwd: Path, **environment: str) -> subprocess.CompletedProcess[str]:
    kept = {name: value for name, value in os.environ.items() if not name.startswith(("CRS_CDS_", "PYTHON"))}
    return subprocess.run(
        command, cwd=cwd, env=kept | environment, capture_output=True, text=True, timeout=120, check=False
    )


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The wheel, built without an index."""
    folder = tmp_path_factory.mktemp("wheel")
    options = ["--no-deps", "--no-build-isolation", "--no-index", "--quiet", "--disable-pip-version-check"]
    built = run(sys.executable, "-m", "pip", "wheel", *options, "--wheel-dir", str(folder), str(ROOT), cwd=folder)
    assert built.returncode == 0, built.stderr
    [found] = folder.glob("*.whl")
    return found


@pytest.fixture(scope="module")
def site(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with nothing in it but the installed wheel."""
    folder = tmp_path_factory.mktemp("site")
    options = ["--no-deps", "--no-index", "--quiet", "--disable-pip-version-check", "--no-compile"]
    installed = run(sys.executable, "-m", "pip", "install", *options, "--target", str(folder), str(wheel), cwd=folder)
    assert installed.returncode == 0, installed.stderr
    return folder


def shipped(folder: str) -> set[str]:
    """The files of a folder of the checkout, by name below it."""
    return {str(path.relative_to(ROOT / folder)) for path in (ROOT / folder).rglob("*") if path.is_file()}


def test_the_wheel_holds_every_card_every_story_and_no_tests(wheel: Path) -> None:
    names = zipfile.ZipFile(wheel).namelist()
    for folder in ("cards", "fhir_fixtures"):
        start = f"cds_service/_data/{folder}/"
        assert {name.removeprefix(start) for name in names if name.startswith(start)} == shipped(folder)
    assert {name.partition("/")[0].partition("-")[0] for name in names} == {"cds_service", "crs_cds_hooks"}


def test_content_is_found_and_sound_where_only_the_wheel_is(site: Path, tmp_path: Path) -> None:
    where = "import cds_service.content.files as f; print(f.data_folder('cards'), f.data_folder('fhir_fixtures'))"
    found = run(sys.executable, "-c", where, cwd=tmp_path, PYTHONPATH=str(site))
    assert found.stdout.split() == [str(site / "cds_service/_data" / name) for name in ("cards", "fhir_fixtures")]
    checked = run(sys.executable, "-m", "cds_service", "content", "check", cwd=tmp_path, PYTHONPATH=str(site))
    assert (checked.returncode, checked.stderr) == (0, "")
    assert checked.stdout.startswith("content is sound")


def test_a_story_of_the_wheel_is_graded_by_the_wheel(site: Path, tmp_path: Path) -> None:
    bundle = str(site / "cds_service/_data/fhir_fixtures/grade-3-one-vasopressor/bundle.json")
    graded = run(sys.executable, "-m", "cds_service", "grade", bundle, cwd=tmp_path, PYTHONPATH=str(site))
    assert graded.returncode == 0, graded.stderr
    assert "graded, grade 3" in graded.stdout


def test_the_store_is_made_by_the_wheel(site: Path, tmp_path: Path) -> None:
    url = f"sqlite:///{tmp_path / 'store.db'}"
    made = f"from cds_service.store.schema import check, migrate; migrate({url!r}); check({url!r})"
    ended = run(sys.executable, "-c", made, cwd=tmp_path, PYTHONPATH=str(site))
    assert (ended.returncode, ended.stderr) == (0, "")


def test_the_page_about_the_service_travels_with_the_wheel(site: Path, tmp_path: Path) -> None:
    made = "from cds_service.content.load import load; from cds_service.web.about import About; About.of(load())"
    ended = run(sys.executable, "-c", made, cwd=tmp_path, PYTHONPATH=f"{site}")
    assert (ended.returncode, ended.stderr) == (0, "")

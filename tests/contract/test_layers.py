"""The walls between the rooms: the contracts of pyproject.toml, and the few libraries that belong to one room."""

import ast
import subprocess
import sys
import tomllib
from pathlib import Path

from tests.server import ROOT

PACKAGE = ROOT / "cds_service"


def test_every_contract_of_pyproject_holds() -> None:
    """In a process of its own: import-linter changes how this one logs."""
    lint = "import sys; from importlinter.cli import lint_imports; sys.exit(lint_imports(no_cache=True))"
    ended = subprocess.run([sys.executable, "-c", lint], cwd=ROOT, capture_output=True, text=True, check=False)
    assert ended.returncode == 0, ended.stdout
    assert len(tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]) >= 2


def imported(file: Path) -> set[str]:
    """The top-level names of what a file imports."""
    found = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            found |= {alias.name.partition(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.level == 0:
            found.add(str(node.module).partition(".")[0])
    return found


def users(*libraries: str) -> set[str]:
    return {str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py") if imported(file) & set(libraries)}


def test_only_the_fhir_client_opens_connections_and_what_plays_the_ehr() -> None:
    inside = {user for user in users("requests", "urllib3", "socket", "http") if not user.startswith("cli/")}
    network = {user for user in inside if imported(PACKAGE / user) & {"requests", "urllib3", "socket"}}
    assert network == {"fhir/client.py", "fhir/connections.py", "conformance/trial/wire.py"}


def test_only_the_store_speaks_to_a_database_and_only_plots_load_matplotlib() -> None:
    assert {user.partition("/")[0] for user in users("sqlalchemy", "alembic", "psycopg", "sqlite3")} == {"store"}
    assert {user.partition("/")[0] for user in users("matplotlib")} == {"plots"}


def test_the_rules_read_with_the_standard_library_only() -> None:
    allowed = {
        "bisect",
        "collections",
        "dataclasses",
        "datetime",
        "decimal",
        "enum",
        "functools",
        "itertools",
        "math",
        "operator",
        "re",
        "typing",
    }
    for file in (PACKAGE / "crs").glob("*.py"):
        assert imported(file) - {"cds_service"} <= allowed, file.name


def test_the_clock_is_read_at_the_edges_only() -> None:
    readers = {
        str(file.relative_to(PACKAGE))
        for file in PACKAGE.rglob("*.py")
        if "datetime.now(" in file.read_text() or "time.time(" in file.read_text()
    }
    assert {reader.partition("/")[0] for reader in readers} <= {"web", "cli"}


def test_nothing_is_configured_from_the_environment_but_in_the_settings() -> None:
    readers = {str(file.relative_to(PACKAGE)) for file in PACKAGE.rglob("*.py") if "os.environ" in file.read_text()}
    assert readers == {"web/settings.py", "web/metrics_folder.py"}, "the second tells a library where its files are"

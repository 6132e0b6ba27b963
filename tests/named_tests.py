"""The tests by their names: IDs of rules and rows stand in them, and the documents of both link to them."""

import ast
from collections.abc import Iterator
from pathlib import Path

ROOT = Path(__file__).parents[1]
TESTS = ROOT / "tests"


def names_below(folder: Path) -> Iterator[tuple[str, Path]]:
    """The name of each test function in the files of a folder, and its file; in the order of files and lines."""
    for path in sorted(folder.rglob("test_*.py")):
        for node in ast.parse(path.read_text(encoding="utf-8")).body:
            if isinstance(node, ast.FunctionDef) and node.name.startswith("test_"):
                yield node.name, path


def link(words: str, path: Path) -> str:
    """A test as a document in docs/ links to it."""
    return f"[{words}](../{path.relative_to(ROOT)})"

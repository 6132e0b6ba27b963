"""Plants the bugs of planted.toml one at a time in a copy of the project: `make planted`, ARGS="store client" for some.

Every bug must be noticed by one of the files of tests that it names. Fails when one is not, and when the list is out
of date.
"""

import sys
import tomllib
from collections.abc import Mapping, Sequence
from pathlib import Path
from time import monotonic
from typing import Any

from tree import Tree, copied


def main(names: Sequence[str]) -> int:
    """Plant the bugs of the files whose path holds one of the names, or all; 1 when one is not noticed."""
    bugs = tomllib.loads(Path(__file__).with_name("planted.toml").read_text(encoding="utf-8"))["bug"]
    chosen = [bug for bug in bugs if not names or any(name in bug["file"] for name in names)]
    began = monotonic()
    with copied() as tree:
        alive = sum(not _noticed(tree, bug) for bug in chosen)
    _say(f"{len(chosen)} bugs, {len(chosen) - alive} noticed, in {monotonic() - began:.0f} s")
    return int(bool(alive))


def _noticed(tree: Tree, bug: Mapping[str, Any]) -> bool:
    text = (tree.root / bug["file"]).read_text(encoding="utf-8")
    if text.count(bug["old"]) != 1:
        _say(f"OUT OF DATE  {bug['file']}: {bug['what']}")
        return False
    with tree.changed(bug["file"], text.replace(bug["old"], bug["new"])):
        alone = all(name.startswith("tests/spec/") for name in bug["tests"])
        failure = tree.failure(bug["tests"], *(("--noconftest",) if alone else ()))
    _say(f"{'noticed    ' if failure else 'NOT NOTICED'}  {bug['file']}: {bug['what']}\n             {failure or ''}")
    return failure is not None


def _say(line: str) -> None:
    print(line, flush=True)  # noqa: T201


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

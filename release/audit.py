"""Known flaws in what ships: each version of requirements.lock, asked of the package index's vulnerability service.

`make audit`. The exit status is 1 when a flaw is known, and 3 when it could not be found out for every part: a part
that was not looked at is not a part without flaws. With --say-so that is said and the status is 0: CI may be offline.
"""

import json
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path
from typing import Any

LOCK = Path(__file__).parents[1] / "requirements.lock"
NO_FLAW, FLAW, NOT_KNOWN = 0, 1, 3


def verdict(report: Any) -> tuple[int, list[str]]:
    """What pip-audit's report comes to, and a line for each part that has a flaw or was not looked at."""
    parts = report.get("dependencies", []) if isinstance(report, dict) else []
    flaws = [f"{part['name']} {part['version']}: {flaw['id']}" for part in parts for flaw in part.get("vulns", [])]
    unseen = [f"{part['name']}: not looked at: {part['skip_reason']}" for part in parts if "skip_reason" in part]
    if flaws:
        return FLAW, [*flaws, *unseen]
    if unseen or not parts:
        return NOT_KNOWN, [*unseen, "NOT AUDITED: it is not known whether what ships has known flaws"]
    return NO_FLAW, [f"no known flaw in {len(parts)} parts"]


def asked() -> Any:
    """pip-audit's report; None when it has none, and then what it says instead is on standard error."""
    command = [sys.executable, "-m", "pip_audit", "--requirement", str(LOCK), "--require-hashes", "--disable-pip"]
    ended = subprocess.run([*command, "--format", "json"], capture_output=True, text=True, check=False)  # noqa: S603
    try:
        return json.loads(ended.stdout)
    except ValueError:
        sys.stderr.write(ended.stderr)
        return None


def main(arguments: Sequence[str]) -> int:
    """Ask, print, and give the exit status."""
    status, lines = verdict(asked())
    sys.stdout.write("\n".join(lines) + "\n")
    return NO_FLAW if status == NOT_KNOWN and "--say-so" in arguments else status


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))

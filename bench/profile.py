"""Where the time of a call goes: one case in this process under cProfile, by part of the package and by function.

`python -m bench.profile` takes patient-view with 100 Observations; `500`, `order-sign` and `not-eligible` are others.
The profiler slows small functions down more than large ones: read it for shares, not for times. Other threads are not
profiled: what the store takes is the time that this one waits, `acquire`.
"""

import cProfile
import pstats
import sys
import tempfile
from collections import Counter
from collections.abc import Callable
from contextlib import redirect_stderr
from datetime import UTC, datetime
from io import StringIO
from pathlib import Path

from flask.testing import FlaskClient

from bench.bodies import SERVICE, knowledge, of_patient, order_sign, patient_view
from bench.servers import ROOT
from cds_service.hooks.evaluate import Access
from cds_service.store.memory import Memory
from cds_service.web.app import create_app
from cds_service.web.logs import configure_logs
from cds_service.web.settings import Settings
from cds_service.web.state import prepare_state

CALLS, WARM_UP, FUNCTIONS = 100, 10, 25
CASES: dict[str, tuple[str, Callable[[], bytes]]] = {
    "100": (SERVICE, lambda: patient_view(100)),
    "500": (SERVICE, lambda: patient_view(500)),
    "not-eligible": (SERVICE, lambda: patient_view(100, eligible=False)),
    "order-sign": ("/cds-services/crs-order-sign", lambda: order_sign(100)),
}


def main() -> None:
    """Profile the case that the argument names."""
    path, body = CASES[sys.argv[1] if len(sys.argv) > 1 else "100"]
    with tempfile.TemporaryDirectory(prefix="crs-cds-bench-") as folder, redirect_stderr(StringIO()):
        settings = Settings(auth="off", state_folder=Path(folder), database_url=None)
        prepare_state(settings, datetime.now(UTC))
        configure_logs()
        app = create_app(settings, knowledge())
        profile = cProfile.Profile()
        _call(app.test_client(), path, body(), range(WARM_UP))
        profile.runcall(_call, app.test_client(), path, body(), range(WARM_UP, WARM_UP + CALLS))
        access: Access = app.extensions["crs-cds"]
        memory: Memory = app.extensions["crs-cds-memory"]
        access.close()
        memory.close()
    _print(pstats.Stats(profile))


def _call(client: FlaskClient, path: str, body: bytes, numbers: range) -> None:
    for number in numbers:
        answer = client.post(path, data=of_patient(body, number), content_type="application/json")
        if answer.status_code != 200:
            raise SystemExit(f"answered HTTP {answer.status_code}")


def _print(stats: pstats.Stats) -> None:
    """Own time of each part, and the functions that take the most of it; in ms for one call, under the profiler."""
    own = {where: found[2] for where, found in stats.stats.items()}  # type: ignore[attr-defined]
    parts: Counter[str] = Counter()
    for (file, _, _), seconds in own.items():
        parts[_part(file)] += seconds
    total = sum(own.values())
    for part, seconds in parts.most_common(15):
        print(f"{seconds / CALLS * 1000:7.2f} ms {seconds / total:6.1%}  {part}")
    print()
    for file, line, name in sorted(own, key=own.__getitem__, reverse=True)[:FUNCTIONS]:
        seconds = own[file, line, name]
        print(
            f"{seconds / CALLS * 1000:7.2f} ms {seconds / total:6.1%}  {_part(file)}: {Path(file).name}:{line} {name}"
        )


def _part(file: str) -> str:
    """A folder of the package, another package, or Python itself."""
    path = Path(file)
    if path.is_relative_to(ROOT / "cds_service"):
        return "/".join(path.relative_to(ROOT).parts[:2])
    parts = path.parts
    return parts[parts.index("site-packages") + 1] if "site-packages" in parts else "Python"


if __name__ == "__main__":
    main()

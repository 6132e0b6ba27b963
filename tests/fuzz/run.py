"""`make fuzz`: atheris on each harness for some minutes, ARGS="bundle 600" for one of them and its seconds.

atheris guides what it makes by the branches of the service that it reaches. Memory is bounded; an input that takes
longer than SLOW counts as a failure, and the statistics name the slowest. What it finds is written to `found-*`
in the working folder: it goes into the corpus once it is put right.
"""

import subprocess
import sys
from collections.abc import Sequence
from importlib.util import find_spec
from pathlib import Path
from tempfile import TemporaryDirectory

CORPUS = Path(__file__).with_name("corpus")
SECONDS = 180
MEGABYTES = 512
SLOW = 5
"""Seconds; generous for a machine that does other things beside."""


def main(arguments: Sequence[str]) -> int:
    """Fuzz in processes of their own, one after the other; what the last one that failed ended with."""
    if find_spec("atheris") is None:
        sys.exit(f"atheris is not installed: {sys.executable} -m pip install --group fuzz")
    chosen = [name for name in arguments if not name.isdigit()] or sorted(path.name for path in CORPUS.iterdir())
    seconds = next((int(name) for name in arguments if name.isdigit()), SECONDS)
    return max(_run(name, seconds) for name in chosen)


def _run(name: str, seconds: int) -> int:
    limits = [
        f"-max_total_time={seconds}",
        f"-rss_limit_mb={MEGABYTES}",
        f"-timeout={SLOW}",
        "-max_len=65536",
        "-artifact_prefix=found-",
    ]
    words = f"-dict={Path(__file__).with_name('fhir.dict')}"
    with TemporaryDirectory(prefix="fuzz-") as found:
        command = [sys.executable, "-m", "tests.fuzz.run", "--within", name, found, str(CORPUS / name), words, *limits]
        return abs(subprocess.run([*command, "-print_final_stats=1"], check=False).returncode)


def _within(name: str, options: Sequence[str]) -> None:
    import atheris

    with atheris.instrument_imports(include=["cds_service", "markdown_it"]):
        from tests.fuzz.harnesses import HARNESSES, warm_up

    import structlog

    structlog.configure(wrapper_class=structlog.make_filtering_bound_logger(50))
    warm_up()
    atheris.Setup(["fuzz", *options], HARNESSES[name])
    atheris.Fuzz()


if __name__ == "__main__":
    if sys.argv[1:2] == ["--within"]:
        _within(sys.argv[2], sys.argv[3:])
    else:
        sys.exit(main(sys.argv[1:]))

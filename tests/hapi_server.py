"""A HAPI FHIR server of the tests' own: built once from tests/hapi, on a free loopback port, ended by its process.

Where Java or Maven is not installed but a Docker engine runs, it is the image of docker-compose.yml. Where there is
neither, tests that need it are skipped and say so; with CRS_TESTS_HAPI=required they fail.
"""

import os
import shutil
import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from threading import Thread
from typing import Any
from urllib.parse import parse_qsl, urlencode

import pytest
import requests
import yaml
from werkzeug.serving import make_server
from werkzeug.wrappers import Request, Response

from cds_service.fhir.stories import shifted
from tests.server import HOST, NOW, ROOT, Quiet, free_port, stories

SOURCE = Path(__file__).parent / "hapi"
BUILT = SOURCE / "target" / "built"
BUILD_SECONDS, START_SECONDS, SECONDS = 600, 180, 60
INSTALL = "apt-get install default-jdk-headless maven"
Say = Callable[[str], None]


@contextmanager
def running_hapi(log: Path, say: Say) -> Iterator[str]:
    """HAPI with nothing in it: its FHIR base. `say` is told what is waited for."""
    port = free_port()
    base = f"http://{HOST}:{port}/fhir"
    command = _command(port, say)
    say(f"HAPI FHIR starts, which takes about half a minute; its log is {log}")
    with log.open("wb") as output:
        process = subprocess.Popen(command, stdout=output, stderr=output)
        try:
            _await(f"{base}/metadata", process, log)
            yield base
        finally:
            process.terminate()
            try:
                process.wait(SECONDS)
            except subprocess.TimeoutExpired:
                process.kill()
                process.wait(SECONDS)


def load_stories(base: str) -> None:
    """Put every story, moved to NOW, into the server."""
    for story in stories():
        keep(base, shifted(story.bundle, NOW))


def keep(base: str, resource: dict[str, Any]) -> None:
    """Put a resource under its own id, or carry out a transaction."""
    place = "" if resource["resourceType"] == "Bundle" else f"/{resource['resourceType']}/{resource['id']}"
    headers = {"Content-Type": "application/fhir+json"}
    method = "PUT" if place else "POST"
    answer = requests.request(method, f"{base}{place}", json=resource, headers=headers, timeout=SECONDS)
    assert answer.status_code in (200, 201), answer.text


class Gateway:
    """Stands before a FHIR server: lets in who has the token only, and makes pages small.

    With `rewrites_links` the server behind takes the gateway's address for its own, so the links to further pages lead
    through the gateway; without, they lead past it. `refused` counts the requests without the token, `let_in` holds
    path and query of the others.
    """

    def __init__(self, server: str, token: str = "", page_size: int = 0, rewrites_links: bool = True) -> None:
        self._server, self._token, self._page_size = server.removesuffix("/fhir"), token, page_size
        self._rewrites_links = rewrites_links
        self.refused = 0
        self.let_in: list[str] = []

    @Request.application
    def __call__(self, request: Request) -> Response:
        """The answer of the server behind, or a 401."""
        if self._token and request.headers.get("Authorization") != f"Bearer {self._token}":
            self.refused += 1
            return Response("Log in first.", 401)
        asked = f"{request.path}?{self._smaller(request.query_string.decode())}"
        self.let_in.append(asked)
        headers = {"Accept": request.headers.get("Accept", "*/*")}
        if self._rewrites_links:
            headers["Host"] = request.host
        answer = requests.get(f"{self._server}{asked}", headers=headers, timeout=SECONDS)
        return Response(answer.content, answer.status_code, content_type=answer.headers["Content-Type"])

    def _smaller(self, query: str) -> str:
        size = str(self._page_size)
        asked = parse_qsl(query)
        return urlencode([(name, size if size != "0" and name == "_count" else value) for name, value in asked])


@contextmanager
def gateway(server: str, **options: Any) -> Iterator[tuple[str, Gateway]]:
    """A Gateway on a free port, with its FHIR base."""
    before = Gateway(server, **options)
    http = make_server(HOST, 0, before, threaded=True, request_handler=Quiet)
    thread = Thread(target=http.serve_forever, kwargs={"poll_interval": 0.01})
    thread.start()
    try:
        yield f"http://{HOST}:{http.server_port}/fhir", before
    finally:
        http.shutdown()
        thread.join(SECONDS)
        http.server_close()


def _command(port: int, say: Say) -> list[str]:
    """What runs HAPI on a port: Java, or else Docker. Skips or fails where there is neither."""
    lacking = [program for program in ("java", "javac", "mvn") if shutil.which(program) is None]
    if not lacking:
        if not _is_built():
            _build(say)
        options = ["-Xmx1500m", "-XX:TieredStopAtLevel=1", "-Duser.timezone=UTC"]
        return ["java", *options, "-cp", f"{SOURCE}/target/classes:{SOURCE}/target/lib/*", "crs.HapiServer", str(port)]
    if _engine_runs():
        return in_docker(port)
    if os.environ.get("CRS_TESTS_HAPI") == "required":
        pytest.fail(f"{' and '.join(lacking)} not found, and CRS_TESTS_HAPI is `required`: {INSTALL}")
    pytest.skip(f"HAPI FHIR needs {' and '.join(lacking)}, or a Docker engine: {INSTALL}")


def _engine_runs() -> bool:
    if shutil.which("docker") is None:
        return False
    return subprocess.run(["docker", "info"], capture_output=True, timeout=SECONDS, check=False).returncode == 0


def in_docker(port: int) -> list[str]:
    """The HAPI of docker-compose.yml on its own embedded database; it ends with this process."""
    hapi = yaml.safe_load((ROOT / "docker-compose.yml").read_text(encoding="utf-8"))["services"]["hapi"]
    settings = {name: value for name, value in hapi["environment"].items() if name.startswith("hapi.")}
    given = [part for name, value in settings.items() for part in ("--env", f"{name}={value}")]
    return ["docker", "run", "--rm", "--init", "--publish", f"{HOST}:{port}:8080", *given, hapi["image"]]


def _is_built() -> bool:
    sources = [SOURCE / "pom.xml", *SOURCE.glob("src/**/*.*")]
    return BUILT.exists() and all(source.stat().st_mtime < BUILT.stat().st_mtime for source in sources)


def _build(say: Say) -> None:
    say("HAPI FHIR is built, which fetches about 300 MB the first time and takes about a minute")
    command = ["mvn", "--batch-mode", "--quiet", "-f", str(SOURCE / "pom.xml"), "clean", "package"]
    built = subprocess.run(command, capture_output=True, text=True, timeout=BUILD_SECONDS)
    if built.returncode == 0:
        BUILT.touch()
    elif os.environ.get("CRS_TESTS_HAPI") == "required":
        pytest.fail(f"HAPI FHIR could not be built:\n{built.stdout[-4000:]}")
    else:
        pytest.skip(f"HAPI FHIR could not be built: {built.stdout.strip()[:300]}")


def _await(url: str, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + START_SECONDS
    while time.monotonic() < end and process.poll() is None:
        try:
            if requests.get(url, timeout=SECONDS).status_code == 200:
                return
        except requests.RequestException:
            time.sleep(0.2)
    raise AssertionError(f"HAPI FHIR did not start: {log.read_text()[-4000:]}")

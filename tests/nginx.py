"""The nginx of deploy/nginx.conf before a service, as a user without rights, with the certificate that ships with it.

Where nginx is not installed, tests that need it are skipped and say so; with CRS_TESTS_NGINX=required they fail.
"""

import os
import shutil
import socket
import subprocess
import tempfile
import time
from collections.abc import Iterator
from contextlib import closing, contextmanager
from dataclasses import dataclass
from pathlib import Path
from urllib.parse import urlsplit

import pytest

from tests.server import HOST, ROOT, SECONDS, free_port

DEPLOY = ROOT / "deploy"
USER = "nobody" if os.geteuid() == 0 else None
"""The container has no root either."""
INSTALL = "apt-get install nginx openssl"


@dataclass(frozen=True)
class Proxy:
    """A running nginx: its base URL, its port, the certificate by which it is known, its log."""

    base: str
    port: int
    certificate: Path
    log: Path


@contextmanager
def running_nginx(service: str) -> Iterator[Proxy]:
    """Nginx before the service at this base URL, with the addresses and folders of deploy/nginx.conf put here."""
    program = _program()
    port = free_port()
    folder = Path(tempfile.mkdtemp(prefix="crs-nginx-"))
    try:
        owner = USER or str(os.geteuid())
        made = ["sh", DEPLOY / "certificate.sh", folder, owner]
        subprocess.run(made, check=True, capture_output=True, timeout=SECONDS)
        placed = {
            "/tmp/": f"{folder}/",  # noqa: S108 - where the container may write
            "crs-cds:5000": urlsplit(service).netloc,
            "listen 8443": f"listen {HOST}:{port}",
            "/certificates/": f"{folder}/",
        }
        configuration = (DEPLOY / "nginx.conf").read_text(encoding="utf-8")
        for word, place in placed.items():
            assert word in configuration
            configuration = configuration.replace(word, place)
        (folder / "nginx.conf").write_text(configuration, encoding="utf-8")
        log = folder / "log"
        log.touch()
        if USER is not None:
            for path in (folder, log):
                shutil.chown(path, USER)
        command = [program, "-p", folder, "-c", folder / "nginx.conf"]
        with log.open("ab") as output:
            process = subprocess.Popen(command, stdout=output, stderr=output, user=USER, cwd=folder)
        try:
            _await(port, process, log)
            yield Proxy(f"https://{HOST}:{port}", port, folder / "tls.crt", log)
        finally:
            process.terminate()
            process.wait(SECONDS)
    finally:
        shutil.rmtree(folder)


def _program() -> str:
    found = shutil.which("nginx") or shutil.which("nginx", path="/usr/sbin")
    if found is not None and shutil.which("openssl"):
        return found
    if os.environ.get("CRS_TESTS_NGINX") == "required":
        pytest.fail(f"nginx or openssl is not installed, and CRS_TESTS_NGINX is `required`: {INSTALL}")
    pytest.skip(f"nginx or openssl is not installed: {INSTALL}")


def _await(port: int, process: subprocess.Popen[bytes], log: Path) -> None:
    end = time.monotonic() + SECONDS
    while time.monotonic() < end and process.poll() is None:
        with closing(socket.socket()) as probe:
            if probe.connect_ex((HOST, port)) == 0:
                return
        time.sleep(0.05)
    raise AssertionError(f"nginx did not start: {log.read_text()}")

"""The FHIR client against servers that hang, drip, break off, flood or lie, over real sockets (T50 to T55, T11)."""

import gzip
import json
import logging
import shutil
import socket
import ssl
import subprocess
import time
from collections.abc import Iterator
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
import structlog

from cds_service.fhir.client import MAXIMUM_BYTES, Connections
from cds_service.web.logs import silence_logs
from tests.fhir_queries import BUNDLE, client, failure
from tests.hostile import hostile, whole


@pytest.fixture
def connections() -> Iterator[Connections]:
    with closing(Connections()) as opened:
        yield opened


def test_a_connection_is_kept_for_the_next_query(connections: Connections) -> None:
    ports = set()

    def answer(connection: socket.socket, head: bytes) -> None:
        ports.add(connection.getpeername())
        connection.sendall(whole(json.dumps(BUNDLE).encode()))

    with hostile(answer) as server:
        for _ in range(5):
            list(client(connections, server.base).pages("Patient/1"))
    assert len(ports) == 1


def test_t50_a_connection_that_is_dropped_before_an_answer_is_tried_once_more(connections: Connections) -> None:
    def answer(connection: socket.socket, head: bytes) -> None:
        if len(server.heads) == 1:
            connection.close()
        else:
            connection.sendall(whole(json.dumps(BUNDLE).encode()))

    with hostile(answer) as server:
        [page] = client(connections, server.base).pages("Patient/1")
        assert page.body == BUNDLE
        assert len(server.heads) == 2


def test_a_server_that_drops_every_connection_is_asked_twice_and_no_more(connections: Connections) -> None:
    with hostile(lambda connection, head: connection.close()) as server:
        assert "cannot be reached" in failure(connections, server.base)
        assert len(server.heads) == 2


def test_t51_a_refused_connection_is_a_failure_at_once(connections: Connections) -> None:
    with socket.socket() as unused:
        unused.bind(("127.0.0.1", 0))
        started = time.monotonic()
        assert "cannot be reached" in failure(connections, f"http://127.0.0.1:{unused.getsockname()[1]}/fhir")
        assert time.monotonic() - started < 1


def silence(connection: socket.socket, head: bytes) -> None:
    connection.recv(1)


def drip(before: bytes) -> Any:
    """Sends what comes before at once, then a byte now and then, for ever."""

    def answer(connection: socket.socket, head: bytes) -> None:
        connection.sendall(before)
        while True:
            connection.sendall(b" ")
            time.sleep(0.02)

    return answer


COMPRESSED_NOTHING = gzip.compress(b"")[:10]


@pytest.mark.parametrize(
    "answer",
    [
        silence,
        drip(b"HTTP/1.1 200 "),
        drip(b"HTTP/1.1 200 OK\r\nContent-Type: application/json\r\nX-Long: "),
        drip(b"HTTP/1.1 200 OK\r\nContent-Length: 100000\r\n\r\n{"),
        drip(b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1;x="),
        drip(b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 9999\r\n\r\n" + COMPRESSED_NOTHING),
    ],
    ids=["silence", "status line", "headers", "body", "chunk size", "compressed nothing"],
)
def test_t51_the_whole_query_ends_at_the_deadline_whatever_drips(connections: Connections, answer: Any) -> None:
    with hostile(answer) as server:
        started = time.monotonic()
        said = failure(connections, server.base, seconds=0.4)
        assert time.monotonic() - started < 0.8
    assert "in time" in said or "broke off" in said


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 100\r\n\r\n{}",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n2\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n{}\r\n",
        b"HTTP/1.1 200 OK\r\nContent-Encoding: gzip\r\nContent-Length: 2\r\n\r\n{}",
        whole(gzip.compress(json.dumps(BUNDLE).encode())[:50], {"Content-Encoding": "gzip"}),
        b"HTTP/1.1 200 OK\r\n" + b"X: y\r\n" * 200 + b"\r\n{}",
        b"HTTP/1.1 200 OK\r\nX: " + b"y" * 70_000 + b"\r\n\r\n{}",
        b"nonsense\r\n\r\n",
    ],
    ids=["cut", "no last chunk", "bad chunk", "no gzip", "cut gzip", "200 headers", "long header", "no HTTP"],
)
def test_t52_a_cut_or_broken_answer_is_a_failed_query(connections: Connections, answer: bytes) -> None:
    def send(connection: socket.socket, head: bytes) -> None:
        connection.sendall(answer)
        connection.close()

    with hostile(send) as server:
        assert failure(connections, server.base)


def test_a_compressed_or_chunked_answer_is_read(connections: Connections) -> None:
    body = json.dumps(BUNDLE).encode()
    chunked = b"".join(b"%x\r\n%s\r\n" % (len(part), part) for part in (body[:7], body[7:])) + b"0\r\n\r\n"
    for answer in (
        whole(gzip.compress(body), {"Content-Encoding": "gzip"}),
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + chunked,
    ):
        with hostile(lambda connection, head, answer=answer: connection.sendall(answer)) as server:
            [page] = client(connections, server.base).pages("Patient/1")
            assert page.body == BUNDLE


def test_t53_a_gzip_bomb_is_not_unpacked_beyond_the_limit(connections: Connections) -> None:
    bomb = gzip.compress(b" " * 200_000_000, compresslevel=9)
    with hostile(lambda connection, head: connection.sendall(whole(bomb, {"Content-Encoding": "gzip"}))) as server:
        started = time.monotonic()
        assert "too large" in failure(connections, server.base)
        assert time.monotonic() - started < 2


def test_t53_a_huge_answer_is_not_read_to_its_end(connections: Connections) -> None:
    sent = 0

    def answer(connection: socket.socket, head: bytes) -> None:
        nonlocal sent
        connection.sendall(b"HTTP/1.1 200 OK\r\nContent-Length: 1000000000\r\n\r\n")
        while sent < 100_000_000:
            sent += connection.send(b" " * 100_000)

    with hostile(answer) as server:
        assert "too large" in failure(connections, server.base)
    assert sent < MAXIMUM_BYTES + 20_000_000


def test_t11_a_malformed_header_makes_no_library_log_the_query(
    connections: Connections, caplog: pytest.LogCaptureFixture
) -> None:
    library = logging.getLogger("urllib3")
    before = library.level
    broken = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\nno colon here\r\n\r\n{}"
    try:
        with hostile(lambda connection, head: connection.sendall(broken)) as server:
            list(client(connections, server.base).pages("Patient/secret-id"))
            assert "secret-id" in caplog.text, "the reason for this test: the library logs URLs"
            caplog.clear()
            silence_logs()
            list(client(connections, server.base).pages("Patient/secret-id"))
    finally:
        library.setLevel(before)
        structlog.reset_defaults()
    assert caplog.text == ""


# TLS


@pytest.fixture(scope="module")
def certificate(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A certificate for this machine that nobody has signed, with its key in the same file."""
    if shutil.which("openssl") is None:
        pytest.skip("openssl, which makes the certificate, is not installed here")
    file = tmp_path_factory.mktemp("tls") / "server.pem"
    kind = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"]
    name = ["-subj", "/CN=ehr", "-addext", "subjectAltName=IP:127.0.0.1"]
    command = ["openssl", "req", "-x509", *kind, *name, "-keyout", str(file), "-out", f"{file}.crt"]
    subprocess.run(command, check=True, capture_output=True, timeout=60)
    file.write_text(file.read_text() + Path(f"{file}.crt").read_text())
    return file


def tls(certificate: Path) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(certificate)
    return context


def test_t55_a_certificate_that_is_not_trusted_is_a_failure_and_the_token_is_not_sent(
    connections: Connections, certificate: Path
) -> None:
    with hostile(lambda connection, head: connection.sendall(whole(b"{}")), tls(certificate)) as server:
        assert failure(connections, server.base) == "the FHIR server has no certificate that is trusted"
        assert server.heads == []


def test_t55_the_sites_own_authorities_are_trusted_where_they_are_set(certificate: Path) -> None:
    body = whole(json.dumps(BUNDLE).encode())
    with (
        closing(Connections(Path(f"{certificate}.crt"))) as connections,
        hostile(lambda connection, head: connection.sendall(body), tls(certificate)) as server,
    ):
        [page] = client(connections, server.base).pages("Patient/1")
        assert page.body == BUNDLE
        elsewhere = server.base.replace("127.0.0.1", "localhost")
        assert failure(connections, elsewhere) == "the FHIR server has no certificate that is trusted"


def test_t51_the_deadline_holds_over_tls_too(certificate: Path) -> None:
    with (
        closing(Connections(Path(f"{certificate}.crt"))) as connections,
        hostile(drip(b"HTTP/1.1 200 OK\r\nX: "), tls(certificate)) as server,
    ):
        started = time.monotonic()
        assert "in time" in failure(connections, server.base, seconds=0.5)
        assert time.monotonic() - started < 1

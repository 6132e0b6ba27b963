"""A FHIR server of raw bytes on a loopback port, for every way in which a server can go wrong."""

import socket
import ssl
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager, suppress
from threading import Thread

from tests.server import HOST, SECONDS

END = b"\r\n\r\n"


class Hostile:
    """A server of raw bytes: `answer` gets each connection after a request's head was read, with that head."""

    def __init__(self, answer: Callable[[socket.socket, bytes], None], tls: ssl.SSLContext | None = None) -> None:
        self.heads: list[bytes] = []
        self._tls = tls
        self._answer = answer
        self._listener = socket.create_server((HOST, 0), backlog=1024)
        self._open: list[socket.socket] = []
        self._threads = [Thread(target=self._listen)]
        self._threads[0].start()
        self.base = f"http{'s' if tls else ''}://{HOST}:{self._listener.getsockname()[1]}/fhir"

    def _listen(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self._open.append(connection)
            thread = Thread(target=self._serve, args=(connection,))
            self._threads.append(thread)
            thread.start()

    def _serve(self, connection: socket.socket) -> None:
        with connection, suppress(OSError):
            spoken = self._tls.wrap_socket(connection, server_side=True) if self._tls else connection
            self._open.append(spoken)
            with spoken:
                while head := _head(spoken):
                    self.heads.append(head)
                    self._answer(spoken, head)

    def close(self) -> None:
        """Stop listening, end every connection and every thread."""
        for one in (self._listener, *self._open):
            with suppress(OSError):
                one.shutdown(socket.SHUT_RDWR)
            one.close()
        for thread in self._threads:
            thread.join(SECONDS)


def _head(connection: socket.socket) -> bytes:
    """The head of a request and not a byte more: its body may come with it and is left for `answer`."""
    head = b""
    while not head.endswith(END):
        ahead = b"" if isinstance(connection, ssl.SSLSocket) else connection.recv(65_536, socket.MSG_PEEK)
        end = (head + ahead).find(END)
        received = connection.recv(max(1, len(ahead) if end < 0 else end + len(END) - len(head)))
        if not received:
            return b""
        head += received
    return head


@contextmanager
def hostile(answer: Callable[[socket.socket, bytes], None], tls: ssl.SSLContext | None = None) -> Iterator[Hostile]:
    """Such a server, running."""
    server = Hostile(answer, tls)
    try:
        yield server
    finally:
        server.close()


def whole(body: bytes, headers: Mapping[str, str] = {}, status: str = "200 OK") -> bytes:
    """A complete HTTP answer."""
    lines = {"Content-Type": "application/fhir+json", "Content-Length": str(len(body)), **headers}
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"HTTP/1.1 {status}\r\n{head}\r\n".encode() + body

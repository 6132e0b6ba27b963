"""Where the service is lured to, and a network on which nothing is sent: names lead where a test says (T01 to T10)."""

import socket
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import pytest

from tests.server import HOST

LOOPBACK = [
    "http://127.0.0.1:{port}/fhir",
    "http://127.0.0.1:{port}",
    "https://127.0.0.1:{port}/fhir",
    "http://localhost:{port}/fhir",
    "http://LOCALHOST:{port}/fhir",
    "http://localhost.:{port}/fhir",
    "http://2130706433:{port}/fhir",
    "http://0x7f000001:{port}/fhir",
    "http://0x7f.0.0.1:{port}/fhir",
    "http://017700000001:{port}/fhir",
    "http://0177.0.0.1:{port}/fhir",
    "http://127.1:{port}/fhir",
    "http://127.0.1:{port}/fhir",
    "http://127.0.0.01:{port}/fhir",
    "http://127.0.0.2:{port}/fhir",
    "http://0:{port}/fhir",
    "http://0.0.0.0:{port}/fhir",
    "http://[::1]:{port}/fhir",
    "http://[0:0:0:0:0:0:0:1]:{port}/fhir",
    "http://[::]:{port}/fhir",
    "http://[::ffff:127.0.0.1]:{port}/fhir",
    "http://[::ffff:7f00:1]:{port}/fhir",
    "http://[::127.0.0.1]:{port}/fhir",
    "http://[::1%25lo]:{port}/fhir",
    "http://user@127.0.0.1:{port}/fhir",
    "http://ehr.example@127.0.0.1:{port}/fhir",
    "https://ehr.example:443@127.0.0.1:{port}/fhir",
    "http://ehr.example\\@127.0.0.1:{port}/fhir",
    "http://127.0.0.1:{port}\\@ehr.example/fhir",
    "http://127.0.0.1:{port}#@ehr.example/fhir",
    "http://127.0.0.1:{port}?@ehr.example/fhir",
    "http://127.0.0.1:{port};@ehr.example/fhir",
    "http://127.0.0.1\t:{port}/fhir",
    " http://127.0.0.1:{port}/fhir",
    "http://127.0.0.1:{port}/fhir ",
    "http:127.0.0.1:{port}/fhir",
    "http:/127.0.0.1:{port}/fhir",
    "http:///127.0.0.1:{port}/fhir",
    "//127.0.0.1:{port}/fhir",
    "127.0.0.1:{port}/fhir",
    "hTTp://127.0.0.1:{port}/fhir",
    "http://\uff11\uff12\uff17.0.0.1:{port}/fhir",
    "http://\u2460\u2461\u2466.0.0.1:{port}/fhir",
    "http://127\u30020\u30020\u30021:{port}/fhir",
    "http://%31%32%37.0.0.1:{port}/fhir",
    "ftp://127.0.0.1:{port}/fhir",
    "gopher://127.0.0.1:{port}/_GET",
    "ws://127.0.0.1:{port}/fhir",
    "unix://127.0.0.1:{port}/fhir",
]
"""Ways to a port of this machine."""
ELSEWHERE = [
    "https://evil.example/fhir",
    "https://ehr.example.evil.example/fhir",
    "https://ehr.exampleevil/fhir",
    "https://evil.example/https://ehr.example/fhir",
    "https://evil.example/fhir?x=https://ehr.example/fhir",
    "https://evil.example#https://ehr.example/fhir",
    "https://ehr.example@evil.example/fhir",
    "https://ehr.example\\.evil.example/fhir",
    "https://\u0435hr.example/fhir",
    "https://ehr\u3002example/fhir",
    "https://ehr.example:8443/fhir",
    "https://ehr.example:99999/fhir",
    "http://ehr.example/fhir",
    "http://ehr.example:443/fhir",
    "https://ehr.example/",
    "https://ehr.example/fhirevil",
    "https://ehr.example/fhir/../admin",
    "https://ehr.example/fhir/%2e%2e/admin",
    "https://ehr.example/fhir/..%2fadmin",
    "https://ehr.example./fhir",
    "http://169.254.169.254/latest/meta-data/",
    "http://[fd00:ec2::254]/latest/meta-data/",
    "http://169.254.169.254.evil.example/",
    "http://2852039166/latest/meta-data/",
    "http://100.100.100.200/latest/meta-data/",
    "http://168.63.129.16/metadata",
    "http://192.0.0.192/opc/v2/",
    "http://metadata.google.internal/computeMetadata/v1/",
    "https://10.0.0.1/fhir",
    "https://192.168.1.1/fhir",
    "https://100.64.0.1/fhir",
    "https://[fe80::1]/fhir",
    "https://[fec0::1]/fhir",
    "https://[64:ff9b::7f00:1]/fhir",
    "https://[64:ff9b::a9fe:a9fe]/fhir",
    "https://[2002:7f00:1::]/fhir",
    "https://[2001:0:7f00:1::]/fhir",
    "https://[ff02::1]/fhir",
    "https://224.0.0.1/fhir",
    "https://255.255.255.255/fhir",
    "file:///etc/passwd",
    "data:application/json,{}",
    "jar:https://ehr.example/fhir!/",
    "https://[::1/fhir",
    "https://a..b/fhir",
    "https:///fhir",
]
"""Ways to other machines, and to what is no machine."""


@dataclass
class Nowhere:
    """A network that answers nobody: the names that were asked for, and the addresses that were to be reached.

    `names` says where names lead; numbers lead where the operating system thinks, which asks nobody for that.
    """

    names: Mapping[str, Sequence[str]]
    open_port: int = 0
    asked: list[str] = field(default_factory=list)
    tried: list[tuple[str, int]] = field(default_factory=list)

    def resolve(self, host: str, port: int, *options: Any, **named: Any) -> Any:
        """In place of `socket.getaddrinfo`."""
        self.asked.append(host)
        found = self.names.get(host, [host])
        numeric = {"flags": socket.AI_NUMERICHOST, "type": socket.SOCK_STREAM}
        return [item for address in found for item in _getaddrinfo(address, port, **numeric)]

    def connect(self, connection: socket.socket, address: Any) -> None:
        """In place of `socket.socket.connect`: refused, but at the one port that a test has opened itself."""
        self.tried.append((address[0], address[1]))
        if address[:2] != (HOST, self.open_port):
            raise ConnectionRefusedError
        _connect(connection, address)


_getaddrinfo = socket.getaddrinfo
_connect = socket.socket.connect


def nowhere(monkeypatch: pytest.MonkeyPatch, **names: Sequence[str]) -> Nowhere:
    """Such a network, until the end of the test; underscores in the names stand for dots."""
    network = Nowhere({name.replace("_", "."): found for name, found in names.items()})
    monkeypatch.setattr(socket, "getaddrinfo", network.resolve)
    monkeypatch.setattr(socket.socket, "connect", lambda connection, address: network.connect(connection, address))
    return network

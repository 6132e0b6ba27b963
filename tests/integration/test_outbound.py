"""Where the service may go: to servers of its settings, at addresses that were checked, and nowhere else (T01 to T10).

First on a network that answers nobody, where every name and every address that is tried is seen. Then over sockets.
"""

import json
import socket
import ssl
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import closing
from datetime import UTC, datetime, timedelta
from ipaddress import ip_address, ip_network
from pathlib import Path
from threading import Barrier
from typing import Any

import pytest
import requests
import trustme
from structlog.testing import capture_logs

from cds_service.errors import InvalidSettings
from cds_service.fhir import addresses
from cds_service.fhir import connections as module
from cds_service.fhir.addresses import FhirServer, Networks, allowed, fhir_server, permitted
from cds_service.fhir.client import Connections, FhirClient, read_document
from cds_service.fhir.deadline import Deadline, FhirFailure
from tests.answers import PATIENT, Json, answer, assessment, missing, not_lower, refusal
from tests.conftest import MakeApp
from tests.fhir_queries import BUNDLE, client, failure
from tests.hostile import hostile, whole
from tests.outbound import ELSEWHERE, LOOPBACK, Nowhere, nowhere
from tests.server import HOST, SECONDS, Fhir, Service, hook_call, service_process

LURES = [url.format(port=9) for url in LOOPBACK] + ELSEWHERE
EHR = "https://ehr.example/fhir"
AUTHORIZATION = {"access_token": "canary-token-0c7d", "token_type": "Bearer", "expires_in": 300}
NOT_LISTED = "the fhirServer is not on the allow-list of this service"


@pytest.fixture
def connections() -> Iterator[Connections]:
    with closing(Connections()) as opened:
        yield opened


def networks(*ranges: str) -> Networks:
    return tuple(ip_network(item) for item in ranges)


def test_the_matrix_is_as_large_as_it_should_be() -> None:
    assert len(set(LURES)) == len(LURES) >= 60


# On a network that answers nobody


@pytest.mark.parametrize("url", LURES)
def test_t01_t02_t03_t06_t07_t08_an_uninvited_server_is_not_asked_and_the_prefetch_is_graded(
    make_app: MakeApp, filled: Json, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    app = make_app(fhir_servers=EHR)
    expected = answer(app, prefetch=filled)
    network = nowhere(monkeypatch)
    with capture_logs() as logs:
        body = answer(app, prefetch=filled, fhirServer=url, fhirAuthorization=AUTHORIZATION)
    assert assessment(body) == assessment(expected)
    assert [line["reason"] for line in logs if line["event"] == "fhir server not asked"] == [NOT_LISTED]
    assert f"therapies (not in the prefetch, and {NOT_LISTED})" in refusal(
        app, fhirServer=url, fhirAuthorization=AUTHORIZATION
    )
    assert (network.asked, network.tried) == ([], []), "no packet, and no name is asked for"


@pytest.mark.parametrize("url", LURES)
def test_t10_a_next_link_away_from_the_server_is_not_fetched(
    make_app: MakeApp, filled: Json, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    app = make_app(fhir_servers=EHR)
    network = nowhere(monkeypatch, ehr_example=["10.1.0.5"])
    filled["temperature"]["link"] = [{"relation": "next", "url": url}]
    filled["temperature"]["entry"] = filled["temperature"]["entry"][:1]
    body = answer(app, prefetch=filled, fhirServer=EHR, fhirAuthorization=AUTHORIZATION)
    assert not_lower(body)
    assert (network.asked, network.tried) == ([], [])


@pytest.mark.parametrize("url", LURES)
def test_t02_t03_t07_t20_a_document_is_read_from_its_own_ranges_only(
    connections: Connections, monkeypatch: pytest.MonkeyPatch, url: str
) -> None:
    network = nowhere(monkeypatch, evil_example=["127.0.0.1"], ehr_example=["169.254.169.254"])
    with pytest.raises(FhirFailure):
        read_document(url, networks("10.1.0.0/16"), connections, 5, 64_000)
    assert network.tried == []


@pytest.mark.parametrize("url", LURES)
def test_t05_a_redirect_is_not_followed(make_app: MakeApp, monkeypatch: pytest.MonkeyPatch, url: str) -> None:
    network = nowhere(monkeypatch)
    location = {"Location": url.encode("ascii", "ignore").decode()}
    with hostile(lambda connection, head: connection.sendall(whole(b"", location, "307 Away"))) as server:
        network.open_port = int(server.base.split(":")[2].partition("/")[0])
        app = make_app(fhir_servers=server.base)
        assert "HTTP 307" in refusal(app, fhirServer=server.base, fhirAuthorization=AUTHORIZATION)
    assert set(network.tried) == {(HOST, network.open_port)}
    assert set(network.asked) == {HOST}


@pytest.mark.parametrize(
    "found",
    [
        ["127.0.0.1"],
        ["10.1.0.5", "127.0.0.1"],
        ["10.1.0.5", "10.1.0.6", "::1"],
        ["169.254.169.254"],
        ["::ffff:127.0.0.1"],
        ["64:ff9b::7f00:1"],
        ["fe80::1"],
        ["0.0.0.0"],  # noqa: S104 - an answer of a name server, nothing is bound to it
    ],
)
def test_t04_one_bad_address_of_a_name_is_enough_and_nothing_is_sent(
    connections: Connections, monkeypatch: pytest.MonkeyPatch, found: list[str]
) -> None:
    network = nowhere(monkeypatch, ehr_example=found)
    said = "the FHIR server's name leads to an address where it may not be, nothing was sent"
    assert failure(connections, EHR) == said
    assert network.tried == []


def test_t04_a_name_is_resolved_once_and_the_connection_goes_to_what_was_checked(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    network = nowhere(monkeypatch)
    answers = iter([["10.1.0.5", "fd12::5"], ["127.0.0.1"], ["127.0.0.1"]])

    class Rebinding(dict[str, list[str]]):
        def get(self, host: str, default: Any = None) -> Any:
            return next(answers) if host == "ehr.example" else default

    network.names = Rebinding()
    assert "cannot be reached" in failure(connections, EHR)
    assert network.asked.count("ehr.example") == 1
    assert network.tried == [("10.1.0.5", 443), ("fd12::5", 443)]


@pytest.mark.parametrize(
    ("ranges", "found", "is_permitted"),
    [
        ("10.1.0.0/16", "10.0.255.255", False),
        ("10.1.0.0/16", "10.1.0.0", True),
        ("10.1.0.0/16", "10.1.255.255", True),
        ("10.1.0.0/16", "10.2.0.0", False),
        ("10.2.0.7/32", "10.2.0.7", True),
        ("10.2.0.7/32", "::ffff:10.2.0.7", True),
        ("10.2.0.7/32", "64:ff9b::a02:7", True),
        ("10.2.0.7/32", "2002:a02:7::", False),
        ("127.0.0.1/32", "127.0.0.1", True),
        ("fd12::/16", "fd12::1", True),
        ("fd12::/16", "fd13::", False),
    ],
)
def test_t04_with_ranges_a_host_is_in_them_and_nowhere_else(ranges: str, found: str, is_permitted: bool) -> None:
    assert permitted(found, "ehr.example", networks(ranges)) is is_permitted


@pytest.mark.parametrize("never", addresses._NEVER, ids=str)
def test_t02_t03_without_ranges_no_address_of_machinery_is_permitted_to_its_last(never: Any) -> None:
    ends = (never[0], never[-1])
    assert [permitted(str(end), "ehr.example", ()) for end in ends] == [False, False]
    for beside in (int(ends[0]) - 1, int(ends[1]) + 1):
        if 0 <= beside < 2**32 or never.version == 6:
            address = ip_address(beside) if never.version == 4 else type(ends[0])(beside)
            inside = any(address in other for other in addresses._NEVER)
            unicast = never.version == 4 or address in ip_network("2000::/3") or address in ip_network("fc00::/7")
            assert permitted(str(address), "ehr.example", ()) is (unicast and not inside)


@pytest.mark.parametrize(
    ("found", "is_permitted"),
    [
        ("8.8.8.8", True),
        ("10.0.0.1", True),
        ("172.16.0.1", True),
        ("192.168.0.1", True),
        ("fc00::1", True),
        ("2a00:1450:4001::1", True),
        ("::ffff:10.0.0.1", True),
        ("64:ff9b::a00:1", True),
        ("::ffff:127.0.0.1", False),
        ("::ffff:100.64.0.1", False),
        ("64:ff9b::7f00:1", False),
        ("64:ff9b:1::a00:1", False),
        ("::127.0.0.1", False),
        ("::10.0.0.1", False),
        ("::", False),
        ("::1", False),
        ("fec0::1", False),
        ("fe80::1%eth0", False),
        ("ff02::1", False),
        ("4000::1", False),
    ],
)
def test_t03_without_ranges_every_form_of_an_address_counts_as_the_one_it_leads_to(
    found: str, is_permitted: bool
) -> None:
    assert permitted(found, "ehr.example", ()) is is_permitted


@pytest.mark.parametrize(
    ("host", "found", "is_permitted"),
    [
        ("127.0.0.1", "127.0.0.1", True),
        ("127.0.0.1", "127.0.0.2", False),
        ("::1", "::1", True),
        ("10.0.0.1", "10.0.0.1", True),
        ("10.0.0.1", "10.0.0.2", False),
        ("localhost", "127.0.0.1", True),
        ("localhost", "::1", True),
        ("localhost", "10.0.0.1", False),
        ("localhost.", "127.0.0.1", False),
        ("2130706433", "127.0.0.1", False),
        ("127.1", "127.0.0.1", False),
    ],
)
def test_t02_a_host_that_is_written_as_an_address_is_there_and_localhost_is_here(
    host: str, found: str, is_permitted: bool
) -> None:
    assert permitted(found, host, ()) is is_permitted


@pytest.mark.parametrize(
    "text",
    [
        "http://ehr.example/fhir",
        "http://10.0.0.1/fhir",
        "http://localhost/fhir [10.0.0.0/8]",
        "http://2130706433/fhir",
        "ftp://ehr.example/fhir",
        "https://ehr.example/fhir [10.0.0.0/33]",
        "https://ehr.example/fhir [10.0.0.1/8]",
        "https://ehr.example/fhir [ehr.example]",
        "https://ehr.example/fhir [10.0.0.0/8",
        "https://ehr.example/fhir []",
        "https://ehr.example/fhir 10.0.0.0/8",
        "https://user@ehr.example/fhir",
        "",
    ],
)
def test_t07_t93_what_cannot_be_a_server_is_refused_at_start(text: str) -> None:
    with pytest.raises(InvalidSettings):
        fhir_server(text)


def test_t07_plain_http_is_for_this_machine_and_elsewhere_only_where_the_site_wants_it() -> None:
    assert fhir_server("http://127.0.0.1:8080/fhir") == FhirServer("http://127.0.0.1:8080/fhir")
    assert fhir_server("http://localhost/fhir/") == FhirServer("http://localhost:80/fhir")
    assert fhir_server("http://hapi:8080/fhir", plain_http=True) == FhirServer("http://hapi:8080/fhir")


def test_a_server_is_written_with_the_ranges_of_its_addresses() -> None:
    server = fhir_server("https://EHR.example/fhir  [10.1.0.0/16 10.2.0.7 fd12:3456::/32]")
    assert server == FhirServer("https://ehr.example:443/fhir", networks("10.1.0.0/16", "10.2.0.7", "fd12:3456::/32"))
    assert allowed("https://ehr.example/fhir/tenant", [FhirServer("https://ehr.example/r5"), server]) is server


# Tokens that cannot be used


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ({"access_token": ""}, "is empty or has characters that no header may hold"),
        ({"access_token": "a\r\nX-Evil: 1"}, "is empty or has characters that no header may hold"),
        ({"access_token": "a\u00e9"}, "is empty or has characters that no header may hold"),
        ({"access_token": "a b"}, "is empty or has characters that no header may hold"),
        ({"access_token": "x" * 8193}, "is longer than 8192 characters"),
        ({"access_token": "x" * 1_000_000}, "is longer than 8192 characters"),
        ({"token_type": "MAC"}, "is of another kind than Bearer"),
        ({"token_type": ""}, "is of another kind than Bearer"),
        ({"expires_in": 0}, "has no time left in which it may be used"),
        ({"expires_in": -1}, "has no time left in which it may be used"),
        ({"expires_in": "soon"}, "has no time left in which it may be used"),
    ],
)
def test_t12_a_token_that_cannot_be_used_is_not_used_and_nothing_is_asked(
    make_app: MakeApp, fhir: Fhir, filled: Json, changed: Json, words: str
) -> None:
    app = make_app(fhir_servers=fhir.base)
    sent = {"fhirServer": fhir.base, "fhirAuthorization": AUTHORIZATION | changed}
    assert assessment(answer(app, prefetch=filled, **sent))["grade"] == 3
    del filled["oxygen"]
    assert f"not in the prefetch, and the access_token of this call {words}" in missing(
        answer(app, prefetch=filled, **sent)
    )
    assert words in refusal(app, **sent)
    assert fhir.asked == []


@pytest.mark.parametrize(
    "changed",
    [{"access_token": "x" * 8192}, {"access_token": "~!x/+=.-_"}, {"token_type": "bEaReR"}, {"expires_in": 1}],
)
def test_t12_a_token_at_the_edge_of_what_can_be_used_is_used(make_app: MakeApp, fhir: Fhir, changed: Json) -> None:
    authorization = AUTHORIZATION | changed
    answer(make_app(fhir_servers=fhir.base), fhirServer=fhir.base, fhirAuthorization=authorization)
    assert {asked.headers["authorization"] for asked in fhir.asked} == {f"Bearer {authorization['access_token']}"}


# Over sockets


def port_of(base: str) -> int:
    return int(base.rsplit(":", 1)[1].partition("/")[0])


def reaches(url: str) -> bool:
    """True when an unguarded client goes there."""
    try:
        requests.get(url, timeout=5)
    except (requests.RequestException, ValueError):
        return False
    return True


def test_the_lures_lead_an_unguarded_client_to_the_canary() -> None:
    with hostile(lambda connection, head: connection.sendall(whole(b"{}"))) as canary:
        urls = [url.format(port=port_of(canary.base)) for url in LOOPBACK[:1] + LOOPBACK[6:15]]
        assert sum(map(reaches, urls)) >= len(urls) / 2
        assert len(canary.heads) >= len(urls) / 2


def test_t01_t02_t05_t10_no_lure_leads_the_production_server_to_a_canary(
    tmp_path: Path, fhir: Fhir, filled: Json
) -> None:
    """One that redirects to the canary is invited, beside the FHIR server of the stories."""
    with hostile(lambda connection, head: connection.sendall(whole(b"{}"))) as canary:
        lures = [url.format(port=port_of(canary.base)) for url in LOOPBACK]
        places = iter(lures)

        def redirect(connection: socket.socket, head: bytes) -> None:
            place = next(places, lures[0]).encode("ascii", "ignore").decode()
            connection.sendall(whole(b"", {"Location": place}, "302 Found"))

        with (
            hostile(redirect) as redirecting,
            service_process(tmp_path / "log", f"{fhir.base},{redirecting.base}") as service,
        ):
            for url in lures:
                _lure(service, url, fhir.base, filled)
            while len(redirecting.heads) < len(lures):
                redirected = service.call(hook_call(PATIENT, fhirServer=redirecting.base))
                assert redirected.status_code == 412
        assert canary.heads == []


def _lure(service: Service, url: str, base: str, filled: Json) -> None:
    """A call with the lure as FHIR server, with and without prefetch, and one with it as a next link."""
    named = {"fhirServer": url, "fhirAuthorization": AUTHORIZATION}
    assert service.call(hook_call(PATIENT, **named)).status_code == 412
    assert service.call(hook_call(PATIENT, prefetch=filled, **named)).status_code == 200
    paged = filled["temperature"] | {
        "link": [{"relation": "next", "url": url}],
        "entry": filled["temperature"]["entry"][:1],
    }
    linked = service.call(
        hook_call(PATIENT, prefetch=filled | {"temperature": paged}, fhirServer=base, fhirAuthorization=AUTHORIZATION)
    )
    assert linked.status_code == 200
    assert not_lower(linked.json())


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> trustme.CA:
    """A certificate authority, with its certificate in a file beside it."""
    return trustme.CA()


@pytest.fixture
def trusting(authority: trustme.CA, tmp_path: Path) -> Iterator[Connections]:
    """Connections that trust it."""
    bundle = tmp_path / "ca.pem"
    authority.cert_pem.write_to_path(str(bundle))
    with closing(Connections(bundle)) as opened:
        yield opened


def serving(certificate: trustme.LeafCert) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    certificate.configure_cert(context)
    return context


@pytest.fixture
def here(monkeypatch: pytest.MonkeyPatch) -> Nowhere:
    """A network on which ehr.example is this machine."""
    return nowhere(monkeypatch, ehr_example=[HOST])


def test_t04_the_checked_address_is_asked_under_the_name_of_the_host(
    authority: trustme.CA, trusting: Connections, here: Nowhere
) -> None:
    names: list[Any] = []
    context = serving(authority.issue_cert("ehr.example"))
    context.sni_callback = lambda connection, name, of: names.append(name)
    body = whole(json.dumps(BUNDLE).encode())
    with hostile(lambda connection, head: connection.sendall(body), context) as server:
        here.open_port = port_of(server.base)
        base = f"https://ehr.example:{here.open_port}/fhir"
        for _ in range(3):
            ehr = FhirClient(base, None, trusting, Deadline.after(5), networks=networks("127.0.0.1"))
            [page] = ehr.pages("Patient/1")
            assert page.body == BUNDLE
        assert all(f"Host: ehr.example:{here.open_port}".encode() in head for head in server.heads)
    assert names == ["ehr.example"], "one connection, kept"
    assert here.asked.count("ehr.example") == 1
    assert here.tried == [(HOST, here.open_port)]


def test_t04_a_connection_of_other_ranges_is_not_shared(
    authority: trustme.CA, trusting: Connections, here: Nowhere
) -> None:
    body = whole(json.dumps(BUNDLE).encode())
    with hostile(
        lambda connection, head: connection.sendall(body), serving(authority.issue_cert("ehr.example"))
    ) as server:
        here.open_port = port_of(server.base)
        url = f"https://ehr.example:{here.open_port}/keys"
        read_document(url, networks("127.0.0.1"), trusting, 5, 64_000)
        for other in ((), networks("10.0.0.0/8")):
            with pytest.raises(FhirFailure, match="where it may not be"):
                read_document(url, other, trusting, 5, 64_000)
        assert len(server.heads) == 1


def test_a_document_is_read_without_a_token_and_no_further_than_its_limit(connections: Connections) -> None:
    with hostile(lambda connection, head: connection.sendall(whole(b"x" * 1000))) as server:
        assert read_document(f"{server.base}/keys", (), connections, 5, 1000) == b"x" * 1000
        with pytest.raises(FhirFailure, match="too large"):
            read_document(f"{server.base}/keys", (), connections, 5, 999)
        assert not any(b"Authorization" in head for head in server.heads)


@pytest.mark.parametrize("fault", ["expired", "another name", "another authority"])
def test_t55_a_certificate_that_is_not_right_is_a_failure_and_the_token_is_not_sent(
    authority: trustme.CA, trusting: Connections, here: Nowhere, fault: str
) -> None:
    yesterday = datetime.now(UTC) - timedelta(days=1)
    certificates = {
        "expired": lambda: authority.issue_cert("ehr.example", not_after=yesterday),
        "another name": lambda: authority.issue_cert("127.0.0.1", "ehr.example.evil.example"),
        "another authority": lambda: trustme.CA().issue_cert("ehr.example"),
    }
    with hostile(lambda connection, head: connection.sendall(whole(b"{}")), serving(certificates[fault]())) as server:
        here.open_port = port_of(server.base)
        ehr = FhirClient(
            f"https://ehr.example:{here.open_port}/fhir",
            None,
            trusting,
            Deadline.after(5),
            networks=networks("127.0.0.1"),
        )
        with pytest.raises(FhirFailure, match="no certificate that is trusted"):
            list(ehr.pages("Patient/1"))
        assert server.heads == []


def test_t55_an_old_version_of_tls_is_a_failure(authority: trustme.CA, trusting: Connections, here: Nowhere) -> None:
    context = serving(authority.issue_cert("ehr.example"))
    with pytest.warns(DeprecationWarning, match="TLSv1_1"):
        context.minimum_version = context.maximum_version = ssl.TLSVersion.TLSv1_1
    context.set_ciphers("ALL:@SECLEVEL=0")
    with hostile(lambda connection, head: connection.sendall(whole(b"{}")), context) as server:
        here.open_port = port_of(server.base)
        url = f"https://ehr.example:{here.open_port}/keys"
        with pytest.raises(FhirFailure):
            read_document(url, networks("127.0.0.1"), trusting, 5, 64_000)
        assert server.heads == []


# Kept connections


def test_t50_kept_connections_that_the_server_has_dropped_are_no_error(connections: Connections) -> None:
    """The server forgets every connection it has, as after a restart, and says so only when it is asked."""
    seen: dict[Any, int] = {}
    together = Barrier(5, timeout=SECONDS)

    def forgetful(connection: socket.socket, head: bytes) -> None:
        seen[connection] = seen.get(connection, 0) + 1
        if seen[connection] > 1:
            connection.close()
            return
        if len(seen) <= 5:
            together.wait()
        connection.sendall(whole(json.dumps(BUNDLE).encode()))

    with hostile(forgetful) as server, ThreadPoolExecutor(5) as threads:

        def ask(_: int) -> int:
            return len(list(client(connections, server.base, SECONDS).pages("Patient/1")))

        assert list(threads.map(ask, range(5))) == [1] * 5
        assert len(seen) == 5
        for _ in range(5):
            assert ask(0) == 1


def test_a_connection_that_rested_is_not_used_again_because_a_firewall_may_have_forgotten_it(
    connections: Connections, monkeypatch: pytest.MonkeyPatch
) -> None:
    ports = set()

    def respond(connection: socket.socket, head: bytes) -> None:
        ports.add(connection.getpeername())
        connection.sendall(whole(json.dumps(BUNDLE).encode()))

    with hostile(respond) as server:
        list(client(connections, server.base).pages("Patient/1"))
        list(client(connections, server.base).pages("Patient/1"))
        assert len(ports) == 1
        monkeypatch.setattr(module, "IDLE_SECONDS", 0.0)
        list(client(connections, server.base).pages("Patient/1"))
        assert len(ports) == 2

"""The file of registrations: read whole, every fault named; and which endpoints it allows an EHR to publish (T01)."""

import json
from ipaddress import ip_network
from pathlib import Path
from typing import Any

import pytest

from cds_service.clients.smart.endpoints import APART_SECONDS, FRESH_SECONDS, PublishedEndpoints, endpoints
from cds_service.clients.smart.registrations import Registration, read_registrations
from cds_service.errors import InvalidSettings, Unavailable
from cds_service.fhir.addresses import fhir_server
from cds_service.fhir.deadline import FhirFailure
from tests.callers import key
from tests.smart import registration

SOUND = """
[[registration]]
id = "hospital"
iss = "https://ehr.example/fhir"
client_id = "app"
"""
PUBLISHED = {"authorization_endpoint": "https://ehr.example/auth", "token_endpoint": "https://ehr.example/token"}


def read(folder: Path, text: str) -> tuple[Registration, ...]:
    file = folder / "smart.toml"
    file.write_text(text, encoding="utf-8")
    return read_registrations(file)


def test_a_registration_is_what_its_entry_says(tmp_path: Path) -> None:
    (tmp_path / "secret").write_text(" s3cret \n")
    [found] = read(
        tmp_path,
        """
        [[registration]]
        id = "hospital"
        iss = "https://EHR.example/fhir/ [10.1.0.0/16]"
        client_id = "app"
        secret_file = "secret"
        authorization_endpoint = "https://sign-in.example/authorize"
        token_endpoint = "https://sign-in.example/token [10.2.0.7]"
        authorization_servers = ["https://other.example/oauth2"]
        frame_ancestors = ["https://ehr.example", "https://portal.example:8443"]
        """,
    )
    assert (found.id, found.client_id, found.iss) == ("hospital", "app", "https://EHR.example/fhir")
    assert found.server == fhir_server("https://ehr.example/fhir [10.1.0.0/16]")
    assert found.secret is not None
    assert found.secret.get_secret_value() == "s3cret"
    assert "s3cret" not in repr(found)
    assert found.authorization_endpoint is not None
    assert found.authorization_endpoint.base == "https://sign-in.example/authorize"
    assert found.token_endpoint is not None
    assert found.token_endpoint.base == "https://sign-in.example/token"
    assert found.token_endpoint.networks == (ip_network("10.2.0.7"),)
    assert found.frame_ancestors == ("https://ehr.example", "https://portal.example:8443")
    assert [server.base for server in found.endpoints_within] == [
        "https://ehr.example:443",
        "https://other.example:443/oauth2",
    ]
    assert found.endpoints_within[0].networks == (ip_network("10.1.0.0/16"),)


@pytest.mark.parametrize(
    ("changed", "words"),
    [
        ('iss = "https://ehr.example/fhir?x=1"', "iss: "),
        ('iss = "http://ehr.example/fhir"', "iss: 'http://ehr.example/fhir' would be asked over plain HTTP"),
        ('client_id = ""', "client_id: "),
        ('client_id = "two words"', "client_id: "),
        ('id = "The Hospital"', "id: "),
        ('client = "app"', "client: "),
        ('secret_file = "nowhere"', "secret_file: nowhere cannot be read: FileNotFoundError"),
        ('secret_file = "empty"', "secret_file: empty is empty"),
        ('key_file = "empty"', "key_file: "),
        ('secret_file = "secret"\nkey_file = "key.pem"', "not both"),
        ('token_endpoint = "http://ehr.example/token"', "token_endpoint: "),
        ('authorization_endpoint = "ehr.example"', "authorization_endpoint: "),
        ('authorization_servers = ["http://other.example"]', "authorization_servers: "),
        ('frame_ancestors = ["http://ehr.example"]', "frame_ancestors.0: "),
        ('frame_ancestors = ["https://ehr.example; script-src *"]', "frame_ancestors.0: "),
        ('frame_ancestors = ["*"]', "frame_ancestors.0: "),
    ],
)
def test_t93_a_fault_in_a_registration_is_named(tmp_path: Path, changed: str, words: str) -> None:
    (tmp_path / "secret").write_text("s3cret")
    (tmp_path / "empty").touch()
    (tmp_path / "key.pem").write_bytes(key().pem)
    name = changed.partition(" ")[0]
    kept = "\n".join(line for line in SOUND.splitlines() if not line.startswith(f"{name} "))
    with pytest.raises(InvalidSettings) as refused:
        read(tmp_path, f"{kept}\n{changed}\n")
    assert words in refused.value.message
    assert "registration 1" in refused.value.message
    assert "s3cret" not in refused.value.message


def test_t93_the_app_is_registered_once_at_each_ehr(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="'hospital' is that of registration hospital too") as refused:
        read(tmp_path, SOUND + SOUND.replace("https://ehr", "HTTPS://EHR"))
    assert "'https://ehr.example:443/fhir' is that of" in refused.value.message


@pytest.mark.parametrize("text", ["", "[[client]]", "registration = 1", "[[registration", SOUND + "x = 1\n[[y]]\n"])
def test_t93_a_file_without_registrations_is_refused(tmp_path: Path, text: str) -> None:
    with pytest.raises(InvalidSettings, match=r"CRS_CDS_SMART_REGISTRATIONS|x: "):
        read(tmp_path, text)


@pytest.mark.parametrize(
    "url",
    [
        "https://ehr.example/auth",
        "https://ehr.example:443/a/b",
        "https://EHR.example/auth",
        "https://other.example/oauth2",
        "https://other.example/oauth2/authorize",
    ],
)
def test_an_endpoint_is_taken_on_the_origin_of_the_iss_or_below_a_server_that_is_named(url: str) -> None:
    known = registration(authorization_servers=(fhir_server("https://other.example/oauth2"),))
    assert endpoints(PUBLISHED | {"token_endpoint": url}, known).token == url


@pytest.mark.parametrize(
    "url",
    [
        "https://evil.example/token",
        "https://ehr.example.evil.example/token",
        "https://ehr.example@evil.example/token",
        "https://evil.example#https://ehr.example/token",
        "https://ehr.example\\@evil.example/token",
        "https://ehr.example:8443/token",
        "http://ehr.example/token",
        "https://ehr.example/token?to=evil",
        "https://ehr.example/%2e%2e/token",
        "https://other.example/oauth2evil",
        "https://other.example/token",
        "//ehr.example/token",
        "/token",
        "",
        None,
        ["https://ehr.example/token"],
    ],
)
def test_t01_t06_an_endpoint_elsewhere_is_refused(url: Any) -> None:
    known = registration(authorization_servers=(fhir_server("https://other.example/oauth2"),))
    for name in PUBLISHED:
        with pytest.raises(ValueError, match=f"its {name} is not on the origin"):
            endpoints(PUBLISHED | {name: url}, known)


def test_scopes_are_written_as_the_ehr_says_it_reads_them() -> None:
    for capabilities, expected in (
        (["permission-v2"], True),
        (["permission-v1"], False),
        ("permission-v2", False),
        (None, False),
    ):
        assert endpoints(PUBLISHED | {"capabilities": capabilities}, registration()).version_2 is expected


class Published:
    """What an EHR publishes, how often it was asked, and a clock that only the test moves."""

    def __init__(self, document: Any = PUBLISHED) -> None:
        self.document, self.asked, self.now = document, 0, 1000.0

    def read(self, _: Registration) -> bytes:
        self.asked += 1
        if self.document is None:
            raise FhirFailure("away")
        return json.dumps(self.document).encode()


def test_what_is_published_is_read_when_it_is_needed_and_again_after_a_while() -> None:
    ehr = Published()
    known = PublishedEndpoints(registration(), ehr.read, lambda: ehr.now)
    assert ehr.asked == 0
    for later, asked in ((0.0, 1), (FRESH_SECONDS - 1, 1), (FRESH_SECONDS, 2)):
        ehr.now = 1000.0 + later
        assert known.find().token == PUBLISHED["token_endpoint"]
        assert ehr.asked == asked


def test_a_configuration_that_cannot_be_used_is_not_asked_for_with_each_launch() -> None:
    ehr = Published(None)
    known = PublishedEndpoints(registration(), ehr.read, lambda: ehr.now)
    for later, asked in ((0.0, 1), (APART_SECONDS - 1, 1), (APART_SECONDS, 2)):
        ehr.now = 1000.0 + later
        with pytest.raises(Unavailable):
            known.find()
        assert ehr.asked == asked
    ehr.document, ehr.now = PUBLISHED, ehr.now + APART_SECONDS
    assert known.find().token == PUBLISHED["token_endpoint"]


def test_what_was_found_holds_while_the_ehr_says_nothing_that_can_be_used() -> None:
    ehr = Published()
    known = PublishedEndpoints(registration(), ehr.read, lambda: ehr.now)
    found = known.find()
    for document in (None, {}, [], PUBLISHED | {"token_endpoint": "https://evil.example"}):
        ehr.document, ehr.now = document, ehr.now + FRESH_SECONDS
        assert known.find() == found


def test_pinned_endpoints_need_no_configuration() -> None:
    ehr = Published(None)
    pinned = {name: fhir_server(url) for name, url in PUBLISHED.items()}
    known = PublishedEndpoints(registration(**pinned), ehr.read, lambda: ehr.now)
    assert known.find().version_2 is False
    ehr.document = {"token_endpoint": "https://evil.example", "capabilities": ["permission-v2"]}
    ehr.now += APART_SECONDS
    assert known.find().version_2 is True
    assert known.find().token == pinned["token_endpoint"].base

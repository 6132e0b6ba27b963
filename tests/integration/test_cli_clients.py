"""The commands for who may call: a key and its client, calls that are signed, switches; and the document of clients."""

import json
import re
import stat
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from pathlib import Path

import jwt
import pytest
import requests
from cryptography.hazmat.primitives.serialization import Encoding, NoEncryption, PrivateFormat

from cds_service.cli.serve import knowledge_of
from cds_service.clients.signing import SigningKey
from cds_service.clients.trusted import Known, TrustedClient, read_trusted_clients
from cds_service.conformance.results import Outcome
from cds_service.errors import InvalidInput
from cds_service.hooks.services import SERVICES
from cds_service.web.settings import Settings
from tests.answers import PATIENT
from tests.callers import DISCOVERY, PUBLIC, key, public
from tests.integration.test_cli import run
from tests.server import ROOT, SECONDS, Fhir, Service, service_process

ISSUER = "https://test.example"
DOCUMENT = (ROOT / "docs" / "clients.md").read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with a new key, and the file of clients that the command printed."""
    made = tmp_path_factory.mktemp("clients")
    printed = run("keys", "new", made / "test.pem", "--id", "my-test", "--issuer", ISSUER)
    assert (printed.returncode, printed.stderr) == (0, "")
    (made / "clients.toml").write_text(printed.stdout)
    return made


@pytest.fixture(scope="module")
def guarded(folder: Path, story_server: Fhir) -> Iterator[Service]:
    """The service that trusts this key. Its clock stands still within the life of tokens that are signed now."""
    text = (folder / "clients.toml").read_text() + f'fhir_servers = ["{story_server.base}"]\n'
    (folder / "with-server.toml").write_text(text)
    settings = {"CRS_CDS_TRUSTED_CLIENTS": str(folder / "with-server.toml"), "CRS_CDS_PUBLIC_URL": PUBLIC}
    now = datetime.now(UTC) + timedelta(minutes=3)
    with service_process(folder / "log", "", now, workers=2, CRS_CDS_AUTH="required", **settings) as service:
        yield service


def known() -> Known:
    content = knowledge_of(Settings()).content
    return Known(profiles=content.clients, services=[service.id for service in SERVICES])


def test_a_new_key_is_for_its_owner_only_and_is_never_written_over(folder: Path) -> None:
    file = folder / "test.pem"
    assert stat.S_IMODE(file.stat().st_mode) == 0o600
    content = file.read_bytes()
    refused = run("keys", "new", file, "--issuer", ISSUER)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert "File exists" in refused.stderr
    assert file.read_bytes() == content


def test_the_printed_entry_trusts_the_key_and_holds_nothing_private(folder: Path) -> None:
    [client] = read_trusted_clients(folder / "clients.toml", known())
    signer = SigningKey.read(folder / "test.pem")
    assert (client.id, client.issuer, list(client.keys)) == ("my-test", ISSUER, [(signer.kid, "ES384")])
    claims = jwt.decode(
        signer.token(ISSUER, "aud", datetime.now(UTC)), client.keys[signer.kid, "ES384"], audience="aud"
    )
    assert claims["exp"] - claims["iat"] == 300


@pytest.mark.parametrize("pull", [True, False])
def test_fire_signs_every_call_and_nothing_else(folder: Path, guarded: Service, fhir: Fhir, pull: bool) -> None:
    arguments = ["fire", "--patient", PATIENT, "--fhir", fhir.base, "--service", guarded.base, "--public-url", PUBLIC]
    arguments += ["--key", folder / "test.pem", "--issuer", ISSUER, *(["--pull"] if pull else [])]
    shown = run(*arguments)
    assert shown.returncode == 0, shown.stderr
    assert f"{PATIENT}: " in shown.stdout
    assert fhir.asked
    assert not any("authorization" in asked.headers for asked in fhir.asked)


@pytest.mark.parametrize(
    ("options", "words"),
    [
        ([], "asks for a token that it trusts"),
        (["--issuer", ISSUER], "asks for a token that it trusts"),
        (["--key", "test.pem"], "--key needs --issuer"),
        (["--key", "test.pem", "--issuer", "https://nobody.example"], "asks for a token that it trusts"),
        (["--key", "test.pem", "--issuer", ISSUER, "--tenant", "north"], "asks for a token that it trusts"),
        (["--key", "test.pem", "--issuer", ISSUER, "--kid", "another"], "asks for a token that it trusts"),
        (["--key", "none.pem", "--issuer", ISSUER], "none.pem cannot be read"),
        (["--key", "clients.toml", "--issuer", ISSUER], "holds no private key"),
    ],
    ids=range(8),
)
def test_fire_without_a_good_token_says_what_to_give(
    folder: Path, guarded: Service, options: list[str], words: str
) -> None:
    given = [str(folder / option) if option.endswith((".pem", ".toml")) else option for option in options]
    refused = run("fire", "--patient", "1", "--service", guarded.base, "--public-url", PUBLIC, *given)
    assert (refused.returncode, refused.stdout) == (2, "")
    assert words in refused.stderr
    assert "Traceback" not in refused.stderr


def test_a_service_that_trusts_this_key_is_tested_in_whole(folder: Path, guarded: Service, fhir: Fhir) -> None:
    arguments = ["conformance", guarded.base, "--patient", PATIENT, "--fhir", fhir.base, "--public-url", PUBLIC]
    shown = run(*arguments, "--key", folder / "test.pem", "--issuer", ISSUER, "--json")
    assert shown.returncode == 0, shown.stdout
    report = json.loads(shown.stdout)
    assert report["conformant"]
    rules = [rule for group in report["groups"] for rule in group["rules"]]
    assert {rule["rule"] for rule in rules if rule["result"] in (Outcome.FAILED, Outcome.WARNING)} <= {"R-9"}, (
        "R-9 measures the machine that the tests run on"
    )
    assert report["notes"] == []
    assert not any("authorization" in asked.headers for asked in fhir.asked)


def test_a_service_that_is_tested_without_a_good_token_is_said_to_want_one(folder: Path, guarded: Service) -> None:
    for options in ([], ["--key", folder / "test.pem", "--issuer", "https://nobody.example"]):
        shown = run("conformance", guarded.base, "--public-url", PUBLIC, *options)
        assert shown.returncode == 1
        assert "give --key and --issuer" in " ".join(shown.stdout.split())
    unnamed = run("conformance", guarded.base, "--key", folder / "test.pem")
    assert (unnamed.returncode, "--key needs --issuer" in unnamed.stderr) == (2, True)


@pytest.mark.parametrize("kind", ["ES384", "ES256", "RS384"])
@pytest.mark.parametrize("form", ["pem", "jwk"])
def test_a_key_is_read_in_every_usual_form(tmp_path: Path, kind: str, form: str) -> None:
    private = key(kind).private
    file = tmp_path / "key"
    if form == "pem":
        file.write_bytes(private.private_bytes(Encoding.PEM, PrivateFormat.TraditionalOpenSSL, NoEncryption()))
    else:
        file.write_text(jwt.get_algorithm_by_name(kind).to_jwk(private))
    found = SigningKey.read(file)
    assert (found.algorithm, found.public_jwk["kid"]) == (kind, SigningKey.of(private).kid)
    assert SigningKey.read(file, "named").kid == "named"
    assert "private" not in repr(found)


def test_a_key_that_cannot_sign_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "key.json"
    for jwk in ({"kty": "oct", "k": "c2VjcmV0"}, public(key())["keys"][0], {}):
        file.write_text(json.dumps(jwk))
        with pytest.raises(InvalidInput, match="holds no private key"):
            SigningKey.read(file)


@pytest.fixture
def two_workers(tmp_path: Path) -> Iterator[Service]:
    """The service, with two workers, for anybody."""
    with service_process(tmp_path / "log", "", workers=2) as running:
        yield running


def test_a_service_is_switched_off_and_on_while_two_workers_run(two_workers: Service) -> None:
    service = two_workers
    state = {"CRS_CDS_STATE_FOLDER": f"{service.log}.state"}

    def listed() -> set[int]:
        calls = [
            requests.get(service.base + DISCOVERY, headers={"Connection": "close"}, timeout=SECONDS) for _ in range(8)
        ]
        return {len(answer.json()["services"]) for answer in calls}

    assert run("switch", "list", **state).stdout == "nothing is switched off\n"
    switched = run("switch", "off", "--service", "crs-order-sign", **state)
    assert (switched.returncode, switched.stderr) == (0, "")
    assert switched.stdout.startswith("crs-order-sign is off for all clients since 2")
    assert listed() == {2}
    both = run("switch", "off", "--service", "crs-order-sign", "--client", "other", **state)
    assert len(both.stdout.splitlines()) == 2
    assert "crs-order-sign is off for other since 2" in both.stdout
    assert run("switch", "off", "--service", "crs-order-sign", **state).stdout.count("for all clients") == 1
    assert "off for other" in run("switch", "on", "--service", "crs-order-sign", **state).stdout
    assert listed() == {3}
    refused = run("switch", "on", "--service", "crs-order-sign", **state)
    assert refused.returncode == 2
    assert "was not switched off here" in refused.stderr
    assert run("switch", "on", "--service", "crs-order-sign", "--client", "other", **state).returncode == 0


def test_a_switch_without_a_service_that_ran_is_refused(tmp_path: Path) -> None:
    refused = run("switch", "list", CRS_CDS_STATE_FOLDER=str(tmp_path / "none"))
    assert refused.returncode == 2
    assert "CRS_CDS_STATE_FOLDER" in refused.stderr
    assert run("switch", "off", "--service", "crs-order-sing", CRS_CDS_STATE_FOLDER=str(tmp_path)).returncode == 2


# --- the document -----------------------------------------------------------------------------------------------------


def documented(folder: Path) -> dict[str, TrustedClient]:
    text = "\n".join(re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL))
    (folder / "clients.toml").write_text(text)
    return {client.id: client for client in read_trusted_clients(folder / "clients.toml", known())}


def test_every_entry_of_the_document_is_one_that_is_taken(tmp_path: Path) -> None:
    clients = documented(tmp_path)
    assert list(clients) == ["general-hospital", "county-hospital", "public-sandbox", "meld"]
    assert clients["general-hospital"].algorithms == ("RS384",)
    assert clients["county-hospital"].tenants
    assert clients["meld"].audiences == ("sand_man",)


def test_every_key_of_an_entry_is_documented() -> None:
    rows = re.findall(r"^\| (`[a-z_`, ]+`) \|", DOCUMENT, re.MULTILINE)
    named = {name for row in rows for name in re.findall(r"`([a-z_]+)`", row)}
    fields = set(TrustedClient.__dataclass_fields__) - {"jku_networks"}
    assert named == fields | {"keys_file"}


def test_the_commands_of_the_document_have_the_options_they_are_given() -> None:
    for line in re.findall(r"^crs-cds (.*)$", DOCUMENT, re.MULTILINE):
        words = line.split(" >> ")[0].split()
        command = words[:2] if words[0] in ("keys", "switch") else words[:1]
        help_text = run(*command, "--help").stdout
        assert help_text
        assert all(option in help_text for option in words if option.startswith("--")), line

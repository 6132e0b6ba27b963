"""Settings: documented, checked at start, and refused with one sentence that names what is wrong (T93)."""

import os
import re
import shutil
import subprocess
import sys
import tomllib
from pathlib import Path

import pytest

from cds_service.errors import InvalidSettings
from cds_service.fhir.addresses import FhirServer
from cds_service.web.settings import PREFIX, Settings, read_settings
from tests.server import ROOT, clean_environment

DOCUMENT = (ROOT / "docs" / "settings.md").read_text()
WITHOUT_LITERAL = {
    "services_off": (),
    "operator_key": None,
    "fhir_servers": (),
    "ca_bundle": None,
    "content": None,
    "public_url": None,
    "smart_registrations": None,
    "database_url": None,
    "pseudonym_key": None,
    "trusted_clients": None,
}


@pytest.fixture(autouse=True)
def _clean(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in os.environ.keys() - clean_environment().keys():
        monkeypatch.delenv(name)


def table() -> dict[str, tuple[str, str, str]]:
    """Default, meaning and example of each setting in the document."""
    rows = [
        [cell.strip() for cell in line.strip("|").split("|")] for line in DOCUMENT.splitlines() if line[:3] == "| `"
    ]
    return {name.strip("`"): (default, meaning, example.strip("`")) for name, default, meaning, example in rows}


def test_every_setting_is_documented_and_nothing_else_is() -> None:
    assert list(table()) == [PREFIX + name.upper() for name in Settings.model_fields]


def test_every_documented_default_is_the_default() -> None:
    for name, field in Settings.model_fields.items():
        default = table()[PREFIX + name.upper()][0]
        if name in WITHOUT_LITERAL:
            assert field.default == WITHOUT_LITERAL[name]
        else:
            value = ",".join(field.default) if isinstance(field.default, tuple) else str(field.default)
            assert default == f"`{value}`"


def test_every_documented_example_is_a_value_that_is_taken(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    here = {"CRS_CDS_CA_BUNDLE": tmp_path / "ca.pem", "CRS_CDS_CONTENT": tmp_path}
    here["CRS_CDS_CA_BUNDLE"].touch()
    for name, (_, meaning, example) in table().items():
        monkeypatch.setenv(name, str(here.get(name, example)))
        assert len(meaning) > 20
    assert read_settings().model_fields_set == set(Settings.model_fields)


def test_the_documented_file_is_a_file_that_is_read(tmp_path: Path) -> None:
    [example] = re.findall(r"```toml\n(.*?)```", DOCUMENT, re.DOTALL)
    config = tmp_path / "crs.toml"
    config.write_text(example)
    assert set(tomllib.loads(example)) == read_settings(config).model_fields_set
    assert read_settings(config).fhir_servers == (FhirServer("https://ehr.example:443/fhir/R4"),)


def test_a_file_outranks_the_environment_also_where_the_environment_is_wrong(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    monkeypatch.setenv("CRS_CDS_DEADLINE_SECONDS", "soon")
    monkeypatch.setenv("CRS_CDS_TIMEZONE", "Europe/Berlin")
    config = tmp_path / "crs.toml"
    config.write_text("deadline_seconds = 2\n")
    settings = read_settings(config)
    assert (settings.deadline_seconds, settings.timezone) == (2, "Europe/Berlin")


def test_an_empty_variable_counts_as_not_set(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in Settings.model_fields:
        monkeypatch.setenv(PREFIX + name.upper(), "")
    assert read_settings() == Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("AUTH", "none"),
        ("FHIR_SERVERS", "ehr.example/fhir"),
        ("FHIR_SERVERS", "https://ehr.example/fhir,ftp://ehr.example"),
        ("FHIR_SERVERS", "https://user:secret@ehr.example/fhir"),
        ("PUBLIC_URL", "cds.example"),
        ("PUBLIC_URL", "https://cds.example/?a=b"),
        ("PUBLIC_URL", "javascript://cds.example"),
        ("PUBLIC_URL", "http://cds.example"),
        ("PUBLIC_URL", "https://cds.example [10.1.0.0/16]"),
        ("CA_BUNDLE", "/no/such/file.pem"),
        ("CONTENT", "/no/such/folder"),
        ("TIMEZONE", "Mars/Olympus"),
        ("TIMEZONE", "../../etc/passwd"),
        ("DEADLINE_SECONDS", "0"),
        ("DEADLINE_SECONDS", "31"),
        ("DEADLINE_SECONDS", "nan"),
        ("DATABASE_URL", "sqlite://"),
        ("DATABASE_URL", "sqlite:///:memory:"),
        ("DATABASE_URL", "mysql://crs@db.example/crs"),
        ("DATABASE_URL", "/var/lib/crs.db"),
        ("PSEUDONYM_KEY", "x" * 31),
        ("OPERATOR_KEY", "x" * 31),
        ("CALLS_PER_MINUTE", "0"),
        ("JTI_FAIL_OPEN", "perhaps"),
        ("RETENTION_DAYS", "0"),
        ("RETENTION_DAYS", "for ever"),
        ("CORS_ORIGINS", "https://ehr.example/"),
        ("CORS_ORIGINS", "ehr.example"),
        ("MAXIMUM_BODY_BYTES", "many"),
        ("MAXIMUM_BODY_BYTES", "-1"),
        ("FHIR_SERVER", "https://ehr.example/fhir"),
        ("TRUSTED_CLIENT", "x"),
    ],
)
def test_t93_a_wrong_value_or_name_is_refused_and_named(monkeypatch: pytest.MonkeyPatch, name: str, value: str) -> None:
    monkeypatch.setenv(PREFIX + name, value)
    with pytest.raises(InvalidSettings) as refused:
        read_settings()
    assert refused.value.message.startswith(f"{PREFIX}{name}: ")
    assert "\n" not in refused.value.message


def test_all_wrong_values_are_named_together(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CRS_CDS_AUTH", "none")
    monkeypatch.setenv("CRS_CDS_TIMEZONE", "none")
    with pytest.raises(InvalidSettings, match=r"CRS_CDS_AUTH.*CRS_CDS_TIMEZONE"):
        read_settings()


@pytest.mark.parametrize("content", ["auth = ", "[auth", "auth = 'off'\nauth = 'off'", "\xff"])
def test_a_file_that_is_no_toml_is_refused(tmp_path: Path, content: str) -> None:
    config = tmp_path / "crs.toml"
    config.write_bytes(content.encode("latin-1"))
    with pytest.raises(InvalidSettings, match=re.escape(str(config))):
        read_settings(config)


def test_a_file_that_is_not_there_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InvalidSettings, match="cannot be read"):
        read_settings(tmp_path / "none.toml")


def test_origins_and_bases_are_kept_in_one_spelling() -> None:
    settings = Settings(cors_origins="HTTPS://EHR.example", fhir_servers="HTTPS://EHR.Example/FHIR/,http://[::1]:8080")
    assert settings.cors_origins == ("https://ehr.example",)
    assert [server.base for server in settings.fhir_servers] == ["https://ehr.example:443/FHIR", "http://[::1]:8080"]


def serve(*options: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """`crs-cds serve`, which must not come to serve."""
    command = [sys.executable, "-m", "cds_service", "serve", "--port", "0", *options]
    environment = clean_environment(**settings)
    return subprocess.run(command, cwd=ROOT, env=environment, capture_output=True, text=True, timeout=60, check=False)


@pytest.mark.parametrize(
    ("settings", "words"),
    [
        ({}, "CRS_CDS_AUTH=off"),
        ({"CRS_CDS_TRUSTED_CLIENTS": "/no/such/file.toml"}, "CRS_CDS_PUBLIC_URL"),
        (
            {"CRS_CDS_TRUSTED_CLIENTS": "/no/such/file.toml", "CRS_CDS_PUBLIC_URL": "https://cds.example"},
            "/no/such/file.toml cannot be read",
        ),
        ({"CRS_CDS_AUTH": "off", "CRS_CDS_SERVICES_OFF": "crs-order-sing"}, "crs-order-sing"),
        ({"CRS_CDS_AUTH": "maybe"}, "CRS_CDS_AUTH"),
        ({"CRS_CDS_AUTH": "off", "CRS_CDS_SMART_REGISTRATIONS": "/no/such/file.toml"}, "CRS_CDS_PUBLIC_URL"),
        (
            {"CRS_CDS_SMART_REGISTRATIONS": "/no/such/file.toml", "CRS_CDS_PUBLIC_URL": "https://cds.example"}
            | {"CRS_CDS_AUTH": "off"},
            "/no/such/file.toml cannot be read",
        ),
        (
            {"CRS_CDS_SMART_REGISTRATIONS": "/no/such/file.toml", "CRS_CDS_PUBLIC_URL": "http://cds.example"}
            | {"CRS_CDS_AUTH": "off", "CRS_CDS_PLAIN_HTTP": "1"},
            "plain HTTP",
        ),
        ({"CRS_CDS_AUTH": "off", "CRS_CDS_PROTOCOL": "nobodys"}, "nobodys"),
        ({"CRS_CDS_AUTH": "off", "CRS_CDS_CLIENT_PROFILE": "nobodys"}, "CRS_CDS_CLIENT_PROFILE"),
        ({"CRS_CDS_AUTH": "off", "CRS_CDS_CONTENT": "/no/such/folder"}, "/no/such/folder"),
    ],
)
def test_t93_serve_does_not_start_on_bad_settings_and_says_what_to_set(settings: dict[str, str], words: str) -> None:
    ended = serve(**settings)
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("crs-cds: ")
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr


def test_t93_serve_does_not_start_on_a_bad_file(tmp_path: Path) -> None:
    config = tmp_path / "crs.toml"
    config.write_text("auth = 'off'\ntimezone = 'nowhere'\n")
    ended = serve("--config", str(config))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert ended.stderr.startswith("crs-cds: CRS_CDS_TIMEZONE: 'nowhere' is not an IANA time zone")


def test_t93_serve_does_not_start_on_content_with_a_fault_and_names_its_line(tmp_path: Path) -> None:
    cards = shutil.copytree(ROOT / "cards", tmp_path / "cards")
    scale = cards / "scales" / "astct-2019.toml"
    scale.write_text(
        scale.read_text(encoding="utf-8").replace("threshold = { value = 38.0", "threshold = { value = 83.0")
    )
    ended = serve(CRS_CDS_AUTH="off", CRS_CDS_CONTENT=str(cards))
    assert (ended.returncode, ended.stdout) == (2, "")
    assert re.search(r"scales/astct-2019\.toml:\d+: fever\.threshold: 83\.0 is not among", ended.stderr)


@pytest.mark.parametrize(
    ("auth", "idle"),
    [
        ("off", ("CRS_CDS_TRUSTED_CLIENTS", "CRS_CDS_JTI_FAIL_OPEN")),
        ("required", ("CRS_CDS_FHIR_SERVERS",)),
    ],
)
def test_settings_that_have_no_effect_beside_the_others_are_said(auth: str, idle: tuple[str, ...]) -> None:
    assert Settings(auth=auth).without_effect == ()
    given = {"trusted_clients": "clients.toml", "jti_fail_open": True, "fhir_servers": "https://ehr.example/fhir"}
    assert Settings(auth=auth, **given).without_effect == idle


def test_secrets_stand_in_no_representation_of_the_settings() -> None:
    secret = "canary-canary-canary-canary-canary"
    settings = Settings(
        database_url=f"postgresql://crs:{secret}@db.example/crs", operator_key=secret, pseudonym_key=secret
    )
    assert "canary" not in repr(settings)

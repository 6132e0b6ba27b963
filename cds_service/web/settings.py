"""Settings: environment variables `CRS_CDS_*`, or a TOML file with the names in lower case. Read once, at start."""

import os
import re
import tomllib
from pathlib import Path
from typing import Annotated, Any, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, SecretStr, ValidationError, ValidationInfo, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cds_service.errors import InvalidSettings
from cds_service.fhir.addresses import FhirServer, base_url, fhir_server

PREFIX = "CRS_CDS_"
SHORTEST_KEY = 32
_DATABASE = re.compile(r"sqlite:///(?!:memory:)[^?]+|postgresql(\+psycopg)?://.+")
_ORIGIN = re.compile(r"\*|https?://[a-z0-9.\-\[\]:]+")


class Settings(BaseSettings):
    """How an installation is run. Every setting stands in docs/settings.md."""

    model_config = SettingsConfigDict(env_prefix=PREFIX, env_ignore_empty=True, frozen=True, extra="forbid")

    auth: Literal["required", "off"] = Field("required", description="Whether callers must prove who they are")
    trusted_clients: Path | None = Field(None, description="TOML file of the clients whose tokens are accepted")
    jti_fail_open: bool = Field(False, description="Take tokens also while the store cannot tell if they were used")
    calls_per_minute: int = Field(3000, ge=1, description="Calls of one client that a worker answers in a minute")
    services_off: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="Services that are switched off for all clients, separated by commas"
    )
    operator_key: SecretStr | None = Field(None, description="Key to what is for operators: the report, the metrics")
    plain_http: bool = Field(False, description="Ask FHIR servers on other machines over plain HTTP too")
    fhir_servers: Annotated[tuple[FhirServer, ...], NoDecode] = Field(
        (), description="FHIR base URLs that may be called, separated by commas, each with the ranges of its addresses"
    )
    ca_bundle: Path | None = Field(
        None, description="PEM file of the certificate authorities that FHIR servers are checked against"
    )
    protocol: str = Field(
        "supplied-crs", description="Id of the protocol in cards/protocols/, or the path of a protocol file (.toml)"
    )
    client_profile: str = Field("generic", description="Id of the client profile in cards/clients/")
    content: Path | None = Field(None, description="A cards/ folder of the site in place of the one installed")
    timezone: str = Field(
        "UTC", description="IANA time zone in which times are shown, and charted times without one read"
    )
    deadline_seconds: float = Field(4.0, gt=0, le=30, description="Time for all FHIR queries of one hook call")
    one_phase: bool = Field(False, description="Ask for everything at once, also for patients who need no grade")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        ("*",), description="Origins of browser clients, separated by commas; * for any, never with credentials"
    )
    maximum_body_bytes: int = Field(5_000_000, gt=0, description="Largest request body that is read")

    log_level: Literal["debug", "info", "warning", "error"] = Field("info", description="Lowest level that is logged")
    tracing: bool = Field(False, description="Send spans of each step over OTLP; needs the extra `tracing`")
    public_url: str | None = Field(None, description="URL by which clients know the service")
    smart_registrations: Path | None = Field(None, description="TOML file of the EHRs where the app is registered")
    state_folder: Path = Field(
        Path("~/.local/state/crs-cds"), validate_default=True, description="What the service keeps between two starts"
    )
    database_url: SecretStr | None = Field(None, description="Store of answers and feedback in place of a file")
    pseudonym_key: SecretStr | None = Field(None, description="Key of the pseudonyms in place of one in the folder")
    retention_days: int = Field(365, ge=1, le=36_500, description="How long answers and feedback are kept")
    records_required: bool = Field(False, description="Give no answer whose record can be kept nowhere")
    drain_seconds: float = Field(
        3.0, ge=0, le=60, description="How long a service that is stopped says it is not ready, and still answers"
    )

    @property
    def without_effect(self) -> tuple[str, ...]:
        """Settings that are set and change nothing: who calls is told by tokens, or by nothing."""
        idle = ("fhir_servers",) if self.auth == "required" else ("trusted_clients", "jti_fail_open")
        return tuple(PREFIX + name.upper() for name in idle if getattr(self, name))

    @property
    def store_url(self) -> str:
        """Where answers and feedback are kept. May hold a password."""
        given = self.database_url
        return given.get_secret_value() if given is not None else f"sqlite:///{self.state_folder / 'crs-cds.db'}"

    @field_validator("cors_origins", "services_off", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(item.strip() for item in value.split(",") if item.strip())
        return value

    @field_validator("fhir_servers", mode="before")
    @classmethod
    def _servers(cls, value: object, info: ValidationInfo) -> tuple[FhirServer, ...]:
        written = cls._separated(value)
        if not isinstance(written, tuple | list) or not all(isinstance(item, str) for item in written):
            raise ValueError("write base URLs, e.g. https://ehr.example/fhir [10.1.0.0/16]")
        try:
            return tuple(fhir_server(item, plain_http=info.data.get("plain_http", False)) for item in written)
        except InvalidSettings as error:
            raise ValueError(error.message) from error

    @field_validator("public_url")
    @classmethod
    def _address(cls, value: str | None, info: ValidationInfo) -> str | None:
        """Links lead here, so it is held to what FHIR servers are: https unless it is this machine (T77)."""
        try:
            known = value and fhir_server(base_url(value), plain_http=info.data.get("plain_http", False))
        except InvalidSettings as error:
            raise ValueError(f"{value!r} is no address: write https://host, with a port or path if need be") from error
        return value.rstrip("/") if value and known else None

    @field_validator("cors_origins")
    @classmethod
    def _origins(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        origins = tuple(item.lower() for item in value)
        for origin in origins:
            if not _ORIGIN.fullmatch(origin):
                raise ValueError(f"{origin!r} is not an origin: write https://host or https://host:port")
        return origins

    @field_validator("ca_bundle")
    @classmethod
    def _readable(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_file():
            raise ValueError(f"there is no file {value}")
        return value

    @field_validator("protocol")
    @classmethod
    def _there(cls, value: str) -> str:
        if value.endswith(".toml") and not Path(value).is_file():
            raise ValueError(f"there is no file {value}")
        return value

    @field_validator("content")
    @classmethod
    def _folder(cls, value: Path | None) -> Path | None:
        if value is not None and not value.is_dir():
            raise ValueError(f"there is no folder {value}")
        return value

    @field_validator("state_folder")
    @classmethod
    def _home(cls, value: Path) -> Path:
        try:
            return value.expanduser().absolute()
        except RuntimeError as error:
            raise ValueError(f"there is no home folder for {value}: name another folder") from error

    @field_validator("database_url")
    @classmethod
    def _database(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and not _DATABASE.fullmatch(value.get_secret_value()):
            raise ValueError("write sqlite:////folder/file.db or postgresql://user:password@host/database")
        return value

    @field_validator("pseudonym_key", "operator_key")
    @classmethod
    def _long(cls, value: SecretStr | None) -> SecretStr | None:
        if value is not None and len(value.get_secret_value()) < SHORTEST_KEY:
            raise ValueError(f"it needs at least {SHORTEST_KEY} characters: write what `openssl rand -hex 32` prints")
        return value

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError, OSError) as error:
            raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Berlin") from error
        return value

    @property
    def about_url(self) -> str | None:
        """Where people read what this service is; None when no public URL is set."""
        return f"{self.public_url}/about" if self.public_url is not None else None

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


def read_settings(config: Path | None = None) -> Settings:
    """Settings from the environment; a file outranks it. Raises InvalidSettings that names each wrong setting."""
    values: dict[str, Any] = {
        name.removeprefix(PREFIX).lower(): value
        for name, value in os.environ.items()
        if name.startswith(PREFIX) and value
    }
    if config is not None:
        values |= _file(config)
    try:
        return Settings(**values)
    except ValidationError as error:
        faults = (
            f"{PREFIX}{str(item['loc'][0]).upper()}: {_words(item['msg'])}" for item in error.errors(include_url=False)
        )
        raise InvalidSettings("; ".join(faults)) from error


def _file(config: Path) -> dict[str, Any]:
    try:
        return tomllib.loads(config.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"{config} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{config} is not valid TOML: {error}") from error


def _words(message: str) -> str:
    if message == "Extra inputs are not permitted":
        return f"there is no such setting, only {', '.join(sorted(Settings.model_fields))}"
    return message.removeprefix("Value error, ")

"""Settings: environment variables `CRS_CDS_*`, or a TOML file with the names in lower case. Read once, at start."""

import tomllib
from pathlib import Path
from typing import Annotated, Literal
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from pydantic import Field, ValidationError, field_validator
from pydantic_settings import BaseSettings, NoDecode, SettingsConfigDict

from cds_service.errors import InvalidSettings
from cds_service.fhir.client import base_url


class Settings(BaseSettings):
    """How an installation is run. Every setting stands in docs/settings.md."""

    model_config = SettingsConfigDict(env_prefix="CRS_CDS_", frozen=True, extra="forbid")

    auth: Literal["required", "off"] = Field("required", description="Whether callers must prove who they are")
    fhir_servers: Annotated[tuple[str, ...], NoDecode] = Field(
        (), description="FHIR base URLs that may be called, separated by commas"
    )
    protocol: str = Field("supplied-crs", description="Id of the protocol in cards/protocols/")
    client_profile: str = Field("generic", description="Id of the client profile in cards/clients/")
    content: Path | None = Field(None, description="A cards/ folder of the site in place of the one installed")
    timezone: str = Field(
        "UTC", description="IANA time zone in which times are shown, and charted times without one read"
    )
    deadline_seconds: float = Field(4.0, gt=0, le=30, description="Time for all FHIR queries of one hook call")
    cors_origins: Annotated[tuple[str, ...], NoDecode] = Field(
        ("*",), description="Origins of browser clients, separated by commas; * for any, never with credentials"
    )
    maximum_body_bytes: int = Field(5_000_000, gt=0, description="Largest request body that is read")

    @field_validator("fhir_servers", "cors_origins", mode="before")
    @classmethod
    def _separated(cls, value: object) -> object:
        if isinstance(value, str):
            return tuple(item.strip() for item in value.split(",") if item.strip())
        return value

    @field_validator("fhir_servers")
    @classmethod
    def _bases(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        try:
            return tuple(base_url(item) for item in value)
        except InvalidSettings as error:
            raise ValueError(error.message) from error

    @field_validator("timezone")
    @classmethod
    def _known_zone(cls, value: str) -> str:
        try:
            ZoneInfo(value)
        except (ZoneInfoNotFoundError, ValueError) as error:
            raise ValueError(f"{value!r} is not an IANA time zone such as Europe/Berlin") from error
        return value

    @property
    def zone(self) -> ZoneInfo:
        """The site's time zone."""
        return ZoneInfo(self.timezone)


def read_settings(config: Path | None = None) -> Settings:
    """Settings from the environment; a file outranks it. Raises InvalidSettings that names each wrong setting."""
    values: dict[str, object] = {}
    if config is not None:
        try:
            values = tomllib.loads(config.read_text(encoding="utf-8"))
        except OSError as error:
            raise InvalidSettings(f"{config} cannot be read: {error.strerror}") from error
        except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
            raise InvalidSettings(f"{config} is not valid TOML: {error}") from error
    try:
        return Settings.model_validate({**Settings().model_dump(exclude_unset=True), **values})
    except ValidationError as error:
        faults = (f"{'.'.join(map(str, item['loc']))}: {item['msg']}" for item in error.errors(include_url=False))
        raise InvalidSettings("wrong settings (CRS_CDS_...): " + "; ".join(faults)) from error


def check_authentication(settings: Settings) -> None:
    """Raises InvalidSettings unless it is said that callers are not checked here."""
    if settings.auth == "required":
        raise InvalidSettings(
            "CRS_CDS_AUTH is `required`, and there are no trusted clients: this version does not check client tokens"
            " yet. Set CRS_CDS_AUTH=off only on a closed network or behind a gateway that authenticates clients."
        )

"""Services that are switched off without a restart: a small file in the state folder, looked at with each call."""

import os
import tomllib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import Any

import structlog
from pydantic import BaseModel, ConfigDict, ValidationError

from cds_service.errors import InvalidSettings

FILE = "switched-off.toml"

log = structlog.get_logger()


class Switch(BaseModel):
    """A service that is off since an instant: for one client, or for all."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    service: str
    client: str | None = None
    since: datetime


class _File(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True, strict=True)

    off: list[Switch] = []


@dataclass(frozen=True, slots=True)
class _Seen:
    """The file as it was read last, and what tells that it has changed."""

    stamp: tuple[int, ...]
    switches: tuple[Switch, ...] | None


class Switches:
    """Which services are off, in one process. A file that cannot be read switches off everything until it can be."""

    def __init__(self, folder: Path, services: Collection[str]) -> None:
        self._folder = folder
        self._file = folder / FILE
        self._services = frozenset(services)
        self._seen = _Seen((), ())

    def off(self, client: str) -> frozenset[str]:
        """The services that are off for a client now."""
        seen = self._seen
        stamp = _stamp(self._file)
        if stamp != seen.stamp:
            self._seen = seen = _Seen(stamp, self._read())
        if seen.switches is None:
            return self._services
        return frozenset(switch.service for switch in seen.switches if switch.client in (None, client))

    def _read(self) -> tuple[Switch, ...] | None:
        try:
            switches = read_switches(self._folder)
        except InvalidSettings as error:
            log.error("everything is switched off", reason=error.message)
            return None
        log.warning("services switched", reason=", ".join(map(words, switches)) or "all are on")
        return switches


def read_switches(folder: Path) -> tuple[Switch, ...]:
    """What the file of a state folder says, nothing when there is none. Raises InvalidSettings."""
    file = folder / FILE
    try:
        return tuple(_File.model_validate(tomllib.loads(file.read_text(encoding="utf-8"))).off)
    except FileNotFoundError:
        return ()
    except (OSError, tomllib.TOMLDecodeError, UnicodeDecodeError, ValidationError) as error:
        raise InvalidSettings(f"{file} cannot be read: put it right, or remove it to switch everything on") from error


def write_switches(folder: Path, switches: Sequence[Switch]) -> None:
    """Make the file say this. It changes at once: no reader meets half of it. Raises InvalidSettings."""
    new = folder / f".{FILE}.new"
    try:
        new.write_text("\n".join(map(_written, switches)), encoding="utf-8")
        new.replace(folder / FILE)
    except OSError as error:
        raise InvalidSettings(f"{folder / FILE} cannot be written: {error.strerror}") from error


def words(switch: Switch) -> str:
    """A switch in words."""
    return f"{switch.service} is off for {switch.client or 'all clients'} since {switch.since.isoformat()}"


def _written(switch: Switch) -> str:
    members: dict[str, Any] = {"service": f'"{switch.service}"', "since": switch.since.isoformat()}
    if switch.client is not None:
        members["client"] = f'"{switch.client}"'
    return "\n".join(["[[off]]", *(f"{name} = {value}" for name, value in members.items()), ""])


def _stamp(file: Path) -> tuple[int, ...]:
    try:
        found = os.stat(file)
    except FileNotFoundError:
        return ()
    except OSError as error:
        return (error.errno or 0,)
    return (found.st_mtime_ns, found.st_size, found.st_ino)

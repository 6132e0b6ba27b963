"""The rules that a service is held to, from `rules.toml`: how binding each is, what it says, and what it is about."""

import tomllib
from collections.abc import Mapping
from dataclasses import dataclass
from importlib.resources import files
from typing import Any

from cds_service.conformance.faults import Level


@dataclass(frozen=True, slots=True)
class Rule:
    """One rule. `part` is the part of the conversation it is about; `own` rules are those of this service alone."""

    id: str
    level: Level
    says: str
    part: str
    own: bool


def _read(text: str) -> dict[str, Rule]:
    parts: dict[str, Any] = tomllib.loads(text)
    own = {f"own.{name}": table for name, table in parts.pop("own").items()}
    return {
        rule: Rule(rule, Level(row["level"]), row["says"], part, part in own)
        for part, table in (parts | own).items()
        for rule, row in table.items()
    }


RULES: Mapping[str, Rule] = _read(files("cds_service.conformance").joinpath("rules.toml").read_text(encoding="utf-8"))
"""Every rule by its id, in the order of the report."""

"""The catalogue of a protocol's rules from `cards/rules/`: each in words, with the figures named by their keys."""

import re
from collections import Counter
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Annotated, Any

from pydantic import Field, StringConstraints

from cds_service.content.about import AboutFile
from cds_service.content.faults import Fault
from cds_service.content.figures import UNITS, Strict
from cds_service.content.files import read_toml
from cds_service.content.sheets import Sheet

_KEY = re.compile(r"\{([^{}]*)\}")
_FOLDERS = ("protocols", "scales", "orders")


class RuleEntry(Strict):
    """One rule: `says` is a sentence in which `{scale.fever.threshold}` stands for a figure of the content."""

    id: Annotated[str, StringConstraints(pattern=r"^S(-[A-Za-z0-9]+)+$")] = Field(description="Id of the rule")
    says: Annotated[str, StringConstraints(min_length=10)] = Field(description="The rule, with figures by their {key}")
    source: Annotated[str, StringConstraints(min_length=2)] = Field(description="Where it stands")

    @property
    def keys(self) -> list[str]:
        """The figures it depends on."""
        return _KEY.findall(self.says)

    def stated(self, tables: Mapping[str, Any]) -> str:
        """The sentence with the figures as they stand in the content. ValueError for a key that is not there."""
        return _KEY.sub(lambda key: shown(tables, key[1]), self.says)


class RulesFile(Strict):
    """The rules of a protocol: a file in `cards/rules/`."""

    protocol: str = Field(description="Id of the protocol")
    rule: list[RuleEntry] = Field(description="The rules")


def tables(folder: Path, protocol_id: str) -> dict[str, Any]:
    """The files of a content folder as they are written: `protocol`, its `scale`, and `orders` by id."""
    files = {name: [read_toml(path) for path in sorted(folder.glob(f"{name}/*.toml"))] for name in _FOLDERS}
    protocol = next((file for file in files["protocols"] if file.get("id") == protocol_id), {})
    scale = next((file for file in files["scales"] if file.get("id") == protocol.get("scale")), {})
    return {"protocol": protocol, "scale": scale, "orders": {str(file.get("id")): file for file in files["orders"]}}


def shown(tables: Mapping[str, Any], key: str) -> str:
    """A figure, a range or a list of names in words: `72 h`, `1 to 3 days`. ValueError when the key leads to none."""
    found: Any = tables
    for part in key.split("."):
        found = _member(found, part)
    if isinstance(found, dict) and "unit" in found:
        low, high = found.get("low"), found.get("high")
        number = found.get("value") if low is None else low if low == high else f"{low} to {high}"
        return f"{number} {UNITS.get(found['unit'], found['unit'])}".strip()
    names = found.values() if isinstance(found, dict) else found
    if names and not isinstance(names, str) and all(isinstance(name, str) for name in names):
        return ", ".join(names)
    raise ValueError(f"{key!r} leads to no figure of the content")


def _member(table: Any, name: str) -> Any:
    if isinstance(table, list):
        return table[int(name)] if name.isdigit() and int(name) < len(table) else None
    return table.get(name) if isinstance(table, dict) else None


def faults(sheet: Sheet, catalogue: RulesFile, about: tuple[Sheet, AboutFile] | None, folder: Path) -> Iterator[Fault]:
    """Rules that stand twice, figures and rules that are named and do not exist."""
    known = tables(folder, catalogue.protocol)
    ids = Counter(rule.id for rule in catalogue.rule)
    for place, rule in enumerate(catalogue.rule):
        if ids[rule.id] > 1:
            yield sheet.fault(("rule", place, "id"), f"{rule.id} stands {ids[rule.id]} times")
        for key in rule.keys:
            try:
                shown(known, key)
            except ValueError as error:
                yield sheet.fault(("rule", place, "says"), f"{rule.id}: {error}")
    if about is None:
        return
    for place, departure in enumerate(about[1].departure):
        for name in departure.rules:
            if name not in ids:
                yield about[0].fault(("departure", place, "rules"), f"there is no rule {name} to depart from")

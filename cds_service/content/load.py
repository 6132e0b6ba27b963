"""Loads all of `cards/` and reports every fault together; a service with bad content does not start (T93)."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TypeVar

from pydantic import BaseModel, RootModel, ValidationError

from cds_service.content import checks, rules
from cds_service.content.about import AboutFile
from cds_service.content.clients import ClientFile, ClientProfile, client_profile
from cds_service.content.codes import SystemFile, ValueSetFile, value_set
from cds_service.content.figures import Strict
from cds_service.content.files import content_hash, data_folder, read_toml
from cds_service.content.protocols import OrderFile, ProtocolFile, order, protocol
from cds_service.content.rules import RulesFile
from cds_service.content.scales import ScaleFile, scale
from cds_service.crs.protocol import Protocol
from cds_service.crs.scale import Scale
from cds_service.crs.valuesets import ValueSet
from cds_service.errors import InvalidContent

FileT = TypeVar("FileT", bound=BaseModel)
ValueT = TypeVar("ValueT")


class SystemsFile(RootModel[dict[str, SystemFile]]):
    """The layout of `cards/codes/_systems.toml`."""


class ReasonEntry(Strict):
    """One reason for not following a card."""

    code: str
    display: str


class ReasonsFile(Strict):
    """The layout of `cards/text/override-reasons.toml`."""

    system: str
    reason: list[ReasonEntry]

    def codings(self) -> tuple[dict[str, str], ...]:
        """CDS Hooks Codings: system, code, display (G-6)."""
        return tuple({"system": self.system, "code": item.code, "display": item.display} for item in self.reason)


class SentencesFile(RootModel[dict[str, str]]):
    """The layout of `cards/text/sentences.toml`."""


@dataclass(frozen=True, slots=True, kw_only=True)
class Content:
    """Everything `cards/` says, checked: one protocol with its scale, value sets, client profiles, texts."""

    protocol: Protocol
    scale: Scale
    value_sets: Mapping[str, ValueSet]
    system_aliases: Mapping[str, str]
    clients: Mapping[str, ClientProfile]
    sentences: Mapping[str, str]
    templates: Mapping[str, str]
    override_reasons: tuple[Mapping[str, str], ...]
    about: AboutFile
    catalogues: tuple[RulesFile, ...]
    hash: str

    @property
    def knowledge(self) -> dict[str, str]:
        """What knowledge spoke: protocol id, version with content hash, scale."""
        return {
            "id": self.protocol.id,
            "version": f"{self.protocol.version}+{self.hash[:8]}",
            "scale": f"{self.scale.id} {self.scale.version}",
        }


class _Reading:
    """Reads files one after the other and keeps every fault with its place."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.faults: list[str] = []

    def files(self, pattern: str) -> Iterator[Path]:
        paths = sorted(self.folder.glob(pattern))
        if not paths:
            self.faults.append(f"{pattern}: no such file")
        yield from paths

    def collect(self, pattern: str, shape: type[FileT], make: Callable[[FileT], ValueT]) -> list[ValueT]:
        """What the files of a pattern make; a file with a fault makes nothing and the fault is kept."""
        made = []
        for path in self.files(pattern):
            try:
                made.append(make(shape.model_validate(read_toml(path))))
            except InvalidContent as error:
                self.faults.append(f"{self._place(path)}: {error.message}")
            except ValidationError as error:
                for item in error.errors(include_url=False):
                    key = ".".join(map(str, item["loc"]))
                    self.faults.append(f"{self._place(path)}: {key}: {item['msg']}")
            except ValueError as error:
                self.faults.append(f"{self._place(path)}: {error}")
        return made

    def _place(self, path: Path) -> str:
        return str(path.relative_to(self.folder))


def load(folder: Path | None = None, protocol_id: str = "supplied-crs") -> Content:
    """Load and check content. Raises InvalidContent that lists every fault with file and key."""
    root = folder or data_folder("cards")
    reading = _Reading(root)
    systems = _first(reading.collect("codes/_systems.toml", SystemsFile, lambda file: file.root)) or {}
    sets = {
        made.id: made
        for made in reading.collect("codes/[!_]*.toml", ValueSetFile, lambda file: value_set(file, systems))
    }
    scales = {made.id: made for made in reading.collect("scales/*.toml", ScaleFile, scale)}
    orders = {made.id: made for made in reading.collect("orders/*.toml", OrderFile, lambda f: order(f, systems))}
    plans = reading.collect("protocols/*.toml", ProtocolFile, lambda file: (protocol(file, orders), file.scale))
    chosen = _first([plan for plan in plans if plan[0].id == protocol_id])
    clients = {made.id: made for made in reading.collect("clients/*.toml", ClientFile, client_profile)}
    sentences = _first(reading.collect("text/sentences.toml", SentencesFile, lambda file: file.root)) or {}
    reasons = _first(reading.collect("text/override-reasons.toml", ReasonsFile, ReasonsFile.codings)) or ()
    templates = _templates(reading)
    about = _first(reading.collect("about.toml", AboutFile, lambda file: file))
    catalogues = reading.collect("rules/*.toml", RulesFile, lambda file: file)
    if chosen is None and not reading.faults:
        reading.faults.append(f"protocols/: no protocol {protocol_id!r}")
    plan, scale_id = chosen or (None, None)
    used = scales.get(scale_id) if scale_id is not None else None
    if plan is not None and used is None:
        reading.faults.append(f"protocols/: the scale {scale_id!r} of {plan.id} is not in scales/")
    reading.faults.extend(checks.faults(plan, used, sets, sentences, templates, _shipped_texts()))
    for catalogue in catalogues if not reading.faults else ():
        reading.faults.extend(rules.faults(catalogue, about.departure if about is not None else (), root))
    if reading.faults or plan is None or used is None or about is None:
        raise InvalidContent(f"cards/ has {len(reading.faults)} fault(s):\n  " + "\n  ".join(reading.faults))
    return Content(
        protocol=plan,
        scale=used,
        value_sets=sets,
        system_aliases={alias: system.uri for system in systems.values() for alias in system.aliases},
        clients=clients,
        sentences=sentences,
        templates=templates,
        override_reasons=reasons,
        about=about,
        catalogues=tuple(catalogues),
        hash=content_hash(root),
    )


def _templates(reading: _Reading) -> dict[str, str]:
    return {path.name: path.read_text(encoding="utf-8") for path in reading.files("text/*.md.j2")}


def _shipped_texts() -> dict[str, str]:
    """The sentences and templates of this version: what a site's own texts are compared with."""
    reading = _Reading(data_folder("cards"))
    sentences = _first(reading.collect("text/sentences.toml", SentencesFile, lambda file: file.root)) or {}
    return {**_templates(reading), **sentences}


def _first(values: Sequence[ValueT]) -> ValueT | None:
    return values[0] if values else None

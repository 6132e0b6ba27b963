"""Loads all of `cards/` and reports every fault together; a service with bad content does not start (T93)."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path

from cds_service.content import checks, rules
from cds_service.content.about import AboutFile
from cds_service.content.clients import ClientFile, ClientProfile, client_profile
from cds_service.content.codes import ValueSetFile, value_set
from cds_service.content.faults import Fault, refusal
from cds_service.content.files import Source, content_hash, data_folder
from cds_service.content.orders import OrderFile, order
from cds_service.content.plans import Plan, Shelf, plan
from cds_service.content.protocols import ProtocolFile, protocol
from cds_service.content.reading import Reading, ReasonsFile, SentencesFile, SystemsFile
from cds_service.content.rules import RulesFile
from cds_service.content.scales import ScaleFile, scale
from cds_service.content.sheets import FileT, Sheet
from cds_service.crs.protocol import Protocol
from cds_service.crs.scale import Scale
from cds_service.crs.valuesets import ValueSet


@dataclass(frozen=True, slots=True, kw_only=True)
class Files:
    """What the files of one protocol say, with units, references and dates."""

    protocol: ProtocolFile
    scale: ScaleFile
    orders: Mapping[str, OrderFile]


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
    files: Files
    plan: Plan
    folder: Path

    @property
    def knowledge(self) -> dict[str, str]:
        """What knowledge spoke: protocol id, version with content hash, scale."""
        return {
            "id": self.protocol.id,
            "version": f"{self.protocol.version}+{self.hash[:8]}",
            "scale": f"{self.scale.id} {self.scale.version}",
        }


@dataclass(frozen=True, slots=True, kw_only=True)
class _Shared:
    """What every protocol of a folder shares."""

    value_sets: Mapping[str, tuple[Sheet, ValueSetFile]]
    clients: Mapping[str, ClientFile]
    reasons: ReasonsFile | None
    about: tuple[Sheet, AboutFile] | None
    catalogues: tuple[tuple[Sheet, RulesFile], ...]
    templates: Mapping[str, Source]
    sources: tuple[Source, ...]


def load(folder: Path | None = None, protocol_id: str = "supplied-crs") -> Content:
    """Load and check content: all protocols of the folder, and the chosen one, by its id or the path of its file.

    Raises InvalidContent that lists every fault with file, line and key.
    """
    reading = Reading(folder or data_folder("cards"))
    shared = _shared(reading)
    shelf = Shelf.of(reading)
    for alone in shelf.scales.values():
        reading.read(Sheet(alone), ScaleFile)
    chosen = _chosen(protocol_id, shelf, reading)
    named = {item.shown: item for item in (*shelf.protocols.values(), chosen) if item is not None}
    made = {name: _content(item, shelf, shared, reading) for name, item in named.items()}
    content = made.get(chosen.shown) if chosen is not None else None
    if content is not None and not reading.faults:
        for sheet, catalogue in shared.catalogues:
            reading.faults.extend(rules.faults(sheet, catalogue, shared.about, reading.folder))
    if reading.faults or content is None:
        raise refusal(reading.faults)
    return content


def _chosen(protocol_id: str, shelf: Shelf, reading: Reading) -> Source | None:
    """The protocol of an id, or of a file: one of the folder, or any other."""
    if not protocol_id.endswith(".toml"):
        if protocol_id not in shelf.protocols:
            known = ", ".join(sorted(shelf.protocols))
            reading.faults.append(Fault("protocols/", 0, (), f"no protocol {protocol_id!r}; there are: {known}"))
        return shelf.protocols.get(protocol_id)
    path = Path(protocol_id)
    inside = (item for item in shelf.protocols.values() if (reading.folder / item.name).resolve() == path.resolve())
    return next(inside, None) or reading.source(path, f"protocols/{path.name}", protocol_id)


def _shared(reading: Reading) -> _Shared:
    sources: list[Source] = []

    def sheets(pattern: str) -> Iterator[Sheet]:
        for source in reading.sources(pattern):
            sources.append(source)
            yield Sheet(source)

    for sheet in sheets("codes/_systems.toml"):
        systems = reading.read(sheet, SystemsFile)
        reading.systems = systems.root if systems is not None else None
    value_sets = {}
    for sheet in sheets("codes/[!_]*.toml"):
        file = reading.read(sheet, ValueSetFile)
        if file is not None:
            value_sets[file.id] = (sheet, file)
    clients = [reading.read(sheet, ClientFile) for sheet in sheets("clients/*.toml")]
    reasons = [reading.read(sheet, ReasonsFile) for sheet in sheets("text/override-reasons.toml")]
    about = list(_read(reading, "about.toml", AboutFile))
    templates = {source.name: source for sheet in sheets("text/*.md.j2") for source in sheet.sources}
    reading.faults.extend(checks.templates(templates, reading.folder))
    reading.faults.extend(checks.value_sets(value_sets, {path.stem for path in reading.folder.glob("codes/*.toml")}))
    return _Shared(
        value_sets=value_sets,
        clients={file.id: file for file in clients if file is not None},
        reasons=next(iter(reasons), None),
        about=next(iter(about), None),
        catalogues=tuple(_read(reading, "rules/*.toml", RulesFile)),
        templates=templates,
        sources=tuple(sources),
    )


def _read(reading: Reading, pattern: str, shape: type[FileT]) -> Iterator[tuple[Sheet, FileT]]:
    """The files of a pattern that have no fault, each with its sheet."""
    for source in reading.sources(pattern):
        file = reading.read(Sheet(source), shape)
        if file is not None:
            yield Sheet(source), file


def _content(source: Source, shelf: Shelf, shared: _Shared, reading: Reading) -> Content | None:
    """The content of one protocol; None when it has faults, which are kept."""
    before = len(reading.faults)
    made = plan(source, shelf, reading)
    if made is None:
        return None
    files = _files(made, shared, reading)
    sentences = reading.read(made.sentences, SentencesFile) if made.sentences is not None else None
    if made.sentences is not None and sentences is not None:
        reading.faults.extend(checks.sentences(made.sentences, sentences.root))
    if files is None or sentences is None or len(reading.faults) > before:
        return None
    systems = reading.systems
    if systems is None or shared.reasons is None or shared.about is None:
        return None
    orders = {name: order(file, systems) for name, file in files.orders.items()}
    return Content(
        protocol=protocol(files.protocol, orders),
        scale=scale(files.scale),
        value_sets={name: value_set(file, systems) for name, (_, file) in shared.value_sets.items()},
        system_aliases={alias: system.uri for system in systems.values() for alias in system.aliases},
        clients={name: client_profile(file) for name, file in shared.clients.items()},
        sentences=sentences.root,
        templates={name.rpartition("/")[2]: text.text for name, text in shared.templates.items()},
        override_reasons=shared.reasons.codings(),
        about=shared.about[1],
        catalogues=tuple(catalogue for _, catalogue in shared.catalogues),
        hash=content_hash((*made.sources, *shared.sources)),
        files=files,
        plan=made,
        folder=reading.folder,
    )


def _files(made: Plan, shared: _Shared, reading: Reading) -> Files | None:
    """The files of a plan, checked together."""
    plain = reading.read(made.protocol, ProtocolFile)
    graded = reading.read(made.scale, ScaleFile) if made.scale is not None else None
    orders = {name: reading.read(sheet, OrderFile) for name, sheet in made.orders.items()}
    known = {name: file for name, file in orders.items() if file is not None}
    if graded is not None and made.scale is not None:
        reading.faults.extend(checks.scale(made.scale, graded, shared.value_sets))
    for name, file in known.items():
        reading.faults.extend(checks.order(made.orders[name], file, shared.value_sets))
    if plain is not None:
        named = orders if "orders" not in reading.unread else None
        reading.faults.extend(checks.protocol(made.protocol, plain, named, shared.value_sets))
    if plain is None or graded is None or len(known) < len(orders):
        return None
    return Files(protocol=plain, scale=graded, orders=known)

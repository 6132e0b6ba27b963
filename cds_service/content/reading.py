"""A folder of content, read file by file; every fault is kept, so that all are reported together."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from pydantic import Field, RootModel

from cds_service.content.codes import SystemFile
from cds_service.content.faults import Fault
from cds_service.content.figures import Strict
from cds_service.content.files import Source, source
from cds_service.content.sheets import FileT, Sheet


class SystemsFile(RootModel[dict[str, SystemFile]]):
    """Code systems by the name that content calls them: `cards/codes/_systems.toml`."""


class ReasonEntry(Strict):
    """One reason for not following a card."""

    code: str = Field(description="Its code")
    display: str = Field(description="What a clinician reads")


class ReasonsFile(Strict):
    """Reasons for not following a card: `cards/text/override-reasons.toml`."""

    system: str = Field(description="URI of the code system of the reasons")
    reason: list[ReasonEntry] = Field(description="The reasons, in the order in which they are offered")

    def codings(self) -> tuple[dict[str, str], ...]:
        """CDS Hooks Codings: system, code, display (G-6)."""
        return tuple({"system": self.system, "code": item.code, "display": item.display} for item in self.reason)


class SentencesFile(RootModel[dict[str, str]]):
    """Sentences by the name that advice calls them: `cards/text/sentences.toml`."""


@dataclass
class Reading:
    """The sources of one folder of content, and the faults found so far.

    `unread` are the kinds of files, by folder, of which one could not be read: what such a file holds is not missing.
    """

    folder: Path
    faults: list[Fault] = field(default_factory=list)
    unread: set[str] = field(default_factory=set)
    systems: Mapping[str, SystemFile] | None = None

    def sources(self, pattern: str) -> Iterator[Source]:
        """The readable files of a pattern; a pattern without any file is a fault."""
        paths = sorted(self.folder.glob(pattern))
        if not paths:
            self.faults.append(Fault(pattern, 0, (), "no such file"))
        for path in paths:
            found = self.source(path, path.relative_to(self.folder).as_posix())
            if found is not None:
                yield found

    def source(self, path: Path, name: str, shown: str = "") -> Source | None:
        """One file; None when it cannot be read, and that fault is kept."""
        found = source(path, name, shown)
        if isinstance(found, Fault):
            self.faults.append(found)
            self.unread.add(name.partition("/")[0])
            return None
        return found

    def by_id(self, pattern: str) -> dict[str, Source]:
        """The files of a pattern by the id that each gives; two of one id are a fault."""
        found: dict[str, Source] = {}
        for item in self.sources(pattern):
            name = str(item.table.get("id", item.name))
            if name in found:
                self.faults.append(Sheet(item).fault(("id",), f"{name!r} is the id of {found[name].name} too"))
            found[name] = item
        return found

    def read(self, sheet: Sheet, shape: type[FileT]) -> FileT | None:
        """A sheet in its layout; None when it has faults, which are kept."""
        context: dict[str, Any] | None = {"systems": self.systems} if self.systems is not None else None
        return sheet.read(shape, self.faults, context)

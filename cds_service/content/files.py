"""Where content lies and how a file of it is read: TOML with exact numbers, the same in a checkout and a wheel."""

import hashlib
import re
import tomllib
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

from cds_service.content.faults import Fault, refusal
from cds_service.errors import InvalidContent

_AT_LINE = re.compile(r" \(at line (\d+), column \d+\)$")


def data_folder(name: str) -> Path:
    """The folder `cards` or `fhir_fixtures`: inside an installed package, else beside the package in a checkout."""
    installed = Path(str(files("cds_service"))) / "_data" / name
    checkout = Path(str(files("cds_service"))).parent / name
    for folder in (installed, checkout):
        if folder.is_dir():
            return folder
    raise InvalidContent(f"the folder {name}/ is not part of this installation: install crs-cds-hooks again")


@dataclass(frozen=True, slots=True)
class Source:
    """One file of content: its name below `cards/`, its text, and the table that a TOML text makes.

    `shown` is what its faults call it: the name, or for a file that lies elsewhere its path.
    """

    name: str
    text: str
    table: Mapping[str, Any]
    shown: str


def source(path: Path, name: str, shown: str = "") -> Source | Fault:
    """The file, or the fault that makes it unreadable."""
    shown = shown or name
    try:
        text = path.read_text(encoding="utf-8")
        return Source(name, text, tomllib.loads(text, parse_float=Decimal) if path.suffix == ".toml" else {}, shown)
    except OSError as error:
        return Fault(shown, 0, (), f"cannot be read: {error.strerror}")
    except UnicodeDecodeError as error:
        return Fault(shown, 0, (), f"is not UTF-8 text: {error.reason} at byte {error.start}")
    except tomllib.TOMLDecodeError as error:
        place = _AT_LINE.search(str(error))
        line = int(place[1]) if place else text.rstrip().count("\n") + 1
        return Fault(shown, line, (), f"is not valid TOML: {_AT_LINE.sub('', str(error))}")


def read_toml(path: Path) -> Mapping[str, Any]:
    """The table of one content file; numbers with a point become Decimal. Raises InvalidContent."""
    found = source(path, path.name)
    if isinstance(found, Fault):
        raise refusal([found])
    return found.table


def content_hash(sources: Iterable[Source]) -> str:
    """SHA-256 over names and texts, so that an answer can name exactly what knowledge spoke."""
    digest = hashlib.sha256()
    for name, text in sorted({(item.name, item.text) for item in sources}):
        digest.update(f"{name}\0{text}\0".encode())
    return digest.hexdigest()

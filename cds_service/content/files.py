"""Where content lies and how a file of it is read: TOML with exact numbers, the same in a checkout and a wheel."""

import hashlib
import tomllib
from decimal import Decimal
from importlib.resources import files
from pathlib import Path
from typing import Any

from cds_service.errors import InvalidContent


def data_folder(name: str) -> Path:
    """The folder `cards` or `fhir_fixtures`: inside an installed package, else beside the package in a checkout."""
    installed = Path(str(files("cds_service"))) / "_data" / name
    checkout = Path(str(files("cds_service"))).parent / name
    for folder in (installed, checkout):
        if folder.is_dir():
            return folder
    raise InvalidContent(f"the folder {name}/ is not part of this installation: install crs-cds-hooks again")


def read_toml(path: Path) -> dict[str, Any]:
    """One content file; numbers with a point become Decimal. Raises InvalidContent with the place of a fault."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8"), parse_float=Decimal)
    except OSError as error:
        raise InvalidContent(f"{path.name} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidContent(f"{path.name} is not valid TOML: {error}") from error


def content_hash(folder: Path) -> str:
    """SHA-256 over names and bytes of all files, so that an answer can name exactly what knowledge spoke."""
    digest = hashlib.sha256()
    for path in sorted(folder.rglob("*.toml")) + sorted(folder.rglob("*.md.j2")):
        digest.update(str(path.relative_to(folder)).encode())
        digest.update(b"\0")
        digest.update(path.read_bytes())
        digest.update(b"\0")
    return digest.hexdigest()

"""Files of settings that hold one table for each other party: read whole, with every fault named."""

import tomllib
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Annotated, Any, TypeVar

from pydantic import BaseModel, ConfigDict, StringConstraints, ValidationError

from cds_service.content.faults import plain
from cds_service.errors import InvalidSettings
from cds_service.fhir.addresses import FhirServer, fhir_server

Words = Annotated[str, StringConstraints(min_length=1, max_length=255, pattern=r"^\S+$")]
Identifier = Annotated[str, StringConstraints(pattern=r"^[a-z0-9][a-z0-9.\-]{0,63}$")]
"""What records and logs call the other party."""


class Entry(BaseModel):
    """One table: no key that nobody reads, no value of another type, and no value in an error."""

    model_config = ConfigDict(extra="forbid", frozen=True, strict=True, hide_input_in_errors=True)


EntryT = TypeVar("EntryT", bound=Entry)
MadeT = TypeVar("MadeT")


def read_entries(
    file: Path, setting: str, table: str, shape: type[EntryT], make: Callable[[EntryT], tuple[MadeT, list[str]]]
) -> tuple[list[MadeT], list[str]]:
    """What is made of each table of a file, and what is wrong with them, each fault with the table it is in.

    Raises InvalidSettings for a file that cannot be read or holds anything else.
    """
    made, faults = [], []
    for number, entry in enumerate(_tables(file, setting, table), 1):
        name = f"{table} {number}"
        if isinstance(entry, dict) and isinstance(entry.get("id"), str):
            name += f" ({entry['id']})"
        try:
            read = shape.model_validate(entry)
        except ValidationError as error:
            found = error.errors(include_url=False)
            faults += [f"{name}: {'.'.join(map(str, item['loc'])) or 'entry'}: {plain(item)}" for item in found]
            continue
        one, wrong = make(read)
        faults += [f"{name}: {words}" for words in wrong]
        made.append(one)
    return made, faults


def refuse(file: Path, faults: Sequence[str]) -> None:
    """Raises InvalidSettings with every fault, one a line; returns when there is none."""
    if faults:
        raise InvalidSettings(f"{file} has {len(faults)} fault(s):\n  " + "\n  ".join(faults))


def server(name: str, text: str, faults: list[str], *, plain_http: bool = False) -> FhirServer | None:
    """The server that is written so under a key: whatever it is for, it is asked by the same guarded client."""
    try:
        return fhir_server(text, plain_http=plain_http)
    except InvalidSettings as error:
        faults.append(f"{name}: {error.message}")
        return None


def _tables(file: Path, setting: str, table: str) -> list[Any]:
    try:
        document = tomllib.loads(file.read_text(encoding="utf-8"))
    except OSError as error:
        raise InvalidSettings(f"{setting}: {file} cannot be read: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise InvalidSettings(f"{setting}: {file} is not valid TOML: {error}") from error
    entries = document.get(table)
    if not isinstance(entries, list) or not entries or document.keys() != {table}:
        raise InvalidSettings(f"{setting}: {file} must hold tables [[{table}]], and nothing else")
    return entries

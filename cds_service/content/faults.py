"""A fault in content: file, line, key, and one plain sentence."""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from cds_service.content.lines import Key
from cds_service.errors import InvalidContent

_PLAIN = {
    "missing": "is missing",
    "extra_forbidden": "is not a key that is read here: look for a slip of spelling",
    "string_type": "must be text in quotes",
    "string_too_short": "must not be empty",
    "bool_type": "must be true or false",
    "list_type": "must be a list: [ ... ]",
    "dict_type": "must be a table",
    "model_type": "must be a table",
    "date_type": "must be a date without quotes, as in 2026-01-31",
    "int_type": "must be a whole number",
}


@dataclass(frozen=True, slots=True)
class Fault:
    """One fault. Line 0: the whole file; an empty key: the whole file too."""

    file: str
    line: int
    key: Key
    words: str

    def __str__(self) -> str:
        line = f":{self.line}" if self.line else ""
        key = ".".join(map(str, self.key))
        return f"{self.file}{line}: {f'{key}: ' if key else ''}{self.words}"


def refusal(faults: Iterable[Fault]) -> InvalidContent:
    """The error that lists faults, each once, one a line, in order of file and line."""
    found = sorted(set(faults), key=lambda fault: (fault.file, fault.line, str(fault)))
    said = tuple(map(str, found))
    return InvalidContent(f"the content has {len(said)} fault(s):\n  " + "\n  ".join(said), said)


def plain(error: Any) -> str:
    """What pydantic found wrong with one value, in a sentence for whoever edits the file."""
    kind = error["type"]
    if kind == "value_error":
        return str(error["ctx"]["error"])
    if kind == "literal_error":
        return f"{error['input']!r} where {error['ctx']['expected']} is expected"
    return _PLAIN.get(kind) or str(error["msg"]).replace("Input should be", "must be")

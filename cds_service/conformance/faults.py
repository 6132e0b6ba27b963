"""Faults, and the readers of JSON that find them: each reader skips what is absent or empty.

One mistake, one fault: an empty value is reported by G-2 (G-3 where the member is optional), an absent member by its
own rule.
"""

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime
from decimal import Decimal
from enum import StrEnum
from typing import Any
from urllib.parse import urlsplit


class Level(StrEnum):
    """How binding a rule is. SHOULD also stands for what is only recommended, or kept by some clients alone."""

    SHALL = "SHALL"
    SHOULD = "SHOULD"


@dataclass(frozen=True)
class Fault:
    """One broken rule: its id, where in the body, and what is wrong there."""

    rule: str
    path: str
    message: str
    level: Level = Level.SHALL

    def __str__(self) -> str:
        return f"{self.rule} at {self.path or 'the body'}: {self.message}"


def names(text: str) -> frozenset[str]:
    """The words of a text."""
    return frozenset(text.split())


# Optional members of CDS Hooks: an empty one should have been left out (G-3); elsewhere an empty value is wrong (G-2).
_OPTIONAL = names("""
    title prefetch usageRequirements version hookVersion extension detail suggestions selectionBehavior overrideReasons
    links url icon topic uuid isRecommended actions resourceId appContext systemActions
""")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")


def at(path: str, name: str | int) -> str:
    """The path of a member or an item below `path`."""
    if isinstance(name, int):
        return f"{path}[{name}]"
    if not name.replace("_", "a").isalnum():
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name


def is_empty(value: Any) -> bool:
    """Null, blank, or without items."""
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())


def is_number(value: Any) -> bool:
    """A finite number; an int of any size is one, and True is none."""
    if isinstance(value, float | Decimal):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _bad_characters(text: str, allowed: str = "") -> str:
    """Name the control, format (bidi, zero-width), line-separator and surrogate characters in a text."""
    bad = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp", "Cs"} and c not in allowed}
    return ", ".join(f"U+{ord(c):04X}" for c in sorted(bad))


def _is_absolute_url(text: str) -> bool:
    """https, or http on this machine."""
    if re.search(r"\s", text):
        return False
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    local = url.hostname in {"localhost", "127.0.0.1", "::1"}
    return bool(url.hostname) and "@" not in url.netloc and (url.scheme == "https" or (url.scheme == "http" and local))


class Faults(list[Fault]):
    """The faults found so far, and the readers that add to them."""

    def add(self, rule: str, path: str, message: str) -> None:
        """What the specification forbids."""
        self.append(Fault(rule, path, message))

    def advise(self, rule: str, path: str, message: str) -> None:
        """What should be otherwise, and may be as it is."""
        self.append(Fault(rule, path, message, Level.SHOULD))

    def members(
        self,
        value: dict[str, Any],
        path: str,
        required: Mapping[str, str],
        optional: Iterable[str] = (),
        unknown: str = "X-3",
        recommended: Mapping[str, str] = {},
    ) -> None:
        """Every required and recommended member there (each with its rule), and none that nobody defined."""
        for name in sorted(required.keys() - value.keys()):
            self.add(required[name], path, f"`{name}` is missing")
        for name in sorted(recommended.keys() - value.keys()):
            self.advise(recommended[name], path, f"`{name}` is missing")
        for name in sorted(value.keys() - required.keys() - recommended.keys() - set(optional) - {"extension"}):
            self.advise(unknown, at(path, name), "is not a member of this structure; additions belong in `extension`")
        if unknown == "G-5":
            self.objects(value, "extension", path, "G-5")
        elif any("." not in name for name in self.object(value, "extension", path, "X-3") or {}):
            self.advise("X-3", at(path, "extension"), "names its members by reversed domain: com.example.thing")

    def text(
        self, parent: dict[str, Any], name: str, path: str, rule: str, *, longest: int = 0, lines: str = ""
    ) -> str | None:
        value, path = parent.get(name), at(path, name)
        if is_empty(value):
            return None
        if not isinstance(value, str):
            self.add(rule, path, f"must be a string, not {type(value).__name__}")
            return None
        if longest and len(value) > longest:
            self.add(rule, path, f"has {len(value)} characters, {longest} are allowed")
        if bad := _bad_characters(value, lines):
            self.advise(rule, path, f"holds {bad}")
        if "{{" in value or "{%" in value:
            self.advise(rule, path, "holds a template that was not filled")
        return value

    def one_of(self, parent: dict[str, Any], name: str, path: str, rule: str, allowed: Collection[str]) -> None:
        value = parent.get(name)
        if not is_empty(value) and (not isinstance(value, str) or value not in allowed):
            self.add(rule, at(path, name), f"is {value!r}; allowed: {', '.join(sorted(allowed))}")

    def url(self, parent: dict[str, Any], name: str, path: str, rule: str) -> None:
        value = self.text(parent, name, path, rule)
        if value and not _is_absolute_url(value):
            say = self.advise if re.match(r"http://[^\s/@]+(/|$)", value) else self.add
            say(rule, at(path, name), f"{value!r} is not an absolute https URL (http on loopback only)")

    def uuid(self, parent: dict[str, Any], name: str, path: str, rule: str, seen: set[str]) -> None:
        value = self.text(parent, name, path, rule)
        if value is None:
            return
        if not _UUID.fullmatch(value):
            self.advise(rule, at(path, name), f"{value!r} is not a lower-case UUID")
        if value in seen:
            self.add(rule, at(path, name), "was used before in this answer")
        seen.add(value)

    def instant(self, parent: dict[str, Any], name: str, path: str, rule: str) -> datetime | None:
        """A date and time of RFC 3339 with its offset."""
        value = self.text(parent, name, path, rule)
        if value is None:
            return None
        try:
            if _INSTANT.fullmatch(value):
                return datetime.fromisoformat(value)
        except ValueError:
            pass
        self.add(rule, at(path, name), f"{value!r} is not an RFC 3339 time with an offset")
        return None

    def object(self, parent: dict[str, Any], name: str, path: str, rule: str) -> dict[str, Any] | None:
        value = parent.get(name)
        if is_empty(value):
            return None
        if not isinstance(value, dict):
            self.add(rule, at(path, name), f"must be an object, not {type(value).__name__}")
            return None
        return value

    def objects(self, parent: dict[str, Any], name: str, path: str, rule: str) -> list[tuple[str, dict[str, Any]]]:
        """The objects of an array, each with its path."""
        value, path = parent.get(name), at(path, name)
        if is_empty(value):
            return []
        if not isinstance(value, list):
            self.add(rule, path, f"must be an array, not {type(value).__name__}")
            return []
        for n, item in enumerate(value):
            if not is_empty(item) and not isinstance(item, dict):
                self.add(rule, at(path, n), f"must be an object, not {type(item).__name__}")
        return [(at(path, n), item) for n, item in enumerate(value) if item and isinstance(item, dict)]

    def texts(self, parent: dict[str, Any], name: str, path: str, rule: str) -> None:
        value, path = parent.get(name), at(path, name)
        if is_empty(value):
            return
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.add(rule, path, "must be an array of strings")

    def json(self, value: Any, path: str = "", name: str = "", may_be_empty: Mapping[str, Any] | None = None) -> None:
        """Only JSON values (G-1); no null, blank string, empty array or object (G-2, G-3) but those listed by path."""
        allowed = may_be_empty or {}
        if is_empty(value):
            if path not in allowed or value != allowed[path]:
                self.add("G-3" if name in _OPTIONAL else "G-2", path, f"is empty ({value!r}): leave it out or fill it")
        elif isinstance(value, dict):
            for key, member in value.items():
                self.json(member, at(path, key), key, allowed)
        elif isinstance(value, list):
            for n, item in enumerate(value):
                self.json(item, at(path, n), "", allowed)
        elif not isinstance(value, str | bool) and not is_number(value):
            self.add("G-1", path, f"{value!r} is not a JSON value")

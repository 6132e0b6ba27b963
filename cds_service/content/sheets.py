"""A table of content as it holds: from one file, or from one file with a site's changes laid over it."""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from functools import cached_property
from types import UnionType
from typing import Any, TypeVar, get_args, get_origin

from pydantic import BaseModel, ValidationError

from cds_service.content.faults import Fault, plain
from cds_service.content.files import Source
from cds_service.content.lines import Key, known_part, line_of, reaches

FileT = TypeVar("FileT", bound=BaseModel)


@dataclass(frozen=True)
class Sheet:
    """`base` with the changes that `site` makes `at` a key of its file. What a site adds has an empty base.

    `own` are keys that a site must give itself, `apart` keys of its file that belong to other sheets, `marks` what the
    loader writes over both.
    """

    base: Source
    site: Source | None = None
    at: Key = ()
    own: tuple[str, ...] = ()
    apart: tuple[str, ...] = ()
    marks: Mapping[str, Any] = field(default_factory=dict)

    @cached_property
    def inherited(self) -> Mapping[str, Any]:
        """What the base gives."""
        own = self.own if self.site is not None else ()
        return {key: value for key, value in self.base.table.items() if key not in own}

    @cached_property
    def changes(self) -> Mapping[str, Any]:
        """What the site gives."""
        table: Any = self.site.table if self.site is not None else {}
        for part in self.at:
            table = table.get(part, {})
        return {key: value for key, value in table.items() if key not in self.apart}

    @cached_property
    def table(self) -> Mapping[str, Any]:
        """The table that holds."""
        return {**_merged(self.inherited, self.changes), **self.marks}

    @property
    def sources(self) -> tuple[Source, ...]:
        """The files that it comes from."""
        return (self.base,) if self.site is None else (self.base, self.site)

    def fault(self, key: Key, words: str) -> Fault:
        """A fault at a key, in the file that the value comes from."""
        if self.site is not None and self._is_the_sites(key):
            return Fault(self.site.shown, line_of(self.site.text, self.at + key), self.at + key, words)
        return Fault(self.base.shown, line_of(self.base.text, key), key, words)

    def read(self, shape: type[FileT], faults: list[Fault], context: Mapping[str, Any] | None = None) -> FileT | None:
        """The table in its layout; None when it does not fit, and then every fault is added to `faults`."""
        found = [self.fault(key, "what it is based on has no such key") for key in _strange(self, shape)]
        try:
            read = shape.model_validate(self.table, context=context)
        except ValidationError as error:
            for item in error.errors(include_url=False):
                loc = tuple(item["loc"])
                known = known_part(self.table, loc)
                found.append(self.fault(loc[: len(known) + (item["type"] == "missing")], plain(item)))
            read = None
        faults.extend(found)
        return read if not found else None

    def _is_the_sites(self, key: Key) -> bool:
        known = known_part(self.changes, key)
        if known == key or not self.inherited or key[0] in self.own:
            return True
        if not known or not reaches(self.inherited, known):
            return bool(known)
        return _is_whole(_value(self.changes, known)) or _is_whole(_value(self.inherited, known))


def _merged(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Mapping[str, Any]:
    """Tables key by key; figures, codes and lists are replaced whole, or a value would keep another's reference."""
    together = dict(base)
    for key, new in changes.items():
        whole = key not in base or _is_whole(base[key]) or _is_whole(new)
        together[key] = new if whole else _merged(base[key], new)
    return together


def _value(table: Any, key: Key) -> Any:
    for part in key:
        table = table[part]
    return table


def _is_whole(value: Any) -> bool:
    return not isinstance(value, Mapping) or "unit" in value or "system" in value


def _strange(sheet: Sheet, shape: type[BaseModel]) -> Iterator[Key]:
    """Names that a site adds where only those of the base mean something: tables whose layout does not fix the keys."""
    if sheet.site is not None:
        for key in _added(sheet.inherited, sheet.changes):
            if not _is_table(_layout(shape, key[:-1])):
                yield key


def _added(base: Mapping[str, Any], changes: Mapping[str, Any]) -> Iterator[Key]:
    for key, new in changes.items():
        if key not in base:
            yield (key,)
        elif not _is_whole(base[key]) and not _is_whole(new):
            yield from ((key, *deeper) for deeper in _added(base[key], new))


def _layout(shape: Any, key: Key) -> Any:
    """The type of what stands at a key, None where there is none."""
    for part in key:
        if _is_table(shape):
            field = shape.model_fields.get(str(part))
            inner = field.annotation if field is not None else None
        else:
            inner = get_args(shape)[1] if get_origin(shape) is dict else None
        shape = get_args(inner)[0] if isinstance(inner, UnionType) else inner
    return shape


def _is_table(shape: Any) -> bool:
    """Whether it is a table with keys of its own, not a list of names as `dict[str, ...]` is."""
    return isinstance(shape, type) and issubclass(shape, BaseModel) and "root" not in shape.model_fields

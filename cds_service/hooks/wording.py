"""Words: the texts of `cards/text/` filled with values. Whatever comes from the record is escaped on the way in."""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, tzinfo
from typing import Any

from jinja2 import Environment, StrictUndefined

from cds_service.crs.figures import span
from cds_service.crs.sentences import Line, Say

MAXIMUM_SUMMARY = 139
_HARMLESS = re.compile(r"(?:[A-Za-z0-9,;()%+=/°µ-]| (?! )|(?<![wW])\.(?![A-Za-z]))*")
"""Most of what is shown: numbers with units, and words between which there is one space."""
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#!&$])")
_DOMAIN = re.compile(r"(?i)(?<=[a-z0-9])\.(?=[a-z]{2})")
_LINK = re.compile(r"(?i)(?<=:)(?=//)|(?<=www)(?=\.)|(?<=\S)(?=@)|(?<=@)(?=\S)")
_BLANKS = re.compile(r" {2,}")
_WIDE = {ord(sign): ord(sign) + 0xFEE0 for sign in "\\`*_[]<>|~#!&$"}
"""Signs of markup and what looks like them: their full-width forms."""
_BLANK_LINES = re.compile(r"\n{3,}")


class Markdown(str):
    """A string that is Markdown already."""

    __slots__ = ()


def escaped(value: str) -> str:
    """A plain string as Markdown that shows it as text: no markup, no table cell, no line of its own (T72).

    Some readers link addresses even when they are escaped: a space within breaks them.
    """
    if _HARMLESS.fullmatch(value):
        return value
    return _DOMAIN.sub(r"\\.", _LINK.sub(" ", _SPECIAL.sub(r"\\\1", one_line(value))))


def one_line(value: str) -> str:
    """A string without line ends, control and direction characters: nothing of it reaches beyond its place."""
    if not value.isprintable():
        value = "".join(letter if letter.isprintable() else " " for letter in value)
    return _BLANKS.sub(" ", value)


def plain(value: str) -> str:
    """A string for where no markup is read, and some readers look for it all the same: there is none in it (T72)."""
    return _DOMAIN.sub("\uff0e", _LINK.sub(" ", one_line(value).translate(_WIDE)))


def within(summary: str) -> str:
    """A summary of at most 139 characters, cut between words where it must be: half a number is another (C-2, T75)."""
    shown = plain(summary).strip()
    if len(shown) <= MAXIMUM_SUMMARY:
        return shown
    cut = shown[:MAXIMUM_SUMMARY]
    return (cut.rpartition(" ")[0] or cut[:-1]) + "…"


@dataclass(frozen=True, slots=True)
class Clock:
    """Shows times of one answer: in the site's zone, the day only when it is not today."""

    now: datetime
    zone: tzinfo

    def __call__(self, time: datetime) -> str:
        local, today = time.astimezone(self.zone), self.now.astimezone(self.zone)
        return local.strftime("%H:%M") if local.date() == today.date() else local.strftime("%-d %b %H:%M")

    def ago(self, time: datetime) -> str:
        """The time and how long ago it was."""
        return f"{self(time)}, {span(self.now - time)} ago"

    @property
    def offset(self) -> str:
        """The zone as it is printed, e.g. `UTC+01:00`."""
        return f"UTC{self.now.astimezone(self.zone).isoformat(timespec='minutes')[-6:]}"


class Wording:
    """Sentences and templates, compiled once."""

    def __init__(self, sentences: Mapping[str, str], templates: Mapping[str, str]) -> None:
        environment = Environment(
            autoescape=False,  # noqa: S701 - this is Markdown, and finalize escapes it
            finalize=lambda value: value if isinstance(value, Markdown) else escaped(str(value)),
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        environment.globals.clear()
        environment.filters["sentence"] = lambda value: str(value)[:1].upper() + str(value)[1:]
        self._sentences = {Say(key): environment.from_string(text) for key, text in sentences.items()}
        self._templates = {name: environment.from_string(text) for name, text in templates.items()}

    def lines(self, lines: Iterable[Line], clock: Clock) -> list[Markdown]:
        """Each line as Markdown."""
        return [Markdown(self._render(line, clock, str)) for line in lines]

    def phrases(self, lines: Iterable[Line], clock: Clock) -> list[str]:
        """Each line as a plain string, for a summary or to be escaped as a whole."""
        return [self._render(line, clock, Markdown) for line in lines]

    def _render(self, line: Line, clock: Clock, kind: type[str]) -> str:
        values = {name: _shown(value, clock, kind) for name, value in line.values.items()}
        return self._sentences[line.say].render(values)

    def detail(self, template: str, **values: Any) -> str:
        """A card's detail."""
        return _BLANK_LINES.sub("\n\n", self._templates[template].render(values).strip())


def _shown(value: object, clock: Clock, kind: type[str]) -> object:
    if isinstance(value, datetime):
        return clock(value)
    return kind(value) if isinstance(value, str) else value

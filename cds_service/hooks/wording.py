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
_SPECIAL = re.compile(r"([\\`*_\[\]<>|~#!&$])")
_LINKS = re.compile(r"(?i):(?=//)|(?<=www)\.|@")


class Markdown(str):
    """A string that is Markdown already."""

    __slots__ = ()


def escaped(value: str) -> str:
    """A plain string as Markdown that shows exactly it: no markup, no table cell, no link of its own (T72)."""
    return _LINKS.sub(r"\\\g<0>", _SPECIAL.sub(r"\\\1", value))


def within(summary: str) -> str:
    """A summary of at most 139 characters, cut where it must be (C-2, T75)."""
    plain = " ".join(summary.split())
    return plain if len(plain) <= MAXIMUM_SUMMARY else plain[: MAXIMUM_SUMMARY - 1] + "…"


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
        return (
            "UTC"
            + self.now.astimezone(self.zone).strftime("%z")[:3]
            + ":"
            + self.now.astimezone(self.zone).strftime("%z")[3:]
        )


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
        environment.filters["sentence"] = lambda value: str(value)[:1].upper() + str(value)[1:]
        self._sentences = {Say(key): environment.from_string(text) for key, text in sentences.items()}
        self._templates = {name: environment.from_string(text) for name, text in templates.items()}

    def lines(self, lines: Iterable[Line], clock: Clock) -> list[Markdown]:
        """Each line as Markdown."""
        return [
            Markdown(
                self._sentences[line.say].render({name: _shown(value, clock) for name, value in line.values.items()})
            )
            for line in lines
        ]

    def detail(self, template: str, **values: Any) -> str:
        """A card's detail."""
        return self._templates[template].render(values).strip()


def _shown(value: object, clock: Clock) -> object:
    return clock(value) if isinstance(value, datetime) else value

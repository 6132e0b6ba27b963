"""Value sets: which codes and words stand for which meaning (`cards/codes/`).

Code first, word second: a coding that is known decides, a text is only searched for words when no coding is known.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property

from cds_service.crs.scale import Range


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a code system with the meaning read from the literature, and how sure that reading is."""

    system: str
    code: str
    display: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing the rules know, e.g. the agent `norepinephrine`; `group` is its role, e.g. `vasopressor`.

    `unit` is the unit in which rules compare its number, `plausible` the values that can be true; else neither.
    """

    id: str
    display: str
    group: str
    codes: tuple[Code, ...] = ()
    words: tuple[str, ...] = ()
    unit: str = ""
    plausible: Range | None = None


@dataclass(frozen=True, slots=True)
class Refusal:
    """Codes and words that look like a member and are not; `reason` is shown as the reason for not using a reading."""

    reason: str
    codes: tuple[Code, ...] = ()
    words: tuple[str, ...] = ()


Member = Meaning | Refusal


def normalised(text: str) -> str:
    """Lower case, single spaces: the form in which words are compared."""
    return " ".join(text.casefold().split())


_TOKEN = re.compile(r"[a-z0-9]+")


@dataclass(frozen=True, slots=True)
class _Word:
    """A word of a member; its pattern is only tried on a text that has all its `tokens`."""

    tokens: frozenset[str]
    pattern: re.Pattern[str]
    member: Member


def _word(word: str, member: Member) -> _Word:
    plain = normalised(word)
    whole = rf"(?<![a-z0-9]){re.escape(plain)}(?![a-z0-9])"
    return _Word(frozenset(_TOKEN.findall(plain)), re.compile(whole), member)


@dataclass(frozen=True)
class ValueSet:
    """Meanings with their codes and words, and what is refused."""

    id: str
    title: str
    meanings: tuple[Meaning, ...]
    refusals: tuple[Refusal, ...] = ()

    @cached_property
    def by_code(self) -> Mapping[tuple[str, str], Member]:
        """The member of each `(system, code)`."""
        members: tuple[Member, ...] = (*self.meanings, *self.refusals)
        return {(code.system, code.code): member for member in members for code in member.codes}

    @cached_property
    def _words(self) -> tuple[_Word, ...]:
        """Longest word first, so that `cpap mask` is found before `mask` (clinical 3.4); a refusal before a meaning."""
        members: tuple[Member, ...] = (*self.refusals, *self.meanings)
        pairs = [(word, member) for member in members for word in member.words]
        pairs.sort(key=lambda pair: (not isinstance(pair[1], Refusal), -len(pair[0])))
        return tuple(_word(*pair) for pair in pairs)

    @cached_property
    def codes(self) -> tuple[Code, ...]:
        """The codes of all meanings, in file order: what a query asks for."""
        return tuple(code for meaning in self.meanings for code in meaning.codes)

    def coded(self, codings: Iterable[tuple[str, str]]) -> Member | None:
        """The member of which a coding `(system, code)` is known. A refused one outweighs the others."""
        known = [self.by_code[coding] for coding in codings if coding in self.by_code]
        return next((member for member in known if isinstance(member, Refusal)), known[0] if known else None)

    def worded(self, text: str) -> Member | None:
        """The member of which a word stands in the text, whole and in any case."""
        plain = normalised(text)
        tokens = set(_TOKEN.findall(plain))
        return next((w.member for w in self._words if w.tokens <= tokens and w.pattern.search(plain)), None)

    def all_worded(self, text: str) -> list[Member]:
        """All members named in the text; words inside a longer word that was found do not count."""
        return self.taken_apart(text)[0]

    def taken_apart(self, text: str) -> tuple[list[Member], str]:
        """All members named in the text, and the text without the words that name them."""
        plain = normalised(text)
        tokens = set(_TOKEN.findall(plain))
        found = []
        for word in self._words:
            if word.tokens <= tokens:
                plain, count = word.pattern.subn(" ", plain)
                if count:
                    found.append(word.member)
        return found, plain

    def named(self, texts: Iterable[str], *, beside_code: bool) -> Member | None:
        """The first meaning that the texts name, or a refusal that they name beside a meaning or a known code."""
        texts = list(texts)
        found = [member for text in texts for member in self.all_worded(text)]
        refusal = next((member for member in found if isinstance(member, Refusal)), None)
        if refusal is None or beside_code:
            return refusal or (found[0] if found else None)
        return refusal if any(self._names_meaning(text) for text in texts) else None

    def _names_meaning(self, text: str) -> bool:
        plain = normalised(text)
        return any(isinstance(word.member, Meaning) and word.pattern.search(plain) for word in self._words)

"""Value sets: which codes and words stand for which meaning (`cards/codes/`).

Code first, word second: a coding that is known decides, a text is only searched for words when no coding is known.
"""

import re
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from functools import cached_property


@dataclass(frozen=True, slots=True)
class Code:
    """One code of a code system with the meaning read from the literature, and how sure that reading is."""

    system: str
    code: str
    display: str
    confidence: str


@dataclass(frozen=True, slots=True)
class Meaning:
    """One thing the rules know, e.g. the agent `norepinephrine`; `group` is its role, e.g. `vasopressor`."""

    id: str
    display: str
    group: str
    codes: tuple[Code, ...] = ()
    words: tuple[str, ...] = ()


@dataclass(frozen=True, slots=True)
class Refusal:
    """Codes and words that look like a member and are not; `reason` is shown as the reason for not using a reading."""

    reason: str
    codes: tuple[Code, ...] = ()
    words: tuple[str, ...] = ()


def normalised(text: str) -> str:
    """Lower case, single spaces: the form in which words are compared."""
    return " ".join(text.casefold().split())


def _whole_word(word: str) -> str:
    return rf"(?<![a-z0-9]){re.escape(normalised(word))}(?![a-z0-9])"


@dataclass(frozen=True)
class ValueSet:
    """Meanings with their codes and words, and what is refused."""

    id: str
    title: str
    meanings: tuple[Meaning, ...]
    refusals: tuple[Refusal, ...] = ()

    @cached_property
    def by_id(self) -> Mapping[str, Meaning]:
        return {meaning.id: meaning for meaning in self.meanings}

    @cached_property
    def _by_code(self) -> Mapping[tuple[str, str], Meaning | Refusal]:
        members: tuple[Meaning | Refusal, ...] = (*self.meanings, *self.refusals)
        return {(code.system, code.code): member for member in members for code in member.codes}

    @cached_property
    def _by_word(self) -> tuple[tuple[re.Pattern[str], Meaning | Refusal], ...]:
        """Longest word first, so that `cpap mask` is found before `mask` (clinical 3.4); a refusal before a meaning."""
        members: tuple[Meaning | Refusal, ...] = (*self.refusals, *self.meanings)
        pairs = [(word, member) for member in members for word in member.words]
        pairs.sort(key=lambda pair: (not isinstance(pair[1], Refusal), -len(pair[0])))
        return tuple((re.compile(_whole_word(word)), member) for word, member in pairs)

    @cached_property
    def codes(self) -> tuple[Code, ...]:
        """The codes of all meanings, in file order: what a query asks for."""
        return tuple(code for meaning in self.meanings for code in meaning.codes)

    def find(self, codings: Iterable[tuple[str, str]], texts: Iterable[str]) -> Meaning | Refusal | None:
        """The member that a concept stands for: by coding `(system, code)`, else by a whole word in a text."""
        for coding in codings:
            member = self._by_code.get(coding)
            if member is not None:
                return member
        for text in texts:
            member = self.find_word(text)
            if member is not None:
                return member
        return None

    def find_word(self, text: str) -> Meaning | Refusal | None:
        """The member of which a word stands in the text, whole and in any case."""
        plain = normalised(text)
        return next((member for pattern, member in self._by_word if pattern.search(plain)), None)

    def find_words(self, text: str) -> list[Meaning | Refusal]:
        """All members named in the text; words inside a longer word that was found do not count."""
        plain = normalised(text)
        found = []
        for pattern, member in self._by_word:
            plain, count = pattern.subn(" ", plain)
            if count:
                found.append(member)
        return found

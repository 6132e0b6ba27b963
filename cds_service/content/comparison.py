"""What differs between two protocols, statement by statement."""

from collections.abc import Sequence
from dataclasses import dataclass

from cds_service.content.statements import Statement

FIRST = ("Any grade", "Grade 1", "Grade 2", "Grade 3", "Grade 4")


@dataclass(frozen=True, slots=True)
class Change:
    """A statement as it was and as it is; None where there is none."""

    old: Statement | None
    new: Statement | None

    @property
    def either(self) -> Statement:
        """The statement by which the change is named."""
        found = self.new or self.old
        if found is None:
            raise ValueError("a change needs a statement")
        return found


def changes(old: Sequence[Statement], new: Sequence[Statement]) -> list[Change]:
    """Every statement that is not the same in both, grades first, then section by section."""
    before = {(item.section, item.key): item for item in old}
    after = {(item.section, item.key): item for item in new}
    sections = list(dict.fromkeys([*FIRST, *(item.section for item in (*new, *old))]))
    found = [
        Change(before.get(name), after.get(name))
        for name in dict.fromkeys([*after, *before])
        if before.get(name) != after.get(name)
    ]
    return sorted(found, key=lambda change: sections.index(change.either.section))

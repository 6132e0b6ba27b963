"""The parts of documents that are made from what they speak of, between `<!-- name -->` and `<!-- end of name -->`.

`python -m tests.made_parts` (`make rules`) writes them.
"""

import re
from collections.abc import Iterable
from pathlib import Path

from cds_service.cli.serve import knowledge_of
from cds_service.fhir.needs import Need
from cds_service.fhir.survey import scopes_of, types, unknown_without
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import SERVICES
from cds_service.web.settings import Settings

DOCS = Path(__file__).parents[1] / "docs"


def parts() -> dict[str, dict[str, str]]:
    """For each document its parts by name."""
    known = knowledge_of(Settings())
    return {
        "connect.md": {
            "services": _services(),
            "needs": _needs(known.needs),
            "queries": _queries(known.needs),
            "scopes": _scopes(known.needs),
            "reasons": _reasons(known),
        }
    }


def with_parts(text: str, made: dict[str, str]) -> str:
    """A document with its parts as they are made now. Raises ValueError for a part that has no place in it."""
    for name, content in made.items():
        place = re.compile(rf"(<!-- {name} -->\n).*?(<!-- end of {name} -->)", re.DOTALL)
        if not place.search(text):
            raise ValueError(f"the document has no place for {name}")
        text = place.sub(lambda found, content=content: f"{found[1]}{content}{found[2]}", text)
    return text


def table(*rows: Iterable[str]) -> str:
    """A table of Markdown; the first row is its head."""
    head, *rest = [list(row) for row in rows]
    return "".join(f"| {' | '.join(row)} |\n" for row in (head, ["---"] * len(head), *rest))


def _services() -> str:
    named = ([known.hook, f"`https://cds.example.org/cds-services/{known.id}`", known.title] for known in SERVICES)
    return table(("hook", "URL", "what it does"), *named)


def _needs(needs: tuple[Need, ...]) -> str:
    """Each key, its resource, what it holds, and which facts nothing else supplies."""
    rows = []
    for need in needs:
        [lost] = unknown_without(needs, [need.key]).values()
        rows.append([f"`{need.key}`", need.resource_type, need.title, ", ".join(lost).replace("_", " ") or "-"])
    return table(("key", "resource", "what", "not known without it"), *rows)


def _queries(needs: tuple[Need, ...]) -> str:
    return "".join(f"`{need.key}`\n\n```text\n{need.template}\n```\n\n" for need in needs)


def _scopes(needs: tuple[Need, ...]) -> str:
    rows = []
    for kind in dict.fromkeys(kind for need in needs for kind in types(need)):
        keys = ", ".join(f"`{need.key}`" for need in needs if kind in types(need))
        rows.append([kind, *(f"`{scope}`" for scope in scopes_of(kind).values()), keys])
    return table(("resource", *scopes_of("Patient"), "for"), *rows)


def _reasons(known: Knowledge) -> str:
    found = known.content.override_reasons
    rows = ([f"`{reason['code']}`", reason["display"], f"`{reason['system']}`"] for reason in found)
    return table(("code", "shown", "system"), *rows)


if __name__ == "__main__":
    for name, made in parts().items():
        document = DOCS / name
        document.write_text(with_parts(document.read_text(encoding="utf-8"), made), encoding="utf-8")

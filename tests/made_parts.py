"""The parts of documents that are made from what they speak of, between `<!-- name -->` and `<!-- end of name -->`.

`python -m tests.made_parts` (`make rules`) writes them.
"""

import re
import tomllib
from collections.abc import Iterable
from pathlib import Path
from typing import Any

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name

from cds_service.cli.serve import knowledge_of
from cds_service.fhir.needs import Need
from cds_service.fhir.survey import scopes_of, types, unknown_without
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import SERVICES
from cds_service.web.about import facts
from cds_service.web.settings import Settings

ROOT = Path(__file__).parents[1]
DOCS = ROOT / "docs"


def parts() -> dict[str, dict[str, str]]:
    """For each document its parts by name."""
    known = knowledge_of(Settings())
    about = facts(known.content)
    return {
        "connect.md": {
            "services": _services(),
            "needs": _needs(known.needs),
            "queries": _queries(known.needs),
            "scopes": _scopes(known.needs),
            "reasons": _reasons(known),
        },
        "safety.md": {"intended": _intended(about), "attributes": _attributes(about), "parts": _parts()},
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


def _intended(about: dict[str, Any]) -> str:
    limits = "".join(f"- {line}\n" for line in about["boundary"])
    return f"{about['intendedUse']}\n\n{limits}"


def _attributes(about: dict[str, Any]) -> str:
    """The thirteen source attributes, in the order of the rule."""
    given = about["sourceAttributes"]
    cited = "<br>".join(f"{entry['citedFor']}: {entry['text']}" for entry in given["bibliographicCitation"])
    rows = [
        ("bibliographic citation", cited),
        ("developer", given["developer"]),
        ("source of funding", given["fundingSource"]),
        ("dates", f"released {given['released']}, revised {given['revised']}"),
        *((f"uses {use['data'].replace('_', ' ')}", use["how"]) for use in given["dataUse"]),
    ]
    return table(("attribute", "what"), *rows)


def _parts() -> str:
    """What is installed with the service: those it names, and what they are for; then those that they bring."""
    project = tomllib.loads((ROOT / "pyproject.toml").read_text(encoding="utf-8"))
    purposes = project["tool"]["crs-cds"]["parts"]
    versions = locked(ROOT / "requirements.lock")
    rows = []
    for text in project["project"]["dependencies"]:
        name = canonicalize_name(Requirement(text).name)
        if name not in purposes:
            raise ValueError(f"say what {name} is for in [tool.crs-cds.parts] of pyproject.toml")
        rows.append([name, versions.pop(name), purposes[name]])
    brought = ", ".join(f"{name} {version}" for name, version in versions.items())
    return table(("part", "version", "what for"), *rows) + f"\nThese bring: {brought}.\n"


def locked(lock: Path) -> dict[str, str]:
    """The versions of a lock by name."""
    found = re.findall(r"^([A-Za-z0-9._-]+)==([^\s;]+)", lock.read_text(encoding="utf-8"), re.MULTILINE)
    return {canonicalize_name(name): version for name, version in found}


if __name__ == "__main__":
    for name, made in parts().items():
        document = DOCS / name
        document.write_text(with_parts(document.read_text(encoding="utf-8"), made), encoding="utf-8")

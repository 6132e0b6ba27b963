"""GET /about: where the knowledge comes from and what it is for, as JSON and as a page, both from one set of facts."""

from dataclasses import dataclass
from typing import Any

import orjson

from cds_service import __version__
from cds_service.content.load import Content
from cds_service.web.page import page


@dataclass(frozen=True, slots=True)
class About:
    """Both forms of the answer, made once at start."""

    document: bytes
    page: bytes

    @classmethod
    def of(cls, content: Content) -> "About":
        """The facts of checked content, written in both forms."""
        known = facts(content)
        return cls(orjson.dumps(known), page("about.html", known))


def facts(content: Content) -> dict[str, Any]:
    """Everything the page says, ready for JSON."""
    about, protocol, scale = content.about, content.protocol, content.scale
    return {
        "name": about.name,
        "version": __version__,
        "intendedUse": about.intended_use,
        "boundary": about.boundary,
        "sourceAttributes": _source_attributes(content),
        "protocol": {
            "id": protocol.id,
            "title": protocol.title,
            "version": protocol.version,
            "scale": f"{scale.id} {scale.version}",
            "contentHash": content.hash,
            "status": about.article.status,
            "note": about.article.note,
        },
        "departures": [entry.model_dump() for entry in about.departure],
        "unconfirmed": about.unconfirmed,
        "openapi": "openapi.json",
    }


def _source_attributes(content: Content) -> dict[str, Any]:
    """The thirteen source attributes, in the order of the rule."""
    about = content.about
    cited = [
        {"citedFor": "treatment", "text": content.protocol.citation},
        {"citedFor": "grading", "text": content.scale.citation},
        *({"citedFor": entry.cited_for, "text": entry.text} for entry in about.citation),
    ]
    return {
        "bibliographicCitation": cited,
        "developer": about.developer,
        "fundingSource": about.funding,
        "released": about.released.isoformat(),
        "revised": about.revised.isoformat(),
        "dataUse": [{"data": data, "used": use.used, "how": use.how} for data, use in about.data_use.entries()],
    }

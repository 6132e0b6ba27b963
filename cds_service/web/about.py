"""GET /about: where the knowledge comes from and what it is for, as JSON and as a page, both from one set of facts."""

from base64 import b64encode
from dataclasses import dataclass
from hashlib import sha256
from importlib.resources import files
from typing import Any

import orjson
from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

from cds_service import __version__
from cds_service.content.load import Content

JSON, HTML = "application/json", "text/html"
STYLE = files("cds_service.web").joinpath("templates/about.css").read_text(encoding="utf-8")
POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""The page may show its one style sheet, known by its hash, and do nothing else."""


@dataclass(frozen=True, slots=True)
class About:
    """Both forms of the answer, made once at start."""

    document: bytes
    page: bytes

    @classmethod
    def of(cls, content: Content) -> "About":
        """The facts of checked content, written in both forms."""
        known = facts(content)
        pages = Environment(
            loader=PackageLoader("cds_service.web"),
            autoescape=True,
            undefined=StrictUndefined,
            trim_blocks=True,
            lstrip_blocks=True,
        )
        style = Markup(STYLE)  # noqa: S704 - a file of this package, without a value in it
        return cls(orjson.dumps(known), pages.get_template("about.html").render(known, style=style).encode())


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

"""Pages for people: one style sheet, no script, nothing loaded from elsewhere."""

from base64 import b64encode
from collections.abc import Mapping
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

JSON, HTML = "application/json", "text/html"
STYLE = files("cds_service.web").joinpath("templates/page.css").read_text(encoding="utf-8")
POLICY = "; ".join(
    (
        "default-src 'none'",
        f"style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'",
        "base-uri 'none'",
        "form-action 'none'",
        "frame-ancestors 'none'",
    )
)
"""A page may show its one style sheet, known by its hash, and do nothing else."""


def page(template: str, values: Mapping[str, Any]) -> bytes:
    """A page from its template; values are escaped."""
    pages = Environment(
        loader=PackageLoader("cds_service.web"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    style = Markup(STYLE)  # noqa: S704 - a file of this package, without a value in it
    return pages.get_template(template).render(values, style=style).encode()

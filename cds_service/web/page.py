"""Pages for people: one style sheet, no script, nothing loaded from elsewhere."""

from base64 import b64encode
from collections.abc import Mapping, Sequence
from hashlib import sha256
from importlib.resources import files
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined
from markupsafe import Markup

JSON, HTML = "application/json", "text/html"
NO_ORIGIN = "'none'"
STYLE = files("cds_service.web").joinpath("templates/page.css").read_text(encoding="utf-8")


def policy(frame_ancestors: Sequence[str] = ()) -> str:
    """A page may show its one style sheet, known by its hash, and do nothing else.

    In a frame it is shown only by pages of these origins.
    """
    return "; ".join(
        (
            "default-src 'none'",
            f"style-src 'sha256-{b64encode(sha256(STYLE.encode()).digest()).decode()}'",
            "base-uri 'none'",
            "form-action 'none'",
            f"frame-ancestors {' '.join(frame_ancestors) or NO_ORIGIN}",
        )
    )


POLICY = policy()


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

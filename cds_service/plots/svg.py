"""Drawings as SVG that stands in a page: no script, no style of its own, its colours those of the page."""

import re
from collections.abc import Iterator
from contextlib import contextmanager
from io import BytesIO
from threading import Lock
from typing import TYPE_CHECKING, Any
from xml.etree import ElementTree

if TYPE_CHECKING:
    from matplotlib.figure import Figure

INK = "#010203"
"""Stands for the colour of the page's text, which a plot does not know."""
COLOURS = ("#0072b2", "#d55e00", "#009e73", "#7d858d", "#9a6fb0")
"""Told apart on a light and on a dark page, and by most people who see few colours."""
SVG = "{http://www.w3.org/2000/svg}"
_FONT_SIZE = re.compile(r"([\d.]+)px")
_one_at_a_time = Lock()
"""Settings of matplotlib are those of the process."""


@contextmanager
def drawing(name: str) -> Iterator[None]:
    """Within it figures are made and written, in INK, the same bytes for the same numbers.

    matplotlib takes a second to load: only who asks for a picture waits.
    """
    import matplotlib as mpl

    settings: dict[Any, Any] = {"svg.fonttype": "none", "svg.hashsalt": name, "text.parse_math": False}
    settings |= dict.fromkeys(("axes.edgecolor", "axes.labelcolor", "text.color", "xtick.color", "ytick.color"), INK)
    with _one_at_a_time, mpl.rc_context(settings):
        yield


def drawn(figure: "Figure") -> ElementTree.Element:
    """The figure as a tree of SVG, without what tells when and by what it was made."""
    ElementTree.register_namespace("", SVG[1:-1])
    written = BytesIO()
    figure.savefig(written, format="svg", metadata=dict.fromkeys(("Creator", "Date", "Format", "Type")))
    return ElementTree.fromstring(written.getvalue())  # noqa: S314 - made above


def of_page(root: ElementTree.Element, name: str) -> ElementTree.Element:
    """The drawing as a part of a page: as wide as its place, styled by attributes, its ids its own."""
    for element in root.iter():
        for child in [child for child in element if child.tag in (f"{SVG}style", f"{SVG}metadata")]:
            element.remove(child)
        for attribute, value in _attributes(element).items():
            element.set(attribute, _own(attribute, value, name))
    for attribute in ("width", "height"):
        del root.attrib[attribute]
    return root


def _own(attribute: str, value: str, prefix: str) -> str:
    """A value with the ids in it made the plot's own, and the page's colour in place of INK."""
    if attribute == "id":
        return f"{prefix}-{value}"
    if attribute == "href":
        return value.replace("#", f"#{prefix}-", 1)
    return "currentColor" if value == INK else value.replace("url(#", f"url(#{prefix}-")


def _attributes(element: ElementTree.Element) -> dict[str, str]:
    """The attributes of an element, those within its style too; the family of fonts is that of the page."""
    found = {name.rpartition("}")[2]: value for name, value in element.attrib.items()}
    for declaration in found.pop("style", "").split(";"):
        name, _, value = (part.strip() for part in declaration.partition(":"))
        size = _FONT_SIZE.search(value) if name in ("font", "font-size") else None
        if size is not None:
            found["font-size"] = size[1]
        elif name == "font-weight" or (name and not name.startswith("font")):
            found[name] = value
    element.attrib.clear()
    return found

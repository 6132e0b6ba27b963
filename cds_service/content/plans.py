"""A protocol with the scale, orders and sentences as they hold for it: those that ship, with a site's changes.

A site's protocol is one file: `based_on` names a protocol, and the file gives only what differs. `[grading]` changes
the scale, `[order.ID]` changes an order or adds one, `[text]` sentences; all else changes the protocol itself.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass, replace

from cds_service.content.faults import Fault
from cds_service.content.files import Source
from cds_service.content.lines import reaches
from cds_service.content.reading import Reading
from cds_service.content.sheets import Sheet

IDENTITY = ("id", "version", "title", "citation", "date")
"""What a site's protocol must say of itself."""
CHANGES = ("grading", "order", "text")
"""Tables of a site's file that do not change the protocol's own."""


@dataclass(frozen=True)
class Shelf:
    """The files that protocols choose from, by id."""

    protocols: Mapping[str, Source]
    scales: Mapping[str, Source]
    orders: Mapping[str, Source]
    sentences: Source | None

    @classmethod
    def of(cls, reading: Reading) -> "Shelf":
        """The files of a folder."""
        return cls(
            protocols=reading.by_id("protocols/*.toml"),
            scales=reading.by_id("scales/*.toml"),
            orders=reading.by_id("orders/*.toml"),
            sentences=next(reading.sources("text/sentences.toml"), None),
        )


@dataclass(frozen=True)
class Plan:
    """The sheets of one protocol."""

    protocol: Sheet
    scale: Sheet | None
    orders: Mapping[str, Sheet]
    sentences: Sheet | None

    @property
    def sources(self) -> tuple[Source, ...]:
        """Every file that made it."""
        sheets = (self.protocol, self.scale, self.sentences, *self.orders.values())
        return tuple(item for sheet in sheets if sheet is not None for item in sheet.sources)

    @property
    def site(self) -> Source | None:
        """The file of a site, None for a protocol that stands alone."""
        return self.protocol.site


def plan(source: Source, shelf: Shelf, reading: Reading) -> Plan | None:
    """The sheets of a protocol. Faults of `based_on`, `scale` and the tables of changes are kept."""
    if "based_on" not in source.table:
        protocol = Sheet(source)
        orders = {name: Sheet(order) for name, order in shelf.orders.items()}
        sentences = Sheet(shelf.sentences) if shelf.sentences is not None else None
        return Plan(protocol=protocol, scale=_scale(protocol, shelf, reading), orders=orders, sentences=sentences)
    found = list(_misplaced(source))
    base = _base(source, shelf, reading)
    reading.faults.extend(found)
    if base is None or found:
        return None
    protocol = Sheet(base, source, own=IDENTITY, apart=("based_on", *CHANGES))
    return Plan(
        protocol=protocol,
        scale=_scale(protocol, shelf, reading),
        orders=_orders(source, shelf),
        sentences=_sentences(source, shelf),
    )


def _misplaced(source: Source) -> Iterator[Fault]:
    """Tables of changes that are no tables, and names that a change must not touch."""
    for name in CHANGES:
        if not isinstance(source.table.get(name, {}), Mapping):
            yield Sheet(source).fault((name,), "must be a table")
    for key in IDENTITY:
        if reaches(source.table, ("grading", key)):
            yield Sheet(source).fault(("grading", key), "a changed scale keeps its name, version and source")
    orders = source.table.get("order")
    for name, changes in orders.items() if isinstance(orders, Mapping) else ():
        if not isinstance(changes, Mapping):
            yield Sheet(source).fault(("order", name), "must be a table: changes to an order, or a new one")
        elif "id" in changes:
            yield Sheet(source).fault(("order", name, "id"), f"the id of this order is {name!r}: leave the key out")


def _orders(site: Source, shelf: Shelf) -> Mapping[str, Sheet]:
    """The orders that there are, those of the site changed or added."""
    changed, nothing = site.table.get("order", {}), replace(site, table={})
    sheets = {name: Sheet(order) for name, order in shelf.orders.items()}
    for name in changed:
        sheets[name] = Sheet(shelf.orders.get(name, nothing), site, ("order", name), marks={"id": name})
    return sheets


def _sentences(site: Source, shelf: Shelf) -> Sheet | None:
    if shelf.sentences is None or "text" not in site.table:
        return Sheet(shelf.sentences) if shelf.sentences is not None else None
    return Sheet(shelf.sentences, site, ("text",))


def _base(source: Source, shelf: Shelf, reading: Reading) -> Source | None:
    name = source.table["based_on"]
    base = shelf.protocols.get(name) if isinstance(name, str) else None
    words = ""
    if base is None and "protocols" not in reading.unread:
        words = f"there is no protocol {name!r}; there are: {', '.join(sorted(shelf.protocols))}"
    elif base is not None and "based_on" in base.table:
        words = (
            f"{name!r} is itself based on {base.table['based_on']!r}: a protocol is based on one file, name that one"
        )
    if words:
        reading.faults.append(Sheet(source).fault(("based_on",), words))
        return None
    return base


def _scale(protocol: Sheet, shelf: Shelf, reading: Reading) -> Sheet | None:
    """The scale that a protocol names. One that a site changes says so wherever it is named."""
    name = protocol.table.get("scale")
    base = shelf.scales.get(name) if isinstance(name, str) else None
    if base is None:
        if name is not None and "scales" not in reading.unread:
            words = f"the scale {name!r} is not in scales/; there are: {', '.join(sorted(shelf.scales))}"
            reading.faults.append(protocol.fault(("scale",), words))
        return None
    site = protocol.site
    if site is None or not site.table.get("grading"):
        return Sheet(base)
    who = site.table.get("id")
    marks = {
        "version": f"{base.table.get('version')}, changed by {who}",
        "title": f"{base.table.get('title')} (changed by {who})",
    }
    return Sheet(base, site, ("grading",), marks=marks)

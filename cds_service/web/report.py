"""The report as a page, as JSON and as CSV, all from the same tables."""

from collections.abc import Iterator
from datetime import date, datetime, tzinfo
from typing import Any

import orjson
from markupsafe import Markup

from cds_service.errors import InvalidRequest
from cds_service.plots.report import plots
from cds_service.store.report import Report, Table, period, report
from cds_service.store.store import Store
from cds_service.web.page import HTML, JSON, page
from cds_service.web.spreadsheet import csv_lines

CSV = "text/csv"
FORMATS = {"html": HTML, "json": JSON, "csv": CSV}


def count(store: Store, first: date | None, last: date | None, now: datetime, zone: tzinfo) -> Report:
    """The report of the days from `first` to `last`, both in it. Raises InvalidRequest or StoreUnavailable."""
    since, until = period(first, last, now, zone)
    return report(store.answers(since, until), store.feedback(since), since, until)


def day(name: str, value: str | None) -> date | None:
    """A day of a query, e.g. `2026-11-22`. Raises InvalidRequest that names it."""
    try:
        return date.fromisoformat(value) if value else None
    except ValueError as error:
        raise InvalidRequest(f"{name}: write a day as 2026-11-22", expression=name) from error


def form(name: str | None) -> str | None:
    """The media type of a format that was asked for, None when none was. Raises InvalidRequest."""
    if name and name not in FORMATS:
        raise InvalidRequest(f"format: it is one of {', '.join(FORMATS)}", expression="format")
    return FORMATS[name] if name else None


def written(counted: Report, mimetype: str) -> bytes:
    """The report in one of the FORMATS."""
    if mimetype == JSON:
        return orjson.dumps(_document(counted), option=orjson.OPT_INDENT_2)
    if mimetype == CSV:
        return "".join(csv_lines(_long(counted))).encode()
    return _page(counted)


def _document(counted: Report) -> dict[str, Any]:
    tables = {table.name: _objects(table) for table in counted.tables}
    return {"from": counted.since.isoformat(), "until": counted.until.isoformat(), **tables}


def _objects(table: Table) -> list[dict[str, Any]]:
    return [{column.name: cell for column, cell in zip(table.columns, row, strict=True)} for row in table.rows]


def _long(counted: Report) -> Iterator[tuple[object, ...]]:
    """One number a row: every table in one sheet."""
    yield "table", "of", "figure", "value"
    for table in counted.tables:
        for row in table.rows:
            of = ", ".join(str(cell) for cell in row[: table.labels] if cell != "")
            for column, cell in list(zip(table.columns, row, strict=True))[table.labels :]:
                yield table.name, of, column.name, cell


def _page(counted: Report) -> bytes:
    drawn = {name: Markup(svg) for name, svg in plots(counted).items()}  # noqa: S704 - escaped by its maker
    return page("report.html", {"report": counted, "plots": drawn})

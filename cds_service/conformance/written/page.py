"""The result of a test as a page: one file, no script, nothing loaded from elsewhere, every value escaped."""

from jinja2 import Environment, PackageLoader, StrictUndefined

from cds_service.conformance.results import Outcome, count
from cds_service.conformance.written.document import Report
from cds_service.conformance.written.words import seen


def page(report: Report) -> bytes:
    """The page, in UTF-8."""
    pages = Environment(
        loader=PackageLoader("cds_service.conformance.written"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    template = pages.get_template("report.html")
    return template.render(report=report, outcomes=list(Outcome), count=count, seen=seen).encode()

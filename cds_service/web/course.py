"""The page of a CRS course: the picture, what is missing, and a table of all that is in the picture."""

from datetime import datetime, tzinfo

from markupsafe import Markup

from cds_service.crs.assessment import Assessment, Status
from cds_service.crs.scale import Scale
from cds_service.hooks.evaluate import Reading
from cds_service.hooks.wording import one_line
from cds_service.plots.course import course_svg
from cds_service.plots.flowsheet import Flowsheet, grade_words
from cds_service.web.page import page


def course_page(reading: Reading, scale: Scale, zone: tzinfo, now: datetime, *, who: str = "") -> bytes:
    """The course of the patient of a `reading` (of `hooks.evaluate.evaluated`) as a page of HTML in UTF-8.

    `zone` is the site's, `now` the instant of the reading's assessment (aware), `who` what the patient is called on
    the page, nothing where a frame around it says so. The page loads nothing and needs no policy but that of other
    pages (`web.page.POLICY`).
    """
    sheet = Flowsheet.of(reading.timeline, scale, zone, now)
    assessment = reading.assessment
    values = {
        "who": one_line(who),
        "sheet": sheet,
        "grade": grade_words(assessment),
        "therapy": _therapy(assessment),
        "picture": Markup(course_svg(sheet)),  # noqa: S704 - escaped by its maker
        "graded": assessment.status is not Status.NOT_ELIGIBLE,
        "missing": _missing(assessment),
        "unused": [(one_line(item.reference), one_line(item.reason)) for item in assessment.unused],
        "scale": scale,
    }
    return page("course.html", values)


def _therapy(assessment: Assessment) -> str:
    exposure = assessment.exposure
    return f"day {exposure.day} after {one_line(exposure.therapy.product)}" if exposure is not None else ""


def _missing(assessment: Assessment) -> list[str]:
    """What is not known at `now`, and why a grade is provisional although the data is there."""
    return [one_line(words) for words in dict.fromkeys((*assessment.missing, *assessment.doubts))]

"""The result of a test as JUnit XML, which every CI server reads: one case for each rule."""

from xml.etree.ElementTree import Element, SubElement, tostring

from cds_service.conformance.results import Outcome, Result
from cds_service.conformance.written.document import Report
from cds_service.conformance.written.words import seen


def junit(report: Report) -> bytes:
    """A warning is a passed case whose output says what was seen."""
    root = Element("testsuites", name=f"conformance of {report.url}")
    for title, results in report.groups:
        outcomes = [result.outcome for result in results]
        attributes = {
            "name": title,
            "timestamp": report.started,
            "tests": str(len(outcomes)),
            "failures": str(outcomes.count(Outcome.FAILED)),
            "errors": "0",
            "skipped": str(outcomes.count(Outcome.NOT_APPLICABLE)),
        }
        suite = SubElement(root, "testsuite", attributes)
        for result in results:
            _case(suite, result)
        if report.notes:
            SubElement(suite, "system-out").text = "\n".join(report.notes)
    written: bytes = tostring(root, encoding="utf-8", xml_declaration=True)
    return written


def _case(suite: Element, result: Result) -> None:
    rule = result.rule
    case = SubElement(suite, "testcase", classname=rule.part, name=f"{rule.id} {rule.says}")
    text = "\n".join(seen(result))
    if result.outcome is Outcome.FAILED:
        SubElement(case, "failure", message=text.partition("\n")[0], type=rule.id).text = text
    elif result.outcome is Outcome.NOT_APPLICABLE:
        SubElement(case, "skipped", message="not applicable")
    elif result.outcome is Outcome.WARNING:
        SubElement(case, "system-out").text = text

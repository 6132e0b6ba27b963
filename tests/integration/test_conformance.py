"""`crs-cds conformance`: no fault in a sound service, and each fault of a broken one found by its rule and no other."""

import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner, Result

from cds_service.cli.conformance import conformance, report_of
from cds_service.conformance.results import Outcome
from cds_service.conformance.rules import RULES
from cds_service.conformance.trial.calls import NOBODY, Patient
from cds_service.conformance.written.document import Report
from cds_service.errors import InvalidInput
from tests.answers import PATIENT
from tests.server import ROOT, Fhir, Service, free_port
from tests.small_service import Small, small_service

Json = dict[str, Any]
ANYBODY = Patient(NOBODY)
FAILED, WARNING = Outcome.FAILED, Outcome.WARNING


@pytest.fixture(scope="module")
def _running() -> Iterator[Small]:
    with small_service() as running:
        yield running


@pytest.fixture
def small(_running: Small) -> Iterator[Small]:
    """The small service, sound."""
    _running.mend()
    yield _running
    _running.mend()


def report_on(base: str, patient: Patient = ANYBODY) -> Report:
    return report_of(base, patient, (), secret="")


def broken_rules(report: Report) -> dict[str, Outcome]:
    """The rules that failed or warn."""
    found = {result.rule.id: result.outcome for result in (*report.standard, *report.own)}
    return {rule: outcome for rule, outcome in found.items() if outcome in (FAILED, WARNING)}


def run(*arguments: object) -> Result:
    return CliRunner().invoke(conformance, [str(argument) for argument in arguments])


# --- sound services ---------------------------------------------------------------------------------------------------


def test_no_fault_is_found_in_this_service(service: Service, fhir: Fhir) -> None:
    """R-9 is left out: it measures the machine that the tests run on."""
    report = report_on(service.base, Patient(PATIENT, fhir.base))
    assert broken_rules(report).keys() <= {"R-9"}
    assert report.notes == []
    assert {result.outcome for result in report.own} == {Outcome.PASSED}
    left = {result.rule.id for result in report.standard if result.outcome is Outcome.NOT_APPLICABLE}
    assert left == {"SEC-1", "C-24", "C-25", "C-26", "cds-resp-3"}


def test_no_fault_is_found_in_this_service_without_a_record(service: Service) -> None:
    report = report_on(service.base)
    assert broken_rules(report).keys() <= {"R-9"}
    assert report.notes == ["no card came, so none was judged: name a patient with one by --patient and --fhir"]


def test_no_fault_is_found_in_a_small_service_and_our_own_rules_are_not_asked_of_it(small: Small) -> None:
    report = report_on(small.base)
    assert broken_rules(report) == {}
    assert report.own == []
    left = {result.rule.id for result in report.standard if result.outcome is Outcome.NOT_APPLICABLE}
    assert left == {"SEC-1"}


def test_a_service_without_feedback_is_not_at_fault(small: Small) -> None:
    small.broken = "no feedback"
    report = report_on(small.base)
    assert broken_rules(report) == {}
    assert report.notes == ["walk-more offers no feedback (HTTP 404), which is allowed"]


# --- faults of bodies -------------------------------------------------------------------------------------------------


def put(path: str, value: Any) -> Callable[[Json], Json]:
    """Puts a value at a place of a body; ... takes the member away."""

    def change(body: Json) -> Json:
        *way, last = (int(step) if step.isdigit() else step for step in path.split("/"))
        place: Any = body
        for step in way:
            place = place[step]
        if value is ...:
            del place[last]
        else:
            place[last] = value
        return body

    return change


ENTRY, CARD = "services/0", "cards/0"
FIRST = f"{CARD}/suggestions/0"
IN_DISCOVERY = [
    ("D-2", FAILED, "services", {}),
    ("D-4", FAILED, f"{ENTRY}/hook", ...),
    ("D-5", FAILED, f"{ENTRY}/description", ...),
    ("D-7", WARNING, f"{ENTRY}/title", ...),
    ("G-3", FAILED, f"{ENTRY}/usageRequirements", ""),
    ("D-8", FAILED, f"{ENTRY}/prefetch/problems", {"query": "Condition"}),
    ("P-12", FAILED, f"{ENTRY}/prefetch/problems", "Condition?patient={{Patient.id}}"),
    ("P-13", FAILED, f"{ENTRY}/prefetch/drafts", "Medication?_id={{context.draftOrders}}"),
    ("P-15", WARNING, f"{ENTRY}/prefetch/problems", "Condition?patient={{context.patientId}}&_include=*"),
    ("P-16", WARNING, f"{ENTRY}/prefetch/problems", "Condition?patient={{context.patientId}}&sort:desc=date"),
]
IN_ANSWERS = [
    ("S-1", FAILED, "cards", ...),
    ("C-27", WARNING, "systemActions", [{"type": "create", "description": "x"}]),
    ("X-3", FAILED, "extension", ["FHIR style"]),
    ("X-3", WARNING, "unknown", "member"),
    ("C-1", WARNING, f"{CARD}/uuid", ...),
    ("C-1", WARNING, f"{CARD}/uuid", "card-1"),
    ("C-2", FAILED, f"{CARD}/summary", "x" * 140),
    ("C-3", WARNING, f"{CARD}/detail", "<b>bold</b>"),
    ("C-4", FAILED, f"{CARD}/indicator", "hard-stop"),
    ("cds-resp-6", FAILED, f"{CARD}/selectionBehavior", ...),
    ("C-7", FAILED, f"{CARD}/selectionBehavior", "all"),
    ("G-3", FAILED, f"{CARD}/links", []),
    ("G-2", FAILED, f"{CARD}/source/label", ""),
    ("C-10", FAILED, f"{CARD}/source/label", ...),
    ("C-11", FAILED, f"{CARD}/source/url", "/maps"),
    ("C-11", WARNING, f"{CARD}/source/url", "http://walk.example/"),
    ("cds-resp-4", FAILED, f"{CARD}/overrideReasons/0/display", ...),
    ("C-14", FAILED, f"{FIRST}/label", ...),
    ("C-15", FAILED, f"{FIRST}/uuid", "8f14e45f-ceea-467f-9575-000000000001"),
    ("C-19", FAILED, f"{FIRST}/actions/0/type", "Create"),
    ("cds-resp-5", FAILED, f"{FIRST}/actions/0/description", ...),
    ("C-21", FAILED, f"{FIRST}/actions/0/resource", '{"resourceType": "ServiceRequest"}'),
    ("C-22", FAILED, f"{FIRST}/actions/0/type", "update"),
    ("G-5", WARNING, f"{FIRST}/actions/0/resource/reasonCode", {"text": "an object"}),
    ("C-23", WARNING, f"{CARD}/suggestions/1/actions/0/resourceId", "MedicationRequest/of-nobody"),
    ("cds-resp-2", WARNING, f"{CARD}/suggestions/1/actions/0/resource", "MedicationRequest/1"),
    ("C-24", FAILED, f"{CARD}/links/0/type", "relative"),
    ("cds-resp-3", FAILED, f"{CARD}/links/0/appContext", "{}"),
]


@pytest.mark.parametrize(("rule", "outcome", "path", "value"), IN_DISCOVERY)
def test_a_fault_of_discovery_is_found_by_its_rule_and_no_other(
    small: Small, rule: str, outcome: Outcome, path: str, value: Any
) -> None:
    small.document = put(path, value)
    assert broken_rules(report_on(small.base)) == {rule: outcome}


@pytest.mark.parametrize(("rule", "outcome", "path", "value"), IN_ANSWERS)
def test_a_fault_of_an_answer_is_found_by_its_rule_and_no_other(
    small: Small, rule: str, outcome: Outcome, path: str, value: Any
) -> None:
    small.answer = put(path, value)
    assert broken_rules(report_on(small.base)) == {rule: outcome}


# --- faults of behaviour ----------------------------------------------------------------------------------------------

IN_BEHAVIOUR = [
    ("D-1", FAILED, "redirect", "redirects are not followed"),
    ("D-2", FAILED, "discovery as HTML", "not JSON (text/html)"),
    ("H-1", FAILED, "crash on every call", "HTTP 500 to a sound call"),
    ("R-8", FAILED, "no extension", "HTTP 400; without it, HTTP 200"),
    ("R-9", WARNING, "slow", "took 0."),
    ("R-12", WARNING, "no charset", "HTTP 415; without it, HTTP 200"),
    ("P-4", FAILED, "prefetch required", "prefetch absent: HTTP 400"),
    ("P-7", FAILED, "crash on empty Bundles", "HTTP 500"),
    ("P-9", FAILED, "crash on outcomes", "HTTP 500"),
    ("H-4", WARNING, "errors as text", "not JSON (text/plain)"),
    ("H-6", WARNING, "wrong calls are answered", "answered with HTTP 200"),
    ("H-7", FAILED, "errors as HTML", "came with HTML"),
    ("H-7", FAILED, "errors with a trace", "stack trace"),
    ("H-7", FAILED, "crash on what is no JSON", "not JSON: was answered with HTTP 500"),
    ("A-6", FAILED, "errors with a token", "shows a token"),
    ("X-1", WARNING, "preflight wants a token", "HTTP 401"),
    ("X-1", WARNING, "preflight forgets the headers", "lacks authorization"),
    ("X-1", WARNING, "errors without CORS", "an error: Access-Control-Allow-Origin is absent"),
    ("F-2", FAILED, "feedback refused", "HTTP 400 to sound feedback"),
    ("F-9", WARNING, "feedback of any shape", "answered with HTTP 200"),
    ("H-7", FAILED, "feedback crashes", "HTTP 500"),
]


@pytest.mark.parametrize(("rule", "outcome", "switch", "said"), IN_BEHAVIOUR)
def test_a_fault_of_behaviour_is_found_by_its_rule_and_no_other_and_says_what_was_seen(
    small: Small, rule: str, outcome: Outcome, switch: str, said: str
) -> None:
    small.broken = switch
    report = report_on(small.base)
    assert broken_rules(report) == {rule: outcome}
    [result] = [result for result in report.standard if result.rule.id == rule]
    assert any(said in f"{one.where}: {one.message}" for one in result.findings)


def test_every_rule_that_is_judged_is_listed_and_every_listed_rule_is_judged() -> None:
    sources = [file.read_text(encoding="utf-8") for file in (ROOT / "cds_service" / "conformance").rglob("*.py")]
    hooks = {"order-select", "order-sign", "order-dispatch"}
    names = r"S-GRADE-GATE|cds-resp-\d|(?:order|assessment)-[a-z-]+|max-cards|silence|grade-card|indicator-by-grade"
    shape = rf'"([A-Z]+-\d+|{names})"'
    assert {rule for text in sources for rule in re.findall(shape, text)} - hooks == set(RULES)


# --- what is written --------------------------------------------------------------------------------------------------

HOSTILE = "</failure><script>alert(1)</script>]]>&\x00\x1b]0;title\x07{{ 7 * 7 }}"


def parsed(file: Path) -> ElementTree.Element:
    return ElementTree.parse(file).getroot()  # noqa: S314 - written by this test


def test_the_report_is_printed_for_people_and_the_exit_status_is_1_when_a_shall_is_broken(small: Small) -> None:
    small.answer = put(f"{CARD}/indicator", "hard-stop")
    shown = run(small.base)
    assert shown.exit_code == 1
    assert "walk-more, sound call: cards[0].indicator" in " ".join(shown.stdout.replace("│", " ").split())
    assert "a SHALL is broken" in shown.stdout
    assert "1 failed" in shown.stdout


def test_a_warning_alone_leaves_the_exit_status_0(small: Small) -> None:
    small.document = put(f"{ENTRY}/title", ...)
    shown = run(f"{small.base}/cds-services/")
    assert (shown.exit_code, "1 warning" in shown.stdout) == (0, True)
    assert "no SHALL is broken" in shown.stdout


def test_the_report_as_json_has_every_rule(small: Small) -> None:
    small.answer = put(f"{CARD}/indicator", "hard-stop")
    document = json.loads(run(small.base, "--json").stdout)
    assert document["conformant"] is False
    [standard] = document["groups"]
    assert len(standard["rules"]) == sum(not rule.own for rule in RULES.values())
    [failed] = [row for row in standard["rules"] if row["result"] == "failed"]
    assert failed["rule"] == "C-4"
    assert failed["seen"][0]["message"] == "is 'hard-stop'; allowed: critical, info, warning"


def test_junit_counts_what_it_lists(small: Small, tmp_path: Path) -> None:
    small.answer = put(f"{CARD}/indicator", "hard-stop")
    assert run(small.base, "--junit", tmp_path / "report.xml").exit_code == 1
    [suite] = parsed(tmp_path / "report.xml")
    assert (suite.attrib["failures"], len(suite.findall("testcase/failure"))) == ("1", 1)
    assert int(suite.attrib["skipped"]) == len(suite.findall("testcase/skipped")) > 0
    assert int(suite.attrib["tests"]) == len(suite.findall("testcase"))


def test_hostile_text_of_a_service_is_written_as_text(small: Small, tmp_path: Path) -> None:
    small.document = put(f"{ENTRY}/hook", HOSTILE)
    small.answer = put(HOSTILE, HOSTILE)
    xml, html = tmp_path / "report.xml", tmp_path / "report.html"
    shown = run(small.base, "--junit", xml, "--html", html)
    assert "\x1b]0;" not in shown.stdout
    [suite] = parsed(xml)
    assert "<script>" in "".join(suite.itertext())
    page = html.read_text(encoding="utf-8")
    assert "&lt;script&gt;" in page
    assert "<script" not in page
    assert "49" not in re.findall(r"title[^<]*", page)
    assert not re.search(r"\b(src|href)=|@import|url\(", page)


def test_nothing_of_a_patient_is_kept(service: Service, fhir: Fhir, tmp_path: Path) -> None:
    xml, html = tmp_path / "report.xml", tmp_path / "report.html"
    shown = run(service.base, "--patient", PATIENT, "--fhir", fhir.base, "--json", "--junit", xml, "--html", html)
    assert shown.exit_code == 0
    for written in (shown.stdout, xml.read_text(encoding="utf-8"), html.read_text(encoding="utf-8")):
        assert PATIENT not in written
        assert "norepinephrine" not in written


def test_the_id_of_the_patient_is_not_kept_either_when_a_service_says_it(small: Small) -> None:
    small.answer = put(f"{CARD}/indicator", "for pat-77.x at once")
    shown = run(small.base, "--patient", "pat-77.x", "--json")
    assert "for [patient] at once" in shown.stdout
    assert "pat-77.x" not in shown.stdout


def test_only_the_services_of_a_hook_are_called(service: Service) -> None:
    document = json.loads(run(service.base, "--hook", "patient-view", "--json").stdout)
    [_, own] = document["groups"]
    assert own["title"] == "Rules of the CRS service alone"
    with pytest.raises(InvalidInput, match="lists no service that can be called for appointment-book"):
        report_of(service.base, ANYBODY, ("appointment-book",), secret="")


@pytest.mark.parametrize(
    ("arguments", "said"),
    [
        (["ftp://cds.example"], "is not an address"),
        (["http://user@cds.example"], "is not an address"),
        (["http://127.0.0.1:1", "--fhir", "http://127.0.0.1:2"], "--patient"),
        ([f"http://127.0.0.1:{free_port()}"], "Is the service running there?"),
    ],
)
def test_what_cannot_be_tested_is_one_plain_sentence(arguments: list[str], said: str) -> None:
    refused = run(*arguments).exception
    assert isinstance(refused, InvalidInput)
    assert said in refused.message
    assert "\n" not in refused.message


def test_a_report_that_cannot_be_written_is_one_plain_sentence(small: Small, tmp_path: Path) -> None:
    refused = run(small.base, "--html", tmp_path / "nowhere" / "report.html").exception
    assert isinstance(refused, InvalidInput)
    assert "cannot be written" in refused.message


def test_a_fhir_server_that_is_not_there_is_one_plain_sentence(small: Small) -> None:
    nowhere = f"http://127.0.0.1:{free_port()}/fhir"
    refused = run(small.base, "--patient", PATIENT, "--fhir", nowhere).exception
    assert isinstance(refused, InvalidInput)
    assert refused.message == f"--fhir {nowhere}: the server cannot be reached"


def test_the_record_is_read_once_for_all_services_and_what_is_lacking_is_said(service: Service, fhir: Fhir) -> None:
    fhir.faults["/fhir/Condition"] = ("500 Internal Server Error", "text/plain", "broken")
    report = report_on(service.base, Patient(PATIENT, fhir.base))
    asked = [(one.path, str(one.query)) for one in fhir.asked if one.headers.get("accept_encoding") == "identity"]
    assert len(asked) == len(set(asked)) > 0
    assert any(re.search("the FHIR server gave nothing for .*", note) for note in report.notes)


def test_a_hook_of_nobodys_library_is_not_called(small: Small) -> None:
    small.document = put(f"{ENTRY}/hook", "walk-start")
    report = report_on(small.base)
    assert broken_rules(report) == {"D-4": WARNING}
    assert report.notes == ["not called, for want of an id or a hook of the library: walk-more"]

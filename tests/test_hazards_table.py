"""docs/reliability.md is what is made of the hazards and the tests, and a run without a test of a gate row fails."""

import re

import pytest

from tests.hazards_table import DOCUMENT, document, hazards, shown_by_row, shows

ROWS = hazards()
SAMPLE = """
import pytest

def test_t01_a_call_to_nobody(): pass
def test_h6_t02_t03_a_call_to_many(): pass
@pytest.mark.parametrize("way", ["_t09_", "x"])
def test_t04_every_way(way): pass
@pytest.mark.skip
def test_t05_nothing(): pass
"""
CONFTEST = """
from tests.hazards_check import HazardsCheck
from tests.hazards_table import Hazard

def row(number, gate=True):
    return Hazard(id=f"T0{number}", gate=gate, hazard="", gets="", never="")

def pytest_configure(config):
    config.pluginmanager.register(HazardsCheck(config, [%s]))
"""
SOUND = "row(1), row(2), row(3), row(4), row(5, gate=False)"


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """A suite of four tests, of which the first three rows and the fourth are shown, and the fifth is skipped."""
    pytester.makeini("[pytest]\ntestpaths = tests\n")
    pytester.mkdir("tests").joinpath("test_sample.py").write_text(SAMPLE, encoding="utf-8")
    pytester.makeconftest(CONFTEST % SOUND)
    return pytester


def test_the_rows_are_t01_to_t96_each_once() -> None:
    assert [row.id for row in ROWS] == [f"T{number:02}" for number in range(1, 97)]


def test_every_row_says_what_comes_what_is_answered_and_what_never_happens() -> None:
    for row in ROWS:
        assert all(text.endswith(".") and "|" not in text for text in (row.hazard, row.gets, row.never)), row.id
        assert bool(row.instead_of) == bool(row.because)


def test_every_row_has_a_test() -> None:
    assert [row.id for row in ROWS if row.id not in shown_by_row()] == []


def test_no_test_names_a_row_that_is_not_there() -> None:
    assert shown_by_row().keys() - {row.id for row in ROWS} == set()


def test_the_document_is_what_is_made_of_hazards_and_tests() -> None:
    assert DOCUMENT.read_text(encoding="utf-8") == document(), "run `make rules`"


def test_every_row_that_no_chart_causes_answers_a_threat_of_the_security_page() -> None:
    """T57 to T71 are about what is charted."""
    named = set(re.findall(r"\bT\d\d\b", DOCUMENT.with_name("security.md").read_text(encoding="utf-8")))
    charted = {f"T{number}" for number in range(57, 72)}
    assert named - charted == {row.id for row in ROWS} - charted


@pytest.mark.parametrize(
    ("name", "rows"),
    [
        ("test_t05_a_redirect", ["T05"]),
        ("test_t05_t10_a_redirect", ["T05", "T10"]),
        ("test_f7_t80_the_same_again", ["T80"]),
        ("test_s_grade_4a_and_t67_two_vasopressors", ["T67"]),
        ("test_a_part05_of_it", []),
    ],
)
def test_the_name_of_a_test_says_which_rows_it_shows(name: str, rows: list[str]) -> None:
    assert shows(name) == rows


def test_a_whole_run_in_which_every_gate_row_passed_is_a_success(suite: pytest.Pytester) -> None:
    ended = suite.runpytest_inprocess()
    assert ended.ret == pytest.ExitCode.OK
    ended.stdout.no_fnmatch_line("*hazards.toml*")


@pytest.mark.parametrize(
    ("rows", "named"),
    [(f"{SOUND}, row(5)", "T05"), (f"row(6), {SOUND}, row(7)", "T06, T07"), (f"{SOUND}, row(9)", "T09")],
    ids=["skipped", "no test", "in a parameter only"],
)
def test_a_whole_run_without_a_passing_test_of_a_gate_row_fails_and_names_it(
    suite: pytest.Pytester, rows: str, named: str
) -> None:
    suite.makeconftest(CONFTEST % rows)
    ended = suite.runpytest_inprocess()
    assert ended.ret == pytest.ExitCode.TESTS_FAILED
    ended.stdout.fnmatch_lines(f"no passing test shows these rows of tests/hazards.toml: {named}")


def test_a_test_that_fails_shows_no_row(suite: pytest.Pytester) -> None:
    suite.path.joinpath("tests/test_broken.py").write_text("def test_t06_broken(): assert False", encoding="utf-8")
    suite.makeconftest(CONFTEST % f"{SOUND}, row(6)")
    ended = suite.runpytest_inprocess()
    ended.stdout.fnmatch_lines("*hazards.toml: T06")


@pytest.mark.parametrize(
    "selection",
    [
        ["tests/test_sample.py"],
        ["-k", "t01"],
        ["-m", "not skip"],
        ["--deselect", "tests/test_sample.py::test_t01_a_call_to_nobody"],
        ["--collect-only"],
    ],
    ids=" ".join,
)
def test_of_a_selection_nothing_is_said(suite: pytest.Pytester, selection: list[str]) -> None:
    suite.makeconftest(CONFTEST % f"{SOUND}, row(9)")
    ended = suite.runpytest_inprocess(*selection)
    assert ended.ret == pytest.ExitCode.OK
    ended.stdout.no_fnmatch_line("*hazards.toml*")


def test_what_several_workers_saw_is_judged_once_and_as_one(suite: pytest.Pytester) -> None:
    suite.path.joinpath("tests/test_more.py").write_text("def test_t06_more(): pass", encoding="utf-8")
    suite.makeconftest(CONFTEST % f"{SOUND}, row(6)")
    ended = suite.runpytest_inprocess("--numprocesses", "2", "--dist", "loadfile")
    assert ended.ret == pytest.ExitCode.OK
    ended.stdout.no_fnmatch_line("*hazards.toml*")
    suite.makeconftest(CONFTEST % f"{SOUND}, row(6), row(9)")
    ended = suite.runpytest_inprocess("--numprocesses", "2", "--dist", "loadfile")
    assert ended.ret == pytest.ExitCode.TESTS_FAILED
    ended.stdout.fnmatch_lines("no passing test shows these rows of tests/hazards.toml: T09")

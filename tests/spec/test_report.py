"""The figures of the report, against records counted by hand."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cds_service.errors import InvalidRequest
from cds_service.store.records import AnswerRecord, FeedbackRecord, Outcome, Reason, Response
from cds_service.store.report import Report, period, report
from tests.records import answer, card, said

ACCEPTED, OVERRIDDEN = Response.ACCEPTED, Response.OVERRIDDEN
SINCE, UNTIL = datetime(2026, 11, 20, tzinfo=UTC), datetime(2026, 11, 23, tzinfo=UTC)


def at(day: int, hour: int = 12) -> datetime:
    return datetime(2026, 11, day, hour, tzinfo=UTC)


def counted(answers: list[AnswerRecord], feedback: list[FeedbackRecord]) -> Report:
    return report(answers, feedback, SINCE, UNTIL)


def rows(found: Report, table: str) -> list[tuple[Any, ...]]:
    return list(found.table(table).rows)


def summary(found: Report) -> list[Any]:
    return [value for _, value in rows(found, "summary")]


ANSWERS = [
    # two patients on the 20th: three cards and one card
    answer(card("a", topic="grade"), card("b"), card("c", topic="infection"), at=at(20), patient="p", milliseconds=10),
    answer(card("d", topic="grade"), at=at(20, 13), patient="q", grade=1, milliseconds=20),
    # one of them again on the 21st: two cards held back, nothing shown
    answer(
        card("e", topic="grade", shown=False),
        card("f", shown=False),
        at=at(21),
        patient="p",
        outcome=Outcome.SUPPRESSED,
        milliseconds=30,
    ),
    # signing an order, by a newer protocol
    answer(
        card("g"),
        at=at(22),
        patient="p",
        hook="order-sign",
        protocol_version="1.1.0",
        protocol_hash="ffffffffff",
        milliseconds=40,
    ),
    # a patient without a therapy, and one whose data could not be had
    answer(at=at(22), patient="r", outcome=Outcome.SILENT, status="not-eligible", grade=None, milliseconds=5),
    answer(at=at(22), patient="s", outcome=Outcome.UNAVAILABLE, status=None, grade=None, milliseconds=4000),
]
REASON = Reason(code="n", system="urn:r", display="Not indicated")
FEEDBACK = [
    said(ACCEPTED, "a", at=at(20), received_at=at(20), matched=True),
    said(ACCEPTED, "b", at=at(20, 13), received_at=at(20, 13), matched=True),
    said(OVERRIDDEN, "b", at=at(20, 14), received_at=at(20, 14), reasons=(REASON,), matched=True),  # and last
    said(OVERRIDDEN, "d", at=at(20, 15), received_at=at(24), reasons=(REASON, Reason(display="Other")), matched=True),
    said(OVERRIDDEN, "g", at=at(22), received_at=at(22), comment="words", matched=True),
    said(ACCEPTED, "unknown", at=at(22), received_at=at(22)),
    said(ACCEPTED, "of another time", at=at(24), received_at=at(24)),
]


def test_the_summary_of_six_answers() -> None:
    """Patient-days: p and q on the 20th, p on the 21st and 22nd; five cards shown on four of them."""
    assert summary(counted(ANSWERS, FEEDBACK)) == [6, 1, 2, 4, 5, 1.25, 1, 3, 1, 2, 1, 0, 0]


def test_t81_an_accepted_suggestion_that_the_card_did_not_offer_is_kept_and_counted_as_that_alone() -> None:
    shown = card("a", suggestions=(("s1", "tocilizumab"),))
    for accepted, unknown in ((("s1",), 0), (("s1", "s2"), 1), (("s2", "s2", "s3"), 2), ((), 0)):
        entry = said(ACCEPTED, "a", at=at(20), received_at=at(20), accepted=accepted, matched=True)
        figures = dict(rows(counted([answer(shown, at=at(20))], [entry]), "summary"))
        assert figures["accepted suggestions that their card did not offer"] == unknown
        assert figures["cards accepted"] == 1


def test_t96_answers_for_the_invented_patients_of_the_canary_are_in_one_figure_only() -> None:
    invented = [answer(card("x"), client="canary", at=at(21)), answer(card("y"), client="canary", at=at(22))]
    found, without = counted([*ANSWERS, *invented], FEEDBACK), counted(ANSWERS, FEEDBACK)
    assert summary(found) == [*summary(without)[:-1], 2]
    assert [table.rows for table in found.tables[1:]] == [table.rows for table in without.tables[1:]]


def test_answers_by_hook_and_grade_or_why_there_is_none() -> None:
    assert rows(counted(ANSWERS, []), "answers") == [
        ("order-sign", "grade 2", 1),
        ("patient-view", "grade 1", 1),
        ("patient-view", "grade 2", 2),
        ("patient-view", "not-eligible", 1),
        ("patient-view", "unavailable", 1),
    ]


def test_what_became_of_cards_by_topic_and_by_protocol_version() -> None:
    found = counted(ANSWERS, FEEDBACK)
    assert rows(found, "topics") == [
        ("grade", 2, 1, 1, 0, 1),
        ("infection", 1, 0, 0, 1, 0),
        ("treatment", 2, 0, 2, 0, 1),
    ]
    assert rows(found, "protocols") == [
        ("supplied-crs", "1.0.0+0f3ada51", "0f3ada51", 5, 4, 1, 2, 1, 2),
        ("supplied-crs", "1.1.0", "ffffffff", 1, 1, 0, 1, 0, 0),
    ]


def test_reasons_are_those_of_the_last_feedback_to_a_card_and_a_comment_alone_is_none_of_the_list() -> None:
    assert rows(counted(ANSWERS, FEEDBACK), "reasons") == [
        ("Not indicated", "n", "urn:r", 2),
        ("Other", "", "", 1),
        ("none of the list", "", "", 1),
    ]


def test_the_days_hold_patients_with_a_therapy_only() -> None:
    assert rows(counted(ANSWERS, []), "days") == [
        ("2026-11-20", 2, 4, 2.0),
        ("2026-11-21", 1, 0, 0.0),
        ("2026-11-22", 1, 1, 1.0),
    ]


def test_days_are_those_of_the_site() -> None:
    since = SINCE.astimezone(ZoneInfo("America/New_York"))
    found = report([answer(card(), at=at(21, 3))], [], since, UNTIL)
    assert [row[0] for row in rows(found, "days")] == ["2026-11-20"]


@pytest.mark.parametrize(
    ("times", "expected"),
    [
        ([7], (7, 7, 7)),
        ([1, 2], (1, 2, 2)),
        ([3, 1, 2], (2, 3, 3)),
        (list(range(1, 101)), (50, 95, 99)),
        (list(range(1, 201)), (100, 190, 198)),
    ],
    ids=["one", "two", "three", "a hundred", "two hundred"],
)
def test_response_times_are_the_least_that_half_and_95_and_99_of_100_do_not_exceed(
    times: list[int], expected: tuple[int, int, int]
) -> None:
    found = counted([answer(milliseconds=time) for time in times], [])
    assert rows(found, "times") == [("patient-view", len(times), *expected)]


def test_t80_a_call_that_came_twice_shows_its_cards_once() -> None:
    found = counted([answer(card()), answer(card())], [said(ACCEPTED)])
    assert rows(found, "topics") == [("treatment", 1, 1, 0, 0, 0)]


def test_one_uuid_of_two_clients_is_two_cards() -> None:
    found = counted([answer(card()), answer(card(), client="ehr")], [said(ACCEPTED, client="ehr")])
    assert rows(found, "topics") == [("treatment", 2, 1, 0, 1, 0)]


def test_nothing_is_a_report_too() -> None:
    found = counted([], [])
    assert summary(found) == [0, 0, 0, 0, 0, 0.0, 0, 0, 0, 0, 0, 0, 0]
    assert [table.name for table in found.tables if table.rows] == ["summary"]


def test_each_row_has_a_cell_for_each_column() -> None:
    for table in counted(ANSWERS, FEEDBACK).tables:
        assert {len(row) for row in table.rows} == {len(table.columns)}, table.name


NOW = datetime(2026, 11, 22, 23, 30, tzinfo=UTC)
BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("first", "last", "since", "until"),
    [
        (None, None, "2026-10-25T00:00:00+02:00", "2026-11-24T00:00:00+01:00"),
        (date(2026, 11, 1), None, "2026-11-01T00:00:00+01:00", "2026-11-24T00:00:00+01:00"),
        (None, date(2026, 1, 30), "2026-01-01T00:00:00+01:00", "2026-01-31T00:00:00+01:00"),
        (date(2026, 1, 5), date(2026, 1, 5), "2026-01-05T00:00:00+01:00", "2026-01-06T00:00:00+01:00"),
    ],
)
def test_a_period_is_whole_days_of_the_site_the_last_one_in_it(
    first: date | None, last: date | None, since: str, until: str
) -> None:
    assert [instant.isoformat() for instant in period(first, last, NOW, BERLIN)] == [since, until]


@pytest.mark.parametrize(
    ("first", "last"),
    [(date(2026, 1, 2), date(2026, 1, 1)), (date(2026, 12, 1), None), (None, date.min), (None, date.max)],
)
def test_a_period_that_is_none_is_refused(first: date | None, last: date | None) -> None:
    with pytest.raises(InvalidRequest, match="from"):
        period(first, last, NOW, BERLIN)


def test_thirty_days_are_the_default() -> None:
    since, until = period(None, None, NOW, UTC)
    assert until - since == timedelta(days=30)

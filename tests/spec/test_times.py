"""Times as they are charted: DQ-37 to DQ-41, T58, T59."""

from datetime import UTC, date, datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

import pytest

from cds_service.crs.timeline import FOREVER, Flag, Timeline
from cds_service.fhir.elements import Unusable, moment, sound_interval
from tests.chart import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    Json,
    at,
    condition,
    culture,
    culture_order,
    day,
    given,
    infusion,
    lab,
    oxygen,
    patient,
    pressure,
    procedure,
    read,
    reasons,
    saturation,
    temperature,
    therapy,
    weight,
)

NEW_YORK = ZoneInfo("America/New_York")
SYDNEY = ZoneInfo("Australia/Sydney")
UNREADABLE = "temperature: its time cannot be read"


def charted(**when: Any) -> Json:
    """A temperature with only these times."""
    resource = temperature(38.6)
    del resource["effectiveDateTime"]
    return resource | when


def times(timeline: Timeline) -> list[datetime]:
    return [fact.time for fact in timeline.temperatures]


def flags(timeline: Timeline) -> list[tuple[Flag, ...]]:
    return [fact.flags for fact in timeline.temperatures]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"effectiveDateTime": at(2 * HOUR)}, 2 * HOUR),
        ({"effectiveInstant": at(2 * HOUR)}, 2 * HOUR),
        ({"effectiveTiming": {"event": [at(2 * HOUR), at(HOUR)]}}, 2 * HOUR),
        ({"effectivePeriod": {"start": at(3 * HOUR), "end": at(2 * HOUR)}}, 2 * HOUR),
        ({"effectivePeriod": {"end": at(2 * HOUR)}}, 2 * HOUR),
        ({"effectivePeriod": {"start": at(3 * HOUR)}}, 0 * HOUR),
        ({"effectivePeriod": {"start": at(3 * HOUR), "end": "9999-12-31"}}, 0 * HOUR),
        ({"effectivePeriod": {"start": at(3 * HOUR), "end": "9999-12-31T23:59:59-05:00"}}, 0 * HOUR),
        ({"effectiveDateTime": None, "effectiveInstant": at(HOUR)}, HOUR),
    ],
)
def test_dq37_each_way_to_chart_a_time_is_read(when: Json, expected: timedelta) -> None:
    timeline = read(charted(**when))
    assert times(timeline) == [NOW - expected]
    assert flags(timeline) == [()]


def test_dq37_without_a_time_the_time_of_issue_is_used_and_flagged() -> None:
    timeline = read(charted(issued=at(HOUR)))
    assert times(timeline) == [NOW - HOUR]
    assert flags(timeline) == [(Flag.ISSUED_TIME,)]


@pytest.mark.parametrize(
    "when",
    [
        {},
        {"issued": "soon"},
        {"issued": 5},
        {"effectiveDateTime": "soon", "issued": at(HOUR)},
        {"effectiveDateTime": 5, "issued": at(HOUR)},
        {"effectiveDateTime": ["2026"], "issued": at(HOUR)},
        {"effectivePeriod": {}, "issued": at(HOUR)},
        {"effectivePeriod": "2026", "issued": at(HOUR)},
        {"effectivePeriod": {"start": "soon"}, "issued": at(HOUR)},
        {"effectivePeriod": {"start": at(DAY), "end": "soon"}, "issued": at(HOUR)},
        {"effectivePeriod": {"start": "soon", "end": at(HOUR)}, "issued": at(HOUR)},
        {"effectivePeriod": {"start": at(DAY), "end": 5}, "issued": at(HOUR)},
        {"effectiveTiming": {"event": []}, "issued": at(HOUR)},
        {"effectiveTiming": {"repeat": {"frequency": 1}}, "issued": at(HOUR)},
        {"effectiveTiming": {"event": "2026"}, "issued": at(HOUR)},
    ],
)
def test_dq37_a_time_that_is_charted_and_cannot_be_read_is_not_guessed(when: Json) -> None:
    timeline = read(charted(**when))
    assert timeline.temperatures == ()
    assert reasons(timeline) == [UNREADABLE]


def test_dq37_a_period_that_ends_before_it_begins_is_no_time() -> None:
    timeline = read(charted(effectivePeriod={"start": at(HOUR), "end": at(2 * HOUR)}))
    assert reasons(timeline) == ["temperature: it ends before it begins"]


@pytest.mark.parametrize(
    "resource",
    [
        temperature(38.6),
        pressure(86, 50),
        saturation(88),
        oxygen("BiPAP"),
    ],
)
@pytest.mark.parametrize("end_only", [False, True])
def test_dq38_a_date_without_a_time_is_no_time_for_a_vital_sign(resource: Json, end_only: bool) -> None:
    when = {"effectivePeriod": {"end": day(0 * DAY)}} if end_only else {"effectiveDateTime": day(0 * DAY)}
    plain = {name: value for name, value in resource.items() if name != "effectiveDateTime"}
    timeline = read(plain | when)
    assert (timeline.temperatures, timeline.pressures, timeline.saturations, timeline.oxygen) == ((), (), (), ())
    assert reasons(timeline)[0].endswith(": it has a date and no time")


def test_dq38_a_date_is_enough_for_a_weight_a_result_a_culture_a_therapy_and_a_diagnosis() -> None:
    yesterday = {"effectiveDateTime": day(DAY)}
    timeline = read(
        weight(70) | yesterday,
        lab("2276-4") | yesterday,
        culture("No growth") | yesterday,
        therapy() | yesterday,
        condition("D89.831") | {"onsetDateTime": day(DAY)},
    )
    start = datetime(2026, 1, 14, tzinfo=UTC)
    facts = (*timeline.weights, *timeline.labs, *timeline.cultures, *timeline.therapies, *timeline.diagnoses)
    assert [fact.time for fact in facts] == [start] * 5
    assert timeline.therapies[0].whole_day
    assert timeline.unused == ()


@pytest.mark.parametrize(
    "partial", ["2026", "2026-01", "2026-1-5", "26-01-05", "2026-01-32", "2026-13-01", "2026-02-29"]
)
def test_dq38_a_year_a_month_and_a_date_that_does_not_exist_are_no_date(partial: str) -> None:
    timeline = read(weight(70) | {"effectiveDateTime": partial}, therapy() | {"effectiveDateTime": partial})
    assert (timeline.weights, timeline.therapies) == ((), ())
    assert len(timeline.unused) == 2


@pytest.mark.parametrize("zone", [NEW_YORK, SYDNEY, UTC])
def test_dq38_the_date_of_today_is_never_in_the_future_in_whatever_zone_it_was_written(zone: Any) -> None:
    for today in {moment_of_now.date() for moment_of_now in (NOW.astimezone(NEW_YORK), NOW.astimezone(SYDNEY))}:
        (fact,) = read(therapy() | {"effectiveDateTime": today.isoformat()}, zone=zone).therapies
        assert fact.time <= NOW


def test_dq38_a_date_after_tomorrow_is_in_the_future() -> None:
    timeline = read(therapy() | {"effectiveDateTime": day(-2 * DAY)})
    assert timeline.therapies == ()
    assert reasons(timeline) == ["axicabtagene ciloleucel: dated in the future"]


def test_dq39_a_time_without_a_zone_is_read_in_the_zone_of_the_site_and_flagged() -> None:
    naive = {"effectiveDateTime": "2026-01-15T06:00:00"}
    timeline = read(temperature(38.6) | naive, zone=NEW_YORK)
    assert times(timeline) == [NOW - HOUR]
    assert flags(timeline) == [(Flag.ASSUMED_ZONE,)]
    assert Flag.ASSUMED_ZONE.uncertain
    assert times(read(temperature(38.6) | naive)) == [NOW - 6 * HOUR]


def test_dq39_every_kind_of_fact_says_that_its_zone_was_assumed() -> None:
    naive = "2026-01-15T06:00:00"
    period = {"start": naive, "end": "2026-01-15T07:00:00"}
    timeline = read(
        charted(effectivePeriod=period),
        infusion() | {"effectivePeriod": period, "status": "completed"},
        given("tocilizumab") | {"effectiveDateTime": naive},
        therapy() | {"effectiveDateTime": naive},
        procedure("BiPAP") | {"performedDateTime": naive},
        culture("No growth") | {"effectiveDateTime": naive},
        culture_order() | {"authoredOn": naive},
        condition("D89.831") | {"onsetDateTime": naive},
    )
    facts = (
        *timeline.temperatures,
        *timeline.vasoactives,
        *timeline.drugs,
        *timeline.therapies,
        *timeline.oxygen,
        *timeline.cultures,
        *timeline.diagnoses,
    )
    assert len(facts) == 8
    assert all(Flag.ASSUMED_ZONE in fact.flags for fact in facts)


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-15T11:00:00Z",
        "2026-01-15T11:00:00+00:00",
        "2026-01-15T11:00:00-00:00",
        "2026-01-15T06:00:00-05:00",
        "2026-01-16T01:00:00+14:00",
        "2026-01-15T11:00:00.000Z",
        "2026-01-15T11:00:00.0000000001Z",
        "2026-01-15T11:00Z",
    ],
)
def test_dq40_times_are_compared_in_utc(written: str) -> None:
    timeline = read(temperature(38.6) | {"effectiveDateTime": written})
    assert times(timeline) == [NOW - HOUR]
    assert times(timeline)[0].utcoffset() == timedelta()


@pytest.mark.parametrize(
    ("naive", "utc"),
    [
        ("2026-03-08T01:59:00", "2026-03-08T06:59:00+00:00"),
        ("2026-03-08T02:30:00", "2026-03-08T07:30:00+00:00"),
        ("2026-03-08T03:00:00", "2026-03-08T07:00:00+00:00"),
        ("2026-11-01T01:30:00", "2026-11-01T05:30:00+00:00"),
        ("2026-11-01T02:00:00", "2026-11-01T07:00:00+00:00"),
    ],
)
def test_dq40_the_change_of_the_clock_is_that_of_the_site(naive: str, utc: str) -> None:
    read_moment = moment(naive, NEW_YORK)
    assert read_moment is not None
    assert read_moment.time == datetime.fromisoformat(utc)


AHEAD = [
    (4 * MINUTE, True),
    (5 * MINUTE, True),
    (5 * MINUTE + timedelta(seconds=1), False),
    (6 * MINUTE, False),
    (DAY, False),
]


@pytest.mark.parametrize(("ahead", "used"), AHEAD)
def test_dq41_a_time_ahead_is_used_as_now_up_to_five_minutes_and_dropped_beyond(ahead: timedelta, used: bool) -> None:
    charted_ahead = [
        temperature(38.6, ago=-ahead),
        charted(effectivePeriod={"start": at(HOUR), "end": at(-ahead)}),
        charted(effectivePeriod={"start": at(-ahead)}),
        charted(issued=at(-ahead)),
    ]
    for resource in charted_ahead:
        timeline = read(resource)
        assert times(timeline) == ([NOW] if used else [])
        assert reasons(timeline) == ([] if used else ["temperature: dated in the future"])


@pytest.mark.parametrize(("ahead", "used"), AHEAD)
def test_dq41_the_same_holds_for_drugs_procedures_and_diagnoses(ahead: timedelta, used: bool) -> None:
    timeline = read(
        infusion(started=-ahead),
        given("tocilizumab", ago=-ahead),
        therapy(ago=-ahead),
        procedure("BiPAP", ago=-ahead),
        condition("D89.831", ago=-ahead),
        culture("No growth", ago=-ahead),
    )
    facts = (
        *timeline.vasoactives,
        *timeline.drugs,
        *timeline.therapies,
        *timeline.oxygen,
        *timeline.diagnoses,
        *timeline.cultures,
    )
    assert [fact.time for fact in facts] == ([NOW] * 6 if used else [])
    assert len(timeline.unused) == (0 if used else 6)


def test_t58_a_reading_in_the_future_does_not_hide_a_current_one() -> None:
    timeline = read(temperature(36.5, ago=-DAY), temperature(38.6))
    assert times(timeline) == [NOW - HOUR]


@pytest.mark.parametrize(
    "written",
    [
        "2026-01-15T24:00:00Z",
        "2026-01-15T11:60:00Z",
        "2026-01-15T11:00:61Z",
        "2026-01-15T25:00:00Z",
        "2026-01-15t11:00:00z",
        "2026-01-15 11:00:00Z",
        "2026-01-15T11:00:00 Z",
        "2026-01-15T11:00:00+24:00",
        "2026-01-15T11:00:00+5:00",
        "2026-01-15T11:00:00.Z",
        "20260115T110000Z",
        "2026-W03-4T11:00:00Z",
        "٢٠٢٦-٠١-١٥T11:00:00Z",
        "2026-01-15T11:00:00Z\n",
        "",
        "Z",
        "T",
        "yesterday",
        "9" * 5000,
    ],
)
def test_t59_what_is_no_time_is_said_and_not_used(written: str) -> None:
    timeline = read(temperature(38.6) | {"effectiveDateTime": written})
    assert timeline.temperatures == ()
    assert reasons(timeline) == [UNREADABLE]


@pytest.mark.parametrize("written", ["2026-01-15T10:59:60Z", "2026-01-15T05:59:60-05:00", "2026-01-15T10:59:60.5Z"])
def test_t59_a_leap_second_is_accepted(written: str) -> None:
    (time,) = times(read(temperature(38.6) | {"effectiveDateTime": written}))
    assert NOW - HOUR - 1 * timedelta(seconds=1) <= time < NOW - HOUR


@pytest.mark.parametrize(
    "written",
    [
        "0001-01-01T00:00:00+14:00",
        "0001-01-01T00:00:00Z",
        "0001-01-01T00:00:00",
        "0001-01-01",
        "0000-01-01",
        "9999-12-31T23:59:59-12:00",
        "9999-12-31T23:59:59Z",
        "9999-12-31T23:59:59",
        "9999-12-31",
    ],
)
@pytest.mark.parametrize("zone", [NEW_YORK, SYDNEY, UTC])
def test_t59_the_first_and_the_last_year_cost_only_their_own_resource(written: str, zone: Any) -> None:
    when = {"effectiveDateTime": written}
    timeline = read(
        temperature(39) | when,
        weight(70) | when,
        given("tocilizumab") | when,
        therapy() | when,
        culture("No growth") | when,
        procedure("BiPAP") | {"performedDateTime": written},
        condition("D89.831") | {"onsetDateTime": written},
        procedure("CPAP", performedPeriod={"start": written, "end": written}),
        infusion() | {"effectivePeriod": {"start": written, "end": written}},
        temperature(38.6),
        zone=zone,
    )
    assert NOW - HOUR in times(timeline)
    assert all(time <= NOW for time in times(timeline))


@pytest.mark.parametrize("zone", [NEW_YORK, SYDNEY, UTC])
@pytest.mark.parametrize("last", ["9999-12-31", "9999-12-31T23:59:59Z", "9999-12-31T23:59:59"])
def test_t59_an_end_in_the_last_year_is_no_end(zone: Any, last: str) -> None:
    resource = infusion() | {"effectivePeriod": {"start": at(HOUR), "end": last}}
    assert [fact.until for fact in read(resource, zone=zone).vasoactives] == [FOREVER]


def test_a_whole_day_lasts_until_its_last_instant_in_the_zone_of_the_site() -> None:
    whole = moment("2026-01-14", NEW_YORK)
    assert whole is not None
    assert whole.end == datetime(2026, 1, 15, 4, 59, 59, 999999, tzinfo=UTC)
    last = moment("9999-12-31", NEW_YORK)
    assert last is not None
    assert last.end == FOREVER


@pytest.mark.parametrize("period", [None, {}, [], "x", {"start": None}, {"end": None}])
def test_a_period_without_start_and_end_is_no_period(period: Any) -> None:
    with pytest.raises(Unusable):
        sound_interval(period, UTC)


@pytest.mark.parametrize(
    ("born", "expected"),
    [
        ("1966-06-01", date(1966, 6, 1)),
        ("2026-01-15", date(2026, 1, 15)),
        ("2026-01-16", None),
        ("1966", date(1966, 12, 31)),
        ("1966-06", date(1966, 12, 31)),
        ("2006", date(2006, 12, 31)),
        ("2007", None),
        ("1966-06-01T08:00:00Z", date(1966, 6, 1)),
        ("0000", None),
        ("1966-02-30", None),
        ("1966-W01-1", None),
        ("١٩٦٦", None),
        ("1966-6-1", None),
        ("soon", None),
        ("", None),
        (5, None),
        (None, None),
    ],
)
def test_the_date_of_birth_is_read_when_it_tells_the_age(born: Any, expected: date | None) -> None:
    assert read(born=born).birth_date == expected


@pytest.mark.parametrize(
    ("born", "years", "days"),
    [
        ("2025-12-18", 0, 28),
        ("2025-01-15", 1, 365),
        ("2025-01-16", 0, 364),
        ("2007-12-16", 18, 6605),
        ("2008-01-14", 18, 6576),
        ("2008-01-15", 18, 6575),
        ("2008-01-16", 17, 6574),
        ("2008-02-14", 17, 6545),
        ("2024-02-29", 1, 686),
        (None, None, None),
    ],
)
def test_ages_are_completed_years_and_days(born: str | None, years: int | None, days: int | None) -> None:
    timeline = read(born=born)
    assert (timeline.age_in_years(NOW), timeline.age_in_days(NOW)) == (years, days)
    assert patient(born)["resourceType"] == "Patient"

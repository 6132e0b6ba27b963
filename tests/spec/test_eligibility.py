"""Who is looked at: patients within the window of a T-cell engaging therapy (C29, clinical 7.1)."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from zoneinfo import ZoneInfo

import pytest

from cds_service.crs.eligibility import exposure, may_be_exposed
from cds_service.crs.timeline import Diagnosis, Fact, Score, Therapy
from tests.spec.patients import (
    NOW,
    SCALE,
    afebrile,
    ago,
    assessed,
    charted_grade,
    diagnosis,
    febrile,
    infusion,
    outcome,
    patient,
    pressure,
    temperature,
    therapy,
    unread,
)


def is_exposed(*facts: Fact) -> bool:
    return exposure(patient(*facts), SCALE, NOW) is not None


def may_be(*facts: Fact) -> bool:
    return may_be_exposed(patient(*facts), SCALE, NOW)


def test_t70_a_febrile_patient_in_shock_without_such_a_therapy_is_not_looked_at() -> None:
    timeline = replace(febrile(pressure(70), infusion("norepinephrine"), infusion("epinephrine")), therapies=())
    assert outcome(timeline) == "not-eligible"
    assert assessed(timeline).findings == ()
    assert not may_be_exposed(timeline, SCALE, NOW)


def test_a_patient_who_is_not_eligible_because_data_is_missing_has_it_named() -> None:
    timeline = replace(febrile(gaps=unread("therapies", "drugs")), therapies=())
    assert outcome(timeline) == "not-eligible"
    assert assessed(timeline).missing == (
        "medications given (the EHR did not answer)",
        "T-cell engaging therapies (the EHR did not answer)",
    )


@pytest.mark.parametrize(
    ("given", "exposed", "day"),
    [
        ("-1 h", False, 0),
        ("0 min", True, 0),
        ("11 h", True, 0),
        ("12 h", True, 0),  # midnight of the same day
        ("12 h 1 min", True, 1),
        ("14 d", True, 14),
        ("15 d", True, 15),
        ("29 d", True, 29),
        ("30 d", True, 30),
        ("30 d 12 h", True, 30),
        ("30 d 12 h 1 min", False, 31),
        ("31 d", False, 31),
        ("200 d", False, 200),
    ],
)
def test_7_1_after_cells_crs_is_looked_for_until_the_end_of_day_30(given: str, exposed: bool, day: int) -> None:
    found = exposure(patient(therapy("axi-cel", given)), SCALE, NOW)
    assert (found is not None) is exposed
    if found is not None:
        assert (found.day, found.late) == (day, False)


@pytest.mark.parametrize(
    ("given", "sign", "exposed"),
    [
        ("31 d", diagnosis("crs", "30 d"), True),
        ("31 d", charted_grade(1, "30 d"), True),
        ("31 d", charted_grade(3, "1 d"), True),
        ("31 d", charted_grade(0, "1 d"), False),
        ("31 d", diagnosis("icans", "1 d"), False),
        ("31 d", diagnosis("crs", "0 min"), True),
        ("31 d", charted_grade(2, "0 min"), True),
        ("31 d", diagnosis("crs", "-1 h"), False),
        ("31 d", charted_grade(2, "-1 h"), False),
        ("90 d", diagnosis("crs", "1 d"), True),
        ("90 d 12 h", diagnosis("crs", "1 d"), True),
        ("91 d", diagnosis("crs", "1 d"), False),
        ("91 d", charted_grade(2, "1 d"), False),
    ],
)
def test_7_1_late_crs_of_day_31_to_90_is_looked_at_only_when_it_is_charted(
    given: str, sign: Diagnosis | Score, exposed: bool
) -> None:
    cells = therapy("axi-cel", given)
    assert is_exposed(cells, sign) is exposed
    if exposed:
        found = exposure(patient(cells, sign), SCALE, NOW)
        assert found is not None
        assert found.late
    assert not is_exposed(cells)


def test_v30_day_41_is_silent_and_with_charted_crs_it_is_graded() -> None:
    day_41 = (therapy("axi-cel", "41 d"), temperature("38.7"), pressure(84))
    assert outcome(febrile(*day_41)) == "not-eligible"
    assert outcome(febrile(*day_41, diagnosis("crs", "1 d"))) == "graded 2"


@pytest.mark.parametrize(("given", "may"), [("31 d", True), ("90 d", True), ("91 d", False), ("-1 h", False)])
def test_a_patient_who_would_be_looked_at_if_crs_were_charted_is_worth_asking_about(given: str, may: bool) -> None:
    assert may_be(therapy("axi-cel", given)) is may


def test_a_therapy_without_a_late_window_is_not_worth_asking_about_afterwards() -> None:
    assert not may_be(therapy("teclistamab", "31 d"))
    assert may_be(therapy("teclistamab", "7 d"))


DAILY = tuple(therapy("teclistamab", f"{day} d") for day in (40, 37, 34, 31))
WEEKLY = tuple(therapy("tarlatamab", f"{day} d") for day in (40, 33, 26, 19))


@pytest.mark.parametrize(
    ("facts", "exposed"),
    [
        # blinatumomab: while it runs, and 72 h after each start
        ((therapy("blinatumomab", "72 h"),), True),
        ((therapy("blinatumomab", "72 h 1 min"),), False),
        ((therapy("blinatumomab", "20 d", running=True),), True),
        ((therapy("blinatumomab", "20 d", "1 h"),), False),
        ((therapy("blinatumomab", "20 d", "0 min"),), True),
        ((therapy("blinatumomab", "60 h", "1 h"),), True),
        ((therapy("blinatumomab", "35 d", "7 d"), therapy("blinatumomab", "70 h")), True),
        # step-up antibodies: 7 d after each of the first four doses, 72 h after later ones
        ((therapy("teclistamab", "7 d"),), True),
        ((therapy("teclistamab", "7 d 1 min"),), False),
        ((*DAILY[:3], therapy("teclistamab", "7 d")), True),
        ((*DAILY, therapy("teclistamab", "72 h")), True),
        ((*DAILY, therapy("teclistamab", "72 h 1 min")), False),
        ((*DAILY, therapy("teclistamab", "28 d"), therapy("teclistamab", "72 h")), True),
        ((*DAILY, therapy("teclistamab", "28 d"), therapy("teclistamab", "72 h 1 min")), False),
        # tarlatamab and tebentafusp: 72 h after each of the first four, 48 h after later ones
        ((therapy("tarlatamab", "72 h"),), True),
        ((therapy("tarlatamab", "72 h 1 min"),), False),
        ((*WEEKLY[:3], therapy("tarlatamab", "72 h")), True),
        ((*WEEKLY, therapy("tarlatamab", "48 h")), True),
        ((*WEEKLY, therapy("tarlatamab", "48 h 1 min")), False),
        # doses of another product, and the same dose charted twice on a day, are no earlier doses
        ((*WEEKLY, therapy("teclistamab", "7 d")), True),
        ((*DAILY[:3], therapy("teclistamab", "34 d 2 h"), therapy("teclistamab", "7 d")), True),
    ],
)
def test_7_1_after_antibodies_crs_is_looked_for_some_hours_after_each_dose(
    facts: tuple[Therapy, ...], exposed: bool
) -> None:
    assert is_exposed(*facts) is exposed


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Tokyo")])
def test_dq_38_a_dose_with_a_date_alone_counts_from_the_end_of_that_day_where_it_was_given(
    zone: ZoneInfo,
) -> None:
    midnight = datetime(2026, 1, 12, tzinfo=zone)
    dose = Therapy(
        time=midnight, reference="Procedure/1", product="blinatumomab", window="blinatumomab", whole_day=True
    )
    last = datetime(2026, 1, 15, 23, 59, tzinfo=zone).astimezone(UTC)
    assert exposure(patient(dose), SCALE, last) is not None
    assert exposure(patient(dose), SCALE, last + timedelta(minutes=2)) is None


@pytest.mark.parametrize("zone", [UTC, ZoneInfo("America/Los_Angeles"), ZoneInfo("Asia/Tokyo")])
def test_the_day_is_counted_in_the_calendar_of_a_date_without_a_time(zone: ZoneInfo) -> None:
    infused = datetime(2026, 1, 12, tzinfo=zone)
    cells = Therapy(time=infused, reference="Procedure/1", product="axi-cel", window="car-t", whole_day=True)

    def day(local: datetime) -> int | None:
        found = exposure(patient(cells), SCALE, local.astimezone(UTC))
        return None if found is None else found.day

    assert day(datetime(2026, 1, 12, 0, 1, tzinfo=zone)) == 0
    assert day(datetime(2026, 1, 12, 23, 59, tzinfo=zone)) == 0
    assert day(datetime(2026, 1, 13, 0, 1, tzinfo=zone)) == 1
    assert day(datetime(2026, 2, 11, 23, 59, tzinfo=zone)) == 30
    assert day(datetime(2026, 2, 12, 0, 1, tzinfo=zone)) is None


def test_of_several_therapies_the_latest_is_named_and_a_late_one_only_when_it_is_alone() -> None:
    both = exposure(patient(therapy("axi-cel", "20 d"), therapy("teclistamab", "2 d")), SCALE, NOW)
    assert both is not None
    assert (both.therapy.product, both.day, both.since) == ("teclistamab", 2, ago("20 d"))
    late = (therapy("teclistamab", "5 d"), therapy("axi-cel", "40 d"), diagnosis("crs", "1 d"))
    found = exposure(patient(*late), SCALE, NOW)
    assert found is not None
    assert (found.therapy.product, found.late, found.since) == ("teclistamab", False, ago("40 d"))


@pytest.mark.parametrize(
    ("facts", "since"),
    [
        ((therapy("teclistamab", "8 d"), therapy("teclistamab", "2 d")), "8 d"),
        ((therapy("teclistamab", "14 d"), therapy("teclistamab", "8 d"), therapy("teclistamab", "2 d")), "14 d"),
        ((therapy("teclistamab", "9 d"), therapy("teclistamab", "1 d")), "9 d"),
        ((therapy("teclistamab", "9 d 1 min"), therapy("teclistamab", "1 d")), "1 d"),
        ((therapy("axi-cel", "40 d"), therapy("teclistamab", "12 d"), therapy("teclistamab", "6 d")), "40 d"),
        # an early dose keeps its long window whatever is given after it
        (tuple(therapy("teclistamab", f"{day} d") for day in (12, 4, 3, 2, 1)), "12 d"),
    ],
)
def test_doses_between_which_no_crs_could_have_resolved_are_one_exposure(
    facts: tuple[Therapy, ...], since: str
) -> None:
    found = exposure(patient(*facts), SCALE, NOW)
    assert found is not None
    assert found.since == ago(since)


def test_crs_of_an_earlier_dose_is_not_forgotten_when_its_window_closes_after_the_next() -> None:
    doses = (therapy("teclistamab", "7 d 2 h"), therapy("teclistamab", "1 h"))
    timeline = afebrile(*doses, temperature("38.9", "3 h"), temperature("37.2", "20 min"), pressure(84))
    assert outcome(timeline) == "graded 2"


def test_a_therapy_of_the_future_changes_nothing() -> None:
    assert not is_exposed(therapy("teclistamab", "-1 h"))
    assert is_exposed(therapy("axi-cel", "3 d"), therapy("teclistamab", "-1 h"))

"""The episode, rebuilt from the record at each call: closed, open, waived, masked-onset, resolved (clinical 4.5)."""

from collections.abc import Callable

import pytest

from cds_service.crs.assessment import Episode
from cds_service.crs.timeline import Fact, Timeline
from tests.spec.patients import (
    afebrile,
    ago,
    assessed,
    bolus,
    charted_grade,
    diagnosis,
    drug,
    febrile,
    infusion,
    known_since,
    outcome,
    oxygen,
    patient,
    pressure,
    room_air,
    saturation,
    temperature,
    therapy,
    unread,
)

CELLS = therapy("axi-cel", "10 d")


def episode(timeline: Timeline) -> Episode:
    found = assessed(timeline).episode
    assert found is not None
    return found


def calm(first: int, last: int = 0, every: int = 4) -> list[Fact]:
    """Normal temperature, pressure, saturation and room air every few hours, from `first` to `last` hours ago."""
    hours = [f"{hour} h" for hour in range(first, last - 1, -every)]
    normal: tuple[Callable[[str], Fact], ...] = (
        lambda when: temperature("36.8", when),
        lambda when: pressure(118, when),
        lambda when: saturation(97, when),
        room_air,
    )
    return [charted(when) for when in hours for charted in normal]


# 1. CLOSED


def test_1_without_fever_the_episode_is_closed_and_a_sign_alone_is_no_crs() -> None:
    for timeline in (afebrile(), afebrile(pressure(84)), afebrile(oxygen("bilevel"))):
        assert episode(timeline).state == "closed"
        assert outcome(timeline) == "no-crs 0"
    assert episode(afebrile()).onset is None
    assert episode(afebrile()).peak_grade is None


# 2. OPEN


def test_2_the_first_fever_opens_the_episode() -> None:
    found = episode(febrile(temperature("38.2", "9 h"), temperature("39.4", "5 h"), temperature("38.6", "1 h")))
    assert (found.state, found.onset, found.last_fever) == ("open", ago("9 h"), ago("1 h"))
    assert not found.reopened


# 3. WAIVED


@pytest.mark.parametrize(
    ("facts", "state", "grade"),
    [
        ((), "open", "graded 1"),
        ((drug("acetaminophen", "5 h"),), "waived", "graded 1"),
        ((drug("tocilizumab", "5 h"),), "waived", "graded 1"),
        ((drug("tocilizumab", "5 h"), pressure(84)), "waived", "graded 2"),
        ((drug("tocilizumab", "5 h"), infusion("norepinephrine")), "waived", "graded 3"),
        ((drug("tocilizumab", "5 h"), oxygen("ventilator")), "waived", "graded 4"),
    ],
)
def test_3_a_masked_patient_with_nothing_else_is_grade_1_never_0(
    facts: tuple[Fact, ...], state: str, grade: str
) -> None:
    timeline = febrile(temperature("38.9", "10 h"), temperature("36.8", "30 min"), *facts)
    assert (episode(timeline).state, outcome(timeline)) == (state, grade)


@pytest.mark.parametrize(("celsius", "state"), [("37.9", "waived"), ("38.0", "open"), ("38.1", "open")])
def test_3_a_fever_in_spite_of_the_drug_is_not_waived(celsius: str, state: str) -> None:
    timeline = febrile(temperature("38.9", "10 h"), temperature(celsius, "30 min"), drug("tocilizumab", "5 h"))
    assert episode(timeline).state == state


def test_3_v12_ten_hours_after_tocilizumab_hypotension_alone_grades() -> None:
    timeline = febrile(
        temperature("38.9", "10 h 30 min"),
        pressure(85, "10 h 30 min"),
        drug("tocilizumab", "10 h"),
        drug("acetaminophen", "8 h 30 min"),
        temperature("36.8", "10 min"),
        pressure(84, "10 min"),
    )
    assert (episode(timeline).state, outcome(timeline)) == ("waived", "graded 2")


# 4. RESOLVED


@pytest.mark.parametrize(
    ("hours", "state", "grade"),
    [
        (23, "open", "graded 1"),
        (24, "open", "graded 1"),  # the fever itself stands at the start of the 24 hours
        (25, "resolved", "no-crs 0"),
        (72, "resolved", "no-crs 0"),
    ],
)
def test_4_24_hours_free_of_all_signs_resolve(hours: int, state: str, grade: str) -> None:
    timeline = patient(CELLS, temperature("38.9", f"{hours} h"), *calm(hours - 1, every=1))
    assert (episode(timeline).state, outcome(timeline)) == (state, grade)


@pytest.mark.parametrize(("hours", "state"), [(25, "waived"), (47, "waived"), (48, "waived"), (49, "resolved")])
def test_4_after_tocilizumab_48_hours_are_needed(hours: int, state: str) -> None:
    fever = temperature("38.9", f"{hours} h")
    timeline = patient(CELLS, fever, drug("tocilizumab", f"{hours} h"), *calm(hours - 1, every=1))
    assert episode(timeline).state == state


@pytest.mark.parametrize(
    ("given", "state"),
    [
        ("30 h", "waived"),
        ("1 h", "resolved"),  # 24 hours were complete before it
        ("14 d", "waived"),  # given before the fever and still acting
        ("16 d 1 h", "resolved"),  # its effect of 14 days was over when the 24 hours ended
    ],
)
def test_4_tocilizumab_counts_while_it_acts(given: str, state: str) -> None:
    cells = therapy("axi-cel", "20 d")
    timeline = patient(cells, temperature("38.9", "40 h"), drug("tocilizumab", given), *calm(39, every=1))
    assert episode(timeline).state == state


@pytest.mark.parametrize(
    ("trouble", "resolved"),
    [
        (temperature("38.0", "15 h"), False),
        (temperature("37.9", "15 h"), True),
        (pressure(89, "15 h"), False),
        (pressure(90, "15 h"), True),
        (saturation(89, "15 h"), False),
        (saturation(90, "15 h"), True),
        (oxygen("nasal-cannula", "1", "15 h"), False),
        (oxygen("oxygen helmet", "1", "15 h"), False),
        (oxygen("nasal-cannula", "1", "39 h 30 min"), True),  # weaned half an hour later, 39 hours ago
        (oxygen("bilevel", when="39 h 30 min", lasts=True), False),
        (infusion("norepinephrine", "39 h", "20 h"), False),
        (infusion("norepinephrine", "39 h", "38 h"), True),
        (infusion("vasopressin", "39 h", "20 h"), False),
        (infusion("dobutamine", "39 h", "20 h"), True),
        (bolus("phenylephrine", "15 h"), False),
        (drug("acetaminophen", "6 h"), True),  # 24 hours were complete before it
        (drug("dexamethasone", "15 h"), True),
    ],
)
def test_4_fever_hypotension_or_hypoxia_in_the_time_keeps_it_open(trouble: Fact, resolved: bool) -> None:
    timeline = patient(CELLS, temperature("38.9", "40 h"), *calm(39, every=1), trouble)
    assert (episode(timeline).state == "resolved") is resolved


@pytest.mark.parametrize(
    ("given", "resolved"), [("12 h", False), ("12 h 1 min", True), ("3 h", False), ("0 min", False), ("-10 min", True)]
)
def test_4_no_antipyretic_in_the_last_12_hours_of_the_time(given: str, resolved: bool) -> None:
    timeline = patient(CELLS, temperature("38.9", "25 h"), *calm(24, every=1), drug("acetaminophen", given))
    assert (episode(timeline).state == "resolved") is resolved


@pytest.mark.parametrize(("stopped", "resolved"), [("24 h", False), ("24 h 1 min", True)])
def test_4_a_vasopressor_that_runs_into_the_time_keeps_it_open(stopped: str, resolved: bool) -> None:
    pressor = infusion("norepinephrine", "30 h", stopped)
    timeline = patient(CELLS, temperature("38.9", "31 h"), pressor, *calm(24, every=1))
    assert (episode(timeline).state == "resolved") is resolved


def test_4_oxygen_still_on_at_the_start_of_the_time_is_hypoxia() -> None:
    weaned = (oxygen("nasal-cannula", "2", "26 h"), room_air("12 h"), room_air("1 h"))
    readings = [fact for fact in calm(27, every=1) if not isinstance(fact, type(room_air()))]
    timeline = patient(CELLS, temperature("38.9", "28 h"), *readings, *weaned)
    assert episode(timeline).state == "open"


@pytest.mark.parametrize(
    "facts",
    [
        [temperature("36.8", f"{hour} h") for hour in range(40)],
        [fact for fact in calm(40) if not isinstance(fact, type(pressure(90)))],
        [fact for fact in calm(40) if not isinstance(fact, type(room_air()))],
        [*calm(40, 39), temperature("36.8"), pressure(118), room_air()],
        calm(40, 26),
    ],
)
def test_n_24_a_normal_temperature_alone_or_a_record_with_holes_resolves_nothing(facts: list[Fact]) -> None:
    timeline = patient(CELLS, temperature("38.9", "41 h"), *facts)
    assert episode(timeline).state == "open"
    assert outcome(timeline).startswith("provisional 1")


@pytest.mark.parametrize(("every", "resolved"), [(4, True), (12, True), (13, False)])
def test_4_temperatures_leave_no_gap_of_more_than_12_hours(every: int, resolved: bool) -> None:
    timeline = patient(CELLS, temperature("38.9", "66 h"), *calm(65, every=every))
    assert (episode(timeline).state == "resolved") is resolved


@pytest.mark.parametrize("kind", ["temperatures", "pressures", "oxygen", "saturations", "vasoactives", "drugs"])
def test_n_14_what_was_not_known_then_resolves_nothing(kind: str) -> None:
    facts = (CELLS, temperature("38.9", "60 h"), *calm(59, every=1))
    assert episode(patient(*facts)).state == "resolved"
    assert episode(patient(*facts, gaps=known_since("24 h", kind))).state == "resolved"
    assert episode(patient(*facts, gaps=known_since("23 h 59 min", kind))).state == "open"
    assert episode(patient(*facts, gaps=unread(kind))).state == "open"


def test_4_what_has_resolved_stays_resolved_when_the_record_becomes_sparse() -> None:
    timeline = patient(CELLS, temperature("38.9", "8 d"), *calm(190, 100), *calm(2))
    assert (episode(timeline).state, outcome(timeline)) == ("resolved", "no-crs 0")
    assert outcome(patient(CELLS, temperature("38.9", "8 d"), *calm(190, 100))) == "indeterminate"


def test_4_a_fever_that_was_long_ago_and_nothing_charted_since_is_provisional() -> None:
    timeline = patient(CELLS, temperature("38.9", "8 d"), *calm(2))
    assert (episode(timeline).state, outcome(timeline)) == ("open", "provisional 1")


# 5. Re-opening


def test_5_a_new_fever_after_resolution_is_a_new_episode() -> None:
    first = (temperature("39.5", "80 h"), infusion("norepinephrine", "79 h", "70 h"))
    timeline = patient(CELLS, *first, *calm(69, 3, 2), temperature("38.3"), pressure(118), room_air(), saturation(97))
    found = episode(timeline)
    assert (found.state, found.reopened, found.onset, found.peak_grade) == ("open", True, ago("1 h"), 1)
    assert outcome(timeline) == "graded 1"


def test_5_a_new_fever_without_resolution_is_the_same_episode() -> None:
    timeline = patient(CELLS, temperature("39.5", "30 h"), *calm(29, 10, 1), *afebrile_until_now())
    found = episode(timeline)
    assert (found.state, found.reopened, found.onset) == ("open", False, ago("30 h"))


def afebrile_until_now() -> list[Fact]:
    return [temperature("38.3"), pressure(118), saturation(97), room_air()]


def test_5_after_two_resolutions_the_last_episode_counts() -> None:
    timeline = patient(
        therapy("axi-cel", "20 d"),
        temperature("39.5", "200 h"),
        *calm(199, 140, 2),
        temperature("38.5", "139 h"),
        *calm(138, 60, 2),
        temperature("38.4", "59 h"),
        *calm(58, 40, 2),
        temperature("38.1", "39 h"),
    )
    assert (episode(timeline).onset, episode(timeline).reopened) == (ago("59 h"), True)


@pytest.mark.parametrize("sign", [pressure(84), oxygen("nasal-cannula", "2"), infusion("norepinephrine", "1 h")])
def test_5_after_resolution_a_sign_without_fever_is_no_crs_unless_a_drug_may_hide_the_fever(sign: Fact) -> None:
    course = (CELLS, temperature("38.9", "80 h"), *calm(79, 1, 1))
    plain = patient(*course, sign)
    assert (episode(plain).state, outcome(plain)) == ("resolved", "no-crs 0")
    masked = patient(*course, sign, drug("tocilizumab", "78 h"))
    assert (episode(masked).state, episode(masked).reopened, episode(masked).onset) == ("masked-onset", True, None)
    assert outcome(masked).startswith("provisional")
    quiet = patient(*course, drug("tocilizumab", "78 h"))
    assert (episode(quiet).state, outcome(quiet)) == ("resolved", "no-crs 0")


# 6. MASKED-ONSET


@pytest.mark.parametrize(
    ("facts", "grade"),
    [
        ((), "indeterminate"),
        ((pressure(84),), "provisional 2"),
        ((infusion("norepinephrine"),), "provisional 3"),
        ((oxygen("bilevel"),), "provisional 4"),
        ((oxygen("oxygen helmet"),), "indeterminate"),
    ],
)
def test_6_premedicated_and_never_febrile_is_provisional_by_the_other_criteria(
    facts: tuple[Fact, ...], grade: str
) -> None:
    timeline = afebrile(therapy("teclistamab", "20 h"), drug("dexamethasone", "21 h"), *facts)
    assert (episode(timeline).state, episode(timeline).reopened) == ("masked-onset", False)
    assert outcome(timeline) == grade
    assert episode(timeline).onset is None


def test_6_a_fever_in_spite_of_the_premedication_opens_the_episode() -> None:
    timeline = febrile(therapy("teclistamab", "20 h"), drug("dexamethasone", "21 h"))
    assert (episode(timeline).state, outcome(timeline)) == ("open", "graded 1")


# 7. A charted CRS stands for a fever outside the record


@pytest.mark.parametrize("sign", [diagnosis("crs", "30 h"), charted_grade(2, "30 h")])
def test_7_charted_crs_opens_the_episode(sign: Fact) -> None:
    timeline = afebrile(sign, drug("tocilizumab", "20 h"), pressure(84))
    assert (episode(timeline).state, outcome(timeline)) == ("waived", "graded 2")
    assert (episode(timeline).onset, episode(timeline).last_fever) == (ago("30 h"), None)


@pytest.mark.parametrize(("value", "state"), [(0, "closed"), (1, "open"), (2, "open")])
def test_7_only_a_charted_grade_of_1_or_more_opens_the_episode(value: int, state: str) -> None:
    assert episode(afebrile(charted_grade(value, "30 h"))).state == state


def test_7_after_tocilizumab_the_longer_time_counts_from_the_charted_crs_on() -> None:
    timeline = patient(CELLS, charted_grade(2, "25 h"), drug("tocilizumab", "30 h"), *calm(60, every=1))
    assert episode(timeline).state == "waived"


@pytest.mark.parametrize(("hours", "state"), [(23, "open"), (24, "resolved"), (25, "resolved")])
def test_7_charted_crs_resolves_as_a_fever_does(hours: int, state: str) -> None:
    timeline = patient(CELLS, charted_grade(2, f"{hours} h"), *calm(hours - 1, every=1))
    assert episode(timeline).state == state


# 8. The current grade and the peak


@pytest.mark.parametrize(
    ("earlier", "grade", "peak"),
    [
        ((), "graded 1", 1),
        ((pressure(84, "9 h"),), "graded 1", 2),
        ((saturation(85, "9 h"), room_air("9 h")), "graded 1", 2),
        ((oxygen("non-rebreather", when="9 h"),), "graded 1", 3),
        ((infusion("norepinephrine", "9 h", "7 h"),), "graded 1", 3),
        (
            (infusion("norepinephrine", "9 h", "7 h"), infusion("epinephrine", "8 h", "7 h")),
            "graded 1",
            4,
        ),
        ((infusion("norepinephrine", "9 h", "8 h"), infusion("epinephrine", "8 h", "7 h")), "graded 1", 3),
        ((oxygen("bilevel", when="9 h"),), "graded 1", 4),
        ((oxygen("bilevel", when="11 h"),), "graded 1", 4),  # still in use at the onset
        # over before the first charted fever: it may have begun since the last normal temperature, at most 4 h before
        ((oxygen("bilevel", when="11 h"), room_air("630 min")), "graded 1", 4),
        ((oxygen("bilevel", when="11 h"), room_air("630 min"), temperature("37.0", "631 min")), "graded 1", 1),
        ((infusion("norepinephrine", "11 h", "9 h"),), "graded 1", 3),
        ((infusion("norepinephrine", "13 h", "11 h"),), "graded 1", 3),
        ((infusion("norepinephrine", "13 h", "11 h"), temperature("37.9", "13 h")), "graded 1", 3),
        ((infusion("norepinephrine", "13 h", "11 h"), temperature("37.9", "12 h")), "graded 1", 1),
        ((infusion("norepinephrine", "14 h", "840 min"),), "graded 1", 1),
        ((infusion("norepinephrine", "14 h", "13 h"),), "graded 1", 3),
        ((infusion("norepinephrine", "14 h 1 min", "14 h"),), "graded 1", 1),
        ((infusion("norepinephrine", "16 h", "15 h"), temperature("37.0", "17 h")), "graded 1", 1),
        ((oxygen("bilevel", when="841 min"), room_air("840 min")), "graded 1", 1),
        ((oxygen("bilevel", when="840 min"), room_air("839 min")), "graded 1", 4),
        ((oxygen("bilevel", when="839 min"), room_air("838 min")), "graded 1", 4),
        ((oxygen("bilevel", when="-1 h"),), "graded 1", 1),
        ((saturation(85, "9 h"), room_air("9 h 30 min")), "graded 1", 2),
        ((pressure(84, "0 min"),), "graded 2", 2),
        ((oxygen("non-rebreather", when="0 min"),), "graded 3", 3),
        ((pressure(84, "9 h"), pressure(86)), "graded 2", 2),
    ],
)
def test_8_the_peak_of_the_episode_is_kept_beside_the_grade_of_now(
    earlier: tuple[Fact, ...], grade: str, peak: int
) -> None:
    now = (temperature("38.4"), pressure(118, "20 min"), saturation(97), room_air())
    timeline = patient(temperature("38.8", "10 h"), *earlier, *now)
    assert outcome(timeline) == grade
    assert episode(timeline).peak_grade == peak

"""Blood cultures: table 3.7, and what counts as a result (C27)."""

from typing import Any

import pytest

from cds_service.crs.timeline import Flag, Timeline
from tests.chart import (
    DAY,
    HOUR,
    LOINC,
    NOW,
    SNOMED,
    Json,
    at,
    concept,
    culture,
    culture_order,
    day,
    observation,
    procedure,
    read,
    reasons,
)

CPT = "http://www.ama-assn.org/go/cpt"


def steps(timeline: Timeline) -> list[str]:
    return [fact.step for fact in timeline.cultures]


def test_c27_a_result_keeps_when_it_was_known_and_when_its_blood_was_drawn() -> None:
    known = {"issued": at(2 * HOUR)}
    report = culture("No growth", ago=60 * HOUR) | known
    result = observation(concept(LOINC, "600-7"), ago=60 * HOUR, valueString="No growth") | known
    waiting = procedure(concept(SNOMED, "30088009"), ago=5 * HOUR)
    for resource in (report, result):
        assert [(fact.drawn, fact.time) for fact in read(resource).cultures] == [(NOW - 60 * HOUR, NOW - 2 * HOUR)]
    assert [(fact.drawn, fact.time) for fact in read(waiting).cultures] == [(NOW - 5 * HOUR, NOW - 5 * HOUR)]
    undated = report | {"effectiveDateTime": None}
    assert [(fact.drawn, fact.time) for fact in read(undated).cultures] == [(None, NOW - 2 * HOUR)]


CODES = [(LOINC, "600-7"), (LOINC, "17928-3"), (SNOMED, "30088009"), (CPT, "87040")]


@pytest.mark.parametrize(("system", "code"), CODES)
def test_3_7_every_code_of_a_blood_culture_is_read_in_every_kind_of_resource(system: str, code: str) -> None:
    coded = {"code": concept(system, code)}
    timeline = read(
        culture("No growth") | coded,
        culture_order() | coded,
        procedure("x") | coded,
        observation(concept(system, code), ago=6 * HOUR),
    )
    assert sorted(steps(timeline)) == ["drawn", "drawn", "negative", "ordered"]


def test_3_7_a_blood_culture_is_known_by_its_name() -> None:
    timeline = read(culture("No growth") | {"code": {"text": "Blood culture x2"}})
    assert [(fact.step, fact.flags) for fact in timeline.cultures] == [("negative", (Flag.NAME_ONLY,))]


@pytest.mark.parametrize(("system", "code"), [(LOINC, "630-4"), (SNOMED, "117010004")])
def test_3_7_a_urine_culture_is_refused_with_its_reason(system: str, code: str) -> None:
    coded = {"code": concept(system, code)}
    for resource in (culture("No growth"), culture_order(), procedure("x"), observation({})):
        timeline = read(resource | coded)
        assert timeline.cultures == ()
        assert reasons(timeline) == ["a urine culture is not a blood culture"]


@pytest.mark.parametrize("words", ["Urine culture", "Wound culture", "Sodium", "Hemoculture stain"])
def test_3_7_another_culture_by_name_is_none(words: str) -> None:
    assert read(culture("No growth") | {"code": {"text": words}}).cultures == ()


RESULTS = {
    "No growth": "negative",
    "No growth after 5 days": "negative",
    "NO GROWTH 5 DAYS - FINAL": "negative",
    "No growth of bacteria in both bottles": "negative",
    "Aerobic bottle: no growth. Anaerobic bottle: no growth.": "negative",
    "Negative": "negative",
    "Blood culture negative": "negative",
    "No organisms isolated": "negative",
    "sterile": "negative",
    "Negative (qualifier value)": "negative",
    "Positive": "positive",
    "Positive for Escherichia coli": "positive",
    "Gram negative rods": "positive",
    "Gram-positive cocci in clusters": "positive",
    "Coagulase-negative staphylococci": "positive",
    "Growth of Klebsiella pneumoniae": "positive",
    "Aerobic bottle: negative; anaerobic bottle: positive": "positive",
    "No growth in aerobic bottle, growth of E. coli in anaerobic bottle": "positive",
    "Staphylococcus aureus, negative for MRSA": "drawn",
    "Klebsiella pneumoniae; ESBL not detected": "drawn",
    "No growth in anaerobic bottle. Aerobic: Candida": "drawn",
    "Candida albicans": "drawn",
    "Pending": "drawn",
    "No growth to date, preliminary": "drawn",
    "": "drawn",
}


@pytest.mark.parametrize(("conclusion", "step"), RESULTS.items())
def test_c27_only_clear_words_make_a_culture_negative_or_positive(conclusion: str, step: str) -> None:
    assert steps(read(culture(conclusion))) == [step]
    assert steps(read(observation(concept(LOINC, "600-7"), valueString=conclusion))) == [step]
    coded = observation(concept(LOINC, "600-7"), valueCodeableConcept={"coding": [{"display": conclusion}]})
    assert steps(read(coded)) == [step]


def test_c27_of_a_text_and_a_display_that_contradict_each_other_growth_counts() -> None:
    value = {"text": "No growth", "coding": [{"display": "Positive"}]}
    assert steps(read(observation(concept(LOINC, "600-7"), valueCodeableConcept=value))) == ["positive"]


def test_c27_the_laboratory_may_mark_a_culture_positive_and_never_negative() -> None:
    marked = {"interpretation": [{"coding": [{"code": "POS", "display": "Positive"}]}]}
    organism = observation(concept(LOINC, "600-7"), valueString="Candida albicans")
    assert steps(read(organism | marked)) == ["positive"]
    assert steps(read(organism | {"interpretation": [{"text": "Negative"}]})) == ["drawn"]
    grown_nothing = observation(concept(LOINC, "600-7"), valueString="No growth")
    assert steps(read(grown_nothing | {"interpretation": [{"text": "Normal"}]})) == ["negative"]


def test_c27_coded_conclusions_of_a_report_count_as_its_text() -> None:
    assert steps(read(culture(status="final") | {"conclusionCode": [{"text": "Positive"}]})) == ["positive"]
    both = culture("No growth") | {"conclusionCode": [{"coding": [{"display": "Candida albicans"}]}]}
    assert steps(read(both)) == ["drawn"]


@pytest.mark.parametrize("status", ["final", "amended", "corrected", "appended"])
def test_c27_a_final_report_counts(status: str) -> None:
    assert steps(read(culture("No growth", status=status))) == ["negative"]


@pytest.mark.parametrize("status", ["registered", "partial", "preliminary"])
def test_c27_a_report_that_is_not_final_only_says_that_blood_was_drawn(status: str) -> None:
    assert steps(read(culture("No growth", status=status))) == ["drawn"]


@pytest.mark.parametrize("status", ["cancelled", "entered-in-error", "unknown", None])
def test_dq35_a_report_that_is_none_is_said(status: Any) -> None:
    timeline = read(culture("No growth") | {"status": status})
    assert timeline.cultures == ()
    assert reasons(timeline)[0].startswith("report: status is ")


def test_a_result_is_known_from_its_issue_and_a_drawing_from_when_it_was() -> None:
    issued = {"issued": at(HOUR)}
    assert [fact.time for fact in read(culture("No growth", ago=5 * DAY) | issued).cultures] == [NOW - HOUR]
    assert [fact.time for fact in read(culture(ago=5 * DAY) | issued).cultures] == [NOW - 5 * DAY]
    assert [fact.time for fact in read(culture("No growth") | {"issued": at(-DAY)}).cultures] == [NOW]
    assert [fact.time for fact in read(culture("No growth") | {"issued": "soon"}).cultures] == [NOW - 5 * HOUR]


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"effectivePeriod": {"start": at(9 * HOUR), "end": at(8 * HOUR)}}, NOW - 8 * HOUR),
        ({"issued": at(7 * HOUR)}, NOW - 7 * HOUR),
        ({"effectiveDateTime": day(DAY)}, NOW - 36 * HOUR),
        ({"effectiveDateTime": "soon"}, None),
        ({}, None),
    ],
)
def test_dq37_the_time_of_a_report_is_read_as_that_of_an_observation(when: Json, expected: Any) -> None:
    resource = culture()
    del resource["effectiveDateTime"]
    timeline = read(resource | when)
    assert [fact.time for fact in timeline.cultures] == ([] if expected is None else [expected])
    assert len(timeline.unused) == (expected is None)


ORDERS = {"draft": "ordered", "active": "ordered", "on-hold": "ordered", "completed": "drawn"}


@pytest.mark.parametrize(("status", "step"), ORDERS.items())
def test_an_order_of_a_culture_is_ordered_until_it_is_completed(status: str, step: str) -> None:
    assert steps(read(culture_order(status=status))) == [step]


@pytest.mark.parametrize("status", ["revoked", "entered-in-error", "unknown", None, ["active"]])
def test_an_order_of_a_culture_that_does_not_hold_is_said(status: Any) -> None:
    timeline = read(culture_order() | {"status": status})
    assert timeline.cultures == ()
    assert len(timeline.unused) == 1


def test_an_order_not_to_draw_a_culture_is_no_order() -> None:
    assert read(culture_order() | {"doNotPerform": True}).cultures == ()


@pytest.mark.parametrize(
    ("when", "expected"),
    [
        ({"occurrenceDateTime": at(3 * HOUR), "authoredOn": at(9 * HOUR)}, NOW - 3 * HOUR),
        ({"occurrenceDateTime": at(-DAY)}, NOW),
        ({"authoredOn": at(9 * HOUR)}, NOW - 9 * HOUR),
        ({"authoredOn": None}, NOW),
        ({"authoredOn": "soon"}, NOW),
    ],
)
def test_the_time_of_an_order_is_when_it_is_due_else_authored_else_now(when: Json, expected: Any) -> None:
    assert [fact.time for fact in read(culture_order() | when).cultures] == [expected]


@pytest.mark.parametrize(("status", "read_as"), [("final", 1), ("preliminary", 1), ("registered", 0)])
def test_a_report_of_a_panel_is_a_result_once_there_is_one(status: str, read_as: int) -> None:
    panel = culture("x", status=status) | {"code": concept(LOINC, "58410-2")}
    assert len(read(panel).labs) == read_as


def test_a_report_of_something_else_is_passed_over() -> None:
    timeline = read(culture("x") | {"code": concept(LOINC, "30746-2", "Portable chest X-ray")})
    assert (timeline.labs, timeline.cultures, timeline.unused) == ((), (), ())

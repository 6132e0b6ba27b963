"""What a record may hold, through the hook: every row ends in a grade that is right or says what is not known."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from cds_service.hooks.knowledge import Knowledge
from tests import chart
from tests.answers import FAILED, Json, answer, assessment, missing
from tests.chart import (
    DAY,
    HOUR,
    LOINC,
    MINUTE,
    PATIENT,
    at,
    bundle,
    concept,
    given,
    infusion,
    measured,
    observation,
    oxygen,
    patient,
    pressure,
    quantity,
    saturation,
    systolic,
    temperature,
    therapy,
    weight,
)
from tests.conftest import MakeApp

Ask = Callable[..., Json]
SECOND = timedelta(seconds=1)
NORMAL = (pressure(120, 70), saturation(97), oxygen("room air"))
FEBRILE = (therapy(), temperature(39), *NORMAL)
SICK = (therapy(), temperature(39), pressure(120, 70), saturation(95), oxygen("nasal cannula", flow=2), infusion())
OTHERS = {"subject": {"reference": "Patient/somebody-else"}}
MODIFIER = {"modifierExtension": [{"url": "urn:not", "valueBoolean": True}]}


@pytest.fixture
def ask(make_app: MakeApp, knowledge: Knowledge) -> Ask:
    """Asks for the patient with these resources in a complete prefetch, at the NOW of the chart."""
    client: FlaskClient = make_app(lambda: chart.NOW)

    def asked(*resources: Json, **keys: Any) -> Json:
        return answer(client, PATIENT, prefetch=prefetched(knowledge, *resources) | keys)

    return asked


def prefetched(knowledge: Knowledge, *resources: Json) -> Json:
    """Each resource under each key that asks for its type."""
    people = [item for item in resources if item["resourceType"] == "Patient"] or [patient()]
    found = {
        need.key: [item for item in resources if item["resourceType"] == need.resource_type] for need in knowledge.needs
    }
    return {key: bundle(*items) for key, items in found.items()} | {"patient": people[0]}


def stated(body: Json) -> tuple[str, int | None]:
    return assessment(body)["status"], assessment(body)["grade"]


def unused(body: Json) -> list[str]:
    return [item["reason"] for item in assessment(body)["unused"]]


def detail(body: Json) -> str:
    words: str = body["cards"][0]["detail"]
    return words


# Whose it is, and what can be read of it


def test_t41_another_patients_signs_neither_raise_nor_lower_and_are_counted_on_the_card(ask: Ask) -> None:
    worse = [pressure(60) | OTHERS, oxygen("BiPAP") | OTHERS, infusion("epinephrine") | OTHERS]
    better = [temperature(36.5, ago=MINUTE) | OTHERS, oxygen("room air", ago=MINUTE) | OTHERS]
    ended = infusion(ended=MINUTE) | OTHERS
    with capture_logs() as logs:
        body = ask(*SICK, *worse, *better, ended)
    assert stated(body) == stated(ask(*SICK)) == ("graded", 3)
    assert "it belongs to another patient (6 resources" in detail(body)
    assert [line["of_others"] for line in logs if line["event"] == "resources of others"] == [6]


def test_t41_t63_a_flood_of_another_patients_readings_hides_no_other_loss(ask: Ask) -> None:
    flood = [temperature(36.5, ago=minute * MINUTE) | OTHERS for minute in range(40)]
    body = ask(*FEBRILE, *flood, temperature(386))
    assert "386 °C is not plausible" in detail(body)
    assert "40 resources" in detail(body)


@pytest.mark.parametrize(
    "subject", ["urn:uuid:0c3151bd-1cbf-4d64-b04d-cd9187a4c6e0", "#p", "https://x.example/Patient/p1", ""]
)
def test_t42_a_reference_that_may_be_of_anybody_is_not_used_and_said(ask: Ask, subject: str) -> None:
    body = ask(*FEBRILE, pressure(60) | {"subject": {"reference": subject}})
    assert stated(body) == ("graded", 1)
    assert "another patient" in detail(body) or "names no patient" in detail(body)


def test_t42_a_versioned_reference_is_the_patients(ask: Ask) -> None:
    body = ask(*FEBRILE, pressure(60) | {"subject": {"reference": f"Patient/{PATIENT}/_history/7"}})
    assert stated(body) == ("graded", 2)


@pytest.mark.parametrize("place", ["resource", "inner"])
@pytest.mark.parametrize(
    ("resource", "inner", "sign"),
    [
        (pressure(60), "component", "systolic blood pressure"),
        (infusion(), "dosage", "norepinephrine"),
        (given("tocilizumab", 560, ago=2 * HOUR), "dosage", "tocilizumab"),
        (measured("8310-5", 41, "Cel", referenceRange=[{}]), "referenceRange", "temperature"),
    ],
    ids=["pressure", "infusion", "dose", "temperature"],
)
def test_t44_what_carries_a_modifier_is_not_used_and_its_sign_is_named(
    ask: Ask, resource: Json, inner: str, sign: str, place: str
) -> None:
    within = resource[inner][0] if isinstance(resource[inner], list) else resource[inner]
    marked = resource | (MODIFIER if place == "resource" else {inner: [within | MODIFIER]})
    body = ask(*FEBRILE, marked)
    assert stated(body) == ("graded", 1)
    assert any(sign in reason and "modifier" in reason for reason in unused(body))
    assert sign in detail(body)


def test_t44_a_patient_with_a_modifier_has_no_age(ask: Ask) -> None:
    """85 mmHg is normal at five years, and low where the age is not known."""
    child, signs = patient("2020-06-01"), (therapy(), temperature(39), pressure(85), *NORMAL[1:])
    assert stated(ask(*signs, child)) == ("graded", 1)
    body = ask(*signs, child | MODIFIER)
    assert stated(body) == ("provisional", 2)
    assert "the patient's age" in missing(body)
    assert any("modifier" in reason for reason in unused(body))


def test_t44_a_bundle_with_rules_of_its_own_is_not_read(ask: Ask) -> None:
    vitals = bundle(temperature(36.5)) | {"implicitRules": "urn:rules"}
    assert stated(ask(therapy(), *NORMAL, temperature=bundle(temperature(36.5)))) == ("no-crs", 0)
    body = ask(therapy(), *NORMAL, temperature=vitals)
    assert stated(body) == ("indeterminate", None)
    assert "rules that this service does not know" in missing(body)


@pytest.mark.parametrize("place", ["entry", "search"])
@pytest.mark.parametrize(
    ("key", "resource", "sign"),
    [
        ("bloodPressure", pressure(60), "systolic blood pressure"),
        ("crsMedications", infusion(), "norepinephrine"),
        ("vitalSigns", temperature(41), "temperature"),
    ],
)
def test_t44_what_stands_in_an_entry_with_a_modifier_is_not_used_and_its_sign_is_named(
    ask: Ask, key: str, resource: Json, sign: str, place: str
) -> None:
    sent = bundle(*FEBRILE, resource) if key != "crsMedications" else bundle(therapy(), resource)
    sent["entry"][-1] |= MODIFIER if place == "entry" else {"search": {"mode": "match"} | MODIFIER}
    body = ask(*FEBRILE, **{key: sent})
    assert stated(body) == ("graded", 1)
    assert any(sign in reason and "modifier" in reason for reason in unused(body))
    assert sign in detail(body)


@pytest.mark.parametrize("entry", [MODIFIER, {"modifierExtension": []}, {"extension": MODIFIER["modifierExtension"]}])
def test_t44_a_patient_in_an_entry_with_a_modifier_has_no_age_and_any_other_extension_is_ignored(
    ask: Ask, entry: Json
) -> None:
    signs = (therapy(), temperature(39), pressure(85), *NORMAL[1:])
    child = bundle(patient("2020-06-01"))
    child["entry"][0] |= entry
    assert stated(ask(*signs, patient=child)) == (("provisional", 2) if entry is MODIFIER else ("graded", 1))


@pytest.mark.parametrize(
    ("signs", "expected"),
    [
        ((temperature(36.8), *NORMAL), ("indeterminate", None)),
        ((temperature(39), *NORMAL), ("provisional", 1)),
        ((temperature(39), pressure(80), *NORMAL[1:]), ("provisional", 2)),
        ((temperature(39), *NORMAL, infusion()), ("provisional", 3)),
        ((temperature(39), *NORMAL, infusion(), infusion("epinephrine")), ("graded", 4)),
    ],
)
def test_t45_dq_43_vital_signs_found_by_category_only_are_not_taken_as_normal_when_they_cannot_be_had(
    ask: Ask, signs: tuple[Json, ...], expected: tuple[str, int | None]
) -> None:
    """What is charted by code is graded all the same; null says that nothing else is charted (decision 12)."""
    record = (therapy(), *signs)
    body = ask(*record, vitalSigns=FAILED)
    assert stated(body) == expected
    assert "vital signs without a code of their own" in missing(body)
    assert stated(ask(*record, vitalSigns=None)) == stated(ask(*record))
    assert stated(ask(*record))[0] in ("graded", "no-crs")


def test_t44_a_medication_with_a_modifier_names_no_drug(ask: Ask) -> None:
    held = {"resourceType": "Medication", "id": "m", "code": chart.drug("norepinephrine")}
    referring = {"medicationCodeableConcept": None, "medicationReference": {"reference": "#m"}}
    assert stated(ask(*FEBRILE, infusion() | referring | {"contained": [held]})) == ("graded", 3)
    body = ask(*FEBRILE, infusion() | referring | {"contained": [held | MODIFIER]})
    assert stated(body) == ("graded", 1)
    assert any("modifier" in reason for reason in unused(body))


def test_t43_what_was_sent_along_with_the_matches_does_not_tell_how_far_they_reach(ask: Ask) -> None:
    """One page of pressures that ends at once, with an old one included and a link that cannot be followed."""
    old = {"resource": pressure(120, ago=9 * DAY), "search": {"mode": "include"}}
    page = bundle(pressure(120, ago=MINUTE)) | {"link": [{"relation": "next", "url": "https://ehr.example/2"}]}
    page["entry"].append(old)
    signs = (therapy(), temperature(39), saturation(97), oxygen("room air"))
    others = dict.fromkeys(("oxygen", "temperature", "vitalSigns"), bundle(*signs[1:]))
    rest = {key: bundle() for key in ("weight", "infusionRates", "laboratory", "scores")}
    body = ask(*signs[:1], **others, **rest, bloodPressure=page)
    assert "blood pressure" in missing(body)
    assert stated(body) == ("provisional", 1)
    page["entry"][1]["search"] = {"mode": "match"}
    assert stated(ask(*signs[:1], **others, **rest, bloodPressure=page)) == ("graded", 1)


# When it was


@pytest.mark.parametrize(("age", "used"), [(4 * HOUR - SECOND, True), (4 * HOUR, True), (4 * HOUR + SECOND, False)])
def test_t57_a_pressure_and_a_saturation_count_for_four_hours_and_then_show_their_age(
    ask: Ask, age: timedelta, used: bool
) -> None:
    body = ask(therapy(), temperature(39), pressure(80, ago=age), saturation(97, ago=age), oxygen("room air"))
    assert assessment(body)["grade"] == (2 if used else 1)
    assert (stated(body)[0] == "graded") is used
    assert used or [reason for reason in unused(body) if "BP 80 mmHg is 4 h old, the limit is 4 h" in reason]
    assert used or [reason for reason in unused(body) if "SpO2 97 % is 4 h old, the limit is 4 h" in reason]


@pytest.mark.parametrize(("age", "used"), [(12 * HOUR - SECOND, True), (12 * HOUR, True), (12 * HOUR + SECOND, False)])
def test_t57_a_temperature_counts_for_twelve_hours_and_then_shows_its_age(ask: Ask, age: timedelta, used: bool) -> None:
    body = ask(therapy(), temperature(36.8, ago=age), *NORMAL)
    assert stated(body) == (("no-crs", 0) if used else ("indeterminate", None))
    assert used or unused(body) == ["T 36.8 °C is 12 h old, the limit is 12 h"]
    assert used or "T 36.8 °C is 12 h old" in detail(body)


def test_t57_a_record_of_old_readings_alone_is_not_graded_and_names_the_last_ones(ask: Ask) -> None:
    body = ask(therapy(), *(item | {"effectiveDateTime": at(20 * HOUR)} for item in (temperature(36.8), *NORMAL)))
    assert stated(body) == ("indeterminate", None)
    assert [reason.partition(" is ")[0] for reason in unused(body)] == [
        "T 36.8 °C", "BP 120/70 mmHg", "room air", "SpO2 97 %",
    ]  # fmt: skip


@pytest.mark.parametrize(
    ("ahead", "used"), [(5 * MINUTE - SECOND, True), (5 * MINUTE, True), (5 * MINUTE + SECOND, False)]
)
def test_t58_beyond_five_minutes_ahead_nothing_counts_in_either_direction(
    ask: Ask, ahead: timedelta, used: bool
) -> None:
    low = ask(*FEBRILE, pressure(80, ago=-ahead))
    assert assessment(low)["grade"] == (2 if used else 1)
    off = ask(*SICK, oxygen("room air", ago=-ahead), temperature(36.5, ago=-ahead))
    assert stated(off) == ("graded", 3)
    assert used or all("dated in the future" in " ".join(unused(body)) for body in (low, off))


HOSTILE = [
    *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-12:00", "2026-01-15T24:00:00Z", "2026-01-15T11:60:00Z"),
    *("2026", "2026-01", "2026-01-15", "11:00", "", "now", "2026-02-30T11:00:00Z", "2026-01-15T11:00:00+99:00"),
    *(None, 5, [], {}, True),
]


@pytest.mark.parametrize("when", HOSTILE, ids=repr)
@pytest.mark.parametrize(
    "member", ["effectiveDateTime", "effectivePeriod", "effectiveInstant", "effectiveTiming", "issued"]
)
def test_t59_a_hostile_time_costs_its_own_reading_and_is_said(ask: Ask, member: str, when: Any) -> None:
    value = {"effectivePeriod": {"start": when, "end": when}, "effectiveTiming": {"event": [when]}}.get(member, when)
    low = {name: item for name, item in pressure(60).items() if name != "effectiveDateTime"}
    body = ask(*FEBRILE, low | {member: value}, infusion() | {"effectivePeriod": None, "effectiveDateTime": when})
    assert stated(body) in {("graded", 1), ("graded", 3)}
    if stated(body) == ("graded", 1):
        assert any("systolic" in reason or "old" in reason for reason in unused(body)), unused(body)
    assert len(body["cards"]) >= 2


def test_t59_a_time_without_a_zone_is_that_of_the_site_and_makes_the_grade_provisional(ask: Ask) -> None:
    body = ask(*FEBRILE[:2], *NORMAL[1:], pressure(80) | {"effectiveDateTime": "2026-01-15T11:00:00"})
    assert stated(body) == ("provisional", 2)
    assert "charted without a time zone" in detail(body)


# Which of it counts


STATUSES = ["entered-in-error", "cancelled", "unknown", "registered", "not-done", "", None, "FINAL"]


@pytest.mark.parametrize("status", STATUSES)
def test_t60_what_is_not_final_counts_in_neither_direction_and_is_said(ask: Ask, status: Any) -> None:
    low = ask(*FEBRILE, pressure(60) | {"status": status})
    assert stated(low) == ("graded", 1)
    well = ask(
        *SICK, temperature(36.5, ago=MINUTE) | {"status": status}, oxygen("room air", ago=MINUTE) | {"status": status}
    )
    assert stated(well) == ("graded", 3)
    assert all("status is" in " ".join(unused(body)) for body in (low, well))


@pytest.mark.parametrize("status", ["final", "amended", "corrected", "preliminary"])
def test_t60_what_is_final_amended_corrected_or_preliminary_counts(ask: Ask, status: str) -> None:
    body = ask(*FEBRILE[:2], *NORMAL[1:], pressure(60) | {"status": status})
    assert stated(body) == ("graded", 2)
    assert ("preliminary" in detail(body)) is (status == "preliminary")


@pytest.mark.parametrize("backwards", [False, True])
def test_t61_of_two_that_conflict_at_one_instant_the_worse_counts_both_are_shown_and_it_is_said(
    ask: Ask, backwards: bool
) -> None:
    pairs = [
        *(temperature(36.9, code="8328-7"), temperature(38.6, code="8332-9")),
        *(pressure(120), pressure(85), saturation(97), saturation(85)),
    ]
    body = ask(therapy(), *(reversed(pairs) if backwards else pairs), oxygen("room air"))
    assert assessment(body)["grade"] == 2
    assert all(words in detail(body) for words in ("36.9", "38.6", "BP 120", "BP 85", "SpO2 97", "SpO2 85"))
    for what in ("temperatures", "blood pressures", "oxygen saturations"):
        assert f"{what} charted at one time conflict" in detail(body)


def test_t61_equal_readings_are_one_and_no_conflict(ask: Ask) -> None:
    twice = [item | {"id": f"x-{item['id']}"} for item in FEBRILE[1:]]
    assert stated(ask(*FEBRILE, *twice)) == ("graded", 1)
    assert "conflict" not in detail(ask(*FEBRILE, *twice))


# What it says


@pytest.mark.parametrize(
    ("sign", "grade"),
    [
        (systolic(11.99, "kPa"), 2),
        (systolic(12.0, "kPa"), 1),
        (oxygen(flow=6001, device=None) | {"valueQuantity": quantity(6001, "mL/min")}, 3),
        (oxygen(flow=6000, device=None) | {"valueQuantity": quantity(6000, "mL/min")}, 2),
        (saturation(0.89, "1"), 2),
        (saturation(0.90, "1"), 1),
    ],
)
def test_t62_other_units_are_converted_exactly_at_the_threshold(ask: Ask, sign: Json, grade: int) -> None:
    kinds = {"8480-6": 0, "3151-8": 2, "59408-5": 1}
    place = kinds[sign["code"]["coding"][0]["code"]]
    normal = [item for n, item in enumerate(NORMAL) if n != place]
    assert assessment(ask(therapy(), temperature(39), *normal, sign))["grade"] == grade


@pytest.mark.parametrize("unit", ["K", "degrees", "furlong"])
def test_t62_an_unknown_unit_takes_the_sign_away_and_says_so(ask: Ask, unit: str) -> None:
    body = ask(therapy(), temperature(310, unit), *NORMAL)
    assert stated(body) == ("indeterminate", None)
    assert any("unit" in reason and "temperature" in reason for reason in unused(body))


@pytest.mark.parametrize("value", [0, -80, 29.9, 300.1, 1e9])
def test_t63_a_value_that_no_patient_has_is_named_and_the_only_one_leaves_a_floor(ask: Ask, value: float) -> None:
    body = ask(therapy(), temperature(39), *NORMAL[1:], systolic(value))
    assert stated(body) == ("provisional", 1)
    assert "blood pressure in the last 4 h" in missing(body)
    assert any("is not plausible" in reason for reason in unused(body))
    assert "CRS grade 1 or higher" in body["cards"][0]["summary"]


@pytest.mark.parametrize(
    ("reading", "febrile"),
    [
        (temperature(37.9), False),
        (temperature(38.0), True),
        (temperature(38.1), True),
        (temperature(100.3, "[degF]"), False),
        (temperature(100.4, "[degF]"), True),
        (temperature(100.5, "[degF]"), True),
    ],
)
def test_t64_the_threshold_of_fever_is_included_in_every_unit(ask: Ask, reading: Json, febrile: bool) -> None:
    assert stated(ask(therapy(), reading, *NORMAL)) == (("graded", 1) if febrile else ("no-crs", 0))


@pytest.mark.parametrize(
    "value",
    [
        {"valueQuantity": quantity(38, "Cel") | {"comparator": "<="}},
        {"valueQuantity": quantity(37, "Cel") | {"comparator": ">"}},
        {"valueRange": {"low": quantity(37, "Cel"), "high": quantity(39, "Cel")}},
        {"valueString": "febrile"},
        {"valueString": "38.6 C"},
        {"valueBoolean": True},
    ],
)
def test_t64_a_limit_a_range_or_a_text_is_no_temperature_and_is_said(ask: Ask, value: Json) -> None:
    body = ask(therapy(), observation(concept(LOINC, "8310-5"), **value), *NORMAL)
    assert stated(body) == ("indeterminate", None)
    assert any("temperature" in reason for reason in unused(body))


SIGNS = {"pressure": NORMAL[0], "oxygen": NORMAL[2]}


@pytest.mark.parametrize("without", ["pressure", "oxygen", "both"])
def test_t65_a_grade_without_a_sign_is_a_floor_that_names_it(ask: Ask, without: str) -> None:
    charted = [sign for name, sign in SIGNS.items() if without not in (name, "both")]
    body = ask(therapy(), temperature(39), saturation(97), *charted)
    assert stated(body) == ("provisional", 1)
    assert body["cards"][0]["summary"].startswith("CRS grade 1 or higher")
    assert all(name in missing(body) for name in SIGNS if without in (name, "both"))


def test_t65_without_any_sign_there_is_no_grade(ask: Ask) -> None:
    body = ask(therapy())
    assert stated(body) == ("indeterminate", None)
    assert body["cards"]


@pytest.mark.parametrize(
    ("weights", "mg"),
    [
        ([weight(70)], 560),
        ([weight(154.3, "[lb_av]")], 559.91),
        ([weight(120)], 800),
        ([weight(70, ago=30 * DAY)], 560),
        ([weight(70, ago=30 * DAY + SECOND)], None),
        ([weight(60, ago=20 * DAY), weight(72)], 576),
        ([weight(60, ago=20 * DAY), weight(72.1)], None),
        ([weight(60, ago=20 * DAY), weight(47.9)], None),
        ([weight(60, ago=32 * DAY), weight(80)], 640),
        *(([weight(value)], None) for value in (0, -70, 0.4, 301)),
        ([weight(70, None)], None),
        ([], None),
    ],
)
def test_t66_a_dose_by_weight_needs_a_weight_that_can_be_trusted(
    ask: Ask, weights: list[Json], mg: float | None
) -> None:
    body = ask(*FEBRILE, systolic(80), *weights)
    drafts = [
        action["resource"]["dosageInstruction"][0]["doseAndRate"][0]["doseQuantity"]["value"]
        for card in body["cards"]
        for suggestion in card.get("suggestions", [])
        for action in suggestion["actions"]
        if "tocilizumab" in str(action["resource"].get("medicationCodeableConcept"))
    ]
    assert drafts == ([] if mg is None else [mg])
    assert mg is not None or "no tocilizumab dose" in str(body["cards"])


ENDED = ("stopped", "on-hold", "not-done", "entered-in-error", "unknown")


@pytest.mark.parametrize(
    ("infusions", "grade"),
    [
        ([infusion()], 3),
        ([infusion(), infusion()], 3),
        ([infusion(), infusion(rate=0.1, started=HOUR)], 3),
        ([infusion(), infusion("vasopressin", 0.03, unit="U/min")], 3),
        ([infusion(), infusion("epinephrine")], 4),
        ([infusion(), infusion("epinephrine", ended=MINUTE)], 3),
        ([infusion(), infusion("dobutamine")], 3),
        ([infusion(rate=0)], 1),
        *(([infusion(status=status)], 1) for status in ENDED),
        ([infusion() | {"dosage": {"route": {"text": "Intramuscular"}}}], 1),
    ],
)
def test_t67_distinct_agents_that_run_into_a_vein_now_are_counted(ask: Ask, infusions: list[Json], grade: int) -> None:
    body = ask(*FEBRILE, *infusions)
    assert assessment(body)["grade"] == grade
    assert grade > 1 or unused(body)


@pytest.mark.parametrize(("ended", "shown"), [(59 * MINUTE, True), (60 * MINUTE, True), (61 * MINUTE, False)])
def test_t67_a_vasopressor_that_ended_within_the_hour_is_not_counted_and_shown(
    ask: Ask, ended: timedelta, shown: bool
) -> None:
    body = ask(*FEBRILE, infusion(ended=ended))
    assert assessment(body)["grade"] == 1
    assert ("check the pressure again" in detail(body)) is shown


@pytest.mark.parametrize("masking", ["acetaminophen", "tocilizumab", "dexamethasone"])
def test_t68_a_fever_that_a_drug_took_away_is_not_asked_for_and_the_card_says_why(ask: Ask, masking: str) -> None:
    cooled = (therapy(), temperature(39, ago=8 * HOUR), given(masking, 100, ago=7 * HOUR), temperature(36.8))
    assert stated(ask(*cooled, *NORMAL)) == ("graded", 1)
    body = ask(*cooled, *NORMAL[1:], pressure(80))
    assert stated(body) == ("graded", 2)
    assert f"fever waived after {masking}" in body["cards"][0]["summary"]


@pytest.mark.parametrize(
    ("resource", "words"),
    [
        (
            observation(concept("urn:local", "NIBP1", "NIBP"), valueQuantity=quantity(60, "mm[Hg]")),
            "'NIBP' is not recognised",
        ),
        (observation(concept("urn:local", "4711"), valueQuantity=quantity(60, "mm[Hg]")), "no name"),
        (observation(concept(LOINC, "99999-9", "Systolic blood pressure")), "99999-9 is not in the code tables"),
        (infusion() | {"medicationCodeableConcept": concept("urn:local", "NE4")}, "no name"),
        (infusion() | {"medicationCodeableConcept": {"text": "Vasopressor infusion"}}, "is not recognised"),
    ],
    ids=["name that hints", "code alone", "changed code", "drug by code alone", "drug that hints"],
)
def test_t69_what_may_matter_and_is_not_recognised_is_said_and_counted(ask: Ask, resource: Json, words: str) -> None:
    with capture_logs() as logs:
        body = ask(*FEBRILE, resource)
    assert stated(body) == ("graded", 1)
    assert "Not used:" in detail(body)
    assert any(words in reason for reason in unused(body))
    assert [line["unrecognised"] for line in logs if line["event"] == "answered"] == [1]


def test_t70_a_septic_patient_without_such_a_therapy_has_no_grade_and_no_card(ask: Ask) -> None:
    body = ask(temperature(39.5), pressure(70), oxygen("non-rebreather"), infusion())
    assert stated(body) == ("not-eligible", None)
    assert body["cards"] == []


def test_t71_a_drug_that_is_ordered_or_an_allergy_is_not_drafted_and_every_draft_is_the_patients(ask: Ask) -> None:
    sick = (*FEBRILE, systolic(80), weight(70))
    for body, drafted in (
        (ask(*sick), True),
        (ask(*sick, chart.order("tocilizumab", mg=560)), False),
        (ask(*sick, chart.allergy("tocilizumab")), False),
        (ask(*sick, chart.allergy("tocilizumab") | {"patient": {"reference": "Patient/other"}}), True),
    ):
        actions = [
            action["resource"]
            for card in body["cards"]
            for suggestion in card.get("suggestions", [])
            for action in suggestion["actions"]
        ]
        assert ("tocilizumab" in str(actions)) is drafted
        assert {item["subject"]["reference"] for item in actions} == {f"Patient/{PATIENT}"}

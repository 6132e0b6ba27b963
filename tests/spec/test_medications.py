"""Medications given and ordered: DQ-45, DQ-50 to DQ-60, the drug tables 3.7 to 3.10, and what counts as a dose."""

from typing import Any

import pytest

from cds_service.crs.timeline import FOREVER, Flag, Timeline
from tests.chart import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    RXNORM,
    Json,
    at,
    concept,
    day,
    drug,
    given,
    infusion,
    observation,
    order,
    procedure,
    quantity,
    read,
    reasons,
    therapy,
)

PRESSORS = {
    "7512": "norepinephrine",
    "1745276": "norepinephrine",
    "242969": "norepinephrine",
    "3992": "epinephrine",
    "1660013": "epinephrine",
    "8163": "phenylephrine",
    "1666371": "phenylephrine",
    "373369": "phenylephrine",
    "3628": "dopamine",
    "1743862": "dopamine",
    "1999010": "angiotensin II",
}
OTHERS = {
    "11149": ("vasopressin", "vasopressin"),
    "2103181": ("vasopressin", "vasopressin"),
    "2103185": ("vasopressin", "vasopressin"),
    "3616": ("dobutamine", "inotrope"),
    "1812167": ("dobutamine", "inotrope"),
    "52769": ("milrinone", "inotrope"),
    "1791839": ("milrinone", "inotrope"),
    "3966": ("ephedrine", "other"),
    "6963": ("midodrine", "other"),
}


def coded(code: str) -> Json:
    """A medication by its RxNorm code alone."""
    return {"medicationCodeableConcept": concept(RXNORM, code)}


def named(words: str) -> Json:
    """A medication by its text alone."""
    return {"medicationCodeableConcept": {"text": words}}


def running(timeline: Timeline, role: str = "vasopressor") -> list[str]:
    return [fact.agent for fact in timeline.vasoactives if fact.role == role and fact.runs_at(NOW)]


def boluses(timeline: Timeline) -> list[str]:
    return [fact.agent for fact in timeline.vasoactives if fact.bolus]


def period(start: Any = None, end: Any = None) -> Json:
    ends = {"start": start, "end": end}
    return {"effectivePeriod": {name: value for name, value in ends.items() if value is not None}}


@pytest.mark.parametrize(("code", "agent"), PRESSORS.items())
def test_3_9_every_vasopressor_is_known_by_its_code(code: str, agent: str) -> None:
    assert running(read(infusion() | coded(code))) == [agent]


@pytest.mark.parametrize(("code", "agent", "role"), [(code, *known) for code, known in OTHERS.items()])
def test_3_9_other_vasoactive_drugs_are_known_and_are_no_vasopressors(code: str, agent: str, role: str) -> None:
    timeline = read(infusion() | coded(code))
    assert running(timeline) == []
    assert running(timeline, role) == [agent]


@pytest.mark.parametrize(
    ("words", "agent"),
    [
        ("Norepinephrine 16 mg in dextrose 5 % 250 mL", "norepinephrine"),
        ("NOREPINEPHRINE-D5W", "norepinephrine"),
        ("nor-epinephrine drip", "norepinephrine"),
        ("noradrenaline", "norepinephrine"),
        ("Levophed", "norepinephrine"),
        ("epinephrine infusion", "epinephrine"),
        ("Adrenaline", "epinephrine"),
        ("phenylephrine 100 mcg/mL", "phenylephrine"),
        ("Neo-Synephrine", "phenylephrine"),
        ("angiotensin II", "angiotensin II"),
        ("Giapreza", "angiotensin II"),
        ("dopamine 400 mg/250 mL", "dopamine"),
    ],
)
def test_3_9_every_vasopressor_is_known_by_its_name_and_flagged(words: str, agent: str) -> None:
    timeline = read(infusion() | named(words))
    assert running(timeline) == [agent]
    assert timeline.vasoactives[0].flags == (Flag.NAME_ONLY,)


@pytest.mark.parametrize("words", ["desmopressin", "norepinephrinesulfate-x", "dextrose 5 %", "DDAVP"])
def test_a_name_that_only_holds_a_known_one_is_another_drug(words: str) -> None:
    assert read(infusion() | named(words)).vasoactives == ()


@pytest.mark.parametrize(
    "medication",
    [
        named("lidocaine 1 % with epinephrine 1:100,000"),
        named("Neo Lidocaton (lidocaine, norepinephrine, vasopressin)"),
        named("articaine / epinephrine"),
        named("phenylephrine nasal spray 0.5 %"),
        named("Neo-Synephrine 1 % spray"),
        named("phenylephrine ophthalmic solution"),
        named("phenylephrine hydrochloride 10 MG Oral Tablet"),
        named("racemic epinephrine"),
        named("epinephrine auto-injector"),
        named("angiotensin II receptor blocker"),
        {"medicationCodeableConcept": concept(RXNORM, "3992", "EpiPen 0.3 mg")},
        {"medicationCodeableConcept": concept(RXNORM, "3992") | {"text": "lidocaine with epinephrine"}},
        {"medicationCodeableConcept": {"text": "lidocaine " + "x" * 300 + " epinephrine"}},
    ],
)
def test_3_9_a_trap_is_no_vasopressor_and_is_said(medication: Json) -> None:
    for resource in (infusion() | medication, given("x") | medication):
        timeline = read(resource)
        assert timeline.vasoactives == ()
        assert len(timeline.unused) == 1


def test_3_9_a_cold_remedy_is_no_vasopressor_and_still_an_antipyretic() -> None:
    timeline = read(given("acetaminophen 325 mg / phenylephrine 5 mg oral tablet"))
    assert (timeline.vasoactives, timeline.unused) == ((), ())
    assert [fact.agent for fact in timeline.drugs] == ["acetaminophen"]


ROUTES = {
    "Intravenous": True,
    "IV": True,
    "IV push": True,
    "Central venous line": True,
    "Intraosseous": True,
    "Intramuscular": False,
    "IM": False,
    "Subcutaneous": False,
    "Oral": False,
    "Nasal": False,
    "Inhalation": False,
    "Nebulized": False,
    "Ophthalmic": False,
    "Epidural": False,
    "per protocol": True,
}


@pytest.mark.parametrize(("route", "counts"), ROUTES.items())
def test_3_9_only_what_runs_into_a_vein_counts(route: str, counts: bool) -> None:
    charted = {"route": {"text": route}, "rateQuantity": quantity(0.05, "ug/kg/min")}
    for dosage in (charted, [charted], {**charted, "route": {"coding": [{"display": route}]}}):
        timeline = read(infusion() | {"dosage": dosage})
        assert running(timeline) == (["norepinephrine"] if counts else [])
        assert len(timeline.unused) == (not counts)


def test_3_9_a_route_may_stand_in_the_text_of_the_dosage() -> None:
    assert boluses(read(given("epinephrine") | {"dosage": {"text": "0.3 mg IM once"}})) == []
    assert boluses(read(given("epinephrine") | {"dosage": {"text": "10 mcg IV push"}})) == ["epinephrine"]
    assert boluses(read(given("epinephrine") | {"dosage": {"text": "IV, may be given IM"}})) == ["epinephrine"]


def test_3_9_a_route_that_is_not_charted_is_taken_to_be_intravenous() -> None:
    resource = infusion()
    del resource["dosage"]
    assert running(read(resource)) == ["norepinephrine"]


def test_dq50_an_infusion_in_progress_without_an_end_runs() -> None:
    (fact,) = read(infusion()).vasoactives
    assert (fact.agent, fact.role, fact.rate) == ("norepinephrine", "vasopressor", "0.05 µg/kg/min")
    assert (fact.time, fact.until, fact.bolus) == (NOW - 3 * HOUR, FOREVER, False)


def test_dq50_an_infusion_in_progress_with_one_time_or_an_end_in_the_future_runs() -> None:
    planned = infusion(ended=-8 * HOUR, status="in-progress")
    assert running(read(planned)) == ["norepinephrine"]
    assert running(read(given("norepinephrine", status="in-progress"))) == ["norepinephrine"]


@pytest.mark.parametrize(
    "charted",
    [
        period(day(DAY)),
        {"effectiveDateTime": day(DAY)},
        period(day(0 * DAY)),
        period(at(DAY), "soon"),
        period(at(DAY), "9999-12-31"),
    ],
)
def test_dq50_what_is_in_progress_runs_though_only_its_day_is_charted_or_its_end_is_none(charted: Json) -> None:
    resource = infusion()
    del resource["effectivePeriod"]
    assert running(read(resource | charted)) == ["norepinephrine"]


def test_dq51_an_infusion_started_six_days_ago_still_runs_from_then() -> None:
    (fact,) = read(infusion(started=6 * DAY)).vasoactives
    assert fact.runs_at(NOW)
    assert fact.time == NOW - 6 * DAY


@pytest.mark.parametrize("ended", [5 * HOUR, HOUR, 59 * MINUTE, MINUTE])
def test_dq52_dq53_an_infusion_that_ended_does_not_run_and_keeps_when_it_ended(ended: Any) -> None:
    for status in ("completed", "stopped", "on-hold", "in-progress"):
        (fact,) = read(infusion(started=6 * HOUR, ended=ended, status=status)).vasoactives
        assert not fact.runs_at(NOW)
        assert fact.runs_at(NOW - ended - MINUTE)
        assert fact.until == NOW - ended


def test_dq52_a_completed_infusion_never_runs_though_its_end_lies_ahead() -> None:
    (fact,) = read(infusion(ended=-2 * HOUR, status="completed")).vasoactives
    assert fact.until == NOW
    assert not fact.runs_at(NOW)


@pytest.mark.parametrize("status", ["stopped", "on-hold", "completed"])
@pytest.mark.parametrize("end", [None, "soon", "2026", "2026-01-15T24:00:00Z"])
def test_dq54_what_stopped_at_an_unknown_time_does_not_run_and_is_said(status: str, end: str | None) -> None:
    timeline = read(infusion(status=status) | period(at(3 * HOUR), end))
    assert timeline.vasoactives == ()
    (reason,) = reasons(timeline)
    assert reason.startswith("norepinephrine: ")


@pytest.mark.parametrize("status", ["not-done", "entered-in-error", "unknown", "", None, 5, ["in-progress"]])
def test_dq54_dq57_what_was_not_given_or_is_not_known_to_be_does_not_run_and_is_said(status: Any) -> None:
    for resource in (infusion(), given("tocilizumab", 560), therapy()):
        timeline = read(resource | {"status": status})
        assert (timeline.vasoactives, timeline.drugs, timeline.therapies) == ((), (), ())
        assert ": status is " in reasons(timeline)[0]


@pytest.mark.parametrize(
    "dosage",
    [
        {"rateQuantity": quantity(0, "ug/kg/min")},
        {"rateQuantity": quantity(0.0, None)},
        {"rateRatio": {"numerator": quantity(0, "ug"), "denominator": quantity(1, "min")}},
        [{"rateQuantity": quantity(0, "ug/kg/min")}],
    ],
)
def test_dq55_an_infusion_at_rate_zero_does_not_run_and_is_said(dosage: Any) -> None:
    timeline = read(infusion() | {"dosage": dosage})
    assert timeline.vasoactives == ()
    assert reasons(timeline) == ["norepinephrine: the rate is 0"]


@pytest.mark.parametrize(
    ("dosage", "rate"),
    [
        ({"rateQuantity": quantity(0.001, "ug/kg/min")}, "0.001 µg/kg/min"),
        ({"rateQuantity": {"value": 5}}, "5"),
        ({"rateQuantity": {"value": 5, "code": "ug/min"}}, "5 µg/min"),
        ({"rateQuantity": {"value": 5, "code": "ug/min", "unit": "mcg/min"}}, "5 mcg/min"),
        ({"rateRatio": {"numerator": quantity(5, "ug"), "denominator": quantity(1, "min")}}, "5 µg"),
        ({"rateQuantity": {"value": "0"}}, ""),
        ({"rateQuantity": 5}, ""),
        ({}, ""),
        ("5 ug/min", ""),
        (None, ""),
    ],
)
def test_dq55_a_rate_above_zero_or_one_that_cannot_be_read_leaves_it_running(dosage: Any, rate: str) -> None:
    timeline = read(infusion() | {"dosage": dosage})
    assert running(timeline) == ["norepinephrine"]
    assert timeline.vasoactives[0].rate == rate


def test_dq56_a_completed_dose_at_one_time_is_a_bolus_and_no_infusion() -> None:
    timeline = read(given("phenylephrine", 0.1, ago=HOUR))
    assert boluses(timeline) == ["phenylephrine"]
    assert running(timeline) == []
    (fact,) = timeline.vasoactives
    assert fact.time == fact.until == NOW - HOUR


@pytest.mark.parametrize("status", ["stopped", "on-hold"])
def test_dq54_a_dose_that_was_interrupted_is_no_bolus_and_is_said(status: str) -> None:
    timeline = read(given("phenylephrine", status=status))
    assert timeline.vasoactives == ()
    assert len(timeline.unused) == 1


def test_dq58_two_lines_of_one_drug_are_one_agent() -> None:
    timeline = read(infusion(rate=0.05), infusion(rate=0.2, started=HOUR), infusion() | named("Levophed drip"))
    assert set(running(timeline)) == {"norepinephrine"}


def test_dq58_one_infusion_from_two_feeds_is_one_fact() -> None:
    assert len(read(infusion(id="a"), infusion(id="b")).vasoactives) == 1


def test_dq59_a_vasopressor_counts_whatever_its_reason() -> None:
    assert running(read(infusion() | {"reasonCode": [{"text": "vasoplegia from anesthesia"}]})) == ["norepinephrine"]


def test_dq60_dopamine_counts_at_any_dose() -> None:
    assert running(read(infusion("dopamine", 2))) == ["dopamine"]


@pytest.mark.parametrize("words", ["midodrine", "ephedrine", "methylene blue", "terlipressin"])
def test_dq60_other_drugs_that_raise_the_pressure_are_kept_with_their_role(words: str) -> None:
    for resource in (given(words), infusion(words)):
        timeline = read(resource)
        assert [(fact.agent, fact.role) for fact in timeline.vasoactives] == [(words, "other")]
        assert running(timeline) == []


def test_dq60_midodrine_by_mouth_is_said() -> None:
    assert reasons(read(given("midodrine", route="Oral"))) == ["midodrine: the route is oral"]


@pytest.mark.parametrize("when", [{"effectiveDateTime": day(0 * DAY)}, period(day(DAY), at(HOUR))])
def test_dq38_a_vasopressor_of_a_day_that_does_not_run_is_of_no_hour(when: Json) -> None:
    resource = given("norepinephrine")
    del resource["effectiveDateTime"]
    timeline = read(resource | when)
    assert timeline.vasoactives == ()
    assert reasons(timeline) == ["norepinephrine: it has a date and no time"]


@pytest.mark.parametrize("status", ["active", "on-hold", "draft", "completed"])
def test_3_9_an_order_is_no_evidence_of_running(status: str) -> None:
    timeline = read(order("norepinephrine", status=status))
    assert timeline.vasoactives == ()
    assert [fact.agent for fact in timeline.orders] == (["norepinephrine"] if status != "completed" else [])


def rate(value: float, ago: Any) -> Json:
    """A rate of norepinephrine charted as an Observation."""
    return observation(concept(RXNORM, "7512"), valueQuantity=quantity(value, "ug/kg/min"), ago=ago)


def test_an_infusion_that_ended_ends_the_rates_charted_before() -> None:
    ended = infusion(started=5 * HOUR, ended=HOUR)
    assert running(read(ended, rate(0.05, 2 * HOUR))) == []
    assert running(read(ended, rate(0.05, HOUR / 2))) == ["norepinephrine"]
    assert running(read(infusion("epinephrine", ended=HOUR), rate(0.05, 2 * HOUR))) == ["norepinephrine"]
    assert running(read(infusion(), rate(0.05, 2 * HOUR))) == ["norepinephrine", "norepinephrine"]


def test_dq45_a_medication_is_found_contained_and_among_the_resources_and_by_its_display() -> None:
    resource = infusion()
    del resource["medicationCodeableConcept"]
    bag = {"resourceType": "Medication", "id": "m1", "code": concept(RXNORM, "7512")}
    contained = resource | {"contained": [{"id": "other"}, bag], "medicationReference": {"reference": "#m1"}}
    assert [(fact.agent, fact.flags) for fact in read(contained).vasoactives] == [("norepinephrine", ())]
    for target in ("Medication/m1", "Medication/m1/_history/2", "https://ehr.example/fhir/Medication/m1"):
        referred = resource | {"medicationReference": {"reference": target}}
        assert [(f.agent, f.flags) for f in read(referred, medications=[bag]).vasoactives] == [("norepinephrine", ())]
    display = resource | {"medicationReference": {"reference": "Medication/lost", "display": "Norepinephrine"}}
    assert [(f.agent, f.flags) for f in read(display).vasoactives] == [("norepinephrine", (Flag.NAME_ONLY,))]


@pytest.mark.parametrize(
    "medication",
    [
        {},
        {"medicationReference": {"reference": "Medication/lost"}},
        {"medicationReference": {"reference": "#lost"}, "contained": [{"id": "other"}]},
        {"medicationReference": {"reference": 5}},
        {"medicationReference": "Medication/m1"},
        {"medicationCodeableConcept": {}},
        {"medicationCodeableConcept": "norepinephrine"},
    ],
)
def test_dq45_a_medication_that_is_not_named_is_said(medication: Json) -> None:
    for resource in (infusion(), order("norepinephrine")):
        del resource["medicationCodeableConcept"]
        timeline = read(resource | medication)
        assert (timeline.vasoactives, timeline.orders) == ((), ())
        assert reasons(timeline) == ["its medication is not named here and could not be read"]


def test_a_drug_that_no_rule_knows_is_passed_over() -> None:
    assert read(given("metoprolol"), order("metoprolol"), infusion("insulin")).unused == ()


TOCILIZUMAB = (
    *("612865", "1657973", "1657974", "1657976", "1657979", "1657980", "1657981", "1657982"),
    *("1441527", "1441530", "2106073", "2106075"),
    *("2680287", "2680294", "2680296", "2680297", "2680298", "2680299"),
    *("2686045", "2686050", "2686053", "2686057"),
)


@pytest.mark.parametrize("code", TOCILIZUMAB)
def test_3_8_every_form_of_tocilizumab_counts_as_a_dose(code: str) -> None:
    assert [fact.agent for fact in read(given("x") | coded(code)).drugs] == ["tocilizumab"]


@pytest.mark.parametrize(
    "words",
    [
        "Actemra",
        "tocilizumab-aazg",
        "Tyenne",
        "Tofidence",
        "tocilizumab-bavi",
        "Avtozma (tocilizumab-anoh)",
        "RoActemra",
    ],
)
def test_3_8_every_brand_of_tocilizumab_counts_by_its_name(words: str) -> None:
    (fact,) = read(given(words, 560)).drugs
    assert (fact.agent, fact.group, fact.name, fact.flags) == ("tocilizumab", "il6-blocker", words, (Flag.NAME_ONLY,))


@pytest.mark.parametrize("route", ["Subcutaneous", "Intravenous", "Topical", None])
@pytest.mark.parametrize("status", ["completed", "in-progress", "stopped", "on-hold"])
def test_3_8_every_dose_of_tocilizumab_counts_by_any_route_also_when_stopped_early(
    route: str | None, status: str
) -> None:
    (fact,) = read(given("tocilizumab", 162, route=route, status=status)).drugs
    assert (fact.agent, fact.dose_mg, fact.time) == ("tocilizumab", 162, NOW - 2 * HOUR)


@pytest.mark.parametrize("end", [None, "soon", at(9 * HOUR)])
def test_3_8_a_dose_counts_from_its_start_though_its_end_cannot_be_read(end: str | None) -> None:
    resource = given("tocilizumab", 560) | period(at(2 * HOUR), end)
    del resource["effectiveDateTime"]
    assert [fact.time for fact in read(resource).drugs] == [NOW - 2 * HOUR]


def test_3_8_distinct_doses_count_and_one_dose_from_two_feeds_counts_once() -> None:
    doses = [given("tocilizumab", 560, ago=2 * HOUR, id=name) for name in ("a", "b")]
    assert len(read(*doses, given("tocilizumab", 560, ago=12 * HOUR)).drugs) == 2


def test_3_8_an_order_of_tocilizumab_is_no_dose_and_blocks_another() -> None:
    timeline = read(order("tocilizumab"))
    assert timeline.drugs == ()
    assert [(fact.agent, fact.group) for fact in timeline.orders] == [("tocilizumab", "il6-blocker")]


def test_an_order_names_its_agent_as_an_administration_does() -> None:
    for name in ("angiotensin II", "amphotericin B"):
        ordered = read(order(name)).orders
        charted = read(infusion(name))
        assert [fact.agent for fact in ordered] == [fact.agent for fact in (*charted.vasoactives, *charted.drugs)]


@pytest.mark.parametrize("status", ["active", "on-hold", "draft"])
def test_an_order_that_waits_is_kept(status: str) -> None:
    assert len(read(order("dexamethasone", status=status)).orders) == 1


@pytest.mark.parametrize(
    "status", ["completed", "cancelled", "stopped", "entered-in-error", "unknown", None, ["active"]]
)
def test_an_order_that_does_not_wait_is_none(status: Any) -> None:
    assert read(order("dexamethasone") | {"status": status}).orders == ()


def test_an_order_not_to_give_a_drug_is_no_order() -> None:
    assert read(order("tocilizumab") | {"doNotPerform": True}).orders == ()


@pytest.mark.parametrize(
    ("authored", "expected"), [(at(HOUR), NOW - HOUR), (at(-DAY), NOW), (None, NOW), ("soon", NOW), (5, NOW)]
)
def test_an_order_without_a_usable_date_is_one_of_now(authored: Any, expected: Any) -> None:
    assert [fact.time for fact in read(order("tocilizumab") | {"authoredOn": authored}).orders] == [expected]


GROUPS = {
    "dexamethasone": "corticosteroid",
    "methylprednisolone": "corticosteroid",
    "prednisone": "corticosteroid",
    "hydrocortisone": "corticosteroid",
    "anakinra": "il1-blocker",
    "siltuximab": "il6-pathway",
    "acetaminophen": "antipyretic",
    "Paracetamol 1 g": "antipyretic",
    "ibuprofen": "antipyretic",
    "cefepime": "antibiotic",
    "piperacillin / tazobactam": "antibiotic",
    "meropenem": "antibiotic",
    "vancomycin": "antibiotic",
    "aztreonam": "antibiotic",
    "micafungin": "antifungal",
    "liposomal amphotericin B": "antifungal",
    "sargramostim": "gm-csf",
}


@pytest.mark.parametrize(("words", "group"), GROUPS.items())
def test_3_7_3_8_every_drug_of_the_protocol_is_known(words: str, group: str) -> None:
    assert [fact.group for fact in read(given(words)).drugs] == [group]


CODES = {
    "dexamethasone": "3264 1812079 309696 1116927 1812194",
    "methylprednisolone": "6902 311659 1743704 1743720 1743726 207191 1743707 1743722 1743729",
    "prednisone": "8640",
    "prednisolone": "8638",
    "hydrocortisone": "5492",
    "anakinra": "72435",
    "siltuximab": "1658132 1658135 1658139 1658141",
    "acetaminophen": "161 1803956",
    "ibuprofen": "5640",
    "cefepime": "20481 1665087",
    "piperacillin-tazobactam": "74169 1659133",
    "meropenem": "29561 1722933",
    "vancomycin": "11124 1807507",
    "aztreonam": "1664980",
    "ceftazidime": "1659277",
    "linezolid": "1662277",
    "fluconazole": "1721309",
    "micafungin": "1722943",
    "caspofungin": "1734691",
    "voriconazole": "1727280",
    "amphotericin-b": "2285809",
}


@pytest.mark.parametrize(("agent", "code"), [(agent, code) for agent, all in CODES.items() for code in all.split()])
def test_3_7_3_8_every_drug_code_is_read(agent: str, code: str) -> None:
    assert [fact.agent for fact in read(given("x") | coded(code)).drugs] == [agent]


@pytest.mark.parametrize(
    ("words", "route"),
    [
        ("dexamethasone ophthalmic solution", None),
        ("hydrocortisone cream 1 %", None),
        ("dexamethasone 0.1 %", "Ophthalmic"),
        ("hydrocortisone", "Topical"),
        ("oral vancomycin", None),
    ],
)
def test_a_form_that_is_not_systemic_is_said_and_not_used(words: str, route: str | None) -> None:
    timeline = read(given(words, route=route))
    assert timeline.drugs == ()
    assert len(timeline.unused) == 1


@pytest.mark.parametrize("route", ["Oral", "Rectal", "Intramuscular", "IV", "somewhere", None])
def test_an_antipyretic_masks_fever_by_every_systemic_route(route: str | None) -> None:
    assert len(read(given("acetaminophen", 650, route=route)).drugs) == 1


def test_dq38_a_drug_of_a_day_counts_at_the_end_of_that_day_and_at_most_now() -> None:
    yesterday = given("tocilizumab") | {"effectiveDateTime": day(DAY)}
    today = given("tocilizumab") | {"effectiveDateTime": day(0 * DAY)}
    first, last = read(yesterday, today).drugs
    assert NOW - 13 * HOUR < first.time < NOW - 12 * HOUR
    assert last.time == NOW


def test_a_course_of_a_drug_lasts_until_its_end() -> None:
    running_now = infusion("anakinra", started=DAY)
    ended = infusion("dexamethasone", started=DAY, ended=2 * HOUR)
    timeline = read(running_now, ended)
    assert {fact.agent: fact.last_true(NOW) for fact in timeline.drugs} == {
        "anakinra": NOW,
        "dexamethasone": NOW - 2 * HOUR,
    }


THERAPIES = {
    "tisagenlecleucel": "1986438",
    "axicabtagene ciloleucel": "1987398 1987402 1987407",
    "brexucabtagene autoleucel": "2387277 2387347 2387352 2572002 2572005",
    "lisocabtagene maraleucel": "2479136 2479140 2479145",
    "idecabtagene vicleucel": "2536430",
    "ciltacabtagene autoleucel": "2594775 2594780",
    "obecabtagene autoleucel": "2700168 2700173 2700174 2700175",
    "afamitresgene autoleucel": "2690269 2690275",
    "blinatumomab": "1597258 1597262 1597267",
    "teclistamab": "2619432 2619438 2619441 2619444",
    "epcoritamab": "2637399 2637405 2637408 2637411",
    "glofitamab": "2639786 2639792 2639794 2639795",
    "mosunetuzumab": "2729433 2729436 2729439 2729442",
    "tebentafusp": "2590748 2590754",
}


@pytest.mark.parametrize(("product", "code"), [(name, code) for name, all in THERAPIES.items() for code in all.split()])
def test_3_10_every_therapy_code_is_read(product: str, code: str) -> None:
    assert [fact.product for fact in read(therapy() | coded(code)).therapies] == [product]


@pytest.mark.parametrize(
    ("code", "product"),
    [
        ("0069-4494", "elranatamab"),
        ("0069-4494-02", "elranatamab"),
        ("00069-4494-02", "elranatamab"),
        ("00069449402", "elranatamab"),
        ("0078-0846-19", "tisagenlecleucel"),
        ("0069-4495-02", None),
        ("10069-4494-02", None),
    ],
)
def test_3_10_a_package_is_known_by_its_product(code: str, product: str | None) -> None:
    timeline = read(therapy() | {"medicationCodeableConcept": concept("http://hl7.org/fhir/sid/ndc", code)})
    assert [fact.product for fact in timeline.therapies] == ([] if product is None else [product])


@pytest.mark.parametrize(
    ("words", "window"),
    [
        ("teclistamab-cqyv", "step-up"),
        ("TECVAYLI", "step-up"),
        ("Elranatamab-bcmm", "step-up"),
        ("talquetamab-tgvs", "step-up"),
        ("linvoseltamab-gcpt", "step-up"),
        ("mosunetuzumab-axgb", "step-up"),
        ("tarlatamab-dlle", "early-doses"),
        ("Kimmtrak", "early-doses"),
        ("blinatumomab 9 mcg/day", "blinatumomab"),
        ("Kymriah", "car-t"),
        ("obe-cel", "car-t"),
        ("Tecelra", "car-t"),
    ],
)
def test_3_10_every_therapy_is_known_by_the_stem_of_its_name_or_its_brand(words: str, window: str) -> None:
    for resource in (therapy(words), procedure(words), order(words, status="completed")):
        (fact,) = read(resource).therapies
        assert (fact.window, fact.flags) == (window, (Flag.NAME_ONLY,))


@pytest.mark.parametrize(
    "words", ["Infusion of CAR-T cells", "CAR T-cell therapy", "Chimeric antigen receptor T-cell infusion"]
)
def test_3_10_car_t_cells_may_be_charted_as_the_text_of_a_procedure_alone(words: str) -> None:
    (fact,) = read(procedure(words, ago=3 * DAY)).therapies
    assert (fact.window, fact.time) == ("car-t", NOW - 3 * DAY)


@pytest.mark.parametrize("status", ["completed", "in-progress", "stopped"])
def test_3_10_cells_that_were_begun_count(status: str) -> None:
    assert len(read(procedure("CAR-T cell infusion", status=status)).therapies) == 1


def test_3_10_car_t_cells_are_known_by_the_code_of_their_administration() -> None:
    assert len(read(procedure(concept("http://www.ama-assn.org/go/cpt", "38228"))).therapies) == 1


@pytest.mark.parametrize(
    ("words", "said"),
    [
        ("Leukapheresis for CAR-T cell therapy", True),
        ("Evaluation for CAR-T cell therapy", True),
        ("Lymphodepletion before axicabtagene", True),
        ("Leukapheresis", False),
        ("Consultation", False),
        ("Evaluation for hip replacement", False),
    ],
)
def test_3_10_preparing_or_planning_cells_is_not_giving_them(words: str, said: bool) -> None:
    timeline = read(procedure(words))
    assert timeline.therapies == ()
    assert len(timeline.unused) == said


@pytest.mark.parametrize("status", ["preparation", "not-done", "on-hold", "entered-in-error", "unknown", None])
def test_3_10_a_therapy_that_was_not_begun_is_said(status: Any) -> None:
    timeline = read(procedure("CAR-T cell infusion") | {"status": status})
    assert timeline.therapies == ()
    assert len(timeline.unused) == 1


@pytest.mark.parametrize("status", ["active", "draft", "on-hold", "cancelled", "stopped"])
def test_3_10_an_ordered_therapy_is_no_exposure(status: str) -> None:
    timeline = read(order("teclistamab", status=status))
    assert (timeline.therapies, timeline.orders) == ((), ())


def test_3_10_a_completed_order_of_a_therapy_is_dated_by_its_dosage_else_by_its_authoring() -> None:
    authored = order("teclistamab", ago=9 * DAY, status="completed")
    events = [{"timing": {"event": ["nonsense"]}}, {"timing": {"event": [at(2 * DAY)]}}]
    assert [fact.time for fact in read(authored).therapies] == [NOW - 9 * DAY]
    assert [fact.time for fact in read(authored | {"dosageInstruction": events}).therapies] == [NOW - 2 * DAY]


@pytest.mark.parametrize("date", [None, "2026", "2026-01", "soon", 5])
def test_a_completed_order_of_a_therapy_without_a_date_is_said(date: Any) -> None:
    timeline = read(order("teclistamab", status="completed") | {"authoredOn": date})
    assert timeline.therapies == ()
    assert reasons(timeline) == ["teclistamab: the date it was given cannot be read"]


@pytest.mark.parametrize("name", ["blinatumomab", "anakinra"])
def test_what_is_given_continuously_lasts_while_it_is_in_progress(name: str) -> None:
    going_on = infusion(name, None, started=5 * DAY)
    expected = [
        (going_on, FOREVER),
        (given(name, status="in-progress"), FOREVER),
        (infusion(name, None, started=5 * DAY, ended=DAY), NOW - DAY),
        (going_on | {"status": "completed"}, None),
        (given(name), None),
    ]
    for resource, until in expected:
        timeline = read(resource)
        assert [fact.until for fact in (*timeline.therapies, *timeline.drugs)] == [until]


@pytest.mark.parametrize("name", ["tocilizumab", "norepinephrine", "teclistamab"])
def test_t44_a_dosage_with_a_modifier_keeps_the_drug_out(name: str) -> None:
    dosage = {"text": "x", "modifierExtension": [{"url": "urn:x", "valueBoolean": True}]}
    timeline = read(given(name) | {"dosage": dosage})
    assert (timeline.drugs, timeline.vasoactives, timeline.therapies) == ((), (), ())
    assert len(timeline.unused) == 1


def test_the_name_on_the_record_is_shown_not_that_of_the_table() -> None:
    assert [fact.name for fact in read(given("x") | {"medicationCodeableConcept": drug("tocilizumab")}).drugs] == [
        "tocilizumab"
    ]
    assert [fact.name for fact in read(given("x") | coded("1657976")).drugs] == ["tocilizumab"]

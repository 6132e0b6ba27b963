"""Properties of reading: whatever a chart holds, nothing raises, nothing spreads, and no order or unit matters."""

from copy import deepcopy
from dataclasses import fields, replace
from datetime import UTC, datetime, timedelta, timezone
from decimal import Decimal
from typing import Any

import pytest
from fhir.resources.R4B import get_fhir_model_class
from hypothesis import given
from hypothesis import strategies as st

from cds_service.crs.timeline import Fact, Timeline
from cds_service.fhir.ownership import Patient, own
from cds_service.fhir.reading import READERS, newest_versions
from tests import chart
from tests.chart import (
    DAY,
    HOUR,
    LOINC,
    MINUTE,
    NOW,
    PATIENT,
    RXNORM,
    SNOMED,
    Json,
    at,
    bounded,
    concept,
    condition,
    culture,
    culture_order,
    home_device,
    infusion,
    lab,
    observation,
    order,
    oxygen,
    patient,
    pressure,
    procedure,
    quantity,
    read,
    saturation,
    score,
    systolic,
    temperature,
    therapy,
    weight,
)

CHART: list[Json] = [
    temperature(38.6, id="t1"),
    temperature(101.3, "[degF]", ago=2 * HOUR, id="t2", code="8331-1"),
    pressure(86, 50, id="b1"),
    systolic(11.5, "kPa", ago=2 * HOUR, id="b2"),
    saturation(0.88, "1", flow=3, fio2=32, id="s1"),
    oxygen("Nasal cannula", flow=3, id="o1"),
    oxygen("BiPAP", ago=2 * HOUR, id="o2"),
    weight(70, id="w1"),
    weight(176, "[lb_av]", ago=3 * DAY, id="w2"),
    infusion(id="n1"),
    infusion("vasopressin", 0.03, ended=HOUR, unit="U/min", id="n2"),
    observation(concept(RXNORM, "3992"), valueQuantity=quantity(0.1, "ug/kg/min"), id="n3"),
    chart.given("phenylephrine", 0.1, id="n4"),
    chart.given("tocilizumab", 560, ago=9 * HOUR, route="Intravenous", id="d1"),
    chart.given("acetaminophen", 650, id="d2"),
    therapy(id="c1"),
    procedure("CAR-T cell infusion", ago=3 * DAY, id="c2"),
    procedure(
        concept(SNOMED, "428311008"),
        status="in-progress",
        performedPeriod={"start": at(HOUR)},
        reasonCode=[{"text": "Airway protection"}],
        id="p1",
    ),
    order("dexamethasone", id="r1"),
    order("teclistamab", ago=9 * DAY, status="completed", id="r2"),
    condition("D89.832", id="x1"),
    chart.allergy("tocilizumab", id="a1"),
    home_device("Home CPAP", id="h1"),
    culture("No growth after 5 days", id="k1"),
    culture_order(id="k2"),
    lab("2276-4", 900, "ng/mL", id="l1"),
    score("ice-score", 9, id="i1"),
]
ANCHOR = systolic(97, ago=97 * MINUTE, id="anchor")

words = st.sampled_from(
    [
        *("final", "amended", "entered-in-error", "preliminary", "completed", "in-progress", "active", "unknown"),
        *(at(HOUR), at(-DAY), "2026-01-15", "2026", "9999-12-31", "0001-01-01T00:00:00+14:00", "2026-01-15T24:00:00Z"),
        *("Patient/p1", "Patient/p2", "#x", "Medication/m1", LOINC, RXNORM, SNOMED),
        *("8310-5", "8480-6", "85354-9", "59408-5", "107117-4", "7512", "600-7", "39106-0"),
        *("Cel", "[degF]", "mm[Hg]", "kPa", "%", "L/min", "kg", "mg", "ug/kg/min", "K"),
        *(
            "38.6",
            "120/80",
            "3L NC",
            "BiPAP",
            "room air",
            "norepinephrine",
            "lidocaine epinephrine",
            "CAR-T cell infusion",
        ),
        *("<", ">=", "~", "IM", "No growth", "Positive", "", " ", "\u202e", "x" * 3000),
    ]
)
texts = st.text(st.characters(exclude_categories=["Cs"], exclude_characters="\0"), max_size=60)
plain = (
    st.none()
    | st.booleans()
    | st.integers(-(10**20), 10**20)
    | st.integers(-(10**9), 10**9).map(lambda number: number / 1000)
    | words
    | texts
)
names = st.sampled_from(
    [
        *("resourceType", "id", "status", "code", "coding", "system", "text", "display", "value", "unit", "comparator"),
        *("valueQuantity", "valueString", "start", "end"),
    ]
)
values = st.recursive(
    plain, lambda inner: st.lists(inner, max_size=3) | st.dictionaries(names, inner, max_size=4), max_leaves=8
)


def paths(value: Any, path: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Where anything stands in a JSON value."""
    found = [path] if path else []
    if isinstance(value, dict):
        found += [place for name, item in value.items() for place in paths(item, (*path, name))]
    elif isinstance(value, list):
        found += [place for number, item in enumerate(value) for place in paths(item, (*path, number))]
    return found


@st.composite
def damaged(draw: st.DrawFn) -> Json:
    """A valid resource of which one to three places hold anything else, or nothing."""
    resource: Json = deepcopy(draw(st.sampled_from(CHART)))
    for _ in range(draw(st.integers(1, 3))):
        *way, last = draw(st.sampled_from(paths(resource)))
        target: Any = resource
        for step in way:
            target = target[step]
        if draw(st.integers(0, 5)) and isinstance(target, dict | list):
            target[last] = draw(values)
        elif isinstance(target, dict):
            del target[last]
    return resource


def facts(timeline: Timeline) -> list[Fact]:
    """All facts of all kinds."""
    kinds = [getattr(timeline, item.name) for item in fields(timeline)]
    return [fact for kind in kinds if isinstance(kind, tuple) for fact in kind if isinstance(fact, Fact)]


def same(timeline: Timeline) -> tuple[Timeline, set[Any]]:
    """What has to be equal in two timelines that say the same: the order of the reasons does not count."""
    return replace(timeline, unused=()), set(timeline.unused)


@bounded
@given(st.lists(damaged(), min_size=1, max_size=6))
def test_t39_no_damage_to_a_resource_raises_or_spreads(resources: list[Json]) -> None:
    everything = newest_versions(chart.exact([*resources, ANCHOR]))
    mine, _ = own(everything, Patient(PATIENT, "https://ehr.example/fhir"))
    timeline = read(*mine)
    assert any(fact.reference == "Observation/anchor" for fact in timeline.pressures)
    for fact in facts(timeline):
        assert fact.time.tzinfo is not None
        numbers = [getattr(fact, item.name) for item in fields(fact)]
        assert all(number.is_finite() for number in numbers if isinstance(number, Decimal))
        assert fact.time <= NOW
    for item in timeline.unused:
        assert 0 < len(item.reason) < 1200
        assert item.reason.isprintable()
        assert item.reference.isprintable()


@bounded
@given(st.permutations(CHART), st.lists(st.sampled_from(CHART), max_size=5))
def test_the_order_of_the_resources_and_duplicates_change_nothing(resources: list[Json], again: list[Json]) -> None:
    assert same(read(*resources, *again)) == same(read(*CHART))


@bounded
@given(st.sampled_from(CHART))
def test_t60_what_was_entered_in_error_is_as_if_it_were_not_there(resource: Json) -> None:
    wrong = {"status": "entered-in-error"} if "status" in resource else {}
    if resource["resourceType"] in ("Condition", "AllergyIntolerance"):
        wrong = {"verificationStatus": concept("urn:status", "entered-in-error")}
    others = [item for item in CHART if item is not resource]
    assert same(read(*others, resource | wrong))[0] == same(read(*others))[0]


@pytest.mark.parametrize("resource", CHART, ids=lambda resource: resource["id"])
def test_every_resource_of_the_chart_makes_a_fact(resource: Json) -> None:
    timeline = read(resource)
    assert facts(timeline)
    assert timeline.unused == ()


def test_the_chart_holds_every_type_that_is_read() -> None:
    assert {resource["resourceType"] for resource in CHART} == set(READERS)


@pytest.mark.parametrize("resource", [*CHART, ANCHOR, patient()], ids=lambda resource: resource["id"])
def test_every_resource_of_the_builder_is_valid_fhir(resource: Json) -> None:
    get_fhir_model_class(resource["resourceType"]).model_validate(resource)


@bounded
@given(
    st.datetimes(datetime(1, 1, 1), datetime(9999, 12, 31)),  # noqa: DTZ001 - the offset is put on below
    st.integers(-14 * 60, 14 * 60),
)
def test_dq40_every_instant_in_every_offset_is_that_instant_or_dated_in_the_future(
    naive: datetime, offset: int
) -> None:
    written = naive.replace(tzinfo=timezone(timedelta(minutes=offset))).isoformat()
    timeline = read(temperature(38.6) | {"effectiveDateTime": written})
    for fact in timeline.temperatures:
        assert fact.time.replace(tzinfo=None) == naive - timedelta(minutes=offset)
        assert fact.time.tzinfo is UTC
    assert len(timeline.temperatures) + len(timeline.unused) == 1


@bounded
@given(texts, st.sampled_from(["device", "drug", "code", "condition", "conclusion", "value", "time"]))
def test_no_text_of_the_record_raises_or_breaks_the_line(text: str, where: str) -> None:
    resource = {
        "device": oxygen(text),
        "drug": chart.given(text),
        "code": observation({"text": f"temp {text}"}),
        "condition": condition(f"tremor {text}"),
        "conclusion": culture(text),
        "value": temperature(0) | {"valueQuantity": None, "valueString": text},
        "time": temperature(38.6) | {"effectiveDateTime": text},
    }[where]
    timeline = read(resource)
    shown = [item.reason for item in timeline.unused]
    shown += [fact.device_text for fact in timeline.oxygen] + [fact.display for fact in timeline.diagnoses]
    assert all("\n" not in line and "\u202e" not in line for line in shown)

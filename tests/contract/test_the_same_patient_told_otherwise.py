"""The same patient told in another way gets the same grade; less of the record never a lower or surer one in silence.

Each pair is two calls of the hook: a record as it was drawn, and the same one changed. `CRS_TESTS_PAIRS` says how many:
2,000 by default.
"""

import os
from collections.abc import Callable
from typing import Any

import pytest
from flask.testing import FlaskClient
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from cds_service.fhir.stories import shifted
from tests import chart
from tests.answers import SERVICE, Json, assessment
from tests.chart import (
    DAY,
    HOUR,
    MINUTE,
    NOW,
    PATIENT,
    bundle,
    infusion,
    oxygen,
    patient,
    pressure,
    quantity,
    saturation,
    temperature,
    therapy,
)
from tests.conftest import MakeApp
from tests.server import hook_call

PAIRS = int(os.environ.get("CRS_TESTS_PAIRS", "2000"))
CHANGES = 7
pairs = settings(
    max_examples=PAIRS // CHANGES + 1,
    derandomize=True,
    database=None,
    deadline=None,
    suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
)
agos = st.sampled_from([minutes * MINUTE for minutes in (1, 30, 59, 61, 120, 239, 240, 241, 719, 721, 1439, 1500)])
KEYS = {
    "Observation": (
        "temperature",
        "bloodPressure",
        "oxygen",
        "weight",
        "infusionRates",
        "laboratory",
        "scores",
        "vitalSigns",
    ),
    "MedicationAdministration": ("therapies", "administrations", "crsMedications"),
}
NONE = ("procedures", "medicationRequests", "reports", "cultureOrders", "conditions", "allergies", "homeDevices")
Record = list[Json]
Ask = Callable[..., Json]
signs: list[st.SearchStrategy[Json]] = [
    st.builds(lambda value, ago: temperature(value, ago=ago), st.sampled_from([36.8, 37.9, 38.0, 39.4]), agos),
    st.builds(lambda value, ago: pressure(value, 60, ago=ago), st.sampled_from([80, 89, 90, 120]), agos),
    st.builds(lambda value, ago: saturation(value, ago=ago), st.sampled_from([85, 89, 90, 97]), agos),
    st.builds(lambda name, ago: oxygen(name, ago=ago), st.sampled_from(["room air", "simple mask", "BiPAP"]), agos),
    st.builds(lambda flow, ago: oxygen("nasal cannula", flow=flow, ago=ago), st.sampled_from([2, 6, 6.1]), agos),
    st.builds(
        lambda agent, started, ended: infusion(agent, started=started + HOUR, ended=ended),
        st.sampled_from(["norepinephrine", "epinephrine", "vasopressin", "dobutamine"]),
        agos,
        st.sampled_from([None, None, 30 * MINUTE, HOUR]),
    ),
    st.builds(
        lambda name, ago: chart.given(name, 100, ago=ago),
        st.sampled_from(["acetaminophen", "tocilizumab", "dexamethasone"]),
        agos,
    ),
]


@st.composite
def records(draw: st.DrawFn) -> Record:
    """A patient after CAR-T cells of whom some of each sign is charted, no two readings of one kind at one instant."""
    drawn = [item for sign in signs for item in draw(st.lists(sign, max_size=2))]
    once = {str((item.get("code"), item.get("medicationCodeableConcept"), _time(item))): item for item in drawn}
    named = [item | {"id": f"r{number}"} for number, item in enumerate(once.values())]
    return [therapy(id="cells"), *named]


def _time(resource: Json) -> Any:
    return resource.get("effectiveDateTime") or resource["effectivePeriod"]["start"]


@pytest.fixture
def ask(make_app: MakeApp) -> Ask:
    """Asks one application for the assessment of a record."""
    now = [NOW]
    client: FlaskClient = make_app(lambda: now[0])

    def asked(record: Record, at: Any = NOW, arrange: Callable[[Record], Json] = bundle_of) -> Json:
        now[0] = at
        found: dict[str, Json] = {key: bundle() for key in NONE} | {"patient": patient()}
        for kind, keys in KEYS.items():
            found |= dict.fromkeys(keys, arrange([item for item in record if item["resourceType"] == kind]))
        sent = client.post(SERVICE, json=hook_call(PATIENT, prefetch=found))
        if sent.status_code == 412:
            return {"status": "unavailable", "grade": None, "missing": [sent.text]}
        assert sent.status_code == 200, sent.text
        return assessment(sent.get_json())

    return asked


def bundle_of(record: Record) -> Json:
    return bundle(*record)


def essence(answer: Json) -> Any:
    """What must be the same: status, grade, and each finding without whose reading it was."""
    found = [(item["criterion"], item["state"], item.get("grade")) for item in answer["findings"]]
    return answer["status"], answer["grade"], found, answer["missing"]


SURE = ("graded", "no-crs")


@pairs
@given(records(), st.data())
def test_t61_order_and_duplicates_change_nothing(ask: Ask, record: Record, data: st.DataObject) -> None:
    again = data.draw(st.lists(st.sampled_from(record), max_size=4))
    copies = [item | {"id": f"copy-{number}"} for number, item in enumerate(again) if item["id"] != "cells"]
    mixed = data.draw(st.permutations([*record, *again, *copies]))
    assert essence(ask(mixed)) == essence(ask(record))


@pairs
@given(records(), st.lists(st.one_of(signs), min_size=1, max_size=6))
def test_t41_another_patients_record_changes_nothing(ask: Ask, record: Record, others: Record) -> None:
    """Beside the patient's own: an answer that holds nothing of the patient is no answer, and makes a floor."""
    answered = {item["resourceType"] for item in record}
    beside = [item for item in others if item["resourceType"] in answered]
    foreign = [item | {"id": f"f{n}", "subject": {"reference": "Patient/P1"}} for n, item in enumerate(beside)]
    answer = ask([*foreign, *record])
    assert essence(answer) == essence(ask(record))
    assert sum(item["reason"] == "it belongs to another patient" for item in answer["unused"]) == len(foreign)


@pairs
@given(records(), st.lists(st.one_of(signs), min_size=1, max_size=6))
def test_t60_what_was_entered_in_error_is_as_absent(ask: Ask, record: Record, wrong: Record) -> None:
    marked = [item | {"id": f"w{n}", "status": "entered-in-error"} for n, item in enumerate(wrong)]
    assert essence(ask([*marked, *record])) == essence(ask(record))


@pairs
@given(records())
def test_t62_other_units_change_nothing(ask: Ask, record: Record) -> None:
    assert essence(ask([in_other_units(item) for item in record])) == essence(ask(record))


def in_other_units(resource: Json) -> Json:
    """Fahrenheit, fractions and millilitres; the numbers of the drawn readings are exact in both."""
    charted = resource.get("valueQuantity", {})
    if charted.get("unit") == "Cel":
        return resource | {"valueQuantity": quantity(round(charted["value"] * 1.8 + 32, 2), "[degF]")}
    if charted.get("unit") == "%":
        return resource | {"valueQuantity": quantity(round(charted["value"] / 100, 2), "1")}
    parts = [_millilitres(part) for part in resource.get("component", [])]
    return resource | ({"component": parts} if parts else {})


def _millilitres(part: Json) -> Json:
    flow = part.get("valueQuantity", {})
    if flow.get("unit") != "L/min":
        return part
    return part | {"valueQuantity": quantity(round(flow["value"] * 1000), "mL/min")}


@pairs
@given(records(), st.integers(-400, 400))
def test_all_times_and_now_moved_by_days_change_nothing(ask: Ask, record: Record, days: int) -> None:
    then = NOW + days * DAY
    moved = shifted(bundle(*record) | {"timestamp": NOW.isoformat()}, then)
    answer = ask([entry["resource"] for entry in moved["entry"]], then)
    assert essence(answer) == essence(ask(record))


@pairs
@given(records(), st.booleans())
def test_t45_a_page_that_cannot_be_read_never_lowers_the_grade_in_silence(
    ask: Ask, record: Record, newest_first: bool
) -> None:
    """Half of each answer, with a link to the rest that may not be followed."""
    whole, cut = ask(record), ask(record, arrange=lambda found: first_half(found, newest_first))
    assert_not_lower_in_silence(whole, cut)


def first_half(record: Record, newest_first: bool) -> Json:
    cells = [item for item in record if item["id"] == "cells"]
    rest = sorted((item for item in record if item["id"] != "cells"), key=_time, reverse=newest_first)
    if len(rest) < 2:
        return bundle(*rest, *cells)
    kept = rest[: len(rest) // 2]
    page = bundle(*cells, *kept) if not newest_first else bundle(*kept, *cells)
    return page | {"link": [{"relation": "next", "url": "https://ehr.example/fhir?page=2"}]}


def assert_not_lower_in_silence(whole: Json, cut: Json) -> None:
    """A lower grade than the whole record's says itself that it is not sure, and why; nothing is surer than before."""
    if whole["grade"] and (cut["grade"] or 0) < whole["grade"]:
        assert cut["status"] not in SURE
        assert cut["missing"]
    if whole["status"] not in SURE:
        assert cut["status"] not in SURE


@pairs
@given(records(), st.sampled_from(["temperature", "bloodPressure", "oxygen", "medications"]))
def test_t54_t65_a_need_that_cannot_be_had_never_lowers_the_grade_in_silence(
    ask: Ask, record: Record, gone: str
) -> None:
    lost = [item for item in record if item["id"] != "cells" and kind_of(item) == gone]
    failed = {"resourceType": "OperationOutcome", "issue": [{"severity": "error", "code": "exception"}]}

    def arrange(found: Record) -> Json:
        kept = [item for item in found if item not in lost]
        return bundle(*kept) | {"entry": [*bundle(*kept)["entry"], {"resource": failed}]} if lost else bundle(*kept)

    assert_not_lower_in_silence(ask(record), ask(record, arrange=arrange))


def kind_of(resource: Json) -> str:
    if resource["resourceType"] == "MedicationAdministration":
        return "medications"
    code = str(resource["code"])
    return "temperature" if "8310-5" in code else "bloodPressure" if "85354-9" in code else "oxygen"

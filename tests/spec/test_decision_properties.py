"""The decision table again, each of its classes with many patients in it."""

from collections.abc import Sequence
from typing import Any

from hypothesis import given, settings
from hypothesis import strategies as st

from cds_service.crs.timeline import Fact, Gap
from tests.spec import test_decision_table as decisions
from tests.spec.patients import (
    drug,
    infusion,
    ordered,
    outcome,
    oxygen,
    patient,
    pressure,
    room_air,
    saturation,
    temperature,
)
from tests.spec.timelines import stable


def hours(low: int, high: int) -> st.SearchStrategy[str]:
    """Any minute of some hours: `hours(0, 4)` from now to four hours ago."""
    return st.integers(60 * low + (1 if low else 0), 60 * high).map(lambda minutes: f"{minutes} min")


def readings(make: Any, values: Sequence[Any], when: st.SearchStrategy[str], least: int = 1) -> Any:
    return st.lists(st.builds(make, st.sampled_from(values), when), min_size=least, max_size=4)


nothing: st.SearchStrategy[list[Fact]] = st.just([])
below = ("36.0", "37.5", "37.9", "37.999")
above = ("38.0", "38.1", "40.2")
older = readings(temperature, below, hours(12, 70))
low = st.lists(hours(0, 4), min_size=2, max_size=4, unique=True).flatmap(
    lambda times: st.tuples(*(st.builds(pressure, st.sampled_from((40, 86, "89.9")), st.just(when)) for when in times))
)
DRAWN: dict[str, dict[str, Any]] = {
    "FEVER": {
        "missing": nothing,
        "stale normal": older,
        "stale fever": readings(temperature, above, hours(24, 71)),
        "below": readings(temperature, below, hours(0, 12)),
        "at": readings(temperature, ("38.0", "38.00"), hours(0, 12)),
        "above": readings(temperature, above, hours(0, 12)),
    },
    "PRESSURE": {
        "missing": nothing,
        "stale": readings(pressure, (60, 84, 120), hours(4, 70)),
        "normal": readings(pressure, (90, "90.1", 135), hours(0, 4)),
        "low": low.map(list),
    },
    "OXYGEN": {
        "missing": nothing,
        "SpO2 alone": readings(saturation, (90, 97), hours(0, 4)),
        "air": st.builds(lambda when: [room_air(when)], hours(0, 4)),
        "air, SpO2 86": st.builds(lambda air, when: [room_air(air), saturation(86, when)], hours(0, 4), hours(0, 4)),
        "6 L/min": st.builds(
            lambda flow, when: [oxygen("nasal-cannula", flow, when)], st.sampled_from(("0.5", "3", "6.0")), hours(0, 4)
        ),
        "6.1 L/min": st.builds(
            lambda flow, when: [oxygen("nasal-cannula", flow, when)], st.sampled_from(("6.01", "7", "15")), hours(0, 4)
        ),
        "mask": st.builds(
            lambda device, when: [oxygen(device, None, when)],
            st.sampled_from(("simple-mask", "venturi", "non-rebreather", "high-flow-nasal-cannula")),
            hours(0, 4),
        ),
        "BiPAP": st.builds(
            lambda device, when: [oxygen(device, None, when)],
            st.sampled_from(("bilevel", "cpap", "ventilator", "intubation")),
            hours(0, 4),
        ),
        "unknown device": st.builds(lambda when: [oxygen("oxygen helmet", None, when)], hours(0, 4)),
    },
    "ANTIPYRETIC": {"none": nothing, "given": readings(drug, ("acetaminophen",), hours(0, 12))},
}
LINES = {
    "none": (),
    "one": ("norepinephrine", "norepinephrine"),
    "one and vasopressin": ("epinephrine", "vasopressin"),
    "vasopressin": ("vasopressin",),
    "two": ("norepinephrine", "phenylephrine"),
    "not known": (),
}
noise = st.lists(
    st.one_of(
        st.builds(infusion, st.sampled_from(("dobutamine", "milrinone")), hours(0, 20)),
        st.builds(infusion, st.sampled_from(("norepinephrine", "epinephrine")), st.just("30 h"), hours(0, 20)),
        st.builds(oxygen, st.sampled_from(("bilevel", "simple-mask", "room-air")), st.none(), hours(4, 20)),
        st.builds(drug, st.just("cefepime"), hours(0, 20)),
        st.builds(ordered, st.sampled_from(("norepinephrine", "vasopressin")), hours(0, 20)),
        st.builds(saturation, st.integers(90, 100), hours(0, 4)),
    ),
    max_size=3,
)


@settings(stable, max_examples=300)
@given(
    st.sampled_from(list(decisions.FEVER)),
    st.sampled_from(list(decisions.PRESSURE)),
    st.sampled_from(list(decisions.PRESSORS)),
    st.sampled_from(list(decisions.OXYGEN)),
    st.sampled_from(list(decisions.ANTIPYRETIC)),
    st.data(),
)
def test_every_patient_of_a_class_of_the_decision_table_is_graded_as_it_says(
    fever: str, systolic: str, pressors: str, support: str, antipyretic: str, data: st.DataObject
) -> None:
    charted = [
        *data.draw(DRAWN["FEVER"][fever]),
        *data.draw(DRAWN["PRESSURE"][systolic]),
        *data.draw(DRAWN["OXYGEN"][support]),
        *data.draw(DRAWN["ANTIPYRETIC"][antipyretic]),
        *(infusion(agent, data.draw(hours(0, 70))) for agent in LINES[pressors]),
        *data.draw(noise),
    ]
    missing = {"vasoactives": Gap("the EHR did not answer")} if pressors == "not known" else {}
    right = decisions.expected(fever, systolic, pressors, support, antipyretic, "day 3")
    assert outcome(patient(*charted, gaps=missing)) == right

"""Whatever goes wrong with FHIR servers: an answer in time, what failed is named, and no grade is silently lower.

Over sockets, with the production server. `CRS_TESTS_FAULTS` is the number of random calls: few by default, 1,000 in CI.
"""

import os
import random
import time
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any

import pytest

from cds_service.conformance.judge import check, check_operation_outcome
from cds_service.hooks.knowledge import Knowledge
from tests.answers import GATE, KEYS, PATIENT, VITALS, Json, assessment
from tests.faulty import MODES, PAGED, Faulty, Plan, faulty
from tests.hostile import Hostile
from tests.server import Fhir, Service, hook_call, service_process, stories

CALLS = int(os.environ.get("CRS_TESTS_FAULTS", "150"))
DEADLINE = 2.0
OVERHEAD = 4.0
"""Beyond the deadline: what a busy machine may need to grade, and to hand over the pages that it has."""
AT_ONCE = 8
SHARE = 0.3
SEED = 20261122
FLOOR = ("provisional", "indeterminate")
AUTHORIZATION = {"access_token": "canary-token-93fa", "token_type": "Bearer", "expires_in": 300}
PATIENTS = [
    f"{name}-patient"
    for name in (
        "grade-1-fever",
        "grade-2-hypotension",
        "grade-3-one-vasopressor",
        "grade-4-bipap",
        "grade-4-two-vasopressors",
        "bispecific-step-up",
        "hypotension-without-fever",
    )
]
Planned = tuple[int, str, Plan]


Answered = tuple[int, Json, float]
"""Status, body and seconds."""


@dataclass(frozen=True)
class Trial:
    """A running service and the server that goes wrong under it. `titles` are of the needs, by key."""

    service: Service
    server: Faulty
    canary: Hostile
    titles: dict[str, str]

    def call(self, number: int, patient: str, plan: Plan) -> Answered:
        """The answer to a call for which this goes wrong."""
        base = self.server.planned(number, plan)
        started = time.monotonic()
        found = self.service.call(hook_call(patient, fhirServer=base, fhirAuthorization=AUTHORIZATION))
        return found.status_code, found.json(), time.monotonic() - started


@pytest.fixture(scope="module")
def trial(story_server: Fhir, knowledge: Knowledge, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Trial]:
    story_server.reset()
    with (
        faulty(knowledge.needs, story_server.base) as (server, canary),
        service_process(
            tmp_path_factory.mktemp("faulty") / "log", server.base, CRS_CDS_DEADLINE_SECONDS=str(DEADLINE)
        ) as service,
    ):
        titles = {need.key: need.title for need in knowledge.needs}
        yield Trial(service, server, canary, titles)


@pytest.fixture(scope="module")
def undamaged(trial: Trial) -> dict[str, Json]:
    """The bodies of the answers while nothing goes wrong, by patient."""
    expected = {str(story.expect["patient"]): story.expect.get("grade") for story in stories()}
    found = {patient: trial.call(-n, patient, {})[1] for n, patient in enumerate(PATIENTS, 1)}
    assert {patient: assessment(body)["grade"] for patient, body in found.items()} == {
        patient: expected[patient] for patient in PATIENTS
    }
    return found


@pytest.fixture(scope="module")
def spared(trial: Trial, undamaged: dict[str, Json]) -> dict[str, set[str]]:
    """By patient, the needs that may fail unsaid, because without one of them every card is the same."""
    plans = [
        (-1000 * n - m, patient, {key: "403"}) for n, patient in enumerate(PATIENTS, 1) for m, key in enumerate(KEYS)
    ]
    found: dict[str, set[str]] = {patient: set() for patient in PATIENTS}
    for (_, patient, plan), (status, body, _) in at_once(trial, plans):
        if status == 200 and body["cards"] == undamaged[patient]["cards"]:
            found[patient] |= set(plan)
    return found


def at_once(trial: Trial, plans: Sequence[Planned]) -> list[tuple[Planned, Answered]]:
    """The answers to these calls, some of them under way at once."""
    with ThreadPoolExecutor(AT_ONCE) as clinicians:
        return list(zip(plans, clinicians.map(lambda planned: trial.call(*planned), plans), strict=True))


def modes_of(key: str) -> list[str]:
    return [*MODES, *(PAGED if key != "patient" else ())]


@pytest.mark.parametrize("key", KEYS)
def test_t45_t46_t47_t48_t49_t50_t51_t52_t53_t54_whatever_goes_wrong_with_one_need_is_answered_in_time_and_said(
    trial: Trial, undamaged: dict[str, Json], spared: dict[str, set[str]], key: str
) -> None:
    first = 1_000 * (1 + KEYS.index(key))
    plans = [(first + n, PATIENT, {key: mode}) for n, mode in enumerate(modes_of(key))]
    assert wrong(trial, at_once(trial, plans), undamaged, spared) == []
    assert trial.canary.heads == []


def test_t41_t45_t49_t50_t51_t52_t53_t54_whatever_goes_wrong_together_no_grade_is_silently_lower(
    trial: Trial, undamaged: dict[str, Json], spared: dict[str, set[str]]
) -> None:
    chance = random.Random(SEED)  # noqa: S311 - the same faults each time
    plans = []
    for number in range(100_000, 100_000 + CALLS):
        plan = {key: chance.choice(modes_of(key)) for key in KEYS if chance.random() < SHARE}
        plans.append((number, chance.choice(PATIENTS), plan))
    assert wrong(trial, at_once(trial, plans), undamaged, spared) == []
    assert trial.canary.heads == []


def wrong(
    trial: Trial,
    answers: Sequence[tuple[Planned, Answered]],
    undamaged: dict[str, Json],
    spared: dict[str, set[str]],
) -> list[Any]:
    """The calls whose answers are not as they must be, and why."""
    found = []
    for planned, answer in answers:
        number, patient, plan = planned
        failed = {key: mode for key, mode in plan.items() if key in trial.server.damaged.get(number, ())}
        faults = [*_unfit(answer), *_silent(trial, answer, failed, undamaged[patient], spared[patient])]
        if faults:
            found.append((planned, faults))
    return found


def _unfit(answer: Answered) -> list[str]:
    """What is wrong with an answer whatever was asked: its status, its form, its time."""
    status, body, seconds = answer
    found = [] if seconds < DEADLINE + OVERHEAD else [f"it took {seconds:.1f} s"]
    if status == 412:
        check_operation_outcome(body)
    elif status != 200:
        found.append(f"HTTP {status}")
    return found


def _silent(trial: Trial, answer: Answered, failed: Plan, true: Json, spared: set[str]) -> list[str]:
    """What is not said that should be: that the grade is a floor, and what could not be had.

    An answer of which only later pages are lost is known since its last reading, which may be all that is needed.
    """
    status, body, _ = answer
    if status != 200:
        return []
    stated, right = assessment(body), assessment(true)
    found = []
    lower = (stated["grade"] or 0) < (right["grade"] or 0)
    if lower and (stated["status"] not in FLOOR or not body["cards"]):
        found.append(f"grade {right['grade']} is silently {stated['status']} {stated['grade']}")
    if (stated["grade"] or 0) > (right["grade"] or 0) and stated["status"] not in FLOOR:
        found.append(f"grade {right['grade']} became {stated['grade']} and is not in doubt")
    said = "\n".join(stated["missing"])
    for key in {key for key, mode in failed.items() if mode in MODES} - spared:
        if body["cards"] != true["cards"] and trial.titles[key] not in said:
            found.append(f"{key} is not named")
    return found


@pytest.mark.parametrize("patient", PATIENTS)
@pytest.mark.parametrize("key", [*GATE, *VITALS])
def test_t41_an_answer_about_others_alone_is_no_answer_and_lowers_no_grade(
    trial: Trial, undamaged: dict[str, Json], patient: str, key: str
) -> None:
    number = 50_000 + 100 * PATIENTS.index(patient) + KEYS.index(key)
    status, body, _ = trial.call(number, patient, {key: "another patient"})
    if status == 200:
        check(body, patient_id=patient)
        stated, right = assessment(body), assessment(undamaged[patient])
        assert (stated["grade"] or 0) <= (right["grade"] or 0)
        assert stated["grade"] == right["grade"] or (stated["status"] in FLOOR and body["cards"])
        assert "-somebody" not in str(body["cards"])


@pytest.mark.parametrize("mode", ["503", "429 0", "dropped", "silence", "500"])
def test_t50_t51_a_server_of_which_everything_fails_is_412_in_time_or_the_prefetch_is_graded(
    trial: Trial, filled: Json, mode: str
) -> None:
    plan = dict.fromkeys(KEYS, mode)
    number = 60_000 + list(MODES).index(mode)
    status, body, seconds = trial.call(number, PATIENT, plan)
    assert (status, body["resourceType"]) == (412, "OperationOutcome")
    assert seconds < DEADLINE + OVERHEAD
    graded = trial.service.call(hook_call(PATIENT, prefetch=filled, fhirServer=f"{trial.server.base}/{number}"))
    assert assessment(graded.json())["grade"] == 3

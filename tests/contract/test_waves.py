"""How many queries go out, in how many waves, over how many connections; one phase or two (T89, design 3)."""

import json
import socket
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from threading import Barrier, Lock
from typing import Any
from urllib.parse import unquote

import pytest
from flask.testing import FlaskClient

from cds_service.crs.assessment import Assessment
from cds_service.fhir import second_try
from cds_service.fhir.addresses import fhir_server
from cds_service.fhir.client import Connections
from cds_service.fhir.needs import Need
from cds_service.hooks.call import HookCall, read_call
from cds_service.hooks.evaluate import LANE_WIDTH, Access, evaluated
from cds_service.hooks.knowledge import Knowledge
from cds_service.web.app import THREADS
from tests.answers import (
    DECIDED,
    GATE,
    KEYS,
    NOT_ELIGIBLE,
    PARTS,
    PATIENT,
    SERVICE,
    answer,
    assessment,
    missing,
    not_lower,
    refusal,
)
from tests.bedside import knowledge
from tests.chart import exact
from tests.conftest import MakeApp
from tests.hostile import hostile, whole
from tests.server import NOW, Fhir, hook_call, stories

EMPTY = whole(json.dumps({"resourceType": "Bundle", "type": "searchset"}).encode())
SECONDS = 10


def waves(*sizes: int) -> Callable[[str], object]:
    """Holds queries until so many of each wave are there; a wave that stays smaller breaks the queries of it."""
    barriers = [(Barrier(size, timeout=SECONDS), size) for size in sizes]
    left, lock = iter([barrier for barrier, size in barriers for _ in range(size)]), Lock()

    def hold(query: str) -> None:
        with lock:
            mine = next(left)
        mine.wait()

    return hold


@pytest.fixture
def at_once(make_app: MakeApp, fhir: Fhir) -> FlaskClient:
    """An application that asks for everything at once."""
    return make_app(fhir_servers=fhir.base, one_phase=True)


def test_in_two_phases_the_gate_is_one_wave_and_the_rest_is_another(make_app: MakeApp, fhir: Fhir) -> None:
    fhir.hold = waves(len(GATE), len(KEYS) - len(GATE))
    body = answer(make_app(fhir_servers=fhir.base, deadline_seconds=SECONDS), fhirServer=fhir.base)
    assert assessment(body)["grade"] == 3
    assert len(fhir.asked) == len(KEYS)


def test_in_two_phases_an_ineligible_patient_is_one_wave_of_the_gate(pulling: FlaskClient, fhir: Fhir) -> None:
    fhir.hold = waves(len(GATE))
    assert answer(pulling, NOT_ELIGIBLE, fhirServer=fhir.base)["cards"] == []
    assert len(fhir.asked) == len(GATE)


def test_in_one_phase_all_needs_are_one_wave(make_app: MakeApp, fhir: Fhir) -> None:
    fhir.hold = waves(len(KEYS))
    client = make_app(fhir_servers=fhir.base, deadline_seconds=SECONDS, one_phase=True)
    assert assessment(answer(client, fhirServer=fhir.base))["grade"] == 3
    assert len(fhir.asked) == len(KEYS)


def test_t89_while_one_answer_is_worked_out_another_has_its_data_gathered_and_waits_for_its_turn(fhir: Fhir) -> None:
    with ThreadPoolExecutor(len(KEYS)) as queries, ThreadPoolExecutor(1) as another:
        servers = (fhir_server(fhir.base),)
        access = Access(connections=Connections(), executor=queries, allow_list=servers, deadline_seconds=SECONDS)
        call = read_call(exact(hook_call(PATIENT, fhirServer=fhir.base)), "patient-view", HookCall)

        def graded() -> Assessment:
            with evaluated(call.question, knowledge(), access, NOW) as reading:
                return reading.assessment

        with evaluated(call.question, knowledge(), access, NOW) as first:
            fhir.asked.clear()
            second = another.submit(graded)
            with pytest.raises(TimeoutError):
                second.result(1)
            assert len(fhir.asked) == len(KEYS)
        assert second.result(SECONDS) == first.assessment


@pytest.mark.parametrize("patient", [str(story.expect["patient"]) for story in stories()])
def test_one_phase_gives_the_same_answers_as_two(
    pulling: FlaskClient, at_once: FlaskClient, fhir: Fhir, patient: str
) -> None:
    assert answer(at_once, patient, fhirServer=fhir.base) == answer(pulling, patient, fhirServer=fhir.base)


def test_one_phase_has_an_empty_answer_for_an_ineligible_patient_whatever_else_cannot_be_had(
    pulling: FlaskClient, at_once: FlaskClient, fhir: Fhir
) -> None:
    whole = answer(pulling, NOT_ELIGIBLE, fhirServer=fhir.base)
    fhir.faults |= dict.fromkeys(("/Observation", "/Condition", "/Patient"), ("403 Forbidden", "text/plain", ""))
    assert answer(at_once, NOT_ELIGIBLE, fhirServer=fhir.base) == whole
    assert (whole["cards"], assessment(whole)["status"]) == ([], "not-eligible")


def test_h2_one_phase_refuses_what_two_refuse(pulling: FlaskClient, at_once: FlaskClient, fhir: Fhir) -> None:
    for patient, part in ((NOT_ELIGIBLE, "/Procedure"), (PATIENT, "/Observation")):
        fhir.reset()
        fhir.faults[part] = ("403 Forbidden", "text/plain", "")
        assert refusal(at_once, patient, fhirServer=fhir.base) == refusal(pulling, patient, fhirServer=fhir.base)


def test_t89_sixteen_hooks_have_all_their_needs_under_way_at_once_and_their_connections_are_kept(
    make_app: MakeApp,
) -> None:
    together = 16 * len(KEYS)
    everyone = Barrier(together, timeout=SECONDS)
    ports: list[Any] = []

    def respond(connection: socket.socket, head: bytes) -> None:
        ports.append(connection.getpeername())
        everyone.wait()
        connection.sendall(EMPTY)

    with hostile(respond) as server, ThreadPoolExecutor(16) as clinicians:
        app = make_app(fhir_servers=server.base, deadline_seconds=2 * SECONDS, one_phase=True).application
        for _ in range(2):
            calls = [
                clinicians.submit(app.test_client().post, SERVICE, json=hook_call(PATIENT, fhirServer=server.base))
                for _ in range(16)
            ]
            assert {call.result().status_code for call in calls} == {200}
    assert len(ports) == 2 * together
    assert len(set(ports)) == together, "each connection served a query of both rounds"


def test_t89_a_worker_answers_more_calls_than_may_wait_for_one_server() -> None:
    assert LANE_WIDTH >= 16
    assert THREADS >= LANE_WIDTH + 4


# One need that fails, in each way


@pytest.fixture
def at_a_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Second tries come at once."""
    monkeypatch.setattr(second_try, "PAUSE_SECONDS", (0, 0))


def place(knowledge: Knowledge, key: str, patient: str = PATIENT) -> str:
    """The part of a request by which this need's query is known."""
    need: Need = next(need for need in knowledge.needs if need.key == key)
    return unquote(f"/{need.path(patient)}")


@pytest.mark.parametrize(
    ("status", "retry_after", "words", "times"),
    [
        ("503 Down", "", "HTTP 503", 2),
        ("503 Down", "0", "HTTP 503 and asks to wait 0 s", 2),
        ("429 Slow Down", "3600", "HTTP 429 and asks to wait 3600 s, too late for this call", 1),
        ("504 Late", "Wed, 21 Oct 2099 07:28:00 GMT", "s, too late for this call", 1),
    ],
)
@pytest.mark.parametrize("key", [key for key in KEYS if key not in GATE])
@pytest.mark.usefixtures("at_a_time")
def test_t49_t50_a_need_that_cannot_be_had_is_said_and_the_others_are_used(
    pulling: FlaskClient,
    fhir: Fhir,
    knowledge: Knowledge,
    key: str,
    status: str,
    retry_after: str,
    words: str,
    times: int,
) -> None:
    fhir.retry_after = retry_after
    fhir.faults[place(knowledge, key)] = (status, "text/plain", "")
    body = answer(pulling, fhirServer=fhir.base)
    assert not_lower(body)
    assert len(fhir.asked) == len(KEYS) - 1 + times
    if key not in (*PARTS, *DECIDED):
        assert words in missing(body)


@pytest.mark.parametrize("key", GATE)
@pytest.mark.usefixtures("at_a_time")
def test_t50_a_gate_query_that_cannot_be_had_is_412_or_said_and_never_silence(
    pulling: FlaskClient, fhir: Fhir, knowledge: Knowledge, key: str
) -> None:
    fhir.faults[place(knowledge, key)] = ("503 Down", "text/plain", "")
    assert not_lower(answer(pulling, fhirServer=fhir.base))
    if key != "therapies":
        fhir.faults[place(knowledge, key, NOT_ELIGIBLE)] = ("503 Down", "text/plain", "")
        assert f"{key} (the FHIR server answered HTTP 503)" in refusal(pulling, NOT_ELIGIBLE, fhirServer=fhir.base)


@pytest.mark.parametrize("patient", ["bispecific-step-up-patient", "no-weight-patient"])
def test_t54_a_therapy_without_a_code_is_not_ruled_out_when_the_medications_given_cannot_be_had(
    pulling: FlaskClient, fhir: Fhir, knowledge: Knowledge, patient: str
) -> None:
    assert assessment(answer(pulling, patient, fhirServer=fhir.base))["grade"] == 2
    fhir.faults[place(knowledge, "administrations", patient)] = ("403 No", "text/plain", "")
    assert "administrations (the FHIR server does not permit it (HTTP 403))" in refusal(
        pulling, patient, fhirServer=fhir.base
    )


@pytest.mark.parametrize("key", KEYS)
@pytest.mark.usefixtures("at_a_time")
def test_t50_a_need_that_is_had_at_the_second_try_changes_nothing(
    pulling: FlaskClient, fhir: Fhir, knowledge: Knowledge, key: str
) -> None:
    whole = answer(pulling, fhirServer=fhir.base)
    part = place(knowledge, key)
    tries: list[str] = []

    def pass_at_the_second(query: str) -> None:
        if part in query:
            tries.append(query)
            if len(tries) == 2:
                fhir.faults.clear()

    fhir.asked.clear()
    fhir.faults[part] = ("503 Down", "text/plain", "")
    fhir.hold = pass_at_the_second
    assert answer(pulling, fhirServer=fhir.base) == whole
    assert len(fhir.asked) == len(KEYS) + 1

"""How often cards came in the last hour, as the store has it: over workers and restarts, and never waited for (T96)."""

import math
import re
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import psycopg
import pytest
import requests
from flask.testing import FlaskClient
from prometheus_client.parser import text_string_to_metric_families

from cds_service.store import patience
from cds_service.store.memory import Memory
from cds_service.store.patience import PATIENCE_SECONDS
from cds_service.store.records import CANARY_AGENT, AnswerRecord, Firing, Outcome
from cds_service.store.schema import migrate
from cds_service.store.store import Store
from tests.answers import NOT_ELIGIBLE, PATIENT, SERVICE
from tests.callers import PUBLIC, bearer, trusted
from tests.conftest import MakeApp
from tests.contract.test_hook_call import call
from tests.postgres import database_in
from tests.records import HOUR, answer, card
from tests.server import NOW, ROOT, SECONDS, hook_call, service_process

SECOND = timedelta(seconds=1)
KEY = "k" * 32
Gauges = dict[tuple[str, str], float]
Json = dict[str, Any]


def gauges(text: str, name: str) -> Gauges:
    """The samples of a gauge by service and client."""
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    found = [sample for sample in samples if sample.name == f"crs_cds_{name}"]
    return {(sample.labels.get("service", ""), sample.labels.get("client", "")): sample.value for sample in found}


def of(text: str, client: str = "unchecked") -> tuple[float, float, float]:
    """Answers, eligible ones and the share with a card, of patient-view."""
    pair = ("crs-patient-view", client)
    counts = [gauges(text, name)[pair] for name in ("answers_last_hour", "eligible_answers_last_hour")]
    return (*counts, gauges(text, "firing_ratio").get(pair, math.nan))  # type: ignore[return-value]


def memory(client: FlaskClient) -> Memory:
    found: Memory = client.application.extensions["crs-cds-memory"]
    return found


def silent(**members: Any) -> AnswerRecord:
    """An answer without a card, for an eligible patient."""
    return answer(outcome=Outcome.SILENT, status="no-crs", grade=0, at=NOW, **members)


def test_t96_answers_are_counted_by_service_and_client_from_an_instant_on(store: Store) -> None:
    held = card("c3", shown=False)
    for record in (
        answer(card("c1"), at=NOW),
        answer(card("c2"), at=NOW - HOUR),
        answer(card("c4"), at=NOW - HOUR - SECOND),
        answer(held, at=NOW, outcome=Outcome.SUPPRESSED),
        silent(),
        answer(at=NOW, outcome=Outcome.SILENT, status="not-eligible", grade=None),
        answer(at=NOW, outcome=Outcome.UNAVAILABLE, status=None, grade=None),
        answer(card("c5"), at=NOW, client="canary"),
        silent(service="crs-order-sign", hook="order-sign"),
    ):
        store.add_answer(record)
    found = sorted(store.firing(NOW - HOUR), key=lambda one: (one.service, one.client))
    assert found == [
        Firing(service="crs-order-sign", client="unchecked", answers=1, eligible=1, shown=0),
        Firing(service="crs-patient-view", client="canary", answers=1, eligible=1, shown=1),
        Firing(service="crs-patient-view", client="unchecked", answers=6, eligible=4, shown=2),
    ]


def test_t96_the_gauges_say_what_share_of_calls_brought_a_card_and_the_canary_s_stand_apart(
    client: FlaskClient, filled: Json
) -> None:
    assert of(client.get("/metrics").text)[:2] == (0, 0)
    assert gauges(client.get("/metrics").text, "firing_ratio") == {}, "a share of nothing is none"
    for body in (hook_call(PATIENT, prefetch=filled), call(), call()):
        assert client.post(SERVICE, json=body).status_code == 200
    canary = {"User-Agent": CANARY_AGENT}
    assert client.post(SERVICE, json=hook_call(PATIENT, prefetch=filled), headers=canary).status_code == 200
    text = client.get("/metrics").text
    assert (of(text), of(text, "canary")) == ((3, 1, 1), (1, 1, 1))
    for _ in range(3):
        memory(client).store.add_answer(silent())
    assert of(client.get("/metrics").text) == (6, 4, 0.25)


def test_t96_clients_that_do_not_call_are_there_with_0_and_no_others(make_app: MakeApp) -> None:
    """A removed client, or one of another service at the same store, makes no label."""
    clients = [trusted(), trusted(id="canary", issuer="https://canary.example")]
    app = make_app(auth="required", public_url=PUBLIC, operator_key=KEY, clients=clients)
    memory(app).store.add_answer(silent(client="removed"))
    answers = gauges(app.get("/metrics", headers=bearer(KEY)).text, "answers_last_hour")
    services = ("crs-patient-view", "crs-order-select", "crs-order-sign")
    assert answers == {(service, client): 0 for service in services for client in ("hospital", "canary")}


def test_t96_t82_while_the_store_hangs_the_gauges_are_absent_and_metrics_are_answered_soon(
    make_app: MakeApp, filled: Json, postgres: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Nobody can read the answers while somebody else holds them, as with a disk that does not answer."""
    monkeypatch.setattr(patience, "AGAIN_SECONDS", 0)
    url = database_in(postgres)
    migrate(url)
    app = make_app(database_url=url)
    assert app.post(SERVICE, json=hook_call(PATIENT, prefetch=filled)).status_code == 200
    with psycopg.connect(url) as holder:
        holder.execute("LOCK TABLE answers IN ACCESS EXCLUSIVE MODE")
        begun = time.monotonic()
        text = app.get("/metrics").text
        assert time.monotonic() - begun < PATIENCE_SECONDS + 5
        assert gauges(text, "answers_last_hour") == gauges(text, "firing_ratio") == {}
        assert gauges(text, "store_away") == {("", ""): 1}
        assert gauges(text, "answers_total") == {("crs-patient-view", "unchecked"): 1}
        assert not memory(app).store.reading.away, "calls do not leave the store alone because metrics were late"
    end = time.monotonic() + SECONDS
    while gauges(text := app.get("/metrics").text, "store_away")["", ""]:
        assert time.monotonic() < end, "it is not found again"
    assert of(text) == (1, 1, 1)


def test_t96_the_gauges_are_right_over_workers_and_after_a_restart(tmp_path: Path, filled: Json) -> None:
    def scraped(base: str) -> set[tuple[float, float, float]]:
        texts = [requests.get(f"{base}/metrics", headers={"Connection": "close"}, timeout=SECONDS) for _ in range(6)]
        return {of(text.text) for text in texts}

    with service_process(tmp_path / "log", "", workers=2) as service:
        for body in (hook_call(PATIENT, prefetch=filled), call(), hook_call(NOT_ELIGIBLE, prefetch=filled), call()):
            service.call(body)
        found = scraped(service.base)
        assert len(found) == 1
    with service_process(tmp_path / "log", "", workers=2) as service:
        assert scraped(service.base) == found


def test_t96_the_alert_of_the_document_is_on_what_a_service_without_cards_says(client: FlaskClient) -> None:
    """Many eligible patients and not one card: each number of the rule is what the gauges give, or beyond it."""
    rules = (ROOT / "docs" / "monitoring.md").read_text(encoding="utf-8").partition("```yaml")[2]
    rule = re.search(r"alert: NoCards\n +expr: >\n((?: {10}.+\n)+)", rules)
    assert rule is not None
    limit = int(re.search(r"eligible_answers_last_hour\{.*?\}\) > (\d+)", rule[1]).group(1))  # type: ignore[union-attr]
    assert re.search(r"crs_cds_firing_ratio\{.*?\}\) == 0", rule[1])
    for _ in range(limit + 1):
        memory(client).store.add_answer(silent())
    answers, eligible, share = of(client.get("/metrics").text)
    assert (answers > limit, eligible > limit, share) == (True, True, 0)

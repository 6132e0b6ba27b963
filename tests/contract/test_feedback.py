"""Feedback: every spelling that arrives is kept before it is acknowledged, and nothing is acknowledged and lost."""

import json
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from flask.testing import FlaskClient
from structlog.testing import capture_logs

from cds_service.store.memory import Memory
from cds_service.store.records import FeedbackRecord, Reason, Response
from cds_service.web.settings import Settings
from cds_service.web.state import prepare_state
from tests.answers import SERVICE
from tests.conftest import MakeApp
from tests.contract.test_hook_call import CANARY, assert_refused
from tests.records import PATIENT, answer, card
from tests.server import NOW

URL = f"{SERVICE}/feedback"
CARD = "4d1a6ea2-9a1f-5b7e-8f0a-0d8c6f1f2b11"
SUGGESTION = "9b6f1e0c-1d9c-5c5e-9a58-6f2f4c1b7a90"
SENT_AT = "2026-11-22T11:30:00Z"
AT = datetime(2026, 11, 22, 11, 30, tzinfo=UTC)
CODING = {"code": "contraindicated", "system": "https://ehr.example/reasons", "display": "Contraindicated"}
CODED = Reason(code="contraindicated", system="https://ehr.example/reasons", display="Contraindicated")
EPIC = "com.epic.cdshooks.feedback.overrideReason."
Json = dict[str, Any]


def memory(client: FlaskClient) -> Memory:
    found: Memory = client.application.extensions["crs-cds-memory"]
    return found


def entry(**members: Any) -> Json:
    """An accepted card, as the specification has it."""
    usual = {"card": CARD, "outcome": "accepted", "outcomeTimestamp": SENT_AT}
    return usual | {"acceptedSuggestions": [{"id": SUGGESTION}]} | members


def overridden(**members: Any) -> Json:
    return {"card": CARD, "outcome": "overridden", "outcomeTimestamp": SENT_AT} | members


def kept(client: FlaskClient) -> list[FeedbackRecord]:
    return list(memory(client).store.feedback(NOW - timedelta(days=1)))


def send(client: FlaskClient, *entries: Any) -> list[FeedbackRecord]:
    """What is kept after a call that is acknowledged."""
    found = client.post(URL, json={"feedback": list(entries)})
    assert (found.status_code, found.get_json()) == (200, {"received": len(entries)}), found.text
    return kept(client)


@pytest.fixture
def shown(client: FlaskClient) -> FlaskClient:
    """An application that has shown the card."""
    memory(client).store.add_answer(answer(card(CARD)))
    return client


def test_f3_f4_an_accepted_card_is_kept_with_its_suggestions(shown: FlaskClient) -> None:
    [found] = send(shown, entry())
    assert found == FeedbackRecord(
        card=CARD,
        service="crs-patient-view",
        client="unchecked",
        outcome=Response.ACCEPTED,
        accepted=(SUGGESTION,),
        at=AT,
        received_at=NOW,
        matched=True,
    )


REASONED: list[tuple[str, Json, tuple[Reason, ...], str]] = [
    ("no reason", {}, (), ""),
    ("a reason", {"overrideReason": {"reason": CODING}}, (CODED,), ""),
    ("a comment", {"overrideReason": {"userComment": " on hospice "}}, (), "on hospice"),
    ("both", {"overrideReason": {"reason": CODING, "userComment": "no"}}, (CODED,), "no"),
    ("no display", {"overrideReason": {"reason": {"code": "c", "system": "s"}}}, (Reason(code="c", system="s"),), ""),
    ("nulls", {"overrideReason": {"reason": None, "userComment": None}, "acceptedSuggestions": None}, (), ""),
    ("empty", {"overrideReason": {}}, (), ""),
    ("Epic", {"overrideReasons": {"reason": CODING, "userComment": "no"}}, (CODED,), "no"),
    ("a list", {"overrideReasons": [{"reason": CODING}, {"userComment": "no"}]}, (CODED,), "no"),
    (
        "Epic's extension",
        {"overrideReasons": {"extension": {f"{EPIC}reasonCategory": "45", f"{EPIC}reasonDisplay": "Not met"}}},
        (Reason(display="Not met"),),
        "",
    ),
    ("Epic's title", {"overrideReasons": {"extension": {f"{EPIC}reasonTitle": "T"}}}, (Reason(display="T"),), ""),
    ("another extension", {"overrideReason": {"extension": ["x", 1], "userComment": "no"}}, (), "no"),
    ("an extension of another type", {"overrideReasons": {"extension": {f"{EPIC}reasonDisplay": 5}}}, (), ""),
]


@pytest.mark.parametrize(("members", "reasons", "comment"), [r[1:] for r in REASONED], ids=[r[0] for r in REASONED])
def test_f5_f6_f9_why_a_card_was_overridden_is_kept_in_every_spelling(
    shown: FlaskClient, members: Json, reasons: tuple[Reason, ...], comment: str
) -> None:
    [found] = send(shown, overridden(**members))
    assert (found.outcome, found.reasons, found.comment, found.matched) == (
        Response.OVERRIDDEN,
        reasons,
        comment,
        True,
    )


@pytest.mark.parametrize(
    "members",
    [
        {"acceptedSuggestions": None},
        {"acceptedSuggestions": []},
        {"acceptedSuggestions": [{"id": "no-uuid", "extension": {}}]},
        {"extension": {"any": [1]}, "unknown": {"x": None}},
        {"outcomeTimestamp": "2026-11-22T12:30:00+01:00"},
        {"outcomeTimestamp": "2026-11-22T11:30:00.000Z"},
        {"card": CARD.upper()},
    ],
    ids=str,
)
def test_f4_what_really_arrives_is_tolerated(shown: FlaskClient, members: Json) -> None:
    [found] = send(shown, entry(**members))
    assert (found.card, found.at, found.matched) == (CARD, AT, True)


def test_accepted_without_the_member_of_suggestions_is_accepted(shown: FlaskClient) -> None:
    sent = entry()
    del sent["acceptedSuggestions"]
    [found] = send(shown, sent)
    assert (found.outcome, found.accepted) == (Response.ACCEPTED, ())


def test_f7_t80_the_same_again_is_acknowledged_and_kept_once(shown: FlaskClient) -> None:
    send(shown, entry(), entry())
    assert len(send(shown, entry())) == 1
    assert len(send(shown, overridden())) == 2


def test_f2_one_call_brings_cards_of_several_answers_and_services(shown: FlaskClient) -> None:
    of_another = answer(card("sign-card"), service="crs-order-sign", hook="order-sign")
    memory(shown).store.add_answer(of_another)
    found = send(shown, entry(), overridden(card="sign-card"))
    assert [item.matched for item in found] == [True, True]


@pytest.mark.parametrize("card_id", ["123456", "urn:uuid:1", "00000000-0000-0000-0000-000000000000"])
def test_t78_feedback_to_an_unknown_card_is_acknowledged_and_kept_as_unmatched(
    shown: FlaskClient, card_id: str
) -> None:
    [found] = send(shown, entry(card=card_id))
    assert (found.card, found.matched) == (card_id, False)


def test_t79_another_client_s_card_is_answered_like_an_unknown_one(client: FlaskClient) -> None:
    memory(client).store.add_answer(answer(card(CARD), client="https://other.example"))
    [found] = send(client, entry())
    assert not found.matched
    assert memory(client).store.reactions(PATIENT, NOW - timedelta(days=1)) == []


def test_an_empty_list_is_no_error(client: FlaskClient) -> None:
    assert send(client) == []


# --- wrong shapes -----------------------------------------------------------------------------------------------------

WRONG: list[tuple[Any, str]] = [
    ([], "feedback"),
    ("x", "feedback"),
    (None, "feedback"),
    ({}, "feedback"),
    ({"feedback": None}, "feedback"),
    ({"feedback": entry()}, "feedback"),
    (entry(), "feedback"),
    ({"feedback": [None]}, "feedback[0]"),
    ({"feedback": [CANARY]}, "feedback[0]"),
    ({"feedback": [{}]}, "feedback[0].card"),
    ({"feedback": [entry(card=7)]}, "feedback[0].card"),
    ({"feedback": [entry(card="")]}, "feedback[0].card"),
    ({"feedback": [entry(card="x" * 257)]}, "feedback[0].card"),
    ({"feedback": [entry(card=f"{CANARY}\r\n")]}, "feedback[0].card"),
    ({"feedback": [entry(outcome="ignored")]}, "feedback[0].outcome"),
    ({"feedback": [entry(outcome=["accepted"])]}, "feedback[0].outcome"),
    ({"feedback": [entry(outcomeTimestamp=None)]}, "feedback[0].outcomeTimestamp"),
    ({"feedback": [entry(outcomeTimestamp="2026-11-22")]}, "feedback[0].outcomeTimestamp"),
    ({"feedback": [entry(outcomeTimestamp="2026-02-30T00:00:00Z")]}, "feedback[0].outcomeTimestamp"),
    ({"feedback": [entry(outcomeTimestamp=1_763_812_800)]}, "feedback[0].outcomeTimestamp"),
    ({"feedback": [entry(acceptedSuggestions={"id": SUGGESTION})]}, "feedback[0].acceptedSuggestions"),
    ({"feedback": [entry(acceptedSuggestions=[{}])]}, "feedback[0].acceptedSuggestions[0].id"),
    ({"feedback": [entry(acceptedSuggestions=[SUGGESTION])]}, "feedback[0].acceptedSuggestions[0]"),
    ({"feedback": [overridden(overrideReason=CANARY)]}, "feedback[0].overrideReason"),
    ({"feedback": [overridden(overrideReason={"reason": CANARY})]}, "feedback[0].overrideReason.reason"),
    ({"feedback": [overridden(overrideReason={"reason": {"code": 5}})]}, "feedback[0].overrideReason.reason.code"),
    ({"feedback": [overridden(overrideReason={"userComment": [CANARY]})]}, "feedback[0].overrideReason.userComment"),
    ({"feedback": [overridden(overrideReasons=CANARY)]}, "feedback[0].overrideReasons"),
    ({"feedback": [overridden(overrideReasons={"userComment": 5})]}, "feedback[0].overrideReasons.userComment"),
]


@pytest.mark.parametrize(("body", "path"), WRONG, ids=[path + str(place) for place, (_, path) in enumerate(WRONG)])
def test_f9_a_wrong_shape_is_400_and_names_the_member(client: FlaskClient, body: Any, path: str) -> None:
    issue = assert_refused(client.post(URL, data=json.dumps(body), content_type="application/json"), 400)
    assert issue["expression"] == [path]
    assert issue["details"]["text"].startswith(f"{path}: ")
    assert kept(client) == []


def test_t78_one_bad_entry_of_a_batch_is_named_and_the_good_ones_are_kept(shown: FlaskClient) -> None:
    body = {"feedback": [entry(), entry(outcome="ignored"), overridden(card="later")]}
    for _ in range(2):
        issue = assert_refused(shown.post(URL, json=body), 400)
        assert issue["expression"] == ["feedback[1].outcome"]
    assert sorted(item.card for item in kept(shown)) == [CARD, "later"]


@pytest.mark.parametrize(
    ("options", "status"),
    [
        ({"data": b"", "content_type": "application/json"}, 400),
        ({"data": b"{", "content_type": "application/json"}, 400),
        ({"data": b'{"feedback":[],"feedback":[]}', "content_type": "application/json"}, 400),
        ({"data": b"{}", "content_type": "text/plain"}, 415),
        ({"json": {}, "headers": {"Content-Encoding": "gzip"}}, 415),
    ],
)
def test_a_body_that_is_not_plain_json_is_refused_like_that_of_a_hook(
    client: FlaskClient, options: Json, status: int
) -> None:
    assert_refused(client.post(URL, **options), status)


def test_an_unknown_service_is_404_before_the_body_is_read(client: FlaskClient) -> None:
    assert_refused(client.post("/cds-services/none/feedback", json={"feedback": [entry()]}), 404)
    assert kept(client) == []


def test_x1_every_answer_has_the_headers_of_cors(shown: FlaskClient) -> None:
    for body, status in (({"feedback": [entry()]}, 200), ({}, 400)):
        found = shown.post(URL, json=body, headers={"Origin": "https://ehr.example"})
        assert (found.status_code, found.headers["Access-Control-Allow-Origin"]) == (status, "*")
    assert shown.get(URL).status_code == 405


def test_t81_a_long_comment_is_cut_and_the_rest_of_the_entry_is_kept(shown: FlaskClient) -> None:
    for length, expected in ((10_000, "é" * 10_000), (10_001, "é" * 9_999 + "…")):
        reason = {"reason": CODING, "userComment": "é" * length}
        sent = overridden(overrideReason=reason, outcomeTimestamp=f"2026-11-22T11:30:00.{length}Z")
        assert expected in [item.comment for item in send(shown, sent)]


def test_t81_what_a_user_wrote_never_reaches_the_log(shown: FlaskClient) -> None:
    sent = overridden(overrideReason={"reason": CODING | {"display": CANARY}, "userComment": CANARY})
    with capture_logs() as logs:
        send(shown, sent)
        shown.post(URL, json={"feedback": [sent | {"outcome": CANARY}]})
    assert CANARY not in json.dumps(logs, default=str)
    assert logs[0] == {
        "event": "feedback",
        "log_level": "info",
        "service": "crs-patient-view",
        "entries": 1,
        "matched": 1,
    }


# --- a store that is down ---------------------------------------------------------------------------------------------


@pytest.fixture
def broken(make_app: MakeApp, tmp_path: Path) -> Callable[[], FlaskClient]:
    """An application whose database goes away after the start."""

    def make() -> FlaskClient:
        prepare_state(Settings(state_folder=tmp_path), NOW)
        client = make_app(state_folder=tmp_path)
        assert client.get("/readyz").status_code == 200
        memory(client).store._engine.dispose()
        for file in tmp_path.glob("*.db*"):
            file.unlink()
        return client

    return make


def test_t82_feedback_that_cannot_be_kept_is_503_and_may_come_again(broken: Callable[[], FlaskClient]) -> None:
    found = broken().post(URL, json={"feedback": [entry()]})
    issue = assert_refused(found, 503)
    assert issue["code"] == "transient"
    assert int(found.headers["Retry-After"]) > 0


def test_t82_readiness_says_that_the_store_is_down_and_liveness_does_not_care(
    broken: Callable[[], FlaskClient],
) -> None:
    client = broken()
    found = client.get("/readyz")
    assert (found.status_code, found.mimetype) == (503, "application/problem+json")
    assert "store" in found.get_json()["detail"]
    assert client.get("/healthz").status_code == 200

"""The rules of the answer to a hook call (S-): what the caller sent, and the body around the cards."""

from typing import Any

from cds_service.conformance.assessment import ASSESSMENT
from cds_service.conformance.call import Call
from cds_service.conformance.cards import judge_card
from cds_service.conformance.faults import Faults, at, is_empty


def judge_response(out: Faults, body: Any, call: Call) -> None:
    """Judge the body of a 200 answer."""
    if not isinstance(body, dict) or not isinstance(body.get("cards"), list):
        out.add("S-1", "", "must be an object with the array `cards`")
        return
    out.members(body, "", {"cards": "S-1"}, ("systemActions",))
    if not is_empty(body.get("systemActions")):
        out.add("C-27", "systemActions", "nothing is ever applied without a clinician")
    there = at("extension", ASSESSMENT)
    lists = ("cards", f"{there}.findings", f"{there}.missing", f"{there}.unused")
    out.json(body, may_be_empty={**{name: [] for name in lists}, f"{there}.grade": None})
    if len(body["cards"]) > 3:
        out.add("max-cards", "cards", f"{len(body['cards'])} cards; a clinician reads three")
    uuids: set[str] = set()
    for path, card in out.objects(body, "cards", "", "S-1"):
        judge_card(out, card, path, call, uuids)

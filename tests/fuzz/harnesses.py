"""What is fuzzed: three functions that take any bytes and raise when the service does what it never may.

`make fuzz` gives them to atheris, `test_fuzz.py` to a small mutator of its own; both start from `corpus/`.
"""

from collections.abc import Callable, Mapping
from concurrent.futures import ThreadPoolExecutor
from datetime import UTC
from functools import cache
from typing import Any

import orjson
from markdown_it import MarkdownIt

from cds_service.errors import CdsError, InvalidRequest
from cds_service.fhir.client import Connections
from cds_service.fhir.strict_json import parse
from cds_service.hooks.call import HookCall, OrderCall, OrderSelectCall, read_call
from cds_service.hooks.evaluate import Access
from cds_service.hooks.feedback import read_feedback
from cds_service.hooks.knowledge import Knowledge
from cds_service.hooks.services import service
from cds_service.hooks.wording import MAXIMUM_SUMMARY, escaped, within
from tests.bedside import content
from tests.server import NOW, hook_call

SHAPES = {"patient-view": HookCall, "order-select": OrderSelectCall, "order-sign": OrderCall}
PATIENT = "fuzzed"
MARKDOWN = MarkdownIt("commonmark", {"html": True, "linkify": True}).enable(["table", "strikethrough"])
PLAIN = {"inline", "text"} | {
    f"{name}_{end}"
    for name in ("table", "thead", "tbody", "tr", "th", "td", "paragraph", "bullet_list", "list_item")
    for end in ("open", "close")
}


def read_request(data: bytes) -> None:
    """A body is a call of a hook, feedback, or refused in words that do not repeat it."""
    try:
        body = parse(data)
    except InvalidRequest:
        return
    for hook, shape in SHAPES.items():
        try:
            read_call(body, hook, shape)
        except InvalidRequest as error:
            orjson.dumps(error.message)
    try:
        read_feedback(body, "crs-patient-view", "fuzz", NOW)
    except InvalidRequest as error:
        orjson.dumps(error.message)


def answer_bundle(data: bytes) -> None:
    """A Bundle beside a record that is empty otherwise is answered with cards that hold together, or refused."""
    try:
        bundle = parse(data)
    except InvalidRequest:
        return
    try:
        response = answer(bundle)
    except CdsError:
        return
    orjson.dumps(response)
    for card in response["cards"]:
        assert len(card["summary"]) <= MAXIMUM_SUMMARY
        assert not {"html_block", "html_inline", "link_open", "image"} & _kinds(card["detail"])


def answer(bundle: object) -> dict[str, Any]:
    """The answer to a call whose prefetch is empty but for this."""
    call = hook_call(PATIENT, prefetch=_empty() | {"fuzzed": bundle})
    return service("crs-patient-view").answer(call, "crs-patient-view", _knowledge(), _access(), NOW).response


def show_words(data: bytes) -> None:
    """Words of a record are shown as words: nothing that the template did not make."""
    value = data.decode("utf-8", "replace")
    plain = escaped(value)
    assert _kinds(f"| a | b |\n|---|---|\n| x | {plain} |\n\n- said: {plain}\n\nsaid: {plain}.") <= PLAIN
    assert len(within(value)) <= MAXIMUM_SUMMARY


HARNESSES: Mapping[str, Callable[[bytes], None]] = {
    "request": read_request,
    "bundle": answer_bundle,
    "words": show_words,
}


def warm_up() -> None:
    """Load the content, so that the first input is not the slow one."""
    answer({})


def _kinds(markdown: str) -> set[str]:
    tokens = MARKDOWN.parse(markdown)
    return {child.type for token in tokens for child in (token, *(token.children or ()))}


@cache
def _knowledge() -> Knowledge:
    return Knowledge.of(content(), UTC)


@cache
def _access() -> Access:
    return Access(connections=Connections(), executor=ThreadPoolExecutor(1), allow_list=(), deadline_seconds=1.0)


@cache
def _empty() -> dict[str, object]:
    return {need.key: {"resourceType": "Bundle", "type": "searchset"} for need in _knowledge().needs}

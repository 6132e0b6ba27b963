"""The rules of a card (C-1 to C-13, C-24 to C-26): summary, detail, source, links, and how suggestions are chosen."""

import re
from collections.abc import Mapping
from typing import Any

from markdown_it import MarkdownIt

from cds_service.conformance.call import Call
from cds_service.conformance.faults import Faults, at, is_empty
from cds_service.conformance.suggestions import judge_suggestion

_BARE_LINK = re.compile(
    r"(?:https?|ftp)://|\bwww\.|(?<![\w.+-])[\w.+-]+@[\w-]+\.\w"
)  # GitHub's Markdown links these unasked
_MARKDOWN = MarkdownIt("commonmark").enable("table")


def _read_markdown(text: str) -> tuple[str, list[str]]:
    """The words a reader sees, and the tokens a card must not have."""
    words, unwanted = [], []
    for block in _MARKDOWN.parse(text):
        line = []
        for token in [block, *(block.children or [])]:
            if token.type in {"html_block", "html_inline", "image", "link_open"}:
                unwanted.append(token.type.removesuffix("_open").replace("_", " "))
            elif token.type in {"text", "code_inline", "code_block", "fence"}:
                line.append(token.content)
            elif token.type in {"softbreak", "hardbreak"}:
                line.append(" ")
        words.append("".join(line))
    plain = "\n".join(filter(None, words))
    if _BARE_LINK.search(plain):
        unwanted.append("bare link")
    return plain, unwanted


def judge_card(out: Faults, card: dict[str, Any], path: str, call: Call, uuids: set[str]) -> None:
    """Judge one card; `uuids` are those already used in this answer."""
    required = {"summary": "C-2", "indicator": "C-4", "source": "C-5"}
    optional = ("detail", "suggestions", "selectionBehavior", "overrideReasons", "links")
    out.members(card, path, required, optional, recommended={"uuid": "C-1"})
    out.uuid(card, "uuid", path, "C-1", uuids)
    out.text(card, "summary", path, "C-2", longest=139)
    detail, unwanted = _read_markdown(out.text(card, "detail", path, "C-3", lines="\n") or "")
    for token in unwanted:
        out.advise("C-3", at(path, "detail"), f"the Markdown holds: {token}")
    out.one_of(card, "indicator", path, "C-4", {"info", "warning", "critical"})
    _source(out, card, path)
    _selection(out, card, path, call)
    for where, suggestion in out.objects(card, "suggestions", path, "C-6"):
        judge_suggestion(out, suggestion, where, call, uuids, detail)
    for where, reason in out.objects(card, "overrideReasons", path, "C-8"):
        _coding(out, reason, where, "C-8", {"code": "C-8", "system": "C-8", "display": "cds-resp-4"})
    for where, link in out.objects(card, "links", path, "C-9"):
        _link(out, link, where)


def _source(out: Faults, card: dict[str, Any], path: str) -> None:
    source, path = out.object(card, "source", path, "C-5"), at(path, "source")
    if source is None:
        return
    out.members(source, path, {"label": "C-10"}, ("url", "icon"), recommended={"topic": "C-13"})
    out.text(source, "label", path, "C-10")
    out.url(source, "url", path, "C-11")
    out.url(source, "icon", path, "C-12")
    topic, path = out.object(source, "topic", path, "C-13"), at(path, "topic")
    if topic is None:
        return
    _coding(out, topic, path, "C-13", {"code": "C-13", "system": "C-13"})
    code = topic.get("code")
    if isinstance(code, str) and code and not re.fullmatch(r"[A-Za-z0-9]{1,100}", code):
        out.advise("C-13", at(path, "code"), "must be 1 to 100 letters and digits, or an override is not remembered")


def _coding(out: Faults, coding: dict[str, Any], path: str, rule: str, required: Mapping[str, str]) -> None:
    """A Coding of CDS Hooks, which is not FHIR's: code and system are required, there is no version (G-6)."""
    out.members(coding, path, required, ("code", "system", "display"), unknown="G-6")
    for name in ("code", "system", "display"):
        out.text(coding, name, path, rule)


def _selection(out: Faults, card: dict[str, Any], path: str, call: Call) -> None:
    suggestions, behavior = card.get("suggestions"), card.get("selectionBehavior")
    if suggestions and "selectionBehavior" not in card:
        out.add("cds-resp-6", path, "has suggestions and no selectionBehavior")
    if not suggestions and "selectionBehavior" in card:
        out.advise("C-7", at(path, "selectionBehavior"), "stands without suggestions")
    elif call.selection is None:
        out.one_of(card, "selectionBehavior", path, "C-7", {"any", "at-most-one"})
    elif not is_empty(behavior) and behavior != call.selection:
        out.add("C-7", at(path, "selectionBehavior"), f"is {behavior!r}; this client takes `{call.selection}`")
    if behavior == "at-most-one" and isinstance(suggestions, list):
        recommended = [s for s in suggestions if isinstance(s, dict) and s.get("isRecommended") is True]
        if len(recommended) > 1:
            out.add("cds-resp-1", path, "at most one suggestion may be recommended with at-most-one")


def _link(out: Faults, link: dict[str, Any], path: str) -> None:
    out.members(link, path, dict.fromkeys(("label", "url", "type"), "C-24"), ("appContext", "autolaunchable"))
    out.text(link, "label", path, "C-24")
    out.url(link, "url", path, "C-24")
    out.one_of(link, "type", path, "C-24", {"absolute", "smart"})
    out.text(link, "appContext", path, "C-25", lines="\n")
    if "appContext" in link and link.get("type") != "smart":
        out.add("cds-resp-3", at(path, "appContext"), "is for SMART links only")
    if "autolaunchable" in link:
        out.add("C-26", at(path, "autolaunchable"), "would hide the card from the clinician")

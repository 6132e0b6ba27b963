"""An independent judge of the answers of this service: written from CDS Hooks 2.0.1, not from the code under test.

`discovery_faults`, `response_faults`, `assessment_faults` and `operation_outcome_faults` return every fault of a body
(none: it is fine); `check_discovery`, `check` and `check_operation_outcome` raise AssertionError with all of them.

A rule has the id of the project's own rule lists: D- discovery, P- prefetch, S- response, C- cards, G- JSON, X-
extensions, H- errors, A- access, N- what must never be suggested, cds-resp- the invariants of HL7's logical model.
Rules without an id there have a name: `order-*`, `assessment-*`, `grade-card`, `indicator-by-grade`, `silence` and
`max-cards`. One mistake, one fault: an empty value is reported by G-2 (G-3 where the member is optional), an absent
member by its own rule.
"""

import math
import re
import unicodedata
from collections.abc import Collection, Iterable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from decimal import Decimal
from typing import Any
from urllib.parse import urlsplit

from markdown_it import MarkdownIt

ASSESSMENT = "org.crs-cds.assessment"


@dataclass(frozen=True)
class Fault:
    """One broken rule: its id, where in the body, and what is wrong there."""

    rule: str
    path: str
    message: str

    def __str__(self) -> str:
        return f"{self.rule} at {self.path or 'the body'}: {self.message}"


def discovery_faults(body: Any) -> list[Fault]:
    """Judge the body of `GET /cds-services` (D-, P- and G- rules)."""
    out = _Faults()
    _discovery(out, body)
    return list(out)


def response_faults(
    body: Any,
    *,
    patient_id: str,
    encounter_id: str | None = None,
    draft_ids: Collection[str] = (),
    intent: str = "proposal",
    selection: str = "any",
) -> list[Fault]:
    """Judge a 200 answer to a hook call; `draft_ids` are the `Type/id` of the call's draft orders.

    `selection` is the selectionBehavior that the client takes.
    """
    out = _Faults()
    _response(out, body, _Call(patient_id, encounter_id, frozenset(draft_ids), intent, selection))
    return list(out)


def assessment_faults(body: Any, *, hook: str = "patient-view") -> list[Fault]:
    """Judge the assessment in a 200 answer, and whether the cards say what it says.

    The cards of `order-select` and `order-sign` are about orders: they may stand without a grade, and a graded patient
    may have none.
    """
    out = _Faults()
    _assessment(out, body, hook)
    return list(out)


def operation_outcome_faults(body: Any) -> list[Fault]:
    """Judge the body of a non-2xx answer of a CDS endpoint (H-4, H-7)."""
    out = _Faults()
    _operation_outcome(out, body)
    return list(out)


def check(
    body: Any,
    *,
    patient_id: str,
    encounter_id: str | None = None,
    draft_ids: Collection[str] = (),
    intent: str = "proposal",
    selection: str = "any",
    hook: str = "patient-view",
) -> None:
    """Raise AssertionError with every fault of a 200 answer to a hook call, its assessment included."""
    faults = response_faults(
        body,
        patient_id=patient_id,
        encounter_id=encounter_id,
        draft_ids=draft_ids,
        intent=intent,
        selection=selection,
    )
    _raise(faults + assessment_faults(body, hook=hook))


def check_discovery(body: Any) -> None:
    """Raise AssertionError with every fault of a discovery body."""
    _raise(discovery_faults(body))


def check_operation_outcome(body: Any) -> None:
    """Raise AssertionError with every fault of an error body."""
    _raise(operation_outcome_faults(body))


def _raise(faults: list[Fault]) -> None:
    if faults:
        raise AssertionError("\n".join([f"{len(faults)} fault(s):", *(f"  {fault}" for fault in faults)]))


# --- reading JSON -----------------------------------------------------------------------------------------------------


def _names(text: str) -> frozenset[str]:
    return frozenset(text.split())


# Optional members of CDS Hooks: an empty one should have been left out (G-3); elsewhere an empty value is wrong (G-2).
_OPTIONAL = _names("""
    title prefetch usageRequirements version hookVersion extension detail suggestions selectionBehavior overrideReasons
    links url icon topic uuid isRecommended actions resourceId appContext systemActions
""")
_UUID = re.compile(r"[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}")
_BARE_LINK = re.compile(r"(?:https?|ftp)://|\bwww\.|[\w.+-]+@[\w-]+\.\w")  # GitHub's Markdown links these unasked
_INSTANT = re.compile(r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?(Z|[+-]\d\d:\d\d)")
_MARKDOWN = MarkdownIt("commonmark").enable("table")


def _at(path: str, name: str | int) -> str:
    if isinstance(name, int):
        return f"{path}[{name}]"
    if not name.replace("_", "a").isalnum():
        return f'{path}["{name}"]'
    return f"{path}.{name}" if path else name


def _is_empty(value: Any) -> bool:
    return value is None or value in ([], {}) or (isinstance(value, str) and not value.strip())


def _is_number(value: Any) -> bool:
    """A finite number; an int of any size is one, and True is none."""
    if isinstance(value, float | Decimal):
        return math.isfinite(value)
    return isinstance(value, int) and not isinstance(value, bool)


def _bad_characters(text: str, allowed: str = "") -> str:
    """Name the control, format (bidi, zero-width), line-separator and surrogate characters in a text."""
    bad = {c for c in text if unicodedata.category(c) in {"Cc", "Cf", "Zl", "Zp", "Cs"} and c not in allowed}
    return ", ".join(f"U+{ord(c):04X}" for c in sorted(bad))


def _is_absolute_url(text: str) -> bool:
    """https, or http on this machine."""
    if re.search(r"\s", text):
        return False
    try:
        url = urlsplit(text)
    except ValueError:
        return False
    local = url.hostname in {"localhost", "127.0.0.1", "::1"}
    return bool(url.hostname) and "@" not in url.netloc and (url.scheme == "https" or (url.scheme == "http" and local))


class _Faults(list[Fault]):
    """The faults found so far, and the readers that add to them: each skips what is absent or empty."""

    def add(self, rule: str, path: str, message: str) -> None:
        self.append(Fault(rule, path, message))

    def members(
        self,
        value: dict[str, Any],
        path: str,
        required: Mapping[str, str],
        optional: Iterable[str] = (),
        unknown: str = "X-3",
    ) -> None:
        """Every required member there (each with its rule), and no member that nobody defined."""
        for name in sorted(required.keys() - value.keys()):
            self.add(required[name], path, f"`{name}` is missing")
        for name in sorted(value.keys() - required.keys() - set(optional) - {"extension"}):
            self.add(unknown, _at(path, name), "is not a member of this structure; additions belong in `extension`")
        if unknown == "G-5":
            self.objects(value, "extension", path, "G-5")
        elif any("." not in name for name in self.object(value, "extension", path, "X-3") or {}):
            self.add("X-3", _at(path, "extension"), "names its members by reversed domain: com.example.thing")

    def text(
        self, parent: dict[str, Any], name: str, path: str, rule: str, *, longest: int = 0, lines: str = ""
    ) -> str | None:
        value, path = parent.get(name), _at(path, name)
        if _is_empty(value):
            return None
        if not isinstance(value, str):
            self.add(rule, path, f"must be a string, not {type(value).__name__}")
            return None
        if longest and len(value) > longest:
            self.add(rule, path, f"has {len(value)} characters, {longest} are allowed")
        if bad := _bad_characters(value, lines):
            self.add(rule, path, f"holds {bad}")
        if "{{" in value or "{%" in value:
            self.add(rule, path, "holds a template that was not filled")
        return value

    def one_of(self, parent: dict[str, Any], name: str, path: str, rule: str, allowed: Collection[str]) -> None:
        value = parent.get(name)
        if not _is_empty(value) and (not isinstance(value, str) or value not in allowed):
            self.add(rule, _at(path, name), f"is {value!r}; allowed: {', '.join(sorted(allowed))}")

    def url(self, parent: dict[str, Any], name: str, path: str, rule: str) -> None:
        value = self.text(parent, name, path, rule)
        if value and not _is_absolute_url(value):
            self.add(rule, _at(path, name), f"{value!r} is not an absolute https URL (http on loopback only)")

    def uuid(self, parent: dict[str, Any], name: str, path: str, rule: str, seen: set[str]) -> None:
        value = self.text(parent, name, path, rule)
        if value is None:
            return
        if not _UUID.fullmatch(value):
            self.add(rule, _at(path, name), f"{value!r} is not a lower-case UUID")
        if value in seen:
            self.add(rule, _at(path, name), "was used before in this answer")
        seen.add(value)

    def instant(self, parent: dict[str, Any], name: str, path: str, rule: str) -> datetime | None:
        """A date and time of RFC 3339 with its offset."""
        value = self.text(parent, name, path, rule)
        if value is None:
            return None
        try:
            if _INSTANT.fullmatch(value):
                return datetime.fromisoformat(value)
        except ValueError:
            pass
        self.add(rule, _at(path, name), f"{value!r} is not an RFC 3339 time with an offset")
        return None

    def object(self, parent: dict[str, Any], name: str, path: str, rule: str) -> dict[str, Any] | None:
        value = parent.get(name)
        if _is_empty(value):
            return None
        if not isinstance(value, dict):
            self.add(rule, _at(path, name), f"must be an object, not {type(value).__name__}")
            return None
        return value

    def objects(self, parent: dict[str, Any], name: str, path: str, rule: str) -> list[tuple[str, dict[str, Any]]]:
        """The objects of an array, each with its path."""
        value, path = parent.get(name), _at(path, name)
        if _is_empty(value):
            return []
        if not isinstance(value, list):
            self.add(rule, path, f"must be an array, not {type(value).__name__}")
            return []
        for n, item in enumerate(value):
            if not _is_empty(item) and not isinstance(item, dict):
                self.add(rule, _at(path, n), f"must be an object, not {type(item).__name__}")
        return [(_at(path, n), item) for n, item in enumerate(value) if item and isinstance(item, dict)]

    def texts(self, parent: dict[str, Any], name: str, path: str, rule: str) -> None:
        value, path = parent.get(name), _at(path, name)
        if _is_empty(value):
            return
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            self.add(rule, path, "must be an array of strings")

    def json(self, value: Any, path: str = "", name: str = "", may_be_empty: Mapping[str, Any] | None = None) -> None:
        """Only JSON values (G-1); no null, blank string, empty array or object (G-2, G-3) but those listed by path."""
        allowed = may_be_empty or {}
        if _is_empty(value):
            if path not in allowed or value != allowed[path]:
                self.add("G-3" if name in _OPTIONAL else "G-2", path, f"is empty ({value!r}): leave it out or fill it")
        elif isinstance(value, dict):
            for key, member in value.items():
                self.json(member, _at(path, key), key, allowed)
        elif isinstance(value, list):
            for n, item in enumerate(value):
                self.json(item, _at(path, n), "", allowed)
        elif not isinstance(value, str | bool) and not _is_number(value):
            self.add("G-1", path, f"{value!r} is not a JSON value")


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


# --- discovery --------------------------------------------------------------------------------------------------------

# Context fields that the hook definitions mark as prefetch tokens.
_PERSON = frozenset({"userId", "patientId", "encounterId"})
_HOOK_TOKENS = {
    "patient-view": _PERSON,
    "order-select": _PERSON,
    "order-sign": _PERSON,
    "encounter-start": _PERSON,
    "encounter-discharge": _PERSON,
    "appointment-book": _PERSON,
    "order-dispatch": frozenset({"patientId", "dispatchedOrders", "performer"}),
}
_USER_TOKENS = frozenset({"userPractitionerId", "userPractitionerRoleId", "userPatientId", "userRelatedPersonId"})

# R4 search parameters that a prefetch template may use: those of kind token and reference | those of kind date.
_R4_SEARCH = """
AllergyIntolerance asserter category clinical-status code criticality identifier manifestation patient recorder route
    severity type verification-status | date last-date onset
Condition asserter body-site category clinical-status code encounter evidence evidence-detail identifier patient
    severity stage subject verification-status | abatement-date onset-date recorded-date
DiagnosticReport based-on category code conclusion encounter identifier media patient performer result
    results-interpreter specimen status subject | date issued
Encounter account appointment based-on class diagnosis episode-of-care identifier location part-of participant
    participant-type patient practitioner reason-code reason-reference service-provider special-arrangement status
    subject type | date location-period
MedicationAdministration code context device identifier medication patient performer reason-given reason-not-given
    request status subject | effective-time
MedicationDispense code context destination identifier medication patient performer prescription receiver
    responsibleparty status subject type | whenhandedover whenprepared
MedicationRequest category code encounter identifier intended-dispenser intended-performer intended-performertype intent
    medication patient priority requester status subject | authoredon date
MedicationStatement category code context identifier medication part-of patient source status subject | effective
Observation based-on category code combo-code combo-data-absent-reason combo-value-concept component-code
    component-data-absent-reason component-value-concept data-absent-reason derived-from device encounter focus
    has-member identifier method part-of patient performer specimen status subject value-concept | date value-date
Patient active address-use deceased email gender general-practitioner identifier language link organization phone
    telecom | birthdate death-date
Procedure based-on category code encounter identifier instantiates-canonical location part-of patient performer
    reason-code reason-reference status subject | date
ServiceRequest based-on body-site category code encounter identifier intent patient performer performer-type priority
    replaces requester requisition specimen status subject | authored occurrence
"""


def _search_table(text: str) -> dict[str, tuple[frozenset[str], frozenset[str]]]:
    rows = [row.split("|") for row in re.split(r"\n(?=\S)", text.strip())]
    return {others.split()[0]: (_names(others) | {"_id"}, _names(dates) | {"_lastUpdated"}) for others, dates in rows}


_SEARCH = _search_table(_R4_SEARCH)


def _discovery(out: _Faults, body: Any) -> None:
    if not isinstance(body, dict) or not isinstance(body.get("services"), list):
        out.add("D-2", "", "must be an object with the array `services`")
        return
    out.members(body, "", {"services": "D-2"})
    out.json(body, may_be_empty={"services": []})
    ids: set[str] = set()
    for path, service in out.objects(body, "services", "", "D-2"):
        _service(out, service, path, ids)


def _service(out: _Faults, service: dict[str, Any], path: str, ids: set[str]) -> None:
    required = {"hook": "D-4", "description": "D-5", "id": "D-6", "title": "D-7"}
    out.members(service, path, required, ("prefetch", "usageRequirements", "version", "hookVersion"))
    out.one_of(service, "hook", path, "D-4", _HOOK_TOKENS)
    out.text(service, "description", path, "D-5", lines="\n")
    out.text(service, "title", path, "D-7")
    out.text(service, "usageRequirements", path, "D-9")
    for name, rule in (("version", "D-10"), ("hookVersion", "D-11")):
        value = out.text(service, name, path, rule)
        if value and not re.fullmatch(r"STU[123]|\d+\.\d+(\.\d+)?", value):
            out.add(rule, _at(path, name), f"{value!r} is not a version")
    service_id = out.text(service, "id", path, "D-6")
    if service_id and not re.fullmatch(r"[A-Za-z0-9._~-]+", service_id):
        out.add("D-6", _at(path, "id"), f"{service_id!r} is not safe in a URL")
    if service_id in ids:
        out.add("D-12", _at(path, "id"), "is used twice; clients that key services by URL lose one")
    ids.add(service_id or "")
    hook = service.get("hook")
    tokens = _HOOK_TOKENS.get(hook, _PERSON) if isinstance(hook, str) else _PERSON
    for key, template in (out.object(service, "prefetch", path, "D-8") or {}).items():
        where = _at(_at(path, "prefetch"), key)
        if not isinstance(template, str) and not _is_empty(template):
            out.add("D-8", where, "a template is a string")
        elif isinstance(template, str) and template:
            _template(out, template, where, tokens)


def _template(out: _Faults, template: str, path: str, tokens: Collection[str]) -> None:
    before = len(out)
    for token in re.findall(r"\{\{(.*?)\}\}", template):
        _token(out, token, path, tokens)
    rest = re.sub(r"\{\{.*?\}\}", "0", template)
    if "{" in rest or "}" in rest:
        out.add("P-11", path, "has a token that is not delimited by {{ and }}")
    if re.search(r"/\{\{context\.userId\}\}", template):
        out.add("P-14", path, "context.userId is already `Type/id`")
    if len(out) == before and template != "{{context.userId}}":
        _query(out, template, path)


def _token(out: _Faults, token: str, path: str, tokens: Collection[str]) -> None:
    if token in _USER_TOKENS or token in {f"context.{field}" for field in tokens}:
        return
    if token.strip().startswith("today("):
        out.add("P-18", path, "relative dates are not part of 2.0.1")
    elif not re.fullmatch(r"[\w.-]+", token):
        out.add("P-11", path, f"{token!r} is not a path to a context field")
    elif token.startswith("context."):
        out.add("P-13", path, f"{token!r} is no first-level field of this hook that may be a token")
    elif token.startswith("user"):
        out.add("P-14", path, f"{token!r} is none of {', '.join(sorted(_USER_TOKENS))}")
    else:
        out.add("P-12", path, f"{token!r} does not have the form context.<field>")


def _query(out: _Faults, template: str, path: str) -> None:
    """A read `Type/id` or a search `Type?...` within the subset of FHIR search that every client may be asked for."""
    query = re.sub(r"\{\{(.*?)\}\}", "0", template)
    if re.search(r"[\s#]", query):
        out.add("P-15", path, "holds a blank or a fragment")
        return
    if re.fullmatch(r"[A-Z][A-Za-z]+/[A-Za-z0-9.-]+", query):
        return
    found = re.fullmatch(r"([A-Z][A-Za-z]+)\?(.+)", query)
    if not found:
        out.add("P-15", path, "is neither a read `Type/id` nor a search `Type?...`")
        return
    kind, seen = found[1], set()
    for part in found[2].split("&"):
        name, _, value = part.partition("=")
        if name in seen:
            out.add("P-18", path, f"`{name}` stands twice; some clients merge equal parameters")
        seen.add(name)
        _parameter(out, kind, name, value, path)
    if kind != "Patient" and not re.search(r"[?&](patient|subject|encounter|context)=[^&]*\{\{context\.", template):
        out.add("P-15", path, "is not bound to the patient or encounter of the context")


def _parameter(out: _Faults, kind: str, name: str, value: str, path: str) -> None:
    others, dates = _SEARCH.get(kind, (frozenset(), frozenset()))
    base, _, modifier = name.partition(":")
    if base in {"sort", "_sort"}:
        keys = [key.removeprefix("-") for key in value.split(",")]
        if name != "_sort" or not all(key in others | dates if kind in _SEARCH else key for key in keys):
            out.add("P-16", path, f"{name}={value} is not a sort of {kind}; write `_sort=-date`")
    elif not value:
        out.add("P-15", path, f"`{name}` has no value")
    elif base == "_count":
        if modifier or not re.fullmatch(r"[1-9]\d*", value):
            out.add("P-15", path, f"`{name}={value}` is not a count")
    elif "." in base or (base.startswith("_") and base not in {"_id", "_lastUpdated"}):
        out.add("P-15", path, f"`{name}` is outside the subset (no chaining, no _include, no _has)")
    elif modifier and (modifier != "in" or base in dates):
        out.add("P-15", path, f"`{name}`: the only modifier is :in, on token parameters")
    elif "$" in value or re.match(r"(ne|sa|eb|ap)\d", value):
        out.add("P-15", path, f"`{name}={value}`: no composites, and no prefix but eq lt gt ge le")
    elif kind in _SEARCH and base not in others | dates:
        out.add("P-15", path, f"R4 {kind} has no token, reference or date parameter `{base}`")


# --- response ---------------------------------------------------------------------------------------------------------


@dataclass(frozen=True)
class _Call:
    """What the caller sent and the answer must agree with."""

    patient_id: str
    encounter_id: str | None
    draft_ids: frozenset[str]
    intent: str
    selection: str


def _response(out: _Faults, body: Any, call: _Call) -> None:
    if not isinstance(body, dict) or not isinstance(body.get("cards"), list):
        out.add("S-1", "", "must be an object with the array `cards`")
        return
    out.members(body, "", {"cards": "S-1"}, ("systemActions",))
    if not _is_empty(body.get("systemActions")):
        out.add("C-27", "systemActions", "nothing is ever applied without a clinician")
    there = _at("extension", ASSESSMENT)
    lists = ("cards", f"{there}.findings", f"{there}.missing", f"{there}.unused")
    out.json(body, may_be_empty={**{name: [] for name in lists}, f"{there}.grade": None})
    if len(body["cards"]) > 3:
        out.add("max-cards", "cards", f"{len(body['cards'])} cards; a clinician reads three")
    uuids: set[str] = set()
    for path, card in out.objects(body, "cards", "", "S-1"):
        _card(out, card, path, call, uuids)


def _card(out: _Faults, card: dict[str, Any], path: str, call: _Call, uuids: set[str]) -> None:
    required = {"uuid": "C-1", "summary": "C-2", "indicator": "C-4", "source": "C-5"}
    out.members(card, path, required, ("detail", "suggestions", "selectionBehavior", "overrideReasons", "links"))
    out.uuid(card, "uuid", path, "C-1", uuids)
    out.text(card, "summary", path, "C-2", longest=139)
    detail, unwanted = _read_markdown(out.text(card, "detail", path, "C-3", lines="\n") or "")
    for token in unwanted:
        out.add("C-3", _at(path, "detail"), f"the Markdown holds: {token}")
    out.one_of(card, "indicator", path, "C-4", {"info", "warning", "critical"})
    _source(out, card, path)
    _selection(out, card, path, call)
    for where, suggestion in out.objects(card, "suggestions", path, "C-6"):
        _suggestion(out, suggestion, where, call, uuids, detail)
    for where, reason in out.objects(card, "overrideReasons", path, "C-8"):
        _coding(out, reason, where, "C-8", {"code": "C-8", "system": "C-8", "display": "cds-resp-4"})
    for where, link in out.objects(card, "links", path, "C-9"):
        _link(out, link, where)


def _source(out: _Faults, card: dict[str, Any], path: str) -> None:
    source, path = out.object(card, "source", path, "C-5"), _at(path, "source")
    if source is None:
        return
    out.members(source, path, {"label": "C-10", "topic": "C-13"}, ("url", "icon"))
    out.text(source, "label", path, "C-10")
    out.url(source, "url", path, "C-11")
    out.url(source, "icon", path, "C-12")
    topic, path = out.object(source, "topic", path, "C-13"), _at(path, "topic")
    if topic is None:
        return
    _coding(out, topic, path, "C-13", {"code": "C-13", "system": "C-13"})
    code = topic.get("code")
    if isinstance(code, str) and code and not re.fullmatch(r"[A-Za-z0-9]{1,100}", code):
        out.add("C-13", _at(path, "code"), "must be 1 to 100 letters and digits, or an override is not remembered")


def _coding(out: _Faults, coding: dict[str, Any], path: str, rule: str, required: Mapping[str, str]) -> None:
    """A Coding of CDS Hooks, which is not FHIR's: code and system are required, there is no version (G-6)."""
    out.members(coding, path, required, ("code", "system", "display"), unknown="G-6")
    for name in ("code", "system", "display"):
        out.text(coding, name, path, rule)


def _selection(out: _Faults, card: dict[str, Any], path: str, call: _Call) -> None:
    suggestions, behavior = card.get("suggestions"), card.get("selectionBehavior")
    if suggestions and "selectionBehavior" not in card:
        out.add("cds-resp-6", path, "has suggestions and no selectionBehavior")
    if not suggestions and "selectionBehavior" in card:
        out.add("C-7", _at(path, "selectionBehavior"), "stands without suggestions")
    elif not _is_empty(behavior) and behavior != call.selection:
        out.add("C-7", _at(path, "selectionBehavior"), f"is {behavior!r}; this client takes `{call.selection}`")
    if behavior == "at-most-one" and isinstance(suggestions, list):
        recommended = [s for s in suggestions if isinstance(s, dict) and s.get("isRecommended") is True]
        if len(recommended) > 1:
            out.add("cds-resp-1", path, "at most one suggestion may be recommended with at-most-one")


def _suggestion(out: _Faults, suggestion: dict[str, Any], path: str, call: _Call, uuids: set[str], detail: str) -> None:
    required = {"label": "C-14", "uuid": "C-15", "actions": "C-17"}
    out.members(suggestion, path, required, ("isRecommended", "actionSelectionBehavior"))
    out.text(suggestion, "label", path, "C-14")
    out.uuid(suggestion, "uuid", path, "C-15", uuids)
    if not isinstance(suggestion.get("isRecommended", True), bool | None):
        out.add("C-16", _at(path, "isRecommended"), "must be true or false")
    if "actionSelectionBehavior" in suggestion:
        out.add("C-18", _at(path, "actionSelectionBehavior"), "is only for clients known to support it")
        out.one_of(suggestion, "actionSelectionBehavior", path, "cds-resp-7", {"all", "any", "at-most-one"})
    actions = out.objects(suggestion, "actions", path, "C-17")
    if len(actions) > 1:
        out.add("C-17", _at(path, "actions"), f"{len(actions)} actions; some clients take one only")
    for where, action in actions:
        _action(out, action, where, call, detail)


def _action(out: _Faults, action: dict[str, Any], path: str, call: _Call, detail: str) -> None:
    out.members(action, path, {"type": "C-19", "description": "cds-resp-5"}, ("resource", "resourceId"))
    out.one_of(action, "type", path, "C-19", {"create", "update", "delete"})
    description = out.text(action, "description", path, "C-20") or ""
    kind = action.get("type")
    if kind == "delete":
        _deletion(out, action, path, call)
    elif kind in ("create", "update"):
        rule = "C-21" if kind == "create" else "C-22"
        if "resourceId" in action:
            out.add(rule, _at(path, "resourceId"), f"a {kind} carries the resource itself")
        if "resource" not in action:
            out.add(rule, path, "`resource` is missing")
        resource = out.object(action, "resource", path, rule)
        if resource and kind == "create":
            _order(out, resource, _at(path, "resource"), call, description, detail)
        elif resource and f"{resource.get('resourceType')}/{resource.get('id')}" not in call.draft_ids:
            out.add(rule, _at(path, "resource"), "is none of the draft orders of this call")


def _deletion(out: _Faults, action: dict[str, Any], path: str, call: _Call) -> None:
    if "resource" in action or "resourceId" not in action:
        out.add("cds-resp-2", path, "a delete carries `resourceId` and no `resource`")
    target = out.text(action, "resourceId", path, "C-23")
    if target and not re.fullmatch(r"[A-Z][A-Za-z]+/[^/\s]+", target):
        out.add("C-23", _at(path, "resourceId"), f"{target!r} is not `Type/id`")
    elif target and target not in call.draft_ids:
        out.add("C-23", _at(path, "resourceId"), "is none of the draft orders of this call")


def _link(out: _Faults, link: dict[str, Any], path: str) -> None:
    out.members(link, path, dict.fromkeys(("label", "url", "type"), "C-24"), ("appContext", "autolaunchable"))
    out.text(link, "label", path, "C-24")
    out.url(link, "url", path, "C-24")
    out.one_of(link, "type", path, "C-24", {"absolute", "smart"})
    out.text(link, "appContext", path, "C-25", lines="\n")
    if "appContext" in link and link.get("type") != "smart":
        out.add("cds-resp-3", _at(path, "appContext"), "is for SMART links only")
    if "autolaunchable" in link:
        out.add("C-26", _at(path, "autolaunchable"), "would hide the card from the clinician")


# --- draft orders -----------------------------------------------------------------------------------------------------

_UCUM = "http://unitsofmeasure.org"
_RESOURCE = _names("resourceType id meta implicitRules language text contained extension modifierExtension identifier")
_REQUEST = _RESOURCE | _names("""
    status intent category priority doNotPerform subject encounter authoredOn requester performer performerType
    reasonCode reasonReference instantiatesCanonical instantiatesUri basedOn insurance note
""")
# R4 elements: an order with an element of R5 is one the EHR cannot read.
_ELEMENTS = {
    "MedicationRequest": _REQUEST
    | _names("""
        medicationCodeableConcept statusReason reportedBoolean reportedReference supportingInformation recorder
        groupIdentifier courseOfTherapyType dosageInstruction dispenseRequest substitution priorPrescription
        detectedIssue eventHistory
    """),
    "ServiceRequest": _REQUEST
    | _names("""
        code orderDetail quantityQuantity quantityRatio quantityRange occurrenceDateTime occurrencePeriod
        occurrenceTiming asNeededBoolean asNeededCodeableConcept locationCode locationReference replaces requisition
        supportingInfo specimen bodySite patientInstruction relevantHistory
    """),
}
_DOSAGE = _names("""
    id modifierExtension sequence text additionalInstruction patientInstruction timing asNeededBoolean
    asNeededCodeableConcept site route method doseAndRate maxDosePerPeriod maxDosePerAdministration maxDosePerLifetime
""")
_REPEAT = _names("""
    id boundsDuration boundsRange boundsPeriod count countMax duration durationMax durationUnit frequency frequencyMax
    period periodMax periodUnit dayOfWeek timeOfDay when offset
""")
_ARRAYS = _names("""
    identifier category reasonCode reasonReference basedOn note dosageInstruction insurance supportingInformation
    supportingInfo orderDetail specimen bodySite locationCode instantiatesCanonical instantiatesUri
""")
_TOCILIZUMAB = re.compile(r"tocilizumab|actemra|tofidence|tyenne|avtozma|\b612865\b")
_SUBCUTANEOUS = re.compile(r"subcut|\bsc\b|\bsq\b|\b34206005\b")


def _order(out: _Faults, resource: dict[str, Any], path: str, call: _Call, description: str, detail: str) -> None:
    kind = resource.get("resourceType")
    if kind not in ("MedicationRequest", "ServiceRequest"):
        out.add("order-type", path, f"{kind!r}: only MedicationRequest and ServiceRequest are offered")
        return
    concept = "medicationCodeableConcept" if kind == "MedicationRequest" else "code"
    required = dict.fromkeys(("status", "intent", "subject"), "G-5") | {concept: "order-code"}
    out.members(resource, path, required, _ELEMENTS[kind], unknown="G-5")
    for name in _ARRAYS & resource.keys():
        if not isinstance(resource[name], list):
            out.add("G-5", _at(path, name), "is an array in FHIR R4")
    if "id" in resource:
        out.add("C-21", _at(path, "id"), "a resource that is to be created has no id yet")
    out.one_of(resource, "status", path, "N-19", {"draft"})
    out.one_of(resource, "intent", path, "N-19", {call.intent})
    out.one_of(resource, "priority", path, "G-5", {"routine", "urgent", "asap", "stat"})
    out.instant(resource, "authoredOn", path, "G-5")
    _people(out, resource, path, call)
    name = _concept(out, resource, concept, path, "order-code")
    if kind == "MedicationRequest":
        _medication(out, resource, path, name, {"action.description": description, "card detail": detail})


def _people(out: _Faults, resource: dict[str, Any], path: str, call: _Call) -> None:
    subject = out.object(resource, "subject", path, "order-subject")
    if subject and subject.get("reference") != f"Patient/{call.patient_id}":
        out.add("order-subject", _at(path, "subject"), "is not the patient of the call")
    expected = f"Encounter/{call.encounter_id}" if call.encounter_id else None
    encounter = out.object(resource, "encounter", path, "order-encounter") or {}
    if encounter.get("reference") != expected:
        out.add("order-encounter", _at(path, "encounter"), f"must be {expected or 'absent'}, as in the call")
    requester = out.object(resource, "requester", path, "order-requester")
    if requester and not re.fullmatch(r"Practitioner(Role)?/\S+", str(requester.get("reference"))):
        out.add("order-requester", _at(path, "requester"), "is no Practitioner or PractitionerRole")


def _concept(out: _Faults, parent: dict[str, Any], name: str, path: str, rule: str, *, coded: bool = True) -> str:
    """Require text and, when `coded`, a first coding with system and code; return every word, in lower case."""
    concept, path = out.object(parent, name, path, rule), _at(path, name)
    if concept is None:
        return ""
    required = {"coding": rule, "text": rule} if coded else {"text": rule}
    out.members(concept, path, required, ("id", "coding"), unknown="G-5")
    words = [out.text(concept, "text", path, rule)]
    for n, (where, coding) in enumerate(out.objects(concept, "coding", path, rule)):
        required = {"system": rule, "code": rule} if n == 0 else {}
        out.members(coding, where, required, ("id", "system", "version", "code", "display", "userSelected"), "G-5")
        words += [out.text(coding, member, where, rule) for member in ("system", "code", "display")]
    return " ".join(filter(None, words)).lower()


def _medication(out: _Faults, order: dict[str, Any], path: str, name: str, saying: Mapping[str, str]) -> None:
    if "dosageInstruction" not in order:
        out.add("order-dose", path, "`dosageInstruction` is missing")
    if not isinstance(order.get("dosageInstruction", []), list):
        return  # G-5 has said so
    tocilizumab = bool(_TOCILIZUMAB.search(name))
    most, rule = (800, "N-04") if tocilizumab else (1000, "order-dose")
    for n, (where, dosage) in enumerate(out.objects(order, "dosageInstruction", path, "order-dose")):
        first = n == 0
        required = {"text": "order-dose"} | ({"doseAndRate": "order-dose", "route": "order-route"} if first else {})
        out.members(dosage, where, required, _DOSAGE, unknown="G-5")
        text = out.text(dosage, "text", where, "order-dose") or ""
        # R4 does not ask for a coded route, and no route code was read in a public source
        route = _concept(out, dosage, "route", where, "order-route", coded=False)
        if tocilizumab and _SUBCUTANEOUS.search(f"{route} {text}".lower()):
            out.add("N-06", where, "tocilizumab for CRS is never subcutaneous")
        _timing(out, dosage, where, needed=first)
        doses = _doses(out, dosage, where, needed=first)
        for dose in doses:
            if dose > most:
                out.add(rule, where, f"{dose} mg is above {most} mg")
        if first and doses:
            for place, words in {**saying, "dosage text": text}.items():
                if not _says(words, doses[0]):
                    out.add("order-dose-said", where, f"{doses[0]} mg does not stand in the {place}")


def _timing(out: _Faults, dosage: dict[str, Any], path: str, *, needed: bool) -> None:
    if needed and not {"timing", "asNeededBoolean", "asNeededCodeableConcept"} & dosage.keys():
        out.add("order-timing", path, "has neither timing nor asNeeded")
    timing = out.object(dosage, "timing", path, "G-5")
    if timing is None:
        return
    out.members(timing, _at(path, "timing"), {}, ("id", "event", "repeat", "code"), unknown="G-5")
    repeat = out.object(timing, "repeat", _at(path, "timing"), "G-5") or {}
    out.members(repeat, _at(_at(path, "timing"), "repeat"), {}, _REPEAT, unknown="G-5")
    if repeat.keys() & {"frequency", "period", "periodUnit"}:
        numbers = [repeat.get("frequency", 1), repeat.get("period")]
        units = {"s", "min", "h", "d", "wk", "mo", "a"}
        if (
            not all(_is_number(n) and n > 0 for n in numbers)
            or numbers[0] % 1
            or str(repeat.get("periodUnit")) not in units
        ):
            out.add("order-timing", _at(path, "timing"), "a frequency needs a period above 0 and its unit")


def _doses(out: _Faults, dosage: dict[str, Any], path: str, *, needed: bool) -> list[Decimal]:
    """The doses in mg that can be read."""
    doses = []
    for n, (where, rate) in enumerate(out.objects(dosage, "doseAndRate", path, "G-5")):
        required = {"doseQuantity": "order-dose"} if needed and n == 0 else {}
        optional = ("id", "type", "doseQuantity", "doseRange", "rateRatio", "rateRange", "rateQuantity")
        out.members(rate, where, required, optional, unknown="G-5")
        quantity, where = out.object(rate, "doseQuantity", where, "order-dose"), _at(where, "doseQuantity")
        if quantity is None:
            continue
        unit = {"unit": "mg", "system": _UCUM, "code": "mg"}
        out.members(quantity, where, dict.fromkeys(("value", *unit), "order-dose"), unknown="order-dose")
        for name, expected in unit.items():
            out.one_of(quantity, name, where, "order-dose", {expected})
        value: Any = quantity.get("value")
        if _is_number(value) and value > 0:
            doses.append(Decimal(str(value)))
        elif not _is_empty(value):
            out.add("order-dose", _at(where, "value"), f"{value!r} is not a number above 0")
    return doses


def _says(text: str, dose: Decimal) -> bool:
    """Whether the text holds this dose in mg (656 mg, 1000 mg, 1,000 mg), and not as a dose per kilogram."""
    plain = f"{dose:f}"
    plain = plain.rstrip("0").rstrip(".") if "." in plain else plain
    numbers = {plain, f"{Decimal(plain):,f}"}
    return any(re.search(rf"(?<![\d.,]){re.escape(n)}\s?mg\b(?!\s?/\s?kg)", text) for n in numbers)


# --- assessment -------------------------------------------------------------------------------------------------------

_GRADES = {
    "graded": (1, 2, 3, 4),
    "provisional": (1, 2, 3, 4, None),
    "no-crs": (0,),
    "not-eligible": (None,),
    "indeterminate": (None,),
}
_SEVERITIES = {"fever": (1,), "hypotension": (2, 3, 4), "hypoxia": (2, 3, 4)}
_EPISODES = ("closed", "open", "waived", "masked-onset", "resolved")
_SKEW = timedelta(minutes=5)


def _assessment(out: _Faults, body: Any, hook: str) -> None:
    extension = body.get("extension") if isinstance(body, dict) else None
    assessment = extension.get(ASSESSMENT) if isinstance(extension, dict) else None
    if not isinstance(assessment, dict):
        out.add("assessment-present", "extension", f"every 200 answer carries {ASSESSMENT!r}")
        return
    path, status = _at("extension", ASSESSMENT), assessment.get("status")
    always = ["status", "grade", "asOf", "protocol"]
    if status in ("graded", "provisional", "no-crs"):
        always.append("episode")
    required = dict.fromkeys(always, "assessment-members")
    out.members(
        assessment, path, required, ("episode", "findings", "missing", "unused", "suppressed"), "assessment-members"
    )
    out.one_of(assessment, "status", path, "assessment-status", _GRADES)
    now = out.instant(assessment, "asOf", path, "assessment-time")
    _grade_agrees(out, assessment, path)
    _episode(out, assessment, path, now)
    _findings(out, assessment, path, now)
    _unknowns(out, assessment, path)
    _knowledge(out, assessment, path)
    cards = body.get("cards")
    if isinstance(cards, list) and _is_grade(assessment.get("grade", "")):
        _cards_agree(out, assessment, [card for card in cards if isinstance(card, dict)], hook)


def _is_grade(value: Any) -> bool:
    return value is None or (type(value) is int and 0 <= value <= 4)


def _states(assessment: dict[str, Any]) -> dict[str, Any]:
    """The state of each criterion, as far as it can be read."""
    findings = assessment.get("findings")
    readable = [f for f in findings if isinstance(f, dict)] if isinstance(findings, list) else []
    return {str(f.get("criterion")): f.get("state") for f in readable}


def _grade_agrees(out: _Faults, assessment: dict[str, Any], path: str) -> None:
    status, grade, where = assessment.get("status"), assessment.get("grade"), _at(path, "grade")
    if "grade" not in assessment:
        return
    if grade == 5:
        out.add("N-25", where, "grade 5 is for humans only")
    elif not _is_grade(grade):
        out.add("assessment-grade", where, f"{grade!r} is neither 0 to 4 nor null")
    elif grade not in _GRADES.get(str(status), (grade,)):
        out.add("assessment-grade", where, f"{grade!r} does not go with status {status!r}")
    else:
        _grade_follows(out, assessment, where, _states(assessment))


def _grade_follows(out: _Faults, assessment: dict[str, Any], path: str, states: dict[str, Any]) -> None:
    """The grade is the worst of the findings, needs a fever, and never rests on what is unknown."""
    status, grade = assessment.get("status"), assessment.get("grade")
    findings = assessment.get("findings")
    readable = [f for f in findings if isinstance(f, dict)] if isinstance(findings, list) else []
    grades = [f["grade"] for f in readable if f.get("state") == "met" and type(f.get("grade")) is int]
    worst = max([1, *grades])
    unknown = sorted(name for name, state in states.items() if state == "unknown")
    if status == "graded" and states.get("fever") not in ("met", "waived", None):
        out.add("S-GRADE-GATE", path, "there is no grade without a fever, met or waived")
    elif (status == "graded" and grade != worst) or (status == "provisional" and grade is not None and grade < worst):
        out.add("assessment-grade", path, f"is {grade}, the findings say {worst}")
    elif status != "not-eligible" and not grade and states.get("fever") == "met":
        out.add("assessment-grade", path, f"is {grade!r} although fever is met: at least 1")
    elif status != "not-eligible" and not grade and states.get("fever") == "waived":
        out.add("N-13", path, f"is {grade!r} although fever is only masked: at least 1")
    elif unknown and (status == "no-crs" or (status == "graded" and grade != 4)):
        out.add("N-14", path, f"is stated plainly although unknown: {', '.join(unknown)}")


def _episode(out: _Faults, assessment: dict[str, Any], path: str, now: datetime | None) -> None:
    episode, path = out.object(assessment, "episode", path, "assessment-episode"), _at(path, "episode")
    if episode is None:
        return
    out.members(episode, path, {"state": "assessment-episode"}, ("onset", "peakGrade"), "assessment-episode")
    out.one_of(episode, "state", path, "assessment-episode", _EPISODES)
    _not_later(out, out.instant(episode, "onset", path, "assessment-time"), now, _at(path, "onset"))
    peak, grade = episode.get("peakGrade"), assessment.get("grade")
    if not _is_grade(peak) or (peak is not None and grade in range(peak + 1, 5)):
        out.add("assessment-episode", _at(path, "peakGrade"), f"{peak!r} is no peak of a grade {grade}")


def _not_later(out: _Faults, time: datetime | None, now: datetime | None, path: str) -> None:
    if time and now and time > now + _SKEW:
        out.add("N-16", path, "lies after the evaluation instant")


def _findings(out: _Faults, assessment: dict[str, Any], path: str, now: datetime | None) -> None:
    findings = out.objects(assessment, "findings", path, "assessment-finding")
    criteria = sorted(str(finding.get("criterion")) for _, finding in findings)
    wanted = [] if assessment.get("status") == "not-eligible" else sorted(_SEVERITIES)
    if criteria != wanted:
        out.add("assessment-findings", _at(path, "findings"), f"are {criteria}, must be {wanted}")
    for where, finding in findings:
        required = {"criterion": "assessment-finding", "state": "assessment-finding"}
        out.members(finding, where, required, ("grade", "evidence"), "assessment-finding")
        out.one_of(finding, "state", where, "assessment-finding", {"met", "not-met", "unknown", "waived"})
        _severity(out, finding, where)
        evidence = out.objects(finding, "evidence", where, "assessment-evidence")
        if finding.get("state") == "met" and "evidence" not in finding:
            out.add("assessment-evidence", where, "is met and shows no evidence")
        for spot, item in evidence:
            names = ("reference", "display", "time")
            out.members(item, spot, dict.fromkeys(names, "assessment-evidence"), (), "assessment-evidence")
            reference = out.text(item, "reference", spot, "assessment-evidence")
            if reference and not re.fullmatch(r"(\S+/)?[A-Z][A-Za-z]+/[^/\s]+", reference):
                out.add("assessment-evidence", _at(spot, "reference"), f"{reference!r} is not `Type/id`")
            out.text(item, "display", spot, "assessment-evidence")
            _not_later(out, out.instant(item, "time", spot, "assessment-time"), now, _at(spot, "time"))


def _severity(out: _Faults, finding: dict[str, Any], path: str) -> None:
    criterion, met, grade = finding.get("criterion"), finding.get("state") == "met", finding.get("grade")
    if grade is None:
        if met and criterion in ("hypotension", "hypoxia"):
            out.add("assessment-finding", path, f"{criterion} is met and has no grade")
    elif not met or type(grade) is not int or grade not in _SEVERITIES.get(str(criterion), (grade,)):
        out.add(
            "assessment-finding", _at(path, "grade"), f"{grade!r} is no grade of {criterion} {finding.get('state')}"
        )


def _unknowns(out: _Faults, assessment: dict[str, Any], path: str) -> None:
    out.texts(assessment, "missing", path, "assessment-missing")
    said = assessment.get("missing")
    if "unknown" in _states(assessment).values() and not said:
        out.add("assessment-missing", _at(path, "missing"), "a criterion is unknown and nothing says what is missing")
    elif assessment.get("status") == "indeterminate" and not said and not assessment.get("unused"):
        out.add("assessment-missing", _at(path, "missing"), "does not say why no grade is possible")
    for where, item in out.objects(assessment, "suppressed", path, "assessment-suppressed"):
        out.members(
            item, where, dict.fromkeys(("topic", "reason"), "assessment-suppressed"), (), "assessment-suppressed"
        )
        out.text(item, "topic", where, "assessment-suppressed")
        out.text(item, "reason", where, "assessment-suppressed")
    for where, item in out.objects(assessment, "unused", path, "assessment-unused"):
        out.members(item, where, dict.fromkeys(("reference", "reason"), "assessment-unused"), (), "assessment-unused")
        out.text(item, "reference", where, "assessment-unused")
        out.text(item, "reason", where, "assessment-unused")


def _knowledge(out: _Faults, assessment: dict[str, Any], path: str) -> None:
    protocol, path = out.object(assessment, "protocol", path, "assessment-protocol"), _at(path, "protocol")
    if protocol is None:
        if "protocol" in assessment:
            out.add("assessment-protocol", path, "does not say what knowledge spoke")
        return
    out.members(
        protocol,
        path,
        dict.fromkeys(("id", "version", "scale"), "assessment-protocol"),
        ("hash",),
        "assessment-protocol",
    )
    for name in ("id", "version", "scale", "hash"):
        out.text(protocol, name, path, "assessment-protocol")


def _cards_agree(out: _Faults, assessment: dict[str, Any], cards: list[dict[str, Any]], hook: str) -> None:
    status, grade = assessment.get("status"), assessment.get("grade")
    if grade:
        held = {str(item.get("topic")) for item in assessment.get("suppressed", []) if isinstance(item, dict)}
        if hook == "patient-view" and f"CRSgrade{grade}" not in held:
            _grade_card(out, status, grade, cards)
        return
    for n, card in enumerate(cards):
        if re.match(r"CRS grade [0-9]", str(card.get("summary"))):
            out.add("grade-card", f"cards[{n}].summary", f"names a grade; the assessment has {grade!r}")
    if status not in ("no-crs", "not-eligible") or not cards or hook in ("order-select", "order-sign"):
        return
    states = _states(assessment)
    if "met" not in (states.get("hypotension"), states.get("hypoxia")):
        out.add("silence", "cards", f"{len(cards)} card(s) for a patient who is {status}")
    elif any(card.get("indicator") == "critical" for card in cards):
        out.add(
            "indicator-by-grade", "cards", "hypotension or hypoxia without fever is info or warning, never critical"
        )


def _grade_card(out: _Faults, status: Any, grade: int, cards: list[dict[str, Any]]) -> None:
    if not cards:
        out.add("grade-card", "cards", f"grade {grade} without a card")
        return
    if not re.match(rf"CRS grade {grade}(?!\d)", str(cards[0].get("summary"))):
        out.add("grade-card", "cards[0].summary", f"does not begin with `CRS grade {grade}`")
    expected = "critical" if grade >= 3 else "info" if (status, grade) == ("graded", 1) else "warning"
    overdue = expected == "info" and "Regrading is overdue" in str(cards[0].get("detail"))
    if cards[0].get("indicator") not in (("info", "warning") if overdue else (expected,)):
        out.add("indicator-by-grade", "cards[0].indicator", f"must be {expected} for {status} grade {grade}")


# --- errors -----------------------------------------------------------------------------------------------------------

_SEVERITY = frozenset({"fatal", "error", "warning", "information"})
_ISSUE_TYPES = _names("""
    invalid structure required value invariant security login unknown expired forbidden suppressed processing
    not-supported duplicate multiple-matches not-found deleted too-long code-invalid extension too-costly business-rule
    conflict transient lock-error no-store exception timeout incomplete throttled informational
""")


def _operation_outcome(out: _Faults, body: Any) -> None:
    if not isinstance(body, dict) or body.get("resourceType") != "OperationOutcome":
        out.add("H-4", "", "must be an OperationOutcome")
        return
    out.members(body, "", {"issue": "H-4"}, _RESOURCE, unknown="G-5")
    out.json(body)
    issues = out.objects(body, "issue", "", "H-4")
    for path, issue in issues:
        _issue(out, issue, path)
    if issues and not any(issue.get("severity") in ("fatal", "error", None) for _, issue in issues):
        out.add("H-4", "issue", "no issue is an error, but the answer is")
    words = str(body)
    if re.search(r"Traceback|File \"|, line \d+, in ", words):
        out.add("H-7", "issue", "shows a stack trace")
    if re.search(r"eyJ[\w-]{10,}\.|[Bb]earer [\w.-]{20,}", words):
        out.add("A-6", "issue", "shows a token")


def _issue(out: _Faults, issue: dict[str, Any], path: str) -> None:
    names = ("id", "details", "diagnostics", "location", "expression")
    out.members(issue, path, {"severity": "H-4", "code": "H-4"}, names, unknown="G-5")
    out.one_of(issue, "severity", path, "H-4", _SEVERITY)
    out.one_of(issue, "code", path, "H-4", _ISSUE_TYPES)
    out.texts(issue, "expression", path, "G-5")
    details = out.object(issue, "details", path, "H-4") or {}
    out.members(details, _at(path, "details"), {}, ("id", "coding", "text"), unknown="G-5")
    out.text(details, "text", _at(path, "details"), "H-4")
    out.text(issue, "diagnostics", path, "H-4", lines="\n")
    if "text" not in details and "diagnostics" not in issue:
        out.add("H-4", path, "says nothing: give details.text or diagnostics")

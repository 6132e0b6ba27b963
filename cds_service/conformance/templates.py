"""The rules of prefetch templates (P-11 to P-18): their tokens, and the subset of FHIR search."""

import re
from collections.abc import Collection

from cds_service.conformance.faults import Faults, names

# Context fields that the hook definitions mark as prefetch tokens.
PERSON = frozenset({"userId", "patientId", "encounterId"})
HOOK_TOKENS = {
    "patient-view": PERSON,
    "order-select": PERSON,
    "order-sign": PERSON,
    "encounter-start": PERSON,
    "encounter-discharge": PERSON,
    "appointment-book": PERSON,
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
    return {others.split()[0]: (names(others) | {"_id"}, names(dates) | {"_lastUpdated"}) for others, dates in rows}


_SEARCH = _search_table(_R4_SEARCH)


def judge_template(out: Faults, template: str, path: str, tokens: Collection[str]) -> None:
    """Judge one template; `tokens` are the context fields that its hook allows as tokens."""
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


def _token(out: Faults, token: str, path: str, tokens: Collection[str]) -> None:
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


def _query(out: Faults, template: str, path: str) -> None:
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


def _parameter(out: Faults, kind: str, name: str, value: str, path: str) -> None:
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

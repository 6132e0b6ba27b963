"""The judge is judged here: a hand-written answer passes, and each way to break one is named by its rule."""

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest

from cds_service.conformance import judge
from cds_service.conformance.call import Call
from cds_service.conformance.faults import Fault

PATIENT, ENCOUNTER, DRAFT = "pat-1", "enc-1", "MedicationRequest/draft-7"
GONE = object()  # put here: the member is removed
A = "extension/org.crs-cds.assessment"
TOCI = "cards/0/suggestions/0/actions/0"
DOSE = f"{TOCI}/resource/dosageInstruction/0"
QUANTITY = f"{DOSE}/doseAndRate/0/doseQuantity"
CULTURE = "cards/1/suggestions/0/actions/0"
SNOMED, RXNORM = "http://snomed.info/sct", "http://www.nlm.nih.gov/research/umls/rxnorm"


def uuid(n: int) -> str:
    return f"8f14e45f-ceea-467f-9575-{n:012x}"


def drug(name: str, code: str, mg: float, text: str, timing: dict[str, Any]) -> dict[str, Any]:
    return {
        "resourceType": "MedicationRequest",
        "status": "draft",
        "intent": "proposal",
        "priority": "stat",
        "category": [{"text": "inpatient"}],
        "medicationCodeableConcept": {"coding": [{"system": RXNORM, "code": code, "display": name}], "text": name},
        "subject": {"reference": f"Patient/{PATIENT}"},
        "encounter": {"reference": f"Encounter/{ENCOUNTER}"},
        "authoredOn": "2026-03-02T08:45:00+01:00",
        "requester": {"reference": "Practitioner/doc-1"},
        "dosageInstruction": [
            {
                "text": text,
                "timing": timing,
                "route": {
                    "coding": [{"system": SNOMED, "code": "47625008", "display": "Intravenous route"}],
                    "text": "intravenous",
                },
                "doseAndRate": [
                    {"doseQuantity": {"value": mg, "unit": "mg", "system": "http://unitsofmeasure.org", "code": "mg"}}
                ],
            }
        ],
    }


def suggestion(n: int, label: str, resource: dict[str, Any]) -> dict[str, Any]:
    action = {"type": "create", "description": label, "resource": resource}
    return {"label": label, "uuid": uuid(n), "isRecommended": True, "actions": [action]}


def source(topic: str) -> dict[str, Any]:
    topic_coding = {"system": "https://crs.example/topics", "code": topic, "display": "CRS"}
    return {"label": "CRS protocol 1.0.0", "url": "https://crs.example/protocol", "topic": topic_coding}


EVERY_SIX_HOURS = {"repeat": {"frequency": 1, "period": 6, "periodUnit": "h"}}
CULTURES = {
    "resourceType": "ServiceRequest",
    "status": "draft",
    "intent": "proposal",
    "code": {"coding": [{"system": "http://loinc.org", "code": "600-7"}], "text": "Blood culture"},
    "subject": {"reference": f"Patient/{PATIENT}"},
    "encounter": {"reference": f"Encounter/{ENCOUNTER}"},
}
ANSWER: dict[str, Any] = {
    "cards": [
        {
            "uuid": uuid(1),
            "summary": "CRS grade 3: norepinephrine running, O2 2 L/min NC; T 39.5 °C 08:10",
            "detail": (
                "| criterion | reading | met rule |\n|---|---|---|\n| fever | **39.5 °C** oral | 38.0 °C or more |\n\n"
                "Consider tocilizumab 8 mg/kg × 82 kg = **656** mg IV; cap 800 mg not reached.\n"
                "Consider dexamethasone 10 mg IV every 6 h. SpO2 \\<90 % counts."
            ),
            "indicator": "critical",
            "source": source("CRSgrade3"),
            "selectionBehavior": "any",
            "suggestions": [
                suggestion(
                    2,
                    "Tocilizumab 656 mg IV once",
                    drug("tocilizumab", "612865", 656, "656 mg IV over 60 min", {"code": {"text": "once"}}),
                ),
                suggestion(
                    3,
                    "Dexamethasone 10 mg IV every 6 h",
                    drug("dexamethasone", "3264", 10.0, "10 mg IV every 6 h", EVERY_SIX_HOURS),
                ),
            ],
            "overrideReasons": [{"system": "https://crs.example/reasons", "code": "sepsis", "display": "Sepsis"}],
        },
        {
            "uuid": uuid(4),
            "summary": "Infection first: no blood culture in 24 h",
            "indicator": "warning",
            "source": source("CRSinfection"),
            "selectionBehavior": "any",
            "suggestions": [suggestion(5, "Blood cultures, 2 sets", CULTURES)],
            "links": [
                {"label": "Timeline", "url": "https://crs.example/launch", "type": "smart", "appContext": "pat"},
                {"label": "Protocol", "url": "http://localhost:5000/protocol", "type": "absolute"},
            ],
        },
    ],
    "extension": {
        "org.crs-cds.assessment": {
            "status": "graded",
            "grade": 3,
            "asOf": "2026-03-02T08:45:00+01:00",
            "episode": {"state": "open", "onset": "2026-03-01T22:00:00+01:00", "peakGrade": 3},
            "findings": [
                {
                    "criterion": "fever",
                    "state": "met",
                    "evidence": [{"reference": "Observation/t1", "display": "39.5 °C", "time": "2026-03-02T07:10:00Z"}],
                },
                {
                    "criterion": "hypotension",
                    "state": "met",
                    "grade": 3,
                    "evidence": [
                        {
                            "reference": "MedicationAdministration/n1",
                            "display": "norepinephrine",
                            "time": "2026-03-02T06:50:00+01:00",
                        }
                    ],
                },
                {
                    "criterion": "hypoxia",
                    "state": "met",
                    "grade": 2,
                    "evidence": [
                        {"reference": "Observation/o1", "display": "2 L/min", "time": "2026-03-02T08:15:00.5+01:00"}
                    ],
                },
            ],
            "missing": ["ICE score in the last 12 h"],
            "unused": [{"reference": "Observation/t0", "reason": "entered in error"}],
            "protocol": {"id": "crs-default", "version": "1.0.0", "scale": "ASTCT 2019"},
        }
    },
}
NOT_MET = [{"criterion": c, "state": "not-met"} for c in ("fever", "hypotension", "hypoxia")]
SILENT = {"cards": [], f"{A}/episode": {"state": "closed"}, f"{A}/missing": [], f"{A}/unused": []}
NO_CRS = SILENT | {f"{A}/status": "no-crs", f"{A}/grade": 0, f"{A}/findings": NOT_MET}
NOT_ELIGIBLE = SILENT | {f"{A}/status": "not-eligible", f"{A}/grade": None, f"{A}/findings": [], f"{A}/episode": GONE}
DELETE = {"type": "delete", "description": "Remove the draft", "resourceId": DRAFT}
UPDATE = {
    "type": "update",
    "description": "Lower the dose",
    "resource": {"resourceType": "MedicationRequest", "id": "draft-7"},
}
GRADE_ONE = {
    f"{A}/grade": 1,
    f"{A}/findings/1": NOT_MET[1],
    f"{A}/findings/2": NOT_MET[2],
    f"{A}/episode/peakGrade": 3,
    "cards/0/summary": "CRS grade 1: fever alone",
    "cards/0/indicator": "info",
}
SEPSIS_PROMPT = {
    "uuid": uuid(9),
    "summary": "Hypotension without fever: consider sepsis",
    "indicator": "info",
    "source": source("CRSsepsis"),
}
HYPOTENSION = ANSWER["extension"]["org.crs-cds.assessment"]["findings"][1]
LOW_PRESSURE = NO_CRS | {"cards": [SEPSIS_PROMPT], f"{A}/findings": [NOT_MET[0], HYPOTENSION, NOT_MET[2]]}

DISCOVERY: dict[str, Any] = {
    "services": [
        {
            "hook": hook,
            "id": f"crs-{hook}",
            "title": "CRS grading",
            "description": "Grades cytokine release syndrome",
            "usageRequirements": "FHIR R4",
            "prefetch": {
                "patient": "Patient/{{context.patientId}}",
                "user": "{{context.userId}}",
                "practitioner": "Practitioner/{{userPractitionerId}}",
                "vitals": "Observation?patient={{context.patientId}}&code=http://loinc.org|8310-5&_sort=-date&_count=50",
                "drugs": "MedicationAdministration?patient={{context.patientId}}&effective-time=ge2026-01-01",
                "problems": "Condition?patient={{context.patientId}}&code:in=https://crs.example/vs&_sort=recorded-date",
                "flags": "Flag?encounter={{context.encounterId}}&_sort=-date",
            },
        }
        for hook in ("patient-view", "order-select", "order-sign")
    ]
}
VITALS = "services/0/prefetch/vitals"
BOUND = "Observation?patient={{context.patientId}}"

OUTCOME: dict[str, Any] = {
    "resourceType": "OperationOutcome",
    "issue": [
        {
            "severity": "error",
            "code": "processing",
            "details": {"text": "No temperature: neither in the prefetch nor on the FHIR server"},
            "diagnostics": "prefetch key `vitals`",
            "expression": ["prefetch.vitals"],
        }
    ],
}


def changed(body: Any, changes: dict[str, Any]) -> Any:
    """A deep copy of the body with the values put at their paths (segments joined by a slash)."""
    result = copy.deepcopy(body)
    for path, value in changes.items():
        *way, last = [int(part) if part.isdigit() else part for part in path.split("/")]
        place = result
        for part in way:
            place = place[part]
        if value is GONE:
            del place[last]
        else:
            place[last] = copy.deepcopy(value)
    return result


def answer_faults(body: Any, **call: Any) -> list[Fault]:
    hook = call.pop("hook", "patient-view")
    context = {"patient_id": PATIENT, "encounter_id": ENCOUNTER, "draft_ids": [DRAFT], **call}
    return judge.response_faults(body, Call(**context)) + judge.assessment_faults(body, hook=hook)


def rules(faults: list[Fault]) -> set[str]:
    return {fault.rule for fault in faults}


def table(*rows: tuple[str, str, dict[str, Any]]) -> Any:
    """Parametrise over rows of rule(s), sentence and changes; the rule is the id."""
    params = [pytest.param(set(rule.split()), changes, id=f"{rule}: {what}") for rule, what, changes in rows]
    return pytest.mark.parametrize(("expected", "changes"), params)


def test_a_good_answer_passes():
    assert answer_faults(ANSWER) == []
    judge.check(ANSWER, patient_id=PATIENT, encounter_id=ENCOUNTER)


def test_a_good_discovery_passes():
    assert judge.discovery_faults(DISCOVERY) == []
    assert judge.discovery_faults({"services": []}) == []


def test_a_good_operation_outcome_passes():
    assert judge.operation_outcome_faults(OUTCOME) == []


@pytest.mark.parametrize(
    "changes",
    [
        pytest.param(NO_CRS, id="no CRS is silent"),
        pytest.param(NOT_ELIGIBLE, id="a patient without T-cell therapy gets no card and no findings"),
        pytest.param(NOT_ELIGIBLE | {f"{A}/findings": GONE}, id="findings may be left out for who is not eligible"),
        pytest.param(LOW_PRESSURE, id="hypotension without fever may prompt for sepsis"),
        pytest.param(GRADE_ONE, id="fever alone is grade 1 and info"),
        pytest.param(GRADE_ONE | {f"{A}/findings/0": {"criterion": "fever", "state": "waived"}}, id="a waived fever"),
        pytest.param({f"{A}/status": "provisional"}, id="a provisional grade 3 is critical"),
        pytest.param(
            {f"{A}/findings/2": {"criterion": "hypoxia", "state": "unknown"}, f"{A}/status": "provisional"},
            id="a floor with oxygen unknown is provisional",
        ),
        pytest.param({"cards/0/summary": "CRS grade 3" + "é" * 128}, id="a summary of 139 code points"),
        pytest.param({f"{TOCI}/description": "Tocilizumab 656\u202fmg"}, id="a dose after a narrow blank"),
        pytest.param({TOCI: DELETE}, id="a delete of a draft order of the call"),
        pytest.param({TOCI: UPDATE}, id="an update of a draft order of the call"),
        pytest.param({f"{DOSE}/timing": GONE, f"{DOSE}/asNeededBoolean": True}, id="a dose as needed"),
        pytest.param(
            {"cards/0/detail": "656 mg; dexamethasone 10 mg; `code <b>` and \\*plain\\* &lt;b&gt;"},
            id="escaped Markdown",
        ),
    ],
)
def test_a_good_variant_passes(changes):
    assert answer_faults(changed(ANSWER, changes)) == []


def test_a_thousand_may_be_written_with_a_comma():
    said = "Methylprednisolone 1,000 mg IV daily"
    order = drug("methylprednisolone", "6902", 1000, said, EVERY_SIX_HOURS)
    changes = {f"{TOCI}/resource": order, f"{TOCI}/description": said, "cards/0/detail": f"{said}, dexamethasone 10 mg"}
    assert answer_faults(changed(ANSWER, changes)) == []


def test_an_order_conflict_may_be_shown_without_a_grade():
    body = changed(ANSWER, NO_CRS | {"cards": [SEPSIS_PROMPT]})
    assert answer_faults(body, hook="order-sign") == []
    assert rules(answer_faults(body)) == {"silence"}


def test_an_order_has_no_encounter_when_the_call_has_none():
    assert rules(answer_faults(ANSWER, encounter_id=None)) == {"order-encounter"}


def test_the_intent_is_the_one_the_client_wants():
    assert rules(answer_faults(ANSWER, intent="order")) == {"N-19"}


@table(
    ("S-1", "no cards", {"cards": GONE}),
    ("S-1", "cards as an object", {"cards": {"0": ANSWER["cards"][0]}}),
    ("S-1", "a card that is a string", {"cards/1": "card"}),
    ("X-3", "an unknown member beside cards", {"status": "ok"}),
    ("X-3", "an unknown member on a card", {"cards/0/priority": "high"}),
    ("X-3", "an extension as an array", {"cards/0/extension": [{"url": "x"}]}),
    ("X-3", "an extension without a domain", {"cards/0/extension": {"colour": "red"}}),
    ("C-27", "a system action", {"systemActions": [DELETE]}),
    ("G-3", "an empty systemActions", {"systemActions": []}),
    ("G-3", "an empty detail", {"cards/1/detail": ""}),
    ("G-3", "an empty links", {"cards/1/links": []}),
    ("G-2", "a blank summary", {"cards/1/summary": " "}),
    ("G-2", "a null label", {"cards/0/suggestions/0/label": None}),
    ("G-2", "an empty object in an order", {f"{TOCI}/resource/note": [{}]}),
    ("G-2", "empty evidence", {f"{A}/findings/0/evidence": []}),
    ("G-1", "a number that is not JSON", {f"{TOCI}/resource/dosageInstruction/0/sequence": float("inf")}),
    ("G-1 order-dose", "a dose that is not a number", {f"{QUANTITY}/value": float("nan")}),
    ("max-cards", "four cards", {"cards": [*ANSWER["cards"], *({**SEPSIS_PROMPT, "uuid": uuid(n)} for n in (20, 21))]}),
    ("C-1", "no uuid", {"cards/0/uuid": GONE}),
    ("C-1", "an upper-case uuid", {"cards/0/uuid": uuid(1).upper()}),
    ("C-1", "a uuid with urn:uuid:", {"cards/0/uuid": f"urn:uuid:{uuid(1)}"}),
    ("C-1", "two cards with one uuid", {"cards/1/uuid": uuid(1)}),
    ("C-15", "a suggestion with the uuid of its card", {"cards/0/suggestions/0/uuid": uuid(1)}),
    ("C-15", "a suggestion without a uuid", {"cards/0/suggestions/0/uuid": GONE}),
    ("C-2", "no summary", {"cards/1/summary": GONE}),
    ("C-2", "a summary of 140 characters", {"cards/1/summary": "x" * 140}),
    ("C-2", "a summary that is a number", {"cards/1/summary": 3}),
    ("C-2", "a newline in the summary", {"cards/1/summary": "one\ntwo"}),
    ("C-2", "a bidi override in the summary", {"cards/1/summary": "one \u202etwo"}),
    ("C-2", "a zero-width space in the summary", {"cards/1/summary": "one\u200btwo"}),
    ("C-2", "an unfilled template in the summary", {"cards/1/summary": "dose {{ dose }} mg"}),
    ("C-3", "a detail that is an array", {"cards/1/detail": ["a"]}),
    ("C-3", "an HTML block in the detail", {"cards/1/detail": "<script>alert(1)</script>"}),
    ("C-3", "inline HTML in the detail", {"cards/1/detail": "T <b>39</b>"}),
    ("C-3", "HTML in a table of the detail", {"cards/1/detail": "|a|\n|-|\n|<i>x|"}),
    ("C-3", "an image in the detail", {"cards/1/detail": "![x](https://a.example/x.png)"}),
    ("C-3", "a link in the detail", {"cards/1/detail": "[x](https://a.example)"}),
    ("C-3", "a reference link in the detail", {"cards/1/detail": "[x][1]\n\n[1]: https://a.example"}),
    ("C-3", "an autolink in the detail", {"cards/1/detail": "<https://a.example>"}),
    ("C-3", "a bare address in the detail", {"cards/1/detail": "see www.a.example"}),
    ("C-3", "a control character in the detail", {"cards/1/detail": "a\x00b"}),
    ("C-4", "no indicator", {"cards/1/indicator": GONE}),
    ("C-4", "a hard stop", {"cards/1/indicator": "hard-stop"}),
    ("C-5", "no source", {"cards/1/source": GONE}),
    ("C-5", "a source that is a string", {"cards/1/source": "us"}),
    ("C-10", "a source without a label", {"cards/1/source/label": GONE}),
    ("C-11", "a relative source url", {"cards/0/source/url": "/protocol"}),
    ("C-12", "an icon over http", {"cards/0/source/icon": "http://crs.example/i.png"}),
    ("C-13", "no topic", {"cards/0/source/topic": GONE}),
    ("C-13", "a topic that is a string", {"cards/0/source/topic": "CRS"}),
    ("C-13", "a topic code with a hyphen", {"cards/0/source/topic/code": "crs-grade"}),
    ("C-13", "a topic code of 101 characters", {"cards/0/source/topic/code": "x" * 101}),
    ("C-13", "a topic without a system", {"cards/0/source/topic/system": GONE}),
    ("G-6", "a FHIR Coding as topic", {"cards/0/source/topic/version": "1"}),
    ("C-6", "a suggestion that is a string", {"cards/1/suggestions": ["order cultures"]}),
    ("C-6", "suggestions as an object", {"cards/1/suggestions": {"label": "x"}}),
    ("cds-resp-6", "suggestions without selectionBehavior", {"cards/0/selectionBehavior": GONE}),
    ("C-7", "selectionBehavior without suggestions", {"cards/1/suggestions": GONE}),
    ("C-7", "an unknown selectionBehavior", {"cards/0/selectionBehavior": "all"}),
    ("C-7", "at most one culture", {"cards/1/selectionBehavior": "at-most-one"}),
    ("C-7 cds-resp-1", "two recommended of at most one", {"cards/0/selectionBehavior": "at-most-one"}),
    ("C-8", "an override reason without a code", {"cards/0/overrideReasons/0/code": GONE}),
    ("C-8", "an override reason without a system", {"cards/0/overrideReasons/0/system": GONE}),
    ("cds-resp-4", "an override reason without a display", {"cards/0/overrideReasons/0/display": GONE}),
    ("C-9", "links as an object", {"cards/1/links": {"label": "x"}}),
    ("C-14", "a suggestion without a label", {"cards/0/suggestions/0/label": GONE}),
    ("C-16", "isRecommended as a word", {"cards/0/suggestions/0/isRecommended": "true"}),
    ("C-17", "a suggestion without actions", {"cards/0/suggestions/0/actions": GONE}),
    ("C-17", "two actions", {"cards/0/suggestions/0/actions": [DELETE, DELETE]}),
    ("C-18", "actionSelectionBehavior", {"cards/0/suggestions/0/actionSelectionBehavior": "all"}),
    ("C-18 cds-resp-7", "actionSelectionBehavior some", {"cards/0/suggestions/0/actionSelectionBehavior": "some"}),
    ("C-19", "no action type", {f"{CULTURE}/type": GONE}),
    ("C-19", "an upper-case action type", {f"{CULTURE}/type": "CREATE"}),
    ("cds-resp-5", "an action without a description", {f"{CULTURE}/description": GONE}),
    ("C-20", "a description of two lines", {f"{CULTURE}/description": "one\ntwo"}),
    ("C-21", "a create without a resource", {f"{CULTURE}/resource": GONE}),
    ("C-21", "a resource serialised as a string", {f"{CULTURE}/resource": "{}"}),
    ("C-21", "a create with a resourceId", {f"{CULTURE}/resourceId": DRAFT}),
    ("C-21", "an id in a created resource", {f"{CULTURE}/resource/id": "new"}),
    ("C-22", "an update of what is not a draft order", {CULTURE: UPDATE | {"resource": {"resourceType": "Patient"}}}),
    ("C-23", "a delete of what is not a draft order", {CULTURE: DELETE | {"resourceId": "MedicationRequest/other"}}),
    ("C-23", "a delete by a bare id", {CULTURE: DELETE | {"resourceId": "draft-7"}}),
    ("cds-resp-2", "a delete without a resourceId", {CULTURE: {"type": "delete", "description": "Remove"}}),
    ("cds-resp-2", "a delete with a resource", {CULTURE: DELETE | {"resource": CULTURES}}),
    ("C-24", "a link without a label", {"cards/1/links/0/label": GONE}),
    ("C-24", "a link of an unknown type", {"cards/1/links/1/type": "relative"}),
    ("C-24", "a link over http to another host", {"cards/1/links/1/url": "http://crs.example/x"}),
    ("C-24", "a javascript link", {"cards/1/links/1/url": "javascript:alert(1)"}),
    ("C-24", "a link with a user in it", {"cards/1/links/1/url": "https://a@crs.example/"}),
    ("C-24", "a link with a blank", {"cards/1/links/1/url": "https://crs.example/a b"}),
    ("C-24", "a link that cannot be parsed", {"cards/1/links/1/url": "https://[crs"}),
    ("C-25", "an appContext as an object", {"cards/1/links/0/appContext": {"a": 1}}),
    ("cds-resp-3", "an appContext on an absolute link", {"cards/1/links/1/appContext": "x"}),
    ("C-26", "an autolaunchable link", {"cards/1/links/0/autolaunchable": False}),
)
def test_a_broken_card_is_named_by_its_rule(expected, changes):
    assert rules(answer_faults(changed(ANSWER, changes))) == expected


@table(
    ("order-type", "an order of another type", {f"{CULTURE}/resource/resourceType": "Task"}),
    ("G-5", "an order without a status", {f"{TOCI}/resource/status": GONE}),
    ("G-5", "an order without a subject", {f"{TOCI}/resource/subject": GONE}),
    ("G-5", "a category that is not an array", {f"{TOCI}/resource/category": {"text": "inpatient"}}),
    ("G-5", "an element of R5", {f"{TOCI}/resource/reason": [{"text": "CRS"}]}),
    ("G-5", "a FHIR extension as an object", {f"{TOCI}/resource/extension": {"org.example": 1}}),
    ("G-5", "dosageInstruction as an object", {f"{TOCI}/resource/dosageInstruction": {"text": "656 mg"}}),
    ("G-5", "doseAndRate as an object", {f"{DOSE}/doseAndRate": {"doseQuantity": {"value": 656}}}),
    ("G-5", "a priority that FHIR does not know", {f"{TOCI}/resource/priority": "high"}),
    ("G-5", "a time without an offset", {f"{TOCI}/resource/authoredOn": "2026-03-02T08:45:00"}),
    ("N-19", "an active order", {f"{TOCI}/resource/status": "active"}),
    ("N-19", "an intent that was not asked for", {f"{TOCI}/resource/intent": "order"}),
    ("order-subject", "another patient", {f"{TOCI}/resource/subject/reference": "Patient/other"}),
    ("order-encounter", "another encounter", {f"{TOCI}/resource/encounter/reference": "Encounter/other"}),
    ("order-encounter", "no encounter", {f"{TOCI}/resource/encounter": GONE}),
    ("order-requester", "a patient as requester", {f"{TOCI}/resource/requester/reference": "Patient/pat-1"}),
    ("order-code", "no medication", {f"{TOCI}/resource/medicationCodeableConcept": GONE}),
    ("order-code", "a medication without text", {f"{TOCI}/resource/medicationCodeableConcept/text": GONE}),
    ("order-code", "a coding without a system", {f"{CULTURE}/resource/code/coding/0/system": GONE}),
    ("order-code", "a test without a code", {f"{CULTURE}/resource/code/coding": GONE}),
    ("order-dose", "no dosageInstruction", {f"{TOCI}/resource/dosageInstruction": GONE}),
    ("order-dose", "no structured dose", {f"{DOSE}/doseAndRate": GONE}),
    ("order-dose", "no doseQuantity", {f"{DOSE}/doseAndRate": [{"type": {"text": "ordered"}}]}),
    ("order-dose", "a dose of zero", {f"{QUANTITY}/value": 0}),
    ("order-dose", "a dose as a string", {f"{QUANTITY}/value": "656"}),
    ("order-dose", "a dose in grams", {f"{QUANTITY}/unit": "g"}),
    ("order-dose", "a unit of another system", {f"{QUANTITY}/system": "https://units.example"}),
    ("order-dose", "a comparator", {f"{QUANTITY}/comparator": "<"}),
    (
        "order-dose",
        "more than 1000 mg",
        {
            f"{TOCI}/resource": drug("methylprednisolone", "6902", 1001, "1001 mg", EVERY_SIX_HOURS),
            f"{TOCI}/description": "1001 mg",
            "cards/0/detail": "1001 mg, dexamethasone 10 mg",
        },
    ),
    (
        "N-04",
        "more than 800 mg of tocilizumab",
        {
            f"{TOCI}/resource": drug("Tyenne", "2686045", 800.5, "800.5 mg", EVERY_SIX_HOURS),
            f"{TOCI}/description": "800.5 mg",
            "cards/0/detail": "800.5 mg, dexamethasone 10 mg",
        },
    ),
    ("N-06", "subcutaneous tocilizumab", {f"{DOSE}/route/text": "subcutaneous"}),
    ("order-route", "no route", {f"{DOSE}/route": GONE}),
    ("order-timing", "no timing", {f"{DOSE}/timing": GONE}),
    ("order-timing", "a frequency without a period", {f"{DOSE}/timing": {"repeat": {"frequency": 1}}}),
    ("order-dose-said", "another dose in the description", {f"{TOCI}/description": "Tocilizumab 1656 mg"}),
    ("order-dose-said", "a dose per kilogram in the description", {f"{TOCI}/description": "Tocilizumab 656 mg/kg"}),
    ("order-dose-said", "no dose in the detail", {"cards/0/detail": "Consider tocilizumab and dexamethasone 10 mg"}),
    ("order-dose-said", "no detail", {"cards/0/detail": GONE}),
    ("order-dose-said", "another dose in the dosage text", {f"{DOSE}/text": "65 mg IV once"}),
)
def test_a_broken_order_is_named_by_its_rule(expected, changes):
    assert rules(answer_faults(changed(ANSWER, changes))) == expected


@table(
    ("assessment-present", "no assessment", {A: GONE, "extension/org.example.other": "x"}),
    ("assessment-present", "no extension", {"extension": GONE}),
    ("assessment-members", "no protocol", {f"{A}/protocol": GONE}),
    ("assessment-members", "an unknown member", {f"{A}/score": 3}),
    ("assessment-members", "a grade that is left out", {f"{A}/grade": GONE}),
    ("assessment-status", "an unknown status", {f"{A}/status": "final"}),
    ("N-25", "grade 5", {f"{A}/grade": 5}),
    ("assessment-grade", "a grade as a string", {f"{A}/grade": "3"}),
    ("assessment-grade", "graded without a grade", {f"{A}/grade": None, "cards": []}),
    ("assessment-grade", "no CRS with a null grade", NO_CRS | {f"{A}/grade": None}),
    ("assessment-grade", "not eligible with grade 0", NOT_ELIGIBLE | {f"{A}/grade": 0}),
    ("assessment-grade", "a grade below the worst finding", {f"{A}/findings/1/grade": 4}),
    (
        "assessment-grade",
        "a provisional grade below its floor",
        {f"{A}/status": "provisional", f"{A}/findings/1/grade": 4},
    ),
    (
        "assessment-grade",
        "no grade although the fever is met",
        {f"{A}/status": "indeterminate", f"{A}/grade": None, "cards": [SEPSIS_PROMPT]},
    ),
    (
        "N-13",
        "no CRS because the fever is masked",
        NO_CRS | {f"{A}/findings/0": {"criterion": "fever", "state": "waived"}},
    ),
    (
        "N-14",
        "no CRS although oxygen is unknown",
        NO_CRS | {f"{A}/findings/2": {"criterion": "hypoxia", "state": "unknown"}, f"{A}/missing": ["oxygen"]},
    ),
    (
        "N-14",
        "a plain grade although oxygen is unknown",
        {f"{A}/findings/2": {"criterion": "hypoxia", "state": "unknown"}},
    ),
    ("S-GRADE-GATE", "a grade without a fever", {f"{A}/findings/0": {"criterion": "fever", "state": "not-met"}}),
    ("assessment-time", "an instant without an offset", {f"{A}/asOf": "2026-03-02T08:45:00"}),
    ("assessment-time", "a day that does not exist", {f"{A}/findings/0/evidence/0/time": "2026-02-30T08:45:00Z"}),
    ("N-16", "evidence from the future", {f"{A}/findings/0/evidence/0/time": "2026-03-02T09:00:00+01:00"}),
    ("N-16", "an onset in the future", {f"{A}/episode/onset": "2026-03-03T00:00:00Z"}),
    ("assessment-episode", "an unknown episode state", {f"{A}/episode/state": "over"}),
    ("assessment-episode", "a peak below the grade", {f"{A}/episode/peakGrade": 2}),
    ("assessment-members", "graded without an episode", {f"{A}/episode": GONE}),
    (
        "assessment-findings",
        "two findings",
        {f"{A}/findings": ANSWER["extension"]["org.crs-cds.assessment"]["findings"][:2]},
    ),
    ("assessment-findings", "findings for who is not eligible", NOT_ELIGIBLE | {f"{A}/findings": NOT_MET}),
    ("assessment-findings", "an unknown criterion", {f"{A}/findings/2/criterion": "oxygen"}),
    ("assessment-finding", "an unknown state", {f"{A}/findings/2/state": "maybe"}),
    ("assessment-finding", "hypoxia without a grade", {f"{A}/findings/2/grade": GONE}),
    ("assessment-finding", "hypoxia of grade 1", {f"{A}/findings/2/grade": 1}),
    ("assessment-finding", "a grade of what is not met", {f"{A}/findings/2": {**NOT_MET[2], "grade": 2}}),
    ("assessment-evidence", "met without evidence", {f"{A}/findings/0/evidence": GONE}),
    ("assessment-evidence", "evidence without a display", {f"{A}/findings/0/evidence/0/display": GONE}),
    ("assessment-evidence", "evidence without a type", {f"{A}/findings/0/evidence/0/reference": "t1"}),
    ("assessment-missing", "missing as a string", {f"{A}/missing": "oxygen"}),
    (
        "assessment-missing",
        "unknown and nobody says what is missing",
        {
            f"{A}/status": "provisional",
            f"{A}/findings/2": {"criterion": "hypoxia", "state": "unknown"},
            f"{A}/missing": [],
        },
    ),
    (
        "assessment-missing",
        "indeterminate without a reason",
        SILENT | {f"{A}/status": "indeterminate", f"{A}/grade": None, f"{A}/findings": NOT_MET},
    ),
    ("assessment-unused", "an unused reading without a reason", {f"{A}/unused/0/reason": GONE}),
    ("assessment-protocol", "a protocol without a version", {f"{A}/protocol/version": GONE}),
    ("assessment-protocol", "a protocol that is a string", {f"{A}/protocol": "crs-default"}),
    ("grade-card", "a grade without a card", {"cards": []}),
    ("grade-card", "a summary with another grade", {"cards/0/summary": "CRS grade 2: fever"}),
    ("grade-card", "a summary without the grade", {"cards/0/summary": "Severe CRS"}),
    (
        "grade-card",
        "a grade in the summary and none in the assessment",
        {f"{A}/status": "provisional", f"{A}/grade": None, f"{A}/findings": NOT_MET},
    ),
    ("indicator-by-grade", "grade 3 as a warning", {"cards/0/indicator": "warning"}),
    ("indicator-by-grade", "grade 1 as a warning", GRADE_ONE | {"cards/0/indicator": "warning"}),
    ("indicator-by-grade", "a provisional grade 1 as info", GRADE_ONE | {f"{A}/status": "provisional"}),
    ("silence", "a card for who has no CRS", NO_CRS | {"cards": [SEPSIS_PROMPT]}),
    ("silence", "a card for who is not eligible", NOT_ELIGIBLE | {"cards": [SEPSIS_PROMPT]}),
    (
        "indicator-by-grade",
        "a critical sepsis prompt",
        LOW_PRESSURE | {"cards": [{**SEPSIS_PROMPT, "indicator": "critical"}]},
    ),
)
def test_a_broken_assessment_is_named_by_its_rule(expected, changes):
    assert rules(answer_faults(changed(ANSWER, changes))) == expected


@table(
    ("D-2", "no services", {"services": GONE}),
    ("D-2", "a service that is a string", {"services/0": "crs"}),
    ("X-3", "a misspelt member", {"services/0/usage_requirements": "R4"}),
    ("D-4", "no hook", {"services/0/hook": GONE}),
    ("D-4", "an unknown hook", {"services/0/hook": "patient-viewed"}),
    ("D-5", "no description", {"services/0/description": GONE}),
    ("D-6", "no id", {"services/0/id": GONE}),
    ("D-6", "an id with a slash", {"services/0/id": "crs/view"}),
    ("D-7", "no title", {"services/0/title": GONE}),
    ("D-8", "a template that is an object", {VITALS: {"query": BOUND}}),
    ("D-8", "prefetch as an array", {"services/0/prefetch": [BOUND]}),
    ("D-9", "usage requirements as an array", {"services/0/usageRequirements": ["R4"]}),
    ("D-10", "a version nobody defined", {"services/0/version": "two"}),
    ("D-11", "a hook version nobody defined", {"services/0/hookVersion": "v1"}),
    ("D-12", "two services of one id", {"services/0/id": "crs-order-sign"}),
    ("G-3", "an empty prefetch", {"services/0/prefetch": {}}),
    ("G-2", "a null template", {VITALS: None}),
    ("P-11", "a token with one brace missing", {VITALS: "Observation?patient={{context.patientId}"}),
    ("P-11", "a token with blanks", {VITALS: "Observation?patient={{ context.patientId }}"}),
    ("P-12", "the token of an old draft", {VITALS: "Observation?patient={{Patient.id}}"}),
    ("P-13", "a path into the draft orders", {VITALS: "Observation?patient={{context.draftOrders.entry}}"}),
    ("P-13", "a context field that is no token", {VITALS: "Observation?patient={{context.selections}}"}),
    ("P-14", "an unknown user token", {VITALS: "Observation?performer={{userId}}"}),
    ("P-14", "a type before context.userId", {VITALS: "Practitioner/{{context.userId}}"}),
    ("P-15", "a chained parameter", {VITALS: f"{BOUND}&encounter.status=finished"}),
    ("P-15", "an _include", {VITALS: f"{BOUND}&_include=Observation:subject"}),
    ("P-15", "a _has", {VITALS: f"{BOUND}&_has:Group:member:_id=1"}),
    ("P-15", "the modifier :not", {VITALS: f"{BOUND}&status:not=final"}),
    ("P-15", "the modifier :in on a date", {VITALS: f"{BOUND}&date:in=https://a.example"}),
    ("P-15", "an approximate date", {VITALS: f"{BOUND}&date=ap2026"}),
    ("P-15", "a composite value", {VITALS: f"{BOUND}&code=8310-5$gt38"}),
    ("P-15", "a parameter that R4 does not have", {VITALS: f"{BOUND}&effective-time=ge2026"}),
    ("P-15", "a parameter without a value", {VITALS: f"{BOUND}&code="}),
    ("P-15", "a count of nothing", {VITALS: f"{BOUND}&_count=0"}),
    ("P-15", "a query that is not bound to the patient", {VITALS: "Observation?code=8310-5"}),
    ("P-15", "an absolute query", {VITALS: "https://fhir.example/Patient/{{context.patientId}}"}),
    ("P-15", "a query with a blank", {VITALS: f"{BOUND}&code=8310-5 "}),
    ("P-16", "the sort of the specification's example", {VITALS: f"{BOUND}&sort:desc=date"}),
    ("P-16", "a sort by what R4 does not have", {VITALS: f"{BOUND}&_sort=-effective"}),
    ("P-18", "two date parameters", {VITALS: f"{BOUND}&date=ge2026-01-01&date=le2026-02-01"}),
    ("P-18", "a relative date", {VITALS: BOUND + "&date=ge{{today() - 14 days}}"}),
)
def test_a_broken_discovery_is_named_by_its_rule(expected, changes):
    assert rules(judge.discovery_faults(changed(DISCOVERY, changes))) == expected


@table(
    ("H-4", "another resource", {"resourceType": "Bundle"}),
    ("H-4", "no issue", {"issue": GONE}),
    ("H-4", "no severity", {"issue/0/severity": GONE}),
    ("H-4", "an unknown severity", {"issue/0/severity": "bad"}),
    ("H-4", "an unknown code", {"issue/0/code": "oops"}),
    ("H-4", "an issue that says nothing", {"issue/0/details": GONE, "issue/0/diagnostics": GONE}),
    ("H-4", "an error that is only a warning", {"issue/0/severity": "warning"}),
    ("G-5", "cards beside the issue", {"cards": [1]}),
    ("G-5", "an expression as a string", {"issue/0/expression": "prefetch"}),
    ("G-2", "no issues", {"issue": []}),
    ("G-2", "an empty text", {"issue/0/details/text": ""}),
    ("H-7", "a stack trace", {"issue/0/diagnostics": "Traceback (most recent call last):"}),
    ("A-6", "a token", {"issue/0/diagnostics": "got eyJhbGciOiJSUzM4NCJ9.eyJpc3MiOiJ4In0.c2ln"}),
)
def test_a_broken_error_body_is_named_by_its_rule(expected, changes):
    assert rules(judge.operation_outcome_faults(changed(OUTCOME, changes))) == expected


# What this judge leaves to FHIR: elements that no rule of the project speaks of.
LEFT_TO_FHIR = ("/category", "/timing/code")


def paths(value: Any, path: str = "") -> Iterator[str]:
    """Every place in a body, as paths."""
    members = value.items() if isinstance(value, dict) else enumerate(value) if isinstance(value, list) else ()
    for name, member in members:
        yield f"{path}{name}"
        yield from paths(member, f"{path}{name}/")


def escaped(body: Any, values: list[Any], faults: Callable[[Any], list[Fault]]) -> list[tuple[str, Any]]:
    """The places where one of the values may stand and no fault is found."""
    places = [path for path in paths(body) if not any(left in path for left in LEFT_TO_FHIR)]
    return [(path, value) for path in places for value in values if not faults(changed(body, {path: value}))]


def test_a_value_of_a_foreign_type_is_a_fault_wherever_it_stands():
    foreign = [{"org.example": [1]}, [[1]], 7.5, True]
    assert escaped(ANSWER, foreign, answer_faults) == [
        ("cards/0/suggestions/0/isRecommended", True),
        ("cards/0/suggestions/1/isRecommended", True),
        ("cards/0/suggestions/1/actions/0/resource/dosageInstruction/0/timing/repeat/period", 7.5),
        ("cards/1/suggestions/0/isRecommended", True),
    ]
    assert escaped(DISCOVERY, foreign, judge.discovery_faults) == []
    assert escaped(OUTCOME, foreign, judge.operation_outcome_faults) == []


def test_an_empty_value_is_a_fault_wherever_it_stands():
    empties = [None, "", [], {}]
    assert escaped(ANSWER, empties, answer_faults) == [(f"{A}/missing", []), (f"{A}/unused", [])]
    assert escaped(DISCOVERY, empties, judge.discovery_faults) == [("services", [])]
    assert escaped(OUTCOME, empties, judge.operation_outcome_faults) == []


@pytest.mark.parametrize("body", [None, [], "cards", 3, {"cards": None}, {"services": None}], ids=repr)
def test_a_body_that_is_no_answer_at_all_is_a_fault(body):
    assert "S-1" in rules(answer_faults(body))
    assert rules(judge.discovery_faults(body)) == {"D-2"}
    assert rules(judge.operation_outcome_faults(body)) == {"H-4"}


def test_check_lists_every_fault_with_its_rule_and_place():
    broken = changed(ANSWER, {"cards/0/uuid": "x", "cards/1/indicator": "red", f"{A}/asOf": "today"})
    with pytest.raises(AssertionError, match="3 fault") as raised:
        judge.check(broken, patient_id=PATIENT, encounter_id=ENCOUNTER)
    for said in (
        "C-1 at cards[0].uuid",
        "C-4 at cards[1].indicator",
        'assessment-time at extension["org.crs-cds.assessment"].asOf',
    ):
        assert said in str(raised.value)

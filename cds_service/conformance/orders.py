"""The rules of draft orders: FHIR R4 (G-5), and this service's own (order-, N-19)."""

import re
from typing import Any

from cds_service.conformance.call import Call
from cds_service.conformance.dosage import judge_medication
from cds_service.conformance.faults import Faults, at, names
from cds_service.conformance.r4 import RESOURCE, judge_concept

_REQUEST = RESOURCE | names("""
    status intent category priority doNotPerform subject encounter authoredOn requester performer performerType
    reasonCode reasonReference instantiatesCanonical instantiatesUri basedOn insurance note
""")
# R4 elements: an order with an element of R5 is one the EHR cannot read.
_ELEMENTS = {
    "MedicationRequest": _REQUEST
    | names("""
        medicationCodeableConcept statusReason reportedBoolean reportedReference supportingInformation recorder
        groupIdentifier courseOfTherapyType dosageInstruction dispenseRequest substitution priorPrescription
        detectedIssue eventHistory
    """),
    "ServiceRequest": _REQUEST
    | names("""
        code orderDetail quantityQuantity quantityRatio quantityRange occurrenceDateTime occurrencePeriod
        occurrenceTiming asNeededBoolean asNeededCodeableConcept locationCode locationReference replaces requisition
        supportingInfo specimen bodySite patientInstruction relevantHistory
    """),
}
_ARRAYS = names("""
    identifier category reasonCode reasonReference basedOn note dosageInstruction insurance supportingInformation
    supportingInfo orderDetail specimen bodySite locationCode instantiatesCanonical instantiatesUri
""")


def judge_order(out: Faults, resource: dict[str, Any], path: str, call: Call, description: str, detail: str) -> None:
    """Judge the order of a `create`, and whether its dose stands in the words around it."""
    kind = resource.get("resourceType")
    if kind not in ("MedicationRequest", "ServiceRequest"):
        out.add("order-type", path, f"{kind!r}: only MedicationRequest and ServiceRequest are offered")
        return
    concept = "medicationCodeableConcept" if kind == "MedicationRequest" else "code"
    required = dict.fromkeys(("status", "intent", "subject"), "G-5") | {concept: "order-code"}
    out.members(resource, path, required, _ELEMENTS[kind], unknown="G-5")
    for name in _ARRAYS & resource.keys():
        if not isinstance(resource[name], list):
            out.add("G-5", at(path, name), "is an array in FHIR R4")
    if "id" in resource:
        out.advise("C-21", at(path, "id"), "a resource that is to be created has no id yet")
    out.one_of(resource, "status", path, "N-19", {"draft"})
    out.one_of(resource, "intent", path, "N-19", {call.intent} if call.intent else {"proposal", "order"})
    out.one_of(resource, "priority", path, "G-5", {"routine", "urgent", "asap", "stat"})
    out.instant(resource, "authoredOn", path, "G-5")
    _people(out, resource, path, call)
    name = judge_concept(out, resource, concept, path, "order-code")
    if kind == "MedicationRequest":
        judge_medication(out, resource, path, name, {"action.description": description, "card detail": detail})


def _people(out: Faults, resource: dict[str, Any], path: str, call: Call) -> None:
    subject = out.object(resource, "subject", path, "order-subject")
    if subject and subject.get("reference") != f"Patient/{call.patient_id}":
        out.add("order-subject", at(path, "subject"), "is not the patient of the call")
    expected = f"Encounter/{call.encounter_id}" if call.encounter_id else None
    encounter = out.object(resource, "encounter", path, "order-encounter") or {}
    if encounter.get("reference") != expected:
        out.add("order-encounter", at(path, "encounter"), f"must be {expected or 'absent'}, as in the call")
    requester = out.object(resource, "requester", path, "order-requester")
    if requester and not re.fullmatch(r"Practitioner(Role)?/\S+", str(requester.get("reference"))):
        out.add("order-requester", at(path, "requester"), "is no Practitioner or PractitionerRole")

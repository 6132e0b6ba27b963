"""A patient's chart in FHIR R4: each function returns one plain valid resource of the patient `PATIENT`.

Times are told as how long `ago` it was before `NOW`: `5 * HOUR`. What a test needs otherwise is put in with `|`:
`temperature(38.6) | {"status": "entered-in-error"}`. `read(...)` walks the way of the service: JSON text, strict
parsing, readers, timeline.
"""

import json
import re
from collections.abc import Sequence
from datetime import UTC, datetime, timedelta, tzinfo
from functools import cache
from itertools import count
from typing import Any

from hypothesis import HealthCheck, settings

from cds_service.content.load import Content, load
from cds_service.crs.timeline import Timeline
from cds_service.fhir.codebook import Codebook
from cds_service.fhir.readers.chart import Chart
from cds_service.fhir.reading import read_timeline
from cds_service.fhir.strict_json import parse

Json = dict[str, Any]
Number = int | float

NOW = datetime(2026, 1, 15, 12, 0, tzinfo=UTC)
MINUTE, HOUR, DAY = timedelta(minutes=1), timedelta(hours=1), timedelta(days=1)
PATIENT = "p1"
SUBJECT = {"reference": f"Patient/{PATIENT}"}

LOINC = "http://loinc.org"
SNOMED = "http://snomed.info/sct"
RXNORM = "http://www.nlm.nih.gov/research/umls/rxnorm"
ICD10 = "http://hl7.org/fhir/sid/icd-10-cm"
UCUM = "http://unitsofmeasure.org"
CRS = "http://example.org/fhir/CodeSystem/crs"
TERMINOLOGY = "http://terminology.hl7.org/CodeSystem"

bounded = settings(
    max_examples=150, derandomize=True, database=None, deadline=None, suppress_health_check=[HealthCheck.too_slow]
)
"""The profile of property tests: the same examples in each run, few enough for each run."""

_ids = count(1)


def at(ago: timedelta) -> str:
    """The instant so long before NOW, as FHIR writes it; a negative time is in the future."""
    return (NOW - ago).isoformat()


def day(ago: timedelta) -> str:
    """The date so long before NOW."""
    return (NOW - ago).date().isoformat()


def concept(system: str, code: str, text: str = "") -> Json:
    """A CodeableConcept with one coding."""
    coded: Json = {"coding": [{"system": system, "code": code, **({"display": text} if text else {})}]}
    return coded | ({"text": text} if text else {})


def quantity(value: Number, unit: str | None) -> Json:
    """A Quantity in a UCUM unit; without any unit for None."""
    return {"value": value} | ({"unit": unit, "system": UCUM, "code": unit} if unit is not None else {})


def _resource(kind: str, identifier: str | None, **members: Any) -> Json:
    given = {name: value for name, value in members.items() if value is not None}
    return {"resourceType": kind, "id": identifier or f"{kind.lower()}-{next(_ids)}", **given}


def observation(
    code: Json, *, ago: timedelta = HOUR, status: str = "final", id: str | None = None, **members: Any
) -> Json:
    """An Observation at one instant."""
    return _resource("Observation", id, status=status, code=code, subject=SUBJECT, effectiveDateTime=at(ago), **members)


def component(code: str, **value: Any) -> Json:
    """A component with a LOINC code."""
    return {"code": concept(LOINC, code), **value}


def measured(code: str, value: Number, unit: str | None, **members: Any) -> Json:
    """An Observation with a LOINC code and a quantity."""
    return observation(concept(LOINC, code), valueQuantity=quantity(value, unit), **members)


def temperature(value: Number, unit: str | None = "Cel", *, code: str = "8310-5", **members: Any) -> Json:
    """A body temperature."""
    return measured(code, value, unit, **members)


def pressure(systolic: Number, diastolic: Number | None = None, unit: str | None = "mm[Hg]", **members: Any) -> Json:
    """A blood pressure panel with its components."""
    charted = [("8480-6", systolic), ("8462-4", diastolic)]
    components = [component(code, valueQuantity=quantity(value, unit)) for code, value in charted if value is not None]
    return observation(concept(LOINC, "85354-9"), component=components, **members)


def systolic(value: Number, unit: str | None = "mm[Hg]", *, code: str = "8480-6", **members: Any) -> Json:
    """A systolic pressure charted alone."""
    return measured(code, value, unit, **members)


def saturation(
    value: Number, unit: str | None = "%", *, flow: Number | None = None, fio2: Number | None = None, **members: Any
) -> Json:
    """An oxygen saturation as US Core charts it: two codes, flow and fraction as components."""
    code = {"coding": [{"system": LOINC, "code": "59408-5"}, {"system": LOINC, "code": "2708-6"}]}
    return observation(
        code, valueQuantity=quantity(value, unit), component=_support(flow=flow, fio2=fio2) or None, **members
    )


def oxygen(
    device: str | None = None, *, flow: Number | None = None, fio2: Number | None = None, **members: Any
) -> Json:
    """Oxygen support charted at once: the device by its name, the flow in L/min, the fraction in percent.

    One of them alone is an Observation of its own, several are its components.
    """
    parts = _support(device=device, flow=flow, fio2=fio2)
    if len(parts) == 1:
        alone = {name: value for name, value in parts[0].items() if name != "code"}
        return observation(parts[0]["code"], **alone, **members)
    vital = concept("http://terminology.hl7.org/CodeSystem/observation-category", "vital-signs")
    return observation({"text": "Respiratory support"}, component=parts, **{"category": [vital]} | members)


def _support(device: str | None = None, flow: Number | None = None, fio2: Number | None = None) -> list[Json]:
    parts = []
    if device is not None:
        parts.append(component("107117-4", valueCodeableConcept={"text": device}))
    if flow is not None:
        parts.append(component("3151-8", valueQuantity=quantity(flow, "L/min")))
    if fio2 is not None:
        parts.append(component("3150-0", valueQuantity=quantity(fio2, "%")))
    return parts


def weight(
    value: Number, unit: str | None = "kg", *, ago: timedelta = DAY, code: str = "3141-9", **members: Any
) -> Json:
    """A body weight, measured."""
    return measured(code, value, unit, ago=ago, **members)


def lab(code: str, value: Number = 1, unit: str = "1", **members: Any) -> Json:
    """A laboratory result by its LOINC code."""
    return measured(code, value, unit, **members)


def score(instrument: str, value: int, **members: Any) -> Json:
    """An ICE score, CAPD score or CRS grade in this service's own code system."""
    return observation(concept(CRS, instrument), valueInteger=value, **members)


def drug(name: str) -> Json:
    """The medication as a CodeableConcept: by its first RxNorm code and its name, a drug of no table by its name."""
    code = _ingredient(name)
    return {"text": name} if code is None else concept(RXNORM, code, name)


@cache
def _ingredient(name: str) -> str | None:
    sets = [content().value_sets[kind] for kind in ("vasoactives", "therapies", "drugs")]
    codes = [code for one in sets for found in one.meanings if found.display == name for code in found.codes]
    return next((code.code for code in codes if code.system == RXNORM), None)


def infusion(
    agent: str = "norepinephrine",
    rate: Number | None = 0.05,
    *,
    started: timedelta = 3 * HOUR,
    ended: timedelta | None = None,
    status: str | None = None,
    unit: str = "ug/kg/min",
    id: str | None = None,
) -> Json:
    """A continuous intravenous infusion; in progress unless it `ended`."""
    period = {"start": at(started)} | ({"end": at(ended)} if ended is not None else {})
    dosage: Json = {"route": {"text": "Intravenous"}}
    if rate is not None:
        dosage["rateQuantity"] = quantity(rate, unit)
    else:
        dosage["text"] = "continuous infusion"
    return _resource(
        "MedicationAdministration",
        id,
        status=status or ("in-progress" if ended is None else "completed"),
        medicationCodeableConcept=drug(agent),
        subject=SUBJECT,
        effectivePeriod=period,
        dosage=dosage,
    )


def given(
    name: str,
    mg: Number | None = None,
    *,
    ago: timedelta = 2 * HOUR,
    status: str = "completed",
    route: str | None = None,
    id: str | None = None,
) -> Json:
    """A drug given at one instant."""
    dosage = {"dose": quantity(mg, "mg")} if mg is not None else {"text": "as ordered"}
    return _resource(
        "MedicationAdministration",
        id,
        status=status,
        medicationCodeableConcept=drug(name),
        subject=SUBJECT,
        effectiveDateTime=at(ago),
        dosage=dosage | ({"route": {"text": route}} if route is not None else {}),
    )


def therapy(product: str = "axicabtagene ciloleucel", *, ago: timedelta = 3 * DAY, **members: Any) -> Json:
    """A T-cell engaging therapy given at one instant."""
    return given(product, ago=ago, **members)


def order(
    name: str, *, mg: Number | None = None, ago: timedelta = HOUR, status: str = "active", id: str | None = None
) -> Json:
    """A medication order."""
    dosage = {"dosageInstruction": [{"doseAndRate": [{"doseQuantity": quantity(mg, "mg")}]}]} if mg is not None else {}
    return _resource(
        "MedicationRequest",
        id,
        status=status,
        intent="order",
        medicationCodeableConcept=drug(name),
        subject=SUBJECT,
        authoredOn=at(ago),
        **dosage,
    )


def procedure(
    code: Json | str, *, ago: timedelta = HOUR, status: str = "completed", id: str | None = None, **members: Any
) -> Json:
    """A procedure at one instant, by its text or code; `performedPeriod` takes the place of the instant."""
    when = {} if "performedPeriod" in members else {"performedDateTime": at(ago)}
    named = {"text": code} if isinstance(code, str) else code
    return _resource("Procedure", id, status=status, code=named, subject=SUBJECT, **when, **members)


def condition(
    code: str, *, ago: timedelta = DAY, clinical: str = "active", verified: str = "confirmed", id: str | None = None
) -> Json:
    """A condition by its ICD-10-CM code, or by its name."""
    coded = code[:1].isupper() and code[1:3].isdigit()
    return _resource(
        "Condition",
        id,
        clinicalStatus=concept(f"{TERMINOLOGY}/condition-clinical", clinical),
        verificationStatus=concept(f"{TERMINOLOGY}/condition-ver-status", verified),
        code=concept(ICD10, code) if coded else {"text": code},
        subject=SUBJECT,
        onsetDateTime=at(ago),
    )


def allergy(name: str, *, id: str | None = None) -> Json:
    """An active allergy to a drug."""
    return _resource(
        "AllergyIntolerance",
        id,
        clinicalStatus=concept(f"{TERMINOLOGY}/allergyintolerance-clinical", "active"),
        verificationStatus=concept(f"{TERMINOLOGY}/allergyintolerance-verification", "confirmed"),
        code=drug(name),
        patient=SUBJECT,
    )


def home_device(name: str, *, status: str = "active", id: str | None = None) -> Json:
    """A device in use, e.g. at home."""
    return _resource("DeviceUseStatement", id, status=status, subject=SUBJECT, device={"display": name})


def culture(
    conclusion: str | None = None, *, ago: timedelta = 5 * HOUR, status: str | None = None, id: str | None = None
) -> Json:
    """The report of a blood culture: drawn and waiting, or final with its conclusion."""
    return _resource(
        "DiagnosticReport",
        id,
        status=status or ("registered" if conclusion is None else "final"),
        code=concept(LOINC, "600-7", "Bacteria identified in Blood by Culture"),
        subject=SUBJECT,
        effectiveDateTime=at(ago),
        conclusion=conclusion,
    )


def culture_order(*, ago: timedelta = HOUR, status: str = "active", id: str | None = None) -> Json:
    """The order of a blood culture."""
    return _resource(
        "ServiceRequest",
        id,
        status=status,
        intent="order",
        code=concept(SNOMED, "30088009", "Blood culture"),
        subject=SUBJECT,
        authoredOn=at(ago),
    )


def patient(born: str | None = "1966-06-01", id: str = PATIENT) -> Json:
    """The patient; 59 years old unless `born` otherwise."""
    return _resource("Patient", id, birthDate=born)


def bundle(*resources: Json) -> Json:
    """A searchset Bundle."""
    return {"resourceType": "Bundle", "type": "searchset", "entry": [{"resource": resource} for resource in resources]}


@cache
def content() -> Content:
    """What `cards/` says, loaded once."""
    return load()


@cache
def codebook() -> Codebook:
    """The value sets as the readers use them, made once."""
    return Codebook(content().value_sets, content().system_aliases)


def chart(zone: tzinfo = UTC, now: datetime = NOW, medications: Sequence[Json] = ()) -> Chart:
    """What a reader needs beside the resource."""
    known = {f"Medication/{item['id']}": item for item in medications}
    return Chart(codebook=codebook(), scale=content().scale, now=now, zone=zone, medications=known)


def exact(value: Any) -> Any:
    """The value as the service parses it: through JSON text, numbers as exact decimals. A Decimal keeps its digits."""
    text = json.dumps(value, default=lambda number: f"number {number}")
    return parse(re.sub(r'"number ([-.0-9E]+)"', r"\1", text).encode())


def read(
    *resources: Json,
    zone: tzinfo = UTC,
    now: datetime = NOW,
    born: str | None = "1966-06-01",
    medications: Sequence[Json] = (),
) -> Timeline:
    """The timeline of the resources, read as the service reads them."""
    return read_timeline(exact(resources), patient(born), chart(zone, now, exact(list(medications))), {})


def reasons(timeline: Timeline) -> list[str]:
    """Why resources were not used."""
    return [item.reason for item in timeline.unused]

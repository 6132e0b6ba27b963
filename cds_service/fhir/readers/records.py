"""Procedures, conditions, allergies, home devices, and the patient's birth date."""

from datetime import UTC, date, datetime
from typing import Any

from cds_service.crs.timeline import FOREVER, Allergy, Culture, Diagnosis, Flag, OxygenSupport
from cds_service.crs.valuesets import Meaning
from cds_service.fhir.elements import Json, Unusable, interval, member, moment, not_after, objects, text, texts
from cds_service.fhir.readers.chart import Chart, Facts, reference_to
from cds_service.fhir.readers.medications import read_therapy_procedure

INACTIVE = {"inactive", "resolved", "remission"}
REFUTED = {"refuted", "entered-in-error"}
NOT_FOR_HYPOXIA = ("airway protection", "airway", "procedure", "surgery", "bronchoscopy", "seizure")


def read_procedure(resource: Json, chart: Chart, facts: Facts) -> None:
    """A therapy, a respiratory support, or the drawing of a blood culture."""
    code = resource.get("code")
    therapy = chart.codebook.find("therapies", code)
    if therapy is not None:
        read_therapy_procedure(resource, therapy, chart, facts)
        return
    pairs = chart.codebook.pairs(code)
    devices = chart.codebook.value_sets["oxygen-devices"]
    device = devices.find(pairs, texts(code))
    if isinstance(device, Meaning):
        facts.oxygen.append(_support(resource, device, chart))
    elif chart.codebook.find("cultures", code) is not None:
        facts.cultures.append(
            Culture(time=_performed(resource, chart)[0], reference=reference_to(resource), step="drawn")
        )


def _performed(resource: Json, chart: Chart) -> tuple[datetime, datetime]:
    status = resource.get("status")
    if status not in ("completed", "in-progress"):
        raise Unusable(f"{next(iter(texts(resource.get('code'))), 'procedure')}: status is {text(status) or 'missing'}")
    period = interval(resource.get("performedPeriod"), chart.zone)
    start = moment(resource.get("performedDateTime"), chart.zone) or period.start
    if start is None or start.whole_day:
        raise Unusable(f"{next(iter(texts(resource.get('code'))), 'procedure')}: its time cannot be read")
    time = not_after(start.time, chart.now, chart.scale.clock_skew)
    end = period.end if isinstance(resource.get("performedPeriod"), dict) else time
    if status == "in-progress":
        return time, end if isinstance(resource.get("performedPeriod"), dict) else FOREVER
    return time, time if end == FOREVER else end


def _support(resource: Json, device: Meaning, chart: Chart) -> OxygenSupport:
    time, until = _performed(resource, chart)
    reasons = [words.casefold() for item in objects(resource.get("reasonCode")) for words in texts(item)]
    airway = any(word in reason for reason in reasons for word in NOT_FOR_HYPOXIA)
    return OxygenSupport(
        time=time,
        reference=reference_to(resource),
        flags=(Flag.AIRWAY_ONLY,) if airway else (),
        device=device.id,
        until=until,
    )


def _codes(resource: Json, name: str) -> set[str]:
    concept: Any = resource.get(name)
    return {coding["code"] for coding in objects(member(concept, "coding")) if isinstance(coding.get("code"), str)}


def read_condition(resource: Json, chart: Chart, facts: Facts) -> None:
    """An active diagnosis that the rules know; refuted and resolved ones are no evidence (3.11)."""
    found = chart.codebook.find("diagnoses", resource.get("code"))
    if found is None:
        return
    words = next(iter(texts(resource.get("code"))), found.display)
    if _codes(resource, "verificationStatus") & REFUTED:
        raise Unusable(f"{words}: refuted or entered in error")
    if _codes(resource, "clinicalStatus") & INACTIVE:
        raise Unusable(f"{words}: no longer active")
    onset = (
        moment(resource.get("onsetDateTime"), chart.zone)
        or interval(resource.get("onsetPeriod"), chart.zone).start
        or moment(resource.get("recordedDate"), chart.zone)
    )
    time = not_after(onset.time, chart.now, chart.scale.clock_skew) if onset else chart.now
    facts.diagnoses.append(Diagnosis(time=time, reference=reference_to(resource), kind=found.group, display=words))


def read_device_use(resource: Json, chart: Chart, facts: Facts) -> None:
    """A positive pressure device used at home (C20)."""
    if resource.get("status") in ("entered-in-error", "not-done", "completed"):
        return
    contained = [item for device in objects(resource.get("contained")) for item in texts(device.get("type"))]
    reasons = [words for item in objects(resource.get("reasonCode")) for words in texts(item)]
    words = [text(member(resource.get("device"), "display")), *contained, *reasons]
    diagnoses = chart.codebook.value_sets["diagnoses"]
    for item in words:
        found = diagnoses.find_word(item)
        if isinstance(found, Meaning) and found.group == "home-positive-pressure":
            recorded = moment(resource.get("recordedOn"), chart.zone)
            time = min(recorded.time, chart.now) if recorded else chart.now
            facts.diagnoses.append(
                Diagnosis(time=time, reference=reference_to(resource), kind=found.group, display=item)
            )
            return


def read_allergy(resource: Json, chart: Chart, facts: Facts) -> None:
    """An active allergy to a drug of the protocol (N-17)."""
    if _codes(resource, "verificationStatus") & REFUTED or _codes(resource, "clinicalStatus") & INACTIVE:
        return
    concepts = [resource.get("code"), *(item.get("substance") for item in objects(resource.get("reaction")))]
    for concept in concepts:
        found = chart.codebook.value_sets["drugs"].find(chart.codebook.pairs(concept), texts(concept))
        if isinstance(found, Meaning):
            facts.allergies.append(Allergy(time=chart.now, reference=reference_to(resource), agent=found.id))
            return


def birth_date(resource: Json, now: datetime) -> date | None:
    """The birth date; a year or month alone only where it makes no difference to being adult."""
    value = resource.get("birthDate")
    if not isinstance(value, str):
        return None
    try:
        if len(value) == 10:
            born = date.fromisoformat(value)
            return born if born <= now.astimezone(UTC).date() else None
        year = int(value[:4])
    except ValueError:
        return None
    return date(year, 12, 31) if 1 <= year <= now.year - 20 else None

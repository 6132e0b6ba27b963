"""Procedures, conditions, allergies, home devices, and the patient's birth date."""

import re
from datetime import UTC, date, datetime
from typing import Any

from cds_service.crs.timeline import FOREVER, Allergy, Culture, Diagnosis, Flag, OxygenSupport
from cds_service.crs.valuesets import Meaning
from cds_service.fhir.codebook import Found
from cds_service.fhir.elements import Json, Unusable, interval, member, moment, name_of, objects, text, texts
from cds_service.fhir.readers.chart import Chart, Facts, reference_to
from cds_service.fhir.readers.medications import therapy
from cds_service.fhir.readers.oxygen import device_of
from cds_service.fhir.readers.times import Stretch, stretch

INACTIVE = {"inactive", "resolved", "remission"}
REFUTED = {"refuted", "entered-in-error"}
_BORN = re.compile(r"(\d{4})(-\d{2})?(-\d{2})?(T.*)?", re.ASCII)


def read_procedure(resource: Json, chart: Chart, facts: Facts) -> None:
    """A therapy, a respiratory support, or the drawing of a blood culture."""
    code = resource.get("code")
    name = name_of(code)
    try:
        for kind in ("therapies", "oxygen-devices", "cultures"):
            found = chart.codebook.find(kind, code)
            if found is not None:
                name = name or found.meaning.display
                _add_procedure(kind, found, resource, chart, facts)
                return
    except Unusable as error:
        raise Unusable(f"{name}: {error}" if name else str(error)) from error


def _add_procedure(kind: str, found: Found, resource: Json, chart: Chart, facts: Facts) -> None:
    status = resource.get("status")
    begun = ("completed", "in-progress", "stopped") if kind == "therapies" else ("completed", "in-progress")
    if status not in begun:
        raise Unusable(f"status is {text(status) or 'missing'}")
    ended = kind == "oxygen-devices" and status != "in-progress"
    done = stretch(resource, "performed", chart, needs_end=ended)
    if kind == "therapies":
        facts.therapies.append(therapy(resource, found, done, chart))
        return
    if done.start.whole_day and status != "in-progress":
        raise Unusable("it has a date and no time")
    time, flags = chart.happened(done.start), (*found.flags, *done.flags)
    if kind == "cultures":
        facts.cultures.append(
            Culture(time=time, reference=reference_to(resource), flags=flags, step="drawn", drawn=time)
        )
        return
    device, _ = device_of(resource.get("code"), chart)
    if device is not None and chart.scale.devices[device].in_use:
        facts.oxygen.append(
            OxygenSupport(
                time=time,
                reference=reference_to(resource),
                flags=(*flags, *_airway_only(resource, chart)),
                device=device,
                until=_support_end(done, time, status == "in-progress"),
            )
        )


def _support_end(done: Stretch, time: datetime, running: bool) -> datetime:
    if done.end is not None:
        return done.end.end
    return FOREVER if running else time


def _airway_only(resource: Json, chart: Chart) -> tuple[Flag, ...]:
    """Support for the airway or a procedure, and for nothing that lacks oxygen (C20)."""
    reasons = chart.codebook.value_sets["support-reasons"]
    groups = set()
    for item in objects(resource.get("reasonCode")):
        coded = reasons.coded(chart.codebook.pairs(item))
        found = [coded, *(member for words in texts(item) for member in reasons.all_worded(words))]
        groups |= {member.group for member in found if isinstance(member, Meaning)}
    return (Flag.AIRWAY_ONLY,) if groups == {"airway"} else ()


def _codes(resource: Json, name: str) -> set[str]:
    concept: Any = resource.get(name)
    return {coding["code"] for coding in objects(member(concept, "coding")) if isinstance(coding.get("code"), str)}


def _is_inactive(resource: Json) -> bool:
    return bool(_codes(resource, "clinicalStatus") & INACTIVE)


def _is_refuted(resource: Json) -> bool:
    return bool(_codes(resource, "verificationStatus") & REFUTED)


def read_condition(resource: Json, chart: Chart, facts: Facts) -> None:
    """An active diagnosis that the rules know; refuted and resolved ones are no evidence (3.11)."""
    code = resource.get("code")
    found = chart.codebook.find("diagnoses", code)
    if found is None:
        return
    words = name_of(code, found.meaning.display)
    ended = "clinicalStatus" not in resource and any(name.startswith("abatement") for name in resource)
    if _is_refuted(resource):
        raise Unusable(f"{words}: refuted or entered in error")
    if _is_inactive(resource) or ended:
        raise Unusable(f"{words}: no longer active")
    onset = (
        moment(resource.get("onsetDateTime"), chart.zone)
        or interval(resource.get("onsetPeriod"), chart.zone).start
        or moment(resource.get("recordedDate"), chart.zone)
    )
    facts.diagnoses.append(
        Diagnosis(
            time=chart.happened(onset) if onset else chart.now,
            reference=reference_to(resource),
            flags=(*found.flags, *(onset.flags if onset else ())),
            kind=found.meaning.group,
            display=words,
        )
    )


def read_device_use(resource: Json, chart: Chart, facts: Facts) -> None:
    """A positive pressure device in use at home (C20)."""
    if resource.get("status") != "active":
        return
    contained = [device.get("type") for device in objects(resource.get("contained"))]
    described = [{"text": member(resource.get("device"), "display")}, *contained, *objects(resource.get("reasonCode"))]
    diagnoses = chart.codebook.value_sets["diagnoses"]
    for words in (words for concept in described for words in texts(concept)):
        found = diagnoses.worded(words)
        if isinstance(found, Meaning) and found.group == "home-positive-pressure":
            recorded = moment(resource.get("recordedOn"), chart.zone)
            time = min(recorded.time, chart.now) if recorded else chart.now
            facts.diagnoses.append(
                Diagnosis(time=time, reference=reference_to(resource), kind=found.group, display=text(words))
            )
            return


def read_allergy(resource: Json, chart: Chart, facts: Facts) -> None:
    """An active allergy to drugs of the protocol, in any form (N-17)."""
    if _is_refuted(resource) or _is_inactive(resource):
        return
    drugs = chart.codebook.value_sets["drugs"]
    for concept in (resource.get("code"), *(item.get("substance") for item in objects(resource.get("reaction")))):
        found = [drugs.coded(chart.codebook.pairs(concept))]
        found += [member for words in texts(concept) for member in drugs.all_worded(words)]
        for drug in found:
            if isinstance(drug, Meaning):
                facts.allergies.append(
                    Allergy(time=chart.now, reference=reference_to(resource), agent=drug.id, group=drug.group)
                )


def birth_date(resource: Json, now: datetime) -> date | None:
    """The birth date; a year or month alone only where it makes no difference to being adult."""
    value = resource.get("birthDate")
    charted = _BORN.fullmatch(value) if isinstance(value, str) else None
    if charted is None:
        return None
    year, month, day, _ = charted.groups()
    try:
        if day:
            born = date.fromisoformat(year + month + day)
            return born if born <= now.astimezone(UTC).date() else None
        return date(int(year), 12, 31) if int(year) <= now.year - 20 else None
    except ValueError:
        return None

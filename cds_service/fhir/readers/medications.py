"""Medications given and ordered: vasoactive infusions, therapies, tocilizumab, steroids, antipyretics, antibiotics."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from cds_service.crs.timeline import FOREVER, Drug, DrugOrder, Flag, Therapy, Vasoactive
from cds_service.crs.valuesets import Meaning, Refusal
from cds_service.fhir.codebook import medication
from cds_service.fhir.elements import (
    Json,
    Moment,
    Unusable,
    first_event,
    interval,
    member,
    moment,
    not_after,
    objects,
    text,
    texts,
)
from cds_service.fhir.readers.chart import Chart, Facts, reference_to
from cds_service.fhir.units import milligrams

GIVEN = ("in-progress", "completed", "stopped", "on-hold")
WAITING = ("active", "on-hold", "draft")
KINDS = ("vasoactives", "therapies", "drugs")


def read_administration(resource: Json, chart: Chart, facts: Facts) -> None:
    """Add what a MedicationAdministration says (DQ-50 to DQ-60). Not given, or not known to be, is not used."""
    name, found, words = _identify(resource, chart)
    if found is None:
        return
    if isinstance(found, Refusal):
        raise Unusable(f"{words}: {found.reason}")
    status = resource.get("status")
    if status not in GIVEN:
        raise Unusable(f"{found.display}: status is {text(status) or 'missing'}")
    if name == "vasoactives":
        facts.vasoactives.append(_vasoactive(resource, found, chart))
    elif name == "therapies":
        facts.therapies.append(_therapy(resource, found, _given(resource, chart), chart))
    else:
        facts.drugs.append(_drug(resource, found, words, chart))


def read_request(resource: Json, chart: Chart, facts: Facts) -> None:
    """Add what a MedicationRequest says: a waiting order, or a therapy whose order was completed."""
    name, found, words = _identify(resource, chart)
    if found is None or isinstance(found, Refusal) or resource.get("doNotPerform") is True:
        return
    status = resource.get("status")
    authored = moment(resource.get("authoredOn"), chart.zone)
    if name == "therapies" and status == "completed":
        planned = next((first_event(item.get("timing"), chart.zone) for item in _dosages(resource)), None)
        facts.therapies.append(_therapy(resource, found, (planned or authored, None), chart))
    elif status in WAITING and name != "therapies":
        facts.orders.append(
            DrugOrder(
                time=min(authored.time, chart.now) if authored else chart.now,
                reference=reference_to(resource),
                agent=found.id if name == "drugs" else found.display,
                group=found.group,
                name=words,
            )
        )


def _identify(resource: Json, chart: Chart) -> tuple[str, Meaning | Refusal | None, str]:
    """Kind, member and name of the drug. A refusal counts where it stands beside a drug that the rules know."""
    concept = medication(resource, chart.medications)
    if not concept:
        raise Unusable("its medication is not named here and could not be read")
    described = texts(concept)
    name = next(iter(described), "")
    pairs = chart.codebook.pairs(concept)
    for kind in KINDS:
        value_set = chart.codebook.value_sets[kind]
        named = [member for words in described for member in value_set.find_words(words)]
        refusal = next((member for member in named if isinstance(member, Refusal)), None)
        coded = value_set.find(pairs, ())
        found = coded or next((member for member in named if isinstance(member, Meaning)), None)
        if found is not None:
            return kind, refusal or found, name or _name_of(found)
    return "", None, name


def _name_of(found: Meaning | Refusal) -> str:
    """What to call a drug that the record gives no name."""
    return found.display if isinstance(found, Meaning) else "a medication"


def _given(resource: Json, chart: Chart) -> tuple[Moment | None, datetime | None]:
    """Start and, for a period, end: FOREVER only while it is in progress."""
    period = resource.get("effectivePeriod")
    if isinstance(period, dict):
        given = interval(period, chart.zone)
        if given.end == FOREVER and resource.get("status") != "in-progress":
            return given.start, given.start.time if given.start else None
        return given.start, given.end
    return moment(resource.get("effectiveDateTime"), chart.zone), None


def _therapy(resource: Json, found: Meaning, given: tuple[Moment | None, datetime | None], chart: Chart) -> Therapy:
    start, end = given
    if start is None:
        raise Unusable(f"{found.display}: the date it was given cannot be read")
    return Therapy(
        time=not_after(start.time, chart.now, chart.scale.clock_skew),
        reference=reference_to(resource),
        product=found.display,
        window=found.group,
        whole_day=start.whole_day,
        until=end,
    )


def read_therapy_procedure(resource: Json, found: Meaning, chart: Chart, facts: Facts) -> None:
    """A therapy charted as a Procedure."""
    if resource.get("status") not in ("completed", "in-progress", "stopped"):
        raise Unusable(f"{found.display}: status is {text(resource.get('status')) or 'missing'}")
    period = interval(resource.get("performedPeriod"), chart.zone)
    start = moment(resource.get("performedDateTime"), chart.zone) or period.start
    facts.therapies.append(_therapy(resource, found, (start, None), chart))


def _dosages(resource: Json) -> list[Json]:
    return list(objects(resource.get("dosageInstruction")))


def _vasoactive(resource: Json, found: Meaning, chart: Chart) -> Vasoactive:
    """An infusion with its end, or a bolus (DQ-50 to DQ-56). Raises Unusable for what is no intravenous drug."""
    dosage: Any = resource.get("dosage")
    _intravenous(found, dosage, chart)
    amount, rate = _rate(dosage)
    if amount is not None and amount <= 0:
        raise Unusable(f"{found.display}: the rate is {amount.normalize():f}")
    start, end = _given(resource, chart)
    if start is None or start.whole_day:
        raise Unusable(f"{found.display}: its time cannot be read")
    status = resource.get("status")
    time = not_after(start.time, chart.now, chart.scale.clock_skew)
    bolus = end is None and status != "in-progress"
    until = FOREVER if end is None else end
    if status != "in-progress":
        until = min(until, chart.now)
    return Vasoactive(
        time=time,
        reference=reference_to(resource),
        flags=(Flag.ASSUMED_ZONE,) if start.assumed_zone else (),
        agent=found.display,
        role=found.group,
        until=time if bolus else until,
        rate=rate,
        bolus=bolus,
    )


def _intravenous(found: Meaning, dosage: Any, chart: Chart) -> None:
    """Only what runs into a vein is a vasopressor; a route that is not charted is taken to be intravenous (3.9)."""
    routes = chart.codebook.value_sets["routes"]
    named = (routes.find_word(words) for words in texts(member(dosage, "route")))
    route = next((item for item in named if isinstance(item, Meaning)), None)
    if route is not None and route.group != "intravenous":
        raise Unusable(f"{found.display}: the route is {route.display}")


def _rate(dosage: Any) -> tuple[Decimal | None, str]:
    """Rate as a number and in words; None when no rate is charted."""
    rate = member(dosage, "rateQuantity")
    if not isinstance(rate, dict):
        rate = member(dosage, "rateRatio", "numerator")
    value = member(rate, "value")
    if isinstance(value, bool) or not isinstance(value, int | Decimal):
        return None, ""
    amount = Decimal(value)
    unit = text(member(rate, "unit")) or text(member(rate, "code"))
    return amount, f"{amount.normalize():f} {unit.replace('ug', 'µg')}".strip()


def _drug(resource: Json, found: Meaning, words: str, chart: Chart) -> Drug:
    """A drug given. A date without a time counts as the end of that day: the longest wait before the next dose."""
    start, end = _given(resource, chart)
    if start is None:
        raise Unusable(f"{found.display}: the time it was given cannot be read")
    not_after(start.time, chart.now, chart.scale.clock_skew)
    return Drug(
        time=min(start.end, chart.now),
        reference=reference_to(resource),
        flags=(Flag.ASSUMED_ZONE,) if start.assumed_zone else (),
        agent=found.id,
        group=found.group,
        name=words,
        dose_mg=milligrams(member(resource.get("dosage"), "dose") or {}),
        until=end,
    )

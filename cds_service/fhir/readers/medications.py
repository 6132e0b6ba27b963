"""Medications given and ordered: vasoactive infusions, therapies, tocilizumab, steroids, antipyretics, antibiotics."""

from datetime import datetime
from decimal import Decimal
from typing import Any

from cds_service.crs.timeline import FOREVER, Drug, DrugOrder, Therapy
from cds_service.crs.valuesets import Meaning
from cds_service.fhir.codebook import DRUG_HINT, Found, medication
from cds_service.fhir.elements import Json, Unusable, first_event, member, moment, name_of, objects, text, texts
from cds_service.fhir.readers.chart import Chart, Facts, reference_to
from cds_service.fhir.readers.times import Stretch, stretch
from cds_service.fhir.readers.vasoactives import vasoactive
from cds_service.fhir.units import milligrams

NOT_GIVEN = ("not-done", "entered-in-error")
"""Statuses of an administration that say that there was none."""
GIVEN = ("in-progress", "completed", "stopped", "on-hold")
WAITING = ("active", "on-hold", "draft")
KINDS = ("vasoactives", "therapies", "drugs")
EVERY_ROUTE = "il6-blocker"
"""The group of which every dose counts, by any route (3.8)."""


def read_administration(resource: Json, chart: Chart, facts: Facts) -> None:
    """Add what a MedicationAdministration says (DQ-50 to DQ-60). Not given, or not known to be, is not used."""
    concept = _concept(resource, chart)
    identified = identify(concept, chart)
    status = resource.get("status")
    if identified is None:
        unrecognised = chart.codebook.unrecognised(concept, DRUG_HINT)
        if unrecognised is not None and status not in NOT_GIVEN:
            raise unrecognised
        return
    kind, found = identified
    try:
        if status not in GIVEN:
            raise Unusable(f"status is {text(status) or 'missing'}")
        if kind == "vasoactives":
            facts.vasoactives.append(vasoactive(resource, found, chart))
        elif kind == "therapies":
            facts.therapies.append(
                therapy(resource, found, stretch(resource, "effective", chart, needs_end=False), chart)
            )
        else:
            facts.drugs.append(_drug(resource, found, name_of(concept, found.meaning.display), chart))
    except Unusable as error:
        raise Unusable(f"{found.meaning.display}: {error}") from error


def doubtful_dose(resource: Json, chart: Chart) -> str:
    """The agent of an administration that is not used and may have been given all the same; empty for others."""
    if resource.get("resourceType") != "MedicationAdministration" or resource.get("status") in NOT_GIVEN:
        return ""
    try:
        kind, found = identify(_concept(resource, chart), chart) or ("", None)
    except Unusable:
        return ""
    return found.meaning.id if found is not None and kind == "drugs" else ""


def read_request(resource: Json, chart: Chart, facts: Facts) -> None:
    """Add what a MedicationRequest says: a waiting order, or a therapy whose order was completed."""
    concept = _concept(resource, chart)
    try:
        identified = identify(concept, chart)
    except Unusable:
        return
    if identified is None or resource.get("doNotPerform") is True:
        return
    kind, found = identified
    status = resource.get("status")
    authored = moment(resource.get("authoredOn"), chart.zone)
    if kind == "therapies" and status == "completed":
        events = (first_event(item.get("timing"), chart.zone) for item in objects(resource.get("dosageInstruction")))
        started = next((event for event in events if event), authored)
        if started is None:
            raise Unusable(f"{found.meaning.display}: the date it was given cannot be read")
        facts.therapies.append(therapy(resource, found, Stretch(started, None, is_period=False), chart))
    elif kind != "therapies" and status in WAITING:
        facts.orders.append(
            DrugOrder(
                time=min(authored.time, chart.now) if authored else chart.now,
                reference=reference_to(resource),
                flags=(*found.flags, *(authored.flags if authored else ())),
                agent=found.meaning.id if kind == "drugs" else found.meaning.display,
                group=found.meaning.group,
                name=name_of(concept, found.meaning.display),
                dose_mg=_ordered_dose(resource),
            )
        )


def _ordered_dose(resource: Json) -> Decimal | None:
    """The first dose of an order in mg, None where it is not charted in mg."""
    dosage = next(iter(objects(resource.get("dosageInstruction"))), {})
    rate = next(iter(objects(member(dosage, "doseAndRate"))), {})
    return milligrams(member(rate, "doseQuantity"))


def _concept(resource: Json, chart: Chart) -> Json:
    concept = medication(resource, chart.medications)
    if not concept:
        raise Unusable("its medication is not named here and could not be read")
    return concept


def identify(concept: Json, chart: Chart) -> tuple[str, Found] | None:
    """Kind and drug. What one kind refuses may be another: a cold remedy is no infusion, and an antipyretic."""
    refused: Unusable | None = None
    for kind in KINDS:
        try:
            found = chart.codebook.find(kind, concept)
        except Unusable as error:
            refused = refused or error
        else:
            if found is not None:
                return kind, found
    if refused is not None:
        raise Unusable(f"{name_of(concept, 'a medication')}: {refused}")
    return None


def therapy(resource: Json, found: Found, given: Stretch, chart: Chart) -> Therapy:
    """A T-cell engaging therapy that was begun."""
    return Therapy(
        time=chart.happened(given.start),
        reference=reference_to(resource),
        flags=(*found.flags, *given.flags),
        product=found.meaning.display,
        window=found.meaning.group,
        whole_day=given.start.whole_day,
        until=_until(resource, given),
    )


def _until(resource: Json, given: Stretch) -> datetime | None:
    if given.end is not None:
        return given.end.end
    return FOREVER if resource.get("status") == "in-progress" else None


def _drug(resource: Json, found: Found, name: str, chart: Chart) -> Drug:
    """A drug given. A date without a time counts as the end of that day: the longest wait before the next dose."""
    dosage = next(iter(objects(resource.get("dosage"))), {})
    if found.meaning.group != EVERY_ROUTE:
        _systemic(dosage, chart)
    given = stretch(resource, "effective", chart, needs_end=False)
    chart.happened(given.start)
    return Drug(
        time=min(given.start.end, chart.now),
        reference=reference_to(resource),
        flags=(*found.flags, *given.flags),
        agent=found.meaning.id,
        group=found.meaning.group,
        name=name,
        dose_mg=milligrams(member(dosage, "dose")),
        until=_until(resource, given),
    )


def _systemic(dosage: Any, chart: Chart) -> None:
    """Drops and creams do not treat or mask a fever."""
    routes = chart.codebook.value_sets["routes"]
    named = [found for words in texts(member(dosage, "route")) for found in routes.all_worded(words)]
    local = [route for route in named if isinstance(route, Meaning) and route.group == "local"]
    if local and len(local) == len(named):
        raise Unusable(f"the route is {local[0].display}")

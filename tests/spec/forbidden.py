"""What N-01 to N-27 forbid, worked out once more from the record itself: nothing here asks the clinical core.

Each rule yields what is wrong with the drafts of a case, in words. The rules know no episode: where one may have
ended, they only demand what holds however it is read.
"""

from collections.abc import Callable, Iterator
from decimal import Decimal

from cds_service.crs.sentences import Say
from cds_service.crs.timeline import BodyWeight
from tests.spec.cases import CORTICOSTEROIDS, DAY, HOUR, Case

STEROID_DOSES = {("dexamethasone", 10), ("dexamethasone", 20), ("methylprednisolone", 1000)}
OFFERED = {"tocilizumab", "blood-culture", *CORTICOSTEROIDS}
Rule = Callable[[Case], Iterator[str]]


def only_what_has_a_dose_and_a_grade(case: Case) -> Iterator[str]:
    """N-08, N-12, N-13, N-18, N-20, N-21, N-25; no drug where no fever is documented."""
    grade, drugs = case.assessment.grade, case.of("tocilizumab", *CORTICOSTEROIDS)
    yield from (f"N-20: {draft.order.agent} has no dose" for draft in case.drafts if draft.order.agent not in OFFERED)
    if grade not in (None, 0, 1, 2, 3, 4):
        yield f"N-25: grade {grade}"
    if not grade and case.drafts:
        yield "a draft without a grade"
    if grade == 1 and drugs:
        yield "N-08: a drug at grade 1"
    if drugs and not case.feverish:
        yield "a drug although no fever is documented"
    if drugs and not any((_running(case), _low(case), _oxygen(case))):
        yield "N-12: a drug for fever alone"


def _running(case: Case) -> set[str]:
    drugs = [drug for drug in case.past(case.charted.vasoactives) if drug.until > case.now and not drug.bolus]
    return {drug.agent for drug in drugs if drug.agent != "dobutamine"}


def _low(case: Case) -> bool:
    return any(reading.systolic < 90 for reading in case.lately(case.charted.pressures, 4 * HOUR))


def _oxygen(case: Case) -> set[str]:
    """Devices in the last four hours; a low saturation counts as one that is missing."""
    devices = {item.device or "" for item in case.lately(case.charted.oxygen, 4 * HOUR)} - {"room-air"}
    low = any(reading.percent < 90 for reading in case.lately(case.charted.saturations, 4 * HOUR))
    return devices | ({"none"} if low else set())


def tocilizumab_within_its_limits(case: Case) -> Iterator[str]:
    """N-01, N-02, N-17; a repeat after 72 hours with infection excluded; never beside what is not known."""
    if not case.of("tocilizumab"):
        return
    if len(case.doses) >= 4 or len(case.since_calm) >= 2:
        yield f"N-01: one more after {case.doses}"
    if any(case.now - at < 8 * HOUR for at in case.doses):
        yield "N-02: within eight hours of the last dose"
    if case.unread("drugs", 30 * DAY):
        yield "N-01: doses given are not all known"
    if any(fact.agent == "tocilizumab" for fact in case.charted.allergies):
        yield "N-17: allergic to it"
    last = max(case.doses, default=None)
    if any(order.agent == "tocilizumab" and (last is None or order.time > last) for order in case.charted.orders):
        yield "N-01: one is ordered and not charted as given"
    if Say.TOCILIZUMAB_CAUTIONS not in case.says:
        yield "N-17: no word on infection, perforation and hypersensitivity"


def a_repeat_only_when_it_is_due(case: Case) -> Iterator[str]:
    """S-MGT-2c, 3e, 4e, C27, N-07."""
    if case.icans and case.of("tocilizumab") and Say.TOCILIZUMAB_ICANS not in case.says:
        yield "N-07: silently with ICANS"
    if not case.repeats:
        return
    if case.icans:
        yield "N-07: a repeat with ICANS"
    if case.now - case.since_calm[-1] < 72 * HOUR:
        yield "a repeat before 72 hours"
    steps = {fact.step for fact in case.lately(case.charted.cultures, 3 * DAY)}
    negative = any(fact.step == "negative" for fact in case.past(case.charted.cultures))
    if "positive" in steps or not negative:
        yield "a repeat although infection is not excluded"


def milligrams_by_weight(case: Case) -> Iterator[str]:
    """N-03 to N-06."""
    for draft in case.of("tocilizumab"):
        weight, mg = case.weight, draft.dose.mg if draft.dose else None
        if weight is None or case.now - weight.time > 30 * DAY:
            yield "N-03: no usable weight"
            continue
        exact = min((12 if weight.kilograms < 30 else 8) * weight.kilograms, Decimal(800))
        if mg is None or abs(mg - exact) > Decimal("0.005"):
            yield f"N-04, N-05: {mg} mg for {weight.kilograms} kg"
        yield from _contradicted(case, weight)
        if draft.order.route != "intravenous":
            yield f"N-06: {draft.order.route}"


def _contradicted(case: Case, weight: BodyWeight) -> Iterator[str]:
    for other in case.past(case.charted.weights):
        near = other.how not in ("stated", "estimated") and weight.time - other.time <= 30 * DAY
        if near and abs(weight.kilograms / other.kilograms - 1) > Decimal("0.2"):
            yield f"N-03: {other.kilograms} kg and {weight.kilograms} kg"
    years = _years(case)
    if years is not None and years < 6 and weight.kilograms > 45:
        yield f"N-03: {weight.kilograms} kg at {years} years"


def _years(case: Case) -> int | None:
    birth, today = case.charted.birth_date, case.now.date()
    if birth is None:
        return None
    return today.year - birth.year - (today < birth.replace(year=today.year))


def one_steroid_for_an_adult(case: Case) -> Iterator[str]:
    """N-09, N-10, S-PIT-STER-2, S-PIT-STER-3."""
    drafts = case.of(*CORTICOSTEROIDS)
    if not drafts:
        return
    if len(drafts) > 1:
        yield "N-10: two corticosteroids"
    years, weight = _years(case), case.weight
    if years is not None and years < 18:
        yield f"N-09: an adult dose at {years} years"
    if years is None and (weight is None or weight.kilograms < 50):
        yield "N-09: an adult dose without an age, under 50 kg"
    if any(fact.agent == draft.order.agent for fact in case.charted.allergies for draft in drafts):
        yield "N-17: allergic to it"
    if case.unread("drugs", DAY):
        yield "N-10: what was given is not known"
    if case.assessment.grade == 2 and not case.doses:
        yield "N-08: a corticosteroid in a grade 2 that had no tocilizumab"


def steroids_by_grade(case: Case) -> Iterator[str]:
    """S-MGT-2e, 3a, 3c, 4a, 4c, N-11: 20 mg of dexamethasone need a grade 4, or a grade 3 that had 10 mg."""
    several = len(_running(case) - {"vasopressin"}) > 1
    highest = several or bool(_oxygen(case) & {"bilevel", "ventilator"})
    for draft in case.of(*CORTICOSTEROIDS):
        mg = draft.dose.mg if draft.dose else None
        before = draft.replaces.dose_mg or Decimal(0) if draft.replaces else Decimal(0)
        if (draft.order.agent, mg) not in STEROID_DOSES:
            yield f"{mg} mg of {draft.order.agent}"
        if mg == 20 and not highest and (case.assessment.grade != 3 or before < 10):
            yield "N-11: 20 mg of dexamethasone below grade 4"
        if mg == 10 and case.assessment.grade == 4:
            yield "10 mg of dexamethasone at grade 4"
        if mg == 1000 and (not highest or before < 20):
            yield "methylprednisolone before 20 mg of dexamethasone at grade 4"


def no_second_steroid(case: Case) -> Iterator[str]:
    """N-10: a draft beside what is given or ordered replaces just that, and is for somebody to choose."""
    given = sorted(case.steroids(), key=lambda drug: drug.time)
    ordered = [order for order in case.charted.orders if order.agent in CORTICOSTEROIDS]
    for draft in case.of(*CORTICOSTEROIDS):
        if draft.replaces is None:
            if given or ordered:
                yield "N-10: a second regimen beside the one charted"
            continue
        charted = given[-1] if given else ordered[-1] if ordered else None
        if charted is None or (draft.replaces.agent, draft.replaces.dose_mg) != (charted.agent, charted.dose_mg):
            yield f"N-10: it replaces {draft.replaces.words}, which is not the one charted last"
        if any(order.agent != draft.replaces.agent for order in ordered):
            yield "N-10: it replaces one of two that are charted"
        if draft.recommended:
            yield "N-10: a replacement that is selected before anybody has stopped the present one"


def infection_first(case: Case) -> Iterator[str]:
    """N-15, S-INF-1, S-INF-2."""
    taken = [fact for fact in case.lately(case.charted.cultures, DAY) if fact.step in ("ordered", "drawn")]
    if not taken and case.of("tocilizumab") and not case.of("blood-culture"):
        yield "N-15: no cultures before tocilizumab"
    if taken and case.of("blood-culture"):
        yield "S-INF-1: cultures are on the way already"
    given = [drug for drug in case.lately(case.charted.drugs, 12 * HOUR) if drug.group == "antibiotic"]
    known = given or [order for order in case.charted.orders if order.group == "antibiotic"]
    if case.of("tocilizumab") and not known and Say.ANTIBIOTICS not in case.says:
        yield "N-15: no antibiotics before tocilizumab"


RULES: tuple[Rule, ...] = (
    only_what_has_a_dose_and_a_grade,
    tocilizumab_within_its_limits,
    a_repeat_only_when_it_is_due,
    milligrams_by_weight,
    one_steroid_for_an_adult,
    steroids_by_grade,
    no_second_steroid,
    infection_first,
)


def forbidden(case: Case) -> list[str]:
    """Everything that must not have been suggested, in words; empty for advice that may be given."""
    return [words for rule in RULES for words in rule(case)]

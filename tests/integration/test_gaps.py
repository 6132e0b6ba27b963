"""From what was gathered to what is not known, kind by kind (design 3: unknown is a value; T45, T54)."""

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, cast

import pytest

from cds_service.crs.timeline import Gap
from cds_service.fhir.client import FhirClient, Page
from cds_service.fhir.deadline import Deadline
from cds_service.fhir.gaps import gaps
from cds_service.fhir.gather import Source, State, Supply, gather
from cds_service.fhir.lanes import Lanes
from cds_service.fhir.needs import Need
from cds_service.fhir.ownership import Patient
from cds_service.hooks.knowledge import Knowledge
from tests.server import NOW

FAILED = {"resource": {"resourceType": "OperationOutcome", "issue": [{"severity": "error"}]}}


@dataclass
class Paging:
    """A FHIR client whose further pages are given."""

    further: list[list[Any]]
    base: str = "http://ehr"
    deadline: Deadline = field(default_factory=lambda: Deadline.after(5))

    def following(self, link: str) -> Iterator[Page]:
        for entry in self.further:
            yield Page({"resourceType": "Bundle", "entry": entry}, None if entry is self.further[-1] else link)


def reading(days: float) -> dict[str, Any]:
    """An entry with a temperature so many days old."""
    return {
        "resource": {
            "resourceType": "Observation",
            "subject": {"reference": "Patient/p"},
            "effectiveDateTime": ago(days).isoformat(),
        }
    }


def gathered(need: Need, first: list[Any], *further: list[Any]) -> Supply:
    """What comes of a prefetched page with further ones behind it."""
    page = {"resourceType": "Bundle", "entry": first, "link": [{"relation": "next", "url": "http://ehr/x"}]}
    with ThreadPoolExecutor(1) as executor:
        source = Source(
            patient=Patient("p", None),
            prefetch={need.key: page},
            client=cast(FhirClient, Paging(list(further))),
            no_server="",
            executor=executor,
            lanes=Lanes(1),
            now=NOW,
            zone=UTC,
        )
        return gather([need], source)[need.key]


@pytest.fixture
def needs(knowledge: Knowledge) -> dict[str, Need]:
    return {need.key: need for need in knowledge.needs}


def ago(days: float) -> datetime:
    return NOW - timedelta(days=days)


def complete(need: Need, since: datetime | None = None) -> Supply:
    return Supply(need=need, state=State.COMPLETE, known_since=since)


def cut(need: Need, since: datetime | None = None) -> Supply:
    return Supply(need=need, state=State.TRUNCATED, reason="cut", known_since=since)


def none(need: Need) -> Supply:
    return Supply(need=need, state=State.UNAVAILABLE, reason="down")


def of(*supplies: Supply) -> dict[str, Gap]:
    return gaps({supply.need.key: supply for supply in supplies}, NOW)


def test_what_is_complete_or_empty_leaves_no_gap(needs: dict[str, Need]) -> None:
    assert of(*(complete(need) for need in needs.values())) == {}
    assert of(*(Supply(need=need, state=State.EMPTY) for need in needs.values())) == {}


def test_what_is_unavailable_leaves_every_kind_it_supplies_unknown(needs: dict[str, Need]) -> None:
    for need in needs.values():
        assert of(none(need)) == {kind: Gap(f"{need.title}: down", None) for kind in need.kinds}


def test_what_is_cut_is_known_since_its_last_reading(needs: dict[str, Need]) -> None:
    assert of(cut(needs["temperature"], ago(2))) == {"temperatures": Gap("temperature: cut", ago(2))}
    assert of(cut(needs["temperature"])) == {"temperatures": Gap("temperature: cut", None)}
    assert of(cut(needs["temperature"], ago(40))) == {}, "further back than the rules look"


def test_of_several_reasons_for_a_kind_all_are_named_and_the_one_that_leaves_least_known_counts(
    needs: dict[str, Need],
) -> None:
    laboratory, reports = needs["laboratory"], needs["reports"]
    said = [f"{laboratory.title}: cut", f"{reports.title}: down"]
    for order in ((cut(laboratory, ago(1)), none(reports)), (none(reports), cut(laboratory, ago(1)))):
        found = of(*order)["labs"]
        assert sorted(found.reason.split("; ")) == sorted(said)
        assert found.known_since is None
    assert of(cut(laboratory, ago(1)), cut(reports, ago(3)))["labs"].known_since == ago(1)


def test_t45_every_query_that_fails_for_a_kind_is_named_once(needs: dict[str, Need]) -> None:
    failed = [none(need) for need in needs.values() if "therapies" in need.kinds]
    assert len(failed) == 4
    assert of(*failed)["therapies"].reason == "; ".join(f"{supply.need.title}: down" for supply in failed)


def test_a_part_is_not_missed_when_the_whole_is_complete(needs: dict[str, Need]) -> None:
    whole = needs["administrations"]
    for key in ("therapies", "crsMedications"):
        assert of(complete(whole), none(needs[key])) == {}
        assert of(complete(whole), cut(needs[key])) == {}


def test_a_whole_that_was_read_for_a_month_does_not_stand_in_for_a_season(needs: dict[str, Need]) -> None:
    month = complete(needs["administrations"], ago(32))
    assert of(month, none(needs["crsMedications"])) == {}
    assert of(month, none(needs["therapies"])) == {"therapies": Gap(f"{needs['therapies'].title}: down", ago(32))}


def test_a_cut_whole_beside_complete_parts_is_said_under_its_own_key(needs: dict[str, Need]) -> None:
    whole = cut(needs["administrations"], ago(1))
    assert of(whole, complete(needs["crsMedications"]), complete(needs["therapies"])) == {
        "administrations": Gap("medications given: cut", ago(1))
    }


def test_a_whole_that_is_unavailable_leaves_what_has_no_codes_unknown(needs: dict[str, Need]) -> None:
    found = of(none(needs["administrations"]), complete(needs["crsMedications"]), complete(needs["therapies"]))
    assert set(found) == {"therapies", "drugs", "vasoactives"}


def test_of_a_cut_whole_and_its_cut_part_the_one_that_reaches_further_counts(needs: dict[str, Need]) -> None:
    found = of(cut(needs["administrations"], ago(1)), cut(needs["crsMedications"], ago(9)))
    assert found["drugs"].known_since == ago(9)


def test_an_infusion_that_began_before_the_cut_may_still_run(needs: dict[str, Need]) -> None:
    found = of(cut(needs["administrations"], ago(2)), cut(needs["crsMedications"], ago(9)))
    assert found["vasoactives"].known_since is None
    assert of(cut(needs["procedures"], ago(2)))["oxygen"].known_since is None
    assert of(cut(needs["oxygen"], ago(2)))["oxygen"].known_since == ago(2), "a single reading does not last"
    assert of(cut(needs["infusionRates"], ago(2)))["vasoactives"].known_since == ago(2)


def test_t54_a_page_with_an_error_ends_what_is_known_and_what_lies_behind_it_is_used(needs: dict[str, Need]) -> None:
    supply = gathered(needs["temperature"], [reading(1), reading(2)], [FAILED, reading(3)], [reading(4)])
    assert (supply.state, supply.known_since, len(supply.resources)) == (State.TRUNCATED, ago(2), 4)
    assert supply.reason == "the EHR reported an error within the answer"


def test_pages_that_all_came_are_complete_and_say_no_time(needs: dict[str, Need]) -> None:
    supply = gathered(needs["temperature"], [reading(1)], [reading(2)], [reading(3)])
    assert (supply.state, supply.known_since, len(supply.resources)) == (State.COMPLETE, None, 3)


def test_pages_that_reach_beyond_the_horizon_are_complete_since_then(needs: dict[str, Need]) -> None:
    supply = gathered(needs["temperature"], [reading(1)], [reading(40)], [reading(50)])
    assert (supply.state, supply.known_since, len(supply.resources)) == (State.COMPLETE, ago(40), 2)


def test_pages_in_no_order_of_time_are_read_to_their_end(needs: dict[str, Need]) -> None:
    for first in ([reading(50), reading(1)], [reading(40), reading(40)], [reading(60)]):
        supply = gathered(needs["temperature"], first, [reading(1)])
        assert (supply.state, supply.known_since, len(supply.resources)) == (State.COMPLETE, None, len(first) + 1)
        assert gathered(needs["temperature"], first, [FAILED]).known_since is None

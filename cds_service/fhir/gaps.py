"""Gaps: from what was gathered for each need to what is not known of each kind of fact."""

from collections.abc import Mapping
from datetime import UTC, datetime

from cds_service.crs.timeline import FOREVER, Gap
from cds_service.fhir.gather import State, Supply
from cds_service.fhir.needs import MONTH

ALWAYS = datetime.min.replace(tzinfo=UTC)
LASTING = ("vasoactives", "oxygen")
"""Kinds of which one that began long ago may still be going on: known only when all of a month is."""


def gaps(supplies: Mapping[str, Supply], now: datetime) -> dict[str, Gap]:
    """What is not known, by kind of fact: every reason for it, and since when the kind is known all the same.

    A need and the one it is part of stand in for each other. Where a cut answer lacks only what its coded parts hold,
    no kind is unknown, and the gap stands under the key of the need: it is said, and decides nothing.
    """
    found: dict[str, Gap] = {}
    for supply in supplies.values():
        if supply.gap is None:
            continue
        reason = f"{supply.need.title}: {supply.reason}"
        for kind in supply.need.kinds:
            others = _same_facts(supply, kind, supplies)
            since = min(_known_since(one, kind, now) for one in (supply, *others))
            if since > _needed(supply, now):
                add_gap(found, kind, Gap(reason, None if since == FOREVER else since))
            elif others and not supply.need.part_of:
                found[supply.need.key] = Gap(reason, supply.known_since)
    return found


def add_gap(found: dict[str, Gap], kind: str, gap: Gap) -> None:
    """Keep what the gap leaves unknown beside what is not known already: every reason, each once."""
    known = found.get(kind)
    if known is None:
        found[kind] = gap
        return
    since = max(one.known_since or FOREVER for one in (known, gap))
    reason = known.reason if gap.reason in known.reason else f"{known.reason}; {gap.reason}"
    found[kind] = Gap(reason, None if since == FOREVER else since)


def _same_facts(supply: Supply, kind: str, supplies: Mapping[str, Supply]) -> list[Supply]:
    """Those that hold the same facts as the supply: the whole it is part of, or the coded parts of a cut whole."""
    whole = supplies.get(supply.need.part_of)
    parts = [one for one in supplies.values() if one.need.part_of == supply.need.key and kind in one.need.kinds]
    return [whole] if whole is not None else parts if supply.state is State.TRUNCATED else []


def _known_since(supply: Supply, kind: str, now: datetime) -> datetime:
    """Since when all facts of the kind are here: ALWAYS for a complete answer, FOREVER for none."""
    if supply.gap is None and supply.known_since is None:
        return ALWAYS
    since = supply.known_since or FOREVER
    cut_too_near = supply.need.lasting and kind in LASTING and since > now - MONTH
    return FOREVER if cut_too_near else since


def _needed(supply: Supply, now: datetime) -> datetime:
    horizon = supply.need.horizon
    return ALWAYS if horizon is None else now - horizon

"""The worked patients of `vignettes.toml`: each as a FHIR Bundle around one instant.

`vignettes()` reads them, `vignette_bundle(case)` builds the Bundle of one; its `timestamp` is the instant of the call.
"""

import json
import tomllib
from collections.abc import Iterator, Mapping
from datetime import timedelta
from functools import cache
from pathlib import Path
from typing import Any

from tests import chart
from tests.chart import DAY, HOUR, NOW, Json

FILE = Path(__file__).with_name("vignettes.toml")
PRODUCT = "tisagenlecleucel"
THERAPY_DAY = 3
SCORES = {"ice": "ice-score", "capd": "capd-score", "crs": "crs-grade"}


@cache
def vignettes() -> dict[str, Json]:
    """The cases by their id, with what they are `like` filled in."""
    cases: dict[str, Json] = {}
    for case in tomllib.loads(FILE.read_text(encoding="utf-8"))["vignette"]:
        if case["id"] in cases:
            raise ValueError(f"{case['id']} is there twice")
        before = cases[case["like"]] if "like" in case else {}
        cases[case["id"]] = {**{key: value for key, value in before.items() if key != "expect"}, **case}
    return cases


def patient_id(case: Mapping[str, Any]) -> str:
    """The id of the patient of a case: no two cases share one."""
    return f"vignette-{case['id'].lower()}"


def vignette_bundle(case: Mapping[str, Any]) -> Json:
    """The Bundle of a case. Ids of its resources are its own, so that all cases can stand on one server."""
    who = patient_id(case)
    renamed = json.loads(json.dumps(list(_resources(case))).replace(f'"Patient/{chart.PATIENT}"', f'"Patient/{who}"'))
    for number, resource in enumerate(renamed):
        resource["id"] = f"{who}-{number}" if number else who
    entries = [{"fullUrl": f"urn:crs:{resource['id']}", "resource": resource} for resource in renamed]
    return {"resourceType": "Bundle", "type": "collection", "timestamp": NOW.isoformat(), "entry": entries}


def _resources(case: Mapping[str, Any]) -> Iterator[Json]:
    """The patient first, then what is charted."""
    born = case.get("born") if "born" in case else f"{NOW.year - case['age']}-01-01"
    yield chart.patient(born or None)
    yield _therapy(case)
    for entry in case.get("weight", []):
        amount, unit = (entry["kg"], "kg") if "kg" in entry else (entry["lb"], "[lb_av]")
        yield chart.weight(amount, unit, ago=entry.get("days", 2) * DAY, code=entry.get("code", "3141-9"))
    for row in case.get("vitals", []):
        yield from _vitals(row)
    yield from _medications(case)
    for entry in case.get("cultures", []):
        if entry.get("ordered"):
            yield chart.culture_order(ago=hours(entry))
        else:
            yield chart.culture(entry.get("result"), ago=hours(entry))
    for entry in case.get("scores", []):
        (instrument,) = entry.keys() - {"h"}
        yield chart.score(SCORES[instrument], entry[instrument], ago=hours(entry))
    for entry in case.get("conditions", []):
        yield chart.condition(entry["code"], ago=hours(entry))
    for name in case.get("allergies", []):
        yield chart.allergy(name)
    for entry in case.get("labs", []):
        ranges = {"referenceRange": [{"high": {"value": entry["high"]}}]} if "high" in entry else {}
        yield chart.lab(entry["code"], entry.get("value", 1), entry.get("unit", "1"), ago=hours(entry), **ranges)


def hours(entry: Mapping[str, Any], name: str = "h") -> timedelta:
    """How long ago it was."""
    return float(entry[name]) * HOUR


def _therapy(case: Mapping[str, Any]) -> Json:
    product, ago = case.get("product", PRODUCT), case.get("day", THERAPY_DAY) * DAY
    return chart.procedure(product, ago=ago) if case.get("therapy_as_procedure") else chart.therapy(product, ago=ago)


def _vitals(row: Mapping[str, Any]) -> Iterator[Json]:
    ago = hours(row)
    if "t" in row:
        yield chart.temperature(row["t"], code=row.get("code", "8310-5"), ago=ago)
    if "f" in row:
        yield chart.temperature(row["f"], "[degF]", ago=ago)
    if "bp" in row:
        yield chart.pressure(*row["bp"], ago=ago)
    if "spo2" in row:
        yield chart.saturation(row["spo2"], ago=ago)
    device = row.get("on")
    if "on_repeated" in row:
        word, times = row["on_repeated"]
        device = word * times
    if device is not None:
        yield chart.oxygen(device, flow=row.get("flow"), fio2=row.get("fio2"), ago=ago)


def _medications(case: Mapping[str, Any]) -> Iterator[Json]:
    for entry in case.get("infusions", []):
        yield chart.infusion(
            entry["drug"],
            entry.get("rate"),
            started=hours(entry, "since"),
            ended=hours(entry, "until") if "until" in entry else None,
            status=entry.get("status"),
            unit=entry.get("unit", "ug/kg/min"),
        )
    for entry in case.get("given", []):
        yield chart.given(entry["drug"], entry.get("mg"), ago=hours(entry), status=entry.get("status", "completed"))
    for entry in case.get("orders", []):
        yield chart.order(entry["drug"], mg=entry.get("mg"), ago=hours(entry))

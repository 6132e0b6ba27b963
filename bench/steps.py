"""Where the time of a call goes: its steps as the service itself measures them (GET /metrics), and what it does beside.

`python -m bench.profile` looks further into them.
"""

import gc
import http.client
import re
import time
from statistics import median

from bench.load import Case, Effort, drive
from bench.servers import HOST, SERVER_CORES, Server, on_cores
from cds_service.fhir.strict_json import parse

METRICS_SECONDS = 30
PARSED = 50
STEPS = {"read": "reading the chart", "assess": "grading", "cards": "advice and cards", "store": "the store"}
PARSE, REST, OUTSIDE = "parsing the body", "the rest of the application", "production server and connection"
_SUM = re.compile(r"^crs_cds_(stage|request)_seconds_sum\{(.*)\} (\S+)$", re.MULTILINE)


def steps(server: Server, case: Case, effort: Effort) -> dict[str, float]:
    """Seconds of each step of the mean call, by what it is. Parsing is timed in this process."""
    before = _sums(server)
    load = drive(server, case, effort)
    calls = len(load.times)
    taken = {name: (total - before.get(name, 0)) / calls for name, total in _sums(server).items()}
    within = {words: taken.get(name, 0) for name, words in STEPS.items()}
    within = {PARSE: _parsing(case.body(0))} | within
    within[REST] = taken["request"] - sum(within.values())
    return within | {OUTSIDE: sum(load.times) / calls - taken["request"]}


def _parsing(body: bytes) -> float:
    times = []
    gc.disable()  # the service has left out what lives long, this process has not
    with on_cores(SERVER_CORES):
        for _ in range(PARSED):
            begun = time.perf_counter()
            parse(body)
            times.append(time.perf_counter() - begun)
    gc.enable()
    return median(times)


def _sums(server: Server) -> dict[str, float]:
    """Seconds so far, by step; of whole calls as `request`."""
    connection = http.client.HTTPConnection(HOST, server.port, timeout=METRICS_SECONDS)
    connection.request("GET", "/metrics", headers={"Connection": "close"})
    text = connection.getresponse().read().decode()
    connection.close()
    found: dict[str, float] = {}
    for kind, labels, total in _SUM.findall(text):
        if kind == "stage":
            found[dict(re.findall(r'(\w+)="(.*?)"', labels))["stage"]] = float(total)
        elif 'route="call"' in labels:
            found["request"] = found.get("request", 0) + float(total)
    return found

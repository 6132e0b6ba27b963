"""The metrics of several worker processes are one (T96)."""

import os
import signal
import time
from pathlib import Path

import requests
from prometheus_client.parser import text_string_to_metric_families

from tests.contract.test_hook_call import call
from tests.server import SECONDS, Service, service_process

CALLS = 40


def answers(service: Service) -> float:
    text = requests.get(f"{service.base}/metrics", timeout=SECONDS, headers={"Connection": "close"}).text
    samples = [sample for family in text_string_to_metric_families(text) for sample in family.samples]
    return sum(sample.value for sample in samples if sample.name == "crs_cds_answers_total")


def workers(service: Service) -> set[int]:
    """The ids of the processes that answer, as their files of metrics name them."""
    [folder] = Path(f"{service.log}.state").glob("metrics-*")
    return {int(file.stem.rpartition("_")[2]) for file in folder.glob("counter_*.db")}


def test_t96_whichever_worker_is_asked_tells_of_all_and_loses_nothing_when_one_ends(tmp_path: Path) -> None:
    with service_process(tmp_path / "log", "", workers=2) as service:
        while len(workers(service)) < 2:
            assert service.call(call()).status_code == 200
        made = answers(service)
        for _ in range(CALLS):
            assert service.call(call()).status_code == 200
        assert {answers(service) for _ in range(10)} == {made + CALLS}
        os.kill(min(workers(service)), signal.SIGKILL)
        end = time.monotonic() + SECONDS
        while len(workers(service)) < 3 and time.monotonic() < end:
            requests.get(f"{service.base}/healthz", timeout=SECONDS, headers={"Connection": "close"})
        assert answers(service) == made + CALLS


def test_metrics_begin_anew_at_each_start(tmp_path: Path) -> None:
    folder = tmp_path / "log.state"
    with service_process(tmp_path / "log", "") as service:
        assert service.call(call()).status_code == 200
        assert answers(service) == 1
        [metrics] = folder.glob("metrics-*")
        assert metrics.stat().st_mode & 0o077 == 0

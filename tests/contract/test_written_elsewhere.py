"""Values that become something else where they are written: spreadsheets, logs, links (T74, T77)."""

import csv
import json
import subprocess
import sys
from io import StringIO

import pytest
from flask.testing import FlaskClient

from cds_service.web.spreadsheet import csv_lines
from tests.answers import PATIENT, SERVICE, Json
from tests.contract.test_hook_call import CANARY
from tests.server import hook_call

EVIL = "evil.example"
NAMED = {"Host": EVIL, "X-Forwarded-Host": EVIL, "X-Forwarded-Proto": "gopher", "Forwarded": f"host={EVIL}"}
LOGS = """
import structlog
from cds_service.web.logs import configure_logs
configure_logs()
structlog.get_logger().info("answered", reason='a\\r\\n{"event":"forged"}\\u2028\\x1b[31m', patient="%s")
"""


@pytest.mark.parametrize("sign", ["=", "+", "-", "@", "\t", "\r", "\n", "＝", "＋", "－", "＠"])
def test_t74_a_cell_that_a_spreadsheet_would_calculate_is_text(sign: str) -> None:
    formula = f'{sign}HYPERLINK("https://evil.example";"click"),2'
    [row] = csv.reader(StringIO("".join(csv_lines([(formula, f"x{formula}", -5, 38.5)])), newline=""))
    assert row == [f"'{formula}", f"x{formula}", "-5", "38.5"]


def test_t74_a_line_of_the_log_is_one_object_whatever_stands_in_it() -> None:
    ended = subprocess.run([sys.executable, "-c", LOGS % CANARY], capture_output=True, check=True)
    [line] = ended.stderr.splitlines()
    logged = json.loads(line)
    assert (logged["event"], "forged" in logged["reason"], "patient" in logged) == ("answered", True, False)
    assert line.decode().isprintable()


def test_t77_no_answer_names_the_host_that_the_client_names(client: FlaskClient, filled: Json) -> None:
    answers = [
        client.post(path, json=body, headers=NAMED)
        for path in (SERVICE, f"{SERVICE}/", f"{SERVICE}/feedback", "/about", "/nothing")
        for body in (hook_call(PATIENT, prefetch=filled), {})
    ]
    answers += [
        client.get(path, headers=NAMED | {"Accept": kind})
        for path in ("/cds-services", "/cds-services/", "/about", "/report", "/report/", "/healthz", "//nothing")
        for kind in ("text/html", "application/json")
    ]
    for answer in answers:
        assert EVIL not in answer.text + str(answer.headers)
        assert "gopher" not in answer.text + str(answer.headers)
        assert answer.status_code not in range(300, 400)

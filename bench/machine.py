"""The machine that a run was made on: figures of another one are others."""

import os
import platform
import sysconfig
from pathlib import Path
from typing import Any

from bench.servers import CORES


def machine() -> dict[str, Any]:
    """What figures depend on, and what else it was doing."""
    return {
        "processor": _processor(),
        "cores": len(CORES),
        "system": f"{platform.system()} {platform.release()}",
        "python": platform.python_version(),
        "optimised_python": "--enable-optimizations" in (sysconfig.get_config_var("CONFIG_ARGS") or ""),
        "load_before": round(os.getloadavg()[0], 2),
    }


def _processor() -> str:
    lines = Path("/proc/cpuinfo").read_text(encoding="utf-8").splitlines()
    named = (line.partition(":")[2].strip() for line in lines if line.startswith("model name"))
    return next(named, platform.machine())

"""What all tests share: where larger data sets are, one thread per worker, and no time limits on random examples."""

import os
from pathlib import Path
from typing import Any

from hypothesis import HealthCheck, settings

_NEIGHBOUR = Path(__file__).resolve().parents[2] / "shared" / "data"

if "PYTEST_XDIST_WORKER" in os.environ:  # before NumPy comes: workers whose threads take turns on a core are slower
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

if _NEIGHBOUR.is_dir():
    os.environ.setdefault("INFLUENCE_DATA_DIR", str(_NEIGHBOUR))


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what tests have measured, also where a worker ran them."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")

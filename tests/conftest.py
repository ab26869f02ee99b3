"""What all tests share: larger data sets, one thread per worker, no time limits on examples, and which are slow."""

import os
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, settings

TESTS = Path(__file__).parent
SLOW = (  # whole pages and Chromium, killed writers, training, hundreds of broken files, everything that is published
    "browser",
    "pages",
    "figures",
    "hostile",
    "lessons",
    "annotations/test_exports.py",
    "annotations/test_killed_writers.py",
    "core/test_training.py",
    "test_readme.py",
)
_NEIGHBOUR = Path(__file__).resolve().parents[2] / "shared" / "data"

if "PYTEST_XDIST_WORKER" in os.environ:  # before NumPy comes: workers whose threads take turns on a core are slower
    for name in ("OPENBLAS_NUM_THREADS", "OMP_NUM_THREADS", "MKL_NUM_THREADS"):
        os.environ.setdefault(name, "1")

settings.register_profile("any machine", deadline=None, suppress_health_check=[HealthCheck.too_slow])
settings.load_profile("any machine")

if _NEIGHBOUR.is_dir():
    os.environ.setdefault("INFLUENCE_DATA_DIR", str(_NEIGHBOUR))


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """``-m "not slow"`` is the quick tier, for the inner loop."""
    slow = tuple(map(str, (TESTS / name for name in SLOW)))
    for item in items:
        if str(item.path).startswith(slow) or "[postgresql" in item.name:  # SQLite asks the same
            item.add_marker(pytest.mark.slow)


def pytest_terminal_summary(terminalreporter: Any) -> None:
    """Say what tests have measured, also where a worker ran them."""
    for report in terminalreporter.getreports("passed"):
        for name, value in report.user_properties:
            terminalreporter.write_line(f"{name}: {value}")
